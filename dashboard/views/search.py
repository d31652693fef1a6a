"""Search: as a page, and as JSON for the palette. What can be done to an object that was found."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from dashboard.errors import BadInput, NotFound
from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind
from dashboard.live.screens.common import kind_of
from dashboard.live.screens.search import PATIENCE_SECONDS, SearchScreen
from dashboard.live.session import Sight
from dashboard.queries.search import LIMIT, Hit

from .errors import clear_errors
from .offers import does, form_offers, object_offers, object_tabs, verbs
from .pages import page
from .viewer import session_of

PENDING_SECONDS = 3.0  # for kinds that must be listed first, once the rest is told
DOING = 6  # objects whose actions are asked for at once: each right is a question to the API server


@dataclass(frozen=True, slots=True)
class FoundObject:
    """An object of an answer, as offers want it."""

    session: Sight
    kind: Kind[Any]
    namespace: str
    name: str


@require_safe
@clear_errors
async def search(request: HttpRequest, context: str) -> HttpResponseBase:
    """``q``, ``namespace`` (repeatable), ``kind``; with ``format=json`` also ``limit``, and ``do=1``: ``q`` begins with
    what to do (``restart web``), and each object comes with that action, or with all of its actions; and ``wait=1``: for
    the kinds that were ``pending`` in the answer before."""
    session = await session_of(request, context)
    cluster = session.cluster
    if plural := request.GET.get("kind", ""):
        await cluster.knows(plural)
    form = request.GET.get("format", "html")
    if form == "html":
        screen = SearchScreen(session, request.GET)
        title = f"Search: {screen.query.q}" if screen.query.q else "Search"
        return await page(request, cluster, screen, title=title)
    if form != "json":
        raise BadInput(f"format is {form!r}: say json.", field="format")
    params, doing = _doing(request.GET) if "do" in request.GET else (request.GET, None)
    only = None if doing is None else _doers(doing)
    patience = PENDING_SECONDS if "wait" in request.GET else PATIENCE_SECONDS
    limit = _limit(request.GET) if doing is None else DOING
    return await _answer(SearchScreen(session, params, only, patience, limit), doing)


def _doers(doing: frozenset[str]) -> frozenset[str]:
    """The kinds that know one of these verbs."""
    return frozenset(plural for plural, kind in KINDS.items() if any(does(kind, verb) for verb in doing))


async def _answer(screen: SearchScreen, doing: frozenset[str] | None) -> HttpResponseBase:
    cluster = screen.runtime
    lease = cluster.lease(screen.plurals)
    try:
        await cluster.ready(screen.plurals - {"events"})
        await screen.prepare()
        found = screen.found
        total = screen.total(found)
        results = [screen.hit(each) for each in found.hits]
        if doing is not None:
            offered = await asyncio.gather(*(_offers(screen.session, each, doing) for each in found.hits))
            results = [{**each, "actions": actions} for each, actions in zip(results, offered, strict=True)]
        fresh, waiting, denied = screen.fresh, screen.waiting(), screen.denied()
        kinds, pending, missed = screen.named(), screen.pending(), screen.missed()
    finally:
        lease.release()
    return JsonResponse(
        {
            "freshness": fresh,
            "q": screen.query.q,
            "total": total,
            "like": found.like,
            "url": screen.url(),
            "counts": dict(found.counts),
            "waiting": waiting,
            "denied": denied,
            "kinds": kinds,
            "pending": pending,
            "missed": missed,
            "results": results,
        }
    )


def _limit(params: QueryDict) -> int:
    limit = params.get("limit", str(LIMIT))
    short = len(limit) <= len(str(LIMIT))
    if not (short and limit.isascii() and limit.isdigit() and 0 < int(limit) <= LIMIT):
        raise BadInput(f"limit is {limit[:20]!r}: say a number from 1 to {LIMIT}.", field="limit")
    return int(limit)


def _doing(params: QueryDict) -> tuple[QueryDict, frozenset[str]]:
    """The verbs that the first word may begin, and the search without it; no such verb: all of them."""
    first, _, rest = params.get("q", "").strip().partition(" ")
    known = verbs()
    meant = frozenset(verb for verb in known if first and verb.startswith(first.lower()))
    kept = params.copy()
    if meant:
        kept["q"] = rest
    return kept, meant or frozenset(known)


async def _offers(sight: Sight, hit: Hit, doing: frozenset[str]) -> list[dict[str, str]]:
    found = FoundObject(sight, hit.kind, hit.row.namespace, hit.row.name)
    offers = [*await object_offers(found), *object_tabs(found)]
    return [offer for offer in offers if offer["id"] in doing]


@require_safe
@clear_errors
async def offers(
    request: HttpRequest, context: str, plural: str, namespace: str, name: str
) -> HttpResponseBase:
    """What can be done to one object, and which pages it has, as JSON. 404 and 403 as for the object's page."""
    session = await session_of(request, context)
    cluster = session.cluster
    await cluster.knows(plural)
    target = FoundObject(session, kind_of(cluster, plural), "" if namespace == "-" else namespace, name)
    lease = cluster.lease({plural})
    try:
        await cluster.ready({plural})
        await _require(target)
        actions = [*await object_offers(target), *await form_offers(target), *object_tabs(target)]
    finally:
        lease.release()
    return JsonResponse({"actions": actions})


async def _require(target: FoundObject) -> None:
    """Raises Forbidden or NotFound when the user may not see the object, or there is none."""
    seen = (await target.session.review({target.kind.plural}))[target.kind.plural]
    if seen.denied is not None:
        raise seen.denied
    if target.session.reader.get(target.kind.plural, target.namespace, target.name) is None:
        raise NotFound(f"There is no {target.kind.singular} {target.name}.")
