"""Facts of the whole cluster: what runs where, how much of it is asked for, what is changing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dashboard.insight.capacity import amounts
from dashboard.insight.usage import Sizes, ended
from dashboard.kinds.base import Row

from .lists import RANK
from .reader import Namespaces
from .seenreader import SeenReader

ZONE = "topology.kubernetes.io/zone"
SQUARES = 120  # pods drawn one by one on a node; a node with more is drawn as counts


@dataclass(frozen=True)
class Asked:
    """What pods ask for on a node against what it can give: CPU in cores, memory in bytes."""

    cpu: float
    cpu_of: float
    memory: float
    memory_of: float


@dataclass(frozen=True)
class NodePods:
    """A node, its zone ("" without one), its pods worst first and what they ask for, where that is known."""

    row: Row
    zone: str
    pods: tuple[Row, ...]
    states: Counter[str] = field(hash=False)
    asked: Asked | None = field(hash=False, default=None)


def nodes_and_pods(reader: SeenReader, sizes: Sizes, namespaces: Namespaces) -> list[NodePods]:
    """Every node that may be seen with the pods on it that may be, in the order of zones and names.

    Squares are only those of the chosen namespaces; bars count all pods of a node, for who may see all pods.
    """
    pods = reader.all("pods")
    whole = reader.sees("pods")
    on_node: dict[str, list[Any]] = {}
    for pod in pods:
        if pod.spec.node_name:
            on_node.setdefault(pod.spec.node_name, []).append(pod)
    found = []
    for node in reader.all("nodes"):
        here = on_node.get(node.metadata.name, [])
        shown = [
            reader.row("pods", pod)
            for pod in here
            if namespaces is None or pod.metadata.namespace in namespaces
        ]
        shown.sort(key=lambda row: (RANK[row.state], row.namespace, row.name))
        found.append(
            NodePods(
                row=reader.row("nodes", node),
                zone=(node.metadata.labels or {}).get(ZONE, ""),
                pods=tuple(shown),
                states=Counter(row.state for row in shown),
                asked=_asked(node, here, sizes) if whole else None,
            )
        )
    found.sort(key=lambda each: (each.zone, each.row.name))
    return found


def _asked(node: Any, pods: Iterable[Any], sizes: Sizes) -> Asked:
    asked = [sizes.of(pod.spec) for pod in pods if not ended(pod)]
    of = amounts(node.status.allocatable)
    return Asked(
        cpu=sum(each.cpu for each in asked),
        cpu_of=float(of.get("cpu", 0)),
        memory=sum(each.memory for each in asked),
        memory_of=float(of.get("memory", 0)),
    )
