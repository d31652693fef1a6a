"""Which entries somebody asks for: on the page, in a file, on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q, QuerySet

from dashboard.errors import BadInput
from dashboard.models import AuditEntry

MAX_LETTERS = 200  # of a filter
# What an entry can be narrowed by, each by all of its text: the query's key, and the column.
EXACT = {
    "user": "user_name",
    "action": "action",
    "cluster": "context",
    "kind": "plural",
    "namespace": "namespace",
    "name": "name",
    "result": "result",
}
TEXT = ("name", "user_name", "detail", "reason")
# Actions that change nothing in a cluster, by the group that they are in.
_NO_CHANGE = {
    "reveals": ("reveal",),
    "shells": ("shell",),
    "sign-ins": ("sign in", "sign out"),
    "audit": ("audit export", "audit verify"),
}
_OTHERS = tuple(action for actions in _NO_CHANGE.values() for action in actions)
GROUPS = ("changes", *_NO_CHANGE)
# What an address keeps from page to page.
KEPT = (*EXACT, "q", "what", "since", "until")
# The options of ``manage.py audit export``, with what they are for.
ASKED = {
    "user": "by this person",
    "action": "this action, such as scale",
    "cluster": "in this context",
    "kind": "on this kind, by its plural",
    "namespace": "in this namespace",
    "name": "on the object of this name",
    "result": "done, refused, failed or unknown",
    "q": "with this text in the object's name, the person, the words or the reason",
    "what": ", ".join(GROUPS),
}


def entries_matching(
    asked: Mapping[str, Any], *, since: datetime | None = None, until: datetime | None = None
) -> QuerySet[AuditEntry]:
    """The entries, in no order. Raises BadInput, which names the field."""
    entries: QuerySet[AuditEntry] = AuditEntry.objects.all()
    said = {key: str(asked.get(key) or "").strip() for key in ASKED}
    for key, text in said.items():
        if len(text) > MAX_LETTERS or "\0" in text:
            raise BadInput(f"{key} has {len(text)} characters: enter at most {MAX_LETTERS}.", field=key)
    if said["result"] and said["result"] not in AuditEntry.Result.values:
        raise BadInput(f"result is {said['result']!r}: use {ASKED['result']}.", field="result")
    if said["what"] and said["what"] not in GROUPS:
        raise BadInput(f"what is {said['what']!r}: use one of {ASKED['what']}.", field="what")
    for key, column in EXACT.items():
        if said[key]:
            entries = entries.filter(**{column: said[key]})
    if said["what"]:
        entries = entries.filter(_group(said["what"]))
    if said["q"]:
        part = Q()
        for column in TEXT:
            part |= Q(**{f"{column}__icontains": said["q"]})
        entries = entries.filter(part)
    if since is not None:
        entries = entries.filter(at__gte=since)
    return entries if until is None else entries.filter(at__lt=until)


def _group(what: str) -> Q:
    if what == "changes":
        return Q(result=AuditEntry.Result.DONE) & ~Q(action__in=_OTHERS)
    return Q(action__in=_NO_CHANGE[what])


def of_changes() -> Q:
    """What somebody reads of what others did, and each page of a cluster tells of all: entries that belong to a change.
    What was refused before anything was begun, a shell, a revealed value and a sign-in are told to who did it and to
    administrators: sign-ins in the audit alone, the others in the list of changes too.
    """
    return Q(change__isnull=False)


def of_clusters() -> Q:
    """Without what is done with the dashboard alone: sign-ins, and exports and checks of the audit."""
    return ~Q(action__in=(*_NO_CHANGE["sign-ins"], *_NO_CHANGE["audit"]))


def in_group(what: str, action: str, result: str) -> bool:
    """The same of one entry; every entry is in the group ""."""
    if what == "changes":
        return result == AuditEntry.Result.DONE and action not in _OTHERS
    return not what or action in _NO_CHANGE[what]


def read_moment(text: str, field: str) -> datetime:
    """A day or a time, in UTC where it says no offset. Raises BadInput."""
    try:
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(
            f"{field} is {text[:40]!r}: enter a day or a time, such as 2026-11-28 or 2026-11-28T14:30Z.",
            field=field,
        ) from error
