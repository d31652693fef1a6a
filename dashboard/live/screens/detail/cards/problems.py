"""What is wrong with the object, by the rules of ``insight``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dashboard.insight import findings_for
from dashboard.kinds import KINDS
from dashboard.kinds.base import Detail, Kind
from dashboard.live.screens.problems import problem_rows
from dashboard.live.snapshot import Snapshot

from ..piece import Card


class ProblemsCard(Card):
    main = "cards/problems.html"
    plurals = frozenset(
        {"pods", "deployments", "replicasets", "events", "services", "endpointslices", "ingresses", "nodes"}
    )

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural in KINDS  # no rule is about another

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        screen = self.screen
        reader = screen.runtime.reader
        found = findings_for(reader, screen.kind.plural, screen.namespace, screen.name, datetime.now(UTC))
        return Snapshot(lists={"problems": problem_rows(screen.runtime, found)})
