"""Which pods of lower priority make way for one that finds no node, and on which node.

The rules are those of pkg/scheduler/framework/plugins/defaultpreemption and framework/preemption (Kubernetes 1.36):
on each node all pods of lower priority are taken for gone; if the pod fits then, as many as possible are let back, those
whose budget would be broken first, then by priority and age. Of the nodes the one counts that breaks fewest budgets, then
the one whose most important victim matters least, the lowest sum of priorities, the fewest victims, the youngest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from dashboard.insight.capacity import Amounts, pod_amounts
from dashboard.insight.observed import Observed
from dashboard.kinds.nodes import Node
from dashboard.kinds.poddisruptionbudgets import PodDisruptionBudget
from dashboard.kinds.pods import Pod

from .nodes import takes
from .other_pods import OtherPods, selector_or_nothing
from .placed import PlacedPods
from .room import depends_on_others, reaches

MAX_NODES = 100  # on which it is tried; docs/limits.md
ZERO = Decimal(0)
_OFFSET = (
    2**31
)  # what is added to each priority of a sum, so that fewer victims are less however negative they are


@dataclass(frozen=True, slots=True)
class Preemption:
    """The node on which the ``victims`` make way; ``broken``: how many of them against a budget."""

    node: str
    victims: tuple[Pod, ...]
    broken: int


def priority(pod: Pod) -> int:
    """Of a pod without one it is 0, as where there is no default PriorityClass."""
    return pod.spec.priority or 0


def may_preempt(pod: Pod) -> bool:
    """Whether others may make way for it at all."""
    return pod.spec.preemption_policy != "Never"


def victims_on(
    node: str,
    pod: Pod,
    pods: Sequence[Pod],
    fits: Callable[[Amounts, Sequence[Pod]], bool],
    budgets: Iterable[PodDisruptionBudget],
) -> Preemption | None:
    """Who makes way on a node; None where that does not help. ``fits`` says whether the pod fits with so much more free,
    without those pods.
    """
    lower = [each for each in pods if priority(each) < priority(pod)]
    if not lower or not fits(_freed(lower), lower):
        return None
    lower.sort(key=_importance)
    broken = _against_budgets(lower, budgets)
    victims = list(lower)
    for each in (*(one for one in lower if one.metadata.uid in broken), *lower):
        if each in victims:
            rest = [one for one in victims if one is not each]
            if fits(_freed(rest), rest):
                victims = rest
    left = sum(each.metadata.uid in broken for each in victims)
    return Preemption(node, tuple(victims), left) if victims else None


def best(found: Iterable[Preemption]) -> Preemption | None:
    """The one that the scheduler takes."""
    return min(found, key=_cost, default=None)


def _cost(each: Preemption) -> tuple[int, int, int, int, float]:
    priorities = [priority(victim) for victim in each.victims]
    highest = max(priorities)
    started = min(_started(victim) for victim in each.victims if priority(victim) == highest)
    return each.broken, highest, sum(one + _OFFSET for one in priorities), len(priorities), -started


def _importance(pod: Pod) -> tuple[int, float]:
    """``MoreImportantPod``: the higher priority, then the one that has run longer."""
    return -priority(pod), _started(pod)


def _started(pod: Pod) -> float:
    moment = pod.status.start_time or pod.metadata.creation_timestamp
    return moment.timestamp() if moment is not None else float("inf")


def _against_budgets(pods: Sequence[Pod], budgets: Iterable[PodDisruptionBudget]) -> set[str]:
    """By uid, the pods whose end is one more than a budget allows, in their order."""
    left = [
        (each.metadata.namespace, selector_or_nothing(each.spec.selector), [each.status.disruptions_allowed])
        for each in budgets
    ]
    found: set[str] = set()
    for pod in pods:
        for namespace, selector, allowed in left:
            if (
                namespace == pod.metadata.namespace
                and selector.requirements
                and selector.matches(pod.metadata.labels)
            ):
                allowed[0] -= 1
                if allowed[0] < 0:
                    found.add(pod.metadata.uid)
    return found


def _freed(pods: Iterable[Pod]) -> Amounts:
    total: Amounts = {}
    for pod in pods:
        for name, amount in {**pod_amounts(pod.spec), "pods": Decimal(1)}.items():
            total[name] = total.get(name, ZERO) + amount
    return total


def making_way(
    survey: Observed, pod: Pod, nodes: Sequence[Node], free: Mapping[str, Amounts], placed: PlacedPods
) -> Preemption | None:
    """Where pods of lower priority make way for one that no node has room for, and which; None where none do, or none
    that would help. ``free`` is what each node has left, ``placed`` what runs there.
    """
    lower = {name for name, pods in placed.on.items() if any(priority(each) < priority(pod) for each in pods)}
    if not lower or not may_preempt(pod):
        return None
    size = {**pod_amounts(pod.spec), "pods": Decimal(1)}
    budgets = survey.all("poddisruptionbudgets")
    dependent = depends_on_others(pod.spec) or bool(placed.apart)
    everywhere = [each for pods in placed.on.values() for each in pods] if dependent else []

    def found(node: Node) -> Preemption | None:
        name = node.metadata.name

        def fits(freed: Amounts, gone: Sequence[Pod]) -> bool:
            here = free[name]
            if any(
                amount > 0 and here.get(key, ZERO) + freed.get(key, ZERO) < amount
                for key, amount in size.items()
            ):
                return False
            if not dependent:
                return True
            without = type(survey)(survey.objects, survey.now)
            away = {each.metadata.uid for each in gone}
            without.placed = PlacedPods(each for each in everywhere if each.metadata.uid not in away)
            return not any(OtherPods(without, pod, survey.all("nodes")).reasons(node, rough=True))

        return victims_on(name, pod, placed.on[name], fits, budgets)

    candidates = [
        node
        for node in nodes
        if node.metadata.name in lower and takes(node, pod.spec) and reaches(survey, node, pod)
    ]
    return best(one for node in candidates[:MAX_NODES] if (one := found(node)) is not None)
