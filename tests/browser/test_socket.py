"""The websocket without a browser: who may open it, what it says, and when it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tools.server import Server

PATH = "/ws/c/tests/"


@asynccontextmanager
async def signed_in(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    link = await asyncio.to_thread(server.signin_link)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.get(link) as response:
            assert response.status == 200
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
        for nonsense in ("{", "[]", "3", '{"t":"look"}', '{"t":"look","view":"x","path":3}', "x" * 300_000):
            await socket.send_str(nonsense)
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
