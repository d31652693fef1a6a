"""Restarting a workload as kubectl does: by an annotation on its pod template; the rollout is its controller's.

Source: kubernetes/kubectl, pkg/polymorphichelpers/objectrestarter.go.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import MappingProxyType

from dashboard.errors import Invalid
from dashboard.insight import Notice, Objects, restart_impact
from dashboard.kube.shell import shell_line
from dashboard.models import Change

from .action import Action, Description, DryRun, Manifest, Order, OwnedFields, Wanted, pointer

ANNOTATION = "kubectl.kubernetes.io/restartedAt"
RESTARTED_AT = "/spec/template/metadata/annotations/" + ANNOTATION.replace("/", "~1")


class Restart(Action):
    name, title, icon = "restart", "Restart", "restart"
    part = "operate"
    said = ("rollout restart",)
    kinds = frozenset({"deployments", "statefulsets", "daemonsets"})
    owns = MappingProxyType({"restartedAt": RESTARTED_AT})
    intro = "Every pod is replaced by a new one of the same template, as the strategy says."

    def last(self, manifest: Manifest) -> tuple[str, str]:
        return "It was restarted last", pointer(manifest, RESTARTED_AT) or ""

    def check(self, manifest: Manifest, wanted: Wanted) -> None:
        if pointer(manifest, "/spec/paused"):
            name, namespace = (manifest["metadata"][key] for key in ("name", "namespace"))
            resume = shell_line(["kubectl", "rollout", "resume", f"deployment/{name}", "-n", namespace])
            raise Invalid(
                f"Deployment {name} is paused: a restart would wait until it is resumed.",
                next_step=f"Resume it first: {resume}",
            )

    async def decide(self, order: Order, manifest: Manifest, objects: Objects) -> Wanted:
        """The moment that the annotation gets is the preview's: it is part of the effect that was shown."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {} if "restartedAt" in order.wanted else {"restartedAt": now}

    def back(self, before: Manifest) -> Wanted:
        return {**(super().back(before) or {}), "back": True}

    def words(self, touched: OwnedFields) -> str:
        at = touched[RESTARTED_AT]
        return f"restarted at {at}" if at else "not restarted before"

    def way_back(self, change: Change) -> str:
        return (
            "A restart can't be undone: the old pods are gone. Undo restores the annotation, and that replaces the "
            "pods once more."
        )

    def describe(self, dry: DryRun) -> Description:
        impact, name = restart_impact(dry.objects, dry.obj, dry.now), dry.target.name
        if not dry.wanted.get("back"):
            undo = "A restart can't be undone: undo replaces the pods once more."
            kubectl = dry.target.kubectl("rollout restart")
            return Description.of(impact, kubectl=kubectl, undo_words=undo, button=f"Restart {name}")
        patch = json.dumps(self.body(dry.before, dry.wanted), separators=(",", ":"))
        text = "The annotation is restored, and its pods are replaced once more."
        return Description.of(
            impact,
            Notice("info", "This restarts it again", text),
            kubectl=dry.target.kubectl("patch", "--type=merge", "-p", patch),
            undo_words="This can itself be undone, with one more restart.",
            button=f"Put {name} back",
        )


RESTART = Restart()
