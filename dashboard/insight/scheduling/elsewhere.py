"""On which of some nodes pods can run once they are gone from where they run, and on which most likely.

What can run on a node at all is the rules of :mod:`.nodes`, :mod:`.other_pods` and of volumes; of those the one with the
most free of what the pod asks for comes first, as NodeResourcesFit's LeastAllocated scores (kube-scheduler's default).
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

from dashboard.insight.capacity import Amounts, amounts, pod_amounts, template_of
from dashboard.insight.observed import Observed
from dashboard.insight.protocols import Objects
from dashboard.insight.survey import Survey
from dashboard.kinds.nodes import Node
from dashboard.kinds.pods import Pod

from .nodes import matches_terms, takes
from .other_pods import OtherPods
from .room import asked_on_nodes, depends_on_others

Key = tuple[object, ...]


class Elsewhere:
    """``nodes`` that can be scheduled on, and the pods that ``move``; one that depends on other pods is compared with
    those that stay.
    """

    def __init__(self, survey: Observed, nodes: Sequence[Node], move: Sequence[Pod]) -> None:
        self._survey, self._nodes, self._move = survey, nodes, move

    def places(self) -> dict[str, str]:
        """The most likely node of each pod, by its uid; "" where none has room. The largest are placed first."""
        groups: dict[Key, list[Pod]] = defaultdict(list)
        for pod in self._move:
            owner = pod.metadata.controller
            claims = tuple(name for name, _ in self._survey.claims_of(pod))
            key = owner.uid if owner else pod.metadata.uid
            groups[key, claims, *template_of(pod.spec)].append(pod)
        found: dict[str, str] = {}
        for group in sorted(groups.values(), key=lambda group: _size(group[0]), reverse=True):
            found |= self._placed(group)
        return found

    def why_nowhere(self, pod: Pod) -> str:
        """Why no node takes a pod, as a sentence."""
        if not any(takes(node, pod.spec) for node in self._nodes):
            return "No other node has the labels and taints for it."
        if not any(takes(node, pod.spec) and self._reaches(node, pod) for node in self._nodes):
            return "No other node can access its volume."
        if not any(self._allows(node, pod) for node in self._nodes):
            return "Other pods keep it away from the other nodes, by affinity, spread or host ports."
        return "The other nodes have no capacity for it."

    def _placed(self, group: Sequence[Pod]) -> dict[str, str]:
        """Pods that are alike, each on the node that is emptiest then."""
        pod = group[0]
        size = {**pod_amounts(pod.spec), "pods": Decimal(1)}
        once = depends_on_others(pod.spec)  # of those that stay apart, one a node is all that is known to fit
        emptiest = [
            (_filled(self._free[name], self._given[name], size), name)
            for node in self._nodes
            if _fits(self._free[name := node.metadata.name], size) and self._allows(node, pod)
        ]
        heapq.heapify(emptiest)
        found = {}
        for each in group:
            if not emptiest:
                found[each.metadata.uid] = ""
                continue
            _, name = heapq.heappop(emptiest)
            found[each.metadata.uid] = name
            free = self._free[name]
            for key, amount in size.items():
                free[key] = free.get(key, Decimal(0)) - amount
            if not once and _fits(free, size):
                heapq.heappush(emptiest, (_filled(free, self._given[name], size), name))
        return found

    def _allows(self, node: Node, pod: Pod) -> bool:
        """Whether labels, taints, volumes and other pods let it run there; not whether there is room."""
        if not takes(node, pod.spec) or not self._reaches(node, pod):
            return False
        return not depends_on_others(pod.spec) or not any(self._others(pod).reasons(node, rough=True))

    def _reaches(self, node: Node, pod: Pod) -> bool:
        for _, claim in self._survey.claims_of(pod):
            name = claim.spec.volume_name if claim else ""
            volume = self._survey.objects.get("persistentvolumes", "", name) if name else None
            affinity = volume.spec.node_affinity if volume is not None else None
            if affinity and affinity.required and not matches_terms(node, affinity.required):
                return False
        return True

    def _others(self, pod: Pod) -> OtherPods:
        if self._last is None or self._last[0] != pod.metadata.uid:
            self._last = (pod.metadata.uid, OtherPods(self._stay, pod, self._survey.all("nodes")))
        return self._last[1]

    _last: tuple[str, OtherPods] | None = None

    @cached_property
    def _stay(self) -> Observed:
        gone = {pod.metadata.uid for pod in self._move}
        return Survey(_Without(self._survey.objects, gone), self._survey.now)

    @cached_property
    def _given(self) -> dict[str, Amounts]:
        return {node.metadata.name: amounts(node.status.allocatable) for node in self._nodes}

    @cached_property
    def _free(self) -> dict[str, Amounts]:
        taken = asked_on_nodes(self._survey.objects.all("pods"))
        return {
            name: {key: amount - taken.get(name, {}).get(key, Decimal(0)) for key, amount in given.items()}
            for name, given in self._given.items()
        }


class _Without:
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
    return all(free.get(name, Decimal(0)) >= amount for name, amount in size.items() if amount > 0)


def _filled(free: Amounts, given: Amounts, size: Amounts) -> float:
    """How full CPU and memory would be, 0–1 each, added up."""
    return sum(
        1 - float((free.get(name, Decimal(0)) - size.get(name, Decimal(0))) / given[name])
        for name in ("cpu", "memory")
        if given.get(name)
    )


def _size(pod: Pod) -> tuple[Decimal, Decimal]:
    size = pod_amounts(pod.spec)
    return size.get("cpu", Decimal(0)), size.get("memory", Decimal(0))
