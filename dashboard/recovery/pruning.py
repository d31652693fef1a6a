"""Which archives go by rules such as ``last=7,daily=7,weekly=4``. Pure.

Those of one context and scope are kept together. A rule keeps the newest archive of each of so many periods; what no rule
keeps goes. One that was found damaged stands for no period, and the newest complete one always stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dashboard.errors import BadInput

from .storage import Stored

__all__ = ["Decided", "decide", "read_rules"]

MAX_COUNT = 10_000
# The period that a moment lies in, in UTC; of "last" each archive is one.
PERIODS: Mapping[str, Callable[[datetime], object]] = {
    "last": lambda at: at,
    "hourly": lambda at: (at.date(), at.hour),
    "daily": lambda at: at.date(),
    "weekly": lambda at: at.isocalendar()[:2],
    "monthly": lambda at: (at.year, at.month),
    "yearly": lambda at: at.year,
}


@dataclass(frozen=True, slots=True)
class Decided:
    """``reasons``: the rules that keep it; none: it goes."""

    archive: Stored
    reasons: tuple[str, ...]

    @property
    def goes(self) -> bool:
        return not self.reasons


def read_rules(texts: Iterable[str]) -> dict[str, int]:
    """``["last=7,daily=7"]`` → ``{"last": 7, "daily": 7}``. Raises BadInput."""
    rules: dict[str, int] = {}
    for part in (part.strip() for text in texts for part in text.split(",")):
        name, _, count = part.partition("=")
        if (
            name not in PERIODS
            or not count.isascii()
            or not count.isdigit()
            or not 0 < int(count[:9]) <= MAX_COUNT
        ):
            raise BadInput(
                f"{part!r} is not a valid rule.",
                next_step=f"Rules are such as last=7,daily=7,weekly=4; known are {', '.join(PERIODS)}.",
                field="keep",
            )
        rules[name] = int(count)
    if not rules:
        raise BadInput(
            "No retention rule was given.", next_step="Give --keep, such as last=7,daily=7.", field="keep"
        )
    return rules


def decide(
    archives: Iterable[Stored],
    rules: Mapping[str, int],
    *,
    damaged: Collection[str] = (),
    incomplete: Collection[str] = (),
) -> list[Decided]:
    """What becomes of each, the newest first. ``damaged`` and ``incomplete`` are names of archives known as that."""
    groups: dict[tuple[str, str], list[Stored]] = defaultdict(list)
    for each in archives:
        groups[each.slug, each.scope].append(each)
    found = [
        decided
        for group in groups.values()
        for decided in _decide(group, rules, set(damaged), set(incomplete))
    ]
    return sorted(found, key=lambda each: (each.archive.at, each.archive.name), reverse=True)


def _decide(
    group: Sequence[Stored], rules: Mapping[str, int], damaged: set[str], incomplete: set[str]
) -> list[Decided]:
    newest_first = sorted(group, key=lambda each: (each.at, each.name), reverse=True)
    whole = [each for each in newest_first if each.name not in damaged]
    if not whole:  # nothing better is there: perhaps somebody can still save something of them
        return [Decided(each, ("no other is whole",)) for each in newest_first]
    reasons: dict[str, list[str]] = defaultdict(list)
    for rule, count in rules.items():
        seen: dict[object, Stored] = {}
        for each in whole:
            seen.setdefault((PERIODS[rule](each.at), each.name if rule == "last" else ""), each)
        for number, each in enumerate(list(seen.values())[:count], 1):
            reasons[each.name].append(f"{rule} {number} of {count}")
    complete = next((each for each in whole if each.name not in incomplete), None)
    if complete is not None and not reasons[complete.name]:
        reasons[complete.name].append("the newest complete one")
    return [Decided(each, tuple(reasons[each.name])) for each in newest_first]
