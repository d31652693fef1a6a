"""What pods use against what they ask for and may use, added up as people look at it. Cores and bytes, as floats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dashboard.kinds.nodes import Node
from dashboard.kinds.pods import Pod
from dashboard.kinds.podspec import Container, PodSpec
from dashboard.kinds.usage import NodeUse, PodUse, Use

from .capacity import amounts, pod_amounts, template_of, whole_limits
from .ownership import controllers, workload_above
from .protocols import Objects

RESOURCES = ("cpu", "memory")
_KEEP_SIZES = 4096

Workload = tuple[str, str, str]  # plural, namespace, name


class Size(NamedTuple):
    """What something asks for and may use at most; a limit is None where one of its containers has none."""

    cpu: float = 0.0
    memory: float = 0.0
    ephemeral: float = 0.0
    cpu_limit: float | None = None
    memory_limit: float | None = None


def size_of(spec: PodSpec) -> Size:
    """A whole pod, as the scheduler counts it (:func:`~dashboard.insight.capacity.pod_amounts`)."""
    asked, most = pod_amounts(spec), pod_amounts(spec, "limits")
    running = [*(spec.containers or ()), *(one for one in spec.init_containers or () if one.sidecar)]

    whole = whole_limits(spec)

    def limit(name: str) -> float | None:
        bound = name in whole or (name in most and all(_limited(one, name) for one in running))
        return float(most[name]) if bound else None

    return Size(
        float(asked.get("cpu", 0)),
        float(asked.get("memory", 0)),
        float(asked.get("ephemeral-storage", 0)),
        limit("cpu"),
        limit("memory"),
    )


def container_size(container: Container) -> Size:
    """One container. Without a request, the limit is the request, as the API server would have written."""
    resources = container.resources
    limits = amounts(resources.limits if resources else None)
    asked = limits | amounts(resources.requests if resources else None)
    cpu_limit, memory_limit = (float(limits[name]) if name in limits else None for name in RESOURCES)
    return Size(
        float(asked.get("cpu", 0)),
        float(asked.get("memory", 0)),
        float(asked.get("ephemeral-storage", 0)),
        cpu_limit,
        memory_limit,
    )


def _limited(container: Container, name: str) -> bool:
    return container.resources is not None and name in (container.resources.limits or {})


class Sizes:
    """Sizes of pods. Pods of one template share their decoded containers, so each template is reckoned once."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, ...], tuple[PodSpec, Size]] = {}

    def of(self, spec: PodSpec) -> Size:
        key = template_of(spec)
        kept = self._kept.get(key)
        if kept is None:
            if len(self._kept) >= _KEEP_SIZES:
                self._kept.clear()
            # An id stands for its object only while that lives, which keeping the spec sees to.
            kept = self._kept[key] = (spec, size_of(spec))
        return kept[1]


@dataclass(slots=True)
class Total:
    """One resource: used, asked for, and the sum of limits; ``unlimited`` counts pods that have none."""

    used: float = 0.0
    requested: float = 0.0
    limit: float = 0.0
    unlimited: int = 0

    def add(self, used: float, requested: float, limit: float | None) -> None:
        self.used += used
        self.requested += requested
        if limit is None:
            self.unlimited += 1
        else:
            self.limit += limit


@dataclass(slots=True)
class Sum:
    """Some pods together; ``measured`` counts those whose usage is known.

    ``waiting`` pods have no node: what they ask for is not set aside anywhere, and counts for nothing else here.
    """

    pods: int = 0
    waiting: int = 0
    measured: int = 0
    ephemeral: float = 0.0
    cpu: Total = field(default_factory=Total)
    memory: Total = field(default_factory=Total)

    def add(self, size: Size, use: Use | None) -> None:
        self.pods += 1
        self.measured += use is not None
        self.ephemeral += size.ephemeral
        cpu, memory = use or (0.0, 0.0)
        self.cpu.add(cpu, size.cpu, size.cpu_limit)
        self.memory.add(memory, size.memory, size.memory_limit)

    def used(self, resource: str) -> float | None:
        """None while none of the pods has been measured."""
        total: Total = getattr(self, resource)
        return total.used if self.measured else None

    def unmeasured(self) -> Sum:
        """The same without what is used, for those who may not see that."""
        hidden = Sum.of((self,))
        hidden.measured, hidden.cpu.used, hidden.memory.used = 0, 0.0, 0.0
        return hidden

    @classmethod
    def of(cls, sums: Iterable[Sum]) -> Sum:
        """All of them together."""
        whole = cls()
        for one in sums:
            whole.pods += one.pods
            whole.waiting += one.waiting
            whole.measured += one.measured
            whole.ephemeral += one.ephemeral
            for resource in RESOURCES:
                into, from_ = getattr(whole, resource), getattr(one, resource)
                into.used += from_.used
                into.requested += from_.requested
                into.limit += from_.limit
                into.unlimited += from_.unlimited
        return whole


@dataclass(frozen=True, slots=True)
class NodeTally:
    """A node: its own measured use (None: not known), what it can give pods, and the pods on it together.

    ``of`` holds cores, bytes, a number of pods and bytes of disk.
    """

    use: Use | None
    of: Mapping[str, float]
    asked: Sum


class Tally:
    """Sums over pods, by node, namespace and topmost workload; pods that have ended count nowhere."""

    def __init__(self, objects: Objects, sizes: Sizes) -> None:
        self._objects = objects
        self._sizes = sizes
        self.by_node: dict[str, Sum] = {}
        self.namespaces: dict[str, Sum] = {}
        self.workloads: dict[Workload, Sum] = {}
        self.nodes: dict[str, NodeTally] = {}
        self.pods: dict[str, PodUse] = {}  # by uid
        # What the busiest pod of a workload uses, by container; each resource for itself.
        self.busiest: dict[tuple[Workload, str], Use] = {}

    def add(self, pod: Pod, measured: PodUse | None) -> None:
        meta, spec = pod.metadata, pod.spec
        if ended(pod):
            return
        if measured is not None and not is_of(pod, measured):
            measured = None
        if measured is not None:
            self.pods[meta.uid] = measured
        sums = [self.namespaces.setdefault(meta.namespace, Sum())]
        if (workload := topmost(self._objects, pod)) is not None:
            sums.append(self.workloads.setdefault(workload, Sum()))
            for container, used in measured.containers.items() if measured else ():
                most = self.busiest.get((workload, container), used)
                self.busiest[workload, container] = Use(*map(max, most, used))
        if not spec.node_name:
            for each in sums:
                each.waiting += 1
            return
        sums.append(self.by_node.setdefault(spec.node_name, Sum()))
        size, use = self._sizes.of(spec), measured.total if measured else None
        for each in sums:
            each.add(size, use)

    def settle(self, nodes: Iterable[Node], measured: Mapping[str, NodeUse]) -> None:
        """After every pod: the nodes, whether measured or not."""
        for node in nodes:
            name = node.metadata.name
            use = measured.get(name)
            of = {key: float(amount) for key, amount in amounts(node.status.allocatable).items()}
            self.nodes[name] = NodeTally(use.use if use else None, of, self.by_node.get(name, Sum()))


def ended(pod: Pod) -> bool:
    """Whether its containers hold nothing any more."""
    return pod.status.phase in ("Succeeded", "Failed")


def is_of(pod: Pod, measured: PodUse) -> bool:
    """Whether a measure is of this very pod, not of its predecessor of the same name."""
    created = pod.metadata.creation_timestamp
    return created is None or measured.at > created.timestamp()


def topmost(objects: Objects, pod: Pod) -> Workload | None:
    """The workload that a person would name."""
    found = workload_above(controllers(objects, pod))
    return None if found is None else (found.plural, found.namespace, found.name)


@dataclass(frozen=True, slots=True)
class Gap:
    """A workload that asks for much more than it uses, or uses more than it asked for."""

    workload: Workload
    resource: str
    used: float
    requested: float
    pods: int

    @property
    def amount(self) -> float:
        return abs(self.requested - self.used)


# Below these, a gap is not worth a person's time.
WORTH = {"cpu": 0.1, "memory": 64 * 2**20}


def gaps(workloads: Mapping[Workload, Sum], resource: str) -> tuple[list[Gap], list[Gap]]:
    """Workloads that ask for at least twice what they use, and those that use more than they ask for; both the
    greatest first. Only those whose pods have all been measured: half a measure would invent a gap."""
    idle: list[Gap] = []
    beyond: list[Gap] = []
    for workload, each in workloads.items():
        total: Total = getattr(each, resource)
        if not each.pods or each.waiting or each.measured < each.pods:
            continue
        gap = Gap(workload, resource, total.used, total.requested, each.pods)
        if gap.amount < WORTH[resource]:
            continue
        if total.requested >= 2 * total.used:
            idle.append(gap)
        elif total.used > total.requested:
            beyond.append(gap)
    return _greatest_first(idle), _greatest_first(beyond)


def _greatest_first(found: Sequence[Gap]) -> list[Gap]:
    return sorted(found, key=lambda gap: (-gap.amount, gap.workload))


def restarts_of(pod: Any) -> int:
    """How often containers of a pod were started again, init containers and sidecars too."""
    status = pod.status
    every = (*(status.container_statuses or ()), *(status.init_container_statuses or ()))
    return sum(one.restart_count for one in every)
