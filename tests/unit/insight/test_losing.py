"""What if something failed: what becomes of pods, and of the Services, quorums, budgets and data that rest on them."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight.losing import Consequences, LossError, consequences, read_loss
from dashboard.insight.losing.marks import MARKS, node_loss

from .world import NOW, World, deployment, endpoints, meta, node, pod, replicaset, service

READ = (
    "nodes", "pods", "services", "endpointslices", "poddisruptionbudgets", "persistentvolumeclaims", "persistentvolumes",
    "storageclasses", "deployments", "statefulsets", "daemonsets", "replicasets", "jobs", "namespaces",
)  # fmt: skip
NODES = {"node-1": "a", "node-2": "b", "node-3": "c"}
SET = ("StatefulSet", "db")


def zoned(name: str, zone: str, **spec: Any) -> dict[str, Any]:
    made = node(name)
    made["metadata"]["labels"] = {"topology.kubernetes.io/zone": zone, "kubernetes.io/hostname": name}
    return made | {"spec": {**made.get("spec", {}), **spec}}


def cluster(*objects: tuple[str, dict[str, Any]]) -> World:
    nodes = [("nodes", zoned(name, zone)) for name, zone in NODES.items()]
    return World(*nodes, *objects).reading(*READ)


def lost(world: World, *losses: str) -> Consequences:
    return consequences(world, [read_loss(each) for each in losses], NOW)


def with_spec(made: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return made | {"spec": made["spec"] | spec}


def web(*nodes: str) -> list[tuple[str, dict[str, Any]]]:
    """A Deployment with its Service and a pod on each of the nodes."""
    pods = [("pods", pod(f"web-{n}", node=name, labels={"app": "web"})) for n, name in enumerate(nodes)]
    ready = endpoints("web", *((f"web-{n}", True) for n in range(len(nodes))))
    made = deployment(replicas=len(nodes))
    return [
        ("deployments", made), ("replicasets", replicaset()), ("services", service(selector={"app": "web"})),
        ("endpointslices", ready), *pods,
    ]  # fmt: skip


def database(*nodes: str, claims: bool = True) -> list[tuple[str, dict[str, Any]]]:
    """A StatefulSet with a member on each of the nodes."""
    templates = [{"metadata": {"name": "data"}, "spec": {}}] if claims else []
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-{}"}}] if claims else []
    pods = []
    for n, name in enumerate(nodes):
        own = [each | {"persistentVolumeClaim": {"claimName": f"data-db-{n}"}} for each in volumes]
        pods.append(("pods", with_spec(pod(f"db-{n}", owner=SET, node=name), volumes=own)))
    spec = {
        "replicas": len(nodes), "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
        "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "app"}]}},
        "volumeClaimTemplates": templates,
    }  # fmt: skip
    return [
        ("statefulsets", {"metadata": meta("db"), "spec": spec, "status": {"readyReplicas": len(nodes)}}),
        *pods,
    ]


def claimed(
    number: int, only_on: str, key: str = "kubernetes.io/hostname"
) -> list[tuple[str, dict[str, Any]]]:
    """The claim of a member, with a volume that only some nodes reach."""
    name = f"data-db-{number}"
    terms = [{"matchExpressions": [{"key": key, "operator": "In", "values": [only_on]}]}]
    volume = {
        "metadata": {"name": f"pv-{number}"},
        "spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": terms}}},
    }
    if "zone" in key:
        volume["spec"]["csi"] = {"driver": "disks.example"}
    claim = {"metadata": meta(name), "spec": {"volumeName": f"pv-{number}"}}
    return [("persistentvolumeclaims", claim), ("persistentvolumes", volume)]


def fates(told: Consequences) -> dict[str, str]:
    return {each.pod.metadata.name: each.fate for each in told.pods}


@pytest.mark.parametrize(
    "text",
    [
        "", "node", "node/", "node/a/b", "pod/a", "claim/a", "update/web", "update/pods/shop/web", "rack/a", "zone//a",
        "update/deployments/shop/",
    ],
)  # fmt: skip
def test_what_is_no_loss_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(LossError, match=r"write node/NAME|an update is one of"):
        read_loss(text)


@pytest.mark.parametrize(
    "text", ["node/a", "zone/eu-1", "pod/shop/web-1", "claim/shop/data", "update/statefulsets/shop/db"]
)
def test_a_loss_is_written_as_it_was_read(text: str) -> None:
    assert str(read_loss(text)) == text


def test_pods_of_a_lost_node_move_to_where_there_is_room_for_them() -> None:
    asks = {"resources": {"requests": {"cpu": "1"}}}
    world = cluster(
        *web("node-1"), ("pods", pod("web-1", node="node-2", labels={"app": "web"}, container=asks))
    )
    world.add("endpointslices", endpoints("web", ("web-0", True), ("web-1", True)))
    told = lost(world, "node/node-1")
    assert fates(told) == {"web-0": "moves"}
    assert told.pods[0].node == "node-3", "the emptiest"
    assert [(each.ref.name, each.before, each.after) for each in told.services] == [("web", 2, 1)]
    assert [(each.ref.kind, each.before, each.after) for each in told.workloads] == [("Deployment", 2, 1)]


def test_a_service_without_an_endpoint_left_comes_first_in_the_sentence() -> None:
    told = lost(cluster(*web("node-1")), "node/node-1")
    assert told.headline.state == "bad"
    assert told.headline.title == "If node node-1 is lost: 1 Service without endpoints"
    assert told.services[0].why == "Its only endpoint is lost; recreated on node-2."


def test_of_what_is_as_bad_all_is_told_by_name() -> None:
    """Two of each."""
    scratch = [{"name": "cache", "emptyDir": {}}]
    other = service("api", selector={"app": "web"})
    budgets = [
        (
            "poddisruptionbudgets",
            {"metadata": meta(name), "spec": {"selector": {}}, "status": {"currentHealthy": 1}},
        )
        for name in ("b", "a")
    ]
    pods = [
        ("pods", with_spec(pod(name, owner=("ReplicaSet", name)), volumes=scratch)) for name in ("y", "x")
    ]
    world = cluster(
        *web("node-1"),
        ("services", other),
        ("endpointslices", endpoints("api", ("web-0", True))),
        *budgets,
        *pods,
    )
    told = lost(world, "node/node-1")
    assert [each.ref.name for each in told.services] == ["api", "web"]
    assert [each.ref.name for each in told.budgets] == ["a", "b"]
    assert [each.ref.name for each in told.data] == ["x", "y"]
    assert len(told.workloads) == 3


def test_what_is_full_takes_no_pod_and_says_so() -> None:
    big = {"requests": {"cpu": "3"}}
    others = [
        ("pods", pod(f"big-{n}", node=f"node-{n}", container={"resources": big}, owner=("ReplicaSet", "big")))
        for n in (2, 3)
    ]
    own = [("pods", pod("web-0", node="node-1", container={"resources": big}))]
    told = lost(cluster(*own, *others), "node/node-1")
    assert fates(told) == {"web-0": "pending"}
    assert "capacity" in told.pods[0].why


def test_pods_that_end_leave_their_room_to_others() -> None:
    """A pod that is lost alone is scheduled again, also where its own request was all there was."""
    big = {"requests": {"cpu": "3"}}
    pods = [
        ("pods", pod(f"web-{n}", node=f"node-{n}", container={"resources": big}, owner=("ReplicaSet", "big")))
        for n in (1, 2, 3)
    ]
    told = lost(cluster(*pods), "pod/shop/web-1")
    assert (fates(told), told.pods[0].node) == ({"web-1": "moves"}, "node-1")


def test_what_nothing_recreates_is_lost_and_what_belongs_to_a_node_ends_with_it() -> None:
    static = pod("etcd-node-1", owner=("Node", "node-1"))
    static["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "1"}
    agent = pod("agent", owner=("DaemonSet", "agent"))
    told = lost(cluster(("pods", pod("shell", owner=None)), ("pods", agent), ("pods", static)), "node/node-1")
    assert fates(told) == dict.fromkeys(("shell", "agent", "etcd-node-1"), "lost")
    assert {each.pod.metadata.name for each in told.pods if each.own} == {"agent", "etcd-node-1"}
    assert "1 is lost for good" in told.headline.text


def templated(**spec: Any) -> World:
    """A Deployment of which one pod runs, on node-1, with more in its pod template."""
    made = replicaset()
    made["spec"]["template"] = {"spec": {"containers": [{"name": "app"}], **spec}}
    rest = [each for each in web("node-1") if each[0] != "replicasets"]
    return cluster(*rest, ("replicasets", made))


@pytest.mark.parametrize(
    ("spec", "loss", "fate", "on", "why"),
    [
        ({"nodeName": "node-1"}, "node/node-1", "pending", "", "for node node-1 alone"),
        ({"nodeName": "node-1"}, "pod/shop/web-0", "moves", "node-1", "which its template names"),
        ({"nodeName": "node-2"}, "node/node-1", "moves", "node-2", "which its template names"),
        ({"schedulingGates": [{"name": "hold"}]}, "node/node-1", "pending", "", "scheduling gates (hold)"),
        ({"schedulingGates": [{"name": "hold"}]}, "pod/shop/web-0", "pending", "", "scheduling gates (hold)"),
        ({}, "node/node-1", "moves", "node-2", "Most likely"),
    ],
)
def test_a_template_may_leave_the_scheduler_out_or_make_it_wait(
    spec: dict[str, Any], loss: str, fate: str, on: str, why: str
) -> None:
    (told,) = lost(templated(**spec), loss).pods
    assert (told.fate, told.node) == (fate, on) and why in told.why


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"schedulerName": "volcano"}, "Scheduler volcano places it, which may go by other rules."),
        (
            {"resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu"}]},
            "Whether its devices are free there",
        ),
    ],
)
def test_what_is_not_worked_out_of_a_place_is_said(spec: dict[str, Any], said: str) -> None:
    made = with_spec(pod("web-0", node="node-1", labels={"app": "web"}), **spec)
    rest = [each for each in web("node-1") if each[0] != "pods"]
    (told,) = lost(cluster(*rest, ("pods", made)), "node/node-1").pods
    assert told.fate == "moves" and said in told.why


def test_a_volume_that_is_labelled_with_a_zone_is_out_of_reach_without_it() -> None:
    claim, _ = claimed(0, "")
    made = {
        "metadata": {"name": "pv-0", "labels": {"topology.kubernetes.io/zone": "a"}},
        "spec": {"csi": {"driver": "d"}},
    }
    told = lost(cluster(*database("node-1"), claim, ("persistentvolumes", made)), "zone/a")
    assert "No node that is left can access the volume of claim data-db-0." in told.pods[0].why
    assert [each.state for each in told.data] == ["unreachable"]


def test_what_has_ended_is_not_lost_again() -> None:
    assert lost(cluster(("pods", pod("done", phase="Succeeded"))), "node/node-1").pods == ()


def test_a_member_waits_for_its_node_and_a_majority_keeps_quorum() -> None:
    told = lost(cluster(*database("node-1", "node-2", "node-3")), "node/node-1")
    assert fates(told) == {"db-0": "pending"}
    assert "out-of-service" in told.pods[0].why
    found = told.workloads[0]
    assert (found.before, found.after, found.needed, found.quorum) == (3, 2, 2, "kept")
    assert [(one.name, one.state) for one in found.members] == [
        ("db-0", "ends"),
        ("db-1", "stays"),
        ("db-2", "stays"),
    ]


@pytest.mark.parametrize(
    ("nodes", "claims", "quorum"),
    [
        (("node-1", "node-1", "node-2"), True, "lost"),
        (("node-1", "node-2"), True, "lost"),
        (("node-1",), True, ""),
        (("node-1", "node-1", "node-2"), False, ""),
    ],
)
def test_a_minority_of_members_with_data_is_no_quorum(
    nodes: tuple[str, ...], claims: bool, quorum: str
) -> None:
    assert lost(cluster(*database(*nodes, claims=claims)), "node/node-1").workloads[0].quorum == quorum


def test_several_losses_count_together() -> None:
    world = cluster(*web("node-1", "node-2", "node-3"))
    assert [each.after for each in lost(world, "node/node-1").services] == [2]
    assert [each.after for each in lost(world, "node/node-1", "zone/b", "pod/shop/web-2").services] == [0]


def test_the_disk_of_a_lost_node_is_lost_and_that_of_a_lost_zone_is_out_of_reach() -> None:
    on_node = cluster(*database("node-1"), *claimed(0, "node-1"))
    assert [(each.ref.name, each.state) for each in lost(on_node, "node/node-1").data] == [
        ("data-db-0", "lost")
    ]
    in_zone = cluster(*database("node-1"), *claimed(0, "a", "topology.kubernetes.io/zone"))
    told = lost(in_zone, "zone/a")
    assert [(each.ref.name, each.state, each.pods) for each in told.data] == [
        ("data-db-0", "unreachable", ("db-0",))
    ]
    assert told.pods[0].why.startswith("No node that is left can access the volume of claim data-db-0.")


def test_scratch_space_is_lost_with_its_pod_and_a_lost_volume_with_its_claim() -> None:
    scratch = with_spec(pod("web-1"), volumes=[{"name": "cache", "emptyDir": {}}])
    told = lost(cluster(("pods", scratch)), "pod/shop/web-1")
    assert [(each.ref.name, each.state) for each in told.data] == [("web-1", "lost")]
    told = lost(cluster(*database("node-1"), *claimed(0, "node-1")), "claim/shop/data-db-0")
    assert fates(told) == {"db-0": "pending"}
    assert [(each.ref.name, each.state, each.pods) for each in told.data] == [
        ("data-db-0", "lost", ("db-0",))
    ]


def test_a_budget_is_broken_where_fewer_are_healthy_than_it_asks_for() -> None:
    spec = {"selector": {"matchLabels": {"app": "web"}}, "minAvailable": 2}
    status = {"disruptionsAllowed": 1, "currentHealthy": 3, "desiredHealthy": 2, "expectedPods": 3}
    budget = ("poddisruptionbudgets", {"metadata": meta("web"), "spec": spec, "status": status})
    world = cluster(*web("node-1", "node-1", "node-2"), budget)
    assert [(each.before, each.after, each.broken) for each in lost(world, "node/node-2").budgets] == [
        (3, 2, False)
    ]
    assert [(each.before, each.after, each.broken) for each in lost(world, "node/node-1").budgets] == [
        (3, 1, True)
    ]


def test_an_update_takes_only_as_many_at_once_as_its_strategy_says() -> None:
    world = cluster(*web("node-1", "node-2", "node-3"))
    told = lost(world, "update/deployments/shop/web")
    assert set(fates(told).values()) == {"moves"}
    assert told.services == () or told.services[0].after >= 2


def test_what_is_not_there_is_named_and_takes_nothing_with_it() -> None:
    told = lost(cluster(*web("node-1")), "node/other", "pod/shop/none")
    assert [str(each) for each in told.unknown] == ["node/other", "pod/shop/none"]
    assert told.pods == ()
    assert not told.known and told.headline.state == "info"
    assert told.headline.title == "Not known what happens if node other and pod none in shop are lost"
    assert "No pod is terminated" not in told.headline.text


@pytest.mark.parametrize("hidden", ["pods", "services", "endpointslices"])
def test_whoever_does_not_see_everything_is_not_reassured(hidden: str) -> None:
    world = World(("nodes", zoned("node-1", "a"))).reading(*(each for each in READ if each != hidden))
    told = lost(world, "node/node-1")
    assert not told.known and told.headline.state == "info"
    assert told.headline.title == "Not known what happens if node node-1 is lost"
    assert told.headline.text == "There may be more pods and Services than you may see."


def test_what_is_bad_is_said_even_where_there_may_be_more() -> None:
    told = lost(cluster(*web("node-1")), "node/node-1", "node/other")
    assert (told.known, told.headline.state) == (False, "bad")
    assert (
        told.headline.title == "If node node-1 and node other are lost: at least 1 Service without endpoints"
    )


def test_whoever_sees_all_is_told_that_nothing_ends() -> None:
    told = lost(cluster(), "node/node-1")
    assert (told.known, told.headline.state) == (True, "ok")
    assert told.headline.text == "No pod is terminated."


def test_nothing_is_recreated_without_a_control_plane() -> None:
    world = cluster(*web("node-1"))
    plane = zoned("plane", "a")
    plane["metadata"]["labels"]["node-role.kubernetes.io/control-plane"] = ""
    world.add("nodes", plane)
    assert "No control plane node is left" in lost(world, "zone/a").headline.text
    assert "control plane" not in lost(world, "node/node-1").headline.text


def test_kinds_that_may_not_be_read_are_named() -> None:
    world = World(("nodes", zoned("node-1", "a"))).reading("pods")
    assert "services" in lost(world, "node/node-1").unread


def with_claim(name: str, modes: list[str], **more: Any) -> list[tuple[str, dict[str, Any]]]:
    """A pod of a ReplicaSet with a claim, and the volume behind it."""
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]
    volume = {
        "metadata": {"name": f"pv-{name}"},
        "spec": {"accessModes": modes, "csi": {"driver": "disks.example"}},
    }
    return [
        ("pods", with_spec(pod("web-0", node="node-1"), volumes=volumes)), ("persistentvolumes", volume),
        ("persistentvolumeclaims", {"metadata": meta(name), "spec": {"volumeName": f"pv-{name}"}}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("modes", "fate"),
    [(["ReadWriteOnce"], "pending"), (["ReadWriteOncePod"], "pending"), (["ReadWriteMany"], "moves")],
)
def test_a_volume_for_one_node_is_kept_by_the_lost_one(modes: list[str], fate: str) -> None:
    told = lost(cluster(*with_claim("data", modes)), "node/node-1")
    assert fates(told) == {"web-0": fate}
    assert ("out-of-service" in told.pods[0].why) == (fate == "pending")


def test_a_lost_claim_counts_more_than_the_node_that_is_lost_with_it() -> None:
    world = cluster(*with_claim("data", ["ReadWriteMany"]))
    both = lost(world, "claim/shop/data", "node/node-1")
    assert fates(both) == {"web-0": "pending"}
    assert "can't start again without claim data" in both.pods[0].why


def test_a_daemonsets_pod_needs_its_claim_too() -> None:
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    agent = with_spec(pod("agent", owner=("DaemonSet", "agent")), volumes=volumes)
    claim = ("persistentvolumeclaims", {"metadata": meta("data"), "spec": {}})
    assert fates(lost(cluster(("pods", agent), claim), "claim/shop/data")) == {"agent": "pending"}


def zone_of(size: int) -> World:
    """One zone of so many nodes, with a pod on each but the last one."""
    nodes = [("nodes", zoned(f"n-{n}", "a")) for n in range(size)]
    pods = [("pods", pod(f"web-{n}", node=f"n-{n}")) for n in range(size - 1)]
    return World(*nodes, *pods).reading(*READ)


@pytest.mark.parametrize(
    ("size", "gone", "fate"),
    [(5, 4, "pending"), (5, 3, "pending"), (5, 2, "moves"), (3, 2, "moves"), (60, 40, "moves")],
)
def test_where_most_of_a_zone_is_gone_at_once_nothing_is_evicted(size: int, gone: int, fate: str) -> None:
    told = lost(zone_of(size), *(f"node/n-{n}" for n in range(min(gone, 40))))
    assert set(fates(told).values()) == {fate}


@pytest.mark.parametrize(
    ("planes", "gone", "told"), [(3, 1, False), (3, 2, True), (1, 1, True), (2, 1, True)]
)
def test_a_minority_of_the_control_plane_recreates_nothing(planes: int, gone: int, told: bool) -> None:
    world = cluster(*web("node-1"))
    for number in range(planes):
        plane = zoned(f"plane-{number}", "a")
        plane["metadata"]["labels"]["node-role.kubernetes.io/control-plane"] = ""
        world.add("nodes", plane)
    found = lost(world, *(f"node/plane-{number}" for number in range(gone))).headline
    assert ("nothing is recreated" in found.text, found.state == "bad") == (told, told)


@pytest.mark.parametrize(
    ("tolerations", "fate"),
    [
        ([{"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"}], "pending"),
        ([{"operator": "Exists"}], "pending"),
        (
            [
                {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "tolerationSeconds": 30},
                {"operator": "Exists"},
            ],
            "moves",
        ),
        ([{"key": "node.kubernetes.io/unreachable", "operator": "Equal", "value": "x"}], "moves"),
        ([{"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoSchedule"}], "moves"),
    ],
)
def test_the_first_toleration_that_matches_decides_how_long_a_pod_stays(
    tolerations: list[dict[str, Any]], fate: str
) -> None:
    made = with_spec(pod("web-0"), tolerations=tolerations)
    assert fates(lost(cluster(("pods", made)), "node/node-1")) == {"web-0": fate}


def test_a_job_without_a_further_try_fails_with_its_node() -> None:
    job = {"metadata": meta("import"), "spec": {"backoffLimit": 0}, "status": {"active": 1}}
    world = cluster(("jobs", job), ("pods", pod("import-1", owner=("Job", "import"))))
    assert fates(lost(world, "node/node-1")) == {"import-1": "lost"}
    world.add("jobs", job | {"spec": {"backoffLimit": 6}})
    assert fates(lost(world, "node/node-1")) == {"import-1": "moves"}


def test_the_tries_of_a_job_that_was_recreated_are_not_those_of_the_one_before() -> None:
    job = {
        "metadata": {**meta("import"), "uid": "after"},
        "spec": {"backoffLimit": 0},
        "status": {"active": 1},
    }
    world = cluster(("jobs", job), ("pods", pod("import-1", owner=("Job", "import"))))
    assert fates(lost(world, "node/node-1")) == {"import-1": "moves"}


def test_what_is_being_deleted_already_is_not_lost_again() -> None:
    going = pod("web-0")
    going["metadata"]["deletionTimestamp"] = "2026-03-01T11:59:00Z"
    assert lost(cluster(("pods", going)), "node/node-1").pods == ()


def test_cost_grows_with_the_pods_not_with_their_square() -> None:
    """Each pod and each Service is looked at a bounded number of times, however many there are."""

    class Counting(World):
        looks = 0

        def all(self, plural: str, namespace: str | None = None) -> Any:
            found = super().all(plural, namespace)
            Counting.looks += len(found)
            return found

    def sets(count: int) -> list[tuple[str, dict[str, Any]]]:
        """As many StatefulSets, with a pod each."""
        found = []
        for n in range(count):
            name = f"db{n}"
            spec = {
                "replicas": 1,
                "serviceName": name,
                "selector": {"matchLabels": {"app": name}},
                "template": {},
            }
            found.append(("statefulsets", {"metadata": meta(name), "spec": spec, "status": {}}))
            found.append(("pods", pod(f"{name}-0", owner=("StatefulSet", name))))
        return found

    def looks(count: int) -> int:
        objects = [*web(*["node-1"] * count), *sets(count)]
        world = Counting(*[("nodes", zoned(name, zone)) for name, zone in NODES.items()], *objects).reading(
            *READ
        )
        Counting.looks = 0
        lost(world, "node/node-1")
        return Counting.looks

    assert looks(400) < 6 * looks(100)


# ---- Preemption


def ranked(name: str, on: str, priority: int, cpu: str, **more: Any) -> tuple[str, dict[str, Any]]:
    asks = {"resources": {"requests": {"cpu": cpu}}}
    made = pod(name, node=on, labels={"app": name}, container=asks, **more)
    return "pods", with_spec(made, priority=priority)


def test_a_pod_of_higher_priority_takes_the_place_of_those_that_matter_less() -> None:
    world = cluster(
        ranked("important", "node-1", 100, "3"),
        ranked("small", "node-2", 0, "500m"), ranked("large", "node-2", 0, "2"), ranked("other", "node-2", 50, "1"),
        ranked("same", "node-3", 100, "1500m"),
    )  # fmt: skip
    told = lost(world, "node/node-1")
    assert fates(told) == {"important": "moves", "large": "moves", "small": "moves"}
    why = {each.pod.metadata.name: each.why for each in told.pods}
    assert "It preempts large and small, of lower priority, there." in why["important"]
    assert why["large"] == "Preempted by important, whose priority is higher; then most likely to node-3."


def test_who_makes_way_may_find_no_other_node_and_what_nothing_recreates_is_lost() -> None:
    world = cluster(
        ranked("important", "node-1", 100, "4"),
        ranked("victim", "node-2", 0, "4"), ranked("full", "node-3", 100, "4"),
    )  # fmt: skip
    assert fates(lost(world, "node/node-1")) == {"important": "moves", "victim": "pending"}
    world.add("pods", ranked("victim", "node-2", 0, "4", owner=None)[1])
    assert fates(lost(world, "node/node-1")) == {"important": "moves", "victim": "lost"}


def test_a_pod_that_never_preempts_waits() -> None:
    calm = ranked("calm", "node-1", 100, "4")
    calm[1]["spec"]["preemptionPolicy"] = "Never"
    world = cluster(calm, ranked("a", "node-2", 0, "1"), ranked("b", "node-3", 0, "1"))
    assert fates(lost(world, "node/node-1")) == {"calm": "pending"}


def test_the_node_is_taken_where_no_budget_is_broken_and_the_least_matters() -> None:
    budget = {
        "metadata": meta("tight"), "spec": {"selector": {"matchLabels": {"app": "guarded"}}},
        "status": {"disruptionsAllowed": 0, "desiredHealthy": 1, "currentHealthy": 1},
    }  # fmt: skip
    world = cluster(
        ranked("important", "node-1", 100, "4"),
        ranked("guarded", "node-2", 0, "4"), ranked("middling", "node-3", 50, "4"),
        ("poddisruptionbudgets", budget),
    )  # fmt: skip
    assert "middling" in fates(lost(world, "node/node-1"))
    world.remove("poddisruptionbudgets", "shop", "tight")
    assert "guarded" in fates(lost(world, "node/node-1"))


def test_each_pod_of_a_lost_node_has_the_worst_mark_that_applies() -> None:
    world = cluster(
        *web("node-1", "node-2"),
        ("deployments", deployment("alone", replicas=1)), ("replicasets", replicaset("alone-1", "alone")),
        ("pods", pod("alone-x", owner=("ReplicaSet", "alone-1"), node="node-1")),
        *database("node-1"), *claimed(0, "node-1"),
        ("pods", pod("waits-0", owner=("StatefulSet", "waits"), node="node-1")),
        ("pods", pod("shell", owner=None, node="node-1")),
        ("pods", pod("agent", owner=("DaemonSet", "agent"), node="node-1")),
        ("pods", with_spec(pod("elsewhere", node="node-2"), volumes=[{"name": "cache", "emptyDir": {}}])),
    )  # fmt: skip
    found = node_loss(world, "node-1", NOW)
    assert {each.fate.pod.metadata.name: each.mark.name for each in found.pods} == {
        "web-0": "moves", "alone-x": "only", "db-0": "data", "waits-0": "down", "shell": "lost", "agent": "own",
    }  # fmt: skip
    assert [each.mark.name for each in found.pods] == [mark.name for mark in MARKS], "the worst first"
    assert len({mark.icon for mark in MARKS}) == len({mark.word for mark in MARKS}) == len(MARKS)


def test_scratch_space_is_no_loss_of_data() -> None:
    scratch = with_spec(pod("web-9", node="node-1"), volumes=[{"name": "cache", "emptyDir": {}}])
    world = cluster(*web("node-2"), ("pods", scratch))
    assert [each.mark.name for each in node_loss(world, "node-1", NOW).pods] == ["moves"]
