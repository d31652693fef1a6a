"""What several screens say in the same way."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

from django.urls import reverse

from dashboard import render
from dashboard.errors import ClusterError, NotFound
from dashboard.kinds import KINDS
from dashboard.kinds.base import Cell, Column, Kind, Ref, Row
from dashboard.kinds.catalogue import kind_named
from dashboard.live.runtime import ClusterRuntime
from dashboard.queries.access import Visible, visible
from dashboard.queries.lists import MEASURED, cell, label_of
from dashboard.queries.reader import JUDGED_BY

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
    return reverse("list", args=[runtime.cluster.slug, plural]) + query


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
    kind = runtime.kinds.get(ref.plural) if ref.plural else kind_named(runtime.kinds, "", ref.kind)
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


def iso(moment: datetime | None) -> str:
    return moment.isoformat().replace("+00:00", "Z") if moment else ""


def row_part(
    runtime: ClusterRuntime,
    plural: str,
    row: Row,
    columns: Sequence[Column],
    measured: Mapping[str, str] = {},
) -> render.Part:
    """A list's row. Its facts are the row itself: made once per version of the object.

    ``measured`` cells, by column, are no facts: they change all the time, and come by themselves.
    """
    labels = tuple(cell(row, column).text for column in columns if label_of(column.key) is not None)
    keys = tuple(column.key for column in columns)
    return render.partial(
        "row",
        row_context(runtime, plural, row, columns, measured),
        (row.uid, row.cells, row.state, row.reason, keys, labels),
    )


def row_context(
    runtime: ClusterRuntime,
    plural: str,
    row: Row,
    columns: Sequence[Column],
    measured: Mapping[str, str] = {},
) -> dict[str, Any]:
    head, tail = name_parts(plural, row.name)
    # Where the state is judged from other objects, it stands beside the name: no cell of its own says it.
    kind = runtime.kinds[plural]
    status = None if plural in JUDGED_BY else kind.status_column
    cells = []
    for column in columns:
        quiet = column in MEASURED.get(plural, ())
        at = Cell(measured.get(column.key, "")) if quiet else cell(row, column)
        on_node = column.key == "node" and at.text != "<none>"
        cells.append(
            {
                "key": column.key,
                "text": at.text,
                "form": at.form,
                "since": at.since,
                "num": column.num,
                "quiet": quiet,
                "wide": column.wide,
                "kind": _cell_kind(kind, column.key, at.text, status, row.state),
                "url": object_url(runtime, "nodes", "", at.text)
                if on_node
                else _involved_url(runtime, row.namespace, at.text)
                if (plural, column.key) == ("events", "object")
                else "",
            }
        )
    return {
        "row": {
            "id": f"row-{row.uid}",
            "uid": row.uid,
            "namespace": row.namespace,
            "namespaced": kind.gvr.namespaced,
            "name": row.name,
            "head": head,
            "tail": tail,
            "url": object_url(runtime, plural, row.namespace, row.name),
            "state": row.state,
            "reason": row.reason,
            # Not among the facts that are hashed: it tells of them.
            "changed": iso(runtime.timeline.changed_at(row.uid)),
            "has_status": status is not None,
            "cells": cells,
        }
    }


def _cell_kind(kind: Kind[Any], key: str, text: str, status: str | None, state: str) -> str:
    """What a cell is. A status word that means nothing here stands without a mark, unless the row has one to show."""
    if key == "name":
        return "name"
    return "status" if key == status and (state != "ok" or kind.judges(text)) else "text"


def _involved_url(runtime: ClusterRuntime, namespace: str, words: str) -> str:
    """The page of what an Event is about, out of kubectl's ``pod/web-1``; "" where this program has none."""
    kind, _, name = words.partition("/")
    found = next((each for each in runtime.kinds.values() if each.kind.lower() == kind), None)
    if found is None or not name:
        return ""
    return object_url(runtime, found.plural, namespace if found.gvr.namespaced else "", name)


def fresh_part(runtime: ClusterRuntime, plurals: Iterable[str]) -> render.Part:
    """The freshness badge for a screen that shows these kinds: the worst of their watches decides."""
    return render.region("fresh", freshness(runtime, plurals))


_ORDER = {"stopped": 0, "reconnecting": 1, "behind": 2, "starting": 3, "live": 4}


def freshness(runtime: ClusterRuntime, plurals: Iterable[str]) -> dict[str, Any]:
    """One of the four words of the design, the last change, and why when it is not live.

    A kind that may not be listed says so on the screen itself and does not make the rest stale.
    """
    wanted = list(plurals)
    statuses = [runtime.cache.status(plural) for plural in wanted if runtime.cache.denied(plural) is None]
    changes = [change for plural in wanted if (change := runtime.cache.store(plural).last_change) is not None]
    since = max(changes, default=None)
    if not statuses:
        return {"state": "stopped", "since": iso(since), "reason": "You may not watch what this page shows."}
    worst = min(statuses, key=lambda status: _ORDER[status.state])
    # A first list under way is shown as reconnecting: there is nothing yet that could be called live.
    state = "reconnecting" if worst.state == "starting" else worst.state
    return {"state": state, "since": iso(since), "reason": worst.reason}


async def visibility(runtime: ClusterRuntime, plurals: Iterable[str]) -> dict[str, Visible]:
    """Where the user may see each of these kinds."""
    names = sorted(plurals)
    answers = await asyncio.gather(*(visible(runtime.transport, runtime.cache, name) for name in names))
    return dict(zip(names, answers, strict=True))


def rights_key(seen: Mapping[str, Visible]) -> Hashable:
    """Rights as part of a screen's key: whoever may see the same shares what is rendered, nobody else."""
    return tuple((plural, each.namespaces, each.denied is None) for plural, each in sorted(seen.items()))


def listed(runtime: ClusterRuntime, plural: str) -> bool:
    """Whether a kind's rows are known: it is live, or what was listed before the connection was lost is still there."""
    return runtime.cache.status(plural).state == "live" or len(runtime.cache.store(plural)) > 0


def unreachable(runtime: ClusterRuntime, plural: str) -> ClusterError | None:
    """Why a kind has no rows yet, when its first list failed."""
    status = runtime.cache.status(plural)
    return status.error if status.state in ("reconnecting", "stopped") else None
