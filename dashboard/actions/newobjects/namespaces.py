"""A Namespace, with the level of Pod Security that is enforced in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.actions.action import Manifest
from dashboard.insight import Effect
from dashboard.insight.words import parts

from .form import Checks, Input, Look, NewObject, Section, name_input
from .labels import LABELS, labels_of
from .reading import label_name

ENFORCE = "pod-security.kubernetes.io/enforce"
_LEVELS = (
    ("", "As the cluster has it"),
    ("restricted", "restricted: hardened pods only"),
    ("baseline", "baseline: no known privilege escalations"),
    ("privileged", "privileged: everything is allowed"),
)


class NewNamespace(NewObject):
    plural = "namespaces"
    sections = (
        Section(
            title="Namespace",
            inputs=(
                name_input(label_name),
                Input(name="security", label="Pod Security", input="choice", choices=_LEVELS, hint="For its pods."),
            ),
        ),
        Section(title="Labels", note="policies and selectors find it by them", inputs=(LABELS,), folded=True),
    )  # fmt: skip

    def spec(self, values: Mapping[str, Any]) -> Manifest:
        level = {ENFORCE: values["security"]} if values["security"] else {}
        labels = labels_of(values) | level
        return {"metadata": {"labels": labels}} if labels else {}

    async def check(self, look: Look, checks: Checks) -> None:
        name = look.values["name"] or ""
        if name.startswith("kube-"):
            checks.at(
                "name", "warn", "Names that begin with kube- are reserved for Kubernetes' own namespaces."
            )
        text = parts("It starts without a ResourceQuota, a LimitRange and a NetworkPolicy")
        note = "its pods may use what the nodes have, and reach and be reached by all others"
        checks.effects.append(Effect("info", "info", text, note))

    def command(self, values: Mapping[str, Any]) -> Sequence[str]:
        if labels_of(values) or values["security"]:
            return ()
        return ("kubectl", "create", "namespace", values["name"])


NEW_NAMESPACE = NewNamespace()
