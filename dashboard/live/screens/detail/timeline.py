"""What happened to the object and to what belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dashboard import render
from dashboard.kinds.base import Detail, Kind
from dashboard.kinds.tablekinds import TableKind
from dashboard.live.screens.moments import MomentReader
from dashboard.live.snapshot import Snapshot
from dashboard.live.timeline import RECORDED
from dashboard.queries.timeline import TimelineQuery

from .events import makes_of
from .piece import Tab

if TYPE_CHECKING:
    from .screen import DetailScreen


class TimelineTab(Tab):
    id = "timeline"
    title = "Timeline"
    template = "tabs/timeline.html"

    def __init__(self, screen: DetailScreen) -> None:
        super().__init__(screen)
        asked = TimelineQuery.read(screen.params)
        query = TimelineQuery(
            namespaces=(screen.namespace,) if screen.namespace else (),
            plural=screen.kind.plural,
            name=screen.name,
            before=asked.before,
        )
        self._before = asked.before
        self._reader = MomentReader(screen.runtime, query, lambda: screen.visible)

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural in RECORDED or isinstance(kind, TableKind)

    @classmethod
    def plurals_of(cls, kind: Kind[Any]) -> frozenset[str]:
        return frozenset(plural for plural in RECORDED)

    @property
    def key(self) -> Any:
        return self._before

    async def prepare(self) -> None:
        if self.screen.last is not None and isinstance(self.screen.kind, TableKind):
            self._reader.about(self.screen.last.metadata.uid)
        await self._reader.read()

    def open(self, changed: Callable[[], None]) -> None:
        super().open(changed)
        self._reader.open(changed)

    def close(self) -> None:
        super().close()
        self._reader.close()

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        state = self._reader.state(
            {"events", self.screen.kind.plural, *makes_of(self.screen.kind.plural)} & RECORDED
        )
        state["older_url"] = f"?before={state['older'].replace('+', '%2B')}" if state["older"] else ""
        return Snapshot(
            regions={"moments-state": render.region("moments_state", state)},
            lists={"moments": self._reader.rows()},
        )

    def context(self) -> Mapping[str, Any]:
        return {"before": self._before.isoformat() if self._before else ""}

    def kubectl(self) -> list[str]:
        screen = self.screen
        return ["get", screen.kind.plural, screen.name, *screen.kubectl_namespace, "--watch"]
