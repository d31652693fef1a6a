"""The form that rotates a Secret, and the restarts that follow: which step it is at, which pod has which value."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.db import DatabaseError
from django.http import QueryDict
from django.urls import reverse

from dashboard import render
from dashboard.actions.backups import backup_of
from dashboard.actions.rotation import FOLLOWED, Step, judge, key_of, next_written, waits_for
from dashboard.actions.rotation_control import may_go_on, stopped_by
from dashboard.actions.undo import UndoState, change_undo_state
from dashboard.errors import NotFound
from dashboard.insight import workload_rollout
from dashboard.insight.protocols import unlisted
from dashboard.insight.secretuse import READ, RESTARTABLE
from dashboard.kinds.base import Row
from dashboard.kinds.rows import listed, plural
from dashboard.kube.shell import shell_line
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
NEW = "new value"
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
        self.may_go_on = False
        self.before: int | None = None  # the change whose restarts have to end first
        self.stopped = ""  # who stopped it, as a sentence
        self.next_at: datetime | None = None  # when the key got its next value
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
        self.undo = await change_undo_state(change=self.change)
        await sync_to_async(self._read_rotation)()

    def _read_rotation(self) -> None:
        self.rotation = Rotation.objects.select_related("change").filter(change_id=self.number).first()
        self.may_go_on, self.before, self.stopped = False, None, ""
        self.next_at = next_written(self.change)
        if self.rotation is None:
            return
        if self.rotation.state == Rotation.State.RESTARTING:
            self.before = waits_for(self.rotation)
        elif self.rotation.state == Rotation.State.STOPPED:
            self.may_go_on = may_go_on(self.rotation)
            word = stopped_by(self.rotation)
            self.stopped = f"{word.user_name} stopped it on {word.at:%Y-%m-%d at %H:%M} UTC." if word else ""

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
        return {
            "state": state,
            "headline": headline,
            "text": text,
            "running": self.running,
            "go_on": self.may_go_on,
            "before": reverse("rotation", args=[self.before]) if self.before is not None else "",
            "undoes": self.change.undoes_id is not None,
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
    def running(self) -> bool:
        return self.rotation is not None and self.rotation.state == Rotation.State.RESTARTING

    @property
    def _steps(self) -> list[Step]:
        return self.rotation.steps if self.rotation is not None else []

    def _backup(self) -> dict[str, str] | None:
        if self.change.state != Change.State.DONE or not (name := backup_of(self.change)):
            return None
        return {"name": name, "url": object_url(self.runtime, "secrets", self.change.namespace, name)}

    def _words(self) -> tuple[str, str, str]:
        change, rotation = self.change, self.rotation
        name = change.name
        if change.state != Change.State.DONE:
            text = "It is looked for in the cluster; if it was written, the restarts begin then."
            return "warn", f"Whether {name} was written is not known yet", text
        if rotation is None:
            return "info", f"{name} is written; its restarts begin", ""
        steps = rotation.steps
        match rotation.state:
            case Rotation.State.RESTARTING:
                return self._running(steps)
            case Rotation.State.DONE:
                return self._done(steps)
            case Rotation.State.STOPPED:
                return self._stopped(steps)
            case _:
                text = "The change that did it restarts what had been restarted."
                return "done", "The value was taken back", text

    def _running(self, steps: list[Step]) -> tuple[str, str, str]:
        if self.before is not None:
            text = "Its restarts begin when those of the rotation before it have ended."
            return "wait", f"{self.change.name} is written; its restarts wait", text
        done = sum(step["state"] == "done" for step in steps)
        current = next((step for step in steps if step["state"] in ("restarting", "waiting")), None)
        where = f"Restarting {current['name']}" if current else "The last restart is complete"
        return "info", where, f"{done} of {plural(len(steps), 'restart')} done."

    def _done(self, steps: list[Step]) -> tuple[str, str, str]:
        name = self.change.name
        if left := [step["name"] for step in steps if step["state"] == "left"]:
            text = f"Still with the old value: {', '.join(left)}."
            return "warn", f"{name} is rotated, but not everything was restarted", text
        if unknown := unlisted(self.runtime.reader, RESTARTABLE, self.change.namespace):
            text = f"Your account may not list {listed(unknown, 'more kinds')} here: whether some read it is not known."
            return "warn", f"{name} is rotated, as far as its users are known", text
        done = sum(step["state"] == "done" for step in steps)
        text = (
            f"{plural(done, 'restart')} done, one after the other."
            if done
            else "Nothing had to be restarted."
        )
        return "done", f"{name} is rotated", text

    def _stopped(self, steps: list[Step]) -> tuple[str, str, str]:
        waiting = sum(step["state"] == "waiting" for step in steps)
        rest = f" {plural(waiting, 'further restart')} not begun." if waiting else ""
        failed = next((step for step in steps if step["state"] == "failed"), None)
        if failed is None:
            return "warn", "The restarts were stopped", f"{self.stopped}{rest}".strip()
        if not failed["generation"]:
            return "bad", f"{failed['name']} could not be restarted", f"The rotation has stopped.{rest}"
        return "bad", f"{failed['name']} does not come up with this value", f"The rotation has stopped.{rest}"

    def _stage(self, at: int, step: Step, now: datetime) -> dict[str, Any]:
        text, percent = step["text"], None
        obj = self.runtime.reader.get(step["plural"], self.change.namespace, step["name"])
        state, word = STEP_STATES[step["state"]], step["state"]
        if step["state"] == "restarting" and step["generation"] and obj is not None:
            percent = workload_rollout(self.runtime.reader, obj, now, step["generation"]).percent
            text = judge(step, self.runtime.reader, self.change.namespace, now).text
        if not self.running and word in ("restarting", "waiting"):
            # What has begun is the cluster's: it goes on, and only nobody here waits for it.
            state, word = ("warn", "stopped") if word == "restarting" else ("wait", "open")
        return {
            "n": at,
            "kind": step["kind"],
            "name": step["name"],
            "url": object_url(self.runtime, step["plural"], self.change.namespace, step["name"]),
            "state": state,
            "word": word,
            "text": text,
            "percent": percent,
            "began": step["began"],
            "ended": step["ended"],
        }

    def _pods(self) -> dict[str, Any]:
        """The pods of what is restarted; those made after the value was written have it, until the next one was."""
        reader = self.runtime.reader
        seen = self.visible.namespaces
        found: list[tuple[str, Row]] = []
        for step in self._steps:
            obj = reader.get(step["plural"], self.change.namespace, step["name"])
            if obj is None or (seen is not None and self.change.namespace not in seen):
                continue
            found += [
                (self._value(pod.metadata.creation_timestamp), reader.row("pods", pod))
                for pod in pods_of(reader, step["plural"], obj)
            ]
        found.sort(key=lambda each: (RANK[each[1].state], each[1].name))
        return {
            "new": sum(value == NEW for value, _ in found),
            "total": len(found),
            "more": max(0, len(found) - PODS),
            "pods": [self._pod(value, row) for value, row in found[:PODS]],
        }

    def _value(self, made: datetime | None) -> str:
        """Which value a pod that was made then started with."""
        if made is None or made < self.change.created_at.replace(microsecond=0):
            return "value before"
        if self.next_at is not None and made >= self.next_at.replace(microsecond=0):
            return "later value"
        return NEW

    def _pod(self, value: str, row: Row) -> dict[str, Any]:
        head, tail = name_parts("pods", row.name)
        return {
            "head": head,
            "tail": tail,
            "url": object_url(self.runtime, "pods", row.namespace, row.name),
            "value": value,
            "state": row.state,
            "word": row.cells[2].text,
            "since": iso(row.cells[4].since),
        }

    def _kubectl(self) -> str:
        """The same with kubectl: what this page waits for, in its order."""
        words = [
            shell_line(
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
        return " && ".join(words) or shell_line(read)

    def context(self) -> Mapping[str, Any]:
        change = self.change
        return {
            "number": change.pk,
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
