"""What suspending and resuming CronJobs and Jobs do, in words."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight.suspending import SuspendImpact, resume_impact, suspend_impact
from dashboard.insight.words import text_of

from .world import NOW, World, ago, meta


def told(impact: SuspendImpact) -> list[str]:
    return [text_of(effect.text) for effect in impact.effects]


def cronjob(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Every day at 03:00; it is 12:00."""
    return {"metadata": meta("nightly"), "spec": {"schedule": "0 3 * * *"} | spec, "status": status or {}}


def job(name: str = "nightly-1", status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    made = meta(name, ("CronJob", "nightly"))
    return {"metadata": made, "spec": {"completions": 3, "parallelism": 2} | spec, "status": status or {}}


FAILED = {"conditions": [{"type": "Failed", "status": "True"}]}


def test_a_suspended_cronjob_skips_runs_and_leaves_what_runs_alone() -> None:
    world = World()
    nightly = world.add("cronjobs", cronjob())
    world.add("jobs", job("nightly-1", {"succeeded": 1, "active": 2}))
    world.add("jobs", job("nightly-0", FAILED))
    impact = suspend_impact(world, nightly, NOW)
    assert impact.headline.title == "nightly creates no Jobs until it is resumed"
    assert told(impact) == [
        "The run at 2026-03-02 03:00 UTC is skipped",
        "Job nightly-1 keeps running",
        "Jobs and logs of earlier runs stay",
    ]
    assert not impact.danger


@pytest.mark.parametrize(
    ("last", "deadline", "starts"),
    [
        (ago(hours=20), None, True),
        (ago(hours=2), None, False),
        (ago(hours=20), 3600, False),
        (ago(hours=20), 10 * 3600, True),
        (None, None, False),
    ],
)
def test_a_resumed_cronjob_starts_what_it_missed_within_its_deadline(
    last: str | None, deadline: int | None, starts: bool
) -> None:
    world = World()
    status = {"lastScheduleTime": last} if last else {}
    nightly = world.add("cronjobs", cronjob(status, suspend=True, startingDeadlineSeconds=deadline))
    impact = resume_impact(world, nightly, NOW)
    assert (impact.headline.title == "nightly starts a Job immediately") is starts
    assert "The next scheduled run is at 2026-03-02 03:00 UTC" in told(impact)


def test_a_run_that_is_not_finished_keeps_the_next_one_from_starting() -> None:
    world = World()
    active = {"active": [{"kind": "Job", "name": "nightly-1", "uid": "jobs-nightly-1"}]}
    nightly = world.add("cronjobs", cronjob(active, suspend=True, concurrencyPolicy="Forbid"))
    assert "1 Job of it is not finished" in told(resume_impact(world, nightly, NOW))


def test_suspending_a_job_terminates_its_active_pods() -> None:
    active = {"active": [{"kind": "Job", "name": "nightly-1", "uid": "jobs-nightly-1"}]}
    world = World(("cronjobs", cronjob(active, concurrencyPolicy="Forbid")))
    running = world.add("jobs", job(status={"active": 2, "succeeded": 1}, activeDeadlineSeconds=60))
    impact = suspend_impact(world, running, NOW)
    assert impact.danger and impact.headline.title == "2 active pods of nightly-1 are terminated"
    assert told(impact) == [
        "2 active pods are deleted, with the logs",
        "1/3 completions stay counted",
        "Its activeDeadlineSeconds starts over when it is resumed",
        "CronJob nightly skips its runs until this Job is finished",
    ]


def test_a_job_without_active_pods_loses_nothing() -> None:
    world = World()
    impact = suspend_impact(world, world.add("jobs", job()), NOW)
    assert not impact.danger and impact.headline.title == "nightly-1 creates no pods until it is resumed"


@pytest.mark.parametrize(("succeeded", "pods"), [(0, "2 pods"), (2, "1 pod")])
def test_a_resumed_job_creates_the_pods_that_are_left_to_run(succeeded: int, pods: str) -> None:
    world = World()
    impact = resume_impact(world, world.add("jobs", job(status={"succeeded": succeeded}, suspend=True)), NOW)
    assert impact.headline.title == f"nightly-1 creates {pods}"
