"""Who did what through the dashboard, newest first."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.core.paginator import Page, Paginator
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard.kinds import KINDS
from dashboard.kube.config import slug
from dashboard.models import AuditEntry

from .chrome import page_chrome
from .errors import clear_errors

PAGE = 50
STATES = {
    AuditEntry.Result.DONE.value: "ok",
    AuditEntry.Result.REFUSED.value: "warn",
    AuditEntry.Result.FAILED.value: "bad",
}


@require_safe
@clear_errors
async def audit(request: HttpRequest) -> HttpResponseBase:
    page = await sync_to_async(_page)(request.GET.get("page", "1"))
    chrome = await page_chrome(request, request.GET.get("from", ""), title="Changes made here")
    entries = [_entry(entry) for entry in page.object_list]
    pager = {
        "total": page.paginator.count,
        "shown_from": page.start_index(),
        "shown_to": page.end_index(),
        "prev_url": f"?page={page.previous_page_number()}" if page.has_previous() else "",
        "next_url": f"?page={page.next_page_number()}" if page.has_next() else "",
    }
    return render(request, "pages/audit.html", {"s": {"entries": entries, "pager": pager}, **chrome})


def _page(number: str) -> Page[AuditEntry]:
    page = Paginator(AuditEntry.objects.order_by("-at", "-pk"), PAGE).get_page(number)
    page.object_list = list(page.object_list)
    return page


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
    }
