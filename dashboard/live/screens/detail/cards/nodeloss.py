"""What the loss of a node does to each pod on it, by colour, icon and word."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from dashboard import render
from dashboard.insight.losing.effects import PLURALS
from dashboard.insight.losing.marks import MARKS, Mark, NodeLoss, node_loss
from dashboard.kinds.base import Detail, Kind
from dashboard.kinds.references import reference
from dashboard.live.screens.common import map_url, ref_url, what_if
from dashboard.live.snapshot import Snapshot
from dashboard.loop import off_loop
from dashboard.queries.frozen import Frozen

from ..piece import Card, Rereading

PODS = 60  # of each mark; the page of resilience tells all


class NodeLossCard(Card):
    main = "cards/nodeloss.html"
    plurals = frozenset(PLURALS)
    recorded = False

    _loss: NodeLoss | None = None
    _told_at = 0.0

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural == "nodes"

    async def prepare(self) -> None:
        await self._tell()

    async def _tell(self) -> None:
        screen = self.screen
        self._told_at = screen.session.reader.changed_at(self.plurals)
        objects = Frozen(screen.session.reader, screen.visible)
        self._loss = await off_loop(node_loss, objects, screen.name, datetime.now(UTC))

    def open(self, changed: Any) -> None:
        super().open(changed)
        self._telling = Rereading(self, self._tell, lambda: self._loss)

    def close(self) -> None:
        super().close()
        self._telling.stop()

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        if self.changed is not None and self.screen.session.reader.changed_at(self.plurals) != self._told_at:
            self._telling.soon()
        return Snapshot(regions={"nodeloss": render.region("nodeloss", self._context())})

    def _context(self) -> dict[str, Any]:
        loss, screen = self._loss, self.screen
        groups = [self._group(mark, loss) for mark in MARKS] if loss is not None else []
        return {
            "known": loss is not None and loss.known,
            "groups": [each for each in groups if each["count"]],
            "map_url": map_url(screen.runtime, query=f"?{urlencode({'lose': screen.name})}"),
            "url": what_if(screen.runtime, "nodes", "", screen.name)["url"],
        }

    def _group(self, mark: Mark, loss: NodeLoss) -> dict[str, Any]:
        pods = loss.of(mark)
        return {
            "state": mark.state,
            "icon": mark.icon,
            "word": mark.word,
            "text": mark.text,
            "count": len(pods),
            "more": max(0, len(pods) - PODS),
            "pods": [
                {
                    "name": pod.metadata.name,
                    "namespace": pod.metadata.namespace,
                    "url": ref_url(
                        self.screen.runtime, reference("Pod", pod.metadata.namespace, pod.metadata.name)
                    ),
                    "why": each.fate.why,
                }
                for each in pods[:PODS]
                for pod in (each.fate.pod,)
            ],
        }
