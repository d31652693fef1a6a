"""An hour of measures in memory: series of floats on one common clock, bounded in length and in number.

A series costs 4 bytes a value, so 1.9 kB for the 240 samples of a pod's CPU and memory, and what Python needs for an
array (80 bytes) and a dictionary's entry.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

SAMPLES = 240
KEEP_SECONDS = 3600.0
Point = tuple[float, tuple[float | None, ...]]  # Unix time in seconds; values, None where not measured


class _Series:
    """Values of the samples from number ``first`` to number ``last``."""

    __slots__ = ("first", "last", "values")

    def __init__(self, first: int) -> None:
        self.first = first
        self.last = first - 1
        self.values = array("f")


class Clock:
    """The moments of the latest samples, numbered from 0 on for ever."""

    def __init__(self, samples: int = SAMPLES, keep: float = KEEP_SECONDS) -> None:
        self.samples = samples
        self._keep = keep
        self.count = 0
        self._at = array("d")

    def tick(self, at: float) -> None:
        self._at.append(at)
        self.count += 1
        del self._at[: -self.samples]
        while self._at[0] < at - self._keep:  # after a pause: what was before it is no part of the hour
            del self._at[0]

    @property
    def first(self) -> int:
        """The number of the oldest moment that is still known."""
        return self.count - len(self._at)

    def at(self, number: int) -> float:
        return self._at[number - self.first]

    @property
    def since(self) -> float | None:
        """The oldest moment."""
        return self._at[0] if self._at else None


def _as_it_is(values: Any) -> Sequence[float]:
    found: Sequence[float] = values
    return found


class Rings(Generic[K]):
    """Series of ``width`` values a sample, at most ``limit`` of them.

    When there are more, those that have ended make way, the one that ended first before the others; while none has,
    newcomers are not kept. ``full`` tells of that.
    """

    def __init__(self, clock: Clock, width: int, limit: int) -> None:
        self._clock = clock
        self._width = width
        self._limit = limit
        self._series: dict[K, _Series] = {}
        self.full = False

    def put(self, samples: Mapping[K, T], values_of: Callable[[T], Sequence[float]] = _as_it_is) -> None:
        """What belongs to the clock's latest tick; NaN for what was not measured. ``values_of`` is asked only of what is
        kept.
        """
        number = self._clock.count - 1
        self._make_room(samples)
        self.full = False
        most = self._clock.samples * self._width
        for key, sample in samples.items():
            series = self._series.get(key)
            if series is None:
                if len(self._series) >= self._limit:
                    self.full = True
                    continue
                series = self._series[key] = _Series(number)
            elif series.last != number - 1:
                self._fill(series, number)
            series.values.extend(values_of(sample))
            series.last = number
            if len(series.values) > most:
                del series.values[:-most]
                series.first = number - self._clock.samples + 1

    def points(self, key: K) -> list[Point]:
        """The samples of a key, oldest first, from its first to its last one within the clock's time."""
        series = self._series.get(key)
        if series is None:
            return []
        width, first = self._width, max(series.first, self._clock.first)
        found: list[Point] = []
        for number in range(first, series.last + 1):
            start = (number - series.first) * width
            values = series.values[start : start + width]
            found.append((self._clock.at(number), tuple(None if math.isnan(one) else one for one in values)))
        return found

    def keys(self) -> Sequence[K]:
        return tuple(self._series)

    @property
    def size_bytes(self) -> int:
        """What the values take, without Python's own."""
        return sum(series.values.buffer_info()[1] * 4 for series in self._series.values())

    def _fill(self, series: _Series, number: int) -> None:
        """Gaps for the samples that a series was not in; after too many, it begins anew."""
        missed = number - 1 - series.last
        if missed >= self._clock.samples:
            series.first, series.values = number, array("f")
        else:
            series.values.extend([math.nan] * (missed * self._width))

    def _make_room(self, samples: Mapping[K, Any]) -> None:
        oldest = self._clock.first
        for key in [key for key, series in self._series.items() if series.last < oldest]:
            del self._series[key]
        wanted = len(self._series) + sum(key not in self._series for key in samples) - self._limit
        if wanted > 0:
            ended = sorted(
                (series.last, at, key)
                for at, (key, series) in enumerate(self._series.items())
                if key not in samples
            )
            for _, _, key in ended[:wanted]:
                del self._series[key]


def summed(series: Sequence[Sequence[Point]]) -> list[Point]:
    """The sums of several series at each moment; a moment at which one was not measured counts what was."""
    sums: dict[float, list[float | None]] = {}
    for points in series:
        for at, values in points:
            total = sums.setdefault(at, [None] * len(values))
            for place, value in enumerate(values):
                if value is not None:
                    total[place] = (total[place] or 0.0) + value
    return [(at, tuple(values)) for at, values in sorted(sums.items())]
