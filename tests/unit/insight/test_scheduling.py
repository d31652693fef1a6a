"""Why each node refuses a pod, beside what the scheduler says of all together."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight import findings_for

from .world import NOW, World, condition, node, pod

GA, BETA = "topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"
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
        "Node full": "has 1.5 of 4 CPU free, it requests 3",
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
    assert found["Node there"] == "can't access volume pv-1"
    assert found["Node here"] == "no reason visible here; the scheduler says: whatever"


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


def in_zones(*zones: str) -> list[tuple[str, dict[str, Any]]]:
    """Nodes n0, n1 … with their zones."""
    return [("nodes", labelled(f"n{place}", {"zone": zone})) for place, zone in enumerate(zones)]


def small(**spec: Any) -> dict[str, Any]:
    """A pod without a node that fits everywhere, with labels app=web."""
    manifest = unplaced()
    del manifest["spec"]["containers"][0]["resources"]
    manifest["spec"] |= spec
    return manifest


def required(term: dict[str, Any]) -> dict[str, Any]:
    return {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone", **term}]}


def selects(**labels: str) -> dict[str, Any]:
    return {"labelSelector": {"matchLabels": labels}}


FREE = "no reason visible here; the scheduler says: whatever"


def test_host_port_is_taken_by_who_holds_it_on_the_same_address() -> None:
    def port(ip: str = "", protocol: str = "TCP") -> dict[str, Any]:
        return {"containerPort": 80, "hostPort": 8080, "hostIP": ip, "protocol": protocol}

    def holder(on: str, phase: str = "Running", **of: str) -> tuple[str, dict[str, Any]]:
        return "pods", pod(f"on-{on}", node=on, phase=phase, container={"ports": [port(**of)]})

    wants = {"containers": [{"name": "app", "ports": [port("10.0.0.1")]}]}
    world = World(
        ("pods", small(**wants)), *in_zones("a", "a", "a", "a", "a"),
        holder("n0"), holder("n1", ip="10.0.0.2"), holder("n2", protocol="UDP"), holder("n3", phase="Succeeded"),
        holder("n4", ip="10.0.0.1"),
    )  # fmt: skip
    found = reasons(world)
    taken = "didn't have free ports for the requested pod ports: 8080/TCP is taken by pod on-"
    assert found == {
        "Node n0": f"{taken}n0", "Node n1": FREE, "Node n2": FREE, "Node n3": FREE, "Node n4": f"{taken}n4",
    }  # fmt: skip


def test_anti_affinity_holds_in_the_whole_topology_and_both_ways() -> None:
    apart = {"podAntiAffinity": required(selects(app="db"))}
    shy = pod("shy", node="n2")
    shy["spec"]["affinity"] = {"podAntiAffinity": required(selects(app="web"))}
    mutual = pod("db-1", node="n0", labels={"app": "db"})
    mutual["spec"]["affinity"] = {"podAntiAffinity": required(selects(app="web"))}
    elsewhere = pod("db-9", node="n3", labels={"app": "db"})
    elsewhere["metadata"]["namespace"] = "other"
    world = World(
        ("pods", small(affinity=apart)), *in_zones("a", "a", "b", "c"), ("nodes", labelled("n4", {})),
        ("pods", mutual), ("pods", shy), ("pods", elsewhere),
    )  # fmt: skip
    unwanted = "didn't match pod anti-affinity rules: pod db-1 is in the same zone"
    assert reasons(world) == {
        "Node n0": unwanted, "Node n1": unwanted,
        "Node n2": "didn't satisfy existing pods anti-affinity rules: pod shy has anti-affinity against it in its zone",
        "Node n3": FREE, "Node n4": FREE,
    }  # fmt: skip


def test_affinity_wants_a_pod_in_the_topology_and_in_the_namespaces_that_it_names() -> None:
    term = selects(app="db") | {"namespaceSelector": {"matchLabels": {"team": "data"}}}
    far = pod("db-1", node="n1", labels={"app": "db"})
    far["metadata"]["namespace"] = "data"
    world = World(
        ("pods", small(affinity={"podAffinity": required(term)})), *in_zones("a", "b"), ("nodes", labelled("n2", {})),
        ("pods", pod("db-0", node="n0", labels={"app": "db"})), ("pods", far),
        ("namespaces", {"metadata": {"name": "data", "labels": {"team": "data"}}}),
        ("namespaces", {"metadata": {"name": "shop"}}),
    )  # fmt: skip
    assert reasons(world) == {
        "Node n0": "didn't match pod affinity rules: no pod with app=db is in its zone",
        "Node n1": FREE,
        "Node n2": "didn't match pod affinity rules: it lacks label zone",
    }


def test_the_first_of_pods_that_want_each_other_may_go_anywhere() -> None:
    world = World(
        ("pods", small(affinity={"podAffinity": required(selects(app="web"))})), *in_zones("a", "b")
    )
    assert set(reasons(world).values()) == {FREE}


def test_pods_on_nodes_without_the_label_are_none_that_others_are_to_be_with() -> None:
    """So the first of its own kind may go anywhere beside them, as where there are none at all."""
    together = {"podAffinity": required(selects(app="web"))}
    bare = ("nodes", labelled("bare", {}))
    world = World(
        ("pods", small(affinity=together)), *in_zones("a", "b"), bare,
        ("pods", pod("old", node="bare", labels={"app": "web"})),
    )  # fmt: skip
    found = reasons(world)
    assert (found["Node n0"], found["Node n1"]) == (FREE, FREE) and "it lacks label zone" in found[
        "Node bare"
    ]
    world.add("pods", pod("other", node="n0", labels={"app": "web"}))
    assert "no pod with app=web" in reasons(world)["Node n1"]


def test_a_claim_of_one_pod_lets_no_other_one_in_wherever_it_runs() -> None:
    mounts = {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]}
    user = pod("first", node="n0")
    user["spec"] |= mounts
    for mode, phase, taken in (
        ("ReadWriteOncePod", "Running", True), ("ReadWriteOnce", "Running", False),
        ("ReadWriteOncePod", "Succeeded", False),
    ):  # fmt: skip
        claim = {"metadata": {"name": "data", "namespace": "shop"}, "spec": {"accessModes": [mode]}}
        user["status"]["phase"] = phase
        world = World(
            ("pods", small(**mounts)), *in_zones("a", "b"), ("pods", user), ("persistentvolumeclaims", claim)
        )
        said = "ReadWriteOncePod access mode: claim data is used by pod first"
        assert {said in one for one in reasons(world).values()} == {taken}


@pytest.mark.parametrize(
    ("labels", "volume", "reached"),
    [
        ({GA: "a"}, {GA: "a"}, True),
        ({GA: "b"}, {GA: "a"}, False),
        ({GA: "b"}, {GA: "a__b"}, True),
        ({GA: "a"}, {BETA: "a"}, True),
        ({GA: "b"}, {BETA: "a"}, False),
        ({GA: "b"}, {GA: "a__"}, True),  # what can't be read counts for nothing
        ({}, {GA: "a"}, True),  # a cluster of one zone
        ({"topology.kubernetes.io/region": "eu"}, {GA: "a"}, False),
    ],
)
def test_a_volume_that_is_labelled_with_a_zone_is_reached_from_there(
    labels: dict[str, str], volume: dict[str, str], reached: bool
) -> None:
    world = World(
        ("pods", small(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}])),
        ("persistentvolumeclaims", {"metadata": {"name": "data", "namespace": "shop"}, "spec": {"volumeName": "pv-1"}}),
        ("persistentvolumes", {"metadata": {"name": "pv-1", "labels": volume}, "spec": {}}),
        ("nodes", labelled("n0", labels)),
    )  # fmt: skip
    assert reasons(world)["Node n0"] == (FREE if reached else "can't access volume pv-1")


def test_spread_counts_what_may_run_there_and_names_the_emptiest() -> None:
    spread = {"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", **selects(app="web")}
    soft = spread | {"topologyKey": "rack", "whenUnsatisfiable": "ScheduleAnyway"}
    ending = pod("old", node="n1")
    ending["metadata"]["deletionTimestamp"] = "2026-03-01T11:59:00Z"
    world = World(
        ("pods", small(topologySpreadConstraints=[spread, soft])), *in_zones("a", "b", "c"),
        ("nodes", labelled("n3", {})), ("pods", pod("web-2", node="n0")), ("pods", pod("web-3", node="n2")),
        ("pods", pod("web-4", node="n2")), ("pods", ending), ("pods", pod("db", node="n1", labels={"app": "db"})),
    )  # fmt: skip
    words = "didn't match pod topology spread constraints: "
    assert reasons(world) == {
        "Node n0": f"{words}zone a has 1 of its kind, the emptiest 0, maxSkew is 1",
        "Node n1": FREE,
        "Node n2": f"{words}zone c has 2 of its kind, the emptiest 0, maxSkew is 1",
        "Node n3": f"{words}it lacks label zone",
    }


def test_spread_leaves_out_nodes_that_the_pod_may_not_use_unless_it_says_otherwise() -> None:
    spread = {"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", **selects(app="web")}

    def on_n0(**more: str) -> str:
        spec = {"topologySpreadConstraints": [spread | more], "nodeSelector": {"zone": "a"}}
        world = World(("pods", small(**spec)), *in_zones("a", "b"), ("pods", pod("web-2", node="n0")))
        return reasons(world)["Node n0"]

    assert on_n0() == FREE
    assert on_n0(nodeAffinityPolicy="Ignore").startswith("didn't match pod topology spread constraints")


def test_many_nodes_have_other_pods_reasons_in_few_words() -> None:
    world = World(
        ("pods", small(affinity={"podAntiAffinity": required(selects(app="web"))})),
        *in_zones(*"aaaaaaabbbbbbb"), ("pods", pod("web-2", node="n0")), ("pods", pod("web-3", node="n8")),
    )  # fmt: skip
    assert reasons(world) == {"14 nodes (n0, n1 and 12 more)": "didn't match pod anti-affinity rules"}


def test_without_all_pods_nothing_is_said_that_rests_on_who_is_not_there() -> None:
    class Partly(World):
        def reads(self, plural: str, namespace: str = "") -> bool:
            return plural != "pods" and super().reads(plural, namespace)

    affinity = {
        "podAffinity": required(selects(app="db")),
        "podAntiAffinity": required(selects(app="web") | {"topologyKey": "name"}),
    }
    spread = {"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", **selects(app="web")}
    manifest = small(affinity=affinity, topologySpreadConstraints=[spread])
    manifest["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "3", "memory": "9Gi"}}
    world = Partly(
        ("pods", manifest), ("nodes", labelled("n0", {"zone": "a", "name": "n0"})), ("pods", busy("n0")),
    )  # fmt: skip
    assert reasons(world) == {
        "Node n0": "has 8.0 GiB memory, it requests 9.0 GiB; "
        "didn't match pod anti-affinity rules: pod busy-n0 is in the same name"
    }


def test_what_only_the_scheduler_knows_is_said_in_its_words() -> None:
    message = (
        "0/1 nodes are available: 1 Insufficient cpu, 1 node(s) exceed max volume count. preemption: no."
    )
    manifest = small()
    manifest["status"]["conditions"] = [condition("PodScheduled", "False", "Unschedulable", message)]
    world = World(("pods", manifest), *in_zones("a"))
    assert reasons(world) == {
        "Node n0": "no reason visible here; the scheduler says: node(s) exceed max volume count"
    }
