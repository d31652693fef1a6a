"""A PodDisruptionBudget: how many of some pods may be taken away on purpose.

Rules: pkg/controller/disruption (getExpectedPodCount): percentages are rounded up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from dashboard.actions.action import Manifest
from dashboard.insight import Effect, Notice, Objects
from dashboard.insight.impact import selector_of
from dashboard.insight.pod_health import is_ready
from dashboard.insight.relations import pod_labels
from dashboard.insight.selecting import belonging, pods_effects
from dashboard.insight.words import bold, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.pods import Pod
from dashboard.kinds.rows import plural

from .form import NAMESPACE, Checks, Input, Look, NewObject, Section, name_input
from .reading import share
from .selectors import chosen_pods, selector_input, selector_rows
from .selectors import selector_of as labels_of

_RULES = (("minAvailable", "must stay available"), ("maxUnavailable", "may be unavailable"))
_KNOWING = "Worth knowing"


class NewBudget(NewObject):
    plural, word = "poddisruptionbudgets", "Budget"
    reads = frozenset({"pods", "replicasets", "deployments", "statefulsets", "daemonsets", "jobs"})
    offered_on = MappingProxyType(
        {"deployments": "Protect by a disruption budget", "statefulsets": "Protect by a disruption budget"}
    )
    sections = (
        Section(title="PodDisruptionBudget", inputs=(name_input(), NAMESPACE)),
        Section(
            title="Rule",
            note="counts for drains and other evictions",
            inputs=(
                Input(
                    name="amount", label="Pods", parse=share("pods"), required=True, placeholder="1 or 50%",
                    at=("spec.minAvailable", "spec.maxUnavailable"),
                ),
                Input(name="rule", label="that", input="choice", choices=_RULES),
            ),
        ),
        Section(title="Selector", note="pods that have all of these labels", inputs=(selector_input("spec.selector"),)),
    )  # fmt: skip

    def filled(self, plural: str, obj: Any, objects: Objects) -> Mapping[str, Sequence[str]]:
        """One pod at a time: what a drain always gets on with."""
        selector = obj.spec.selector
        labels = (
            selector.match_labels if selector and not selector.match_expressions else None
        ) or pod_labels(plural, obj)
        head = {"name": [obj.metadata.name], "namespace": [obj.metadata.namespace]}
        return head | {"amount": ["1"], "rule": ["maxUnavailable"]} | selector_rows(labels or {})

    def spec(self, values: Mapping[str, Any]) -> Manifest:
        amount = values["amount"] if values["amount"] is not None else ""
        return {"spec": {values["rule"]: amount, "selector": {"matchLabels": labels_of(values)}}}

    async def check(self, look: Look, checks: Checks) -> None:
        pods = chosen_pods(look, checks)
        if pods is None or not look.namespace:
            return
        if not labels_of(look.values):
            checks.at("selector", "warn", f"Without labels it protects every pod of {look.namespace}.")
            pods = [pod for pod in look.all("pods") if pod.status.phase not in ("Succeeded", "Failed")]
        budget_said(look, checks, pods)

    def command(self, values: Mapping[str, Any]) -> Sequence[str]:
        labels = labels_of(values)
        if not labels:
            return ()
        flag = "--min-available" if values["rule"] == "minAvailable" else "--max-unavailable"
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        return (
            "kubectl", "create", "poddisruptionbudget", values["name"], "-n", values["namespace"],
            f"--selector={selector}", f"{flag}={values['amount']}",
        )  # fmt: skip


def budget_said(look: Look, checks: Checks, pods: Sequence[Pod]) -> None:
    """What a budget does for these pods."""
    checks.effects += pods_effects(pods, f"It would protect {plural(len(pods), 'pod')}", lambda _: "")
    checks.effects += belonging(look.objects, pods, look.now, _KNOWING)
    checks.effects += _others(look, pods)
    if look.values["amount"] is not None:
        checks.headline = _headline(look, pods)


def allowed_disruptions(rule: str, amount: int | str, pods: int, healthy: int) -> tuple[int, int]:
    """How many pods must be healthy, and how many may go now."""
    count = -(-pods * int(amount[:-1]) // 100) if isinstance(amount, str) else amount
    desired = count if rule == "minAvailable" else max(0, pods - count)
    return desired, max(0, healthy - desired)


def _headline(look: Look, pods: Sequence[Pod]) -> Notice:
    if not pods:
        text = "It counts for nothing until a pod has all of these labels."
        return Notice("warn", f"It matches no pod in {look.namespace}", text)
    healthy = sum(map(is_ready, pods))
    desired, allowed = allowed_disruptions(look.values["rule"], look.values["amount"], len(pods), healthy)
    now = (
        f"{desired} of {plural(len(pods), 'pod')} must be ready, {healthy} {'is' if healthy == 1 else 'are'}"
    )
    if desired >= len(pods):
        text = f"{now}: not even when all are. Drains of their nodes wait for ever, unless somebody deletes a pod."
        return Notice("bad", "It allows 0 disruptions: node drains will block", text)
    if not allowed:
        text = f"{now}: drains of their nodes wait until more are."
        return Notice("warn", "It allows 0 disruptions now: node drains will block", text)
    return Notice("info", f"It allows {plural(allowed, 'disruption')} at a time", f"{now}.")


def _others(look: Look, pods: Sequence[Pod]) -> Iterator[Effect]:
    """The eviction API refuses pods that two budgets protect."""
    if why := look.unknown("poddisruptionbudgets"):
        yield Effect(
            "info",
            "lock",
            parts("Whether another budget protects these pods is not known"),
            why,
            group=_KNOWING,
        )
    for budget in look.all("poddisruptionbudgets"):
        meta = budget.metadata
        if meta.name != look.values["name"] and any(
            selector_of(budget.spec.selector).matches(pod.metadata.labels) for pod in pods
        ):
            text = parts(bold(f"PodDisruptionBudget {meta.name}"), " protects some of these pods")
            ref = Ref("PodDisruptionBudget", look.namespace, meta.name, "poddisruptionbudgets")
            yield Effect(
                "bad", "warn", text, "pods with two budgets can't be evicted", "blocks", ref, _KNOWING
            )


NEW_BUDGET = NewBudget()
