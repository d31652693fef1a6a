"""The audit as a file: every entry that is asked for, in slices, with its place in the chain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

from dashboard.models import AuditEntry

from .chain import FACTS, moment

SLICE = 500
WINDOW = 5_000  # entries that one question looks at
COLUMNS = ("id", *FACTS, "previous", "key", "hash")


def exported(row: dict[str, Any]) -> dict[str, Any]:
    """An entry in a file, and in a line of the log."""
    return {**row, "at": moment(row["at"])}


def entry_slices(
    entries: QuerySet[AuditEntry], *, newest_first: bool = False, before: int | None = None
) -> Iterator[list[dict[str, Any]]]:
    """The entries (``before``: older than this one) in slices, each of which is one short question: it looks at so many
    entries, however few of them match, so nothing waits for who reads slowly, or asks for what is rare. Some are empty.
    """
    first, last = _end("pk"), _end("-pk") if before is None else before - 1
    while first is not None and last is not None and first <= last:
        low, high = (
            (max(first, last - WINDOW + 1), last) if newest_first else (first, min(last, first + WINDOW - 1))
        )
        rows = entries.filter(pk__gte=low, pk__lte=high).order_by("-pk" if newest_first else "pk")
        found = list(rows.values(*COLUMNS)[:SLICE])
        end = found[-1]["id"] if len(found) == SLICE else low if newest_first else high
        first, last = (first, end - 1) if newest_first else (end + 1, last)
        yield [exported(row) for row in found]


def _end(order: str) -> int | None:
    return AuditEntry.objects.order_by(order).values_list("pk", flat=True).first()
