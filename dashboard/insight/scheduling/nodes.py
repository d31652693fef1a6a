"""Which nodes a pod's node selector, node affinity and tolerations allow, and which can access a volume.

The rules are those of pkg/scheduler/framework/plugins/{nodeaffinity,tainttoleration,nodeunschedulable,volumezone}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dashboard.kinds.nodes import Node, Taint
from dashboard.kinds.persistentvolumes import ZONE_LABELS, PersistentVolume
from dashboard.kinds.podspec import NodeRequirement, NodeSelector, PodSpec, Toleration
from dashboard.kinds.selectors import Requirement

CORDONED = "node.kubernetes.io/unschedulable"

_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!", "Gt": ">", "Lt": "<"}


def takes(node: Node, spec: PodSpec) -> bool:
    """Whether the node's labels and taints allow the pod."""
    return affinity_allows(node, spec) and not any(standing_taints(node, spec))


def standing_taints(node: Node, spec: PodSpec) -> Iterator[Taint]:
    """The taints of a node that keep the pod away; a cordoned node has one even before the node controller sets it."""
    taints = list(node.spec.taints or ())
    if node.spec.unschedulable and all(taint.key != CORDONED for taint in taints):
        taints.append(Taint(key=CORDONED, effect="NoSchedule"))
    for taint in taints:
        tolerated = any(tolerates(one, taint) for one in spec.tolerations or ())
        if taint.effect != "PreferNoSchedule" and not tolerated:
            yield taint


def affinity_allows(node: Node, spec: PodSpec) -> bool:
    """Whether the node's labels are those that the node selector and the node affinity ask for."""
    labels = node.metadata.labels
    if any(labels.get(key) != value for key, value in (spec.node_selector or {}).items()):
        return False
    required = spec.affinity.node_affinity.required if spec.affinity and spec.affinity.node_affinity else None
    return required is None or matches_terms(node, required)


def matches_terms(node: Node, required: NodeSelector) -> bool:
    """Whether a node fulfils one of the terms: the rule of pods' node affinity, and of volumes'."""
    names = {"metadata.name": node.metadata.name}
    return any(
        all(_holds(one, node.metadata.labels) for one in term.match_expressions or ())
        and all(_holds(one, names) for one in term.match_fields or ())
        and bool(term.match_expressions or term.match_fields)
        for term in required.node_selector_terms or ()
    )


def reaches_volume(node: Node, volume: PersistentVolume) -> bool:
    """Whether a node can access a volume: by its node affinity, and by the zones that it is labelled with (volumebinding,
    volumezone). A node without any such label is in a cluster of one zone.
    """
    affinity, labels = volume.spec.node_affinity, node.metadata.labels
    if affinity and affinity.required and not matches_terms(node, affinity.required):
        return False
    zones = volume.zone_labels
    if not zones or ZONE_LABELS.keys().isdisjoint(labels):
        return True
    return all(labels.get(key, labels.get(ZONE_LABELS[key])) in values for key, values in zones.items())


def _holds(requirement: NodeRequirement, labels: Mapping[str, str]) -> bool:
    operator = _OPERATORS.get(requirement.operator)
    values = requirement.values or ()
    return operator is not None and Requirement(requirement.key, operator, values).matches(labels)  # type: ignore[arg-type]


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """``ToleratesTaint`` of k8s.io/api/core/v1/toleration.go."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator == "Exists":
        return True
    return bool(toleration.key) and toleration.value == taint.value
