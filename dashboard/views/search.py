"""Search: as a page, and as JSON for the palette. What can be done to an object that was found."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard.errors import BadInput, NotFound
from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind
from dashboard.live.screens.common import kind_of
from dashboard.live.screens.search import PATIENCE_SECONDS, SearchScreen
from dashboard.live.session import Session, Sight
from dashboard.queries.kubectl import taken_apart
from dashboard.queries.reading import VERBS
from dashboard.queries.search import LIMIT, Hit

from .doing import creating, doing_of, knows, phrases
from .errors import clear_errors
from .offers import OVERVIEW, create_offers, form_offers, object_offers, object_tabs
from .pages import page
from .viewer import contexts_told, session_of

PENDING_SECONDS = 3.0  # for kinds that must be listed first, once the rest is told
OF_PODS = frozenset({"logs", "exec", "attach", "debug"})  # what kubectl does to a pod where no kind is named
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
    the kinds that were ``pending`` in the answer before. Without ``do``, ``doing`` has such objects where ``q`` is whole
    words for an action and an object; ``creates`` are the forms that ``create …`` asks for. ``elsewhere`` says that
    ``q`` is for another cluster (``--context prod``)."""
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
        raise BadInput(f"format is {form!r}: use json.", field="format")
    if (elsewhere := await _elsewhere(request, session)) is not None:
        screen = SearchScreen(session, request.GET, None, PATIENCE_SECONDS, _limit(request.GET))
        return JsonResponse(
            await _answer(screen, None) | {"doing": [], "creates": [], "elsewhere": elsewhere}
        )
    params, doing = _doing(request.GET) if "do" in request.GET else (request.GET, None)
    patience = PENDING_SECONDS if "wait" in request.GET else PATIENCE_SECONDS
    if doing is not None:
        screen = SearchScreen(session, params, _doers(doing), patience, DOING)
        return JsonResponse(await _answer(screen, doing) | await _created(session, request.GET))
    answer = await _answer(SearchScreen(session, params, None, patience, _limit(request.GET)), None)
    return JsonResponse(answer | await _typed(session.again(), request.GET))


async def _elsewhere(request: HttpRequest, session: Session) -> dict[str, str] | None:
    """Where a line is for another cluster than the one that is shown: that in words, and the address of the other one for
    whoever may know of it. Nothing is offered here for such a line.
    """
    here = session.cluster.cluster
    named = {
        "context": here.name,
        "cluster": here.name,
        "server": here.server,
    }  # which file, nobody knows here
    for flag, value in taken_apart(request.GET.get("q", "")).elsewhere:
        if named.get(flag) != value:
            what = "kubeconfig file" if flag == "kubeconfig" else flag
            known = await contexts_told(request) if flag in ("context", "cluster") else []
            slug = next((each.slug for each in known if each.name == value), "")
            return {
                "words": f"This line is for the {what} {value}; you are looking at {here.name}.",
                "name": value,
                "url": reverse("overview", args=[slug]) if slug else "",
            }
    return None


def _doers(doing: frozenset[str]) -> frozenset[str]:
    """The kinds whose objects know one of these."""
    return frozenset(plural for plural, kind in KINDS.items() if any(knows(kind, each) for each in doing))


async def _typed(session: Session, asked: QueryDict) -> dict[str, Any]:
    """What is asked to be done where the words for it are typed without more ado: ``scale web``. Those that only look,
    such as ``describe web``, lead to the object, which the search itself finds.
    """
    meant = doing_of(asked.get("q", ""))
    found: dict[str, Any] = {"doing": []}
    if meant.whole and meant.rest and meant.verb not in VERBS and not asked.get("kind"):
        screen = SearchScreen(session, _about(asked, meant.rest), _doers(meant.ids), limit=DOING)
        told = await _answer(screen, meant.ids)
        hits = [] if told["like"] else [hit for hit in told["results"] if hit["actions"]]
        if meant.verb in OF_PODS:
            name = meant.rest.split()[0].lower()
            hits.sort(key=lambda hit: (hit["plural"], hit["name"]) != ("pods", name))
        found = {"doing": hits}
    return found | await _created(session, asked)


async def _created(session: Session, asked: QueryDict) -> dict[str, Any]:
    """The forms that ``create …`` asks for."""
    ids, name = creating(asked.get("q", ""))
    if not ids:
        return {"creates": []}
    chosen = taken_apart(asked.get("q", "")).namespaces or asked.getlist("namespace")
    with session.cluster.lease({"namespaces"}):
        await session.cluster.ready({"namespaces"})
        await session.review({"namespaces"})
        return {"creates": await create_offers(session, ids, name, chosen)}


async def _answer(screen: SearchScreen, doing: frozenset[str] | None) -> dict[str, Any]:
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
    return {
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


def _limit(params: QueryDict) -> int:
    limit = params.get("limit", str(LIMIT))
    short = len(limit) <= len(str(LIMIT))
    if not (short and limit.isascii() and limit.isdigit() and 0 < int(limit) <= LIMIT):
        raise BadInput(f"limit is {limit[:20]!r}: enter a number from 1 to {LIMIT}.", field="limit")
    return int(limit)


def _doing(params: QueryDict) -> tuple[QueryDict, frozenset[str]]:
    """What the first words mean, and the search without them; if they mean nothing, all that can be done."""
    meant = doing_of(params.get("q", ""))
    return _about(params, meant.rest), meant.ids or frozenset(phrases()) - {OVERVIEW}


def _about(params: QueryDict, rest: str) -> QueryDict:
    kept = params.copy()
    kept["q"] = rest
    return kept


async def _offers(sight: Sight, hit: Hit, doing: frozenset[str]) -> list[dict[str, str]]:
    """What can be done with an object of what was meant, what may be done first."""
    found = FoundObject(sight, hit.kind, hit.row.namespace, hit.row.name)
    offers = [*await object_offers(found), *await form_offers(found), *object_tabs(found, overview=True)]
    meant = [offer for offer in offers if offer["id"] in doing]
    return sorted(meant, key=lambda offer: bool(offer["disabled_reason"]))


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
