"""Sums over pods by node, namespace and workload; gaps between what is requested and used."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight.scheduling.room import asked_on_nodes
from dashboard.insight.usage import Sizes, Sum, Tally, gaps, restarts_of, size_of, topmost
from dashboard.kinds.usage import NodeUse, PodUse, Use
from dashboard.queries.overview import nodes_and_pods
from tests.unit.live.seen import runtime, session

from .world import NOW, World, meta

MIB = 2**20
LATER = NOW.timestamp()


def container(name: str = "main", **resources: dict[str, str]) -> dict[str, Any]:
    return {"name": name, "image": "example/app:1", "resources": resources}


def pod(
    world: World, name: str, *containers: dict[str, Any], owner: tuple[str, str] | None = None, **spec: Any
) -> Any:
    manifest = {
        "metadata": meta(name, owner),
        "spec": {"containers": list(containers) or [container()], "nodeName": "a", **spec},
        "status": {"phase": "Running"},
    }
    return world.add("pods", manifest)


def used(cpu: float, memory: float, at: float = LATER) -> PodUse:
    return PodUse(at, {"main": Use(cpu, memory)})


HALF = container(requests={"cpu": "500m", "memory": "64Mi"}, limits={"cpu": "1", "memory": "128Mi"})


def tallied(world: World, measured: dict[str, PodUse], nodes: dict[str, NodeUse] | None = None) -> Tally:
    tally = Tally(world, Sizes())
    for each in world.all("pods"):
        tally.add(each, measured.get(each.metadata.name))
    tally.settle(world.all("nodes"), nodes or {})
    return tally


def test_a_pods_limit_is_none_where_one_container_has_none() -> None:
    world = World()
    size = size_of(pod(world, "p", HALF, container("proxy", requests={"cpu": "100m"})).spec)
    assert (size.cpu, size.memory) == (0.6, 64 * MIB)
    assert size.cpu_limit is None
    assert size_of(pod(world, "q", HALF).spec).cpu_limit == 1.0


def test_an_init_container_that_has_ended_needs_no_limit() -> None:
    world = World()
    made = pod(world, "p", HALF, initContainers=[container("prepare", requests={"cpu": "2"})])
    size = size_of(made.spec)
    assert size.cpu == 2.0, "the scheduler sets aside what the greatest asks for"
    assert size.memory_limit == 128 * MIB


def test_pods_count_for_their_node_namespace_and_topmost_workload() -> None:
    world = World()
    world.add("replicasets", {"metadata": meta("web-1", ("Deployment", "web")), "spec": {}, "status": {}})
    pod(world, "web-1-a", HALF, owner=("ReplicaSet", "web-1"))
    pod(world, "web-1-b", HALF, owner=("ReplicaSet", "web-1"))
    tally = tallied(world, {"web-1-a": used(0.1, MIB), "web-1-b": used(0.3, MIB)})
    sums = [tally.by_node["a"], tally.namespaces["shop"], tally.workloads["deployments", "shop", "web"]]
    for each in sums:
        assert (each.pods, each.measured) == (2, 2)
        assert (each.cpu.used, each.cpu.requested, each.cpu.limit) == (pytest.approx(0.4), 1.0, 2.0)


def test_a_pod_of_a_bare_replicaset_or_of_an_unknown_controller() -> None:
    world = World()
    bare = pod(world, "x", owner=("ReplicaSet", "gone"))
    assert topmost(world, bare) == ("replicasets", "shop", "gone")
    assert topmost(world, pod(world, "y", owner=("Rollout", "argo"))) is None
    assert topmost(world, pod(world, "z")) is None


def test_pods_that_have_ended_or_have_no_node_set_nothing_aside() -> None:
    world = World()
    ended = pod(world, "done", HALF)
    world.add(
        "pods",
        {
            "metadata": meta("done"),
            "spec": {"containers": [HALF], "nodeName": "a"},
            "status": {"phase": "Succeeded"},
        },
    )
    assert ended is not world.get("pods", "shop", "done")
    pod(world, "pending", HALF, nodeName="")
    tally = tallied(world, {})
    assert tally.by_node == {}
    assert (tally.namespaces["shop"].pods, tally.namespaces["shop"].waiting) == (0, 1)
    assert tally.namespaces["shop"].cpu.requested == 0


def test_a_measure_of_a_pods_predecessor_is_not_its_own() -> None:
    world = World()
    reborn = pod(world, "db-0", HALF)
    before = reborn.metadata.creation_timestamp.timestamp() - 5
    tally = tallied(world, {"db-0": used(9.0, MIB, at=before)})
    assert tally.pods == {}
    assert tally.namespaces["shop"].used("cpu") is None


def test_what_is_not_measured_is_not_nought() -> None:
    world = World()
    pod(world, "a", HALF)
    pod(world, "b", HALF)
    tally = tallied(world, {"a": used(0.1, MIB)})
    each = tally.namespaces["shop"]
    assert (each.pods, each.measured, each.used("cpu")) == (2, 1, pytest.approx(0.1))
    assert Sum().used("cpu") is None


def test_a_node_without_measures_still_tells_what_is_requested_and_one_that_is_gone_tells_nothing() -> None:
    world = World()
    world.add(
        "nodes",
        {"metadata": {"name": "a"}, "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}}},
    )
    pod(world, "p", HALF)
    tally = tallied(world, {}, {"gone": NodeUse(LATER, Use(1, 1))})
    assert set(tally.nodes) == {"a"}
    assert tally.nodes["a"].use is None
    assert tally.nodes["a"].asked.cpu.requested == 0.5
    assert tally.nodes["a"].of["pods"] == 110


def test_without_the_right_to_metrics_only_what_is_used_is_left_out() -> None:
    each = Sum()
    each.add(size_of(pod(World(), "p", HALF).spec), Use(0.2, MIB))
    hidden = each.unmeasured()
    assert hidden.used("cpu") is None
    assert hidden.cpu.requested == 0.5
    assert each.used("cpu") == 0.2


def sum_of(used_cpu: float, requested: float, *, pods: int = 1, measured: int | None = None) -> Sum:
    each = Sum(pods=pods, measured=pods if measured is None else measured)
    each.cpu.used, each.cpu.requested = used_cpu, requested
    return each


def test_gaps_are_told_the_greatest_first_and_little_ones_not_at_all() -> None:
    workloads = {
        ("deployments", "shop", "idle"): sum_of(0.1, 2.0),
        ("deployments", "shop", "idler"): sum_of(0.1, 4.0),
        ("deployments", "shop", "fits"): sum_of(0.9, 1.0),
        ("deployments", "shop", "small"): sum_of(0.01, 0.05),
        ("deployments", "shop", "greedy"): sum_of(3.0, 1.0),
        ("deployments", "shop", "half measured"): sum_of(0.1, 4.0, pods=2, measured=1),
    }
    idle, beyond = gaps(workloads, "cpu")
    assert [gap.workload[2] for gap in idle] == ["idler", "idle"]
    assert [gap.workload[2] for gap in beyond] == ["greedy"]
    assert beyond[0].amount == 2.0


def test_restarts_of_sidecars_count_too() -> None:
    status = {
        "phase": "Running",
        "containerStatuses": [{"name": "main", "restartCount": 2}],
        "initContainerStatuses": [{"name": "proxy", "restartCount": 1}],
    }
    manifest = {"metadata": meta("p"), "spec": {"containers": [container()]}, "status": status}
    assert restarts_of(World().add("pods", manifest)) == 3


# One reckoning of what a pod asks for, whoever shows it


ASKED = [
    (
        "a limit alone is the request too",
        {"containers": [container(limits={"cpu": "2", "memory": "1Gi"})]},
        2.0,
        2.0,
    ),
    (
        "the greatest init container, beside the sidecars started before it",
        {
            "containers": [container(requests={"cpu": "1"}, limits={"cpu": "1"})],
            "initContainers": [
                container("early", requests={"cpu": "2"}, limits={"cpu": "2"}),
                container("mesh", requests={"cpu": "500m"}, limits={"cpu": "500m"})
                | {"restartPolicy": "Always"},
                container("late", requests={"cpu": "3"}, limits={"cpu": "3"}),
            ],
        },
        3.5,
        3.5,
    ),
    (
        "the overhead on top, of limits only where there is one",
        {"containers": [container(requests={"cpu": "1"})], "overhead": {"cpu": "250m"}},
        1.25,
        None,
    ),
    (
        "the pod's own request goes before its containers'",
        {"containers": [HALF, HALF], "resources": {"requests": {"cpu": "3"}, "limits": {"cpu": "4"}}},
        3.0,
        4.0,
    ),
    (
        "the pod's own limit is the request of containers that have none",
        {"containers": [container()], "resources": {"limits": {"cpu": "4"}}},
        4.0,
        4.0,
    ),
    (
        "and where they have some, theirs together",
        {"containers": [HALF, HALF], "resources": {"limits": {"cpu": "4"}}},
        1.0,
        4.0,
    ),
    (
        "a pod has no disk of its own as a whole",
        {"containers": [HALF], "resources": {"limits": {"ephemeral-storage": "4Gi"}}},
        0.5,
        1.0,
    ),
]


@pytest.mark.parametrize(("what", "spec", "cpu", "limit"), ASKED, ids=[case[0] for case in ASKED])
def test_a_pod_asks_for_what_the_scheduler_sets_aside_wherever_it_is_shown(
    what: str, spec: dict[str, Any], cpu: float, limit: float | None
) -> None:
    world = World()
    made = pod(world, "p", **spec)
    size = size_of(made.spec)
    assert (size.cpu, size.cpu_limit, size.ephemeral) == (cpu, limit, 0.0)
    assert float(asked_on_nodes([made])["a"].get("cpu", 0)) == cpu
    assert tallied(world, {}).by_node["a"].cpu.requested == cpu
    # The overview's bars of a node too.
    shown = runtime()
    shown.cache.put(
        "nodes", {"metadata": {"name": "a"}, "status": {"allocatable": {"cpu": "8", "memory": "8Gi"}}}
    )
    shown.cache.put(
        "pods", {"metadata": {"name": "p", "namespace": "shop"}, "spec": {"nodeName": "a", **spec}}
    )
    (node,) = nodes_and_pods(session(shown).reader, Sizes(), None)
    assert node.asked is not None
    assert (node.asked.cpu, node.asked.cpu_of) == (cpu, 8.0)
