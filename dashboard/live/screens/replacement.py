"""A replacement that was begun: its stages, and who uses which of both now."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dashboard import render
from dashboard.actions.delete_any import DELETE_ANY
from dashboard.actions.replacing import kind_of, names_of, users_of
from dashboard.insight.protocols import unlisted, unread
from dashboard.insight.references import READ_OF, ROLLED
from dashboard.kube.shell import shell_line
from dashboard.models import Operation

from .common import object_url, rollout_command
from .operation import OperationScreen

MAX_USERS = 20


class ReplacementScreen(OperationScreen):
    page = "pages/replacement.html"
    running_words = (
        "You can leave this page; it continues, one after the other, and stops at the first that does not become "
        "ready."
    )
    resume_words = "Resuming checks again what did not become ready, then goes on with the rest."
    back_words = "Put it back…"

    def words(self) -> tuple[str, str, str]:
        state, headline, text = super().words()
        operation = self.operation
        if operation is not None and operation.state == Operation.State.DONE and state == "done":
            old, new = names_of(self.change)
            moved = sum(step["do"] == "repoint" for step in self.steps)
            if self.change.undoes_id:
                return "done", f"What used {old} uses {new} again", ""
            return "done", f"{new} is used in place of {old}" if moved else f"{new} was created", ""
        return state, headline, text

    def more(self, now: datetime) -> dict[str, Any]:
        return {"replacement-users": render.region("replacement_users", self._users())}

    def _users(self) -> dict[str, Any]:
        """Who uses the one that was replaced, and who the new one, by what is known now."""
        old, new = names_of(self.change)
        reader, namespace = self.session.reader, self.change.namespace
        return {
            "hidden": list(unlisted(reader, READ_OF[kind_of(self.change)], namespace)),
            "read": not unread(reader, READ_OF[kind_of(self.change)], namespace),
            "kind": kind_of(self.change),
            "both": [self._one(name, deletes=name == old and not self.running) for name in (new, old)],
        }

    def _one(self, name: str, *, deletes: bool) -> dict[str, Any]:
        reader, namespace = self.session.reader, self.change.namespace
        kind, plural = kind_of(self.change), self.change.plural
        there = reader.get(plural, namespace, name) is not None
        found = users_of(reader, namespace, kind, name)
        url = object_url(self.runtime, plural, namespace, name) if there else ""
        known = not unread(reader, READ_OF[kind], namespace)
        return {
            "name": name,
            "url": url,
            "users": found[:MAX_USERS],
            "more": max(0, len(found) - MAX_USERS),
            "delete": f"{url}{DELETE_ANY.name}/" if deletes and there and known and not found else "",
        }

    def kubectl(self) -> str:
        """The same with kubectl: what this page waits for, in its order."""
        namespace, reader = self.change.namespace, self.session.reader
        words = [
            rollout_command(
                step["kind"], namespace, step["name"], reader.get(step["plural"], namespace, step["name"])
            )
            for step in self.steps
            if step["plural"] in ROLLED and step["name"]
        ]
        get = ["kubectl", "get", kind_of(self.change).lower(), *names_of(self.change), "-n", namespace]
        return " && ".join(filter(None, words)) or shell_line(get)
