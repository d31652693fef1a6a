"""Which moment an address asks for with ``?at=``, and which pages have one: the others say so, or refuse."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, QueryDict
from django.urls import reverse

from dashboard import showing
from dashboard.errors import BadInput, NotKept
from dashboard.live.screens.common import iso
from dashboard.live.screens.rewind import Moments

PAST_PAGES = frozenset({"overview", "list", "map"})  # and the tabs of an object that the cache alone tells
# What these show is not recorded: with a moment they show the present, and say so.
PRESENT_PAGES = frozenset(
    {
        "access",
        "capacity",
        "certificates",
        "field_kinds",
        "fields",
        "plugin",
        "recovery",
        "resilience",
        "search",
        "timeline",
    }
)
# What they do is done now: with a moment they refuse.
ACTING = frozenset({"action", "backup", "bulk", "create", "create_form", "drill", "restore", "reveal"})
LONGEST = 40
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


def moment_in(params: QueryDict, now: datetime) -> datetime | None:
    """The moment that an address asks for; None for the present. Raises BadInput for what is none, or is yet to come."""
    text = params.get("at")
    if text is None:
        return None
    said = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    if not _RFC3339.fullmatch(text):
        raise BadInput(f"at is {said!r}: enter a time such as 2026-11-28T09:42:00Z (RFC 3339).", field="at")
    try:
        at = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(f"at is {said!r}: there is no such time.", field="at") from error
    if at > now:
        raise BadInput(f"at is {said!r}: that is in the future.", field="at")
    return at


def refuse_the_past(request: HttpRequest) -> None:
    """Of a view that has no past. Raises NotKept where a moment is asked of what changes something, or of data for a
    script, which could not tell it from the present; BadInput for what is no moment.
    """
    name = request.resolver_match.url_name if request.resolver_match else None
    if "at" not in request.GET or showing.moment() is not None or name not in ACTING | PRESENT_PAGES:
        return
    moment_in(request.GET, datetime.now(UTC))
    if name in ACTING:
        raise NotKept("The past can't be changed.", next_step="What you do here is done now: leave out at.")
    if request.GET.get("format", "html") != "html":
        raise NotKept("This is not recorded: only the present is known.", next_step="Leave out at.")


def present_only(request: HttpRequest) -> dict[str, Any] | None:
    """What a page of the present says on top when asked for a moment: ``at``, and the ``url`` that leads back to it."""
    match = request.resolver_match
    if match is None or match.url_name not in PRESENT_PAGES:
        return None
    try:
        at = moment_in(request.GET, datetime.now(UTC))
    except BadInput:  # which is the page
        return None
    if at is None:
        return None
    kept = QueryDict(mutable=True)
    for key in ("namespace", "span"):
        if values := request.GET.getlist(key):
            kept.setlist(key, values)
    return {"at": iso(at), "url": Moments(reverse("overview", args=[match.kwargs["context"]]), kept).at(at)}
