"""Logs as files, and one line whole: what the page of logs cannot hold."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import cast

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from dashboard.errors import BadInput, NotFound
from dashboard.live.runtime import ClusterRuntime, runtime
from dashboard.live.screens.detail import DetailScreen, LogsTab
from dashboard.queries.logs import log_text, logs_zip, whole_line

from .errors import clear_errors


async def _prepared(
    request: HttpRequest, cluster: ClusterRuntime, plural: str, namespace: str, name: str
) -> LogsTab:
    """The page's own choice of logs, with the rights asked for as there."""
    screen = DetailScreen(cluster, request.GET, plural, namespace, name, "logs")
    tab = cast(LogsTab, screen.tab)
    field, why = tab.options.wrong
    if field:
        raise BadInput(why, field=field)
    lease = cluster.cache.lease(screen.plurals)
    try:
        await cluster.ready(screen.waits_for)
        await screen.prepare()
    finally:
        lease.release()
    return tab


@require_safe
@clear_errors
async def download(
    request: HttpRequest, context: str, plural: str, namespace: str, name: str
) -> HttpResponseBase:
    """One log as text, several as a ZIP archive. ``timestamps=0`` leaves the times out."""
    cluster = runtime.open(context)
    tab = await _prepared(request, cluster, plural, namespace, name)
    found = tab.targets()
    if not found:
        raise NotFound("There is no such log.", next_step="Choose other pods or containers.")
    stamps = request.GET.get("timestamps") != "0"
    if len(found) == 1:
        text = log_text(cluster.transport, tab.screen.namespace, found[0], tab.options, stamps=stamps)
        # Its first piece before the answer begins: a log that cannot be had is an error page, not an empty file.
        first = await anext(text, b"")
        file, kind, pieces = (
            f"{found[0].pod}-{found[0].container}.log",
            "text/plain; charset=utf-8",
            _after(first, text),
        )
    else:
        pieces = logs_zip(
            cluster.transport, tab.screen.namespace, found, tab.options, stamps=stamps, now=datetime.now(UTC)
        )
        file, kind = f"{name}-logs.zip", "application/zip"
    response = StreamingHttpResponse(pieces, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{file}"'
    if kind == "application/zip":
        response["Content-Encoding"] = "identity"  # it is compressed already
    return response


async def _after(first: bytes, text: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in text:
        yield piece


@require_safe
@clear_errors
async def line(
    request: HttpRequest, context: str, plural: str, namespace: str, name: str
) -> HttpResponseBase:
    """The line of ``pod``, ``container`` and ``at`` (its time) without the page's limit, as plain text."""
    cluster = runtime.open(context)
    tab = await _prepared(request, cluster, plural, namespace, name)
    found = tab.targets()
    if len(found) != 1:
        raise BadInput("Say one pod and one container.", field="pod")
    text = await whole_line(
        cluster.transport,
        tab.screen.namespace,
        found[0],
        request.GET.get("at", ""),
        previous=tab.options.previous,
    )
    return HttpResponse(text, content_type="text/plain; charset=utf-8")
