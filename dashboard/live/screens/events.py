"""Events as rows of a short list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard import render
from dashboard.kinds.catalogue import kind_named
from dashboard.live.runtime import ClusterRuntime
from dashboard.queries.overview import event_time

from .common import iso, object_url


def event_rows(runtime: ClusterRuntime, events: Sequence[Any]) -> Mapping[str, render.Part]:
    """The rows of an ``events`` list, in the order given."""
    rows = [_event(runtime, event) for event in events]
    return {row["id"]: render.partial("event", row) for row in rows}


def _event(runtime: ClusterRuntime, event: Any) -> dict[str, Any]:
    about = event.involved_object
    kind = kind_named(runtime.kinds, about.api_version, about.kind)
    series = getattr(event, "series", None)
    return {
        "id": f"event-{event.metadata.uid}",
        "state": "warn" if event.type == "Warning" else "ok",
        "type": event.type,
        "reason": event.reason,
        "object": f"{about.kind} {about.name}".strip(),
        "url": object_url(runtime, kind.plural, about.namespace, about.name) if kind and about.name else "",
        "message": event.message.strip(),
        "since": iso(event_time(event)),
        "count": (series.count if series else 0) or event.count or 1,
    }
