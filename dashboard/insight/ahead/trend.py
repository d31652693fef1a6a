"""When something that grows is full: a line through its history, and how far that can be wrong.

Least squares. Figures of successive hours are alike, so the slope's standard error is widened by how alike the residuals
are (the first-order autocorrelation r: √((1 + r) / (1 - r)); Santer et al. 2000). The limit is met between the dates of
the steepest and the flattest slope that 9 of 10 such histories would have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

DAY, HOUR = 86400.0, 3600.0
LEAST_SECONDS, LEAST_POINTS = 12 * HOUR, 10  # of history, before anything is said
HORIZON = 90 * DAY  # what is farther away is not told in days
NINE_OF_TEN = 1.645  # standard errors to each side

Point = tuple[float, float]  # Unix time in seconds, value


@dataclass(frozen=True, slots=True)
class Forecast:
    """``words`` finish "full …" or "used up …". ``early`` and ``late`` are seconds from the newest figure on; ``late``
    None: perhaps never. ``per_day`` is the slope, ``span`` how many seconds the history covers.
    """

    state: Literal["full", "grows", "steady", "unknown"]
    words: str
    early: float | None = None
    late: float | None = None
    per_day: float = 0.0
    span: float = 0.0


def forecast(points: Sequence[Point], limit: float) -> Forecast:
    """When the values meet the limit, from their history, the oldest first."""
    span = points[-1][0] - points[0][0] if points else 0.0
    if points and points[-1][1] >= limit:
        return Forecast("full", "now", 0.0, 0.0, span=span)
    if span < LEAST_SECONDS or len(points) < LEAST_POINTS:
        return Forecast("unknown", "not enough history yet", span=span)
    slope, error, newest = _line(points)
    per_day = slope * DAY
    steep, flat = slope + NINE_OF_TEN * error, slope - NINE_OF_TEN * error
    left = limit - newest
    if left <= 0:
        return Forecast("grows", "any hour now", 0.0, HOUR, per_day, span)
    early = left / steep if steep > 0 else math.inf
    if early > HORIZON or slope <= 0:
        words = (
            f"not within {round(HORIZON / DAY)} days" if slope > 0 else "not as it is going: it does not grow"
        )
        return Forecast("steady", words, per_day=per_day, span=span)
    late = left / flat if flat > 0 else math.inf
    known = late <= HORIZON
    return Forecast(
        "grows", _words(early, late if known else None), early, late if known else None, per_day, span
    )


def _words(early: float, late: float | None) -> str:
    """ "in about 3 to 9 days"."""
    unit, word = (HOUR, "hour") if (late or early) < 2 * DAY else (DAY, "day")
    first = max(1, round(early / unit))
    if late is None:
        return f"in {_counted(first, word)} at the earliest, perhaps much later"
    last = max(first, round(late / unit))
    return (
        f"in about {_counted(first, word)}"
        if first == last
        else f"in about {first} to {_counted(last, word)}"
    )


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _line(points: Sequence[Point]) -> tuple[float, float, float]:
    """The slope a second, its standard error, and the line's value at the newest point."""
    count = len(points)
    middle = sum(at for at, _ in points) / count
    mean = sum(value for _, value in points) / count
    spread = sum((at - middle) ** 2 for at, _ in points)
    slope = sum((at - middle) * (value - mean) for at, value in points) / spread
    rest = [value - mean - slope * (at - middle) for at, value in points]
    squares = sum(one * one for one in rest)
    alike = sum(one * other for one, other in pairwise(rest)) / squares if squares else 0.0
    widened = math.sqrt((1 + min(0.95, max(0.0, alike))) / (1 - min(0.95, max(0.0, alike))))
    error = math.sqrt(squares / (count - 2) / spread) * widened
    return slope, error, mean + slope * (points[-1][0] - middle)
