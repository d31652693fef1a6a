"""What somebody likes to see, kept for the next time and for every browser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .database import in_database
from .models import ColumnChoice

MAX_KINDS = 500  # with a choice of columns, of a person: the latest
MAX_COLUMNS = 200  # columns: what is more comes from no list of ours


@in_database
def columns_of(user: Any, plural: str) -> tuple[str, ...]:
    """The keys of the columns that were chosen for a kind; none: the usual ones."""
    found = ColumnChoice.objects.filter(user=user, plural=plural).values_list("columns", flat=True).first()
    return tuple(found or ())


@in_database
def columns_remember(user: Any, plural: str, columns: Sequence[str]) -> None:
    """Keeps a choice; an empty one is forgotten."""
    if columns:
        ColumnChoice.objects.update_or_create(
            user=user, plural=plural, defaults={"columns": list(columns)[:MAX_COLUMNS]}
        )
        kept = ColumnChoice.objects.filter(user=user).order_by("-pk").values_list("pk", flat=True)[:MAX_KINDS]
        ColumnChoice.objects.filter(user=user).exclude(pk__in=list(kept)).delete()
    else:
        ColumnChoice.objects.filter(user=user, plural=plural).delete()
