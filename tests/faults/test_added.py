"""Contexts that were added: where their connections lead, whatever names resolve to by then, and that one which is down
or hangs harms no other.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from django.contrib.auth.models import User
from django.test import AsyncClient

from dashboard.clusters.keeping import cluster_add
from dashboard.clusters.looking import look_at_all
from dashboard.clusters.rules import Rules, rules_hold
from dashboard.database import in_database
from dashboard.errors import Unavailable
from dashboard.kube import addresses
from dashboard.kube.kubeconfig_text import cluster_of, read_kubeconfig
from dashboard.kube.transport import Transport
from dashboard.live.runtime import runtime
from dashboard.models import AddedCluster
from tests.kubeconfigs import TOKEN, Pair, encoded, issued, kubeconfig

from .scripted import ScriptedServer, until


@pytest.fixture(scope="module")
def authority() -> Pair:
    return issued("authority")


@pytest_asyncio.fixture
async def server(authority: Pair, tmp_path: Path) -> AsyncIterator[ScriptedServer]:
    scripted = ScriptedServer(tls=issued("api", authority, days=5).tls(tmp_path))
    scripted.tokens = {TOKEN}
    await scripted.start()
    yield scripted
    await scripted.stop()


def text(authority: Pair, *ports: int, host: str = "127.0.0.1") -> str:
    (port,) = ports
    ca = {"certificate-authority-data": encoded(authority.certificate)}
    return kubeconfig("dev", server=f"https://{host}:{port}", cluster=ca)


def transport_to(written: str) -> Transport:
    return Transport(cluster_of(read_kubeconfig(written)[0], "mara"))


def resolving(monkeypatch: pytest.MonkeyPatch, found: list[str]) -> None:
    """``api.test`` has the first of these addresses, then the next, and the last one from then on."""
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host != "api.test":
            return real(host, port, *rest, **more)
        address = found.pop(0) if len(found) > 1 else found[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


async def test_a_name_that_resolves_to_something_else_by_then_leads_nowhere(
    server: ScriptedServer, authority: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, ["127.0.0.1", "169.254.169.254"])
    (look,) = await look_at_all(text(authority, server.port, host="api.test"), ())
    assert look.refusal is None and "link-local" in look.trouble and not server.requests


async def test_a_name_whose_address_becomes_the_dashboards_own_leads_nowhere(
    server: ScriptedServer, authority: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, ["127.0.0.1"])
    transport = transport_to(text(authority, server.port, host="api.test"))
    monkeypatch.setattr(addresses, "OWN_PORTS", {server.port})
    with pytest.raises(Unavailable, match="this dashboard itself"):
        await transport.version()
    await transport.close()
    assert not server.requests


async def test_a_proxy_of_the_environment_is_not_used(
    server: ScriptedServer, authority: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.delenv("no_proxy", raising=False)
    transport = transport_to(text(authority, server.port))
    assert (await transport.version())["gitVersion"]
    await transport.close()


async def test_a_look_tells_version_account_and_certificate(server: ScriptedServer, authority: Pair) -> None:
    async def reviewed(_: web.Request) -> web.StreamResponse:
        return web.json_response({"status": {"userInfo": {"username": "anna"}}}, status=201)

    server.paths["/apis/authentication.k8s.io/v1/selfsubjectreviews"] = reviewed
    (look,) = await look_at_all(text(authority, server.port), ())
    assert look.version.startswith("v1.") and not look.trouble and look.refusal is None
    assert look.account == "anna" and look.certificate_expires_at is not None


async def test_a_wrong_authority_or_a_refused_token_is_told_and_nothing_of_the_token(
    server: ScriptedServer, authority: Pair
) -> None:
    (look,) = await look_at_all(text(issued("another"), server.port), ())
    assert "certificate" in look.trouble
    server.tokens = set()
    (look,) = await look_at_all(text(authority, server.port), ())
    assert look.trouble and TOKEN not in repr(look)


@pytest.fixture
def hanging() -> Iterator[int]:
    """The port of a server that takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest_asyncio.fixture
async def three(
    server: ScriptedServer, authority: Pair, hanging: int, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AsyncClient]:
    """One context that answers, one that hangs, one where nobody listens, all open; the first one hangs."""
    monkeypatch.setattr(runtime, "configured", lambda: ())
    ca = {"certificate-authority-data": encoded(authority.certificate)}
    server.served |= {"/apis/apps/v1"}
    for name, port in (("hangs", hanging), ("good", server.port), ("refuses", 1)):
        (offered,) = read_kubeconfig(kubeconfig(name, server=f"https://127.0.0.1:{port}", cluster=ca))
        await in_database(cluster_add)(by="mara", offered=offered, rules=Rules("installation"), taken=())
    await runtime.refresh()
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate(username="mara"))
    yield client
    await in_database(AddedCluster.objects.all().delete)()
    await runtime.refresh()
    await runtime.stop()
    rules_hold({})


@pytest.mark.django_db(transaction=True)
async def test_one_that_hangs_and_one_that_refuses_harm_no_other(
    three: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would wait for the one that hangs would never answer: its requests have no limit of time here."""
    let_go, send = asyncio.Event(), Transport._open

    async def hanging(transport: Transport, *request: Any) -> Any:
        if transport.cluster.name == "hangs":
            await let_go.wait()
        return await send(transport, *request)

    monkeypatch.setattr(Transport, "_open", hanging)
    for name in ("hangs", "refuses", "good"):
        runtime.open(name)
    stuck = asyncio.create_task(three.get("/c/hangs/pods/"))
    await asyncio.sleep(0)
    async with asyncio.timeout(300):
        for _ in range(3):
            answer = await three.get("/c/good/pods/?format=json")
            assert answer.status_code == 200
        page = (await three.get("/clusters/")).content.decode()
        told = {each["name"]: each for each in (await three.get("/clusters/?format=json")).json()["clusters"]}
    assert not stuck.done(), "it hangs"
    assert "refuses" in page and told["refuses"]["words"] == "Unreachable"
    assert told["good"]["version"] == "v1.36.3" and told["good"]["state"] != "bad"
    assert told["good"]["certificate"]["days"] == 4
    await until(lambda: runtime.open("hangs").trouble is not None, "told as unreachable")
    told = {each["name"]: each for each in (await three.get("/clusters/?format=json")).json()["clusters"]}
    assert told["hangs"]["words"] == "Unreachable" and told["hangs"]["issues"] is None
    stuck.cancel()
    await asyncio.gather(stuck, return_exceptions=True)


@pytest.mark.django_db(transaction=True)
async def test_what_nobody_opened_is_neither_asked_nor_watched(
    three: AsyncClient, server: ScriptedServer
) -> None:
    told = (await three.get("/clusters/?format=json")).json()["clusters"]
    assert {each["words"] for each in told} == {"Not looked at"} and not server.requests
    assert (await three.post("/clusters/good/look/")).status_code == 302
    told = {each["name"]: each for each in (await three.get("/clusters/?format=json")).json()["clusters"]}
    assert told["good"]["looked_at"] and not told["hangs"]["looked_at"]
    assert [each.cluster.name for each in runtime.opened()] == ["good"]
