"""The steps of an operation, and how it stands, in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dashboard.actions.operation import Step
from dashboard.actions.operations import HALTED
from dashboard.kinds.rows import plural
from dashboard.models import Change, Operation

from ..common import object_url
from .state import BADGES, OperationState

STEPS = 60  # at once
STEP_WORDS = {
    "waiting": "waits", "open": "not started", "stopped": "not followed any more", "left": "left as it is",
    "down": "not up", "failed": "failed", "done": "done",
}  # fmt: skip


class OperationSteps(OperationState):
    """Its steps as far as the viewer may see what they are about."""

    step_words: Mapping[str, str] = STEP_WORDS

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


def named(step: Step) -> str:
    """What a step is about, for a sentence."""
    return str(step["name"]) or hidden_one(step["kind"])


def hidden_one(kind: str) -> str:
    """What stands for the name of an object that the viewer may not see."""
    return f"a {kind} that you may not see"
