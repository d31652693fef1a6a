"""The websocket without a browser: who may open it, what it says, and when it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from sandbox import Sandbox
from tools.server import SESSION, Server

PATH = "/ws/c/tests/"


@asynccontextmanager
async def signed_in(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    cookies = {SESSION: await asyncio.to_thread(server.session)}
    async with aiohttp.ClientSession(cookies=cookies, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


async def heard(socket: aiohttp.ClientWebSocketResponse, what: str, seconds: float = 15) -> dict[str, Any]:
    """The next message of a type; fails after so many seconds."""
    async with asyncio.timeout(seconds):
        async for message in socket:
            said: dict[str, Any] = json.loads(message.data)
            if said["t"] == what:
                return said
    raise AssertionError(f"closed with {socket.close_code} before {what}")


def look(view: int, path: str) -> str:
    return json.dumps({"t": "look", "view": view, "path": path, "have": {}})


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "http://127.0.0.1:1"])
async def test_a_foreign_page_opens_no_socket(server: Server, origin: str | None) -> None:
    headers = {"Origin": origin} if origin else {}
    async with signed_in(server) as session:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(server.base + PATH, headers=headers)


async def test_without_a_session_it_says_goodbye(server: Server) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(server.base + PATH, headers={"Origin": server.base}) as socket,
    ):
        assert (await heard(socket, "bye"))["why"] == "signed-out"
        await socket.receive()
        assert socket.close_code == 4401


async def test_what_makes_no_sense_is_passed_over_and_the_next_look_answered(server: Server) -> None:
    async with (
        signed_in(server) as session,
        session.ws_connect(server.base + PATH, headers={"Origin": server.base}) as socket,
    ):
        nonsense = [
            "{",
            "[]",
            "3",
            "[" * 200_000,
            "x" * 300_000,
            '{"t":"look"}',
            '{"t":"look","view":"x","path":3}',
            look(1, "//["),
            look(2, "/c/tests/pods/?" + "&" * 25_000),
            '{"t":"look","view":3,"path":"/c/tests/pods/?q=\\ud800","have":{}}',
        ]
        for each in nonsense:
            await socket.send_str(each)
        await socket.send_str(look(7, "/c/tests/nodes/"))
        frame = await heard(socket, "frame")
        assert frame["view"] == 7
        assert frame["lists"]["rows"]["up"]


async def test_an_address_that_shows_nothing_is_answered_with_a_reload(server: Server) -> None:
    async with (
        signed_in(server) as session,
        session.ws_connect(server.base + PATH, headers={"Origin": server.base}) as socket,
    ):
        for view, path in enumerate(("/nowhere/", "/c/tests/colours/", "/c/tests/pods/default/gone/")):
            await socket.send_str(look(view, path))
            assert (await heard(socket, "reload"))["view"] == view


async def test_a_socket_ends_soon_after_its_session(server: Server) -> None:
    async with (
        signed_in(server) as session,
        session.ws_connect(server.base + PATH, headers={"Origin": server.base}) as socket,
    ):
        await socket.send_str(look(1, "/c/tests/nodes/"))
        await heard(socket, "frame")
        await asyncio.to_thread(
            server.manage,
            "shell",
            "-c",
            "from django.contrib.sessions.models import Session; Session.objects.all().delete()",
        )
        assert (await heard(socket, "bye", seconds=30))["why"] == "signed-out"


async def test_an_account_with_rights_in_one_namespace_sees_it_at_the_first_look(
    cluster: Sandbox, namespace: str, tmp_path: Path
) -> None:
    """Cold: nothing has been listed yet, and whether all of it may be read is still being found out."""
    api = cluster.api()
    api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "viewer"}})
    subject = {"kind": "ServiceAccount", "name": "viewer", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    api.post(
        f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings",
        {"metadata": {"name": "viewer"}, "subjects": [subject], "roleRef": role},
    )
    token = api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts/viewer/token", {"spec": {}})
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token["status"]["token"]}
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(yaml.safe_dump(config))
    api.post(f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "seen"}, "data": {"a": "1"}})
    own = Server(tmp_path / "home", kubeconfig, CLUSTER_UI_NAMESPACES=namespace)
    await asyncio.to_thread(own.__enter__)
    try:
        async with signed_in(own) as session:
            async with session.get(f"{own.base}/c/tests/configmaps/?format=json") as response:
                assert response.status == 200, await response.text()
                names = [row["name"] for row in (await response.json())["rows"]]
                assert "seen" in names
            async with session.get(f"{own.base}/c/tests/nodes/?format=json") as response:
                assert response.status == 403
    finally:
        await asyncio.to_thread(own.stop)


def masked(text: str) -> bytes:
    """A text frame of a client (RFC 6455, 5.2), masked with zeros."""
    payload = text.encode()
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + payload


async def test_a_browser_that_does_not_read_is_cut(server: Server) -> None:
    """How soon, tells ``test_protocols.py``, by a clock of its own."""
    async with signed_in(server) as session:
        cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in session.cookie_jar)
    # Nothing is read after the handshake: all buffers between here and the server fill.
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
    head = [
        f"GET {PATH} HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        f"Origin: {server.base}",
        f"Cookie: {cookies}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    writer.write("\r\n".join([*head, "", ""]).encode())
    assert b"101" in await reader.readline()
    with pytest.raises(ConnectionError):
        async with asyncio.timeout(300):
            for view in count():
                writer.write(masked(look(view, "/c/tests/events/")))
                await writer.drain()
                await asyncio.sleep(0.02)
    writer.close()
