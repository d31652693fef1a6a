"""Pausing a HorizontalPodAutoscaler and resuming it: both policies of spec.behavior are Disabled meanwhile. An annotation
keeps what they were, so that whoever resumes it, from wherever, brings that back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Self

from dashboard.insight import Objects
from dashboard.insight.autoscaling import paused_impact, resumed_impact
from dashboard.kinds.horizontalpodautoscalers import DISABLED, HorizontalPodAutoscaler, judge
from dashboard.kinds.rows import plural
from dashboard.models import Change

from .action import TOUCHED, Action, Description, DryRun, Manifest, OwnedFields, Progress, Wanted, pointer

KEPT = "cluster-ui.dev/behavior-before-pause"
BEHAVIOR, NOTE = "/spec/behavior", f"/metadata/annotations/{KEPT.replace('/', '~1')}"
DIRECTIONS = ("scaleUp", "scaleDown")


def _paused(behavior: Any) -> bool:
    return all(pointer(behavior or {}, f"{way}/selectPolicy") == DISABLED for way in DIRECTIONS)


def _policies(behavior: Any) -> Manifest:
    """Both policies as they stand there; None is the API server's default."""
    return {way: {"selectPolicy": pointer(behavior, f"{way}/selectPolicy")} for way in DIRECTIONS}


class PauseAutoscaler(Action):
    """``sets``: whether it pauses."""

    kinds = frozenset({"horizontalpodautoscalers"})
    part = "operate"
    reads = TOUCHED | {"statefulsets"}
    owns = MappingProxyType({"behavior": BEHAVIOR, "note": NOTE})

    def __init__(self, name: str, title: str, icon: str, *, sets: bool) -> None:
        self.name, self.title, self.icon, self.sets = name, title, icon, sets

    def applies(self, obj: HorizontalPodAutoscaler) -> bool:
        return obj.spec.paused is not self.sets

    def read(self, typed: Mapping[str, str]) -> Wanted:
        return {}

    def on(self, wanted: Wanted) -> Self:
        """An undo does the opposite."""
        sets = _paused(wanted["behavior"]) if wanted else self.sets
        return type(self)(self.name, self.title, self.icon, sets=sets)

    def body(self, manifest: Manifest, wanted: Wanted) -> Manifest:
        if wanted:  # an undo: just as it was
            return super().body(manifest, wanted)
        behavior = pointer(manifest, BEHAVIOR)
        if _paused(behavior) is self.sets:
            return {}
        if self.sets:
            note = json.dumps(_policies(behavior) if behavior else None)
            disabled = {way: {"selectPolicy": DISABLED} for way in DIRECTIONS}
            return super().body(manifest, {"behavior": disabled, "note": note})
        return super().body(manifest, {"behavior": self._before(manifest), "note": None})

    def _before(self, manifest: Manifest) -> Manifest | None:
        """What it was, and the default of the API server where nobody kept that; None: there was no behavior."""
        try:
            kept = json.loads(pointer(manifest, NOTE) or "{}")
        except ValueError:  # somebody else wrote it
            kept = {}
        return None if kept is None else _policies(kept if isinstance(kept, dict) else {})

    def words(self, touched: OwnedFields) -> str:
        return "paused" if _paused(touched[BEHAVIOR]) else "not paused"

    def describe(self, dry: DryRun) -> Description:
        impact = paused_impact if self.sets else resumed_impact
        verb, back = ("pause", "resuming") if self.sets else ("resume", "pausing")
        return Description.of(
            impact(dry.objects, dry.obj),
            kubectl=dry.target.kubectl_patch(self.body(dry.before, dry.wanted)),
            undo_words=f"Undo by {back} it; it stays one click away under Changes made here.",
            button=f"{verb.capitalize()} {dry.target.name}",
        )

    def progress(
        self, change: Change, found: HorizontalPodAutoscaler, objects: Objects, now: datetime
    ) -> Progress:
        made = _paused(change.touched[BEHAVIOR][1])
        is_so = "paused" if found.spec.paused else "not paused"
        if found.spec.paused is not made:
            headline = f"{change.name} was changed again"
            return Progress(
                state="done", headline=headline, text=f"It is {is_so} now.", percent=None, done=True
            )
        state, reason = judge(found)
        if made:  # which is what its reason tells
            state, reason = "ok", ""
        text = reason or f"{plural(found.status.current_replicas, 'replica')} now."
        return Progress(state=state, headline=f"{change.name} is {is_so}", text=text, percent=None, done=True)


PAUSE_AUTOSCALER = PauseAutoscaler("pause", "Pause", "pause", sets=True)
RESUME_AUTOSCALER = PauseAutoscaler("resume", "Resume", "play", sets=False)
