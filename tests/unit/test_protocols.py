"""What a connection may cost: time to begin a request, time without reading, and frames that are none. Spoken to byte by
byte, as no browser would."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest
import pytest_asyncio
import uvicorn
from django.core.management import call_command

from dashboard import protocols
from dashboard.consumers import LiveConsumer
from dashboard.live.snapshot import Have

HANDSHAKE = (
    "GET /ws/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
GET_MUCH = "GET /much HTTP/1.1\r\nHost: x\r\n\r\n"
TEXT, BINARY, CLOSE = 0x81, 0x82, 0x88


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Sends a lot over HTTP and, once something was said, over a websocket."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(2000 if scope["path"] == "/much" else 0):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"done"})
        return
    await send({"type": "websocket.accept"})
    said: asyncio.Queue[Any] = asyncio.Queue()
    while (message := await receive())["type"] != "websocket.disconnect":
        if message.get("text") == "flood":
            while True:
                await send({"type": "websocket.send", "text": "x" * 65536})
                await asyncio.sleep(0)
        elif (text := message.get("text") or "").startswith("echo "):
            size = int(text.split()[1])
            await send({"type": "websocket.send", "text": "é" + "x" * (size - 2) if size > 1 else "x" * size})
        elif text == "close":
            await send({"type": "websocket.close", "code": 1000})
            with pytest.raises(OSError):
                await send({"type": "websocket.send", "text": "too late"})
            return
        elif message["type"] == "websocket.receive":
            said.put_nowait(message)
            await send({"type": "websocket.send", "text": "heard"})


@pytest_asyncio.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """For connections that nothing but what they send may end, however slow the machine is."""
    monkeypatch.setattr(protocols, "HEAD_SECONDS", 600)
    monkeypatch.setattr(protocols, "STALLED_SECONDS", 600)
    async with serving(ws_ping_interval=600, ws_ping_timeout=600, timeout_keep_alive=1) as port:
        yield port


@pytest_asyncio.fixture
async def impatient_port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """For connections that end because the time is up."""
    monkeypatch.setattr(protocols, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(protocols, "STALLED_SECONDS", 0.3)
    async with serving(ws_ping_interval=0.2, ws_ping_timeout=0.3, timeout_keep_alive=1) as port:
        yield port


@asynccontextmanager
async def serving(**limits: float) -> AsyncIterator[int]:
    config = uvicorn.Config(
        app, port=0, http=protocols.BoundedHttp, ws=protocols.BoundedWebSocket, lifespan="off", log_config=None,
        access_log=False, ws_per_message_deflate=False, ws_max_size=2**20, **limits,
    )  # fmt: skip
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    yield server.servers[0].sockets[0].getsockname()[1]
    await server.shutdown()


async def opened(port: int, head: str = "") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    # So small a buffer that a browser which does not read is noticed at once.
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(head.encode())
    return reader, writer


def frame(kind: int, payload: bytes) -> bytes:
    """A frame of a client (RFC 6455, 5.2), masked with zeros."""
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xff" + len(payload).to_bytes(8, "big")
    return bytes([kind]) + size + bytes(4) + payload


async def the_end(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the connection ends, as it must."""
    found = b""
    async with asyncio.timeout(60):
        try:
            while part := await reader.read(65536):
                found += part
        except ConnectionError:
            pass
    return found


@pytest.mark.parametrize(
    "head", ["", "GET / HTTP/1.1\r\nHost: x\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /"]
)
async def test_a_connection_on_which_no_request_comes_ends(impatient_port: int, head: str) -> None:
    reader, writer = await opened(impatient_port, head)
    answer = await the_end(reader)
    assert (b"done" in answer) is ("\r\n\r\n" in head)
    writer.close()


@pytest.mark.parametrize(
    "head",
    [
        HANDSHAKE.replace("Host: x", f"Host: x\r\nX: {'a' * 9000}"),
        HANDSHAKE.replace("/ws/", f"/ws/{'a' * 9000}"),
        HANDSHAKE.replace("Host: x", "Host: x" + "\r\nX: y" * 200),
        HANDSHAKE.replace("/ws/", "/ws/\x7f"),
    ],
    ids=["a long header", "a long address", "many headers", "a control character"],
)
async def test_a_handshake_that_the_websockets_library_does_not_take_ends(port: int, head: str) -> None:
    reader, writer = await opened(port, head)
    assert b" 101 " not in await the_end(reader)
    writer.close()


async def test_one_connection_too_many_is_closed_until_another_has_gone(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocols, "CONNECTIONS", 2)
    (_, first), (_, second) = await opened(port), await opened(port)
    head = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    reader, writer = await opened(port, head)
    assert await the_end(reader) == b""
    writer.close()
    first.close()
    async with asyncio.timeout(60):
        while b"done" not in await the_end((ended := await opened(port, head))[0]):
            ended[1].close()
    ended[1].close()
    second.close()


async def test_headers_that_trickle_end_too(impatient_port: int) -> None:
    reader, writer = await opened(impatient_port, "GET / HTTP/1.1\r\n")
    ended = asyncio.create_task(the_end(reader))
    async with asyncio.timeout(60):
        while not ended.done():
            writer.write(b"x: y\r\n")
            await asyncio.sleep(0.02)
    assert b"done" not in await ended
    writer.close()


@pytest.mark.parametrize("part", [b"x: y\r\n", b"x"])
async def test_headers_without_end_are_refused_with_words(port: int, part: bytes) -> None:
    reader, writer = await opened(port, "GET / HTTP/1.1\r\nname: ")
    writer.write(part * (protocols.HEAD_BYTES // len(part)))
    assert b"headers of a request" in await the_end(reader)
    writer.close()


async def test_one_connection_serves_many_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that goes on only when it is told to: together, longer than a request may take to begin."""
    loop = asyncio.get_running_loop()
    async with serving(timeout_keep_alive=60) as port:
        reader, writer = await opened(port)
        now = loop.time()
        with monkeypatch.context() as clock:
            clock.setattr(loop, "time", lambda: now)
            for _ in range(5):
                writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
                assert b"200" in await reader.readuntil(b"\r\n\r\n")
                assert b"done" in await reader.readuntil(b"0\r\n\r\n")
                now += protocols.HEAD_SECONDS / 2
        writer.close()


@pytest.mark.parametrize("how", ["page", "socket", "idle socket"])
async def test_a_browser_that_stops_reading_is_cut(impatient_port: int, how: str) -> None:
    head = HANDSHAKE if "socket" in how else GET_MUCH
    reader, writer = await opened(impatient_port, head)
    assert b"HTTP/1.1" in await reader.readuntil(b"\r\n\r\n")
    if how == "socket":
        writer.write(frame(TEXT, b"flood"))
    # Nothing is read from here on: the server's part in it ends by itself.
    async with asyncio.timeout(60):
        await asyncio.gather(*(task for task in asyncio.all_tasks() if "run_asgi" in repr(task)))
    writer.close()


@pytest.mark.parametrize("how", ["page", "socket"])
async def test_no_more_than_one_message_waits_for_a_browser_that_does_not_read(
    port: int, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Written to the connection, that is: what is newer waits in the hub, where it replaces what is older."""
    stalled: list[Any] = []
    pause = protocols.CutsTheStalled.pause_writing

    def noted(self: protocols.CutsTheStalled) -> None:
        stalled.append(self.transport)
        pause(self)

    monkeypatch.setattr(protocols.CutsTheStalled, "pause_writing", noted)
    reader, writer = await opened(port, HANDSHAKE if how == "socket" else GET_MUCH)
    assert b"HTTP/1.1" in await reader.readuntil(b"\r\n\r\n")
    if how == "socket":
        writer.write(frame(TEXT, b"flood"))
    waits, same = 0, 0
    try:
        async with asyncio.timeout(60):
            while same < 100:  # looks in a row at which nothing more was written
                await asyncio.sleep(0.002)
                before, waits = waits, stalled[-1].get_write_buffer_size() if stalled else 0
                same = same + 1 if waits and waits == before else 0
                assert waits <= 65_536 + 64
    finally:
        writer.close()


@pytest.mark.parametrize("how", ["page", "socket", "idle socket"])
async def test_a_browser_that_stops_reading_is_cut_within_half_a_minute(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the limits that it is served with, and a clock that goes on only when it is told to."""
    run = Mock()
    monkeypatch.setattr(uvicorn, "run", run)
    call_command("serve")
    limits = {key: run.call_args.kwargs[key] for key in ("ws_ping_interval", "ws_ping_timeout")}
    assert run.call_args.kwargs["http"] is protocols.BoundedHttp
    assert run.call_args.kwargs["ws"] is protocols.BoundedWebSocket
    loop = asyncio.get_running_loop()
    async with serving(**limits) as port:
        reader, writer = await opened(port, HANDSHAKE if "socket" in how else GET_MUCH)
        assert b"HTTP/1.1" in await reader.readuntil(b"\r\n\r\n")
        if how == "socket":
            writer.write(frame(TEXT, b"flood"))
        now = loop.time()
        monkeypatch.setattr(loop, "time", lambda: now)
        asked = [task for task in asyncio.all_tasks() if "run_asgi" in repr(task)]
        assert asked
        for second in range(30):
            # Until all that can happen at this moment has: buffers fill, which is no matter of time.
            for _ in range(20 if second else 200):
                await asyncio.to_thread(time.sleep, 0.005)
            now += 1
        for _ in range(2000):
            if all(task.done() for task in asked):
                break
            await asyncio.to_thread(time.sleep, 0.005)
        assert all(task.done() for task in asked), "30 s were not enough"
        monkeypatch.undo()
        writer.close()


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(TEXT, b"\xff\xfe"), 1007),
        (frame(TEXT & 0x7F, b"\xe2\x82") + frame(0x80, b"("), 1007),
        (frame(0x83, b""), 1002),
        (frame(TEXT, b"x" * 2**21), 1009),
    ],
)
async def test_a_frame_that_is_none_closes_the_socket_with_the_code_for_it(
    port: int, caplog: pytest.LogCaptureFixture, sent: bytes, code: int
) -> None:
    caplog.set_level(logging.INFO)
    reader, writer = await opened(port, HANDSHAKE)
    await reader.readuntil(b"\r\n\r\n")
    writer.write(sent)
    got = await the_end(reader)
    close = got[got.index(CLOSE) :]
    assert int.from_bytes(close[2:4], "big") == code
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.WARNING]
    writer.close()


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 300_000])
async def test_a_message_of_any_size_arrives_as_it_was_sent(port: int, size: int) -> None:
    """Read by another implementation of the protocol."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://127.0.0.1:{port}/ws/", max_msg_size=0) as socket,
    ):
        await socket.send_str(f"echo {size}")
        async with asyncio.timeout(60):
            got = await socket.receive_str()
    assert (len(got.encode()), got.replace("x", "")) == (size, "é" if size > 1 else "")


async def test_nothing_is_sent_on_a_closed_websocket(port: int) -> None:
    reader, writer = await opened(port, HANDSHAKE)
    await reader.readuntil(b"\r\n\r\n")
    writer.write(frame(TEXT, b"close"))
    got = await the_end(reader)
    assert got[0] == CLOSE and b"too late" not in got
    writer.close()


async def test_a_character_may_come_in_two_frames(port: int) -> None:
    reader, writer = await opened(port, HANDSHAKE)
    await reader.readuntil(b"\r\n\r\n")
    writer.write(frame(TEXT & 0x7F, b"\xe2\x82") + frame(0x80, b"\xac"))
    async with asyncio.timeout(60):
        assert b"heard" in await reader.readuntil(b"heard")
    writer.close()


@pytest.mark.parametrize("path", ["/ws/\xff", "/ws/%ff%0a", "/ws/\xff?\xfe"])
async def test_a_handshake_with_an_address_that_is_none_leaves_no_traceback(
    port: int, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    reader, writer = await opened(port)
    writer.write(HANDSHAKE.replace("/ws/", path).encode("latin1"))
    if "\xff" in path:
        await the_end(reader)
    else:
        await reader.readuntil(b"\r\n\r\n")
    writer.close()
    assert not [record for record in caplog.records if record.exc_info]


LOOK = {"t": "look", "view": 1, "path": "/c/tests/pods/", "have": {}}


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", "3", "null", "NaN", "[" * 200_000, "1" * 5000, "x" * 300_000, '"\\ud800"', "\ud800",
        *(json.dumps(LOOK | wrong) for wrong in (
            {"view": "x"}, {"view": 10**30}, {"view": -(10**30)}, {"view": 1.5}, {"path": 3}, {"t": ["look"]},
            {"path": "\ud800"}, {"have": {"lists": {"rows": [["\ud800", "h"]]}}}, {"have": {"log": {"\udfff": 1}}},
        )),
    ],
)  # fmt: skip
async def test_a_message_that_makes_no_sense_is_passed_over_in_silence(
    caplog: pytest.LogCaptureFixture, text: str
) -> None:
    looked: list[Any] = []

    class Socket(LiveConsumer):
        async def look(self, view: int, path: str, have: Have, lines: Any = None) -> None:
            looked.append((view, path, have))

        async def close(self, code: int | None = None, reason: str | None = None) -> None:
            raise AssertionError(f"closed with {code}")

    await Socket().receive(text_data=text)
    assert not looked and not caplog.records
    await Socket().receive(text_data=json.dumps(LOOK))
    assert len(looked) == 1
