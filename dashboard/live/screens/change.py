"""A change that was applied: how far it has come, and the way back."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from dashboard import render
from dashboard.actions.action import Sums
from dashboard.actions.undo import ACTIONS, UndoState, change_follow, change_undo_state
from dashboard.errors import NotFound
from dashboard.insight.configmapuse import READ
from dashboard.kinds import KINDS
from dashboard.kube.shell import shell_line
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screen import Screen
from dashboard.live.snapshot import Snapshot
from dashboard.models import Change
from dashboard.queries.access import Visible, visible

from .common import fresh_part, iso, list_url, object_url, rights_key

FOLLOWED = READ | {"configmaps"}
ROLLED = frozenset({"deployments", "statefulsets", "daemonsets"})


class ChangeScreen(Screen):
    page = "pages/change.html"

    def __init__(self, runtime: ClusterRuntime, params: QueryDict, change: int) -> None:
        super().__init__(runtime)
        self.number = change
        self.visible = Visible()
        self.change: Change
        self.undo: UndoState

    @property
    def key(self) -> Hashable:
        return ("change", self.number, rights_key({"": self.visible}))

    @property
    def plurals(self) -> frozenset[str]:
        return FOLLOWED

    async def prepare(self) -> None:
        self.change = await change_of(self.number, self.runtime)
        plural = self.change.plural
        self.visible = await visible(self.runtime.transport, self.runtime.cache, plural)
        if self.visible.denied is not None:
            raise self.visible.denied
        self.undo = await change_undo_state(change=self.change)

    def snapshot(self) -> Snapshot:
        progress = change_follow(change=self.change, objects=self.runtime.reader, now=datetime.now(UTC))
        return Snapshot(
            regions={
                "change-progress": render.region(
                    "change_progress",
                    {
                        "state": progress.state,
                        "headline": progress.headline,
                        "text": progress.text,
                        "percent": progress.percent,
                        "done": progress.done,
                        "restart": [
                            {
                                "text": f"Restart {ref.kind} {ref.name}…",
                                "url": f"{object_url(self.runtime, ref.plural, ref.namespace, ref.name)}restart/",
                            }
                            for ref in progress.restart
                        ],
                        "following": [
                            {
                                "state": each.state,
                                "headline": each.headline,
                                "text": each.text,
                                "url": reverse("change", args=[each.change]) if each.change else "",
                            }
                            for each in progress.following
                        ],
                        "since": iso(self.change.created_at.replace(microsecond=0)),
                        "rows": [
                            {
                                "tag": "new" if each.new else "old",
                                "name": each.name,
                                "url": object_url(self.runtime, each.plural, each.namespace, each.name)
                                if each.plural
                                else "",
                                "squares": [{"state": pod.state} for pod in each.pods],
                                "words": f"{each.ready} of {each.desired} ready",
                            }
                            for each in progress.sets
                        ],
                    },
                ),
                "change-undo": render.region(
                    "change_undo",
                    {
                        "possible": self.undo.possible,
                        "words": self.undo.words,
                        "url": reverse("undo", args=[self.number]),
                        "done_by": "" if self.undo.undone_by is None else self.undo.words,
                    },
                ),
                "fresh": fresh_part(self.runtime, self.plurals),
            }
        )

    def context(self) -> Mapping[str, Any]:
        change = self.change
        return {
            "title": change.action.capitalize(),
            "object": object_context(self.runtime, change),
            "breadcrumbs": [
                (KINDS[change.plural].title, list_url(self.runtime, change.plural)),
                (
                    change.namespace,
                    list_url(self.runtime, change.plural, f"?namespace={change.namespace}"),
                ),
                (
                    change.name,
                    object_url(self.runtime, change.plural, change.namespace, change.name),
                ),
            ],
            "cluster_name": self.runtime.cluster.name,
            "at": iso(change.created_at.replace(microsecond=0)),
            "user": change.user.get_username(),
            "what": what(change),
            "kubectl": _kubectl(change),
        }


async def change_of(number: int, runtime: ClusterRuntime | None = None) -> Change:
    """The change of a number. Raises NotFound; also when it was made in another cluster than ``runtime``'s."""
    change = await Change.objects.filter(pk=number).select_related("user").afirst()
    if change is None or (runtime is not None and change.context != runtime.cluster.name):
        raise NotFound(f"There is no change {number}.", next_step="Look at the list of changes made here.")
    return change


def object_context(runtime: ClusterRuntime, change: Change) -> dict[str, str]:
    return {
        "plural": change.plural,
        "kind": change.kind,
        "namespace": change.namespace,
        "name": change.name,
        "url": object_url(runtime, change.plural, change.namespace, change.name),
    }


def _kubectl(change: Change) -> str:
    """The command that follows the same change."""
    where = ["-n", change.namespace] if change.namespace else []
    if change.plural in ROLLED:
        return shell_line(["kubectl", "rollout", "status", f"{change.kind.lower()}/{change.name}", *where])
    return shell_line(["kubectl", "get", change.plural, change.name, *where, "--watch"])


def what(change: Change) -> str:
    """What was changed, in words: "from 2 to 5 replicas"."""
    values = change.touched.get("/spec/replicas")
    if values:
        return f"From {values[0]} to {values[1]} replicas"
    if change.state != Change.State.DONE:
        return "It is not known yet whether it was made"
    action = ACTIONS[change.action]
    if isinstance(action, Sums):
        return action.summary(change)
    was, made = ({path: pair[at] for path, pair in change.touched.items()} for at in (0, 1))
    words = f"{action.words(was)} → {action.words(made)}"
    return words[:1].upper() + words[1:]
