"""For how many more pods of a size there is room on the nodes.

The rule is kube-scheduler's: kubernetes/kubernetes, pkg/scheduler/framework/plugins/noderesources/fit.go.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from dashboard.insight.capacity import Amounts, amounts, pod_amounts, template_of
from dashboard.insight.observed import Observed
from dashboard.kinds.nodes import Node
from dashboard.kinds.pods import Pod
from dashboard.kinds.podspec import PodSpec

from .nodes import reaches_volume, takes


@dataclass(frozen=True, slots=True)
class Room:
    """``pods`` more pods of a size find room on ``nodes`` of the nodes; ``unsure`` names what was not reckoned."""

    pods: int
    nodes: int
    unsure: tuple[str, ...]


def room_on_nodes(spec: PodSpec, nodes: Sequence[Node], pods: Sequence[Pod], most: int) -> Room:
    """How many more pods like this one, at most ``most``, the nodes take: what they can give minus what is asked
    for on them already, on nodes that the pod's node selector, node affinity and tolerations allow.
    """
    asked = asked_on_nodes(pods)
    wanted = {**pod_amounts(spec), "pods": Decimal(1)}
    fitting = used = 0
    for node in nodes:
        if fitting >= most or not takes(node, spec):
            continue
        free = amounts(node.status.allocatable)
        taken = asked[node.metadata.name]
        here = min(
            int((free.get(name, Decimal(0)) - taken.get(name, Decimal(0))) // amount)
            for name, amount in wanted.items()
            if amount > 0
        )
        if here > 0:
            fitting, used = min(most, fitting + here), used + 1
    return Room(fitting, used, _unsure(spec))


def left_over(moving: Sequence[Pod], nodes: Sequence[Node], pods: Sequence[Pod]) -> list[Pod]:
    """Those of the pods for which the nodes have no room beside ``pods``, each placed on the first node that fits it: by
    requests, node selector, node affinity and tolerations. Pods of one controller and template are looked at once.
    """
    free = free_on(nodes, pods)
    alike: dict[tuple[object, ...], list[Pod]] = defaultdict(list)
    for pod in moving:
        owner = pod.metadata.controller
        alike[owner.uid if owner else pod.metadata.uid, *template_of(pod.spec)].append(pod)
    rest: list[Pod] = []
    # The largest first, as whoever plans a drain would: small ones fit beside them.
    for group in sorted(alike.values(), key=lambda group: _size(group[0]), reverse=True):
        waiting = list(group)
        spec = group[0].spec
        size = {**pod_amounts(spec), "pods": Decimal(1)}
        for node in nodes:
            if not waiting:
                break
            here = free[node.metadata.name]
            if (count := min(len(waiting), _times(here, size))) and takes(node, spec):
                del waiting[:count]
                for key, amount in size.items():
                    here[key] = here.get(key, Decimal(0)) - amount * count
        rest += waiting
    return rest


def _times(free: Amounts, size: Amounts) -> int:
    """How many pods of a size fit into what is free."""
    return max(
        0, min(int(free.get(name, Decimal(0)) // amount) for name, amount in size.items() if amount > 0)
    )


def _size(pod: Pod) -> tuple[Decimal, Decimal]:
    size = pod_amounts(pod.spec)
    return size.get("cpu", Decimal(0)), size.get("memory", Decimal(0))


def asked_on_nodes(pods: Sequence[Pod]) -> dict[str, Amounts]:
    """What the pods on each node ask for together, and how many they are ("pods")."""
    asked: dict[str, Amounts] = defaultdict(lambda: defaultdict(Decimal))
    sizes: dict[tuple[int, ...], Amounts] = {}  # by template: each is added up once
    for pod in pods:
        spec = pod.spec
        if not spec.node_name or pod.status.phase in ("Succeeded", "Failed"):
            continue
        key = template_of(spec)
        size = sizes.get(key)
        if size is None:
            size = sizes[key] = {**pod_amounts(spec), "pods": Decimal(1)}
        on_node = asked[spec.node_name]
        for name, amount in size.items():
            on_node[name] += amount
    return asked


def free_on(nodes: Sequence[Node], pods: Sequence[Pod]) -> dict[str, Amounts]:
    """What each node has left beside what the pods on it request."""
    taken = asked_on_nodes(pods)
    return {
        node.metadata.name: {
            key: amount - taken.get(node.metadata.name, {}).get(key, Decimal(0))
            for key, amount in amounts(node.status.allocatable).items()
        }
        for node in nodes
    }


def reaches(survey: Observed, node: Node, pod: Pod) -> bool:
    """Whether the node can access the volumes behind the pod's claims."""
    return all(reaches_volume(node, volume) for _, volume in survey.volumes_of(pod))


def depends_on_others(spec: PodSpec) -> bool:
    """Whether the pods on a node, or around it, may keep such a pod away: by affinity, spread or host ports."""
    together = spec.affinity.pod_affinity if spec.affinity else None
    return bool(together and together.required) or bool(set(_unsure(spec)) - {"volumes"})


def _unsure(spec: PodSpec) -> tuple[str, ...]:
    found = []
    if spec.affinity and spec.affinity.pod_anti_affinity and spec.affinity.pod_anti_affinity.required:
        found.append("pod anti-affinity")
    if any(one.when_unsatisfiable == "DoNotSchedule" for one in spec.topology_spread_constraints or ()):
        found.append("topology spread")
    if any(one.persistent_volume_claim or one.ephemeral for one in spec.volumes or ()):
        found.append("volumes")
    if spec.host_network or any(port.host_port for one in spec.containers or () for port in one.ports or ()):
        found.append("host ports")
    return tuple(found)
