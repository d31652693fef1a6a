"""Who did what through the dashboard, newest first: ``/changes/``, and ``/audit/`` for those who know it by that name."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard.kinds import KINDS
from dashboard.kube.config import slug
from dashboard.models import AuditEntry, Change

from .chrome import page_chrome
from .errors import clear_errors

PAGE = 50
STATES = {
    AuditEntry.Result.DONE.value: "ok",
    AuditEntry.Result.REFUSED.value: "warn",
    AuditEntry.Result.FAILED.value: "bad",
    AuditEntry.Result.UNKNOWN.value: "warn",
}
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
async def audit(request: HttpRequest) -> HttpResponseBase:
    """Filters: ``user``, ``action``, ``namespace``, ``cluster``, ``result``, and ``q`` (a part of an object's name)."""
    page, choices = await sync_to_async(_page)(request.GET)
    chrome = await page_chrome(request, request.GET.get("from", ""), title="Changes made here")
    shown = {key: request.GET.get(key, "").strip() for key in KEPT}
    pager = {
        "total": page.paginator.count,
        "shown_from": page.start_index(),
        "shown_to": page.end_index(),
        "prev_url": _url(request.GET, page.previous_page_number()) if page.has_previous() else "",
        "next_url": _url(request.GET, page.next_page_number()) if page.has_next() else "",
    }
    context = {
        "entries": [_entry(entry) for entry in page.object_list],
        "pager": pager,
        "filter": shown,
        "filtered": any(shown.values()),
        "choices": choices,
        "path": request.path,
    }
    return render(request, "pages/changes.html", {"s": context, **chrome})


def _page(asked: QueryDict) -> tuple[Page[AuditEntry], dict[str, list[str]]]:
    """The entries of a page, and what there is to choose from."""
    entries: QuerySet[AuditEntry] = AuditEntry.objects.select_related("change", "change__undone_by")
    for key, column in EXACT.items():
        if value := asked.get(key, "").strip():
            entries = entries.filter(**{column: value})
    if part := asked.get("q", "").strip():
        entries = entries.filter(name__icontains=part)
    page = Paginator(entries.order_by("-at", "-pk"), PAGE).get_page(asked.get("page", "1"))
    page.object_list = list(page.object_list)
    choices = {key: _distinct(column) for key, column in EXACT.items()}
    return page, choices


def _distinct(column: str) -> list[str]:
    return [
        value
        for value in AuditEntry.objects.order_by(column).values_list(column, flat=True).distinct()
        if value
    ]


def _url(asked: QueryDict, number: int) -> str:
    query = asked.copy()
    query["page"] = str(number)
    return f"?{query.urlencode()}"


def _entry(entry: AuditEntry) -> dict[str, Any]:
    has_page = entry.plural in KINDS and entry.name
    return {
        "at": entry.at.isoformat().replace("+00:00", "Z"),
        "user": entry.user_name,
        "action": entry.action,
        "cluster": entry.context,
        "object": " ".join(
            part for part in (KINDS[entry.plural].kind if has_page else entry.plural, entry.name) if part
        ),
        "namespace": entry.namespace,
        "url": reverse("detail", args=[slug(entry.context), entry.plural, entry.namespace or "-", entry.name])
        if has_page
        else "",
        "detail": entry.detail,
        "result": entry.result,
        "state": STATES[entry.result],
        "change_url": reverse("change", args=[entry.change_id]) if entry.change_id else "",
        **_undo(entry.change),
    }


def _undo(change: Change | None) -> dict[str, str]:
    """The way back of a change that was made and has one, or by which change it was taken."""
    if change is None or change.state != Change.State.DONE:
        return {"undo_url": "", "undone_url": ""}
    if (later := getattr(change, "undone_by", None)) is not None:
        return {"undo_url": "", "undone_url": reverse("change", args=[later.pk])}
    return {"undo_url": reverse("undo", args=[change.pk]) if change.inverse else "", "undone_url": ""}
