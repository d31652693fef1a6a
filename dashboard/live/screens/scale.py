"""What stands beside the form that scales a Deployment: how many there are at this moment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dashboard import render
from dashboard.insight import rollout_status
from dashboard.live.snapshot import Snapshot

from .action import ActionScreen
from .common import fresh_part


class ScaleScreen(ActionScreen):
    only = (frozenset({"deployments"}), "Only Deployments can be scaled here.")

    def snapshot(self) -> Snapshot:
        return Snapshot(
            regions={
                "scale-now": render.region("scale_now", self._now()),
                "fresh": fresh_part(self.runtime, {"deployments", "pods"}),
            }
        )

    def _now(self) -> dict[str, Any]:
        reader = self.runtime.reader
        deployment = reader.get("deployments", self.namespace, self.name)
        if deployment is None:
            return {"desired": 0, "ready": 0, "current": 0, "words": "", "gone": True}
        rollout = rollout_status(
            deployment,
            reader.all("replicasets", self.namespace),
            reader.all("pods", self.namespace),
            datetime.now(UTC),
        )
        return {
            "desired": deployment.spec.replicas,
            "ready": deployment.status.ready_replicas or 0,
            "current": deployment.status.replicas or 0,
            "words": rollout.headline,
            "gone": False,
        }
