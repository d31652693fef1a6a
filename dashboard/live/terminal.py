"""What passes between a browser's terminal and a program in a container: bytes, bounded in both directions.

*Out*: when ``WINDOW`` bytes were sent and not drawn yet, nothing more is read from the API server, which then reads no
more from the kubelet, and the program waits, as it would for any slow terminal.

*In*: what the program does not read waits here, at most ``PENDING`` bytes of it. More is refused, a message as a whole,
and so is all that comes before what waits is read: a paste is many messages, and may lose its end, but nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from dashboard.kube.exec import Exec, Exit

WINDOW = 256 * 1024
PENDING = 512 * 1024
PIECE = 16 * 1024  # written at once
QUIET_SECONDS = 25.0  # a ping keeps the connection: proxies often end one that is quiet for a minute
IDLE_SECONDS = 3600.0  # without input
MAX_COLUMNS, MAX_ROWS = 1000, 500


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended: ``exit`` of the program, or ``why`` it was ended."""

    exit: Exit
    why: str = ""


class Terminal:
    """One program. ``show`` sends bytes to the browser, which says with ``drawn`` how many it has drawn."""

    def __init__(
        self,
        program: Exec,
        show: Callable[[bytes], Awaitable[None]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._program = program
        self._show = show
        self._clock = clock
        self._typed_at = clock()
        self._pending = bytearray()
        self._full = False  # something was refused since nothing waited
        self._size: tuple[int, int] | None = None
        self._to_write = asyncio.Event()
        self._undrawn = 0
        self._room = asyncio.Event()
        self._room.set()
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.touched = False  # whether anything was typed at all

    def type(self, data: bytes) -> bool:
        """For the program; False when it was refused, as too much waits already, or did just now."""
        self._typed_at = self._clock()
        if self._full or len(self._pending) + len(data) > PENDING:
            self._full = bool(self._pending)
            return False
        self.touched = True
        self._pending += data
        self._to_write.set()
        return True

    def resize(self, columns: int, rows: int) -> None:
        """Of several sizes that wait, the latest."""
        if 1 <= columns <= MAX_COLUMNS and 1 <= rows <= MAX_ROWS:
            self._size = columns, rows
            self._to_write.set()

    def drawn(self, size: int) -> None:
        self._undrawn = max(0, self._undrawn - size)
        if self._undrawn < WINDOW:
            self._room.set()

    @property
    def idle(self) -> bool:
        """Nobody has typed for an hour."""
        return self._clock() - self._typed_at >= IDLE_SECONDS

    def end(self, why: str) -> None:
        """Ends it, in words for whoever sits before it."""
        if not self._ended.done():
            self._ended.set_result(why)

    async def run(self) -> Ending:
        """Until the program ends, its connection does, or ``end`` says so."""
        reading = asyncio.create_task(self._read())
        helpers = [asyncio.create_task(self._write()), asyncio.create_task(self._keep_alive())]
        try:
            both: set[asyncio.Future[Any]] = {reading, self._ended}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                return Ending(Exit(None), self._ended.result())
            await reading
            return Ending(self._program.exit)
        finally:
            for task in (reading, *helpers):
                task.cancel()
            await asyncio.gather(reading, *helpers, return_exceptions=True)

    async def _read(self) -> None:
        async for data in self._program.output():
            self._undrawn += len(data)
            await self._show(data)
            if self._undrawn >= WINDOW:
                self._room.clear()
                await self._room.wait()

    async def _write(self) -> None:
        while True:
            await self._to_write.wait()
            self._to_write.clear()
            if self._size is not None:
                size, self._size = self._size, None
                await self._program.resize(*size)
            while self._pending:
                # A piece counts as pending until it is written: what waits is never more than is said.
                piece = bytes(self._pending[:PIECE])
                await self._program.write(piece)
                del self._pending[: len(piece)]
            self._full = False

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(QUIET_SECONDS)
            await self._program.ping()
