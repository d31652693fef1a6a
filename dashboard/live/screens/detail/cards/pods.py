"""The pods of a workload, behind a Service, or on a Node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dashboard.kinds import KINDS
from dashboard.kinds.base import Column, Detail, Kind, Row
from dashboard.live.screens.common import none_part, not_known
from dashboard.live.screens.measured import Measured
from dashboard.live.screens.rowparts import RowParts
from dashboard.live.snapshot import Snapshot
from dashboard.queries.lists import MEASURED, RANK, measured_columns, shown_columns
from dashboard.queries.relations import pods_of

from ..piece import Card

if TYPE_CHECKING:
    from ..screen import DetailScreen

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

    def __init__(self, screen: DetailScreen) -> None:
        super().__init__(screen)
        self.measured = Measured(screen.session, "pods")
        self.parts = RowParts(screen.runtime, "pods", self.measured)

    async def prepare(self) -> None:
        await self.measured.prepare(self.screen.visible["pods"])

    def open(self, changed: Callable[[], None]) -> None:
        super().open(changed)
        self.measured.open(changed)

    def close(self) -> None:
        super().close()
        self.measured.close()

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        if not self._may_see:
            return Snapshot()
        rows, columns = self._rows(obj), self._columns
        missing = not_known(self.screen.session, self.plurals)
        return Snapshot(
            regions={"pods-none": none_part("pods-none", missing or "No pods.", known=not missing)},
            lists={"pods": self.parts.of(rows, columns)},
            charts={"pods-usage": self.measured.values(rows, columns)},
        )

    @property
    def _may_see(self) -> bool:
        return self.screen.visible["pods"].denied is None

    def _rows(self, obj: Any) -> list[Row]:
        reader = self.screen.session.reader
        rows = [reader.row("pods", pod) for pod in pods_of(reader, self.screen.kind.plural, obj)]
        rows.sort(key=lambda row: (RANK[row.state], row.namespace, row.name))
        return rows[:PODS]

    @property
    def _columns(self) -> tuple[Column, ...]:
        on_node = self.screen.kind.plural == "nodes"
        wanted = {"name", "namespace", "ready", "status", "restarts", "age"}
        wanted |= {column.key for column in MEASURED["pods"]}
        wanted |= set() if on_node else {"ip", "node"}
        columns = measured_columns(KINDS["pods"], shown_columns(KINDS["pods"], namespace=on_node))
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
