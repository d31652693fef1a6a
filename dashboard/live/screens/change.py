"""A change that was applied: how far it has come, and the way back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from django.db import DatabaseError
from django.http import QueryDict
from django.urls import reverse

from dashboard import render
from dashboard.actions.action import Progress
from dashboard.actions.configmap_history import edit_history
from dashboard.actions.edit import Edit
from dashboard.actions.registry import action_of, change_title
from dashboard.actions.restart import RESTART
from dashboard.actions.undo import UndoState, change_follow, change_undo_state
from dashboard.database import in_database
from dashboard.errors import ClusterError, Forbidden, NotFound
from dashboard.insight.configmapuse import READ
from dashboard.insight.keyhistory import KeyHistory
from dashboard.kinds.base import Ref
from dashboard.kinds.catalogue import kind_named
from dashboard.kinds.references import group_of
from dashboard.kube.shell import shell_line
from dashboard.live.acting import own_past
from dashboard.live.deciding import hidden, of_the_past
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screen import ViewerScreen
from dashboard.live.session import Session, Sight
from dashboard.live.snapshot import Snapshot
from dashboard.models import Change
from dashboard.queries.relations import owners as owners_of

from .common import (
    fresh_part,
    iso,
    kind_of,
    links_after,
    list_url,
    namespace_crumbs,
    object_url,
    ref_url,
    rollout_command,
)
from .detail.tabs import TABS

LOOK_SECONDS = 1.0
FOLLOWED = READ | {"configmaps"}
ROLLED = frozenset({"deployments", "statefulsets", "daemonsets"})


class ChangeScreen(ViewerScreen):
    page = "pages/change.html"

    def __init__(self, session: Session, params: QueryDict, change: int) -> None:
        super().__init__(session)
        self.number = change
        self.change: Change
        self.undo: UndoState
        self.may_get = False
        self.history = KeyHistory()  # of an edit's keys
        self._task: asyncio.Task[None] | None = None

    @property
    def shows(self) -> Hashable:
        return (self.number, self.history.now is not None)

    @property
    def plurals(self) -> frozenset[str]:
        """The kind of what was changed is known once its record was read."""
        made = getattr(self, "change", None)
        return FOLLOWED if made is None else FOLLOWED | {made.plural} | action_of(made).follows

    async def prepare(self) -> None:
        self.change = await change_of(self.number, self.runtime)
        await self.session.review(self.plurals)
        with unnamed(self.session, self.change):
            self.session.must_see(self.change.plural, self.change.namespace)
        self.may_get = await may_read(self.session, self.change)
        self.undo = await change_undo_state(change=self.change)
        await self._look()

    async def _look(self) -> None:
        """What an edit's keys hold now may have been written elsewhere. While that cannot be told, what was is shown."""
        if _edits_keys(self.change):
            with suppress(ClusterError):
                self.history = await edit_history(
                    transport=self.session.transport,
                    change=self.change,
                    sightings=self.runtime.sightings.of(self.change.uid),
                )

    def open(self, changed: Callable[[], None]) -> None:
        """The cache tells of another version, but knows no values."""

        async def follow() -> None:
            looked_at = self.history.version
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                found = self.session.reader.get("configmaps", self.change.namespace, self.change.name)
                if found is not None and found.metadata.resource_version != looked_at:
                    looked_at = found.metadata.resource_version
                    with suppress(DatabaseError):
                        await self._look()
                        changed()

        if _edits_keys(self.change):
            self._task = asyncio.create_task(follow())

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def progress(self) -> Progress:
        return change_follow(
            change=self.change, objects=self.session.reader, now=datetime.now(UTC), history=self.history
        )

    async def told(self) -> dict[str, Any]:
        """How far it has come, for a script."""
        progress = self.progress()
        return {
            "state": progress.state,
            "headline": progress.headline,
            "done": progress.done,
            "undo_url": reverse("undo", args=[self.number]) if self.undo.possible else "",
        }

    def snapshot(self) -> Snapshot:
        progress = self.progress()
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
                                "text": f"{RESTART.title} {ref.kind} {ref.name}…",
                                "url": object_url(
                                    self.runtime, ref.plural, ref.namespace, ref.name, RESTART.name
                                ),
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
                        "shell": self._shell(progress),
                        "links": self._links(progress),
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
                "fresh": fresh_part(self.session, self.plurals),
            }
        )

    def _shell(self, progress: Progress) -> dict[str, str] | None:
        """The way to a shell in what the change added."""
        if not progress.shell:
            return None
        change, query = self.change, QueryDict(mutable=True)
        query["container"] = progress.shell
        url = object_url(self.runtime, change.plural, change.namespace, change.name, "shell")
        return {"text": f"Open a shell in {progress.shell}", "url": f"{url}?{query.urlencode()}"}

    def _links(self, progress: Progress) -> list[dict[str, str]]:
        """Where to go on: to what the change created, or from what it deleted."""
        change = self.change
        if (ref := progress.created) is not None:
            links = [{"text": f"{ref.kind} {ref.name}", "url": ref_url(self.runtime, ref)}]
            if (kind := self.runtime.kinds.get(ref.plural)) is not None and TABS["logs"].fits(kind):
                url = object_url(self.runtime, ref.plural, ref.namespace, ref.name, "logs")
                links.append({"text": "Logs", "url": url})
            return links
        present = self.session.reader.get(change.plural, change.namespace, change.name)
        if not _deletes(change) or (present is not None and present.metadata.uid == change.uid):
            return []
        made_by = change.result.get("controller")
        owners = []
        if made_by is not None:
            version = made_by.get("apiVersion", "")
            kind = kind_named(self.runtime.kinds, version, made_by["kind"])
            group = "" if kind else group_of(version) or ""
            owners = [
                Ref(made_by["kind"], change.namespace, made_by["name"], kind.plural if kind else "", group)
            ]
            above = self.session.reader.get(kind.plural, change.namespace, made_by["name"]) if kind else None
            if above is not None:
                owners = [*owners_of(self.session.reader, self.runtime.kinds, above), *owners]
        return links_after(
            self.runtime,
            change.plural,
            change.namespace,
            change.name,
            owners=owners,
            replacement=progress.replacement,
        )

    def context(self) -> Mapping[str, Any]:
        change = self.change
        return {
            "title": change_title(change),
            "object": object_context(self.runtime, change),
            "breadcrumbs": [
                (kind_of(self.runtime, change.plural).title, list_url(self.runtime, change.plural)),
                *namespace_crumbs(self.runtime, change.plural, change.namespace),
                (
                    change.name,
                    object_url(self.runtime, change.plural, change.namespace, change.name),
                ),
            ],
            "cluster_name": self.runtime.cluster.name,
            "at": iso(change.created_at.replace(microsecond=0)),
            "user": change.user.get_username(),
            "reason": change.reason,
            "deletes": _deletes(change),
            "what": what(change, with_values=self.may_get),
            "kubectl": _kubectl(
                change, self.session.reader.get(change.plural, change.namespace, change.name)
            ),
        }


async def change_of(number: int, runtime: ClusterRuntime | None = None) -> Change:
    """The change of a number. Raises NotFound, also when it was made in another cluster than ``runtime``'s; Forbidden for
    one from when people acted there as themselves, where all act as one now.
    """
    change = await in_database(Change.objects.filter(pk=number).select_related("user").first)()
    if change is None or (runtime is not None and change.context != runtime.cluster.name):
        raise NotFound(f"There is no change {number}.", next_step="Look at the list of changes made here.")
    if change.created_at <= own_past(change.context):
        raise of_the_past(change)
    return change


@contextmanager
def unnamed(sight: Sight, change: Change) -> Iterator[None]:
    """What is refused does not say what the change is about to whoever may not see that."""
    try:
        yield
    except Forbidden as error:
        if sight.reader.sees(change.plural, change.namespace):
            raise
        raise hidden(change) from error


def object_context(runtime: ClusterRuntime, about: Change | Ref) -> dict[str, str]:
    return {
        "plural": about.plural,
        "kind": about.kind,
        "namespace": about.namespace,
        "name": about.name,
        "url": object_url(runtime, about.plural, about.namespace, about.name),
    }


def _edits_keys(change: Change) -> bool:
    """Whether it is an edit of a ConfigMap, whose keys may be written elsewhere meanwhile."""
    return isinstance(action_of(change), Edit)


def _deletes(change: Change) -> bool:
    return action_of(change).deletes and not change.undoes_id


def _kubectl(change: Change, present: Any = None) -> str:
    """The command that follows the same change."""
    where = ["-n", change.namespace] if change.namespace else []
    if change.plural in ROLLED and (
        follow := rollout_command(change.kind, change.namespace, change.name, present)
    ):
        return follow
    if present is None:  # of its name alone kubectl says that there is none, and ends
        named = f"--field-selector=metadata.name={change.name}"
        return shell_line(["kubectl", "get", change.plural, *where, named, "--watch"])
    return shell_line(["kubectl", "get", change.plural, change.name, *where, "--watch"])


async def may_read(sight: Sight, change: Change) -> bool:
    """Whether the user may read the object that was changed, as it is now; only those are told short values. Not asked
    about a change that keeps none.
    """
    if "values" not in change.result:
        return False
    gvr = kind_of(sight.cluster, change.plural).gvr
    return await sight.may("get", gvr, namespace=change.namespace or None, name=change.name)


def what(change: Change, *, with_values: bool = False) -> str:
    """What was changed, in words: "from 2 to 5 replicas"; ``with_values`` for those who may read them (``may_read``)."""
    if change.state != Change.State.DONE:
        return "It is not known yet whether it was made"
    action = action_of(change)
    if with_values and isinstance(action, Edit):
        return action.summary(change, with_values=True)
    return action.sentence(change)
