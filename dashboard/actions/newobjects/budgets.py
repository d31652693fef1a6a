"""A PodDisruptionBudget: how many of some pods may be taken away on purpose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from dashboard.actions.action import Manifest
from dashboard.insight import Effect, Objects
from dashboard.insight.budgeting import KNOWING, budget_headline, overlapping
from dashboard.insight.relations import pod_labels
from dashboard.insight.selecting import belonging, pods_effects
from dashboard.insight.words import parts
from dashboard.kinds.pods import Pod
from dashboard.kinds.rows import plural

from .form import NAMESPACE, Checks, Input, Look, NewObject, Section, name_input
from .reading import share
from .selectors import chosen_pods, selector_input, selector_rows
from .selectors import selector_of as labels_of

_RULES = (("minAvailable", "must stay available"), ("maxUnavailable", "may be unavailable"))


class NewBudget(NewObject):
    plural, word = "poddisruptionbudgets", "Budget"
    reads = frozenset({"pods", "replicasets", "deployments", "statefulsets", "daemonsets", "jobs"})
    offered_on = MappingProxyType({"deployments": "Add a budget", "statefulsets": "Add a budget"})
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
    checks.effects += belonging(look.objects, pods, look.now, KNOWING)
    checks.effects += _others(look, pods)
    if (amount := look.values["amount"]) is not None:
        checks.headline = budget_headline(look.namespace, look.values["rule"], amount, pods)


def _others(look: Look, pods: Sequence[Pod]) -> Iterator[Effect]:
    if why := look.unknown("poddisruptionbudgets"):
        text = parts("Whether another budget protects these pods is not known")
        yield Effect("info", "lock", text, why, group=KNOWING)
    yield from overlapping(look.objects, look.namespace, look.values["name"], pods)


NEW_BUDGET = NewBudget()
