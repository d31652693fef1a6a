"""Facts of the whole cluster: what runs where, how much of it is asked for, what is changing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dashboard.kinds.base import Row
from dashboard.kinds.quantity import QuantityError, parse

from .lists import RANK
from .reader import Namespaces, Reader

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
    """A node, its zone ("" without one), its pods worst first and what they ask for."""

    row: Row
    zone: str
    pods: tuple[Row, ...]
    states: Counter[str] = field(hash=False)
    asked: Asked = field(hash=False, default=Asked(0, 0, 0, 0))


def amount(quantities: dict[str, str] | None, name: str) -> float:
    """A resource of a list in cores or bytes; 0 when it is not there (or, from a hostile server, no quantity)."""
    text = (quantities or {}).get(name)
    if not text:
        return 0.0
    try:
        return float(parse(text))
    except QuantityError:
        return 0.0


def pod_request(pod: Any, name: str) -> float:
    """What the scheduler counts for a pod: its containers and sidecars together, or its greatest init container.

    The rule of ``PodRequests`` in k8s.io/component-helpers/resource: an init container runs beside the sidecars
    that were started before it.
    """
    total = sum(_asks(container, name) for container in pod.spec.containers)
    sidecars = greatest = 0.0
    for container in pod.spec.init_containers or ():
        if container.sidecar:
            sidecars += _asks(container, name)
            greatest = max(greatest, sidecars)
        else:
            greatest = max(greatest, sidecars + _asks(container, name))
    return max(total + sidecars, greatest) + amount(pod.spec.overhead, name)


def _asks(container: Any, name: str) -> float:
    return amount(container.resources.requests, name) if container.resources else 0.0


class Requests:
    """CPU and memory that each pod asks for, reckoned once per version of the pod."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, float, float]] = {}

    def of(self, pods: Iterable[Any]) -> dict[str, tuple[float, float]]:
        """(cores, bytes) by uid; what is not among ``pods`` any more is forgotten."""
        kept = {}
        for pod in pods:
            uid = pod.metadata.uid
            known = self._kept.get(uid)
            if known is None or known[0] is not pod:
                known = (pod, pod_request(pod, "cpu"), pod_request(pod, "memory"))
            kept[uid] = known
        self._kept = kept
        return {uid: (cpu, memory) for uid, (_, cpu, memory) in kept.items()}


def nodes_and_pods(reader: Reader, requests: Requests, namespaces: Namespaces) -> list[NodePods]:
    """Every node with the pods on it, in the order of zones and names.

    Bars count all pods of a node that may be seen; squares only those of the chosen namespaces.
    """
    pods = reader.all("pods")
    asked = requests.of(pods)
    on_node: dict[str, list[Any]] = {}
    for pod in pods:
        if pod.spec.node_name:
            on_node.setdefault(pod.spec.node_name, []).append(pod)
    found = []
    for node in reader.all("nodes"):
        here = on_node.get(node.metadata.name, [])
        running = [pod for pod in here if pod.status.phase not in ("Succeeded", "Failed")]
        shown = [
            reader.row("pods", pod)
            for pod in here
            if namespaces is None or pod.metadata.namespace in namespaces
        ]
        shown.sort(key=lambda row: (RANK[row.state], row.namespace, row.name))
        allocatable = node.status.allocatable
        found.append(
            NodePods(
                row=reader.row("nodes", node),
                zone=(node.metadata.labels or {}).get(ZONE, ""),
                pods=tuple(shown),
                states=Counter(row.state for row in shown),
                asked=Asked(
                    cpu=sum(asked[pod.metadata.uid][0] for pod in running),
                    cpu_of=amount(allocatable, "cpu"),
                    memory=sum(asked[pod.metadata.uid][1] for pod in running),
                    memory_of=amount(allocatable, "memory"),
                ),
            )
        )
    found.sort(key=lambda each: (each.zone, each.row.name))
    return found
