"""An operation that was begun: its steps, what became of each object, stop and resume; live, whichever process moves
it on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from django.db import DatabaseError
from django.db.models import Case, IntegerField, Value, When
from django.http import QueryDict
from django.urls import reverse

from dashboard import render
from dashboard.actions.operation import OperationAction, Step, passed, result_counts
from dashboard.actions.operations import (
    HALTED,
    is_set_aside,
    may_resume,
    operation_action,
    stopped_by,
    waits_for,
)
from dashboard.actions.registry import change_title
from dashboard.actions.undo import UndoState, change_undo_state
from dashboard.database import in_database
from dashboard.errors import ClusterError, Forbidden, NotFound
from dashboard.kinds.base import Ref
from dashboard.kinds.rows import plural
from dashboard.kube.shell import shell_line
from dashboard.live.deciding import began, decision_refusal
from dashboard.live.screen import ViewerScreen
from dashboard.live.session import Session
from dashboard.live.snapshot import Snapshot
from dashboard.models import Change, Operation, OperationResult
from dashboard.rights import ask_to_allow

from .change import change_of, object_context, unnamed, what
from .common import fresh_part, iso, kind_of, list_url, name_parts, namespace_crumbs, object_url

POLL_SECONDS = 1.0
RESULTS, STEPS = 50, 60  # of each at once
# Worst first: what a person has to look at, then what happens now.
RESULT_STATES = ("failed", "retrying", "running", "waiting", "down", "left", "done")
BADGES = {
    "done": "done", "failed": "bad", "left": "warn", "down": "warn", "retrying": "warn", "running": "info",
    "waiting": "wait",
}  # fmt: skip
RESULT_WORDS = {
    "failed": "failed", "retrying": "retrying", "running": "under way", "waiting": "not started", "down": "not up",
    "left": "left as it is", "done": "done",
}  # fmt: skip
STEP_WORDS = {
    "waiting": "waits", "open": "not started", "stopped": "not followed any more", "left": "left as it is",
    "down": "not up", "failed": "failed", "done": "done",
}  # fmt: skip
UNITS = 120  # the width of the bar of results, in its own units


class OperationScreen(ViewerScreen):
    """What is the same of all operations; one with parts of its own has a subclass, in ``SCREENS``."""

    page = "pages/operation.html"
    step_words: Mapping[str, str] = STEP_WORDS
    result_words: Mapping[str, str] = RESULT_WORDS
    running_words = "You can leave this page: it continues, and resumes if the dashboard restarts."
    resume_words = "Resuming looks again at what failed, then goes on with the rest."
    back_words = "Undo…"
    named = ""  # the action that its address names
    back_warns = True  # whether the button is red where it failed: its undo changes what runs
    results_title = "Results"

    def __init__(self, session: Session, params: QueryDict, change: int) -> None:
        super().__init__(session)
        self.number = change
        self.state = params.get("state", "") if params.get("state") in RESULT_STATES else ""
        page = params.get("page", "1")
        self.at = int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 7 else 1
        self.change: Change
        self.undo: UndoState
        self.operation: Operation | None = None
        self.may_resume = False
        self.aside = False  # it came to a halt, and somebody has to decide
        self.denied: Forbidden | None = None  # why the viewer does not decide about it
        self.before: Change | None = None  # whose steps have to end first
        self.stopped = ""  # who stopped it, as a sentence
        self.counts: dict[str, int] = {}  # results by state
        self.window: list[OperationResult] = []
        self._read_of: Hashable = None  # the version of the operation that these are of
        self._task: asyncio.Task[None] | None = None

    @property
    def shows(self) -> Hashable:
        return (self.number, self.state, self.at)

    @property
    def action(self) -> OperationAction:
        found = operation_action(self.change)
        if found is None:
            raise NotFound(
                f"Change {self.number} is not an operation.", next_step="Look at the list of changes."
            )
        return found

    @property
    def plurals(self) -> frozenset[str]:
        made = getattr(self, "change", None)
        return frozenset({"pods"}) if made is None else self.action.follows | {made.plural}

    async def prepare(self) -> None:
        self.change = await change_of(self.number, self.runtime)
        if self.named not in ("", self.change.action):  # whose rights would be asked for
            missing = f"Change {self.number} is not a {self.named}."
            raise NotFound(missing, next_step="Look at the list of changes made here.")
        await self.session.review(self.plurals)
        with unnamed(self.session, self.change):
            self.must_see()
        await self.read()
        with suppress(ClusterError):  # whoever decides is asked again
            self.denied = await decision_refusal(self.session, self.change)

    def must_see(self) -> None:
        """Raises Forbidden for whoever may not see what was changed."""
        self.session.must_see(self.change.plural, self.change.namespace)

    async def read(self) -> None:
        self.undo = await change_undo_state(change=self.change)
        await in_database(self.read_operation)()

    def read_operation(self) -> None:
        self.operation = Operation.objects.select_related("change").filter(change_id=self.number).first()
        self.may_resume, self.aside, self.before, self.stopped = False, False, None, ""
        if self.operation is None:
            return
        if self.operation.state == Operation.State.RUNNING:
            first = waits_for(self.operation)
            self.before = Change.objects.filter(pk=first).first() if first is not None else None
        elif self.operation.state == Operation.State.STOPPED:
            self.may_resume = may_resume(self.operation)
            self.aside = is_set_aside(self.operation)
            word = stopped_by(self.operation)
            self.stopped = f"{word.user_name} stopped it on {word.at:%Y-%m-%d at %H:%M} UTC." if word else ""
        version = (self.operation.pk, self.operation.version)
        if version != self._read_of:
            self.counts = result_counts(self.operation)
            self.window = self._window(self.operation) if self.counts else []
            self._read_of = version

    def _window(self, operation: Operation) -> list[OperationResult]:
        rank = Case(
            *(When(state=state, then=Value(at)) for at, state in enumerate(RESULT_STATES)),
            default=Value(len(RESULT_STATES)),
            output_field=IntegerField(),
        )
        found = operation.results.filter(state=self.state) if self.state else operation.results.all()
        first = (min(self.at, self.pages) - 1) * RESULTS
        return list(found.order_by(rank, "position")[first : first + RESULTS])

    @property
    def shown(self) -> int:
        """How many results the window is of."""
        return self.counts.get(self.state, 0) if self.state else sum(self.counts.values())

    @property
    def pages(self) -> int:
        return max(1, -(-self.shown // RESULTS))

    def open(self, changed: Callable[[], None]) -> None:
        """The database has no watch: another process may be the one that moves it on."""

        async def follow() -> None:
            while True:
                await asyncio.sleep(POLL_SECONDS)
                with suppress(DatabaseError):
                    self.change = await change_of(self.number, self.runtime)
                    await self.read()
                    changed()

        self._task = asyncio.create_task(follow())

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    # ---- What is said of it

    @property
    def running(self) -> bool:
        return self.operation is not None and self.operation.state == Operation.State.RUNNING

    @property
    def steps(self) -> list[Step]:
        """As far as the viewer may see what they are about: one about an object that they may not says so, without its
        name. What became of a step may tell of other objects, so only whoever may see all of those reads it.
        """
        found = self.operation.steps if self.operation is not None else []
        return [self._as_seen(step) for step in found]

    def _as_seen(self, step: Step) -> Step:
        if not self.tells_all:
            step = step | {"text": ""}
        if "plural" not in step or self.session.reader.sees(step["plural"], self.change.namespace):
            return step
        title = step["title"].replace(f"{step['kind']} {step['name']}", hidden_one(step["kind"]))
        return step | {"title": title, "text": "", "name": ""}

    @property
    def tells_all(self) -> bool:
        """Whether the viewer may see all that the texts of this operation may speak of, as whoever began it did."""
        hidden = self.session.reader.hides(self.action.follows, self.change.namespace)
        return not hidden or began(self.session, self.change)

    @property
    def back(self) -> UndoState:
        """The way back, and its words."""
        return self.undo

    def words(self) -> tuple[str, str, str]:
        """State, headline and a sentence: how it stands."""
        change, operation, name = self.change, self.operation, self.change.name
        if change.state != Change.State.DONE:
            text = "It is looked for in the cluster; if it was made, the next step starts then."
            return "warn", f"Whether {name} was changed is not known yet", text
        if operation is None:
            return "info", f"{name} was changed; its steps start", ""
        if self.before is not None:
            text = "Its steps start when those of the operation before it have ended."
            return "wait", f"The {self.action.noun} of {name} waits", text
        current = next((step for step in self.steps if step["state"] in ("running", "waiting")), None)
        match operation.state:
            case Operation.State.RUNNING:
                if operation.waits:
                    return "warn", f"The {self.action.noun} waits", operation.waits
                if current is None:
                    return "info", "The last step is done", ""
                return "info", current["title"], current["text"]
            case Operation.State.DONE:
                left = sum(self.counts.get(state, 0) for state in ("left", "down", "failed"))
                left += sum(step["state"] in ("left", "down") for step in self.steps)
                if left:
                    return "warn", f"The {self.action.noun} of {name} has ended, not everything is done", ""
                return "done", f"The {self.action.noun} of {name} is done", ""
            case Operation.State.STOPPED:
                return self.stopped_words()
            case _:
                return "done", f"The {self.action.noun} of {name} was undone", ""

    def stopped_words(self) -> tuple[str, str, str]:
        rest = self.rest()
        failed = next((step for step in self.steps if step["state"] == "failed"), None)
        if self.aside:
            text = f"{self.halted}, so nothing is done without your decision.{rest}"
            return "warn", f"The {self.action.noun} came to a halt: resume, or leave it as it is", text
        if failed is not None:
            return "bad", f"{failed['title']}: failed", f"{failed['text']}{rest}"
        return "warn", f"The {self.action.noun} was stopped", f"{self.stopped}{rest}".strip()

    @property
    def halted(self) -> str:
        """Why it was set aside."""
        return (self.operation.waits if self.operation is not None else "") or HALTED

    def rest(self) -> str:
        """What has not begun, as a further sentence."""
        waiting = self.counts.get("waiting", 0)
        return f" {plural(waiting, 'object')} not started." if waiting else ""

    def first(self) -> dict[str, Any]:
        """The write itself: ``text``, and in it a link."""
        return {"title": self.action.written(self.change), "text": "", "url": "", "link": ""}

    def stage(self, at: int, step: Step, now: datetime) -> dict[str, Any]:
        """A step as the page and a script are told of it."""
        state, word = BADGES[step["state"]], step["state"]
        if not self.running and word in ("running", "waiting"):
            # What was sent is the cluster's: it goes on, and only nobody here waits for it.
            state, word = ("warn", "stopped") if word == "running" else ("wait", "open")
        about = (step["kind"], step["name"]) if step.get("name") else ("", "")
        lead = step["title"].removesuffix(" ".join(about)) if any(about) else step["title"]
        return {
            "n": at,
            "title": step["title"],
            "lead": f"Stage {at}: {lead[:1].lower()}{lead[1:]}" if any(about) else lead,
            "kind": about[0],
            "name": about[1],
            "url": object_url(self.runtime, step["plural"], self.change.namespace, about[1])
            if any(about)
            else "",
            "state": state,
            "word": word,
            "words": self.step_words.get(word, ""),
            "text": step["text"],
            "percent": self.percent(step, now) if word == "running" else None,
            "began": step["began"],
            "ended": step["ended"],
        }

    def percent(self, step: Step, now: datetime) -> int | None:
        """How far a running step is, 0–100, by the results that have ended."""
        total = sum(self.counts.values())
        ended = sum(self.counts.get(state, 0) for state in ("failed", "down", "left", "done"))
        return 100 * ended // total if total else None

    def stages(self, now: datetime) -> list[dict[str, Any]]:
        return [self.stage(at, step, now) for at, step in enumerate(self.steps, start=1)]

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
                    "text": row.text if self.tells_all else "",
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

    def _results(self) -> dict[str, Any]:
        states = [state for state in RESULT_STATES if self.counts.get(state)]
        first = (min(self.at, self.pages) - 1) * RESULTS
        return {
            "title": self.results_title,
            "total": sum(self.counts.values()),
            "shown": self.shown,
            "first": first + 1,
            "last": first + len(self.window),
            "state": self.state,
            "bar": self._bar(states),
            "states": [
                {
                    "state": state,
                    "badge": BADGES[state],
                    "word": self.result_words[state],
                    "count": self.counts[state],
                    "url": f"?state={state}",
                }
                for state in states
            ],
            "rows": [self._row(result) for result in self.window],
            "previous": self._page_url(self.at - 1) if 1 < self.at <= self.pages else "",
            "next": self._page_url(self.at + 1) if self.at < self.pages else "",
        }

    def _page_url(self, at: int) -> str:
        return f"?state={self.state}&page={at}" if self.state else f"?page={at}"

    def _bar(self, states: Sequence[str]) -> list[dict[str, Any]]:
        """The results as segments of a bar, ended ones first."""
        total, at, parts = sum(self.counts.values()), 0.0, []
        for state in reversed(states):
            width = UNITS * self.counts[state] / total
            parts.append({"state": BADGES[state], "x": f"{at:.2f}", "width": f"{max(width - 0.4, 0.2):.2f}"})
            at += width
        return parts

    def _row(self, result: OperationResult) -> dict[str, Any]:
        head, tail = name_parts(result.plural, result.name)
        took = passed(iso(result.began_at), result.ended_at) if result.began_at and result.ended_at else None
        return {
            "head": head,
            "tail": tail,
            "kind": result.kind,
            "namespace": result.namespace,
            "url": object_url(self.runtime, result.plural, result.namespace, result.name),
            "state": BADGES[result.state],
            "word": result.data.get("word") or self.result_words[result.state],
            "text": result.text if self.tells_all else "",
            "began": iso(result.began_at) if result.began_at else "",
            "took": None if took is None else f"{took:.0f} s",
        }

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


def named(step: Step) -> str:
    """What a step is about, for a sentence."""
    return str(step["name"]) or hidden_one(step["kind"])


def hidden_one(kind: str) -> str:
    """What stands for the name of an object that the viewer may not see."""
    return f"a {kind} that you may not see"


def _url(change: Change) -> str:
    """Its page."""
    return reverse("change", args=[change.pk])
