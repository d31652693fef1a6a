"""What a PodDisruptionBudget does for its pods, and to the drains of their nodes.

Rules: pkg/controller/disruption (getExpectedPodCount, updatePdbStatus): percentages are rounded up, and a budget without
a number allows nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dashboard.kinds.base import Ref
from dashboard.kinds.poddisruptionbudgets import PodDisruptionBudget
from dashboard.kinds.pods import Pod
from dashboard.kinds.rows import plural

from .impact import Effect, Impact, Notice, selector_of
from .pod_health import is_ready
from .protocols import Objects
from .words import bold, parts

KNOWING = "Worth knowing"
_BLOCKS = "It allows 0 disruptions: node drains will block"
_FOR_EVER = "Drains of their nodes wait for ever, unless somebody deletes a pod."
_ENDED = ("Succeeded", "Failed")
_MANY = 1000  # pods, where nobody knows how many there will be: a rule that allows none of so many allows none of any


def budget_impact(objects: Objects, before: PodDisruptionBudget | None, after: PodDisruptionBudget) -> Impact:
    """What is wrong with a budget as it is written; nothing where its rule and its pods stay as they are."""
    spec, meta = after.spec, after.metadata
    if before is not None and before.spec == spec:
        return Impact(None, ())
    amount = spec.min_available if spec.max_unavailable is None else spec.max_unavailable
    if amount is None:
        text = f"It has neither minAvailable nor maxUnavailable. {_FOR_EVER}"
        return Impact(Notice("bad", _BLOCKS, text), ())
    rule = "minAvailable" if spec.max_unavailable is None else "maxUnavailable"
    pods = protected(objects, after)
    headline = budget_headline(meta.namespace, rule, amount, pods)
    if not pods and allowed_disruptions(rule, amount, _MANY, _MANY)[1] == 0:
        headline = Notice("bad", _BLOCKS, f"Each of its pods must be ready, always. {_FOR_EVER}")
    elif not pods and (before is None or not protected(objects, before)):
        return Impact(None, ())  # its pods may come after it
    shown = None if headline.state == "info" else headline
    return Impact(shown, tuple(overlapping(objects, meta.namespace, meta.name, pods)))


def protected(objects: Objects, budget: PodDisruptionBudget) -> list[Pod]:
    """The pods that a budget selects and that have not ended."""
    selector = selector_of(budget.spec.selector)
    found = objects.all("pods", budget.metadata.namespace)
    return [pod for pod in found if selector.matches(pod.metadata.labels) and pod.status.phase not in _ENDED]


def allowed_disruptions(rule: str, amount: int | str, pods: int, healthy: int) -> tuple[int, int]:
    """How many pods must be healthy, and how many may go now."""
    count = -(-pods * int(amount[:-1]) // 100) if isinstance(amount, str) else amount
    desired = count if rule == "minAvailable" else max(0, pods - count)
    return desired, max(0, healthy - desired)


def budget_headline(namespace: str, rule: str, amount: int | str, pods: Sequence[Pod]) -> Notice:
    if not pods:
        text = "It counts for nothing until a pod has all of these labels."
        return Notice("warn", f"It matches no pod in {namespace}", text)
    healthy = sum(map(is_ready, pods))
    desired, allowed = allowed_disruptions(rule, amount, len(pods), healthy)
    now = (
        f"{desired} of {plural(len(pods), 'pod')} must be ready, {healthy} {'is' if healthy == 1 else 'are'}"
    )
    if desired >= len(pods):
        return Notice("bad", _BLOCKS, f"{now}: not even when all are. {_FOR_EVER}")
    if not allowed:
        text = f"{now}: drains of their nodes wait until more are."
        return Notice("warn", "It allows 0 disruptions now: node drains will block", text)
    return Notice("info", f"It allows {plural(allowed, 'disruption')} at a time", f"{now}.")


def overlapping(objects: Objects, namespace: str, name: str, pods: Sequence[Pod]) -> Iterator[Effect]:
    """The eviction API refuses pods that two budgets protect."""
    for budget in objects.all("poddisruptionbudgets", namespace):
        meta = budget.metadata
        if meta.name != name and any(
            selector_of(budget.spec.selector).matches(pod.metadata.labels) for pod in pods
        ):
            text = parts(bold(f"PodDisruptionBudget {meta.name}"), " protects some of these pods")
            ref = Ref("PodDisruptionBudget", namespace, meta.name, "poddisruptionbudgets")
            yield Effect(
                "bad", "warn", text, "pods with two budgets can't be evicted", "blocks", ref, KNOWING
            )
