"""What happened between two moments, as marks on a line: what was changed, what was rolled out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.db.models import Q

from dashboard.kinds.images import short_image
from dashboard.models import TimelineEvent

from .access import Visible
from .problemspans import Wrong
from .timeline import of_kinds

MAX_MARKS = 400  # of the newest; a line of a thousand pixels shows no more
WITH_TEMPLATES = frozenset({"deployments", "statefulsets", "daemonsets"})
TAIL = timedelta(minutes=1)  # what is being recorded is written a little later
RESTARTED_AT = "spec.template.metadata.annotations[kubectl.kubernetes.io/restartedAt]"
Sort = Literal["change", "deployment", "problem", "resolved"]


@dataclass(frozen=True)
class Mark:
    """Something that happened to an object; ``words``: what, such as ``scaled from 2 to 3``."""

    at: datetime
    sort: Sort
    plural: str
    namespace: str
    name: str
    words: str


def marks_read(context: str, since: datetime, until: datetime, visible: Mapping[str, Visible]) -> list[Mark]:
    """What somebody asked for, of what may be seen, oldest first; not what controllers and kubelets
    report all the time.
    """
    rows = TimelineEvent.objects.filter(context=context, notable=True, at__gt=since, at__lte=until)
    rows = (
        rows.filter(type__in=("added", "changed", "deleted"))
        .exclude(by_controllers())
        .filter(of_kinds(visible))
    )
    return [_mark(row) for row in reversed(rows.order_by("-at")[:MAX_MARKS])]


def by_controllers() -> Q:
    """Changes of what belongs to something else: nobody asked for them but its controllers."""
    return Q(type=TimelineEvent.Type.CHANGED) & ~Q(owner_plural="")


def problem_marks(wrong: Sequence[Wrong], since: datetime, until: datetime) -> list[Mark]:
    """When problems began and when they were resolved, within a span."""
    found = []
    for each in wrong:
        about = each.plural, each.namespace, each.name
        if since <= each.since <= until:
            found.append(Mark(each.since, "problem", *about, each.text or "has a problem"))
        if each.until is not None and since <= each.until <= until:
            found.append(Mark(each.until, "resolved", *about, "is well again"))
    return found


def _mark(row: TimelineEvent) -> Mark:
    fields = row.what.get("fields", ())
    rolled = row.plural in WITH_TEMPLATES and any(path.startswith("spec.template") for path, *_ in fields)
    words = {"added": "created", "deleted": "deleted"}.get(row.type) or change_words(fields)
    return Mark(
        row.at, "deployment" if rolled else "change", row.plural, row.namespace, row.name, words
    )  # fmt: skip


def named_change(fields: Sequence[Sequence[str]]) -> str:
    """What one calls a change, such as ``scaled from 2 to 3``; "" for one without a name of its own. Each field is its
    path and its value before and after.
    """
    for path, before, after in fields:
        if path == "spec.replicas":
            return f"scaled from {before or 1} to {after or 1}"
        if path.endswith(".image") and after:
            return f"updated to {short_image(after)}"
        if path == RESTARTED_AT:
            return "restarted"
    return ""


def change_words(fields: Sequence[Sequence[str]]) -> str:
    """What was changed, as one says it, of fields as :func:`named_change` takes them."""
    if named := named_change(fields):
        return named
    if any(path.startswith("spec.template") for path, _, _ in fields):
        return "rolled out"
    if not fields:
        return "changed"
    more = f" and {len(fields) - 1} more" if len(fields) > 1 else ""
    return f"changed: {fields[0][0]}{more}"
