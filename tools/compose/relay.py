"""Passes connections on, byte for byte: ``relay.py LISTEN TARGET``, each a HOST:PORT or the path of a socket.

Runs on the machine and, with the bare Python of a container, inside one: the standard library only.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path


async def relay(listen: str, target: str) -> None:
    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            back, forth = await _connect(target)
            await asyncio.gather(_pipe(reader, forth), _pipe(back, writer))
        writer.close()

    if listen.startswith("/"):
        Path(listen).unlink(missing_ok=True)  # noqa: ASYNC240 # once, before anybody waits
        server = await asyncio.start_unix_server(passed_on, listen)
    else:
        host, _, port = listen.rpartition(":")
        server = await asyncio.start_server(passed_on, host, int(port))
    await server.serve_forever()


async def _connect(target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if target.startswith("/"):
        return await asyncio.open_unix_connection(target)
    host, _, port = target.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(relay(*sys.argv[1:]))
