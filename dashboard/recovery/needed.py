"""What an object names that belongs to the whole cluster, and so may be missing in the one that it is restored into: the
object is taken without it, and does not work. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from dashboard.kinds.base import GVR

from .cleaning import Manifest


class Needed(NamedTuple):
    """``then`` is what becomes of the object as long as there is none."""

    gvr: GVR
    kind: str
    name: str
    then: str


_STORAGE = GVR("storage.k8s.io", "v1", "storageclasses", False), "StorageClass"
_PRIORITY = GVR("scheduling.k8s.io", "v1", "priorityclasses", False), "PriorityClass"
_RUNTIME = GVR("node.k8s.io", "v1", "runtimeclasses", False), "RuntimeClass"
_INGRESS = GVR("networking.k8s.io", "v1", "ingressclasses", False), "IngressClass"
_ROLE = GVR("rbac.authorization.k8s.io", "v1", "clusterroles", False), "ClusterRole"
_PENDING, _REFUSED = "it stays Pending", "the API server refuses its pods"


def needed(plural: str, manifest: Manifest) -> list[Needed]:
    """Of a manifest as it is written, each once."""
    return list(dict.fromkeys(each for each in _found(plural, manifest) if each.name))


def _found(plural: str, manifest: Manifest) -> Iterator[Needed]:
    spec = _mapping(manifest, "spec")
    if plural == "persistentvolumeclaims":
        yield Needed(*_STORAGE, _text(spec, "storageClassName"), _PENDING)
    elif plural == "ingresses":
        yield Needed(*_INGRESS, _text(spec, "ingressClassName"), "no controller serves it")
    elif plural in ("rolebindings", "clusterrolebindings"):
        role = _mapping(manifest, "roleRef")
        if role.get("kind") == "ClusterRole":
            yield Needed(*_ROLE, _text(role, "name"), "it grants nothing")
    elif plural == "statefulsets":
        for claim in spec.get("volumeClaimTemplates") or ():
            yield Needed(
                *_STORAGE, _text(_mapping(claim, "spec"), "storageClassName"), "its pods stay Pending"
            )
    job = _mapping(spec, "jobTemplate", "spec")
    for pods in (_mapping(spec, "template", "spec"), _mapping(job, "template", "spec")):
        yield Needed(*_PRIORITY, _text(pods, "priorityClassName"), _REFUSED)
        yield Needed(*_RUNTIME, _text(pods, "runtimeClassName"), _REFUSED)


def _mapping(within: Any, *path: str) -> dict[str, Any]:
    for key in path:
        within = within.get(key) if isinstance(within, dict) else None
    return within if isinstance(within, dict) else {}


def _text(within: dict[str, Any], key: str) -> str:
    found = within.get(key)
    return found if isinstance(found, str) else ""
