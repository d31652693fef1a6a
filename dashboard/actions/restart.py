"""Restarting a workload as kubectl does: by an annotation on its pod template; the rollout is its controller's.

Source: kubernetes/kubectl, pkg/polymorphichelpers/objectrestarter.go.
"""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType

from dashboard.insight import RESTARTS_AGAIN, Objects, restart_impact
from dashboard.models import Change

from .action import Action, Description, DryRun, Manifest, Order, OwnedFields, Wanted, pointer
from .problems import not_paused

RESTARTED_AT = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt"
UNDO = "A restart can't be undone: undo restores the annotation, and that replaces the pods once more."


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
        not_paused(manifest, ": a restart would wait until it is resumed.")

    async def decide(self, order: Order, manifest: Manifest, objects: Objects) -> Wanted:
        """The moment that the annotation gets is the preview's: it is part of the effect that was shown."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {} if "restartedAt" in order.wanted else {"restartedAt": now}

    def back(self, before: Manifest) -> Wanted:
        return {**(super().back(before) or {}), "back": True}

    def words(self, touched: OwnedFields) -> str:
        return f"restarted at {at}" if (at := touched[RESTARTED_AT]) else "not restarted before"

    def way_back(self, change: Change) -> str:
        return UNDO

    def describe(self, dry: DryRun) -> Description:
        back, name, body = dry.wanted.get("back"), dry.target.name, self.body(dry.before, dry.wanted)
        return Description.of(
            restart_impact(dry.objects, dry.obj, dry.now),
            *([RESTARTS_AGAIN] if back else []),
            kubectl=dry.target.kubectl_patch(body) if back else dry.target.kubectl("rollout restart"),
            undo_words=UNDO,
            button=f"Put {name} back" if back else f"Restart {name}",
        )


RESTART = Restart()
