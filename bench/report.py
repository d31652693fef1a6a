"""What a figure found, as Markdown: tables with medians and ranges, and in each the yardstick of the same run."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


def spread(samples: Iterable[float], unit: str, digits: int = 0) -> str:
    """The median, and in parentheses the least and the greatest: "37 ms (35–41)". Of a single sample just that."""
    found = sorted(samples)
    middle = f"{statistics.median(found):,.{digits}f} {unit}"
    if len(found) == 1:
        return middle
    return f"{middle} ({found[0]:,.{digits}f}–{found[-1]:,.{digits}f})"


def percentile(samples: Iterable[float], percent: float) -> float:
    """The least sample that is not below so many percent of them."""
    found = sorted(samples)
    return found[min(len(found) - 1, int(len(found) * percent / 100))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """``yardstick`` is the head of the column, or the first cell of the row, that the others are compared with."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    yardstick: str

    def __post_init__(self) -> None:
        if self.yardstick not in (*self.columns, *(row[0] for row in self.rows)):
            raise ValueError(f"no row and no column is the yardstick {self.yardstick!r}")
        if odd := [row for row in self.rows if len(row) != len(self.columns)]:
            raise ValueError(f"rows that do not fit below {self.columns}: {odd}")

    def __str__(self) -> str:
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@dataclass(frozen=True, slots=True)
class Report:
    """``title`` says what was measured and how often; ``notes`` are sentences that belong below the tables."""

    title: str
    tables: Sequence[Table]
    notes: Sequence[str] = field(default=())

    def __str__(self) -> str:
        return "\n\n".join((f"**{self.title}**", *map(str, self.tables), *self.notes))
