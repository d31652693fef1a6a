"""A program in a container, over the API server's websocket: ``exec`` in the channel protocol, version 5.

Each frame is binary and begins with the number of its channel. The server's first frame is an empty one of stdout; its
last one, on the channel for errors, is a ``Status`` that says how the program ended.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import IntEnum

import aiohttp
import msgspec

from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport

__all__ = ["Exec", "Exit", "execute", "read_exit"]

# The API server speaks version 5 since Kubernetes 1.30; an older one passes on 4, which only cannot close a channel: a
# terminal ends its input with Ctrl-D.
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
FRAME_BYTES = 2**20  # the API server sends 32 KiB at most
PODS = KINDS["pods"].gvr


class Channel(IntEnum):
    STDIN = 0
    STDOUT = 1
    STDERR = 2
    ERROR = 3
    RESIZE = 4


@dataclass(frozen=True, slots=True)
class Exit:
    """How a program ended. ``code`` is None where it never began or was lost, and ``message`` says why, as the kubelet or
    the container runtime does; "" when the connection just ended.
    """

    code: int | None
    message: str = ""


class Exec:
    """A program that runs: its terminal's bytes in both directions. Read ``output()`` to its end, then see ``exit``."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.exit = Exit(None)

    async def write(self, data: bytes) -> None:
        """To the program. Waits while the API server takes nothing. Raises OSError when the connection is gone."""
        await self._send(Channel.STDIN, data)

    async def resize(self, columns: int, rows: int) -> None:
        """Tells it how large its terminal is, in characters."""
        await self._send(Channel.RESIZE, msgspec.json.encode({"Width": columns, "Height": rows}))

    async def ping(self) -> None:
        """Something on the wire, for what stands between and ends quiet connections."""
        await self._socket.ping()

    async def output(self) -> AsyncGenerator[bytes, None]:
        """What it prints, as it comes: characters may be cut anywhere. Nothing is read while nobody asks for more."""
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
                continue
            channel, data = message.data[0], message.data[1:]
            if channel == Channel.ERROR:
                self.exit = read_exit(data)
                return
            if data and channel in (Channel.STDOUT, Channel.STDERR):
                yield data

    async def _send(self, channel: Channel, data: bytes) -> None:
        await self._socket.send_bytes(bytes([channel]) + data)


@asynccontextmanager
async def execute(
    transport: Transport, namespace: str, pod: str, container: str, command: Sequence[str]
) -> AsyncIterator[Exec]:
    """Runs a command with a terminal in a container. Raises what ``Transport.connect`` raises."""
    query = {
        "command": command,
        "container": container,
        **dict.fromkeys(("stdin", "stdout", "tty"), "true"),  # a terminal has no stderr of its own
    }
    async with transport.connect(
        PODS,
        namespace=namespace,
        name=pod,
        subresource="exec",
        query=query,
        protocols=PROTOCOLS,
        largest=FRAME_BYTES,
    ) as socket:
        yield Exec(socket)


class _Cause(msgspec.Struct, frozen=True):
    reason: str = ""
    message: str = ""


class _Details(msgspec.Struct, frozen=True):
    causes: tuple[_Cause, ...] | None = None


class _Status(msgspec.Struct, frozen=True):
    status: str = ""
    message: str = ""
    details: _Details | None = None


# Where a runtime is asked for the code and only words come back: "command terminated with exit status 3".
_CODE_IN_WORDS = re.compile(r"exit (?:status|code):? (\d{1,3})$")


def read_exit(data: bytes) -> Exit:
    """What the last frame says."""
    try:
        status = msgspec.json.decode(data, type=_Status)
    except msgspec.DecodeError:
        return Exit(None, data[:500].decode("utf-8", "replace"))
    if status.status == "Success":
        return Exit(0)
    for cause in status.details.causes or () if status.details else ():
        if cause.reason == "ExitCode" and cause.message.isdecimal():
            return Exit(int(cause.message), status.message)
    found = _CODE_IN_WORDS.search(status.message)
    return Exit(int(found[1]) if found else None, status.message)
