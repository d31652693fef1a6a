"""A step that changed the pod template of a workload: its rollout, followed until the pods are up, or do not come up.

Such a step keeps, besides what every step has: ``generation``, that of the workload with the change, 0 before it is sent;
``uid``; since when it hangs (``wrong_since``) or is complete (``good_since``); ``up``, whether any pod was up before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from dashboard.errors import ClusterError, NotFound, TooManyRequests, Unavailable
from dashboard.insight import Objects, Workload, workload_rollout
from dashboard.insight.secretuse import RESTARTABLE
from dashboard.kinds import KINDS

from .action import Manifest, Target
from .engine import change_read
from .operation import End, Run, Step, iso, passed

# A rollout that hangs may still come up by itself; one that was complete may break at once.
HANGS_SECONDS = 15.0
SETTLES_SECONDS = 5.0
# What following takes out of the cache.
FOLLOWED = frozenset({*RESTARTABLE, "replicasets", "pods"})
NOT_BEGUN: dict[str, Any] = {"generation": 0, "uid": "", "wrong_since": "", "good_since": "", "up": True}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at a restarting workload says: go on waiting, or how it ended (``left``: it is to replace no pod).
    ``wrong``: it hangs just now; ``good``: it is complete just now; ``missing``: it is not in view, which only the API
    server can explain. ``recreated``: the object of that name, where it is another one by now.
    """

    state: Literal["running", "done", "failed", "left"]
    text: str
    wrong: bool = False
    good: bool = False
    missing: bool = False
    recreated: Manifest | None = field(default=None, repr=False)


async def rollout_look(run: Run, *, old: str, new: str) -> Verdict | None:
    """How the rollout of the step's workload ended; None as long as it goes on, which is recorded. ``old`` is what its
    pods have that are not replaced, ``new`` what those that come have: "the new value".
    """
    step, now = run.step, run.now
    verdict = judge(step, run.objects, run.change.namespace, now, old=old)
    if verdict.missing:
        verdict = await _explain(verdict, run, new)
    if verdict.state != "running":
        return verdict
    if _noted(step, verdict, now):
        await run.save()
    return None


def judge(step: Step, objects: Objects, namespace: str, now: datetime, *, old: str) -> Verdict:
    """How a workload with a new template is, by its rollout and by how long that has been so."""
    found: Workload | None = objects.get(step["plural"], namespace, step["name"])
    if found is None or (step["uid"] and found.metadata.uid != step["uid"]):
        # A process that has just begun, or whose watch is late, has not seen it yet: that alone says nothing.
        return Verdict("running", "Its state is not known here at the moment.", missing=True)
    if found.metadata.deletion_timestamp:
        return Verdict("left", "It is being deleted.")
    rollout = workload_rollout(objects, found, now, step["generation"])
    match rollout.state:
        case "failed":
            return Verdict("failed", f"{rollout.headline}: {rollout.text}")
        case "paused":
            return Verdict("left", f"{rollout.headline}, so its pods keep {old}. {rollout.text}")
        case "stuck":
            over = passed(step["wrong_since"], now) >= HANGS_SECONDS
            return Verdict("failed" if over else "running", rollout.text, wrong=True)
        case "done":
            if step["good_since"] and passed(step["good_since"], now) >= SETTLES_SECONDS:
                return Verdict("done", rollout.text)
            return Verdict("running", f"{rollout.text} Waiting to see that it stays so.", good=True)
        case _:
            return Verdict("running", rollout.text)


async def _explain(verdict: Verdict, run: Run, new: str) -> Verdict:
    """Asks the API server for what is not in view. What is not there any more needs no restart, and what was made
    anew has what was written.
    """
    step = run.step
    try:
        found = await change_read(transport=run.transport, target=step_target(run))
    except NotFound:
        return Verdict("done", "It was deleted meanwhile.")
    except (Unavailable, TooManyRequests):
        return verdict
    except ClusterError as error:
        return Verdict("failed", f"It cannot be followed: {error.message}")
    if step["uid"] and found["metadata"]["uid"] != step["uid"]:
        text = f"It was deleted and recreated meanwhile: its pods have {new}."
        return Verdict("done", text, recreated=found)
    return verdict


def _noted(step: Step, verdict: Verdict, now: datetime) -> bool:
    """Keeps since when it hangs or is complete; whether that is news."""
    before = (step["wrong_since"], step["good_since"])
    step["wrong_since"] = (step["wrong_since"] or iso(now)) if verdict.wrong else ""
    step["good_since"] = (step["good_since"] or iso(now)) if verdict.good else ""
    return before != (step["wrong_since"], step["good_since"])


def step_target(run: Run) -> Target:
    """The object that a step is about."""
    return Target.of(run.change.context, KINDS[run.step["plural"]], run.change.namespace, run.step["name"])


def rollout_failed(step: Step, text: str, about: str) -> tuple[End, str]:
    """How a step ends whose rollout went wrong. What was not up before and is not now tells nothing of ``about``, and
    stops nobody.
    """
    if step["generation"] and not step["up"]:
        return "down", f"{text} It was not up before either, so this says nothing about {about}."
    return "failed", text


def rollout_again(step: Step) -> Step:
    """A step whose rollout failed, when a person resumes: what was sent is looked at before it is sent anew."""
    fresh = {"text": "", "ended": "", "since": "", "wrong_since": "", "good_since": ""}
    return step | fresh | {"state": "running" if step["generation"] else "waiting"}
