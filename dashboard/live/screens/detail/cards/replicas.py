"""A workload's replicas over time."""

from __future__ import annotations

from typing import Any

from dashboard.kinds.base import Detail, Kind
from dashboard.live.history import COUNTS
from dashboard.live.screens.charts import replicas_chart, replicas_table
from dashboard.live.snapshot import Snapshot

from ..piece import Card


class ReplicasCard(Card):
    side = "cards/replicas.html"
    recorded = False

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural in COUNTS

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        screen = self.screen
        steps = screen.runtime.history.of(screen.namespace, screen.name, screen.kind.plural)
        return Snapshot(
            regions={"chart-table-replicas": replicas_table(steps)},
            charts={"replicas": replicas_chart(steps)},
        )
