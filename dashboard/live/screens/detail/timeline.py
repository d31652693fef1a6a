"""What happened to the object and to what belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from dashboard import render
from dashboard.kinds.base import Detail, Kind
from dashboard.live.screens.common import not_read
from dashboard.live.screens.timeline_entries import TimelineReader
from dashboard.live.snapshot import Snapshot
from dashboard.live.timeline import RECORDED
from dashboard.queries.timeline import CHANGE_WORDS, TimelineQuery

from .events import makes_of
from .piece import Tab

if TYPE_CHECKING:
    from .screen import DetailScreen


class TimelineTab(Tab):
    id = "timeline"
    title = "Timeline"
    template = "tabs/timeline.html"
    recorded = False  # it is about the present, and has what was before in it

    def __init__(self, screen: DetailScreen) -> None:
        super().__init__(screen)
        asked = TimelineQuery.read(screen.params)
        query = TimelineQuery(
            namespaces=(screen.namespace,) if screen.namespace else (),
            plural=screen.kind.plural,
            name=screen.name,
            type=asked.type,
            before=asked.before,
        )
        self._type, self._before = asked.type, asked.before
        self._reader = TimelineReader(screen.session, query)

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural in RECORDED or kind.discovered

    @classmethod
    def plurals_of(cls, kind: Kind[Any]) -> frozenset[str]:
        return frozenset(plural for plural in RECORDED)

    @property
    def key(self) -> Any:
        return self._type, self._before

    async def prepare(self) -> None:
        if self.screen.last is not None and self.screen.kind.discovered:
            self._reader.about(self.screen.last.metadata.uid)
        await self._reader.read()

    def open(self, changed: Callable[[], None]) -> None:
        super().open(changed)
        self._reader.open(changed)

    def close(self) -> None:
        super().close()
        self._reader.close()

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        state = self._reader.state(self._wanted)
        state["unknown"] = not_read(self.screen.session, self._wanted)
        state["older_url"] = self._url(before=state["older"]) if state["older"] else ""
        if not self._type:
            state["everything_url"] = self._url(type="all")
        return Snapshot(
            regions={"moments-state": render.region("moments_state", state)},
            lists={"moments": self._reader.rows()},
        )

    @property
    def _wanted(self) -> frozenset[str]:
        """The kinds that it tells of."""
        plural = self.screen.kind.plural
        return frozenset({"events", plural, *makes_of(plural)}) & RECORDED

    def context(self) -> Mapping[str, Any]:
        return {
            "before": self._before.isoformat() if self._before else "",
            "newest_url": self._url(),
            "types": [
                {"id": type_, "word": word, "url": self._url(type=type_), "current": self._type == type_}
                for type_, word in CHANGE_WORDS.items()
            ],
        }

    def _url(self, **changes: str) -> str:
        """The address of this tab with another type, or of what was before a moment."""
        pairs = {"type": self._type} | changes
        return f"?{urlencode({key: value for key, value in pairs.items() if value})}"

    def kubectl(self) -> list[str]:
        screen = self.screen
        return ["get", screen.kind.plural, screen.name, *screen.kubectl_namespace, "--watch"]
