"""Why no node takes a pod: each node's own reasons, reckoned from labels, taints, volumes and what is asked for on it.

The scheduler tells how many nodes refuse for which reason, not which; this tells the rest. What is not reckoned
(other pods' affinity, spread, host ports) is left to the scheduler's own message.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal

from dashboard.kinds.base import Ref
from dashboard.kinds.nodes import Node
from dashboard.kinds.pods import Pod
from dashboard.kinds.podspec import NodeSelector, PodSpec
from dashboard.kinds.rows import listed

from .capacity import Amounts, amounts, asked_on_nodes, matches_terms, pod_amounts, standing_taints
from .finding import Evidence
from .survey import Survey

LINES = 12  # nodes told one by one; more are told together where their reasons are alike

# Taints that the cluster itself sets (kubernetes.io/docs/reference/labels-annotations-taints).
_TAINTS = {
    "node.kubernetes.io/not-ready": "is not ready",
    "node.kubernetes.io/unreachable": "does not answer",
    "node.kubernetes.io/unschedulable": "is cordoned",
    "node.kubernetes.io/memory-pressure": "is short of memory",
    "node.kubernetes.io/disk-pressure": "is short of disk",
    "node.kubernetes.io/pid-pressure": "runs too many processes",
    "node.kubernetes.io/network-unavailable": "has no network",
    "node.cloudprovider.kubernetes.io/uninitialized": "is not set up by the cloud provider yet",
    "node-role.kubernetes.io/control-plane": "is kept for the control plane",
    "node-role.kubernetes.io/master": "is kept for the control plane",
}


def node_by_node(survey: Survey, pod: Pod) -> tuple[Evidence, ...]:
    """Why each node does not take the pod; nodes with the same reasons together when there are many."""
    nodes: Sequence[Node] = survey.all("nodes")
    asked = asked_on_nodes(survey.objects.all("pods"))  # of every namespace: they all share the nodes
    reach = list(_reach(survey, pod))
    many = len(nodes) > LINES
    why: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, node in sorted({node.metadata.name: node for node in nodes}.items()):
        reasons = tuple(_reasons(node, pod.spec, asked.get(name, {}), reach, rough=many))
        why[reasons].append(name)
    if not many:
        alone = [(name, reasons) for reasons, names in why.items() for name in names]
        return tuple(_line([name], reasons) for name, reasons in sorted(alone))
    groups = sorted(why.items(), key=lambda one: len(one[1]), reverse=True)
    return tuple(_line(names, reasons) for reasons, names in groups[:LINES])


def _line(names: list[str], reasons: tuple[str, ...]) -> Evidence:
    ref = Ref("Node", "", names[0], "nodes") if len(names) == 1 else None
    where = f"Node {names[0]}" if ref else f"{len(names)} nodes ({listed(names)})"
    return Evidence(where, "; ".join(reasons) or "nothing here stands against it: see the scheduler", ref)


def _reasons(
    node: Node, spec: PodSpec, taken: Amounts, reach: list[tuple[str, NodeSelector]], *, rough: bool
) -> Iterator[str]:
    for taint in standing_taints(node, spec):
        value = f"={taint.value}" if taint.value else ""
        own = _TAINTS.get(taint.key)
        yield own or f"has taint {taint.key}{value}:{taint.effect}, which it does not tolerate"
    yield from _labels(node, spec)
    for volume, terms in reach:
        if not matches_terms(node, terms):
            yield f"cannot reach volume {volume}"
    yield from _room(node, spec, taken, rough=rough)


def _labels(node: Node, spec: PodSpec) -> Iterator[str]:
    labels = node.metadata.labels
    for key, value in sorted((spec.node_selector or {}).items()):
        if labels.get(key) != value:
            has = f" (it has {key}={labels[key]})" if key in labels else ""
            yield f"lacks label {key}={value}{has}"
    affinity = spec.affinity.node_affinity if spec.affinity else None
    if affinity is not None and affinity.required is not None and not matches_terms(node, affinity.required):
        yield "does not match its node affinity"


def _reach(survey: Survey, pod: Pod) -> Iterator[tuple[str, NodeSelector]]:
    """The volumes that the pod uses and that only some nodes reach."""
    for _, claim in survey.claims_of(pod):
        volume = survey.objects.get("persistentvolumes", "", claim.spec.volume_name) if claim else None
        if volume is not None and volume.spec.node_affinity and volume.spec.node_affinity.required:
            yield volume.metadata.name, volume.spec.node_affinity.required


def _room(node: Node, spec: PodSpec, taken: Amounts, *, rough: bool) -> Iterator[str]:
    can_give = amounts(node.status.allocatable)
    for name, amount in {**pod_amounts(spec), "pods": Decimal(1)}.items():
        free = can_give.get(name, Decimal(0)) - taken.get(name, Decimal(0))
        if amount <= 0 or free >= amount:
            continue
        if name == "pods":
            yield "is full: no more pods" if rough else f"is full: {can_give.get(name, 0)} pods"
        elif name not in can_give:
            yield f"has no {name}"
        elif rough:
            yield f"has too little {_called(name)} free"
        else:
            left, of = _shown(name, max(free, Decimal(0))), _shown(name, can_give[name])
            yield f"has {left} of {of} {_called(name)} free, it asks for {_shown(name, amount)}"


def _called(name: str) -> str:
    return {"cpu": "CPU", "ephemeral-storage": "disk"}.get(name, name)


def _shown(name: str, amount: Decimal) -> str:
    if name == "cpu":
        return f"{amount.normalize():f}" if amount >= 1 else f"{int(amount * 1000)}m"
    if name in ("memory", "ephemeral-storage") or name.startswith("hugepages-"):
        return f"{float(amount) / 2**30:.1f} GiB" if amount >= 2**30 else f"{float(amount) / 2**20:.0f} MiB"
    return f"{amount.normalize():f}"
