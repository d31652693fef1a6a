"""Who manages an object: its controller, as the object that it is and not another one of that kind or name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dashboard.kinds.base import Ref
from dashboard.kinds.meta import OwnerReference
from dashboard.kinds.references import meant

from .protocols import Objects

WORKLOADS = frozenset({"deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs"})
# What an owner reference means, seen from a namespace.
Refer = Callable[[OwnerReference, str], Ref]


def controller(objects: Objects, obj: Any, refer: Refer = meant) -> tuple[Ref | None, Any | None]:
    """An object's controller, and the object itself where it is here.

    One that was deleted while another took its name is nobody: the garbage collector is about to delete what it made.
    """
    owner = obj.metadata.controller
    if owner is None:
        return None, None
    ref = refer(owner, obj.metadata.namespace)
    found = objects.get(ref.plural, ref.namespace, ref.name) if ref.plural else None
    if found is not None and owner.uid and found.metadata.uid != owner.uid:
        return None, None
    return ref, found


def controllers(objects: Objects, obj: Any, refer: Refer = meant) -> list[Ref]:
    """The controllers above an object, the nearest first: the one that it names, and those above as far as ``objects``
    has those below them.
    """
    found: list[Ref] = []
    seen: set[str] = set()
    while obj is not None and (owner := obj.metadata.controller) is not None:
        seen.add(obj.metadata.uid)
        above, obj = controller(objects, obj, refer)
        if above is None or owner.uid in seen:
            break  # nothing can own itself, but anybody can write so
        found.append(above)
    return found


def workload_above(above: Sequence[Ref]) -> Ref | None:
    """Of an object's controllers the topmost that is a workload of Kubernetes' own, as a person would name it: the
    Deployment above a ReplicaSet, the CronJob above a Job.
    """
    return next((ref for ref in reversed(above) if ref.plural in WORKLOADS), None)


def pod_owner(objects: Objects, pod: Any) -> Ref:
    """The workload above a pod, else its controller of any kind (what an operator made is shown as what it is), or the
    pod itself.
    """
    if above := controllers(objects, pod):
        return workload_above(above) or above[0]
    return Ref("Pod", pod.metadata.namespace, pod.metadata.name, "pods")


def belongs(obj: Any) -> bool:
    """Whether a workload of Kubernetes' own manages an object, and so speaks for it; an operator's kind does not."""
    owner = obj.metadata.controller
    return owner is not None and meant(owner, obj.metadata.namespace).plural in WORKLOADS
