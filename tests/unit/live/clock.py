"""A clock that goes on when a test says so, and what waits by it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

TURNS = 20  # of the event loop: more than any chain of awaits between two waits takes


@dataclass(eq=False)
class Timer:
    """What is called once the clock shows ``at``, unless it is cancelled."""

    at: float
    call: Callable[[], object]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeClock:
    """``now`` in seconds; ``later`` and ``sleep`` in place of the event loop's."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._timers: list[Timer] = []

    def __call__(self) -> float:
        return self.now

    def later(self, seconds: float, call: Callable[[], object]) -> Timer:
        timer = Timer(self.now + max(0.0, seconds), call)
        self._timers.append(timer)
        return timer

    async def sleep(self, seconds: float) -> None:
        over = asyncio.Event()
        timer = self.later(seconds, over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()

    async def advance(self, seconds: float = 0.0) -> None:
        """Lets that time pass: what is due is called in its order, and what that wakes runs."""
        until = self.now + seconds
        while True:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            self._timers = [each for each in self._timers if not each.cancelled]
            due = min(
                (each for each in self._timers if each.at <= until), key=lambda one: one.at, default=None
            )
            if due is None:
                break
            self._timers.remove(due)
            self.now = due.at
            due.call()
        self.now = until
