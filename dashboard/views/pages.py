"""The pages that show the cluster: overview, lists, details. Each is a screen's first showing."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from dashboard.errors import BadInput
from dashboard.insight import findings_for
from dashboard.insight.relations import Relations, used_by, uses
from dashboard.kinds import KINDS
from dashboard.kinds.base import cell_text
from dashboard.live.runtime import ClusterRuntime, runtime
from dashboard.live.screen import Screen
from dashboard.live.screens.chrome import in_group
from dashboard.live.screens.common import freshness, kind_of
from dashboard.live.screens.detail import DetailScreen
from dashboard.live.screens.listing import ListScreen
from dashboard.live.screens.overview import OverviewScreen
from dashboard.preferences import columns_of, columns_remember
from dashboard.queries.lists import LABEL, PAGE_SIZE, Listing, cell, column_keys, label_of, usual_columns
from dashboard.queries.objects import object_read

from .chrome import charts, lists, page_chrome, regions
from .errors import clear_errors
from .offers import object_offers


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


@require_safe
@clear_errors
async def overview(request: HttpRequest, context: str) -> HttpResponseBase:
    cluster = runtime.open(context)
    return await page(request, cluster, OverviewScreen(cluster, request.GET), title="Overview")


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
        fresh = freshness(cluster, screen.plurals)["state"]
    finally:
        lease.release()
    if found.label_error:
        raise BadInput(found.label_error, field="labels")
    rows = list(_rows(screen, found))
    if form == "json":
        return JsonResponse({"freshness": fresh, "total": found.total, "rows": rows})
    return _separated(screen, rows, form)


def _rows(screen: ListScreen, found: Listing) -> Iterator[dict[str, str]]:
    """The rows in kubectl's words, by column key, with ``namespace``, ``uid`` and the chosen labels besides."""
    now = datetime.now(UTC)
    columns = screen.kind.columns
    labels = [column for column in screen.columns if column.key not in {each.key for each in columns}]
    for row in found.rows:
        cells = {column.key: cell_text(row.cells[column.order], now) for column in columns}
        more = {column.key: cell(row, column).text for column in labels}
        yield {**cells, **more, "namespace": row.namespace, "uid": row.uid}


@require_POST
@clear_errors
async def columns(request: HttpRequest, context: str, plural: str) -> HttpResponseBase:
    """Remembers which columns the reader wants to see of a kind; none at all: the usual ones."""
    cluster = runtime.open(context)
    await cluster.knows(plural)
    kind = kind_of(cluster, plural)
    wanted = column_keys(",".join(request.POST.getlist("column")))
    label = request.POST.get("label", "").strip()
    if label and label_of(LABEL + label) is None:
        raise BadInput(
            f"{label!r} is not the key of a label: it looks like app or example.com/tier.", field="label"
        )
    if label:
        wanted = (*(wanted or [column.key for column in usual_columns(kind)]), LABEL + label)
    await columns_remember(await request.auser(), plural, () if "usual" in request.POST else wanted)
    if "HX-Request" in request.headers:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return HttpResponseRedirect(reverse("list", args=[context, plural]))


@require_safe
@clear_errors
async def counts(request: HttpRequest, context: str, group: str) -> HttpResponseBase:
    """Counts the kinds of a group of the menu; the numbers come with the next frame."""
    cluster = runtime.open(context)
    chosen = frozenset(request.GET.getlist("namespace")) - {""} or None
    found = [kind for kind in cluster.kinds.served if in_group(kind, group)]
    for namespaced in (True, False):
        plurals = [kind.plural for kind in found if kind.gvr.namespaced is namespaced]
        await cluster.counts.ask(plurals, chosen if namespaced else None)
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


class _Echo:
    def write(self, value: str) -> str:
        return value


def _separated(screen: ListScreen, rows: list[dict[str, str]], form: str) -> HttpResponseBase:
    keys = [column.key for column in screen.columns]
    writer = csv.writer(_Echo(), delimiter="," if form == "csv" else "\t", lineterminator="\r\n")

    def lines() -> Iterator[str]:
        yield writer.writerow(keys)
        for row in rows:
            yield writer.writerow([_no_formula(row[key]) for key in keys])

    types = {"csv": "text/csv; charset=utf-8", "tsv": "text/tab-separated-values; charset=utf-8"}
    response = HttpResponse("".join(lines()), content_type=types[form])
    response["Content-Disposition"] = f'attachment; filename="{screen.kind.plural}.{form}"'
    return response


def _no_formula(text: str) -> str:
    """A spreadsheet runs a cell that begins like a formula; names and labels come from whoever may create objects."""
    return f"'{text}" if text[:1] in ("=", "+", "@", "\t", "\r") else text


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
        wrong = findings_for(
            cluster.reader, screen.kind.plural, screen.namespace, screen.name, datetime.now(UTC)
        )
    finally:
        lease.release()

    def relations(of: Callable[..., Relations]) -> list[dict[str, Any]]:
        obj = screen.last
        return [
            {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name, "how": list(ways)}
            for ref, ways in of(cluster.reader, screen.kind.plural, obj).items()
        ]

    return JsonResponse(
        {
            "object": found,
            "uses": relations(uses),
            "used_by": relations(used_by) if screen.kind.plural in KINDS else [],
            "findings": [
                {
                    "rule": finding.rule,
                    "severity": finding.severity,
                    "text": "".join(text for text, _ in finding.text),
                    "next": finding.next_step,
                }
                for finding in wrong
            ],
        }
    )
