"""Where an added context may lead."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Any

import pytest

from dashboard.errors import BadInput
from dashboard.kube import addresses
from dashboard.kube.addresses import address_flaw, guarded, reachable_required


@pytest.mark.parametrize(
    "text", ["10.0.0.1", "127.0.0.1", "192.0.2.7", "::1", "2001:db8::1", "fd12::1", "::ffff:10.0.0.1"]
)
def test_the_addresses_of_api_servers_are_taken(text: str) -> None:
    assert address_flaw(ip_address(text), 6443) == ""


@pytest.mark.parametrize("text", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_the_dashboard_is_no_api_server(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(addresses, "OWN_PORTS", {8000})
    assert "this dashboard" in address_flaw(ip_address(text), 8000)
    assert address_flaw(ip_address(text), 6443) == ""
    assert address_flaw(ip_address("192.0.2.7"), 8000) == ""


async def test_names_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ["10.0.0.1", "169.254.169.254"]

    def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 6443)) for each in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(BadInput, match=r"api\.test resolves to 169\.254\.169\.254"):
        await reachable_required("api.test", 6443)
    found.pop()
    await reachable_required("api.test", 6443)
    with pytest.raises(BadInput, match="dashboard itself"):
        await reachable_required("Dash.Test.", 6443, {"dash.test"})


async def test_a_name_that_is_not_known_now_may_be_one_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    await reachable_required("api.test", 6443)


def test_no_socket_is_made_to_an_address_that_is_refused() -> None:
    make = guarded(lambda info: socket.socket(info[0], info[1]))
    made = make((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 6443)))
    made.close()
    for family, address in ((socket.AF_INET, "169.254.169.254"), (socket.AF_INET6, "::ffff:169.254.169.254")):
        with pytest.raises(OSError, match="link-local"):
            make((family, socket.SOCK_STREAM, 6, "", (address, 80)))
