"""A Deployment's replicas over time."""

from __future__ import annotations

from typing import Any

from dashboard.kinds.base import Detail, Kind
from dashboard.live.screens.charts import replicas_chart, replicas_table
from dashboard.live.snapshot import Snapshot

from ..piece import Card


class ReplicasCard(Card):
    side = "cards/replicas.html"

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural == "deployments"

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        steps = self.screen.runtime.history.of(self.screen.namespace, self.screen.name)
        return Snapshot(
            regions={"chart-table-replicas": replicas_table(steps)},
            charts={"replicas": replicas_chart(steps)},
        )
