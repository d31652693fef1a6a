"""Rows that fit, in order: what somebody looks at. One is made in slices, so that nobody else waits, and then kept up to
date row by row.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
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


# Those of some rows that fit, in their order. All at once: a call for each row would cost more than the look at it.
Narrow = Callable[[Sequence[Row]], list[Row]]


@dataclass(frozen=True, kw_only=True)
class Selecting:
    """Which rows (``narrow``; None: all of them), and in which order. Selections whose ``within``, ``what`` and ``order``
    are equal are equal; those of equal ``order`` have their rows in the same one. ``within``: the namespaces that may be
    seen; None: all. ``what`` None: every row of them.
    """

    what: Hashable = None
    order: Hashable
    narrow: Narrow | None = None
    key: Callable[[Row], Any]
    reverse: bool = False
    within: frozenset[str] | None = None

    @property
    def name(self) -> Hashable:
        return self.within, self.what, self.order

    @property
    def wider(self) -> Iterable[Hashable]:
        """The names of selections that have these rows among theirs in this order, the narrowest first."""
        names: list[Hashable] = [(self.within, None, self.order), (None, None, self.order)]
        return (name for name in names if name != self.name)

    def of(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Those of the rows that fit."""
        if (within := self.within) is not None:
            rows = [row for row in rows if row.namespace in within]
        return self.narrow(rows) if self.narrow is not None else rows


class Selection:
    """The rows of a kind that fit, in order, and how many of them are in each state. Equal keys stand by namespace and
    name, whichever way the keys go. ``in_order``: the given rows are already.
    """

    def __init__(self, selecting: Selecting, rows: Sequence[Row], *, in_order: bool = False) -> None:
        self.selecting = selecting
        self._key = selecting.key
        self._reverse = selecting.reverse
        self.asked_at = 0.0
        fitting = selecting.of(rows)
        self.rows = list(fitting) if in_order else sorted(fitting, key=self._place)
        self.states: Counter[str] = Counter([row.state for row in self.rows])

    def _fits(self, row: Row) -> bool:
        return bool(self.selecting.of((row,)))

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


async def made_in_slices(
    selecting: Selecting, rows: Sequence[Row], changes: deque[Change], *, in_order: bool = False
) -> Selection:
    """The selection of ``rows``, with the ``changes`` that come in meanwhile: none is left when it is there."""
    breath = Breath()
    made = Selection(selecting, ())
    pieces = []
    for at in range(0, len(rows), ROWS):
        pieces.append(Selection(selecting, rows[at : at + ROWS], in_order=in_order).rows)
        await breath.take()
    merging = chain.from_iterable(pieces) if in_order else heapq.merge(*pieces, key=made._place)
    while piece := list(islice(merging, ROWS)):
        made.rows += piece
        made.states.update([row.state for row in piece])
        await breath.take()
    while changes:
        made.change(*changes.popleft())
        if changes:
            await breath.take()
    return made
