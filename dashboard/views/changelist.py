"""Who changed what through the dashboard, newest first, with undo: ``/changes/``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard.actions.bulk import BULK
from dashboard.actions.records import entry_words
from dashboard.actions.registry import change_title, name_words
from dashboard.admins import is_admin, is_administrator
from dashboard.audit.selecting import of_changes, of_clusters
from dashboard.clusters.rules import past_of_contexts
from dashboard.database import in_database
from dashboard.errors import ClusterError, NotSignedIn
from dashboard.kinds import KINDS
from dashboard.kinds.rows import plural
from dashboard.kube.config import slug
from dashboard.live.acting import OF_A_CLUSTER, SHARED, modes_of_contexts
from dashboard.live.runtime import runtime
from dashboard.live.screens.change import may_read, what
from dashboard.live.session import Session
from dashboard.models import AuditEntry, Change
from dashboard.queries.timeline import of_kinds

from .audit import CHANGE_FACTS, STATES, audit_export, with_words
from .chrome import page_chrome
from .errors import clear_errors
from .sending import Allowance, still_listed
from .viewer import known_somewhere, session_in

PAGE = 50
# What an entry can be narrowed by: the query's key, and the column.
EXACT = {
    "user": "user_name",
    "action": "action",
    "namespace": "namespace",
    "cluster": "context",
    "result": "result",
}
KEPT = (*EXACT, "q")


@require_safe
@clear_errors
async def changes(request: HttpRequest) -> HttpResponseBase:
    """Filters: ``user``, ``action``, ``namespace``, ``cluster``, ``result``, and ``q`` (a part of an object's name).
    ``format=csv`` and ``format=json`` are all entries that match.
    """
    await known_somewhere(request)
    sessions = await _sessions(request)
    admin = await is_admin(request)
    mine = await told_to((await request.auser()).get_username(), sessions, admin) & of_clusters()
    if (form := request.GET.get("format", "html")) != "html":
        entries = _matching(request.GET, mine)
        return await audit_export(request, form, entries, _still(sessions, admin=admin), CHANGE_FACTS)
    page, choices = await in_database(_page)(request.GET, mine)
    chrome = await page_chrome(request, request.GET.get("from", ""), title="Changes made here")
    shown = {key: request.GET.get(key, "").strip() for key in KEPT}
    pager = {
        "total": page.paginator.count,
        "shown_from": page.start_index(),
        "shown_to": page.end_index(),
        "prev_url": _url(request.GET, page.previous_page_number()) if page.has_previous() else "",
        "next_url": _url(request.GET, page.next_page_number()) if page.has_next() else "",
    }
    told = await _told(page.object_list, sessions)
    context = {
        "entries": [_entry(entry) | told.get(entry.pk, {}) for entry in page.object_list],
        "pager": pager,
        "filter": shown,
        "filtered": any(shown.values()),
        "choices": choices,
        "exports": {form: _export_url(request.GET, form) for form in ("csv", "json")},
        "path": request.path,
    }
    return render(request, "pages/changes.html", {"s": context, **chrome})


def _still(sessions: Mapping[str, Session], *, admin: bool) -> Allowance:
    """That everything may be listed still by which entries of others were chosen (``told_to``)."""
    asked = [
        still_listed(each.cluster.cluster.slug, each.visible)
        for each in sessions.values()
        if each.identity.acting is not None and each.visible  # what is the installation's is told to all
    ]

    async def may(user: User, session: SessionBase) -> bool:
        if admin and not await is_administrator(user.get_username(), session):
            return False
        return all([await each(user, session) for each in asked])

    return may


async def _sessions(request: HttpRequest) -> dict[str, Session]:
    """In the clusters that are open anyway, by name."""
    found = {}
    for cluster in runtime.opened():
        with suppress(ClusterError):  # nobody there
            found[cluster.cluster.name] = await session_in(request, cluster)
    return found


async def told_to(user: str, sessions: Mapping[str, Session], admin: bool) -> Q:
    """Which entries somebody may read: what they did themselves, and which changes were made to objects that they may
    list now. What others did besides administrators alone read, here as in the audit.
    """
    others = await _of_others(user, sessions, admin)
    return Q(user_name=user) | (others if admin else others & of_changes())


async def _of_others(user: str, sessions: Mapping[str, Session], admin: bool) -> Q:
    """What was done in contexts where everybody acts as the installation is told to all, also where no cluster can be
    asked; what was done in none, to all where that is so everywhere, else to administrators. Of a context in which people
    acted as themselves until it was removed, nothing from before that is told by what one of its name shares now.
    """
    modes = modes_of_contexts()
    rest = settings.CLUSTER_UI_ACT_AS[""]
    if user.startswith(OF_A_CLUSTER):  # whom one cluster alone knows
        modes, rest = {}, ""
    shared = [name for name, mode in modes.items() if mode == SHARED]
    own = [name for name, mode in modes.items() if mode != SHARED]
    since = Q()
    for name, until in past_of_contexts().items():
        since &= ~Q(context=name, at__lte=until)
    told = Q(context__in=shared) & since
    if rest == SHARED:
        if not own and not since:
            return ~Q(pk__in=[])
        told |= ~Q(context__in=["", *own]) & since
    if admin:
        told |= Q(context="")
    for name, session in sessions.items():
        plurals = await in_database(_plurals_in)(name)
        with suppress(NotSignedIn):  # any more
            visible = await session.review(plurals & session.cluster.kinds.keys())
            as_themselves = session.identity.acting is not None
            told |= Q(context=name) & of_kinds(visible) & (Q() if as_themselves else since)
    return told


def _plurals_in(context: str) -> frozenset[str]:
    entries = AuditEntry.objects.filter(context=context).order_by("plural")
    return frozenset(entries.values_list("plural", flat=True).distinct())


async def _told(entries: Iterable[AuditEntry], opened: Mapping[str, Session]) -> dict[int, dict[str, str]]:
    """What edits did with their short values, for whoever may read the object now, in clusters that are open anyway."""
    asked = [
        (entry.pk, entry.change, opened[entry.context])
        for entry in entries
        if entry.change is not None
        and entry.result == AuditEntry.Result.DONE
        and "values" in entry.change.result
        and entry.context in opened
    ]
    may = await asyncio.gather(*(may_read(session, change) for _, change, session in asked))
    return {
        pk: {"detail": entry_words(change, what(change, with_values=True))}
        for (pk, change, _), yes in zip(asked, may, strict=True)
        if yes
    }


def _page(asked: QueryDict, told: Q) -> tuple[Page[AuditEntry], dict[str, list[tuple[str, str]]]]:
    """The entries of a page, of those that are ``told``, and what there is to choose from."""
    every = AuditEntry.objects.filter(told)
    entries = _matching(asked, told).select_related("change", "change__undone_by")
    page = Paginator(entries.order_by("-at", "-pk"), PAGE).get_page(asked.get("page", "1"))
    page.object_list = list(page.object_list)
    return page, {key: with_words(key, _distinct(every, column)) for key, column in EXACT.items()}


def _matching(asked: QueryDict, told: Q) -> QuerySet[AuditEntry]:
    entries: QuerySet[AuditEntry] = AuditEntry.objects.filter(told)
    for key, column in EXACT.items():
        if value := asked.get(key, "").strip():
            entries = entries.filter(**{column: value})
    if part := asked.get("q", "").strip():
        entries = entries.filter(name__icontains=part)
    return entries


def _export_url(asked: QueryDict, form: str) -> str:
    query = asked.copy()
    query.pop("page", None)
    query["format"] = form
    return f"?{query.urlencode()}"


def _distinct(entries: QuerySet[AuditEntry], column: str) -> list[str]:
    return [value for value in entries.order_by(column).values_list(column, flat=True).distinct() if value]


def _url(asked: QueryDict, number: int) -> str:
    query = asked.copy()
    query["page"] = str(number)
    return f"?{query.urlencode()}"


def _entry(entry: AuditEntry) -> dict[str, Any]:
    has_page = bool(entry.plural and entry.name and (entry.plural in KINDS or entry.change))
    kind = KINDS[entry.plural].kind if entry.plural in KINDS else entry.change.kind if entry.change else ""
    change = entry.change
    # A drain also has an entry for each pod that it evicts: what is undone is the drain, so its own entry offers that.
    own = change is not None and (entry.plural, entry.namespace, entry.name) == (
        change.plural,
        change.namespace,
        change.name,
    )
    many = own and change is not None and change.action.startswith(BULK)
    return {
        "at": entry.at.isoformat().replace("+00:00", "Z"),
        "user": entry.user_name,
        "action": change_title(change) if change is not None and own else name_words(entry.action),
        "cluster": entry.context,
        "object": _chosen(change)
        if many
        else " ".join(part for part in (kind or entry.plural, entry.name) if part),
        "namespace": "" if many else entry.namespace,
        "url": reverse("detail", args=[slug(entry.context), entry.plural, entry.namespace or "-", entry.name])
        if has_page
        else "",
        "detail": entry.detail,
        "reason": entry.reason,
        "result": entry.result,
        "state": STATES[entry.result],
        "change_url": reverse("change", args=[entry.change_id]) if entry.change_id else "",
        **_undo(change if own else None),
    }


def _chosen(change: Change | None) -> str:
    """The objects of a change of many, which has no name."""
    if change is None:
        return ""
    counted = plural(
        change.result.get("count", 0), change.kind, change.result.get("kinds") or f"{change.kind}s"
    )
    return f"{counted} in {change.namespace}" if change.namespace else counted


def _undo(change: Change | None) -> dict[str, str]:
    """The way back of a change that was made and has one, or by which change it was taken."""
    if change is None or change.state != Change.State.DONE:
        return {"undo_url": "", "undone_url": ""}
    if (later := getattr(change, "undone_by", None)) is not None:
        return {"undo_url": "", "undone_url": reverse("change", args=[later.pk])}
    undone = change.inverse or change.action.startswith(BULK)  # of many, the form says what can be
    return {"undo_url": reverse("undo", args=[change.pk]) if undone else "", "undone_url": ""}
