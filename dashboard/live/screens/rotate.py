"""The form that rotates a Secret, and the restarts that follow: which step it is at, which pod has which value."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from django.db import DatabaseError
from django.http import QueryDict
from django.urls import reverse

from dashboard import render
from dashboard.actions.rotation import FOLLOWED, Step, judge, key_of
from dashboard.actions.secrets import backup_of
from dashboard.actions.undo import UndoState, change_undo_state
from dashboard.errors import NotFound
from dashboard.insight import workload_rollout
from dashboard.insight.secretuse import READ
from dashboard.kinds.base import Row
from dashboard.kinds.rows import plural
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screen import Screen
from dashboard.live.snapshot import Snapshot
from dashboard.models import Change, Rotation
from dashboard.queries.access import Visible, visible
from dashboard.queries.lists import RANK
from dashboard.queries.relations import pods_of

from .action import ActionScreen
from .change import change_of, object_context
from .common import fresh_part, iso, list_url, name_parts, object_url, rights_key

POLL_SECONDS = 1.0
PODS = 60
STEP_STATES = {"done": "done", "failed": "bad", "left": "warn", "restarting": "info", "waiting": "wait"}


class RotateScreen(ActionScreen):
    reads = READ
    only = (frozenset({"secrets"}), "Only Secrets can be rotated.")

    def snapshot(self) -> Snapshot:
        return Snapshot(regions={"fresh": fresh_part(self.runtime, {"secrets"})})


class RotationScreen(Screen):
    page = "pages/rotation.html"

    def __init__(self, runtime: ClusterRuntime, params: QueryDict, change: int) -> None:
        super().__init__(runtime)
        self.number = change
        self.visible = Visible()
        self.change: Change
        self.undo: UndoState
        self.rotation: Rotation | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def key(self) -> Hashable:
        return ("rotation", self.number, rights_key({"pods": self.visible}))

    @property
    def plurals(self) -> frozenset[str]:
        return FOLLOWED

    async def prepare(self) -> None:
        self.visible = await visible(self.runtime.transport, self.runtime.cache, "pods")
        if self.visible.denied is not None:
            raise self.visible.denied
        self.change = await change_of(self.number, self.runtime)
        if self.change.action != "rotate":
            raise NotFound(f"Change {self.number} is no rotation.")
        await self._read()

    async def _read(self) -> None:
        self.rotation = await Rotation.objects.filter(change_id=self.number).afirst()
        self.undo = await change_undo_state(change=self.change)

    def open(self, changed: Callable[[], None]) -> None:
        """The database has no watch: another process may be the one that moves it on."""

        async def follow() -> None:
            while True:
                await asyncio.sleep(POLL_SECONDS)
                with suppress(DatabaseError):
                    self.change = await change_of(self.number, self.runtime)
                    await self._read()
                    changed()

        self._task = asyncio.create_task(follow())

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def snapshot(self) -> Snapshot:
        now = datetime.now(UTC)
        return Snapshot(
            regions={
                "rotation-progress": render.region("rotation_progress", self._progress(now)),
                "rotation-pods": render.region("rotation_pods", self._pods()),
                "fresh": fresh_part(self.runtime, self.plurals),
            }
        )

    def _progress(self, now: datetime) -> dict[str, Any]:
        state, headline, text = self._words()
        rotation = self.rotation
        return {
            "state": state,
            "headline": headline,
            "text": text,
            "running": rotation is not None and rotation.state == Rotation.State.RESTARTING,
            "key": self.change.touched and key_of(self.change),
            "written": self.change.state == Change.State.DONE,
            "written_at": iso(self.change.created_at.replace(microsecond=0)),
            "backup": self._backup(),
            "stages": [self._stage(at, step, now) for at, step in enumerate(self._steps, start=1)],
            "back": {
                "possible": self.undo.possible,
                "words": self.undo.words,
                "url": reverse("undo", args=[self.number]),
            },
        }

    @property
    def _steps(self) -> list[Step]:
        return self.rotation.steps if self.rotation is not None else []

    def _backup(self) -> dict[str, str] | None:
        if not (name := backup_of(self.change)):
            return None
        return {"name": name, "url": object_url(self.runtime, "secrets", self.change.namespace, name)}

    def _words(self) -> tuple[str, str, str]:
        change, rotation = self.change, self.rotation
        name = change.name
        if change.state != Change.State.DONE:
            return (
                "warn",
                f"Whether {name} was written is not known",
                "Look at the Secret before you try again.",
            )
        if rotation is None:
            return "info", f"{name} is written; its restarts begin", ""
        steps = rotation.steps
        done = sum(step["state"] == "done" for step in steps)
        match rotation.state:
            case Rotation.State.RESTARTING:
                current = next((step for step in steps if step["state"] in ("restarting", "waiting")), None)
                where = f"Restarting {current['name']}" if current else "The last restart is complete"
                return "info", where, f"{done} of {plural(len(steps), 'restart')} done."
            case Rotation.State.DONE:
                left = [step["name"] for step in steps if step["state"] == "left"]
                if left:
                    text = f"Still with the old value: {', '.join(left)}."
                    return "warn", f"{name} is rotated, but not everything was restarted", text
                text = (
                    f"{plural(done, 'restart')} done, one after the other."
                    if done
                    else "Nothing had to be restarted."
                )
                return "done", f"{name} is rotated", text
            case Rotation.State.STOPPED:
                failed = next((step for step in steps if step["state"] == "failed"), None)
                who = failed["name"] if failed else "A restart"
                waiting = sum(step["state"] == "waiting" for step in steps)
                rest = f" {plural(waiting, 'further restart')} not begun." if waiting else ""
                return "bad", f"{who} does not come up with this value", f"The rotation has stopped.{rest}"
            case _:
                return (
                    "done",
                    "The value was taken back",
                    "The change that did it restarts what had been restarted.",
                )

    def _stage(self, at: int, step: Step, now: datetime) -> dict[str, Any]:
        text, percent = step["text"], None
        obj = self.runtime.reader.get(step["plural"], self.change.namespace, step["name"])
        if step["state"] == "restarting" and step["generation"] and obj is not None:
            percent = workload_rollout(self.runtime.reader, obj, now, step["generation"]).percent
            text = judge(step, self.runtime.reader, self.change.namespace, now).text
        return {
            "n": at,
            "kind": step["kind"],
            "name": step["name"],
            "url": object_url(self.runtime, step["plural"], self.change.namespace, step["name"]),
            "state": STEP_STATES[step["state"]],
            "word": step["state"],
            "text": text,
            "percent": percent,
            "began": step["began"],
            "ended": step["ended"],
        }

    def _pods(self) -> dict[str, Any]:
        """The pods of what is restarted; those made after the value was written have it."""
        reader = self.runtime.reader
        seen = self.visible.namespaces
        found: list[tuple[bool, Row]] = []
        for step in self._steps:
            obj = reader.get(step["plural"], self.change.namespace, step["name"])
            if obj is None or (seen is not None and self.change.namespace not in seen):
                continue
            for pod in pods_of(reader, step["plural"], obj):
                made = pod.metadata.creation_timestamp
                new = made is not None and made >= self.change.created_at.replace(microsecond=0)
                found.append((new, reader.row("pods", pod)))
        found.sort(key=lambda each: (RANK[each[1].state], each[1].name))
        return {
            "new": sum(new for new, _ in found),
            "total": len(found),
            "more": max(0, len(found) - PODS),
            "pods": [self._pod(new, row) for new, row in found[:PODS]],
        }

    def _pod(self, new: bool, row: Row) -> dict[str, Any]:
        head, tail = name_parts("pods", row.name)
        return {
            "head": head,
            "tail": tail,
            "url": object_url(self.runtime, "pods", row.namespace, row.name),
            "value": "new value" if new else "value before",
            "state": row.state,
            "word": row.cells[2].text,
            "since": iso(row.cells[4].since),
        }

    def _kubectl(self) -> str:
        """The same with kubectl: what this page waits for, in its order."""
        words = [
            shlex.join(
                [
                    "kubectl",
                    "rollout",
                    "status",
                    f"{step['kind'].lower()}/{step['name']}",
                    "-n",
                    self.change.namespace,
                ]
            )
            for step in self._steps
        ]
        read = ["kubectl", "get", "secret", self.change.name, "-n", self.change.namespace]
        return " && ".join(words) or shlex.join(read)

    def context(self) -> Mapping[str, Any]:
        change = self.change
        return {
            "title": "Rotate" if change.undoes_id is None else "Bring back",
            "object": object_context(self.runtime, change),
            "breadcrumbs": [
                ("Secrets", list_url(self.runtime, "secrets")),
                (change.name, object_url(self.runtime, "secrets", change.namespace, change.name)),
            ],
            "cluster_name": self.runtime.cluster.name,
            "at": iso(change.created_at.replace(microsecond=0)),
            "user": change.user.get_username(),
            "key": key_of(change) if change.touched else "",
            "kubectl": self._kubectl(),
        }
