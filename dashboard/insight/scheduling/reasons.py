"""Why a pod can't be scheduled: each node's own reasons, from its labels, taints, volumes, the requests on it, and
the pods that have a node.

The scheduler tells how many nodes refuse for which reason, not which (kubernetes/kubernetes,
pkg/scheduler/framework/types.go: FitError); this tells the rest. Of a node against which
nothing is known here, it says what the scheduler's own message has besides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal

from dashboard.insight.capacity import Amounts, amounts, pod_amounts
from dashboard.insight.finding import Evidence
from dashboard.insight.observed import Observed
from dashboard.kinds.base import Ref
from dashboard.kinds.meta import find_condition
from dashboard.kinds.nodes import Node
from dashboard.kinds.persistentvolumes import PersistentVolume
from dashboard.kinds.pods import Pod
from dashboard.kinds.podspec import PodSpec
from dashboard.kinds.podwords import causes
from dashboard.kinds.rows import listed

from .nodes import matches_terms, reaches_volume, standing_taints
from .other_pods import KEPT_AWAY, NO_PORT, NOT_APART, NOT_SPREAD, NOT_WITH, ONE_POD, OtherPods
from .room import asked_on_nodes

LINES = 12  # nodes told one by one; more are told together where their reasons are alike

# Taints that the cluster itself sets (kubernetes.io/docs/reference/labels-annotations-taints).
_TAINTS = {
    "node.kubernetes.io/not-ready": "is not ready",
    "node.kubernetes.io/unreachable": "does not answer",
    "node.kubernetes.io/unschedulable": "is cordoned",
    "node.kubernetes.io/memory-pressure": "has memory pressure",
    "node.kubernetes.io/disk-pressure": "has disk pressure",
    "node.kubernetes.io/pid-pressure": "has PID pressure",
    "node.kubernetes.io/network-unavailable": "has no network",
    "node.cloudprovider.kubernetes.io/uninitialized": "is not initialized by the cloud provider yet",
    "node-role.kubernetes.io/control-plane": "is reserved for the control plane",
    "node-role.kubernetes.io/master": "is reserved for the control plane",
}


# How the scheduler's message begins with what is reckoned here.
_RECKONED = (
    "node(s) had untolerated taint", "node(s) were unschedulable", "node(s) didn't match Pod's node affinity/selector",
    "node(s) had volume node affinity conflict", "node(s) didn't match PersistentVolume's node affinity",
    "node(s) had no available volume zone", ONE_POD,
    "Insufficient ", "Too many pods",
    *(f"node(s) {words}" for words in (NO_PORT, NOT_WITH, NOT_APART, KEPT_AWAY, NOT_SPREAD)),
)  # fmt: skip


def node_by_node(survey: Observed, pod: Pod) -> tuple[Evidence, ...]:
    """Why each node does not take the pod; nodes with the same reasons together when there are many."""
    nodes: Sequence[Node] = survey.all("nodes")
    # Of every namespace: they all share the nodes.
    asked = asked_on_nodes(survey.objects.all("pods"))
    reach, others = list(survey.volumes_of(pod)), OtherPods(survey, pod, nodes)
    all_known, many = survey.reads("pods"), len(nodes) > LINES
    why: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, node in sorted({node.metadata.name: node for node in nodes}.items()):
        room = _room(node, pod.spec, asked.get(name, {}) if all_known else None, rough=many)
        reasons = (
            *_kept_away(node, pod.spec, reach),
            *room,
            *others.reasons(node, rough=many),
        )
        why[reasons or (_unknown(pod),)].append(name)
    if not many:
        alone = [(name, reasons) for reasons, names in why.items() for name in names]
        return tuple(_line([name], reasons) for name, reasons in sorted(alone))
    groups = sorted(why.items(), key=lambda one: len(one[1]), reverse=True)
    return tuple(_line(names, reasons) for reasons, names in groups[:LINES])


def refusals(
    survey: Observed, node: Node, pod: Pod, free: Amounts, others: OtherPods | None
) -> Iterator[str]:
    """Why a node takes no pod like this one beside what it runs, with ``free`` left on it; of pods that keep it away only
    where they are given as ``others``.
    """
    yield from _kept_away(node, pod.spec, list(survey.volumes_of(pod)))
    for name, amount in {**pod_amounts(pod.spec), "pods": Decimal(1)}.items():
        if amount > 0 and free.get(name, Decimal(0)) < amount:
            yield "is full: no more pods" if name == "pods" else f"insufficient {_called(name)}"
    if others is not None:
        yield from others.reasons(node, rough=True)


def _line(names: list[str], reasons: tuple[str, ...]) -> Evidence:
    ref = Ref("Node", "", names[0], "nodes") if len(names) == 1 else None
    where = f"Node {names[0]}" if ref else f"{len(names)} nodes ({listed(names)})"
    return Evidence(where, "; ".join(reasons), ref)


def _unknown(pod: Pod) -> str:
    """What the scheduler says that nothing here could tell, of a node against which nothing else stands."""
    scheduled = find_condition(pod.status.conditions or (), "PodScheduled")
    said = [
        cause for cause in causes(scheduled.message if scheduled else "") if not cause.startswith(_RECKONED)
    ]
    if not said:
        return "no reason visible here"
    return f"no reason visible here; the scheduler says: {'; '.join(said)}"


def _kept_away(node: Node, spec: PodSpec, reach: list[tuple[str, PersistentVolume]]) -> Iterator[str]:
    for taint in standing_taints(node, spec):
        value = f"={taint.value}" if taint.value else ""
        own = _TAINTS.get(taint.key)
        yield own or f"has taint {taint.key}{value}:{taint.effect}, which it does not tolerate"
    yield from _labels(node, spec)
    for _, volume in reach:
        if not reaches_volume(node, volume):
            yield f"can't access volume {volume.metadata.name}"


def _labels(node: Node, spec: PodSpec) -> Iterator[str]:
    labels = node.metadata.labels
    for key, value in sorted((spec.node_selector or {}).items()):
        if labels.get(key) != value:
            has = f" (it has {key}={labels[key]})" if key in labels else ""
            yield f"lacks label {key}={value}{has}"
    affinity = spec.affinity.node_affinity if spec.affinity else None
    if affinity is not None and affinity.required is not None and not matches_terms(node, affinity.required):
        yield "does not match its node affinity"


def _room(node: Node, spec: PodSpec, taken: Amounts | None, *, rough: bool) -> Iterator[str]:
    """What the node has too little of; ``taken`` is None where not all of its pods may be seen."""
    can_give = amounts(node.status.allocatable)
    for name, amount in {**pod_amounts(spec), "pods": Decimal(1)}.items():
        free = can_give.get(name, Decimal(0)) - (taken or {}).get(name, Decimal(0))
        if amount <= 0 or free >= amount:
            continue
        if name == "pods":
            yield "is full: no more pods" if rough else f"is full: {can_give.get(name, 0)} pods"
        elif name not in can_give:
            yield f"has no {name}"
        elif rough:
            yield f"insufficient {_called(name)}"
        else:
            of, asks = f"{_shown(name, can_give[name])} {_called(name)}", _shown(name, amount)
            left = f"{_shown(name, max(free, Decimal(0)))} of {of} free" if taken is not None else of
            yield f"has {left}, it requests {asks}"


def _called(name: str) -> str:
    return {"cpu": "CPU", "ephemeral-storage": "disk"}.get(name, name)


def _shown(name: str, amount: Decimal) -> str:
    if name == "cpu":
        return f"{amount.normalize():f}" if amount >= 1 else f"{int(amount * 1000)}m"
    if name in ("memory", "ephemeral-storage") or name.startswith("hugepages-"):
        return f"{float(amount) / 2**30:.1f} GiB" if amount >= 2**30 else f"{float(amount) / 2**20:.0f} MiB"
    return f"{amount.normalize():f}"
