"""What has been read of several logs and not been sent yet: merged by time, bounded, honest about what it let go.

Readers add whatever comes, without ever waiting; a sender takes a frame's worth when it can. When lines come faster
than they are taken, the oldest go, and a mark with their number stands where they were.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

LINES = 2_000  # as many as a browser keeps: more would only push each other out
BYTES = 1_048_576
FRAME_BYTES = 40_000  # some 400 lines: a browser shows them well within a twentieth of a second
MARKS = 100
ARRIVALS = 1_000  # moments at which lines came that are told apart
WINDOW_SECONDS = 0.2
_AROUND = 56  # bytes of a line in a frame besides its text: its time and the marks of JSON


@dataclass(slots=True)
class Line:
    """A line of one log. ``order`` is its time in nanoseconds, never before that of the line before it."""

    order: int
    source: int
    at: str
    text: bytes
    cut: bool = False

    @property
    def size(self) -> int:
        """About how many bytes it takes in a frame: quotation marks take two."""
        return len(self.text) + self.text.count(b'"') + self.text.count(b"\\") + _AROUND


@dataclass(slots=True)
class Mark:
    """Something to tell between the lines. ``kind``: start, end, again, gap, drop (``count`` lines not shown)."""

    order: int
    kind: str
    text: str = ""
    count: int = 0

    @property
    def size(self) -> int:
        return len(self.text) + _AROUND


class Backlog:
    """Bounded to so many lines and 1 MiB (twice that for a moment, between two calls)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = LINES) -> None:
        self._clock = clock
        self._most = most
        self._items: list[Line | Mark] = []
        self._bytes = 0
        self._lines = 0
        self._newest: deque[tuple[float, int]] = deque()  # when lines came, and the latest time among them
        self._settled = 0
        self._dropped = 0
        self._dropped_order = 0

    def __bool__(self) -> bool:
        return bool(self._items or self._dropped)

    def __len__(self) -> int:
        """Lines that wait."""
        return self._lines

    def add(self, lines: Sequence[Line | Mark]) -> None:
        """Lines of one log, in its order."""
        if not lines:
            return
        self._items += lines
        self._lines += sum(isinstance(line, Line) for line in lines)
        self._bytes += sum(line.size for line in lines)
        self._newest.append((self._clock(), max(line.order for line in lines)))
        if len(self._newest) > ARRIVALS:
            _, order = self._newest.popleft()
            at, next_order = self._newest[0]
            self._newest[0] = (at, max(order, next_order))
        if self._lines > 2 * self._most or self._bytes > 2 * BYTES:
            self._sort()
            self._drop()

    def take(self, *, window: float = WINDOW_SECONDS, frame: int = FRAME_BYTES) -> list[Line | Mark]:
        """The next frame's worth, the oldest first; what came within ``window`` seconds still waits for what other
        logs may have to put before it. 0: there is one log only."""
        self._sort()
        if self._lines > self._most or self._bytes > BYTES:
            self._drop()
            window = 0.0  # at this speed nothing would ever have waited long enough
        ready = self._ready(window)
        size = count = 0
        for item in self._items[:ready]:
            size += item.size
            if count and size > frame:
                break
            count += 1
        taken = self._remove(count)
        if self._dropped:
            taken.insert(0, Mark(self._dropped_order, "drop", count=self._dropped))
            self._dropped = 0
        return taken

    def _ready(self, window: float) -> int:
        """How many of the sorted items have waited long enough."""
        if window <= 0:
            self._newest.clear()
            if self._items:
                self._settled = max(self._settled, self._items[-1].order)
            return len(self._items)
        until = self._clock() - window
        while self._newest and self._newest[0][0] <= until:
            self._settled = max(self._settled, self._newest.popleft()[1])
        return bisect_right(self._items, self._settled, key=_order)

    def _sort(self) -> None:
        self._items.sort(key=_order)  # stable: lines of one log stay in their order

    def _drop(self) -> None:
        """Let the oldest lines go until the bounds are kept. Marks are few, and stay."""
        kept_marks: list[Line | Mark] = []
        gone = 0
        for item in self._items:
            if self._lines <= self._most and self._bytes <= BYTES:
                break
            gone += 1
            if isinstance(item, Mark):
                kept_marks.append(item)
                continue
            self._lines -= 1
            self._bytes -= item.size
            self._dropped += 1
            self._dropped_order = item.order
        self._bytes -= sum(mark.size for mark in kept_marks[:-MARKS])
        self._items[:gone] = kept_marks[-MARKS:]

    def _remove(self, count: int) -> list[Line | Mark]:
        taken = self._items[:count]
        del self._items[:count]
        self._lines -= sum(isinstance(item, Line) for item in taken)
        self._bytes -= sum(item.size for item in taken)
        return taken


def _order(item: Line | Mark) -> int:
    return item.order
