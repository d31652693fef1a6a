"""What a drain does with each pod of a node: the decisions of kubectl, budgets, and where the pods can go."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight.draining import DrainImpact, DrainOptions, drain_impact, drain_verdict
from dashboard.insight.scheduling.placed import PlacedPods
from dashboard.insight.words import text_of
from dashboard.kinds.selectors import Selector

from .world import NOW, World, ago, endpoints, meta, node, pod, service

SCRATCH = [{"name": "cache", "emptyDir": {}}]
DAEMON = ("DaemonSet", "agent")
EVERY = DrainOptions(delete_emptydir=True, force=True)


def with_spec(made: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return made | {"spec": made["spec"] | spec}


def _other(made: dict[str, Any]) -> dict[str, Any]:
    """Owned by what is called the same in another group."""
    owners = [
        each | {"apiVersion": "apps.kruise.io/v1alpha1"} for each in made["metadata"]["ownerReferences"]
    ]
    return made | {"metadata": made["metadata"] | {"ownerReferences": owners}}


def cluster(*nodes: dict[str, Any]) -> World:
    world = World(*(("nodes", each) for each in (node("node-1"), *nodes)))
    return world.reading("pods", "daemonsets", "services", "poddisruptionbudgets")


def budget(
    name: str, app: str, allowed: int, healthy: int = 3, desired: int = 3, **spec: Any
) -> dict[str, Any]:
    status = {
        "disruptionsAllowed": allowed, "currentHealthy": healthy, "desiredHealthy": desired, "expectedPods": healthy,
    }  # fmt: skip
    spec = {"selector": {"matchLabels": {"app": app}}} | spec
    return {"metadata": meta(name), "spec": spec, "status": status}


def drained(world: World, options: DrainOptions = DrainOptions()) -> DrainImpact:  # noqa: B008
    return drain_impact(world, world.get("nodes", "", "node-1"), NOW, options)


def told(impact: DrainImpact) -> dict[str, tuple[str, str, str]]:
    """Heading, tag and note of each pod."""
    return {
        text_of(each.text).removesuffix(" in shop"): (each.group.split(":")[0], each.word, each.note)
        for each in impact.effects
        if each.ref is not None and each.ref.kind != "Node"
    }


# Each row: a pod, what is decided without options, and with which option alone it is evicted.
DECISIONS: dict[str, tuple[dict[str, Any], str, set[str]]] = {
    "managed": (pod("web-1"), "evict", {"", "force", "delete_emptydir"}),
    "unmanaged": (pod("shell", owner=None), "refuse", {"force"}),
    "emptyDir": (with_spec(pod("web-1"), volumes=SCRATCH), "refuse", {"delete_emptydir"}),
    "unmanaged with emptyDir": (with_spec(pod("shell", owner=None), volumes=SCRATCH), "refuse", set()),
    "of a DaemonSet": (pod("agent-1", owner=DAEMON), "stay", set()),
    "of a DaemonSet, with emptyDir": (
        with_spec(pod("agent-1", owner=DAEMON), volumes=SCRATCH),
        "stay",
        set(),
    ),
    "of another API's DaemonSet": (_other(pod("agent-1", owner=DAEMON)), "refuse", {"force"}),
    "of a DaemonSet that is gone": (pod("old-1", owner=("DaemonSet", "old")), "refuse", {"force"}),
    "static": (
        pod("etcd", owner=None)
        | {"metadata": meta("etcd") | {"annotations": {"kubernetes.io/config.mirror": "1"}}},
        "stay",
        set(),
    ),
    "finished": (
        with_spec(pod("job-1", owner=None, phase="Succeeded"), volumes=SCRATCH),
        "evict",
        {"", "force", "delete_emptydir"},
    ),
    "failed, of a DaemonSet": (
        pod("agent-1", owner=DAEMON, phase="Failed"),
        "evict",
        {"", "force", "delete_emptydir"},
    ),
}


@pytest.mark.parametrize("case", DECISIONS)
def test_each_pod_is_decided_as_by_kubectl(case: str) -> None:
    manifest, without, by = DECISIONS[case]
    world = cluster()
    world.add("daemonsets", {"metadata": meta("agent")})
    made = world.add("pods", manifest)
    assert drain_verdict(world, made, DrainOptions()).fate == without
    for option in ("", "force", "delete_emptydir"):
        options = DrainOptions(**({option: True} if option else {}))
        assert (drain_verdict(world, made, options).fate == "evict") is (option in by)
    assert (drain_verdict(world, made, EVERY).fate == "evict") is (without != "stay")


def test_where_daemonsets_are_not_known_their_pods_stay() -> None:
    world = World(("nodes", node()))
    made = world.add("pods", pod("agent-1", owner=DAEMON))
    assert drain_verdict(world, made, DrainOptions()).fate == "stay"


def test_what_needs_a_choice_comes_first_and_nothing_is_evicted_before() -> None:
    world = cluster(node("node-2"))
    world.add("pods", pod("web-1"))
    world.add("pods", pod("web-2", node="node-2"))
    world.add("pods", pod("shell", owner=None))
    impact = drained(world)
    assert impact.headline.title == "1 of 2 pods needs a choice before anything is evicted"
    assert (impact.evicted, impact.refused) == (1, 1)
    assert list(told(impact)) == ["shell", "web-1"]
    impact = drained(world, EVERY)
    assert impact.headline.title == "2 pods will be evicted" and impact.danger
    assert told(impact)["shell"] == ("Will be deleted", "for good", "Nothing recreates it.")


def test_a_budget_refuses_all_or_lets_them_go_one_after_the_other() -> None:
    world = cluster(node("node-2"))
    for name in ("web-1", "web-2"):
        world.add("pods", pod(name))
    world.add("pods", pod("web-3", node="node-2"))
    world.add("poddisruptionbudgets", budget("web", "web", 0))
    impact = drained(world)
    assert impact.headline.title == "2 of 2 pods block this drain"
    assert told(impact)["web-1"][:2] == ("Block the drain", "refused")
    assert "allows 0 disruptions: 3 of 3 pods healthy, 3 must be" in told(impact)["web-1"][2]
    world.add("poddisruptionbudgets", budget("web", "web", 1, desired=2))
    found = told(drained(world))
    assert "Waits" not in found["web-1"][2]
    assert found["web-2"][2].startswith(
        "Waits for those before it: PodDisruptionBudget web allows 1 disruption"
    )


def test_what_two_budgets_cover_the_eviction_api_refuses() -> None:
    world = cluster(node("node-2"))
    world.add("pods", pod("web-1"))
    for name in ("one", "two"):
        world.add("poddisruptionbudgets", budget(name, "web", 5))
    found = told(drained(world))["web-1"]
    assert found[1] == "refused" and "one and two" in found[2]


@pytest.mark.parametrize(
    ("more", "spec"),
    [
        ({"phase": "Pending"}, {}),
        ({"ready": False}, {"unhealthyPodEvictionPolicy": "AlwaysAllow"}),
    ],
)
def test_a_pod_that_a_budget_does_not_count_goes(more: dict[str, Any], spec: dict[str, Any]) -> None:
    world = cluster(node("node-2"))
    world.add("pods", pod("web-1", **more))
    world.add("poddisruptionbudgets", budget("web", "web", 0, **spec))
    assert told(drained(world))["web-1"][0] == "Will move"


def sized(name: str, cpu: str, **more: Any) -> dict[str, Any]:
    return pod(name, container={"resources": {"requests": {"cpu": cpu}}}, **more)


def test_each_pod_goes_to_the_emptiest_node_that_takes_it() -> None:
    world = cluster(
        node("node-2"), node("node-3"), node("node-4", unschedulable=True), node("node-5", ready="False")
    )
    world.add("pods", sized("busy", "2", node="node-2"))
    world.add("pods", sized("web-1", "1"))
    world.add("pods", sized("web-2", "2"))
    world.add("pods", sized("huge", "5", owner=("ReplicaSet", "huge")))
    found = told(drained(world))
    assert found["huge"][:2] == ("Will be unschedulable", "Pending")
    assert found["huge"][2].startswith(
        "The other nodes have no capacity for it. It stays Pending until node-1"
    )
    assert found["web-2"][1] == "→ node-3"
    assert found["web-1"][1] == "→ node-2"
    room = {text_of(each.text): each.note for each in drained(world).effects if each.icon == "gauge"}
    assert room == {
        "node-2 gets 1 pod": "CPU requests 50 → 75 %, memory 0 → 0 %",
        "node-3 gets 1 pod": "CPU requests 0 → 50 %, memory 0 → 0 %",
    }


def test_what_can_run_nowhere_else_says_why() -> None:
    world = cluster(node("node-2"))
    world.add("pods", with_spec(pod("pinned"), nodeSelector={"disk": "ssd"}))
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}
    world.add(
        "pods", with_spec(pod("db-0", owner=("StatefulSet", "db"), labels={"app": "db"}), volumes=[claim])
    )
    world.add("persistentvolumeclaims", {"metadata": meta("data-db-0"), "spec": {"volumeName": "local"}})
    here = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["node-1"]}]}
    affinity = {"required": {"nodeSelectorTerms": [here]}}
    world.add("persistentvolumes", {"metadata": {"name": "local"}, "spec": {"nodeAffinity": affinity}})
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "apart"}}}
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    labels = {"app": "apart"}
    world.add("pods", with_spec(pod("apart-1", owner=("ReplicaSet", "apart"), labels=labels), affinity=apart))
    two = node("node-2")
    two["metadata"]["labels"] = {"kubernetes.io/hostname": "node-2"}
    world.add("nodes", two)
    found = told(drained(world))
    assert found["apart-1"][1] == "→ node-2"
    assert found["pinned"][2].startswith("No other node has the labels and taints for it.")
    assert found["db-0"][2].startswith("No other node can access its volume.")
    world.add("pods", pod("apart-2", owner=("ReplicaSet", "apart"), labels=labels, node="node-2"))
    assert told(drained(world))["apart-1"][2].startswith("Other pods keep it away from the other nodes")


def test_what_has_no_ready_pod_meanwhile_is_said() -> None:
    world = cluster(node("node-2"))
    world.add("pods", pod("web-1"))
    world.add("services", service("web"))
    world.add("endpointslices", endpoints("web", ("web-1", True)))
    world.add("pods", pod("lone-1", owner=("ReplicaSet", "lone"), labels={"app": "lone"}))
    world.add("pods", pod("many-1", owner=("ReplicaSet", "many"), labels={"app": "many"}))
    world.add("pods", pod("many-2", owner=("ReplicaSet", "many"), labels={"app": "many"}, node="node-2"))
    impact = drained(world)
    found = told(impact)
    assert found["web-1"][2] == "Service web has no ready endpoints until a replacement is ready."
    assert found["lone-1"][2] == "No other pod of ReplicaSet lone is ready: none is until a replacement is."
    assert found["many-1"][2] == ""
    assert impact.danger and "Service web has no ready endpoints meanwhile" in impact.headline.text


def test_data_that_is_lost_is_said() -> None:
    world = cluster(node("node-2"))
    volumes = [*SCRATCH, {"name": "work", "ephemeral": {"volumeClaimTemplate": {}}}]
    world.add("pods", with_spec(pod("web-1"), volumes=volumes))
    impact = drained(world, EVERY)
    note = told(impact)["web-1"][2]
    assert "What is in emptyDir cache is lost." in note and "What is in volume work is lost" in note
    assert impact.danger


def test_what_ends_by_itself_goes_nowhere_and_loses_nothing() -> None:
    world = cluster(node("node-2"))
    leaving = pod("web-1")
    leaving["metadata"]["deletionTimestamp"] = ago(seconds=5)
    world.add("pods", with_spec(leaving, volumes=SCRATCH))
    world.add("pods", pod("job-1", owner=None, phase="Succeeded"))
    impact = drained(world, EVERY)
    assert {name: (each[0], each[1]) for name, each in told(impact).items()} == {
        "web-1": ("Will be deleted", ""),
        "job-1": ("Will be deleted", ""),
    }
    assert not impact.danger and impact.headline.text == "None of them moves to another node."


def test_a_node_without_pods_is_only_cordoned() -> None:
    assert drained(cluster()).headline.title == "No pods to evict on node-1"


def test_of_pods_that_are_alike_one_is_asked_whether_it_keeps_others_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Counted: ten times as many pods on the other nodes cost no more questions."""
    asked, taken = 0, 0
    matches, begin = Selector.matches, PlacedPods.__init__

    def counted(selector: Selector, labels: Any) -> bool:
        nonlocal asked
        asked += 1
        return matches(selector, labels)

    def begun(placed: PlacedPods, pods: Any) -> None:
        nonlocal taken
        taken += 1
        begin(placed, pods)

    monkeypatch.setattr(Selector, "matches", counted)
    monkeypatch.setattr(PlacedPods, "__init__", begun)
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "web"}}}
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    found = []
    for count in (2, 20):
        world = cluster(*(node(f"node-{n}") for n in range(2, 7)))
        for n in range(4):  # of four ReplicaSets that all stay apart from each other's pods
            owner, labels = ("ReplicaSet", f"web-{n}"), {"app": "web", "of": str(n)}
            world.add("pods", with_spec(pod(f"own-{n}", owner=owner, labels=labels), affinity=apart))
            for at in range(2, 6):
                for each in range(count):
                    made = pod(f"web-{n}-{at}-{each}", owner=owner, labels=labels, node=f"node-{at}")
                    world.add("pods", with_spec(made, affinity=apart))
        asked = taken = 0
        impact = drained(world)
        found.append((asked, told(impact)))
        assert taken == 1, "the placed pods are looked through once a drain"
    assert found[0] == found[1]


def test_without_a_grace_period_says_what_that_may_damage() -> None:
    world = cluster(node("node-2"))
    world.add("pods", pod("db-0", owner=("StatefulSet", "db"), node="node-1"))
    world.add("pods", pod("web-1", node="node-1"))
    world.add("pods", pod("web-2", node="node-1"))
    impact = drained(world, DrainOptions(grace=0))
    said = {notice.title: notice.state for notice in impact.notices}
    assert said == {
        "Two at once can damage the data of db-0": "bad",
        "Without a grace period: web-1 and web-2": "warn",
    }
    assert impact.danger
    for own in (DrainOptions(), DrainOptions(grace=30)):
        assert not drained(world, own).notices and not drained(world, own).danger
