"""The audit as a file: every entry that is asked for, in slices, with its place in the chain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

from dashboard.models import AuditEntry

from .chain import FACTS, moment

SLICE = 500
COLUMNS = ("id", *FACTS, "previous", "key", "hash")


def exported(row: dict[str, Any]) -> dict[str, Any]:
    """An entry in a file, and in a line of the log."""
    return {**row, "at": moment(row["at"])}


def entry_slices(
    entries: QuerySet[AuditEntry], *, newest_first: bool = False
) -> Iterator[list[dict[str, Any]]]:
    """The entries by slices, each a short question of its own: nobody waits for whoever reads slowly."""
    beyond, order = ("pk__lt", "-pk") if newest_first else ("pk__gt", "pk")
    rows, last = entries.order_by(order), None
    while found := list((rows if last is None else rows.filter(**{beyond: last})).values(*COLUMNS)[:SLICE]):
        last = found[-1]["id"]
        yield [exported(row) for row in found]
