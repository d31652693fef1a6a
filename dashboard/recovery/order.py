"""In which order objects are written, so that what others need is there before them.

Velero's restore priorities are the anchor: definitions, namespaces, storage, claims, accounts, values, limits, pods,
ReplicaSets, Services, then all else by name. It differs where nothing is lost by it and something is won: network
rules stand before what they are about, roles before what is bound to them, and what acts on others (workloads,
autoscalers, webhooks) comes last: a quota behind what it counts, as a new one refuses everything until the cluster has
counted; a webhook behind everything that it would have a say in (docs/adr/0069).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Placed(Protocol):
    """Whatever says which object it is."""

    @property
    def group(self) -> str: ...
    @property
    def plural(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...


P = TypeVar("P", bound=Placed)

_RBAC, _STORAGE, _SNAPSHOT = "rbac.authorization.k8s.io", "storage.k8s.io", "snapshot.storage.k8s.io"
_FIRST = (
    ("apiextensions.k8s.io", "customresourcedefinitions"), ("", "namespaces"), (_STORAGE, "storageclasses"),
    (_SNAPSHOT, "volumesnapshotclasses"), (_SNAPSHOT, "volumesnapshotcontents"), (_SNAPSHOT, "volumesnapshots"),
    ("scheduling.k8s.io", "priorityclasses"), ("node.k8s.io", "runtimeclasses"), ("networking.k8s.io", "ingressclasses"),
    ("networking.k8s.io", "networkpolicies"), ("", "limitranges"), ("", "persistentvolumes"),
    ("", "persistentvolumeclaims"), ("", "serviceaccounts"), (_RBAC, "clusterroles"), (_RBAC, "roles"),
    (_RBAC, "clusterrolebindings"), (_RBAC, "rolebindings"), ("", "secrets"), ("", "configmaps"),
    ("policy", "poddisruptionbudgets"), ("", "endpoints"), ("discovery.k8s.io", "endpointslices"), ("", "services"),
    ("", "pods"), ("apps", "replicasets"),
)  # fmt: skip
_LAST = (
    ("apps", "daemonsets"), ("apps", "statefulsets"), ("apps", "deployments"), ("batch", "jobs"), ("batch", "cronjobs"),
    ("autoscaling", "horizontalpodautoscalers"), ("networking.k8s.io", "ingresses"), ("", "resourcequotas"),
    ("apiregistration.k8s.io", "apiservices"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
)  # fmt: skip
_RANK = {
    **{what: at - len(_FIRST) for at, what in enumerate(_FIRST)},
    **{what: at + 1 for at, what in enumerate(_LAST)},
}


def rank(group: str, plural: str) -> int:
    """The place of a kind: below 0 before custom objects and whatever else there is, above 0 behind them."""
    return _RANK.get((group, plural), 0)


def in_order(objects: Iterable[P]) -> list[P]:
    """As they are written; two of one rank by kind, namespace and name, so that every run has the same order."""
    return sorted(
        objects,
        key=lambda one: (rank(one.group, one.plural), one.group, one.plural, one.namespace, one.name),
    )
