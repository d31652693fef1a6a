"""How many more pods like one the nodes take, which get them, and why none takes a further one.

One is placed after the other, each on the emptiest node that lets it in beside the earlier ones, as the scheduler would
(:mod:`.elsewhere` does the same for pods that are there already).
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from dashboard.insight.capacity import amounts, pod_amounts
from dashboard.insight.observed import Observed
from dashboard.kinds.nodes import Node
from dashboard.kinds.pods import Pod

from .other_pods import OtherPods
from .reasons import refusals
from .room import depends_on_others, free_on

RESOURCES = ("cpu", "memory")
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class More:
    """``pods`` more fit, ``limited`` where counting ended there; ``nodes`` get so many each, those with the most first.
    ``why``: in words why nodes take no further one, and how many of them that holds for, the most first.
    """

    pods: int
    limited: bool
    nodes: tuple[tuple[str, int], ...]
    why: tuple[tuple[str, int], ...]


def more_on_nodes(survey: Observed, pod: Pod, most: int) -> More:
    """How many more pods like this one, at most ``most``; what it is called and where it runs does not matter."""
    nodes: Sequence[Node] = survey.all("nodes")
    others = OtherPods(survey, pod, nodes)
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
    why: Counter[str] = Counter()
    if not emptiest:
        for name, node in by_name.items():
            reason = next(refusals(survey, node, pod, free[name], others), "")
            why[reason or "keeps it away"] += 1
    return More(found.total(), bool(emptiest), tuple(found.most_common()), tuple(why.most_common()))
