"""What an autoscaler would do now."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight.autoscaling import (
    Bounds,
    autoscale_impact,
    autoscaler_of,
    measured_utilization,
    paused_impact,
    resumed_impact,
    unrequested,
    wanted_replicas,
    written_impact,
)
from dashboard.kinds.base import Ref
from dashboard.kinds.usage import PodUse, Use

from .world import World, deployment, pod

WEB = Ref("Deployment", "shop", "web", "deployments")


def scaler(name: str = "web", kind: str = "Deployment") -> dict[str, Any]:
    scaled = {"apiVersion": "apps/v1", "kind": kind, "name": "web"}
    return {"metadata": {"name": name, "namespace": "shop", "uid": "h1"}, "spec": {"scaleTargetRef": scaled}}


@pytest.mark.parametrize(
    ("current", "utilization", "wanted"),
    [
        (3, 80, 3),
        (3, 88, 3),  # within 10 %
        (3, 72, 3),
        (3, 89, 4),  # ceil(3 × 89 / 80)
        (3, 71, 3),  # ceil(2.66)
        (4, 40, 2),
        (4, 0, 2),  # the minimum
        (4, 900, 6),  # the maximum
        (1, 80, 2),
        (9, 80, 6),
    ],
)
def test_it_follows_utilization_beyond_the_tolerance_and_keeps_to_its_bounds(
    current: int, utilization: int, wanted: int
) -> None:
    assert wanted_replicas(current, utilization, Bounds(least=2, most=6, cpu=80)) == wanted


def requesting(*quantities: str) -> list[dict[str, Any]]:
    return [
        {"name": f"c{n}", "image": "x:1", "resources": {"requests": {"cpu": each}} if each else {}}
        for n, each in enumerate(quantities)
    ]


def workload(world: World, *quantities: str, replicas: int = 2) -> Any:
    manifest = deployment("web", replicas=replicas)
    manifest["spec"]["template"]["spec"]["containers"] = requesting(*quantities)
    return world.add("deployments", manifest)


def test_a_container_without_a_request_makes_utilization_uncomputable() -> None:
    found = workload(World(), "100m", "")
    assert unrequested(found.spec.template.spec) == ["c1"]
    impact = autoscale_impact(WEB, found, Bounds(least=1, most=4, cpu=80), 90)
    assert impact.headline is not None and impact.headline.state == "bad"
    assert impact.headline.title == "Can't compute utilization: no CPU request"
    assert "Container c1 of web has no CPU request" in impact.headline.text


def test_a_limit_stands_for_a_request() -> None:
    manifest = deployment("web")
    manifest["spec"]["template"]["spec"]["containers"] = [
        {"name": "app", "image": "x:1", "resources": {"limits": {"cpu": "1"}}}
    ]
    assert unrequested(World().add("deployments", manifest).spec.template.spec) == []


@pytest.mark.parametrize(
    ("replicas", "utilization", "state", "title"),
    [
        (2, 160, "info", "web is scaled from 2 to 4"),
        (4, 20, "warn", "web is scaled from 4 to 1"),
        (2, 82, "info", "web stays at 2 replicas for now"),
        (2, None, "warn", "web stays at 2 replicas for now"),
        (9, None, "warn", "web is scaled from 9 to 4"),
        (0, 82, "warn", "web stays at 0 replicas"),
    ],
)
def test_the_headline_says_what_it_does_now(
    replicas: int, utilization: int | None, state: str, title: str
) -> None:
    found = workload(World(), "100m", replicas=replicas)
    headline = autoscale_impact(WEB, found, Bounds(least=1, most=4, cpu=80), utilization).headline
    assert headline is not None and (headline.state, headline.title) == (state, title)


def test_utilization_is_what_running_pods_of_the_workload_use_of_their_requests() -> None:
    world = World()
    found = workload(world, "200m")
    selected = deployment("web")["spec"]["selector"]["matchLabels"]
    used = {}
    for name, cores, owner in (("web-1", 0.1, "web"), ("web-2", 0.3, "web"), ("lone", 9.0, None)):
        manifest = pod(name, owner=None)
        manifest["metadata"]["labels"] = selected
        if owner:
            reference = {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": owner,
                "uid": found.metadata.uid,
                "controller": True,
            }
            manifest["metadata"]["ownerReferences"] = [reference]
        manifest["spec"]["containers"] = requesting("200m")
        manifest["status"] = {"phase": "Running"}
        world.add("pods", manifest)
        used[("shop", name)] = PodUse(0.0, {"c0": Use(cores, 0.0)})
    assert measured_utilization(world, WEB, found, used) == 100
    assert measured_utilization(world, WEB, found, {}) is None


def test_what_scales_a_workload_is_found_by_its_target() -> None:
    world = World(
        ("horizontalpodautoscalers", scaler("other", "StatefulSet")),
        ("horizontalpodautoscalers", scaler("mine")),
    )
    found = autoscaler_of(world, WEB)
    assert found is not None and found.metadata.name == "mine"
    assert autoscaler_of(world, Ref("Deployment", "shop", "api", "deployments")) is None


def test_one_that_is_paused_keeps_the_present_number_and_resumed_it_says_what_load_does() -> None:
    world = World()
    workload(world, "100m", replicas=2)
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
    manifest = scaler()
    manifest["spec"] |= {
        "minReplicas": 1,
        "maxReplicas": 4,
        "metrics": [{"type": "Resource", "resource": cpu}],
    }
    current = {"name": "cpu", "current": {"averageUtilization": 160}}
    manifest["status"] = {"currentMetrics": [{"type": "Resource", "resource": current}]}
    found = world.add("horizontalpodautoscalers", manifest)
    paused, resumed = paused_impact(world, found), resumed_impact(world, found)
    assert paused.headline is not None and paused.headline.title == "Deployment web stays at 2 replicas"
    assert paused.effects[0].note == "between 1 and 4 replicas"
    assert resumed.headline is not None and resumed.headline.title == "web is scaled from 2 to 4"


def stateful(world: World, replicas: int = 3, scaled: str = "Delete", **spec: Any) -> Any:
    manifest = deployment("web", replicas=replicas)
    kept = {"whenScaled": scaled, "whenDeleted": "Retain"}
    claims = [{"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}]
    manifest["spec"] |= {"volumeClaimTemplates": claims, "persistentVolumeClaimRetentionPolicy": kept} | spec
    return world.add("statefulsets", manifest)


@pytest.mark.parametrize(
    ("found", "most", "said"),
    [
        (stateful(World()), 5, ["warn"]),
        (stateful(World(), replicas=9), 5, ["bad"]),
        (stateful(World()), 2, ["bad"]),  # to its only number
        (stateful(World(), replicas=2), 2, []),  # it has one number, and has it
        (stateful(World(), scaled="Retain"), 5, []),
        (stateful(World(), volumeClaimTemplates=[]), 5, []),
        (stateful(World(), replicas=0), 5, []),
    ],
)
def test_claims_that_go_with_a_scale_down_are_told(found: Any, most: int, said: list[str]) -> None:
    ref = Ref("StatefulSet", "shop", "web", "statefulsets")
    impact = autoscale_impact(ref, found, Bounds(least=2, most=most, cpu=None), None)
    assert [each.state for each in impact.notices] == said
    assert all("claims" in each.title for each in impact.notices)
    assert impact.danger is ("bad" in said)


def bounded(world: World, most: int, *, paused: bool = False, name: str = "web", **spec: Any) -> Any:
    manifest = scaler(name)
    manifest["spec"] |= {"minReplicas": 1, "maxReplicas": most} | spec
    if paused:
        off = {"selectPolicy": "Disabled"}
        manifest["spec"]["behavior"] = {"scaleUp": off, "scaleDown": off}
    return world.add("horizontalpodautoscalers", manifest)


@pytest.mark.parametrize(
    ("most", "paused", "title"),
    [
        (4, False, "web is scaled from 5 to 4"),
        (4, True, "web is scaled from 5 to 4"),  # its bounds hold nevertheless
        (9, True, "Deployment web stays at 5 replicas"),
        (9, False, "web stays at 5 replicas for now"),
    ],
)
def test_one_that_is_written_as_a_whole_says_what_it_does(most: int, paused: bool, title: str) -> None:
    world = World()
    workload(world, "100m", replicas=5)
    headline = written_impact(world, bounded(world, most, paused=paused)).headline
    assert headline is not None and headline.title == title


def test_two_for_the_same_pods_are_told() -> None:
    world = World()
    workload(world, "100m")
    own = bounded(world, 4)
    assert written_impact(world, own).notices == ()
    bounded(world, 9, name="other")
    (notice,) = written_impact(world, own).notices
    assert notice.title == "HorizontalPodAutoscaler other scales Deployment web already"


def test_usage_that_was_measured_stands_in_where_it_reports_none() -> None:
    world = World()
    workload(world, "100m")
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    own = bounded(world, 4, metrics=[{"type": "Resource", "resource": cpu}])
    headline = written_impact(world, own, 100).headline
    assert headline is not None and headline.title == "web is scaled from 2 to 4"
