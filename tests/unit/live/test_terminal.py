"""Both directions of a terminal are bounded, whatever the other side does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from dashboard.kube.exec import Exit
from dashboard.live.terminal import IDLE_SECONDS, PENDING, PIECE, WINDOW, Ending, Terminal

from .clock import FakeClock


class Program:
    """Prints without end, or until told; takes input only while it may."""

    def __init__(self, pieces: int = 10**9, size: int = 32_768) -> None:
        self.pieces, self.size = pieces, size
        self.read = 0
        self.written = b""
        self.sizes: list[tuple[int, int]] = []
        self.takes = asyncio.Event()
        self.exit = Exit(None)

    async def output(self) -> AsyncGenerator[bytes, None]:
        for _ in range(self.pieces):
            self.read += self.size
            yield b"x" * self.size
            await asyncio.sleep(0)
        self.exit = Exit(3)

    async def write(self, data: bytes) -> None:
        await self.takes.wait()
        self.written += data

    async def resize(self, columns: int, rows: int) -> None:
        await self.takes.wait()
        self.sizes.append((columns, rows))


class Shown:
    def __init__(self) -> None:
        self.bytes = 0

    async def __call__(self, data: bytes) -> None:
        self.bytes += len(data)


def terminal(program: Program, shown: Shown, clock: FakeClock | None = None) -> Terminal:
    given: Any = program
    return Terminal(given, shown, clock=lambda: clock.now) if clock else Terminal(given, shown)


async def settled(check: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not check():  # noqa: ASYNC110 # what is waited for tells nobody
            await asyncio.sleep(0)


async def test_nothing_more_is_read_while_the_browser_draws_nothing() -> None:
    program, shown = Program(), Shown()
    open_ = terminal(program, shown)
    running = asyncio.create_task(open_.run())
    await settled(lambda: shown.bytes >= WINDOW)
    for _ in range(100):
        await asyncio.sleep(0)
    assert program.read == shown.bytes == WINDOW
    open_.drawn(program.size)
    await settled(lambda: program.read == WINDOW + program.size)
    open_.end("the user ended it")
    assert await running == Ending(Exit(None), "the user ended it")


async def test_its_last_words_come_before_its_end() -> None:
    program, shown = Program(pieces=2), Shown()
    assert await terminal(program, shown).run() == Ending(Exit(3))
    assert shown.bytes == 2 * program.size


async def test_input_that_nobody_reads_is_refused_as_a_whole_and_the_rest_arrives() -> None:
    program = Program(pieces=0)
    program.output = Program().output  # type: ignore[method-assign] # it stays
    open_ = terminal(program, Shown())
    running = asyncio.create_task(open_.run())
    taken = b""
    for number in range(PENDING // PIECE):
        piece = bytes([number % 256]) * PIECE
        assert open_.type(piece)
        taken += piece
    assert not open_.type(b"one byte more"[:1])
    assert not open_.type(b"x" * PIECE)
    program.takes.set()
    await settled(lambda: program.written == taken)
    assert open_.type(b"again")
    await settled(lambda: program.written == taken + b"again")
    running.cancel()


async def test_what_follows_a_refused_message_is_refused_until_all_that_waits_is_read() -> None:
    """A paste of many messages may lose its end, and nothing in its middle."""
    program, reads = Program(pieces=0), asyncio.Semaphore(0)
    program.output = Program().output  # type: ignore[method-assign] # it stays

    async def write(data: bytes) -> None:
        await reads.acquire()
        program.written += data

    program.write = write  # type: ignore[method-assign]
    open_ = terminal(program, Shown())
    running = asyncio.create_task(open_.run())
    count = PENDING // PIECE
    assert all(open_.type(b"a" * PIECE) for _ in range(count))
    assert not open_.type(b"b" * PIECE)
    for _ in range(4):
        reads.release()
    await settled(lambda: len(program.written) == 4 * PIECE)
    assert not open_.type(b"c" * PIECE), "though there is room"
    for _ in range(count):
        reads.release()
    await settled(lambda: len(program.written) == PENDING)
    assert open_.type(b"d")
    await settled(lambda: program.written.endswith(b"ad"))
    running.cancel()


async def test_of_many_sizes_the_latest_is_told_and_nonsense_is_not() -> None:
    program = Program()
    open_ = terminal(program, Shown())
    for size in ((80, 24), (0, 0), (132, 50), (10**9, 10**9), (-1, 5)):
        open_.resize(*size)
    running = asyncio.create_task(open_.run())
    program.takes.set()
    await settled(lambda: program.sizes)
    assert program.sizes == [(132, 50)]
    running.cancel()


async def test_it_is_idle_an_hour_after_the_last_input() -> None:
    clock = FakeClock()
    open_ = terminal(Program(), Shown(), clock)
    clock.now += IDLE_SECONDS - 1
    assert not open_.idle
    open_.type(b"x")
    clock.now += IDLE_SECONDS - 1
    assert not open_.idle
    clock.now += 1
    assert open_.idle


async def test_an_end_before_the_start_is_an_end() -> None:
    open_ = terminal(Program(), Shown())
    open_.end("signed out")
    open_.end("something else")
    assert (await open_.run()).why == "signed out"


async def test_a_browser_that_is_gone_ends_it() -> None:
    async def gone(_: bytes) -> None:
        raise OSError("closed")

    given: Any = Program()
    with pytest.raises(OSError, match="closed"):
        await Terminal(given, gone).run()
