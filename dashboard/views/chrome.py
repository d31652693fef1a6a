"""The frame of a page: cluster, namespaces, kinds, person."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils.safestring import mark_safe

from dashboard.actions.confirmation import is_production
from dashboard.actions.newobjects.registry import NEW_OBJECTS
from dashboard.actions.permits import changes_state
from dashboard.admins import is_admin
from dashboard.database import in_database
from dashboard.errors import ClusterError
from dashboard.kube.config import Cluster
from dashboard.live.past import PastCluster
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screens import chrome_screens
from dashboard.live.screens.chrome import ChromeScreen
from dashboard.live.screens.declared import PAGES
from dashboard.live.screens.rewind import Moments, Shown, bar
from dashboard.live.session import Session
from dashboard.live.snapshot import Snapshot
from dashboard.queries.marks import marks_read
from dashboard.queries.problemspans import problems_read
from dashboard.render import chart_json

from .asked import PAST_PAGES, present_only
from .viewer import contexts_told, first_cluster, session_of

# In the past nothing can be changed, whoever may now.
UNCHANGEABLE = {"state": "off", "words": "", "url": ""}
SOURCES = {
    "kubeconfig": "from {detail}",
    "in-cluster": "the cluster that this dashboard runs in",
    "sandbox": "the sandbox on this machine",
    "added": "added here by {detail}",
}


def source_words(cluster: Cluster) -> str:
    return SOURCES[cluster.source].format(detail=cluster.source_detail)


async def page_chrome(
    request: HttpRequest, context: str = "", *, title: str = "", live: bool = False, framed: bool = True
) -> dict[str, Any]:
    """What base.html wants: ``chrome`` and ``r``. Without a cluster that can be opened, or unless ``framed``, the frame
    stands empty.
    """
    session = await _session(request, context) if framed else None
    user = await request.auser()
    chrome: dict[str, Any] = {
        "only": _swapped(request),
        "query": "",
        "path": request.path,
        "title": f"{title} · {session.cluster.cluster.name} · Cluster UI"
        if session and title
        else "Cluster UI",
        "live": live,
        "user": {
            "name": shown_name(user),
            "id": user.pk,
            "initials": shown_name(user)[:2].upper(),
            "logout_url": reverse("logout"),
            "people_url": reverse("people") if await is_admin(request) else "",
        },
    }
    if session is None:
        return {"chrome": chrome, "r": {}}
    cluster = session.cluster
    slug = cluster.cluster.slug
    frame, others = chrome_screens(session, request.get_full_path())
    await asyncio.gather(frame.get_ready(), others.get_ready())
    shown = frame.context()
    if isinstance(cluster, PastCluster):
        chrome["past"] = await _past(request, cluster, frame)
    chrome |= {
        "ws_url": f"/ws/c/{slug}/" if cluster.shown_at is None else "",
        "ago": ago(request, datetime.now(UTC)),
        "present_only": present_only(request),
        "cluster": {
            "name": cluster.cluster.name,
            "slug": slug,
            "server": cluster.cluster.server,
            "source": cluster.cluster.source,
            "source_words": source_words(cluster.cluster),
            "version": cluster.version,
            "production": is_production(cluster.cluster.name),
            "url": reverse("overview", args=[slug]),
        },
        "clusters": [
            {
                "name": each.name,
                "url": reverse("overview", args=[each.slug]),
                "source": each.source,
                "current": each.slug == slug,
            }
            for each in await contexts_told(request)
        ],
        "changes": await _changes(cluster.cluster) if cluster.shown_at is None else UNCHANGEABLE,
        "forms": [
            {
                "title": f"{form.title}…",
                "url": reverse("create_form", args=[slug, form.plural]),
                "names": " ".join(("new", form.kind.singular.lower(), *form.kind.short_names)),
            }
            for form in NEW_OBJECTS
        ],
        "namespaces": _namespaces(request, cluster),
        "query": shown["query"],
        "nav": _nav(shown["sections"], request),
        "pages": [
            {"name": name, "title": page.title, "url": reverse("plugin", args=[slug, name])}
            for name, (page, _) in PAGES.items()
        ],
    }
    return {"chrome": chrome, "r": regions(Snapshot.joined((frame.snapshot(), others.snapshot())))}


def ago(request: HttpRequest, now: datetime) -> list[dict[str, str]]:
    """This page, or the overview where it has no past, as it was some time ago."""
    match = request.resolver_match
    if match is None or "context" not in match.kwargs:
        return []
    here = match.url_name in PAST_PAGES or (match.url_name == "detail" and "tab" not in match.kwargs)
    path = request.path if here else reverse("overview", args=[match.kwargs["context"]])
    moments = Moments(path, request.GET if here else QueryDict())
    return [
        {
            "words": words,
            "minutes": str(minutes),
            "url": moments.at((now - timedelta(minutes=minutes)).replace(microsecond=0)),
        }
        for minutes, words in ((15, "15 min"), (60, "1 h"), (360, "6 h"), (1440, "24 h"))
    ]


async def _past(request: HttpRequest, cluster: PastCluster, frame: ChromeScreen) -> dict[str, Any]:
    """The bar of a page of the past."""
    now, at = datetime.now(UTC), cluster.moment.at
    shown = Shown.around(at, now, request.GET)
    found = await cluster.past.known()
    marks = await in_database(marks_read)(
        cluster.recognised.records, shown.since, shown.until, frame.session.visible
    )
    wrong = await in_database(problems_read)(
        cluster.recognised.records, shown.since, shown.until, frame.session.visible
    )
    return bar(cluster, shown, found, marks, wrong, now, Moments(request.path, request.GET))


def shown_name(user: User | AnonymousUser) -> str:
    """What somebody is called on their own pages; elsewhere, as in the audit, they are who they are: the user's name."""
    return user.get_full_name() or user.get_username() if isinstance(user, User) else ""


def regions(snapshot: Snapshot) -> dict[str, str]:
    """The rendered regions of a snapshot under names that a template can use."""
    return {key.replace("-", "_"): part.fresh_html for key, part in snapshot.regions.items()}


def lists(snapshot: Snapshot) -> dict[str, str]:
    return {
        name.replace("-", "_"): mark_safe("".join(part.fresh_html for part in rows.values()))  # noqa: S308 # parts are escaped
        for name, rows in snapshot.lists.items()
    }


def charts(snapshot: Snapshot) -> dict[str, str]:
    return {name.replace("-", "_"): chart_json(chart.data) for name, chart in snapshot.charts.items()}


def _swapped(request: HttpRequest) -> str:
    """The part of the page that the browser asks for: "main", "list", or "" for all of it."""
    target = request.headers.get("HX-Target", "")
    return target if target in ("main", "list") else ""


async def _session(request: HttpRequest, context: str) -> Session | None:
    """In the cluster of the page; for a page of none, in the first one where the person has an account."""
    try:
        if not context and (cluster := await first_cluster(request)) is not None:
            context = cluster.slug
        return await session_of(request, context) if context else None
    except ClusterError:
        return None


async def _changes(cluster: Cluster) -> dict[str, str]:
    permit = await changes_state(context=cluster.name, server=cluster.server, is_sandbox=cluster.is_sandbox)
    return {"state": permit.state, "words": permit.words, "url": reverse("clusters")}


def _namespaces(request: HttpRequest, cluster: ClusterRuntime) -> dict[str, Any]:
    """Where a choice of namespaces leads, and what it keeps; what there is to choose from is live (``ChromeScreen``)."""
    kept = ("state", "sort", "view", "columns")
    return {
        "action_url": _narrowing_url(request, cluster),
        "keep": [(key, value) for key, value in request.GET.items() if key in kept],
    }


def _narrowing_url(request: HttpRequest, cluster: ClusterRuntime) -> str:
    """Where a choice of namespaces leads: this list, the map, the capacity or the overview; from any other page, to the
    list of its kind.
    """
    match = request.resolver_match
    if match and match.url_name in ("map", "capacity", "timeline"):
        return reverse(match.url_name, args=[cluster.cluster.slug])
    plural = match.kwargs.get("plural") if match else None
    kind = cluster.kinds.get(plural) if plural else None
    if kind is not None and kind.gvr.namespaced:
        return reverse("list", args=[cluster.cluster.slug, plural])
    return reverse("overview", args=[cluster.cluster.slug])


def _nav(sections: list[dict[str, Any]], request: HttpRequest) -> list[dict[str, Any]]:
    match = request.resolver_match
    current = match.kwargs.get("plural") if match else None
    for section in sections:
        for item in (*section["items"], *section["more"]):
            item["current"] = item["plural"] == current
        section["open"] = any(item["current"] for item in section["more"])
    return sections
