"""The pods of a workload, behind a Service, or on a Node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboard import render
from dashboard.kinds import KINDS
from dashboard.kinds.base import Column, Detail, Kind
from dashboard.live.screens.common import row_part
from dashboard.live.snapshot import Snapshot
from dashboard.queries.lists import RANK, shown_columns
from dashboard.queries.relations import pods_of

from ..piece import Card

PODS = 100
WITH_PODS = frozenset(
    {"deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "services", "nodes"}
)
TITLES = {"services": "Pods behind it", "nodes": "Pods on it"}


class PodsCard(Card):
    main = "cards/pods.html"
    plurals = frozenset({"pods", "replicasets"})

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural in WITH_PODS

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        return Snapshot(lists={"pods": self._rows(obj)} if self._may_see else {})

    @property
    def _may_see(self) -> bool:
        return self.screen.visible["pods"].denied is None

    def _rows(self, obj: Any) -> Mapping[str, render.Part]:
        runtime = self.screen.runtime
        seen = self.screen.visible["pods"].namespaces
        rows = [
            runtime.reader.row("pods", pod)
            for pod in pods_of(runtime.reader, self.screen.kind.plural, obj)
            if seen is None or pod.metadata.namespace in seen
        ]
        rows.sort(key=lambda row: (RANK[row.state], row.namespace, row.name))
        columns = self._columns
        return {f"row-{row.uid}": row_part(runtime, "pods", row, columns) for row in rows[:PODS]}

    @property
    def _columns(self) -> tuple[Column, ...]:
        on_node = self.screen.kind.plural == "nodes"
        wanted = {"name", "namespace", "ready", "status", "restarts", "age"}
        wanted |= set() if on_node else {"ip", "node"}
        columns = shown_columns(KINDS["pods"], namespace=on_node)
        return tuple(column for column in columns if column.key in wanted)

    def context(self) -> Mapping[str, Any]:
        status = KINDS["pods"].status_column
        return {
            "pods_title": TITLES.get(self.screen.kind.plural, "Pods"),
            "pod_columns": [
                {
                    "key": column.key,
                    "title": column.title,
                    "num": column.num,
                    "help": column.help,
                    "status": column.key == status,
                }
                for column in self._columns
            ]
            if self._may_see
            else [],
        }
