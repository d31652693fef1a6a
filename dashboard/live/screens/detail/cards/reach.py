"""A Service in plain words: what stays, what changes behind it, how to reach it."""

from __future__ import annotations

from typing import Any

from dashboard import render
from dashboard.insight.reach import Way, reach_of
from dashboard.kinds.base import Detail, Kind
from dashboard.live.snapshot import Snapshot

from ..piece import Card
from .part import url_of


class ReachCard(Card):
    main = "cards/reach.html"
    plurals = frozenset({"endpointslices", "ingresses", "nodes"})

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural == "services"

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        found = reach_of(self.screen.session.reader, obj)
        facts = {"sentences": found.sentences, "ways": [self._way(each) for each in found.ways]}
        return Snapshot(regions={"reach": render.region("reach", facts)})

    def _way(self, way: Way) -> dict[str, Any]:
        return {
            "from": way.from_,
            "address": way.address,
            "note": way.note,
            "by": f"{way.ref.kind} {way.ref.name}" if way.ref else "",
            "url": url_of(self.screen, way.ref),
        }
