"""What pausing and resuming a Deployment do, in words."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight.pausing import pause_impact
from dashboard.insight.restart import resume_impact
from dashboard.insight.words import text_of

from .world import NOW, World, deployment, meta


def told(impact: Any) -> list[str]:
    return [text_of(effect.text) for effect in impact.effects]


def test_a_deployment_at_rest_only_stops_rolling_out() -> None:
    world = World()
    impact = pause_impact(world, world.add("deployments", deployment()), NOW)
    assert (impact.headline.state, impact.danger) == ("info", False)
    assert impact.headline.title == "web rolls out nothing until it is resumed"
    assert told(impact)[:2] == ["3 pods keep running", "Scaling still works"]


@pytest.mark.parametrize(("updated", "current", "old"), [(1, 3, 2), (3, 4, 1), (0, 0, 3)])
def test_a_rollout_under_way_stops_in_its_middle(updated: int, current: int, old: int) -> None:
    """Surplus old pods count as well as those that are still missing."""
    world = World()
    moving = world.add("deployments", deployment(updated=updated, current=current))
    impact = pause_impact(world, moving, NOW)
    assert (impact.headline.state, impact.headline.title) == ("warn", "The rollout of web stops where it is")
    assert f"on the new revision and {old} not" in impact.headline.text
    assert ("keep" in told(impact)[0]) is bool(current)


def test_an_autoscaler_that_goes_on_is_named() -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": target, "minReplicas": 3, "maxReplicas": 12}
    world = World(("horizontalpodautoscalers", {"metadata": meta("traffic"), "spec": spec}))
    impact = pause_impact(world, world.add("deployments", deployment()), NOW)
    assert "HorizontalPodAutoscaler traffic still scales it" in told(impact)
    assert next(effect.ref for effect in impact.effects if effect.ref).name == "traffic"


def test_resuming_rolls_out_what_has_waited_and_replaces_the_pods_on_an_old_revision() -> None:
    world = World()
    waits = world.add("deployments", deployment(paused=True, updated=1))
    impact = resume_impact(world, waits, NOW)
    assert impact.headline is not None
    assert impact.headline.title == "web rolls out what has waited"
    assert impact.headline.text == "2 pods of 3 are not on the newest revision."
    assert told(impact)[0] == "2 pods are replaced"


def test_resuming_where_nothing_waits_replaces_nothing() -> None:
    world = World()
    impact = resume_impact(world, world.add("deployments", deployment(paused=True)), NOW)
    assert impact.headline is not None and impact.headline.title == "web has nothing to roll out"
    assert (impact.effects, impact.danger) == ((), False)


def test_resuming_what_was_created_paused_with_recreate_stops_nothing_that_runs() -> None:
    world = World()
    never = deployment(paused=True, updated=0, current=0, available=0, strategy={"type": "Recreate"})
    assert not resume_impact(world, world.add("deployments", never), NOW).danger
