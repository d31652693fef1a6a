"""What running a CronJob now, or a Job again, does, in words."""

from __future__ import annotations

from typing import Any

from dashboard.insight.running import RunImpact, run_impact
from dashboard.insight.words import text_of

from .world import World, meta, node


def told(impact: RunImpact) -> list[str]:
    return [text_of(effect.text) for effect in impact.effects]


def job(name: str, owner: tuple[str, str] | None = None, active: int = 0, **spec: Any) -> dict[str, Any]:
    size = {"resources": {"requests": {"cpu": "3"}}}
    template = {"spec": {"containers": [{"name": "app", "image": "shop/import:1"} | size]}}
    return {
        "metadata": meta(name, owner),
        "spec": {"parallelism": 2, "completions": 4, "template": template} | spec,
        "status": {"active": active},
    }


def run(world: World, **cron: Any) -> RunImpact:
    spec = {"schedule": "0 3 * * *"} | cron
    nightly = world.add("cronjobs", {"metadata": meta("nightly"), "spec": spec})
    return run_impact(world, nightly, World().add("jobs", job("nightly-manual-x")))


def test_a_run_starts_pods_and_leaves_the_schedule_alone() -> None:
    impact = run(World(("nodes", node("node-1")), ("nodes", node("node-2"))))
    assert impact.headline.title == "nightly-manual-x starts immediately"
    assert told(impact) == [
        "2 pods start",
        "4 completions in all",
        "6 CPU requested",
        "The schedule is not affected",
        "It counts for the history limits",
    ]


def test_what_does_not_fit_on_the_nodes_is_told() -> None:
    assert "6 CPU requested: 1 of 2 pods fit" in told(run(World(("nodes", node()))))


def test_one_that_is_not_finished_runs_at_the_same_time_whatever_the_policy() -> None:
    world = World(("jobs", job("nightly-1", ("CronJob", "nightly"), active=1)))
    impact = run(world, concurrencyPolicy="Forbid", suspend=True)
    assert (impact.headline.state, impact.headline.title) == ("warn", "nightly runs twice at the same time")
    assert "concurrencyPolicy Forbid is not applied to it" in told(impact)
    assert "The schedule stays suspended" in told(impact)


def test_a_job_is_run_again_beside_the_old_one() -> None:
    world = World()
    old = world.add("jobs", job("import"))
    impact = run_impact(world, old, World().add("jobs", job("import-manual-x", suspend=True)))
    assert impact.headline.title == "The new Job is suspended"
    assert told(impact)[-1] == "Job import stays as it is, with its pods and logs"
