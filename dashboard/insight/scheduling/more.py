"""How many more pods like one the nodes take, which get them, and why none takes a further one.

One is placed after the other, each on the emptiest node that lets it in beside the earlier ones, as the scheduler would
(:mod:`.elsewhere` does the same for pods that are there already). Where no node has room, pods of lower priority make
way (:mod:`.preemption`). kube-scheduler places pods one by one too: kubernetes/kubernetes, pkg/scheduler/schedule_one.go.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from dashboard.insight.capacity import Amounts, amounts, pod_amounts
from dashboard.insight.observed import Observed
from dashboard.kinds.nodes import Node
from dashboard.kinds.pods import Pod

from .elsewhere import MAX_PREEMPTED
from .nodes import takes
from .other_pods import OtherPods
from .preemption import MAX_NODES, Preemption, best, may_preempt, priority, victims_on
from .reasons import refusals
from .room import depends_on_others, free_on, reaches

RESOURCES = ("cpu", "memory")
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class More:
    """``pods`` more fit, ``preempting`` of them by preempting pods of lower priority; None where that is not worked out,
    for a pod that other pods keep away from nodes. ``limited`` where counting ended there; ``nodes`` get so many each,
    those with the most first. ``why``: in words why nodes take no further one, and how many of them that holds for, the
    most first.
    """

    pods: int
    preempting: int | None
    limited: bool
    nodes: tuple[tuple[str, int], ...]
    why: tuple[tuple[str, int], ...]


def more_on_nodes(survey: Observed, pod: Pod, most: int, *, only: str = "") -> More:
    """How many more pods like this one, at most ``most``; what it is called and where it runs does not matter. ``only``:
    the one node that they can run on.
    """
    every: Sequence[Node] = survey.all("nodes")
    others = OtherPods(survey, pod, every)
    nodes = [node for node in every if node.metadata.name == only] if only else every
    given = {node.metadata.name: amounts(node.status.allocatable) for node in nodes}
    free = free_on(nodes, survey.objects.all("pods"))
    size = {**pod_amounts(pod.spec), "pods": Decimal(1)}
    by_name = {node.metadata.name: node for node in nodes}

    def fullness(name: str) -> float:
        return sum(
            float(1 - free[name].get(each, ZERO) / whole)
            for each in RESOURCES
            if (whole := given[name].get(each))
        )

    dependent = depends_on_others(pod.spec) or others.unwelcome
    emptiest = [
        (fullness(name), name)
        for name, node in by_name.items()
        if not any(refusals(survey, node, pod, free[name], None))
    ]
    heapq.heapify(emptiest)
    aside: list[tuple[float, str]] = []
    found: Counter[str] = Counter()
    while emptiest and found.total() < most:
        full, name = heapq.heappop(emptiest)
        if dependent and any(others.reasons(by_name[name], rough=True)):
            aside.append((full, name))
            continue
        found[name] += 1
        for key, amount in size.items():
            free[name][key] = free[name].get(key, ZERO) - amount
        if all(free[name].get(key, ZERO) >= amount for key, amount in size.items() if amount > 0):
            heapq.heappush(emptiest, (fullness(name), name))
        if dependent and others.add(name):
            for one in aside:
                heapq.heappush(emptiest, one)
            aside.clear()
    preempting: int | None = 0
    limited = bool(emptiest)
    if (
        not (limited or only)
        and may_preempt(pod)
        and any(priority(each) < priority(pod) for each in survey.all("pods"))
    ):
        preempting = None
        if not dependent:
            counted, limited = _preempting(survey, pod, free, size, most - found.total())
            preempting = counted.total()
            found += counted
    why: Counter[str] = Counter()
    if not limited:
        for name, node in by_name.items():
            reason = next(refusals(survey, node, pod, free[name], others), "")
            why[reason or "keeps it away"] += 1
    return More(found.total(), preempting, limited, tuple(found.most_common()), tuple(why.most_common()))


def _preempting(
    survey: Observed, pod: Pod, free: dict[str, Amounts], size: Amounts, most: int
) -> tuple[Counter[str], bool]:
    """How many pods like one get in on which nodes by preempting others, and whether there may be more; what is ``free``
    is what they leave. Nobody's place depends on other pods here, so that who makes way on one node matters to no other.
    """
    on = {name: list(pods) for name, pods in survey.placed.on.items()}
    budgets = survey.all("poddisruptionbudgets")

    def fits(name: str, freed: Amounts) -> bool:
        here = free[name]
        return all(
            here.get(key, ZERO) + freed.get(key, ZERO) >= amount for key, amount in size.items() if amount > 0
        )

    def way(name: str) -> Preemption | None:
        return victims_on(name, pod, on[name], lambda freed, _: fits(name, freed), budgets)

    lower = {name for name, pods in on.items() if any(priority(each) < priority(pod) for each in pods)}
    candidates = [
        node.metadata.name
        for node in survey.all("nodes")
        if node.metadata.name in lower and takes(node, pod.spec) and reaches(survey, node, pod)
    ]
    ways = {name: found for name in candidates[:MAX_NODES] if (found := way(name)) is not None}
    counted: Counter[str] = Counter()
    preempted = 0
    while (chosen := best(ways.values())) is not None:
        preempted += len(chosen.victims)
        if counted.total() >= most or preempted > MAX_PREEMPTED:
            return counted, True
        name, here = chosen.node, free[chosen.node]
        gone = {each.metadata.uid for each in chosen.victims}
        on[name] = [each for each in on[name] if each.metadata.uid not in gone]
        for each in chosen.victims:
            for key, amount in {**pod_amounts(each.spec), "pods": Decimal(1)}.items():
                here[key] = here.get(key, ZERO) + amount
        while fits(name, {}) and counted.total() < most:  # whoever made way may leave room for several
            counted[name] += 1
            for key, amount in size.items():
                here[key] = here.get(key, ZERO) - amount
        del ways[name]
        if (again := way(name)) is not None:
            ways[name] = again
    return counted, len(candidates) > MAX_NODES
