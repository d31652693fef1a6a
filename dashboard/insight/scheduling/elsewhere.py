"""On which of some nodes pods can run once they are gone from where they run, and on which most likely.

What can run on a node at all is the rules of :mod:`.nodes`, :mod:`.other_pods` and of volumes; of those the one of which
the least is requested comes first, as NodeResourcesFit's LeastAllocated scores,
kube-scheduler's default (kubernetes/kubernetes, pkg/scheduler/framework/plugins/noderesources/least_allocated.go).
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

from dashboard.insight.capacity import Amounts, amounts, pod_amounts, template_of
from dashboard.insight.observed import Observed
from dashboard.insight.protocols import Objects
from dashboard.insight.survey import Survey
from dashboard.kinds.nodes import Node
from dashboard.kinds.pods import Pod

from .nodes import takes
from .other_pods import OtherPods
from .placed import required_apart
from .preemption import making_way, priority
from .room import depends_on_others, free_on, reaches

Key = tuple[object, ...]
RESOURCES = ("cpu", "memory")
ZERO = Decimal(0)
MAX_PREEMPTED = 50  # pods that make way in one answer; docs/limits.md


class Filled(NamedTuple):
    """How many pods a node gets, and how much of its CPU and memory is requested before and after, 0–1 each."""

    node: str
    pods: int
    cpu: tuple[float, float]
    memory: tuple[float, float]


class Elsewhere:
    """``nodes`` that can be scheduled on, and the pods that ``move``; one that depends on other pods is compared with
    those that stay, and those that were placed before it.
    """

    def __init__(
        self, survey: Observed, nodes: Sequence[Node], move: Sequence[Pod], *, preempts: bool = False
    ) -> None:
        """``preempts``: pods of lower priority make way for one that no node has room for."""
        self._survey, self._nodes, self._move = survey, nodes, move
        self._preempts = preempts
        self.preempted: dict[str, tuple[Pod, Pod]] = {}  # by uid, whoever makes way, with the pod for which
        self._known: dict[Key, list[str]] = {}
        self._last: tuple[str, OtherPods] | None = None

    def places(self) -> dict[str, str]:
        """The most likely node of each pod, by its uid; "" where none has room. Those of the highest priority are placed
        first, then the largest. Of those that make way, where they run then.
        """
        groups: dict[Key, list[Pod]] = defaultdict(list)
        for pod in self._move:
            owner = pod.metadata.controller
            claims = tuple(name for name, _ in self._survey.claims_of(pod))
            key = owner.uid if owner else pod.metadata.uid
            groups[key, claims, *template_of(pod.spec)].append(pod)
        found: dict[str, str] = {}
        order = sorted(groups.values(), key=lambda group: (priority(group[0]), _size(group[0])), reverse=True)
        for group in order:
            found |= self._placed(group)
        victims = [victim for victim, _ in self.preempted.values()]
        for victim in sorted(victims, key=lambda pod: (priority(pod), _size(pod)), reverse=True):
            found |= self._placed([victim])
        return found

    def filled(self, places: Mapping[str, str]) -> list[Filled]:
        """What the nodes get that get any of the pods, those with the most first; ``places`` as told."""
        counted = Counter(name for name in places.values() if name)
        found = []
        for name, pods in sorted(counted.items(), key=lambda one: (-one[1], one[0])):
            given = self._given[name]
            shares = [
                (_share(given, self._before[name], resource), _share(given, self._free[name], resource))
                for resource in RESOURCES
            ]
            found.append(Filled(name, pods, *shares))
        return found

    def why_nowhere(self, pod: Pod) -> str:
        """Why no node takes a pod, as a sentence."""
        if not any(takes(node, pod.spec) for node in self._nodes):
            return "No other node has the labels and taints for it."
        if not any(takes(node, pod.spec) and reaches(self._survey, node, pod) for node in self._nodes):
            return "No other node can access its volume."
        if not any(self._allows(node, pod) for node in self._nodes):
            return "Other pods keep it away from the other nodes, by affinity, spread or host ports."
        return "The other nodes have no capacity for it."

    def _placed(self, group: Sequence[Pod]) -> dict[str, str]:
        """Pods that are alike, each on the node that is emptiest then of those that let it in."""
        pod = group[0]
        size = {**pod_amounts(pod.spec), "pods": Decimal(1)}
        others = self._others(pod) if self._depends(pod) else None
        emptiest = [(self._full[name], name) for name in self._taking(pod) if _fits(self._free[name], size)]
        heapq.heapify(emptiest)
        found = {}
        aside: list[
            tuple[float, str]
        ] = []  # room enough, but kept away by pods: one that is placed may change that
        for each in group:
            while emptiest and others is not None and self._refused(others, emptiest[0][1]):
                aside.append(heapq.heappop(emptiest))
            if not emptiest:
                found[each.metadata.uid] = self._make_way(each)
                continue
            _, name = heapq.heappop(emptiest)
            found[each.metadata.uid] = name
            free = self._free[name]
            for key, amount in size.items():
                free[key] = free.get(key, ZERO) - amount
            self._full[name] = self._fullness(name)
            if _fits(free, size):
                heapq.heappush(emptiest, (self._full[name], name))
            if others is not None and others.add(name):
                for one in aside:
                    heapq.heappush(emptiest, one)
                aside.clear()
        if self._watchful:
            for each in group:
                if name := found[each.metadata.uid]:
                    self._stay.placed.place(each, name)
        return found

    def _make_way(self, pod: Pod) -> str:
        """The node on which pods of lower priority make way for it, which they have then; "" for none."""
        if not self._preempts or len(self.preempted) >= MAX_PREEMPTED or pod.metadata.uid in self.preempted:
            return ""
        placed = self._stay.placed
        way = making_way(self._survey, pod, self._nodes, self._free, placed)
        if way is None:
            return ""
        free = self._free[way.node]
        for victim in way.victims:
            placed.remove(victim)
            self.preempted[victim.metadata.uid] = victim, pod
            for key, amount in {**pod_amounts(victim.spec), "pods": Decimal(1)}.items():
                free[key] = free.get(key, ZERO) + amount
        for key, amount in {**pod_amounts(pod.spec), "pods": Decimal(1)}.items():
            free[key] = free.get(key, ZERO) - amount
        self._full[way.node] = self._fullness(way.node)
        return way.node

    def _refused(self, others: OtherPods, name: str) -> bool:
        return any(others.reasons(self._by_name[name], rough=True))

    def _depends(self, pod: Pod) -> bool:
        """Whether pods may keep it away: by its own rules, or by theirs."""
        if depends_on_others(pod.spec):
            return True
        return bool(self._watchful and self._stay.placed.apart) and self._others(pod).unwelcome

    @cached_property
    def _watchful(self) -> bool:
        """Whether where one pod is placed matters to any other."""
        return (
            self._preempts
            or any(depends_on_others(pod.spec) for pod in self._move)
            or any(map(required_apart, self._survey.objects.all("pods")))
        )

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {node.metadata.name: node for node in self._nodes}

    def _taking(self, pod: Pod) -> list[str]:
        """The nodes whose labels, taints and volumes let it run there, be there room or not; worked out once for all that
        ask for the same.
        """
        spec = pod.spec
        key = (tuple(map(id, (spec.node_selector, spec.affinity, spec.tolerations))), self._volumes(pod))
        if key not in self._known:
            self._known[key] = [
                node.metadata.name
                for node in self._nodes
                if takes(node, spec) and reaches(self._survey, node, pod)
            ]
        return self._known[key]

    def _allows(self, node: Node, pod: Pod) -> bool:
        """Whether labels, taints, volumes and other pods let it run there; not whether there is room."""
        if not takes(node, pod.spec) or not reaches(self._survey, node, pod):
            return False
        return not self._depends(pod) or not any(self._others(pod).reasons(node, rough=True))

    def _volumes(self, pod: Pod) -> tuple[str, ...]:
        """The names of the volumes behind its claims."""
        claims = (claim for _, claim in self._survey.claims_of(pod))
        return tuple(claim.spec.volume_name for claim in claims if claim and claim.spec.volume_name)

    def _others(self, pod: Pod) -> OtherPods:
        if self._last is None or self._last[0] != pod.metadata.uid:
            self._last = (pod.metadata.uid, OtherPods(self._stay, pod, self._survey.all("nodes")))
        return self._last[1]

    @cached_property
    def _stay(self) -> Observed:
        gone = {pod.metadata.uid for pod in self._move}
        return Survey(Without(self._survey.objects, gone), self._survey.now)

    @cached_property
    def _given(self) -> dict[str, Amounts]:
        return {node.metadata.name: amounts(node.status.allocatable) for node in self._nodes}

    @cached_property
    def _before(self) -> dict[str, Amounts]:
        """What is free before any of the pods comes."""
        return free_on(self._nodes, self._survey.objects.all("pods"))

    @cached_property
    def _full(self) -> dict[str, float]:
        """How much of CPU and memory is requested, 0–1 each, added up."""
        return {name: self._fullness(name) for name in self._given}

    def _fullness(self, name: str) -> float:
        return sum(_share(self._given[name], self._free[name], resource) for resource in RESOURCES)

    @cached_property
    def _free(self) -> dict[str, Amounts]:
        """What is free beside those that were placed."""
        return {name: dict(free) for name, free in self._before.items()}


class Without:
    """The objects without some pods."""

    def __init__(self, objects: Objects, gone: set[str]) -> None:
        self._objects = objects
        self._pods = [pod for pod in objects.all("pods") if pod.metadata.uid not in gone]

    def all(self, plural: str, namespace: str | None = None) -> Sequence[Any]:
        if plural != "pods":
            return self._objects.all(plural, namespace)
        return [pod for pod in self._pods if namespace in (None, pod.metadata.namespace)]

    def get(self, plural: str, namespace: str, name: str) -> Any | None:
        return self._objects.get(plural, namespace, name)

    def reads(self, plural: str, namespace: str = "") -> bool:
        return self._objects.reads(plural, namespace)


def _fits(free: Amounts, size: Amounts) -> bool:
    # Asked of every node for every group of pods: all() would take twice as long.
    for name, amount in size.items():  # noqa: SIM110
        if amount > 0 and free.get(name, ZERO) < amount:
            return False
    return True


def _share(given: Amounts, free: Amounts, resource: str) -> float:
    """How much of a resource is requested, 0–1."""
    whole = given.get(resource)
    return 1 - float(free.get(resource, ZERO) / whole) if whole else 0.0


def _size(pod: Pod) -> tuple[Decimal, Decimal]:
    size = pod_amounts(pod.spec)
    return size.get("cpu", ZERO), size.get("memory", ZERO)
