"""What somebody asks about: a node, a zone, a pod, a claim with its volume, or the update of a workload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dashboard.insight.protocols import Objects
from dashboard.kinds.base import Ref
from dashboard.kinds.references import reference

What = Literal["node", "zone", "pod", "claim", "update"]

ZONE = "topology.kubernetes.io/zone"
FORMS = "node/NAME, zone/NAME, pod/NAMESPACE/NAME, claim/NAMESPACE/NAME or update/KIND/NAMESPACE/NAME"
# The kinds whose pods a new pod template replaces.
UPDATED = {"deployments": "Deployment", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet"}
_WHAT: dict[str, What] = {"persistentvolumeclaims": "claim", "pods": "pod"}
_PARTS: dict[str, int] = {"node": 1, "zone": 1, "pod": 2, "claim": 2, "update": 3}


class LossError(ValueError):
    """What was asked about is no loss; the message says how one is written."""


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing that fails, or is updated. ``plural`` is that of an updated workload, else ""."""

    what: What
    name: str
    namespace: str = ""
    plural: str = ""

    def __str__(self) -> str:
        """As it stands in an address."""
        return "/".join(filter(None, (self.what, self.plural, self.namespace, self.name)))

    @property
    def title(self) -> str:
        """In words: "node worker-1", "the volume of claim data in shop"."""
        inside = f" in {self.namespace}" if self.namespace else ""
        match self.what:
            case "update":
                return f"the update of {UPDATED[self.plural]} {self.name}{inside}"
            case "claim":
                return f"the volume of claim {self.name}{inside}"
        return f"{self.what} {self.name}{inside}"

    @property
    def ref(self) -> Ref | None:
        """The object itself; None for a zone, which is a label."""
        match self.what:
            case "node":
                return reference("Node", "", self.name)
            case "pod":
                return reference("Pod", self.namespace, self.name)
            case "claim":
                return reference("PersistentVolumeClaim", self.namespace, self.name)
            case "update":
                return reference(UPDATED[self.plural], self.namespace, self.name)
        return None


def named_losses(objects: Objects, name: str) -> tuple[Loss, ...]:
    """What may be meant by a name alone: a node, a zone, a claim, a workload, a pod, in this order; by NAMESPACE/NAME
    those in that namespace.
    """
    namespace, _, name = name.rpartition("/")
    found = [Loss("node", name)] if not namespace and objects.get("nodes", "", name) is not None else []
    if not namespace and any(node.metadata.labels.get(ZONE) == name for node in objects.all("nodes")):
        found.append(Loss("zone", name))
    for plural in ("persistentvolumeclaims", *UPDATED, "pods"):
        for obj in objects.all(plural, namespace or None):
            if obj.metadata.name == name:
                what: What = (
                    "claim" if plural == "persistentvolumeclaims" else "pod" if plural == "pods" else "update"
                )
                found.append(Loss(what, name, obj.metadata.namespace, plural if what == "update" else ""))
    return tuple(found)


def read_loss(text: str) -> Loss:
    """A loss as an address names it. Raises LossError."""
    what, *parts = text.split("/")
    if what not in _PARTS or len(parts) != _PARTS[what] or not all(parts):
        raise LossError(f"{text!r} is not a loss: write {FORMS}.")
    if what == "update":
        plural, namespace, name = parts
        if plural not in UPDATED:
            raise LossError(f"{plural!r} has no rollout: an update is one of {', '.join(UPDATED)}.")
        return Loss("update", name, namespace, plural)
    namespace = parts[0] if len(parts) == 2 else ""
    return Loss(what, parts[-1], namespace)  # type: ignore[arg-type] # one of _PARTS
