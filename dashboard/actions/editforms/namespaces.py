"""A Namespace that is there: its labels, and the level of Pod Security that is enforced in it."""

from __future__ import annotations

import dataclasses

from dashboard.actions.action import DryRun, Manifest
from dashboard.actions.newobjects.form import Checks, Input, Look
from dashboard.actions.newobjects.namespaces import ENFORCE, NEW_NAMESPACE
from dashboard.insight import Impact
from dashboard.insight.admitting import namespace_impact

from .editing import Editing, Edits, Texts, check_twice, label_texts

NAME = "kubernetes.io/metadata.name"  # which the API server keeps


class EditNamespace(Editing):
    form = NEW_NAMESPACE
    names = ("security", "labels")
    reads = frozenset({"networkpolicies", "pods"})

    def input(self, one: Input, manifest: Manifest) -> Input | None:
        level = _labels(manifest).get(ENFORCE, "")
        if one.name == "security" and level not in [value for value, _ in one.choices]:
            return dataclasses.replace(one, choices=(*one.choices, (level, level)))
        return one

    def shown(self, manifest: Manifest) -> Texts:
        labels = _labels(manifest)
        rows = {key: value for key, value in labels.items() if key not in (ENFORCE, NAME)}
        return {"security": [labels.get(ENFORCE, "")]} | label_texts("labels", rows)

    def put(self, made: Manifest, edits: Edits) -> None:
        labels = _labels(made)
        if "labels" in edits.changed:
            labels = edits.labels("labels", labels)
        if "security" in edits.changed:
            labels = {key: value for key, value in labels.items() if key != ENFORCE}
            labels |= {ENFORCE: edits["security"]} if edits["security"] else {}
        made["metadata"]["labels"] = labels

    async def check(self, edits: Edits, look: Look, checks: Checks) -> None:
        rows = look.values["labels"]
        check_twice(checks, rows, "key", "label")
        for row in rows:
            if row["key"] in (ENFORCE, NAME):
                own = "Choose it above" if row["key"] == ENFORCE else "The API server sets it"
                checks.at(row.place, "bad", f"{own}: leave {row['key']} out here.")

    def impact(self, dry: DryRun) -> Impact:
        return namespace_impact(dry.objects, dry.obj, dry.made)


def _labels(manifest: Manifest) -> dict[str, str]:
    return dict(manifest["metadata"].get("labels") or {})


EDIT_NAMESPACE = EditNamespace()
