"""Kubernetes' way of writing elapsed time. Pure: the caller brings the clock."""

from __future__ import annotations

import re
from datetime import datetime

# A Go time.Duration ends at 2**63 - 1 nanoseconds; anything older prints as this.
_LONGEST = 9_223_372_036


def human_duration(seconds: float) -> str:
    """Seconds as kubectl's AGE words: ``119s``, ``3h4m``, ``2d5h``, ``34d``, ``2y30d``.

    The rule is ``HumanDuration`` of k8s.io/apimachinery/pkg/util/duration: two or three significant figures,
    fractions cut off, one second of clock skew forgiven (``0s``), more of it is ``<invalid>``.
    """
    whole = min(int(seconds), _LONGEST)
    if whole < -1:
        return "<invalid>"
    if whole < 120:
        return f"{max(whole, 0)}s"
    minutes = whole // 60
    if minutes < 10:
        return _pair(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    hours = minutes // 60
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if days < 8:
        return _pair(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    years = days // 365
    return _pair(years, "y", days % 365, "d") if years < 8 else f"{years}y"


def _pair(big: int, big_unit: str, small: int, small_unit: str) -> str:
    return f"{big}{big_unit}{small}{small_unit}" if small else f"{big}{big_unit}"


def long_span(days: int) -> str:
    """Whole days in words, of two years and more in years: ``less than a day``, ``200 days``, ``99 years``."""
    if days == 0:
        return "less than a day"
    count, noun = (days, "day") if days < 730 else (days // 365, "year")
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def day_and_time(at: datetime) -> str:
    """``Tue 1 Dec 2026, 00:38 UTC``: what is looked for by its day, where no script puts it into the reader's words."""
    return f"{at:%a} {at.day} {at:%b %Y, %H:%M} UTC"


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "y": 365 * 86_400}
_PART = re.compile(r"(\d+)([smhdy])")
# Of a number of more digits no moment is so long ago.
_WORDS = re.compile(r"(?:\d{1,12}[smhdy]){1,2}")
_OLDEST = 1000 * _UNITS["y"]


def parse_duration(text: str) -> tuple[int, int] | None:
    """(seconds, those of its smallest unit) of such words: up to a unit more has gone by. None for other text."""
    if _WORDS.fullmatch(text) is None:
        return None
    parts = _PART.findall(text)
    seconds = sum(int(number) * _UNITS[unit] for number, unit in parts)
    return (seconds, _UNITS[parts[-1][1]]) if seconds <= _OLDEST else None
