"""How well a workload is prepared: each weakness alone, what it weighs, and what would mend it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dashboard.insight.losing.report import Preparedness, preparedness

from .test_losing import READ, claimed, database, zoned
from .world import NOW, World, meta, node, pod, replicaset, service

LABELS = {"app": "web"}
PROBE = {"httpGet": {"path": "/", "port": 80}}
ASKS = {"requests": {"cpu": "100m", "memory": "64Mi"}}
LIMITS = {"limits": {"cpu": "1", "memory": "1Gi"}}
GOOD = {"name": "app", "image": "web:1", "readinessProbe": PROBE, "resources": ASKS}
SPREAD = [{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}]


def template(**spec: Any) -> dict[str, Any]:
    made = {"containers": [GOOD], "priorityClassName": "high", "topologySpreadConstraints": SPREAD} | spec
    return {"metadata": {"labels": LABELS}, "spec": made}


def deployment(replicas: int = 2, **spec: Any) -> tuple[str, dict[str, Any]]:
    made = {"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": template(**spec)}
    return "deployments", {"metadata": meta("web"), "spec": made, "status": {}}


def budget(desired: int = 1, expected: int = 2) -> tuple[str, dict[str, Any]]:
    status = {"desiredHealthy": desired, "expectedPods": expected, "currentHealthy": expected}
    spec = {"selector": {"matchLabels": LABELS}}
    return "poddisruptionbudgets", {"metadata": meta("web"), "spec": spec, "status": status}


def pods(*nodes: str) -> list[tuple[str, dict[str, Any]]]:
    return [("pods", pod(f"web-{n}", node=name, labels=LABELS)) for n, name in enumerate(nodes)]


def world(*objects: tuple[str, dict[str, Any]]) -> World:
    nodes = [("nodes", zoned(f"node-{n}", zone)) for n, zone in ((1, "a"), (2, "b"), (3, "a"))]
    return World(*nodes, ("replicasets", replicaset()), *objects).reading(*READ, "horizontalpodautoscalers")


def of(*objects: tuple[str, dict[str, Any]]) -> Preparedness:
    (found,) = preparedness(world(*objects), NOW)
    return found


def autoscaler(status: str, reason: str, *metrics: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    told = [{"type": "ScalingActive", "status": status, "reason": reason}]
    spec = {"scaleTargetRef": target, "maxReplicas": 5, "metrics": list(metrics)}
    return "horizontalpodautoscalers", {"metadata": meta("web"), "spec": spec, "status": {"conditions": told}}


def test_what_lacks_nothing_has_all_the_points() -> None:
    found = of(deployment(), budget(), *pods("node-1", "node-2"))
    assert (found.score, found.state, found.weaknesses) == (100, "ok", ())
    assert found.has == "2 replicas on 2 nodes in 2 zones"


TWO = pods("node-1", "node-2")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "No CPU and memory requests: {}. Such pods are evicted first under memory pressure."),
        ({"cpu": "1"}, "No memory request: {}. Such pods are evicted first under memory pressure."),
        ({"memory": "1Gi"}, "No CPU request: {}. Such pods get CPU last on a busy node."),
    ],
)
def test_the_request_that_is_missing_is_named(asked: dict[str, str], said: str) -> None:
    found = of(deployment(containers=[GOOD | {"resources": {"requests": asked}}]), budget(), *TWO)
    assert [each.text for each in found.weaknesses] == [said.format(GOOD["name"])]


CASES: dict[str, Callable[[], Preparedness]] = {
    "single-replica": lambda: of(deployment(1), *pods("node-1")),
    "one-node": lambda: of(deployment(), budget(), *pods("node-1", "node-1")),
    "one-zone": lambda: of(deployment(), budget(), *pods("node-1", "node-3")),
    "no-spread": lambda: of(deployment(topologySpreadConstraints=None), budget(), *TWO),
    "no-budget": lambda: of(deployment(), *TWO),
    "budget-blocks": lambda: of(deployment(), budget(desired=2), *TWO),
    "no-readiness-probe": lambda: of(
        deployment(containers=[GOOD | {"readinessProbe": None}]), budget(), *TWO
    ),
    "no-requests": lambda: of(deployment(containers=[GOOD | {"resources": {}}]), budget(), *TWO),
    "latest-tag": lambda: of(deployment(containers=[GOOD | {"image": "web"}]), budget(), *TWO),
    "no-priority": lambda: of(deployment(priorityClassName=""), budget(), *TWO),
    "autoscaler-no-metrics": lambda: of(
        deployment(), budget(), autoscaler("False", "FailedGetPodsMetric"), *TWO
    ),
}


@pytest.mark.parametrize("rule", CASES)
def test_each_weakness_is_told_alone_and_takes_its_weight(rule: str) -> None:
    found = CASES[rule]()
    assert [each.rule for each in found.weaknesses] == [rule]
    assert found.score == 100 - found.weaknesses[0].weight < 100
    remedy = found.weaknesses[0].remedy
    assert remedy is not None and bool(remedy.action) != bool(remedy.form)


def share_of(resource: str) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": 70}
    return {"type": "Resource", "resource": {"name": resource, "target": target}}


NO_CPU, NO_MEMORY = ({"requests": {what: "1"}} for what in ("memory", "cpu"))


@pytest.mark.parametrize(
    ("reason", "metric", "resources", "action", "said"),
    [
        ("FailedGetResourceMetric", (), NO_CPU, ("resources",), "not all containers have one for CPU."),
        (
            "FailedGetResourceMetric",
            ("memory",),
            NO_MEMORY,
            ("resources",),
            "not all containers have one for memory.",
        ),
        ("FailedGetResourceMetric", ("memory",), NO_CPU, (), "look at the metrics API (metrics-server)."),
        ("FailedGetExternalMetric", (), GOOD["resources"], ("edit", "cpu-metric"), "load changes nothing."),
        ("FailedGetExternalMetric", (), NO_CPU, ("edit", "unknown"), "load changes nothing."),
        ("FailedGetScale", (), GOOD["resources"], ("edit", "unknown"), "load changes nothing."),
    ],
)
def test_an_autoscaler_that_reads_no_metric_gets_what_helps_by_its_reason(
    reason: str, metric: tuple[str, ...], resources: Any, action: tuple[str, ...], said: str
) -> None:
    found = of(
        deployment(containers=[GOOD | {"resources": resources}]), budget(),
        autoscaler("False", reason, *map(share_of, metric)), *TWO,
    )  # fmt: skip
    (told,) = [each for each in found.weaknesses if each.rule == "autoscaler-no-metrics"]
    remedy = told.remedy
    assert ((remedy.action, *dict(remedy.typed).values()) if remedy else ()) == action
    assert told.text.endswith(said)


@pytest.mark.parametrize(
    "found",
    [
        lambda: of(deployment(), budget(), autoscaler("True", "ValidMetricFound"), *TWO),
        lambda: of(deployment(), budget(), autoscaler("False", "ScalingDisabled"), *TWO),
        lambda: of(deployment(containers=[GOOD | {"image": "web@sha256:" + "a" * 64}]), budget(), *TWO),
        lambda: of(deployment(containers=[GOOD | {"resources": LIMITS}]), budget(), *TWO),
    ],
    ids=["autoscaled", "paused", "by digest", "limits alone: the API server sets requests to them"],
)  # fmt: skip
def test_what_only_looks_weak_is_none(found: Callable[[], Preparedness]) -> None:
    assert found().weaknesses == ()


def test_a_budget_blocks_a_single_replica_too() -> None:
    """The commonest one that does: at least one of one."""
    rules = [
        each.rule for each in of(deployment(1), budget(desired=1, expected=1), *pods("node-1")).weaknesses
    ]
    assert rules == ["single-replica", "budget-blocks"]
    assert "no-budget" not in rules


def test_several_budgets_over_the_same_pods_block_whatever_each_allows() -> None:
    second = budget()
    second[1]["metadata"] = meta("second")
    (found,) = of(deployment(), budget(), second, *TWO).weaknesses
    assert (
        found.rule == "budget-blocks" and "second" in found.text and "every eviction is refused" in found.text
    )


def test_what_the_pods_have_as_a_whole_or_by_the_api_server_is_a_request() -> None:
    bare = [GOOD | {"resources": {}}]
    assert of(deployment(containers=bare, resources=ASKS), budget(), *TWO).weaknesses == ()
    filled = [("pods", pod("web-0", node="node-1", labels=LABELS, container={"resources": ASKS}))]
    filled += [("pods", pod("web-1", node="node-2", labels=LABELS, container={"resources": ASKS}))]
    assert of(deployment(containers=bare), budget(), *filled).weaknesses == ()


def in_zone(zone: str, *nodes: str) -> Preparedness:
    claims = [each for at in range(len(nodes)) for each in claimed(at, zone, "topology.kubernetes.io/zone")]
    (found,) = preparedness(world(*database(*nodes), *claims), NOW)
    return found


def test_volumes_of_one_zone_tie_a_workload_to_it() -> None:
    found = {each.rule: each for each in in_zone("a", "node-1", "node-3").weaknesses}
    assert "All its volumes are in zone a" in found["one-zone-volume"].text
    assert found["one-zone"].remedy is None, "its members can't go elsewhere"
    alone = {each.rule for each in in_zone("a", "node-1").weaknesses}
    assert {"single-replica", "one-zone-volume"} <= alone
    one = World(
        ("nodes", zoned("node-1", "a")), *database("node-1"), *claimed(0, "a", "topology.kubernetes.io/zone")
    )
    (single,) = preparedness(one.reading(*READ, "horizontalpodautoscalers"), NOW)
    assert "one-zone-volume" not in {each.rule for each in single.weaknesses}, "there is no other zone"


def test_more_replicas_are_the_autoscalers_to_keep_where_there_is_one() -> None:
    remedy = of(deployment(1), *pods("node-1")).weaknesses[0].remedy
    assert remedy is not None and (remedy.words, remedy.action, remedy.typed) == (
        "Scale to 2…", "scale", (("replicas", "2"),),
    )  # fmt: skip
    scaled = of(deployment(1), autoscaler("True", "ValidMetricFound"), *pods("node-1")).weaknesses[0].remedy
    assert scaled is not None and (scaled.action, scaled.typed) == ("autoscale", (("min", "2"),))


def test_whoever_has_requests_from_users_needs_the_probe_more() -> None:
    bare = deployment(containers=[GOOD | {"readinessProbe": None}])
    alone = of(bare, budget(), *TWO).weaknesses[0]
    served = of(bare, budget(), ("services", service(selector=LABELS)), *TWO).weaknesses[0]
    assert alone.weight < served.weight


def test_two_members_with_data_are_no_quorum_and_a_local_disk_is_told() -> None:
    world_ = world(*database("node-1", "node-2"), *claimed(0, "node-1"))
    (found,) = preparedness(world_, NOW)
    rules = [each.rule for each in found.weaknesses]
    assert rules[0] == "no-quorum" and "local-data" in rules


def test_the_worst_come_first_and_what_runs_no_pods_is_left_out() -> None:
    weak = deployment(1)
    weak[1]["metadata"] = meta("weak")
    none = deployment(0)
    none[1]["metadata"] = meta("none")
    found = preparedness(world(deployment(), weak, none, budget(), *TWO), NOW)
    assert [each.ref.name for each in found] == ["weak", "web"]


def test_a_cluster_of_one_zone_blames_nobody_for_it() -> None:
    one = World(
        ("nodes", node("node-1")), ("nodes", node("node-2")), ("replicasets", replicaset()), deployment(), budget(),
        *pods("node-1", "node-2"),
    ).reading(*READ, "horizontalpodautoscalers")  # fmt: skip
    (found,) = preparedness(one, NOW)
    assert found.weaknesses == ()


def test_budgets_that_may_not_be_read_are_not_missed() -> None:
    unread = World(
        ("nodes", node("node-1")), ("replicasets", replicaset()), deployment(), *pods("node-1", "node-2")
    )
    (found,) = preparedness(unread.reading("pods", "nodes"), NOW)
    assert "no-budget" not in {each.rule for each in found.weaknesses}
