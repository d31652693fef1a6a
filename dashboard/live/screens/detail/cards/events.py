"""The latest Events about the object and what it made; all of them have a tab."""

from __future__ import annotations

from typing import Any

from dashboard.kinds.base import Detail, Kind
from dashboard.live.screens.events import event_rows
from dashboard.live.snapshot import Snapshot

from ..events import events_about, makes_of, no_events
from ..piece import Card

EVENTS = 8


class EventsCard(Card):
    main = "cards/events.html"
    plurals = frozenset({"events"})

    @classmethod
    def plurals_of(cls, kind: Kind[Any]) -> frozenset[str]:
        return cls.plurals | makes_of(kind.plural)

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        found = events_about(self.screen, obj, EVENTS, made=True)
        return Snapshot(
            regions={"events-none": no_events(self.screen)},
            lists={"events": event_rows(self.screen.runtime, found)},
        )
