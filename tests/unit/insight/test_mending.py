"""What the report suggests is filled in, and mends just what it is said to mend."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from dashboard.insight.losing.report import UNKNOWN, Preparedness, preparedness
from dashboard.insight.mending import mended

from .test_losing import READ
from .test_preparedness import GOOD, budget, deployment, pods, world
from .world import NOW

PORT = {"containerPort": 8080, "name": "http"}
PLAIN = {key: value for key, value in GOOD.items() if key != "readinessProbe"} | {"ports": [PORT]}
CLASSES = [
    ("priorityclasses", {"metadata": {"name": name}, "value": value})
    for name, value in (("system-node-critical", 2_000), ("high", 1_000), ("normal", 100), ("late", -10))
]


def of(*objects: tuple[str, dict[str, Any]]) -> Preparedness:
    (found,) = preparedness(world(*objects).reading(*READ, "priorityclasses"), NOW)
    return found


@pytest.mark.parametrize(
    ("rule", "spec"),
    [
        ("no-spread", {"topologySpreadConstraints": []}),
        ("no-readiness-probe", {"containers": [PLAIN]}),
        ("no-priority", {"priorityClassName": ""}),
    ],
)
def test_with_its_remedy_a_workload_has_that_weakness_no_more_and_no_other(
    rule: str, spec: dict[str, Any]
) -> None:
    plural, manifest = deployment(**spec)
    others = budget(), *pods("node-1", "node-2"), *CLASSES
    (weakness,) = of((plural, manifest), *others).weaknesses
    assert weakness.rule == rule and weakness.remedy is not None and weakness.remedy.action == "edit"
    made = mended(manifest, dict(weakness.remedy.typed)["remedy"])
    assert made != manifest and not of((plural, made), *others).weaknesses


def test_a_class_is_suggested_where_the_cluster_has_one_of_its_own() -> None:
    lacking = deployment(priorityClassName=""), budget(), *pods("node-1", "node-2")
    for classes, typed in (
        (CLASSES, (("remedy", "priority:normal"),)),
        (CLASSES[:1], (("remedy", UNKNOWN),)),
    ):
        remedy = of(*lacking, *classes).weaknesses[0].remedy
        assert remedy is not None and remedy.typed == typed


def test_a_budget_that_blocks_allows_one_disruption() -> None:
    remedy = of(deployment(), budget(2), *pods("node-1", "node-2")).weaknesses[0].remedy
    assert remedy is not None and remedy.ref.plural == "poddisruptionbudgets"
    made = mended({"spec": {"minAvailable": 2, "selector": {}}}, dict(remedy.typed)["remedy"])
    assert made == {"spec": {"selector": {}, "maxUnavailable": 1}}


def test_an_autoscaler_scales_by_cpu_as_one_without_metrics_does_and_keeps_what_it_has() -> None:
    queue = {
        "type": "External",
        "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "9"}},
    }
    (has, cpu) = mended({"spec": {"metrics": [queue]}}, "cpu-metric")["spec"]["metrics"]
    assert has == queue
    assert cpu["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
    there = {"spec": {"metrics": [cpu]}}
    assert mended(there, "cpu-metric") == there


def test_a_probe_asks_as_the_liveness_probe_does_and_none_is_made_up() -> None:
    alive = {
        "name": "a",
        "livenessProbe": {"httpGet": {"path": "/up", "port": 80}, "initialDelaySeconds": 90},
    }
    udp = {"name": "b", "ports": [{"containerPort": 53, "protocol": "UDP"}]}
    has = {"name": "c", "ports": [PORT], "readinessProbe": {"exec": {"command": ["true"]}}}
    made = mended(deployment(containers=[alive, udp, has, PLAIN])[1], "probe")
    found = made["spec"]["template"]["spec"]["containers"]
    assert found[0]["readinessProbe"] == {"httpGet": {"path": "/up", "port": 80}, "periodSeconds": 10}
    assert found[1:3] == [udp, has]
    assert found[3]["readinessProbe"] == {"tcpSocket": {"port": "http"}, "periodSeconds": 10}


def test_pods_are_told_apart_as_the_workload_tells_them_and_a_rule_that_is_there_stays() -> None:
    manifest = deployment(topologySpreadConstraints=[])[1]
    (rule,) = mended(manifest, "spread-zones")["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert rule["topologyKey"] == "topology.kubernetes.io/zone"
    assert rule["labelSelector"] == manifest["spec"]["selector"]
    there = deployment()[1]
    assert mended(there, "spread-nodes") == there


@pytest.mark.parametrize(
    "remedy", ["", "nothing", "priority", "spread-nodes", "probe", "allow-one", "priority:x", "cpu-metric"]
)
@pytest.mark.parametrize("manifest", [{}, {"spec": None}, {"spec": {}}, {"spec": {"template": {"spec": {}}}}])
def test_whatever_the_address_says_the_object_itself_is_never_changed(
    remedy: str, manifest: dict[str, Any]
) -> None:
    before = deepcopy(manifest)
    mended(manifest, remedy)
    assert manifest == before
