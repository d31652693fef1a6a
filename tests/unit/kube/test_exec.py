"""The channel protocol of the API server's exec, without one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from dashboard.kube.exec import Exec, Exit, read_exit


class Socket:
    """A websocket that brings what it was given, and keeps what is sent."""

    def __init__(self, *frames: bytes) -> None:
        self.frames = frames
        self.sent: list[bytes] = []

    async def send_bytes(self, data: bytes) -> None:
        self.sent.append(data)

    async def __aiter__(self) -> AsyncIterator[Any]:
        for each in self.frames:
            yield SimpleNamespace(type=aiohttp.WSMsgType.BINARY, data=each)


def program(socket: Socket) -> Exec:
    given: Any = socket
    return Exec(given)


STATUS = {"metadata": {}, "status": "Failure"}


def failure(message: str, *causes: tuple[str, str]) -> bytes:
    details = {"causes": [{"reason": reason, "message": text} for reason, text in causes]}
    return json.dumps({**STATUS, "message": message, "details": details}).encode()


async def test_what_it_prints_comes_byte_for_byte_until_its_end() -> None:
    grin = "😀".encode()
    frames = [
        b"\1",
        b"\1a" + grin[:1],
        b"\1" + grin[1:],
        b"\2oops",
        b"",
        b'\3{"status":"Success"}',
        b"\1late",
    ]
    running = program(Socket(*frames))
    assert [data async for data in running.output()] == [b"a" + grin[:1], grin[1:], b"oops"]
    assert running.exit == Exit(0)


async def test_a_connection_that_ends_before_the_program_is_no_exit_code() -> None:
    running = program(Socket(b"\1hello"))
    assert [data async for data in running.output()] == [b"hello"]
    assert running.exit == Exit(None)


async def test_each_channel_has_its_number() -> None:
    socket = Socket()
    running = program(socket)
    await running.write(b"ls\n")
    await running.resize(120, 34)
    assert socket.sent == [b"\0ls\n", b'\4{"Width":120,"Height":34}']


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (b'{"status":"Success"}', 0),
        (failure("command terminated with non-zero exit code", ("ExitCode", "137")), 137),
        (failure("error executing command in container: cmd wait: sh: exit status 3"), 3),
        (failure("OCI runtime exec failed: no such file or directory"), None),
        (failure("x", ("ExitCode", "many")), None),
        (b"not JSON", None),
        (b'{"status":"Failure","details":null}', None),
    ],
)
def test_how_it_ended_is_read_from_the_status(status: bytes, code: int | None) -> None:
    assert read_exit(status).code == code
