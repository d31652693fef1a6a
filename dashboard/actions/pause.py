"""Pausing and resuming the rollouts of a Deployment: spec.paused."""

from __future__ import annotations

from datetime import datetime

from dashboard.insight import Objects
from dashboard.insight.pausing import pause_impact
from dashboard.insight.restart import resume_impact
from dashboard.kinds.deployments import Deployment
from dashboard.models import Change

from .action import Action, Description, DryRun, Progress
from .toggle import Toggle


class Pause(Toggle):
    kinds = frozenset({"deployments"})
    field = "paused"
    states = ("not paused", "paused")

    @property
    def said(self) -> tuple[str, ...]:  # type: ignore[override]
        return (f"rollout {self.name}",)

    def describe(self, dry: DryRun) -> Description:
        impact = pause_impact if self.sets else resume_impact
        verb, back = ("pause", "resuming") if self.sets else ("resume", "pausing")
        return Description.of(
            impact(dry.objects, dry.obj, dry.now),
            kubectl=dry.target.kubectl(f"rollout {verb}"),
            undo_words=f"Undo by {back} it; it stays one click away under Changes made here.",
            button=f"{verb.capitalize()} {dry.target.name}",
        )

    def ended(
        self, change: Change, found: Deployment, objects: Objects, now: datetime, made: bool
    ) -> Progress:
        if not made:
            return Action.progress(self, change, found, objects, now)
        text = "Changes of its pod template wait until it is resumed."
        return Progress(state="ok", headline=f"{change.name} is paused", text=text, percent=None, done=True)


PAUSE = Pause("pause", "Pause", "pause", sets=True)
RESUME = Pause("resume", "Resume", "play", sets=False)
