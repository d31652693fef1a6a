"""What cordoning and uncordoning a node do, in words."""

from __future__ import annotations

from typing import Any

from dashboard.insight.cordoning import CordonImpact, cordon_impact, uncordon_impact
from dashboard.insight.scheduling.room import left_over
from dashboard.insight.words import text_of

from .world import NOW, World, meta, node, pod


def told(impact: CordonImpact) -> list[str]:
    return [text_of(effect.text) for effect in impact.effects]


def cluster(*nodes: dict[str, Any]) -> World:
    return World(*(("nodes", each) for each in nodes)).reading("pods")


def cordon(world: World, name: str = "node-1") -> CordonImpact:
    return cordon_impact(world, world.get("nodes", "", name), NOW)


def waits(name: str, **spec: Any) -> dict[str, Any]:
    made = pod(name, node="", phase="Pending")
    return made | {"spec": made["spec"] | spec}


def sized(name: str, cpu: str, **more: Any) -> dict[str, Any]:
    return pod(name, owner=None, container={"resources": {"requests": {"cpu": cpu}}}, **more)


def test_what_runs_stays_and_daemons_are_still_recreated() -> None:
    world = cluster(node("node-1"), node("node-2"))
    world.add("pods", pod("web-1"))
    world.add("pods", pod("web-2", phase="Succeeded"))
    world.add("pods", pod("agent-1", owner=("DaemonSet", "agent")))
    world.add("pods", pod("elsewhere", node="node-2"))
    impact = cordon(world)
    assert (impact.headline.state, impact.headline.title) == ("info", "New pods are not scheduled on node-1")
    assert told(impact) == [
        "1 pod keeps running here",
        "1 DaemonSet pod is still recreated here",
        "1 of 2 nodes stay schedulable",
        "The other nodes have capacity for all of its pods",
    ]
    assert not impact.danger and not impact.notices


def test_the_last_schedulable_node_is_told_first() -> None:
    world = cluster(node("node-1"), node("node-2", unschedulable=True), node("node-3", ready="False"))
    impact = cordon(world)
    assert impact.danger and impact.headline.state == "bad"
    assert impact.headline.title == "No other node is schedulable"


def test_a_pending_pod_that_only_this_node_may_run_loses_it() -> None:
    special, other = node("node-1"), node("node-2")
    special["metadata"]["labels"] = {"disk": "ssd"}
    world = cluster(special, other)
    world.add("pods", waits("picky", nodeSelector={"disk": "ssd"}))
    world.add("pods", waits("easy"))
    impact = cordon(world)
    assert impact.headline.title == "1 pending pod can be scheduled on no other node"
    assert "Pod picky in shop stays Pending" in told(impact)
    assert not any("easy" in line for line in told(impact))


def test_a_pod_whose_volume_is_on_the_nodes_disk_could_run_nowhere_else() -> None:
    world = cluster(node("node-1"), node("node-2"))
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]}
    affinity = {"required": {"nodeSelectorTerms": [term]}}
    world.add("persistentvolumes", {"metadata": {"name": "disk"}, "spec": {"nodeAffinity": affinity}})
    claim = {"metadata": meta("data"), "spec": {"volumeName": "disk"}, "status": {"phase": "Bound"}}
    world.add("persistentvolumeclaims", claim)
    bound = pod("db-0")
    bound["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    world.add("pods", bound)
    assert "1 pod can run on no other node: db-0" in told(cordon(world))


def test_whether_the_others_have_room_for_what_runs_here() -> None:
    world = cluster(node("node-1"), node("node-2"))
    world.add("pods", sized("large", "3"))
    world.add("pods", sized("small", "500m"))
    world.add("pods", sized("there", "2", node="node-2"))
    impact = cordon(world)
    (line,) = (each for each in impact.effects if each.icon == "gauge")
    assert text_of(line.text) == "The other nodes have capacity for 1 of its 2 pods"
    assert line.note == "large would stay Pending after a drain"


def test_pods_are_placed_side_by_side_not_each_alone() -> None:
    world = cluster(node("node-1"), node("node-2"))
    pods = [world.add("pods", sized(f"p-{at}", "1500m")) for at in range(3)]
    rest = left_over(pods, [world.get("nodes", "", "node-2")], pods)
    assert len(rest) == 1
    assert left_over(pods, [], pods) == pods


def test_uncordoning_tells_who_can_be_scheduled_and_what_still_keeps_pods_away() -> None:
    taints = [
        {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"},
        {"key": "gpu", "value": "yes", "effect": "NoSchedule"},
    ]
    tolerates = [{"key": "gpu", "operator": "Exists"}]
    world = cluster(node("node-1", unschedulable=True, taints=taints))
    world.add("pods", waits("picky", tolerations=tolerates))
    world.add("pods", waits("other"))
    world.add("pods", waits("gated", tolerations=tolerates, schedulingGates=[{"name": "example.com/hold"}]))
    impact = uncordon_impact(world, world.get("nodes", "", "node-1"), NOW)
    assert impact.headline.title == "New pods can be scheduled on node-1 again"
    assert told(impact) == [
        "4 CPU and 8 GiB memory become available for new pods",
        "1 pending pod can be scheduled here",
        "Taint gpu=yes:NoSchedule stays",
    ]


def test_a_node_that_is_not_ready_gets_no_pods_by_being_uncordoned() -> None:
    world = cluster(node("node-1", ready="Unknown", unschedulable=True))
    impact = uncordon_impact(world, world.get("nodes", "", "node-1"), NOW)
    assert (impact.headline.state, impact.headline.title) == ("warn", "node-1 is not ready")


def test_pods_that_may_not_be_listed_are_said_to_be_unknown() -> None:
    world = World(("nodes", node("node-1")), ("nodes", node("node-2")))
    assert [notice.title for notice in cordon(world).notices] == ["Not all pods are known"]


def test_what_is_cordoned_already_changes_nothing() -> None:
    assert cordon(cluster(node("node-1", unschedulable=True))).headline.text == "Nothing would change."
