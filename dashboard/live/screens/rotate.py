"""The restarts that follow a rotation: which step it is at, which pod has which value."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Mapping
from datetime import datetime
from typing import Any

from django.http import QueryDict

from dashboard import render
from dashboard.actions.backups import backup_of
from dashboard.actions.operation import Step
from dashboard.actions.rollout_steps import judge
from dashboard.actions.rotation import OLD, next_written
from dashboard.actions.rotation_hook import is_hook
from dashboard.actions.standing import (
    GONE,
    Standing,
    kept_standing,
    keys_in_words,
    keys_of,
    secret_standing,
)
from dashboard.actions.undo import UndoState
from dashboard.errors import ClusterError
from dashboard.insight import workload_rollout
from dashboard.insight.protocols import unlisted
from dashboard.insight.secretuse import RESTARTABLE
from dashboard.kinds.base import Row
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.secrets import SECRETS
from dashboard.kube.shell import shell_line
from dashboard.live.session import Session
from dashboard.models import Change
from dashboard.queries.lists import RANK
from dashboard.queries.relations import pods_of

from .change import unnamed
from .common import iso, name_parts, object_url, rollout_command
from .operation import STEP_WORDS, OperationScreen, named

PODS = 60
LOOKS_SECONDS = 15.0  # where no watch tells that the Secret changed, and after a look that failed
NEW, UNKNOWN = "new value", "not known"


class RotationScreen(OperationScreen):
    page = "pages/rotation.html"
    step_words: Mapping[str, str] = {**STEP_WORDS, "left": "not restarted"}  # never changed
    running_words = (
        "You can leave this page; it continues, one stage after the other, and stops at the first that does not "
        "become ready."
    )
    resume_words = "Resuming checks again what did not become ready, then restarts the rest."
    back_words = "Restore the previous value…"

    def __init__(self, session: Session, params: QueryDict, change: int) -> None:
        super().__init__(session, params, change)
        self.next_at: datetime | None = None  # when the key got its next value
        self.standing = Standing(how="unknown")  # what became of the value by now
        self._looked_at: Hashable = None  # the version of the Secret that it was read of
        self._next_look = 0.0

    def must_see(self) -> None:
        self.session.must_see("pods", self.change.namespace)

    async def prepare(self) -> None:
        """Raises Forbidden also for whoever may neither list Secrets nor read this one."""
        await super().prepare()
        namespace, name = self.change.namespace, self.change.name
        if not self.session.reader.sees("secrets", namespace):
            with unnamed(self.session, self.change):
                await self.session.require("get", SECRETS.gvr, namespace=namespace, name=name)

    async def read(self) -> None:
        await super().read()
        await self._look()

    def read_operation(self) -> None:
        super().read_operation()
        self.next_at = next_written(self.change)

    async def _look(self) -> None:
        """Reads the Secret again when it is another version than the one that was read."""
        change = self.change
        found = self.session.reader.get("secrets", change.namespace, change.name)
        now = asyncio.get_running_loop().time()
        version: Hashable = int(now / LOOKS_SECONDS)
        if found is not None:
            version = (found.metadata.uid, found.metadata.resource_version)
        if version == self._looked_at or now < self._next_look or change.state != Change.State.DONE:
            return
        try:
            self.standing = await secret_standing(change=change, transport=self.session.transport)
            self._looked_at = version
        except ClusterError:
            self.standing = Standing(how="unknown")
            self._next_look = now + LOOKS_SECONDS

    def _standing_words(self) -> str:
        return self.standing.words(self.change.name)

    @property
    def back(self) -> UndoState:
        if self.standing.how in GONE:
            return UndoState(possible=False, words=self._standing_words())
        return self.undo

    @property
    def title(self) -> str:
        return "Rotate" if self.change.undoes_id is None else "Restore"

    def what(self) -> str:
        keys = keys_of(self.change)
        return f"Key{'s' if len(keys) > 1 else ''} {keys_in_words(self.change)}" if keys else ""

    def first(self) -> dict[str, Any]:
        change, backup = self.change, backup_of(self.change)
        if change.state != Change.State.DONE:
            return super().first()
        keys = keys_in_words(change)
        one = len(keys_of(change)) == 1
        url = object_url(self.runtime, "secrets", change.namespace, backup) if backup else ""
        return {
            "title": f"Wrote the old {'value' if one else 'values'} of {keys} again"
            if change.undoes_id
            else f"Wrote {'a new value' if one else 'new values'} of {keys}",
            "text": f"The previous {'value is' if one else 'values are'} kept in" if backup else "",
            "url": url,
            "link": backup,
        }

    def more(self, now: datetime) -> dict[str, Any]:
        return {"rotation-pods": render.region("rotation_pods", self._pods())}

    def words(self) -> tuple[str, str, str]:
        name, operation = self.change.name, self.operation
        if self.change.state != Change.State.DONE:
            text = "It is looked for in the cluster; if it was written, the restarts start then."
            return "warn", f"Whether {name} was written is not known yet", text
        if operation is None:
            return "info", f"{name} is written; its restarts start", ""
        match operation.state:
            case operation.State.RUNNING:
                return self._running(self.steps)
            case operation.State.DONE:
                return self._done(self.steps)
            case operation.State.STOPPED:
                return self._stopped(self.steps)
            case _:
                text = "The change that did it restarts what had been restarted."
                return "done", "The value was restored", text

    def _running(self, steps: list[Step]) -> tuple[str, str, str]:
        if self.before is not None:
            text = "Its restarts start when those of the rotation before it have ended."
            return "wait", f"{self.change.name} is written; its restarts wait", text
        if self.operation is not None and self.operation.waits:
            return "warn", f"{self.change.name} is written; its restarts wait", self.operation.waits
        done = sum(step["state"] == "done" and not is_hook(step) for step in steps)
        current = next((step for step in steps if step["state"] in ("running", "waiting")), None)
        if current and is_hook(current):
            return "info", f"Running {named(current)} before the restarts", current["text"]
        where = f"Restarting {named(current)}" if current else "The last restart is complete"
        restarts = sum(not is_hook(step) for step in steps)
        return "info", where, f"{done} of {plural(restarts, 'restart')} done."

    def _done(self, steps: list[Step]) -> tuple[str, str, str]:
        name = self.change.name
        if self.standing.how not in ("same", "unknown") and self.next_at is None:
            return (
                "warn",
                f"{name} was rotated, and has another value now",
                self._standing_words(),
            )
        if down := [named(step) for step in steps if step["state"] == "down"]:
            text = f"Not up, as before it: {', '.join(down)}."
            return "warn", f"{name} is rotated, but not everything is up", text
        if left := [named(step) for step in steps if step["state"] == "left"]:
            text = f"Still with the old value: {', '.join(left)}."
            return "warn", f"{name} is rotated, but not everything was restarted", text
        if unknown := unlisted(self.session.reader, RESTARTABLE, self.change.namespace):
            text = f"Your account may not list {listed(unknown, 'more kinds')} here: whether some read it is not known."
            return "warn", f"{name} is rotated, as far as its users are known", text
        done = sum(step["state"] == "done" and bool(step["stamp"]) for step in steps)
        text = (
            f"{plural(done, 'restart')} done, one after the other."
            if done
            else "Nothing had to be restarted."
        )
        return "done", f"{name} is rotated", text

    def _stopped(self, steps: list[Step]) -> tuple[str, str, str]:
        waiting = sum(step["state"] == "waiting" for step in steps)
        rest = f" {plural(waiting, 'further restart')} not started." if waiting else ""
        if (standing := kept_standing(self.change)) is not None:
            words = standing.words(self.change.name)
            if self.standing.how == "same":
                text = f"{words} It holds this value again.{rest}"
                return "warn", "The restarts stopped while the Secret held another value", text
            return (
                "bad",
                "The restarts stopped: the Secret has another value now",
                f"{words}{rest}",
            )
        failed = next((step for step in steps if step["state"] == "failed"), None)
        if self.aside:
            text = f"{self.halted}, so nothing is restarted without your decision.{rest}"
            return "warn", "The restarts came to a halt: resume them, or leave it as it is", text
        if failed is None:
            return "warn", "The restarts were stopped", f"{self.stopped}{rest}".strip()
        if is_hook(failed):
            return "bad", f"{named(failed)} failed before the restarts", f"{failed['text']}{rest}"
        if not failed["generation"]:
            return "bad", f"{named(failed)} could not be restarted", f"The rotation has stopped.{rest}"
        return "bad", f"{named(failed)} does not come up with this value", f"The rotation has stopped.{rest}"

    def stage(self, at: int, step: Step, now: datetime) -> dict[str, Any]:
        text = step["text"]
        if is_hook(step):
            job = step["job"] and step["name"]
            url = object_url(self.runtime, "jobs", self.change.namespace, step["job"]) if job else ""
            made = super().stage(at, step, now)
            return made | {"url": url or made["url"]}
        if step["state"] == "running" and step["generation"] and self._workload(step) is not None:
            text = judge(step, self.session.reader, self.change.namespace, now, old=OLD).text
        return super().stage(at, step, now) | {"text": text}

    def percent(self, step: Step, now: datetime) -> int | None:
        found = self._workload(step)
        if found is None or not step["generation"]:
            return None
        return workload_rollout(self.session.reader, found, now, step["generation"]).percent

    def _workload(self, step: Step) -> Any:
        if is_hook(step):
            return None
        return self.session.reader.get(step["plural"], self.change.namespace, step["name"])

    def _pods(self) -> dict[str, Any]:
        """The pods of what is restarted; those made after the value was written have it, as far as it is known that the
        Secret held it then.
        """
        reader = self.session.reader
        found: list[tuple[str, Row]] = []
        for step in self.steps:
            if is_hook(step):
                continue
            obj = reader.get(step["plural"], self.change.namespace, step["name"])
            if obj is None:
                continue
            found += [
                (self._value(step, pod.metadata.creation_timestamp), reader.row("pods", pod))
                for pod in pods_of(reader, step["plural"], obj)
            ]
        found.sort(key=lambda each: (RANK[each[1].state], each[1].name))
        return {
            "new": sum(value == NEW for value, _ in found),
            "unknown": sum(value == UNKNOWN for value, _ in found),
            "total": len(found),
            "more": max(0, len(found) - PODS),
            "pods": [self._pod(value, row) for value, row in found[:PODS]],
        }

    def _value(self, step: Step, made: datetime | None) -> str:
        """Which value a pod that was made then started with."""
        if made is None or made < self.change.created_at.replace(microsecond=0):
            return "value before"
        if self.next_at is not None and made >= self.next_at.replace(microsecond=0):
            return "later value"
        if self.next_at is not None or self.standing.how == "same":
            return NEW
        # Somebody else wrote it, or nobody can say: only up to the last look at it is known what it held.
        confirmed = step.get("confirmed")
        return NEW if confirmed and made <= datetime.fromisoformat(confirmed) else UNKNOWN

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

    def kubectl(self) -> str:
        """The same with kubectl: what this page waits for, in its order."""
        namespace, reader = self.change.namespace, self.session.reader
        words = [
            rollout_command(
                step["kind"], namespace, step["name"], reader.get(step["plural"], namespace, step["name"])
            )
            for step in self.steps
            if step["name"] and not is_hook(step)
        ]
        read = ["kubectl", "get", "secret", self.change.name, "-n", self.change.namespace]
        return " && ".join(filter(None, words)) or shell_line(read)
