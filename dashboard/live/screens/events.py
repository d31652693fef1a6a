"""Events as rows of a short list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard import render
from dashboard.kinds.catalogue import kind_named
from dashboard.kinds.references import meant, title
from dashboard.live.runtime import ClusterRuntime
from dashboard.queries.events import EventGroup

from .common import iso, object_url


def event_rows(runtime: ClusterRuntime, groups: Sequence[EventGroup]) -> Mapping[str, render.Part]:
    """The rows of an ``events`` list, in the order given."""
    rows = [_event(runtime, group) for group in groups]
    return {row["id"]: render.partial("event", row) for row in rows}


def _event(runtime: ClusterRuntime, group: EventGroup) -> dict[str, Any]:
    event = group.latest
    about = event.involved_object
    kind = kind_named(runtime.kinds, about.api_version, about.kind)
    return {
        "id": group.id,
        "state": "warn" if event.type == "Warning" else "ok",
        "type": event.type,
        "reason": event.reason,
        "object": title(meant(about, about.namespace)).strip(),
        "url": object_url(runtime, kind.plural, about.namespace, about.name) if kind and about.name else "",
        "message": event.message.strip(),
        "reporter": event.reporter,
        "since": iso(group.last),
        "first": iso(group.first),
        "count": group.count,
    }
