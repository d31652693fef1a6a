"""How a workload stands: how many of its pods serve, of how many it wants."""

from __future__ import annotations

from typing import Any, NamedTuple

from dashboard.kinds.rows import plural


class Standing(NamedTuple):
    """Numbers of pods (of a DaemonSet: of nodes). ``hangs``: a rollout is under way, and the old pods still serve."""

    ready: int
    wanted: int
    available: int
    hangs: bool = False
    noun: str = "pod"

    @property
    def down(self) -> bool:
        """Nothing is left that serves: what is ready does, although it counts as available only after minReadySeconds."""
        return self.wanted > 0 and not (self.available or self.ready)

    @property
    def words(self) -> str:
        """``has 1 of 3 pods ready``."""
        if self.hangs:
            serving = plural(self.available, f"{self.noun} still serves", f"{self.noun}s still serve")
            return f"is stuck in its rollout, while {serving}"
        if self.noun == "node":
            return f"is ready on {self.ready} of {plural(self.wanted, 'node')}"
        return f"has {self.ready} of {plural(self.wanted, 'pod')} ready"


def standing(kind: str, obj: Any) -> Standing | None:
    """How a workload stands; None for one that does not keep pods running."""
    spec, status = obj.spec, obj.status
    if kind == "deployments":
        rolling = status.updated_replicas < max(status.replicas, spec.replicas)
        hangs = rolling and spec.replicas > 0 and status.available_replicas >= spec.replicas
        return Standing(status.ready_replicas, spec.replicas, status.available_replicas, hangs)
    if kind in ("statefulsets", "replicasets"):
        return Standing(
            status.ready_replicas, spec.replicas, status.available_replicas or status.ready_replicas
        )
    if kind == "daemonsets":
        wanted = status.desired_number_scheduled
        return Standing(status.number_ready, wanted, status.number_available, noun="node")
    return None
