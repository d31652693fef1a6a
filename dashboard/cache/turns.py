"""In which order kinds are listed for the first time: what somebody looks at first, what only stands beside it later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

AT_ONCE = 4
# A list that is not answered for so long does not hold up the others: it may be that the API server behind the API server
# is away.
HOLD_SECONDS = 1.0
LOOKED_AT, BESIDE, LAST = range(3)


@dataclass(eq=False)
class _List:
    urgency: Callable[[], int]
    go: asyncio.Event = field(default_factory=asyncio.Event)
    end: asyncio.TimerHandle | None = None


class Turns:
    """Turns for lists, so many at once. Of those that wait, the most urgent is next, else the one that came first; the
    least urgent ones wait until no other wants a turn.
    """

    def __init__(self, at_once: int = AT_ONCE, hold: float = HOLD_SECONDS) -> None:
        self._at_once = at_once
        self._hold = hold
        self._running: list[_List] = []
        self._waiting: list[_List] = []

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @asynccontextmanager
    async def turn(self, urgency: Callable[[], int]) -> AsyncIterator[Callable[[], None]]:
        """A turn for one list; what it gives is to be called whenever a piece of the list has come. ``urgency``
        (``LOOKED_AT``, ``BESIDE``, ``LAST``) is asked whenever one is chosen, as somebody may begin to look meanwhile.
        """
        one = _List(urgency)
        self._waiting.append(one)
        # Not at once: many kinds begin together, in any order, and the first to ask is not the most urgent.
        asyncio.get_running_loop().call_soon(self._choose)
        try:
            await one.go.wait()
            self._go_on(one)
            yield partial(self._go_on, one)
        finally:
            if one.end is not None:
                one.end.cancel()
            self._end(one)

    def _go_on(self, one: _List) -> None:
        if one.end is not None:
            one.end.cancel()
        one.end = asyncio.get_running_loop().call_later(self._hold, self._end, one)

    def _end(self, one: _List) -> None:
        """Twice does no harm."""
        for some in (self._waiting, self._running):
            if one in some:
                some.remove(one)
        self._choose()

    def _choose(self) -> None:
        while self._waiting and len(self._running) < self._at_once:
            one = min(self._waiting, key=lambda each: each.urgency())
            if one.urgency() == LAST and any(each.urgency() < LAST for each in self._running):
                return
            self._waiting.remove(one)
            self._running.append(one)
            one.go.set()
