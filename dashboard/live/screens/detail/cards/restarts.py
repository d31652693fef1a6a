"""How often containers of a workload were started again, over time."""

from __future__ import annotations

from typing import Any

from dashboard import render
from dashboard.kinds.base import Detail, Kind
from dashboard.live.screens.charts import moment, restarts_chart, restarts_table
from dashboard.live.snapshot import Snapshot

from ..piece import Card

WITH_RESTARTS = frozenset({"deployments", "statefulsets", "daemonsets", "jobs", "cronjobs"})


class RestartsCard(Card):
    side = "cards/restarts.html"
    recorded = False
    plurals = frozenset({"pods", "replicasets", "jobs"})

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural in WITH_RESTARTS

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        screen = self.screen
        seen = screen.visible["pods"]
        if seen.denied is not None or (
            seen.namespaces is not None and screen.namespace not in seen.namespaces
        ):
            return Snapshot()
        restarts = screen.runtime.restarts
        counts = restarts.of(screen.kind.plural, screen.namespace, screen.name)
        head = {
            "total": sum(count for _, count in counts),
            "since": moment(restarts.since) if restarts.since is not None else "",
        }
        return Snapshot(
            regions={
                "restarts-head": render.region("restarts_head", head),
                "chart-table-restarts": restarts_table(counts),
            },
            charts={"restarts": restarts_chart(counts, restarts.since)},
        )
