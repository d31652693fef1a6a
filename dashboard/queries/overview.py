"""Facts of the whole cluster: what runs where, how much of it is asked for, what is changing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dashboard.kinds.base import Row
from dashboard.kinds.quantity import QuantityError, parse

from .access import Visible
from .lists import RANK
from .reader import Namespaces, Reader
from .seen import Seen

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


def nodes_and_pods(
    reader: Reader, visible: Mapping[str, Visible], requests: Requests, namespaces: Namespaces
) -> list[NodePods]:
    """Every node that may be seen with the pods on it that may be, in the order of zones and names.

    Squares are only those of the chosen namespaces; bars count all pods of a node, for who may see all pods.
    """
    seen = Seen(reader, visible)
    pods = seen.all("pods")
    asked = requests.of(pods) if visible["pods"].within(None) is None else None
    on_node: dict[str, list[Any]] = {}
    for pod in pods:
        if pod.spec.node_name:
            on_node.setdefault(pod.spec.node_name, []).append(pod)
    found = []
    for node in seen.all("nodes"):
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
                asked=None if asked is None else _asked(node, here, asked),
            )
        )
    found.sort(key=lambda each: (each.zone, each.row.name))
    return found


def _asked(node: Any, pods: Iterable[Any], asked: Mapping[str, tuple[float, float]]) -> Asked:
    running = [asked[pod.metadata.uid] for pod in pods if pod.status.phase not in ("Succeeded", "Failed")]
    return Asked(
        cpu=sum(cpu for cpu, _ in running),
        cpu_of=amount(node.status.allocatable, "cpu"),
        memory=sum(memory for _, memory in running),
        memory_of=amount(node.status.allocatable, "memory"),
    )
