"""What several screens say in the same way."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

from django.urls import reverse

from dashboard import render, showing
from dashboard.errors import ClusterError, NotFound
from dashboard.insight.ahead.replicas import FITTED
from dashboard.insight.losing.loss import UPDATED
from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind, Ref
from dashboard.kinds.catalogue import kind_in
from dashboard.kinds.references import title
from dashboard.kinds.rows import listed as enumerated
from dashboard.kinds.rows import plural as counted
from dashboard.kube.shell import shell_line
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.session import Sight
from dashboard.live.timeline import RECORDED

# A pod's or ReplicaSet's generated ending: the hash of its template, then its own five letters.
_GENERATED = re.compile(r"(-[bcdf-hj-np-tv-z2456789]{6,10})?(-[bcdf-hj-np-tv-z2456789]{5})$")
_TEMPLATE_HASH = re.compile(r"-[bcdf-hj-np-tv-z2456789]{6,10}$")
_NUMBERED = re.compile(r"-\d{7,}(-[bcdf-hj-np-tv-z2456789]{5})?$")  # a CronJob's Jobs: minutes since 1970


def name_parts(plural: str, name: str) -> tuple[str, str]:
    """The name as people know it and its generated ending, which is muted on screen but never cut."""
    pattern = {"pods": _GENERATED, "replicasets": _TEMPLATE_HASH}.get(plural)
    match = _NUMBERED.search(name) if plural in ("pods", "jobs") else None
    match = match or (pattern.search(name) if pattern else None)
    if match is None or match.start() == 0:
        return name, ""
    return name[: match.start()], name[match.start() :]


def kind_of(runtime: ClusterRuntime, plural: str) -> Kind[Any]:
    """The kind of an address. Raises NotFound for one that the cluster never offered."""
    kind = KINDS.get(plural) or runtime.kinds.get(plural)
    if kind is None:
        raise NotFound(
            f"The API server offers no kind {plural} that can be listed and watched.",
            next_step="Choose one of the kinds at the side. A custom kind is there as long as its definition is; one "
            "that cannot be watched, such as componentstatuses, has no page here: kubectl get shows it.",
        )
    return kind


def list_url(runtime: ClusterRuntime, plural: str, query: str = "") -> str:
    return _list_url(runtime.cluster.slug, plural) + query


@lru_cache(maxsize=1024)
def _list_url(slug: str, plural: str) -> str:
    return reverse("list", args=[slug, plural])


def fields_url(runtime: ClusterRuntime, kind: str = "", api_version: str = "", path: str = "") -> str:
    """The page of a kind's fields, or of the field at a path; without a kind, of the kinds to choose from."""
    if not kind or "/" in kind:
        return reverse("field_kinds", args=[runtime.cluster.slug])
    asked = {"apiVersion": api_version, "path": path}
    query = urlencode({name: text for name, text in asked.items() if text}, safe="/[]*")
    return reverse("fields", args=[runtime.cluster.slug, kind]) + (f"?{query}" if query else "")


def namespace_crumbs(runtime: ClusterRuntime, plural: str, namespace: str) -> list[tuple[str, str]]:
    """The way to the objects of a kind in a namespace; none for a kind without namespaces."""
    return [(namespace, list_url(runtime, plural, f"?namespace={namespace}"))] if namespace else []


def namespaces_words(namespaces: Collection[str]) -> str:
    """ "shop", or "3 namespaces"; "" of a kind without namespaces."""
    names = {each for each in namespaces if each}
    return ", ".join(names) if len(names) < 2 else f"{len(names)} namespaces"


def namespaces_crumbs(
    runtime: ClusterRuntime, plural: str, namespaces: Collection[str]
) -> list[tuple[str, str]]:
    """The same of many objects; from several namespaces it leads to all objects of the kind."""
    words = namespaces_words(namespaces)
    if not words or words in namespaces:
        return namespace_crumbs(runtime, plural, words)
    return [(words, list_url(runtime, plural))]


def object_url(runtime: ClusterRuntime, plural: str, namespace: str, name: str, tab: str = "") -> str:
    url = _detail_url(runtime.cluster.slug, plural, namespace or "-", name)
    return f"{url}{quote(tab)}/" if tab and url else url


@lru_cache(maxsize=8192)  # a map has hundreds of them at every showing
def _detail_url(slug: str, plural: str, namespace: str, name: str) -> str:
    """ "" for what can be no object: Events and references name whatever their writer likes."""
    if not name or "/" in plural + namespace + name:
        return ""
    return reverse("detail", args=[slug, plural, namespace, name])


def ref_url(runtime: ClusterRuntime, ref: Ref | None) -> str:
    """The page of a reference, "" where this program has none."""
    if ref is None:
        return ""
    kind = (
        runtime.kinds.get(ref.plural) if ref.plural else kind_in(runtime.kinds, ref.group or None, ref.kind)
    )
    if kind is None:
        return ""
    return object_url(runtime, kind.plural, ref.namespace if kind.gvr.namespaced else "", ref.name)


def map_url(runtime: ClusterRuntime, ref: Ref | None = None, query: str = "") -> str:
    """The map; of one object and what it is connected to, where one is given."""
    url = reverse("map", args=[runtime.cluster.slug])
    if ref is None:
        return url + query
    focus = "/".join((ref.plural, ref.namespace or "-", ref.name))
    return f"{url}?{urlencode({'focus': focus}, safe='/')}"


_WHAT_IF = {
    "nodes": ("node", "What if it is lost?"),
    "pods": ("pod", "What if it is lost?"),
    "persistentvolumeclaims": ("claim", "What if its volume is lost?"),
    **{plural: (f"update/{plural}", "What if it is updated?") for plural in UPDATED},
}


def what_if(runtime: ClusterRuntime, plural: str, namespace: str, name: str) -> dict[str, str]:
    """Where the loss of an object, or its update, is worked out; {} for what can't be lost by itself."""
    if plural not in _WHAT_IF:
        return {}
    what, words = _WHAT_IF[plural]
    loss = "/".join(filter(None, (what, namespace, name)))
    return {
        "words": words,
        "url": f"{reverse('resilience', args=[runtime.cluster.slug])}?{urlencode({'lose': loss}, safe='/')}",
    }


def span_words(seconds: float) -> str:
    """How long that is: ``40 minutes``, ``30 hours``, ``10 days``."""
    if seconds < 5400:
        return counted(max(1, round(seconds / 60)), "minute")
    hours = round(seconds / 3600)
    return counted(hours, "hour") if hours < 48 else counted(round(hours / 24), "day")


def fit_url(runtime: ClusterRuntime, plural: str, namespace: str, name: str) -> str:
    """Where it is told how many more replicas of a workload fit; "" for what is none."""
    if plural not in FITTED:
        return ""
    query = urlencode({"fit": f"{plural}/{namespace}/{name}"}, safe="/")
    return f"{reverse('capacity', args=[runtime.cluster.slug])}?{query}"


def links_after(
    runtime: ClusterRuntime,
    plural: str,
    namespace: str,
    name: str,
    *,
    owners: Iterable[Ref] = (),
    replacement: Ref | None = None,
) -> list[dict[str, str]]:
    """Where to go on from an object that was deleted: what replaced it, its owners, its list, what happened to it."""
    kind = kind_of(runtime, plural)
    where = [("namespace", namespace)] if namespace else []
    links = []
    if replacement is not None:
        links.append((f"Replaced by {replacement.name}", ref_url(runtime, replacement)))
    links += [(title(owner), ref_url(runtime, owner)) for owner in owners]
    in_words = f" in {namespace}" if namespace else ""
    query = f"?{urlencode(where)}" if where else ""
    links.append((f"{kind.title}{in_words}", list_url(runtime, plural, query)))
    if plural in RECORDED:
        timeline = reverse("timeline", args=[runtime.cluster.slug])
        links.append(("Timeline", f"{timeline}?{urlencode([*where, ('kind', plural), ('q', name)])}"))
    return [{"text": text, "url": url} for text, url in links if url]


def rollout_command(kind: str, namespace: str, name: str, present: Any) -> str:
    """The command that follows a workload's rollout; "" where kubectl refuses to: its pods wait to be deleted, or it is
    not there.
    """
    if present is None:
        return ""
    strategy = getattr(present.spec, "update_strategy", None)
    if strategy is not None and strategy.type == "OnDelete":
        return ""
    return shell_line(["kubectl", "rollout", "status", f"{kind.lower()}/{name}", "-n", namespace])


def iso(moment: datetime | None) -> str:
    return moment.isoformat().replace("+00:00", "Z") if moment else ""


def fresh_part(sight: Sight, plurals: Iterable[str]) -> render.Part:
    """The freshness badge for a screen that shows these kinds: the worst of their watches decides."""
    return render.region("fresh", freshness(sight, plurals))


_ORDER = {"stopped": 0, "reconnecting": 1, "behind": 2, "starting": 3, "live": 4}


def freshness(sight: Sight, plurals: Iterable[str]) -> dict[str, Any]:
    """One of the four words of the design, the last change, and why when it is not live; of a moment in
    the past "past", and which it is.

    A kind that may not be listed says so on the screen itself and does not make the rest stale.
    """
    if (moment := showing.moment()) is not None:
        return {"state": "past", "since": iso(moment), "reason": ""}
    reader = sight.reader
    wanted = [plural for plural in plurals if reader.may_see(plural)]
    changes = [change for plural in wanted if (change := reader.last_change(plural)) is not None]
    since = max(changes, default=None)
    if not wanted:
        return {"state": "stopped", "since": iso(since), "reason": "You may not watch what this page shows."}
    worst = min(map(reader.status, wanted), key=lambda status: _ORDER[status.state])
    # A first list under way is shown as reconnecting: there is nothing yet that could be called live.
    state = "reconnecting" if worst.state == "starting" else worst.state
    return {"state": state, "since": iso(since), "reason": worst.reason}


def listed(sight: Sight, plural: str) -> bool:
    """Whether a kind's rows are known: all were read at least once, be it before the connection was lost."""
    return sight.reader.listed(plural)


def unlisted(sight: Sight, plurals: Iterable[str]) -> list[str]:
    """The kinds of which nothing is known, though they may be seen, best known first. None of them is empty."""
    wanted = frozenset(plurals)
    return [
        plural
        for plural in KINDS
        if plural in wanted and sight.reader.may_see(plural) and not listed(sight, plural)
    ]


def not_known(sight: Sight, plurals: Iterable[str]) -> str:
    """The same in a sentence with the reason; "" when all of them are known."""
    missing = unlisted(sight, plurals)
    if not missing:
        return ""
    titles = enumerated([KINDS[plural].title for plural in missing], "more kinds")
    failure = next((error for plural in missing if (error := unreachable(sight, plural))), None)
    return f"{titles} could not be read: {failure.message}" if failure else f"{titles} are still being read."


def not_read(sight: Sight, plurals: Iterable[str]) -> str:
    """The same of those alone whose reading has failed: on a page that does not wait for the others."""
    return not_known(sight, [plural for plural in plurals if unreachable(sight, plural)])


def not_told(sight: Sight, plurals: Iterable[str]) -> str:
    """The same, or that some of the kinds may not be listed: why a page can't say that there is none of them."""
    wanted = list(plurals)
    if missing := not_known(sight, wanted):
        return missing
    refused = [KINDS[plural].title for plural in wanted if not sight.reader.may_see(plural)]
    return f"You may not list {enumerated(refused, 'more kinds')}." if refused else ""


def none_part(key: str, text: str, *, known: bool = True, icon: str = "empty") -> render.Part:
    """What stands under a list that is empty: that there are none, or that this is not known."""
    return render.region("none", {"id": key, "text": text, "icon": icon if known else "plug"})


def unreachable(sight: Sight, plural: str) -> ClusterError | None:
    """Why a kind has no rows yet, when its first list failed."""
    return sight.reader.failure(plural)
