"""Rows that fit, in order: what somebody looks at. One is made in slices, so that nobody else waits, and then kept up to
date row by row.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from dashboard.kinds.base import Row
from dashboard.loop import Breath

Place = tuple[Any, ...]  # what a row is ordered by; different for different objects
Change = tuple[Row | None, Row | None]  # what a row was, and is
ROWS = 250  # filtered, sorted or merged at a time: a few milliseconds


class Backwards:
    """A sort key that sorts the other way round."""

    __slots__ = ("key",)

    def __init__(self, key: Any) -> None:
        self.key = key

    def __lt__(self, other: Backwards) -> bool:
        return bool(other.key < self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Backwards) and bool(self.key == other.key)


@dataclass(frozen=True)
class Selecting:
    """Which rows, and in which order. ``name`` says both, so that equal names are equal selections."""

    name: Hashable
    fits: Callable[[Row], bool]
    key: Callable[[Row], Any]
    reverse: bool = False


class Selection:
    """The rows of a kind that fit, in order, and how many of them are in each state. Equal keys stand by namespace and
    name, whichever way the keys go.
    """

    def __init__(self, selecting: Selecting, rows: Iterable[Row]) -> None:
        self.selecting = selecting
        self._fits = selecting.fits
        self._key = selecting.key
        self._reverse = selecting.reverse
        self.asked_at = 0.0
        self.rows = sorted(filter(self._fits, rows), key=self._place)
        self.states: Counter[str] = Counter(row.state for row in self.rows)

    def _place(self, row: Row) -> Place:
        key = self._key(row)
        return (Backwards(key) if self._reverse else key), row.namespace, row.name

    def change(self, old: Row | None, new: Row | None) -> None:
        if old is not None and self._fits(old):
            self.states[old.state] -= 1
            at = bisect_left(self.rows, self._place(old), key=self._place)
            if at < len(self.rows) and self.rows[at] is old:
                del self.rows[at]
            else:  # by keys that cannot be compared, such as text and numbers of a custom kind's column
                self.rows = [row for row in self.rows if row is not old]
        if new is not None and self._fits(new):
            self.states[new.state] += 1
            self.rows.insert(bisect_left(self.rows, self._place(new), key=self._place), new)


async def made_in_slices(selecting: Selecting, rows: Sequence[Row], changes: deque[Change]) -> Selection:
    """The selection of ``rows``, with the ``changes`` that come in meanwhile: none is left when it is there."""
    breath = Breath()
    made = Selection(selecting, ())
    pieces = []
    for at in range(0, len(rows), ROWS):
        pieces.append(Selection(selecting, rows[at : at + ROWS]).rows)
        await breath.take()
    merging = heapq.merge(*pieces, key=made._place)
    while piece := list(islice(merging, ROWS)):
        made.rows += piece
        made.states.update(row.state for row in piece)
        await breath.take()
    while changes:
        made.change(*changes.popleft())
        if changes:
            await breath.take()
    return made
