"""Logs as files, and one line whole: what the page of logs cannot hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from dashboard.errors import BadInput, NotFound
from dashboard.kinds import KINDS
from dashboard.live.screens.detail import DetailScreen, LogsTab
from dashboard.live.session import Session
from dashboard.queries.logs import Target, log_text, logs_zip, whole_line

from .errors import clear_errors
from .sending import SentFile, in_cluster
from .viewer import session_of


async def _chosen(
    request: HttpRequest, context: str, plural: str, namespace: str, name: str
) -> tuple[LogsTab, list[Target]]:
    """The page's own choice of logs, with the rights asked for as there. Raises NotFound when there are none."""
    session = await session_of(request, context)
    cluster = session.cluster
    screen = DetailScreen(session, request.GET, plural, namespace, name, "logs")
    tab = cast(LogsTab, screen.tab)
    field, why = tab.options.wrong
    if field:
        raise BadInput(why, field=field)
    lease = cluster.lease(screen.plurals)
    try:
        await cluster.ready(screen.waits_for)
        await screen.prepare()
    finally:
        lease.release()
    found = tab.targets()
    if not found:
        raise NotFound("There is no such log.", next_step="Choose other pods or containers.")
    return tab, found


@require_safe
@clear_errors
async def download(
    request: HttpRequest, context: str, plural: str, namespace: str, name: str
) -> HttpResponseBase:
    """One log as text, several as a ZIP archive. ``timestamps=0`` leaves the times out."""
    tab, found = await _chosen(request, context, plural, namespace, name)
    transport, where = tab.session.transport, tab.screen.namespace
    stamps = request.GET.get("timestamps") != "0"
    if len(found) == 1:
        text = log_text(transport, where, found[0], tab.options, stamps=stamps)
        # Its first piece before the answer begins: a log that cannot be had is an error page, not an empty file.
        first = await anext(text, b"")
        pieces = _after(first, text)
        file, kind = f"{found[0].pod}-{found[0].container}.log", "text/plain; charset=utf-8"
    else:
        pieces = logs_zip(transport, where, found, tab.options, stamps=stamps, now=datetime.now(UTC))
        file, kind = f"{name}-logs.zip", "application/zip"
    names = sorted({each.pod for each in found})
    may = in_cluster(context, lambda session: _reads_logs(session, where, names))
    response = SentFile(pieces, may=may, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{file}"'
    # GZipMiddleware compresses each piece by itself, and a browser reads the first of several such and no more.
    response["Content-Encoding"] = "identity"
    return response


async def _reads_logs(session: Session, namespace: str, pods: Sequence[str]) -> bool:
    """Whether the logs of all these pods may be read; Kubernetes asks for the right once, when each is opened."""
    pod = KINDS["pods"].gvr
    if await session.decide("get", pod, namespace=namespace, subresource="log"):
        return True
    asked = (session.decide("get", pod, namespace=namespace, name=each, subresource="log") for each in pods)
    return all(await asyncio.gather(*asked))


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
    tab, found = await _chosen(request, context, plural, namespace, name)
    if len(found) != 1:
        raise BadInput("Choose one pod and one container.", field="pod")
    transport, at = tab.session.transport, request.GET.get("at", "")
    text = await whole_line(transport, tab.screen.namespace, found[0], at, previous=tab.options.previous)
    return HttpResponse(text, content_type="text/plain; charset=utf-8")
