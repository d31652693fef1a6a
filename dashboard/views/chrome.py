"""The frame of a page: cluster, namespaces, kinds, person."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import mark_safe

from dashboard.actions.permits import changes_state
from dashboard.errors import ClusterError
from dashboard.kube.config import Cluster
from dashboard.live.runtime import ClusterRuntime, runtime
from dashboard.live.screens import chrome_screen
from dashboard.live.snapshot import Snapshot
from dashboard.render import chart_json

SOURCES = {
    "kubeconfig": "from {detail}",
    "in-cluster": "the cluster that this dashboard runs in",
    "sandbox": "the sandbox on this machine",
}


def source_words(cluster: Cluster) -> str:
    return SOURCES[cluster.source].format(detail=cluster.source_detail)


async def page_chrome(
    request: HttpRequest, context: str = "", *, title: str = "", live: bool = False
) -> dict[str, Any]:
    """What base.html wants: ``chrome`` and ``r``. Without a cluster that can be opened, the frame stands empty."""
    cluster = _cluster(context)
    user = await request.auser()
    chrome: dict[str, Any] = {
        "only": _swapped(request),
        "query": "",
        "path": request.path,
        "title": f"{title} · {cluster.cluster.name} · Cluster UI" if cluster and title else "Cluster UI",
        "live": live,
        "user": {
            "name": user.get_username() if user.is_authenticated else "",
            "initials": user.get_username()[:2].upper() if user.is_authenticated else "",
            "logout_url": reverse("logout"),
        },
    }
    if cluster is None:
        return {"chrome": chrome, "r": {}}
    slug = cluster.cluster.slug
    frame = chrome_screen(cluster, request.get_full_path())
    namespaces = await _namespaces(request, cluster)
    await frame.prepare()
    shown = frame.context()
    chrome |= {
        "ws_url": f"/ws/c/{slug}/",
        "cluster": {
            "name": cluster.cluster.name,
            "slug": slug,
            "server": cluster.cluster.server,
            "source": cluster.cluster.source,
            "source_words": source_words(cluster.cluster),
            "version": cluster.version,
            "production": cluster.cluster.name in settings.CLUSTER_UI_PRODUCTION,
            "url": reverse("overview", args=[slug]),
        },
        "clusters": [
            {
                "name": each.name,
                "url": reverse("overview", args=[each.slug]),
                "source": each.source,
                "current": each.slug == slug,
            }
            for each in runtime.clusters()
        ],
        "changes": await _changes(cluster.cluster),
        "namespaces": namespaces,
        "query": shown["query"],
        "nav": _nav(shown["sections"], request),
    }
    return {"chrome": chrome, "r": regions(frame.snapshot())}


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


def _cluster(context: str) -> ClusterRuntime | None:
    try:
        if context:
            return runtime.open(context)
        clusters = runtime.clusters()
        return runtime.open(clusters[0].slug) if clusters else None
    except ClusterError:
        return None


async def _changes(cluster: Cluster) -> dict[str, str]:
    permit = await changes_state(context=cluster.name, server=cluster.server, is_sandbox=cluster.is_sandbox)
    return {"state": permit.state, "words": permit.words, "url": reverse("clusters")}


async def _namespaces(request: HttpRequest, cluster: ClusterRuntime) -> dict[str, Any]:
    """The namespaces to choose from: those that are listed, else those that settings or fallback name."""
    chosen = set(request.GET.getlist("namespace")) - {""}
    names = sorted(each.metadata.name for each in cluster.cache.store("namespaces").values(None))
    denied = cluster.cache.denied("namespaces")
    if denied is not None:
        names = sorted(cluster.cache.scopes("pods") or ())
    closed = chosen.difference(names) if denied is not None else frozenset[str]()
    names = sorted({*names, *chosen})
    if not chosen:
        summary = f"All {len(names)}" if names else "All"
    elif len(chosen) == 1:
        summary = next(iter(chosen))
    else:
        summary = f"{len(chosen)} of {len(names)}"
    keep = [(key, value) for key, value in request.GET.items() if key in ("state", "sort", "view", "columns")]
    return {
        "summary": summary,
        "all": not chosen,
        "items": [{"name": name, "checked": name in chosen, "closed": name in closed} for name in names],
        "action_url": _narrowing_url(request, cluster),
        "keep": keep,
        "denied": "You may not list the namespaces of this cluster: these are those that you may look into."
        if denied
        else "",
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
