"""Cordoning and uncordoning a node: spec.unschedulable. The node controller sets the taint that goes with it."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from dashboard.insight import Notice, Objects
from dashboard.insight.cordoning import cordon_impact, running_on, uncordon_impact
from dashboard.kinds.nodes import Node
from dashboard.kinds.rows import plural
from dashboard.kube.shell import shell_line
from dashboard.models import Change

from ..database import in_database
from .action import Description, DryRun, Order, Progress
from .operation import unfinished_of
from .toggle import Toggle


class Cordon(Toggle):
    kinds = frozenset({"nodes"})
    field = "unschedulable"
    states = ("schedulable", "cordoned")
    reads = frozenset({"nodes", "pods", "persistentvolumeclaims", "persistentvolumes"})
    tells_unlisted = frozenset({"pods"})

    def describe(self, dry: DryRun) -> Description:
        impact = cordon_impact if self.sets else uncordon_impact
        verb, back = ("cordon", "uncordoning") if self.sets else ("uncordon", "cordoning")
        return Description.of(
            impact(dry.objects, dry.obj, dry.now),
            kubectl=shell_line(["kubectl", verb, dry.target.name]),
            undo_words=f"Undo by {back} it; it stays one click away under Changes made here.",
            button=f"{verb.capitalize()} {dry.target.name}",
        )

    async def ask(self, order: Order, told: Description, dry: DryRun) -> Description:
        """Besides: that a drain stops, as the pods that it evicts could come back."""
        uid = dry.before["metadata"]["uid"]
        drain = None if self.sets else await in_database(unfinished_of)("drain", order.target.context, uid)
        if drain is None:
            return told
        who = drain.user.get_username()
        notice = Notice("warn", f"{who}'s drain stops", "Pods that it has not evicted yet keep running.")
        return dataclasses.replace(told, notices=(notice, *told.notices))

    def ended(self, change: Change, found: Node, objects: Objects, now: datetime, made: bool) -> Progress:
        text = "New pods can be scheduled on it."
        if made:
            count = len(running_on(objects, change.name))
            text = f"{plural(count, 'pod')} still {'runs' if count == 1 else 'run'} on it: cordoning evicts nothing."
        headline = f"{change.name} is {self.states[made]}"
        return Progress(state="ok", headline=headline, text=text, percent=None, done=True)


CORDON = Cordon("cordon", "Cordon", "lock", sets=True)
UNCORDON = Cordon("uncordon", "Uncordon", "play", sets=False)
