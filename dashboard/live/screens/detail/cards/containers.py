"""The containers of a pod or of a workload's template."""

from __future__ import annotations

from typing import Any

from dashboard import render
from dashboard.kinds.base import ContainerFact, Detail
from dashboard.live.screens.common import iso, object_url
from dashboard.live.snapshot import Snapshot

from ..piece import Card
from .part import cut, first_of


class ContainersCard(Card):
    main = "cards/containers.html"

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        if not detail.containers:
            return Snapshot()
        shown, rest = first_of(self.screen, detail.containers)
        region = {"containers": [self._container(each) for each in shown], **rest}
        return Snapshot(regions={"containers": render.region("containers", region)})

    def _container(self, each: ContainerFact) -> dict[str, Any]:
        screen = self.screen
        logs = object_url(screen.runtime, "pods", screen.namespace, screen.name, "logs")
        has_logs = screen.kind.plural == "pods"
        return {
            "name": each.name,
            "image": each.image,
            "kind": each.kind,
            "state": each.state,
            "word": each.word,
            "reason": cut(each.reason),
            "ready": each.ready,
            "restarts": each.restarts,
            "ports": cut(", ".join(each.ports)),
            "since": iso(each.since),
            "logs_url": f"{logs}?container={each.name}" if has_logs else "",
            "previous_url": f"{logs}?container={each.name}&previous=1" if has_logs and each.previous else "",
        }
