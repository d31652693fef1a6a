"""Which proxies are believed: those that the settings name, and what the log says where none is."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import uvicorn
from django.core.management import call_command
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the server was started with."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(uvicorn, "run", lambda _, **options: given.update(options))
    return given


async def address_seen(options: dict[str, Any], peer: str, forwarded: str) -> str:
    """Whom the application takes for the client."""
    seen: list[str] = []

    async def app(scope: Any, *_: Any) -> None:
        seen.append(scope["client"][0])

    if not options["proxy_headers"]:
        return peer
    scope = {"type": "http", "client": (peer, 1), "headers": [(b"x-forwarded-for", forwarded.encode())]}
    await ProxyHeadersMiddleware(app, options["forwarded_allow_ips"])(scope, None, None)  # type: ignore[arg-type]
    return seen[0]


async def test_the_proxies_that_are_named_say_who_somebody_is(
    served: dict[str, Any], settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.HTTPS, settings.CLUSTER_UI_TRUSTED_PROXIES = True, ["10.42.0.0/16", "192.0.2.7/32"]
    call_command("serve")
    assert not caplog.records
    assert await address_seen(served, "10.42.3.4", "198.51.100.1, 192.0.2.7") == "198.51.100.1"
    assert await address_seen(served, "10.42.3.4", "203.0.113.9, 198.51.100.1") == "198.51.100.1", "invented"
    assert await address_seen(served, "198.51.100.1", "203.0.113.9") == "198.51.100.1"
    assert await address_seen(served, "127.0.0.1", "203.0.113.9") == "127.0.0.1"


async def test_without_a_name_one_on_this_machine_is_believed_and_the_log_says_so(
    served: dict[str, Any], settings: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    settings.HTTPS, settings.CLUSTER_UI_TRUSTED_PROXIES = True, []
    with caplog.at_level(logging.WARNING):
        call_command("serve")
    assert "CLUSTER_UI_TRUSTED_PROXIES" in caplog.text
    assert await address_seen(served, "127.0.0.1", "198.51.100.1") == "198.51.100.1"
    assert await address_seen(served, "10.42.3.4", "198.51.100.1") == "10.42.3.4"


async def test_without_a_proxy_nobody_is_believed(
    served: dict[str, Any], settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.HTTPS, settings.CLUSTER_UI_TRUSTED_PROXIES = False, []
    call_command("serve")
    assert not caplog.records
    assert await address_seen(served, "127.0.0.1", "198.51.100.1") == "127.0.0.1"
    settings.CLUSTER_UI_TRUSTED_PROXIES = ["10.42.0.0/16"]
    call_command("serve")
    assert await address_seen(served, "10.42.3.4", "198.51.100.1") == "198.51.100.1", (
        "a proxy that speaks http"
    )
