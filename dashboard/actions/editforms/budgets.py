"""A PodDisruptionBudget that is there: its rule, and the labels by which it selects pods."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from dashboard.actions.action import DryRun, Manifest, pointer
from dashboard.actions.newobjects.budgets import NEW_BUDGET, budget_said
from dashboard.actions.newobjects.form import Checks, Input, Look
from dashboard.insight import Impact
from dashboard.insight.budgeting import budget_impact
from dashboard.insight.impact import selector_of
from dashboard.kinds.selectors import LabelSelector, format_label_selector

from .editing import Editing, Edits, Texts, check_twice, label_texts

_RULES = ("minAvailable", "maxUnavailable")
_LABELS = "/spec/selector/matchLabels"


class EditBudget(Editing):
    form = NEW_BUDGET
    names = ("amount", "rule", "selector")

    def input(self, one: Input, manifest: Manifest) -> Input | None:
        return None if one.name == "selector" and _conditions(manifest) else one

    def shown(self, manifest: Manifest) -> Texts:
        spec = manifest.get("spec") or {}
        rule = next((each for each in _RULES if spec.get(each) is not None), "maxUnavailable")
        head = {"rule": [rule], "amount": [str(spec.get(rule, ""))]}
        return head | label_texts("selector", pointer(manifest, _LABELS))

    def unshown(self, manifest: Manifest) -> Sequence[str]:
        if not _conditions(manifest):
            return ()
        return (
            f"Its selector has conditions, and not labels alone: {format_label_selector(_selector(manifest))}.",
        )

    def put(self, made: Manifest, edits: Edits) -> None:
        spec = made.setdefault("spec", {})
        if edits.changed & {"amount", "rule"}:
            for each in _RULES:
                spec.pop(each, None)
            spec[edits["rule"]] = edits["amount"]
        if "selector" in edits.changed:
            labels = edits.labels("selector", pointer(made, _LABELS))
            spec["selector"] = {**(spec.get("selector") or {}), "matchLabels": labels}

    async def check(self, edits: Edits, look: Look, checks: Checks) -> None:
        base = edits.form.base
        if not _conditions(base):
            check_twice(checks, look.values["selector"], "key", "label")
            await super().check(edits, look, checks)
        elif not look.unknown("pods"):
            selector = selector_of(_selector(base))
            pods = [pod for pod in look.all("pods") if selector.matches(pod.metadata.labels)]
            budget_said(
                look, checks, [pod for pod in pods if pod.status.phase not in ("Succeeded", "Failed")]
            )

    def impact(self, dry: DryRun) -> Impact:
        return budget_impact(dry.objects, dry.obj, dry.made)


def _conditions(manifest: Manifest) -> bool:
    return bool(pointer(manifest, "/spec/selector/matchExpressions"))


def _selector(manifest: Manifest) -> LabelSelector:
    return msgspec.convert(pointer(manifest, "/spec/selector"), LabelSelector)


EDIT_BUDGET = EditBudget()
