"""What somebody likes to see, kept for the next time and for every browser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asgiref.sync import sync_to_async

from .models import ColumnChoice

MOST = 200  # columns: what is more comes from no list of ours


@sync_to_async
def columns_of(user: Any, plural: str) -> tuple[str, ...]:
    """The keys of the columns that were chosen for a kind; none: the usual ones."""
    found = ColumnChoice.objects.filter(user=user, plural=plural).values_list("columns", flat=True).first()
    return tuple(found or ())


@sync_to_async
def columns_remember(user: Any, plural: str, columns: Sequence[str]) -> None:
    """Keeps a choice; an empty one is forgotten."""
    if columns:
        ColumnChoice.objects.update_or_create(
            user=user, plural=plural, defaults={"columns": list(columns)[:MOST]}
        )
    else:
        ColumnChoice.objects.filter(user=user, plural=plural).delete()
