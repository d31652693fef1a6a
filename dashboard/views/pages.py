"""The pages that show the cluster: overview, lists, details. Each is a screen's first showing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard.errors import BadInput
from dashboard.insight import findings_for
from dashboard.insight.mentions import mentions
from dashboard.insight.relations import Relations
from dashboard.kinds import KINDS
from dashboard.kinds.tablekinds import TableKind
from dashboard.live.runtime import ClusterRuntime, runtime
from dashboard.live.screen import Screen
from dashboard.live.screens.capacity import CapacityScreen
from dashboard.live.screens.common import freshness, visibility
from dashboard.live.screens.detail import DetailScreen
from dashboard.live.screens.listing import ListScreen
from dashboard.live.screens.map import MapScreen
from dashboard.live.screens.overview import OverviewScreen
from dashboard.live.screens.timeline import TimelineScreen
from dashboard.preferences import columns_of
from dashboard.queries.lists import PAGE_SIZE
from dashboard.queries.objects import object_read
from dashboard.queries.relations import Related, made_besides, mentioned, related
from dashboard.queries.seen import Seen

from .chrome import charts, lists, page_chrome, regions
from .errors import clear_errors
from .exports import export
from .offers import object_offers

UNWATCHED_SECONDS = 5.0  # for kinds that must be listed to tell what an object made


async def page(
    request: HttpRequest,
    cluster: ClusterRuntime,
    screen: Screen,
    *,
    title: str,
    more: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """A screen as a page (or its middle): prepared, its kinds listed, with the same parts that frames update later.

    A screen nobody looks at has no watch; the lease here starts them, and the browser's own look takes over.
    """
    lease = cluster.cache.lease(screen.plurals)
    try:
        await cluster.ready(screen.waits_for)
        await screen.prepare()
        chrome = await page_chrome(request, cluster.cluster.slug, title=title, live=True)
        snapshot = screen.snapshot()
    finally:
        lease.release()
    chrome["r"] |= regions(snapshot)
    return render(
        request,
        screen.page,
        {
            "s": {**screen.context(), **(more or {})},
            "lists": lists(snapshot),
            "charts": charts(snapshot),
            "now": datetime.now(UTC),
            **chrome,
        },
    )


@require_safe
@clear_errors
async def home(request: HttpRequest) -> HttpResponseBase:
    clusters = runtime.clusters()
    if not clusters:
        return HttpResponseRedirect(reverse("clusters"))
    return HttpResponseRedirect(reverse("overview", args=[clusters[0].slug]))


def whole_cluster(
    screen: Callable[[ClusterRuntime, QueryDict], Screen], title: str
) -> Callable[..., Coroutine[Any, Any, HttpResponseBase]]:
    """The view of a page about the whole cluster; what its address may say, its screen knows."""

    @require_safe
    @clear_errors
    async def view(request: HttpRequest, context: str) -> HttpResponseBase:
        cluster = runtime.open(context)
        return await page(request, cluster, screen(cluster, request.GET), title=title)

    return view


overview = whole_cluster(OverviewScreen, "Overview")
capacity = whole_cluster(CapacityScreen, "Capacity")
map_ = whole_cluster(MapScreen, "Map")
# Filters: ``namespace`` (repeatable), ``kind``, ``type``, ``q``, ``since`` and ``before`` (ISO 8601).
timeline = whole_cluster(TimelineScreen, "Timeline")


@require_safe
@clear_errors
async def list_(request: HttpRequest, context: str, plural: str) -> HttpResponseBase:
    cluster = runtime.open(context)
    await cluster.knows(plural)
    form = request.GET.get("format", "html")
    params: QueryDict = request.GET.copy()
    if form == "html" and "columns" not in params:
        params["remembered"] = ",".join(await columns_of(await request.auser(), plural))
    screen = ListScreen(cluster, params, plural)
    if form == "html":
        return await page(request, cluster, screen, title=screen.kind.title)
    if form not in ("json", "csv", "tsv"):
        raise BadInput(f"format is {form!r}: say json, csv or tsv.", field="format")
    lease = cluster.cache.lease(screen.plurals)
    try:
        await cluster.ready(screen.plurals)
        await screen.prepare()
        if (refusal := screen.refusal) is not None:
            raise refusal
        # All rows, or the page that was asked for.
        found = screen.listing(page_size=PAGE_SIZE if "page" in request.GET else None)
        all_columns, shown = screen.kind.columns, screen.exported
        fresh = freshness(cluster, screen.plurals)["state"]
    finally:
        lease.release()
    if found.label_error:
        raise BadInput(found.label_error, field="labels")
    # Ten thousand rows take a while: pages and frames go on meanwhile.
    return await asyncio.to_thread(export, screen.kind, found, all_columns, shown, form, fresh)


@require_safe
@clear_errors
async def detail(
    request: HttpRequest, context: str, plural: str, namespace: str, name: str, tab: str = "overview"
) -> HttpResponseBase:
    cluster = runtime.open(context)
    await cluster.knows(plural)
    screen = DetailScreen(cluster, request.GET, plural, namespace, name, tab)
    if request.GET.get("format") == "json":
        return await _detail_json(cluster, screen)
    return await page(
        request,
        cluster,
        screen,
        title=f"{name} · {screen.kind.singular}",
        more={"actions": await object_offers(screen)},
    )


async def _detail_json(cluster: ClusterRuntime, screen: DetailScreen) -> HttpResponseBase:
    read = frozenset(KINDS) | {screen.kind.plural}
    lease = cluster.cache.lease(read)
    try:
        await cluster.ready(read)
        await screen.prepare()
        found = await object_read(cluster.transport, screen.kind, screen.namespace, screen.name)
        visible = await visibility(cluster, KINDS)
        seen = Seen(cluster.reader, visible)
        wrong = findings_for(seen, screen.kind.plural, screen.namespace, screen.name, datetime.now(UTC))
        await cluster.reader.know_users()
        connected = related(cluster.reader, visible, screen.kind.plural, screen.last)
        if isinstance(screen.kind, TableKind):
            connected = await _with_custom(cluster, screen, connected, found)
    finally:
        lease.release()
    return JsonResponse(
        {
            "object": found,
            "uses": _relations(connected.uses),
            "used_by": _relations(connected.used_by),
            "findings": [
                {
                    "rule": finding.rule,
                    "severity": finding.severity,
                    "text": "".join(text for text, _ in finding.text),
                    "next": finding.step.text,
                    "evidence": [f"{one.where}: {one.says}" for one in finding.evidence],
                }
                for finding in wrong
            ],
        }
    )


async def _with_custom(
    cluster: ClusterRuntime, screen: DetailScreen, connected: Related, found: Mapping[str, Any]
) -> Related:
    """With what the spec names, and what the object made of kinds without a module here."""
    served = cluster.kinds.served
    others = (kind.plural for kind in served if kind is not screen.kind)
    await cluster.unwatched.ask(others, UNWATCHED_SECONDS)
    uid = screen.last.metadata.uid
    made = made_besides(cluster.reader, cluster.unwatched, served, screen.visible, uid)
    named = mentioned(cluster.kinds, screen.namespace, mentions(found))
    uses = connected.uses | {ref: connected.uses.get(ref, ()) + ways for ref, ways in named.items()}
    return replace(connected, uses=uses, used_by=connected.used_by | dict.fromkeys(made.rows, ("owner",)))


def _relations(found: Relations) -> list[dict[str, Any]]:
    return [
        {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name, "how": list(ways)}
        for ref, ways in found.items()
    ]
