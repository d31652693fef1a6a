"""The facts of the object's kind."""

from __future__ import annotations

from typing import Any

from dashboard import render
from dashboard.kinds.base import Detail
from dashboard.live.screens.common import iso
from dashboard.live.snapshot import Snapshot

from ..piece import Card
from .part import cut, first_of, url_of


class FactsCard(Card):
    side = "cards/facts.html"

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        shown, rest = first_of(self.screen, detail.facts)
        facts = [
            {
                "label": fact.label,
                "value": cut(fact.value),
                "note": cut(fact.note),
                "url": url_of(self.screen, fact.link),
                "since": iso(fact.since),
                "paren": fact.label == "Restarts",
            }
            for fact in shown
        ]
        return Snapshot(regions={"facts": render.region("facts", {"facts": facts, **rest})})
