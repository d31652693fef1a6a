"""What stands beside the form that scales a Deployment: how many there are at this moment."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.http import QueryDict

from dashboard import render
from dashboard.errors import NotFound
from dashboard.insight import rollout_status
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screen import Screen
from dashboard.live.snapshot import Snapshot
from dashboard.queries.access import Visible, visible

from .common import fresh_part, rights_key

# What a preview reads to say what a change of replicas touches.
TOUCHED = frozenset(
    {
        "deployments",
        "replicasets",
        "pods",
        "services",
        "endpointslices",
        "ingresses",
        "horizontalpodautoscalers",
        "poddisruptionbudgets",
        "resourcequotas",
        "nodes",
    }
)


class ScaleScreen(Screen):
    page = "pages/action.html"

    def __init__(
        self, runtime: ClusterRuntime, params: QueryDict, plural: str, namespace: str, name: str
    ) -> None:
        super().__init__(runtime)
        if plural != "deployments":
            raise NotFound("Only Deployments can be scaled here.")
        self.namespace, self.name = namespace, name
        self.visible = Visible()

    @property
    def key(self) -> Hashable:
        return ("scale", self.namespace, self.name, rights_key({"deployments": self.visible}))

    @property
    def plurals(self) -> frozenset[str]:
        return TOUCHED

    async def prepare(self) -> None:
        self.visible = await visible(self.runtime.transport, self.runtime.cache, "deployments")
        if self.visible.denied is not None:
            raise self.visible.denied

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

    def context(self) -> Mapping[str, Any]:
        return {}
