"""Why each node refuses a pod, beside what the scheduler says of all together."""

from __future__ import annotations

from typing import Any

from dashboard.insight import findings_for

from .world import NOW, World, condition, node, pod

REFUSED = [condition("PodScheduled", "False", "Unschedulable", "0/5 nodes are available: 5 whatever.")]


def unplaced(**spec: Any) -> dict[str, Any]:
    manifest = pod(phase="Pending", ready=False, node="", conditions=REFUSED)
    manifest["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "3", "memory": "1Gi"}}
    manifest["spec"] |= spec
    return manifest


def labelled(name: str, labels: dict[str, str], **spec: Any) -> dict[str, Any]:
    made = node(name, **spec)
    made["metadata"]["labels"] = labels
    return made


def reasons(world: World) -> dict[str, str]:
    (found,) = findings_for(world, "pods", "shop", "web-1", NOW)
    return {one.where: one.says for one in found.evidence if one.where != "Condition PodScheduled"}


def busy(on: str) -> dict[str, Any]:
    made = pod(f"busy-{on}", node=on)
    made["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "2500m"}}
    return made


def test_each_node_tells_its_own_reasons() -> None:
    taint = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
    soft = {"key": "old", "effect": "PreferNoSchedule"}
    world = World(
        ("pods", unplaced(nodeSelector={"disk": "ssd"})), ("pods", busy("full")),
        ("nodes", labelled("full", {"disk": "ssd"})),
        ("nodes", labelled("slow", {"disk": "hdd"})),
        ("nodes", labelled("kept", {"disk": "ssd"}, taints=[taint, soft])),
        ("nodes", labelled("shut", {"disk": "ssd"}, unschedulable=True)),
    )  # fmt: skip
    assert reasons(world) == {
        "Node full": "has 1.5 of 4 CPU free, it asks for 3",
        "Node kept": "has taint dedicated=db:NoSchedule, which it does not tolerate",
        "Node shut": "is cordoned",
        "Node slow": "lacks label disk=ssd (it has disk=hdd)",
    }


def test_node_that_does_not_reach_the_volume_says_so() -> None:
    zone = {"key": "zone", "operator": "In", "values": ["a"]}
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [zone]}]}}
    world = World(
        ("pods", unplaced(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}])),
        ("persistentvolumeclaims", {"metadata": {"name": "data", "namespace": "shop"}, "spec": {"volumeName": "pv-1"}}),
        ("persistentvolumes", {"metadata": {"name": "pv-1"}, "spec": {"nodeAffinity": affinity}}),
        ("nodes", labelled("here", {"zone": "a"})), ("nodes", labelled("there", {"zone": "b"})),
    )  # fmt: skip
    found = reasons(world)
    assert found["Node there"] == "cannot reach volume pv-1"
    assert found["Node here"] == "nothing here stands against it: see the scheduler"


def test_tolerated_taints_and_required_affinity_are_reckoned() -> None:
    term = {"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    tolerations = [{"key": "dedicated", "operator": "Exists"}]
    taint = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
    world = World(
        ("pods", unplaced(affinity={"nodeAffinity": required}, tolerations=tolerations)),
        ("nodes", labelled("plain", {}, taints=[taint])),
    )
    assert reasons(world) == {"Node plain": "does not match its node affinity"}


def test_many_nodes_are_told_together_where_their_reasons_are_alike() -> None:
    world = World(("pods", unplaced(nodeSelector={"gpu": "true"})))
    for index in range(30):
        world.add("nodes", node(f"node-{index:02}", unschedulable=index < 4))
    assert reasons(world) == {
        "26 nodes (node-04, node-05 and 24 more)": "lacks label gpu=true",
        "4 nodes (node-00, node-01 and 2 more)": "is cordoned; lacks label gpu=true",
    }
