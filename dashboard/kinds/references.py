"""Which object a reference means: the kind's name alone does not tell, as a custom kind may have the name of one of
Kubernetes' own. Every reference is read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from .base import Ref

# Kinds that this program has pages for: kind → plural and, after the first dot, group.
_PAGES = {
    "Pod": "pods",
    "Deployment": "deployments.apps",
    "ReplicaSet": "replicasets.apps",
    "StatefulSet": "statefulsets.apps",
    "DaemonSet": "daemonsets.apps",
    "Job": "jobs.batch",
    "CronJob": "cronjobs.batch",
    "Service": "services",
    "Ingress": "ingresses.networking.k8s.io",
    "IngressClass": "ingressclasses.networking.k8s.io",
    "NetworkPolicy": "networkpolicies.networking.k8s.io",
    "EndpointSlice": "endpointslices.discovery.k8s.io",
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers.autoscaling",
    "PodDisruptionBudget": "poddisruptionbudgets.policy",
    "PriorityClass": "priorityclasses.scheduling.k8s.io",
    "ResourceQuota": "resourcequotas",
    "LimitRange": "limitranges",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "PersistentVolume": "persistentvolumes",
    "StorageClass": "storageclasses.storage.k8s.io",
    "ServiceAccount": "serviceaccounts",
    "Role": "roles.rbac.authorization.k8s.io",
    "RoleBinding": "rolebindings.rbac.authorization.k8s.io",
    "ClusterRole": "clusterroles.rbac.authorization.k8s.io",
    "ClusterRoleBinding": "clusterrolebindings.rbac.authorization.k8s.io",
    "Node": "nodes",
    "Namespace": "namespaces",
    "Event": "events",
}
_CLUSTER_WIDE = frozenset(
    {
        "IngressClass", "PriorityClass", "PersistentVolume", "StorageClass", "ClusterRole", "ClusterRoleBinding", "Node",
        "Namespace",
    }
)  # fmt: skip
# Groups that Kubernetes moved kinds out of, and where to (kubernetes.io/docs/reference/using-api/deprecation-guide).
_MOVED = {
    ("extensions", "Deployment"): "apps",
    ("extensions", "ReplicaSet"): "apps",
    ("extensions", "DaemonSet"): "apps",
    ("extensions", "Ingress"): "networking.k8s.io",
    ("extensions", "NetworkPolicy"): "networking.k8s.io",
    ("events.k8s.io", "Event"): "",
}


def group_of(api_version: str) -> str | None:
    """The API group of an apiVersion, "" for the core; None where a reference says none."""
    group, slash, _ = api_version.rpartition("/")
    return (group if slash else "") if api_version else None


def present_group(group: str, kind: str) -> str:
    """Where the kinds of a group are served today."""
    return _MOVED.get((group, kind), group)


def reference(kind: str, namespace: str, name: str, group: str | None = None) -> Ref:
    """A reference from an object of a namespace. Without a group, Kubernetes' own kind of that name is meant."""
    plural, _, own = _PAGES.get(kind, "").partition(".")
    if group is not None:
        group = present_group(group, kind)
        if not plural or group != own:
            return Ref(kind, namespace, name, "", group)
    return Ref(kind, "" if kind in _CLUSTER_WIDE else namespace, name, plural)


class Typed(Protocol):
    """An owner reference, an ObjectReference or a scaleTargetRef."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def api_version(self) -> str: ...


def meant(by: Typed, namespace: str) -> Ref:
    """Which object is meant by a reference that says its apiVersion, from an object of a namespace."""
    return reference(by.kind, namespace, by.name, group_of(by.api_version))


def manifest_meant(by: Mapping[str, Any], namespace: str) -> Ref:
    """The same of a reference as it stands in a manifest."""
    return reference(by.get("kind", ""), namespace, by.get("name", ""), group_of(by.get("apiVersion") or ""))


def kind_title(ref: Ref) -> str:
    """The kind, with its API group where the kind alone would mislead."""
    return f"{ref.kind}.{ref.group}" if ref.group and ref.kind in _PAGES else ref.kind


def title(ref: Ref) -> str:
    """``StatefulSet ring``, or ``StatefulSet.clones.example.com ring``."""
    return f"{kind_title(ref)} {ref.name}"
