"""An operation that was begun: its steps, what became of each object, stop and resume; live, whichever process moves
it on.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.urls import reverse

from dashboard import render
from dashboard.actions.registry import change_title
from dashboard.database import in_database
from dashboard.kinds.base import Ref
from dashboard.kube.shell import shell_line
from dashboard.live.deciding import began
from dashboard.live.snapshot import Snapshot
from dashboard.models import Change
from dashboard.rights import ask_to_allow

from ..change import object_context, what
from ..common import fresh_part, iso, kind_of, list_url, namespace_crumbs
from .results import OperationResults
from .steps import STEPS, OperationSteps


class OperationScreen(OperationSteps, OperationResults):
    """What is the same of all operations; one with parts of its own has a subclass, in ``SCREENS``."""

    page = "pages/operation.html"
    running_words = "You can leave this page: it continues, and resumes if the dashboard restarts."
    resume_words = "Resuming looks again at what failed, then goes on with the rest."
    back_words = "Undo…"
    back_warns = True  # whether the button is red where it failed: its undo changes what runs

    async def told(self) -> dict[str, Any]:
        """How far it has come, for a script: its steps, and what became of each object."""
        state, headline, _ = self.words()
        stages = self.stages(datetime.now(UTC))
        written = self.change.state == Change.State.DONE
        results = [
            {"object": f"{each['kind']} {each['name']}", "state": each["word"], "text": each["text"]}
            for each in stages
            if each["kind"] and each["ended"]
        ]
        if self.operation is not None and self.counts:
            rows = self.operation.results.order_by("position")
            results += [
                {
                    "object": f"{row.kind} {'/'.join(filter(None, (row.namespace, row.name)))}",
                    "state": row.state,
                    "text": self.result_text(row),
                }
                for row in await in_database(list)(rows.only("kind", "namespace", "name", "state", "text"))
            ]
        return {
            "state": state,
            "headline": headline,
            "done": self.operation is not None and not self.running,
            "undo_url": reverse("undo", args=[self.number]) if self.back.possible else "",
            "steps": [
                {"title": self.action.written(self.change), "state": "done" if written else "unknown"},
                *({"title": each["title"], "state": each["word"]} for each in stages),
            ],
            "results": results,
        }

    # ---- Its page

    def snapshot(self) -> Snapshot:
        now = datetime.now(UTC)
        return Snapshot(
            regions={
                "operation-progress": render.region("operation_progress", self._progress(now)),
                "operation-results": render.region("operation_results", self._results()),
                **self.more(now),
                "fresh": fresh_part(self.session, self.plurals),
            }
        )

    def more(self, now: datetime) -> dict[str, Any]:
        """Regions of its own."""
        return {}

    def _progress(self, now: datetime) -> dict[str, Any]:
        state, headline, text = self.words()
        stages = self.stages(now)
        current = next(
            (at for at, each in enumerate(stages) if each["word"] not in ("done", "left", "down")), 0
        )
        first = max(0, min(current - STEPS // 2, len(stages) - STEPS))
        return {
            "state": state,
            "headline": headline,
            "text": text,
            "noun": self.action.noun,
            "running": self.running,
            "resume": self.may_resume,
            "aside": self.aside,
            "denied": self._denied_words(),
            "resume_denied": self._resume_denied_words(),
            "before": _url(self.before) if self.before is not None else "",
            "written": self.change.state == Change.State.DONE,
            "written_at": iso(self.change.created_at.replace(microsecond=0)),
            "first": self.first(),
            "earlier": first,
            "later": max(0, len(stages) - first - STEPS),
            "stages": stages[first : first + STEPS],
            "running_words": self.running_words,
            "resume_words": self.resume_words,
            "back": {
                "possible": self.back.possible,
                "words": self.back.words,
                "title": self.back_words,
                "warns": self.back_warns,
                "url": reverse("undo", args=[self.number]),
                "later": _url(self.back.undone_by) if self.back.undone_by is not None else "",
            },
        }

    def _denied_words(self) -> str:
        """Why it is not the viewer who stops or leaves it; "" for whoever may."""
        if self.denied is None:
            return ""
        who = self.change.user.get_username()
        return f"{who} started it, and {self.denied.message[:1].lower()}{self.denied.message[1:]} {ask_to_allow()}"

    def _resume_denied_words(self) -> str:
        """Why it is not the viewer who resumes it."""
        if not self.change.sign_in or began(self.session, self.change):
            return self._denied_words()
        who = self.change.user.get_username()
        return f"It acts as {who}, who started it. Ask {who} to resume it."

    def kubectl(self) -> str:
        """The same with kubectl."""
        change = self.change
        where = ["-n", change.namespace] if change.namespace else []
        return shell_line(["kubectl", "get", change.plural, change.name, *where])

    @property
    def title(self) -> str:
        return change_title(self.change)

    @property
    def about(self) -> Change | Ref:
        """The object to which the way above the page, the menu and the button that opens it lead."""
        return self.change

    def context(self) -> Mapping[str, Any]:
        change, about = self.change, object_context(self.runtime, self.about)
        kind = about["plural"]
        return {
            "number": change.pk,
            "title": self.title,
            "what": self.what(),
            "object": about,
            "breadcrumbs": [
                (kind_of(self.runtime, kind).title, list_url(self.runtime, kind)),
                *namespace_crumbs(self.runtime, kind, about["namespace"]),
                (about["name"], about["url"]),
            ],
            "cluster_name": self.runtime.cluster.name,
            "at": iso(change.created_at.replace(microsecond=0)),
            "user": change.user.get_username(),
            "reason": change.reason,
            "kubectl": self.kubectl(),
        }

    def what(self) -> str:
        """What was changed, in a few words."""
        return what(self.change)


def _url(change: Change) -> str:
    """Its page."""
    return reverse("change", args=[change.pk])
