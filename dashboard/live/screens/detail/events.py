"""The object's Events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dashboard.kinds.base import Detail
from dashboard.live.screens.events import event_rows
from dashboard.live.snapshot import Snapshot
from dashboard.queries.overview import latest_events

from .piece import Tab

if TYPE_CHECKING:
    from .screen import DetailScreen

EVENTS = 50


class EventsTab(Tab):
    id = "events"
    title = "Events"
    template = "tabs/events.html"
    plurals = frozenset({"events"})

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        found = events_about(self.screen, obj, EVENTS)
        return Snapshot(lists={"events": event_rows(self.screen.runtime, found)})

    def kubectl(self) -> list[str]:
        screen = self.screen
        return ["events", "--for", f"{screen.kind.plural}/{screen.name}", *screen.kubectl_namespace]


def events_about(screen: DetailScreen, obj: Any, count: int) -> list[Any]:
    """The latest Events about the object that may be seen."""
    seen = screen.visible["events"]
    if seen.denied is not None:
        return []
    namespaces = frozenset({screen.namespace}) if screen.namespace else seen.namespaces
    # The kubelet reports its node's Events with the node's name as uid.
    uids = [screen.name, obj.metadata.uid] if screen.kind.plural == "nodes" else [obj.metadata.uid]
    found = [
        event
        for uid in dict.fromkeys(uids)
        for event in latest_events(screen.runtime.reader, namespaces, count, involved_uid=uid)
    ]
    return found[:count]
