"""The pages that show the cluster: overview, lists, details. Each is a screen's first showing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from dashboard import showing
from dashboard.errors import BadInput, NotKept, Unavailable
from dashboard.insight import findings_for, order, read_for
from dashboard.insight.mentions import mentions
from dashboard.insight.relations import Relations
from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref
from dashboard.live.past import PastCluster
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screen import Screen
from dashboard.live.screens.access import AccessScreen
from dashboard.live.screens.capacity import CapacityScreen
from dashboard.live.screens.certificates import CertificatesScreen
from dashboard.live.screens.common import freshness, listed
from dashboard.live.screens.declared import PluginScreen
from dashboard.live.screens.detail import DetailScreen, YamlTab
from dashboard.live.screens.detail.certificates import certificate_problems
from dashboard.live.screens.detail.shown import HEADER
from dashboard.live.screens.listing import ListScreen
from dashboard.live.screens.map import MapScreen
from dashboard.live.screens.overview import OverviewScreen
from dashboard.live.screens.postmortem import PostmortemScreen
from dashboard.live.screens.resilience import ResilienceScreen
from dashboard.live.screens.rewind import PastOverviewScreen
from dashboard.live.screens.timeline import TimelineScreen
from dashboard.live.session import Session
from dashboard.loop import off_loop
from dashboard.preferences import columns_of
from dashboard.queries.access import Visible
from dashboard.queries.frozen import Frozen
from dashboard.queries.lists import PAGE_SIZE, Listing
from dashboard.queries.objects import object_read
from dashboard.queries.postmortem import as_markdown
from dashboard.queries.relations import Related, made_besides, mentioned, related

from .chrome import charts, lists, page_chrome, regions
from .errors import clear_errors
from .exports import export
from .moment import of_the_past
from .offers import list_offers, page_actions
from .sending import still_listed
from .viewer import first_cluster, present_session, session_of

DISCOVERY_SECONDS = 10.0  # until the API server has said what it offers
UNWATCHED_SECONDS = 5.0  # for kinds that must be listed to tell what an object made


async def page(
    request: HttpRequest,
    cluster: ClusterRuntime,
    screen: Screen,
    *,
    title: str,
    more: Mapping[str, Any] | None = None,
    prepared: Callable[[], Awaitable[Mapping[str, Any]]] | None = None,
) -> HttpResponse:
    """A screen as a page (or its middle): prepared, its kinds listed, with the same parts that frames update later.
    ``more`` of its context is given; what depends on what the session sees is asked for once that is ``prepared``.

    A screen nobody looks at has no watch; the lease here starts them, and the browser's own look takes over.
    """
    lease = cluster.lease(screen.plurals)
    try:
        await cluster.ready(screen.waits_for, partly=screen.partly)
        await screen.get_ready()
        seen = await prepared() if prepared is not None else {}
        live = cluster.shown_at is None
        chrome = await page_chrome(request, cluster.cluster.slug, title=title, live=live)
        snapshot = screen.snapshot()
    finally:
        lease.release()
    chrome["r"] |= regions(snapshot)
    return render(
        request,
        screen.page,
        {
            "s": {**screen.context(), **(more or {}), **seen},
            "lists": lists(snapshot),
            "charts": charts(snapshot),
            "now": showing.now(),
            **chrome,
        },
    )


@require_safe
@clear_errors
async def home(request: HttpRequest) -> HttpResponseBase:
    cluster = await first_cluster(request)
    if cluster is None:
        return HttpResponseRedirect(reverse("clusters"))
    return HttpResponseRedirect(reverse("overview", args=[cluster.slug]))


def whole_cluster(
    screen: Callable[[Session, QueryDict], Screen], title: str
) -> Callable[..., Coroutine[Any, Any, HttpResponseBase]]:
    """The view of a page about the whole cluster; what its address may say, its screen knows."""

    @require_safe
    @clear_errors
    async def view(request: HttpRequest, context: str) -> HttpResponseBase:
        session = await session_of(request, context)
        return await page(request, session.cluster, screen(session, request.GET), title=title)

    return view


@require_safe
@of_the_past
@clear_errors
async def overview(request: HttpRequest, context: str) -> HttpResponseBase:
    session = await session_of(request, context)
    if not isinstance(session.cluster, PastCluster):
        return await page(request, session.cluster, OverviewScreen(session, request.GET), title="Overview")
    present = await present_session(request, session.cluster.live)
    screen = PastOverviewScreen(session, request.GET, present)
    return await page(request, session.cluster, screen, title="Overview")


certificates = whole_cluster(CertificatesScreen, "Certificates and Secrets by age")
map_ = of_the_past(whole_cluster(MapScreen, "Map"))
# Filters: ``namespace`` (repeatable), ``kind``, ``type``, ``q``, ``since`` and ``before`` (ISO 8601).
timeline = whole_cluster(TimelineScreen, "Timeline")


@require_safe
@clear_errors
async def capacity(request: HttpRequest, context: str) -> HttpResponseBase:
    """``fit``: of which workload more replicas are counted; ``find``: the same, or a name alone. ``format=json``."""
    session = await session_of(request, context)
    screen = CapacityScreen(session, request.GET)
    if request.GET.get("format") != "json":
        if screen.ahead.find:
            with session.cluster.lease(screen.plurals):
                await session.cluster.ready(screen.waits_for)
                await screen.get_ready()
            if len(found := screen.ahead.matches) == 1:
                return HttpResponseRedirect(screen.ahead.url_with(found[0]))
        return await page(request, session.cluster, screen, title="Capacity")
    with session.cluster.lease(screen.plurals):
        await session.cluster.ready(screen.waits_for)
        await screen.get_ready()
        answer = await off_loop(msgspec.json.encode, screen.told())
    return HttpResponse(answer, content_type="application/json")


@require_safe
@clear_errors
async def resilience(request: HttpRequest, context: str) -> HttpResponseBase:
    """``lose`` (repeatable): what fails, or is updated; ``find``: one of these, or a name alone. ``format=json``: the
    contract's answer.
    """
    session = await session_of(request, context)
    screen = ResilienceScreen(session, request.GET)
    if request.GET.get("format") != "json":
        if screen.find:
            with session.cluster.lease(screen.plurals):
                await session.cluster.ready(screen.waits_for)
                await screen.get_ready()
            if len(found := screen.meant) == 1:
                return HttpResponseRedirect(screen.url_with(found[0]))
        return await page(request, session.cluster, screen, title="Resilience")
    with session.cluster.lease(screen.plurals):
        await session.cluster.ready(screen.waits_for)
        await screen.get_ready()
    return HttpResponse(await off_loop(msgspec.json.encode, screen.told()), content_type="application/json")


@require_safe
@clear_errors
async def postmortem(request: HttpRequest, context: str) -> HttpResponseBase:
    """``from`` and ``to`` (RFC 3339; the last hour without them). ``format=md``: the same as Markdown."""
    session = await session_of(request, context)
    screen = PostmortemScreen(session, request.GET)
    form = request.GET.get("format", "html")
    if form == "html":
        return await page(request, session.cluster, screen, title="Post-mortem")
    if form != "md":
        raise BadInput(f"format is {form!r}: say md.", field="format")
    with session.cluster.lease(screen.plurals):
        await session.cluster.ready(screen.waits_for, partly=screen.partly)
        await screen.prepare()
    text = as_markdown(session.cluster.cluster.name, screen.span, screen.found, screen.left_out)
    name = f"post-mortem-{screen.span.since:%Y-%m-%dT%H-%M}.md"
    headers = {"Content-Disposition": content_disposition_header(True, name) or "attachment"}
    return HttpResponse(text.encode(), content_type="text/markdown; charset=utf-8", headers=headers)


@require_safe
@clear_errors
async def access(request: HttpRequest, context: str) -> HttpResponseBase:
    """What the viewer may do, and who can do what is asked (``verb``, ``resource``, ``name``, ``in``); as JSON too."""
    session = await session_of(request, context)
    cluster = session.cluster
    if request.GET.get("kind") or request.GET.get("resource"):
        await cluster.discovery.known(timeout=DISCOVERY_SECONDS)  # it may be a custom kind
    screen = AccessScreen(session, request.GET)
    if request.GET.get("format") != "json":
        return await page(request, cluster, screen, title="Permissions")
    lease = cluster.lease(screen.plurals)
    try:
        await cluster.ready(screen.waits_for)
        await screen.get_ready()
        answer = await off_loop(msgspec.json.encode, screen.facts())
    finally:
        lease.release()
    return HttpResponse(answer, content_type="application/json")


@require_safe
@clear_errors
async def plugin(request: HttpRequest, context: str, name: str) -> HttpResponseBase:
    session = await session_of(request, context)
    await session.cluster.discovery.known(
        timeout=DISCOVERY_SECONDS
    )  # its kinds are there once they are offered
    screen = PluginScreen(session, request.GET, name)
    return await page(request, session.cluster, screen, title=screen.declared.title)


@require_safe
@of_the_past
@clear_errors
async def list_(request: HttpRequest, context: str, plural: str) -> HttpResponseBase:
    session = await session_of(request, context)
    cluster = session.cluster
    await _known(cluster, plural)
    form = request.GET.get("format", "html")
    params: QueryDict = request.GET.copy()
    if form == "html" and "columns" not in params:
        params["remembered"] = ",".join(await columns_of(await request.auser(), plural))
    screen = ListScreen(session, params, plural)
    if form == "html":
        return await page(
            request,
            cluster,
            screen,
            title=screen.kind.title,
            prepared=lambda: list_offers(screen) if cluster.shown_at is None else nothing_offered(),
        )
    if form not in ("json", "csv", "tsv"):
        raise BadInput(f"format is {form!r}: use json, csv or tsv.", field="format")
    lease = cluster.lease(screen.plurals)
    try:
        await cluster.ready(screen.plurals)
        await screen.prepare()
        if (refusal := screen.refusal) is not None:
            raise refusal
        # All rows, or the page that was asked for.
        found = screen.listing(page_size=PAGE_SIZE if "page" in request.GET else None)
        all_columns, shown, measure = screen.kind.columns, screen.columns, screen.measured.use
        fresh = freshness(screen.session, screen.plurals)["state"]
        known = screen.known
        if not known and form != "json":
            # A file has no word for what is not known.
            raise screen.failure or Unavailable(f"{screen.kind.title} are still being read.")
    finally:
        lease.release()
    if found.label_error:
        raise BadInput(found.label_error, field="labels")
    may = still_listed(context, _seen_of(found, screen.session.visible))
    return export(screen.kind, found, all_columns, shown, form, fresh, known=known, measure=measure, may=may)


def _seen_of(found: Listing, visible: Mapping[str, Visible]) -> dict[str, Visible]:
    """What the rows of a list rest on: kinds that may be listed, and of namespaces those that have any row."""
    spaces = frozenset(row.namespace for row in found.rows)
    return {
        plural: each if each.namespaces is None else Visible(each.namespaces & spaces)
        for plural, each in visible.items()
    }


@require_safe
@of_the_past
@clear_errors
async def detail(
    request: HttpRequest, context: str, plural: str, namespace: str, name: str, tab: str = "overview"
) -> HttpResponseBase:
    session = await session_of(request, context)
    cluster = session.cluster
    await _known(cluster, plural)
    last_shown = request.headers.get(HEADER)
    screen = DetailScreen(session, request.GET, plural, namespace, name, tab, last_shown=last_shown)
    if request.GET.get("format") in ("json", "yaml") and cluster.shown_at is not None:
        raise NotKept("The objects themselves are not recorded, only what lists and pages show of them.")
    if request.GET.get("format") == "json":
        return await _detail_json(session, screen)
    if request.GET.get("format") == "yaml" and isinstance(screen.tab, YamlTab):
        return await _detail_yaml(cluster, screen, screen.tab)
    return await page(
        request,
        cluster,
        screen,
        title=" · ".join(filter(None, (name, screen.namespace, screen.kind.singular))),
        prepared=lambda: page_actions(screen) if cluster.shown_at is None else nothing_offered(),
    )


async def _known(cluster: ClusterRuntime, plural: str) -> None:
    """Waits until it is known whether there is such a kind. Raises NotKept for one that is not recorded."""
    await cluster.knows(plural)
    if cluster.shown_at is not None and plural in cluster.kinds and plural not in KINDS:
        raise NotKept(
            f"{cluster.kinds[plural].title} are not recorded: kinds without a page of their own here are only known as "
            "they are now.",
        )


async def nothing_offered() -> Mapping[str, Any]:
    """In the past nothing can be done."""
    return {"actions": [], "refused": False, "access_url": "", "bulk": None}


async def _detail_yaml(cluster: ClusterRuntime, screen: DetailScreen, tab: YamlTab) -> HttpResponseBase:
    with cluster.lease(screen.plurals):
        await cluster.ready({screen.kind.plural})
        text = await tab.text()
    headers = {"Content-Disposition": content_disposition_header(True, f"{screen.name}.yaml") or "attachment"}
    return HttpResponse(text.encode(), content_type="application/yaml; charset=utf-8", headers=headers)


async def _detail_json(session: Session, screen: DetailScreen) -> HttpResponseBase:
    cluster = session.cluster
    read = (frozenset(KINDS) | {screen.kind.plural} | read_for(screen.kind.plural)) & cluster.kinds.keys()
    lease = cluster.lease(read)
    try:
        await cluster.ready(read)
        await screen.prepare()
        found = await object_read(session.transport, screen.kind, screen.namespace, screen.name)
        visible = await session.review(read)
        wrong = await off_loop(
            findings_for,
            Frozen(session.reader, visible),
            screen.kind.plural,
            screen.namespace,
            screen.name,
            datetime.now(UTC),
            group=screen.kind.gvr.group,
            kind=screen.kind.kind,
        )
        about = Ref(screen.kind.kind, screen.namespace, screen.name, screen.kind.plural)
        wrong = sorted([*wrong, *await certificate_problems(session, about, screen.last)], key=order)
        unevaluated = [
            each
            for each in cluster.kinds
            if each in read_for(screen.kind.plural) and (visible[each].denied or not listed(session, each))
        ]
        unread = [
            each for each in KINDS if each in read and (visible[each].denied or not listed(session, each))
        ]
        await session.reader.know_users()
        connected = related(session.reader, screen.kind.plural, screen.last)
        if screen.kind.discovered:
            connected = await _with_custom(session, screen, connected, found)
    finally:
        lease.release()
    answer = {
        "object": found,
        "uses": _relations(connected.uses),
        "used_by": _relations(connected.used_by),
        "not_read": unread,
        "not_evaluated": unevaluated,
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
    return HttpResponse(await off_loop(msgspec.json.encode, answer), content_type="application/json")


async def _with_custom(
    session: Session, screen: DetailScreen, connected: Related, found: Mapping[str, Any]
) -> Related:
    """With what the spec names, and what the object made of kinds without a module here."""
    served = session.cluster.kinds.served
    others = (kind.plural for kind in served if kind is not screen.kind)
    await session.unwatched.ask(others, UNWATCHED_SECONDS)
    uid = screen.last.metadata.uid
    made = made_besides(session.reader, session.unwatched, served, uid)
    named = mentioned(session.cluster.kinds, screen.namespace, mentions(found))
    uses = connected.uses | {ref: connected.uses.get(ref, ()) + ways for ref, ways in named.items()}
    return replace(connected, uses=uses, used_by=connected.used_by | dict.fromkeys(made.rows, ("owner",)))


def _relations(found: Relations) -> list[dict[str, Any]]:
    return [
        {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name, "how": list(ways)}
        for ref, ways in found.items()
    ]
