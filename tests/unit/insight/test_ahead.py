"""Capacity ahead: what fits, what is full and when, what lies in pieces, which nodes could go, what to request."""

from __future__ import annotations

import random
from typing import Any

import pytest

from dashboard.insight.ahead.pieces import Pieces
from dashboard.insight.ahead.replicas import FIT_PLURALS, Fitting, more_replicas
from dashboard.insight.ahead.requests import percentiles, suggestion
from dashboard.insight.ahead.trend import DAY, HOUR, forecast

from .world import NOW, World, condition, deployment, meta, node, pod

READ = (
    "nodes", "pods", "resourcequotas", "persistentvolumeclaims", "persistentvolumes", "namespaces", "daemonsets",
    "poddisruptionbudgets", "limitranges", "priorityclasses", *FIT_PLURALS,
)  # fmt: skip
ZONE = "topology.kubernetes.io/zone"


def placed(name: str, zone: str = "a", *, cpu: str = "4", **spec: Any) -> tuple[str, dict[str, Any]]:
    made = node(name, **spec)
    made["metadata"]["labels"] = {ZONE: zone, "kubernetes.io/hostname": name}
    made["status"]["allocatable"]["cpu"] = cpu
    return "nodes", made


def asking(cpu: str, **more: Any) -> dict[str, Any]:
    return {"containers": [{"name": "app", "resources": {"requests": {"cpu": cpu}}}], **more}


def running(name: str, on: str, cpu: str = "1", **more: Any) -> tuple[str, dict[str, Any]]:
    container = {"resources": {"requests": {"cpu": cpu}}}
    made = pod(name, node=on, container=container, labels={"app": "other"}, **more)
    return "pods", made


def fitting(*objects: tuple[str, dict[str, Any]], **template: Any) -> Fitting:
    made = deployment(template=asking("1", **template))
    world = World(("deployments", made), *objects).reading(*READ)
    found = more_replicas(world, "deployments", "shop", "web", NOW)
    assert found is not None
    return found


def test_replicas_fill_the_nodes_and_what_stops_the_next_one_is_said() -> None:
    taint = {"key": "dedicated", "effect": "NoSchedule"}
    found = fitting(
        placed("n1"), placed("n2", taints=[taint]), placed("n3", cpu="2"), running("busy", "n1", "2500m")
    )
    assert (found.pods, dict(found.more.nodes), found.limited) == (3, {"n1": 1, "n3": 2}, False)
    assert dict(found.more.why) == {
        "insufficient CPU": 2,
        "has taint dedicated:NoSchedule, which it does not tolerate": 1,
    }


def apart(key: str) -> dict[str, Any]:
    term = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": "web"}}}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


@pytest.mark.parametrize(("key", "pods"), [("kubernetes.io/hostname", 3), (ZONE, 2)])
def test_replicas_that_stay_apart_fit_once_in_each_place(key: str, pods: int) -> None:
    found = fitting(placed("n1"), placed("n2"), placed("n3", "b"), affinity=apart(key))
    assert found.pods == pods
    assert found.more.why[0][0] == "didn't match pod anti-affinity rules"


def test_replicas_that_are_to_be_together_stay_where_the_first_is() -> None:
    term = {"topologyKey": ZONE, "labelSelector": {"matchLabels": {"app": "web"}}}
    together = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    found = fitting(placed("n1"), placed("n2"), placed("n3", "b", cpu="3"), affinity=together)
    assert found.pods == 8 and set(dict(found.more.nodes)) == {"n1", "n2"}


def test_an_even_spread_ends_with_the_smallest_place() -> None:
    spread = {
        "topologyKey": ZONE, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }  # fmt: skip
    found = fitting(placed("n1"), placed("n2", "b", cpu="2"), topologySpreadConstraints=[spread])
    assert dict(found.more.nodes) == {"n1": 3, "n2": 2}, "one more than in the other zone, which is full"


def test_host_ports_fit_once_a_node() -> None:
    port = {"containerPort": 80, "hostPort": 80, "protocol": "TCP"}
    world = [placed("n1"), placed("n2")]
    template = asking("1")
    template["containers"][0]["ports"] = [port]
    made = World(("deployments", deployment(template=template)), *world).reading(*READ)
    found = more_replicas(made, "deployments", "shop", "web", NOW)
    assert found is not None and found.pods == 2


def test_a_claim_of_one_pod_is_for_one_replica() -> None:
    claim = {"metadata": meta("data"), "spec": {"accessModes": ["ReadWriteOncePod"], "volumeName": "pv"}}
    objects = (placed("n1"), placed("n2"), ("persistentvolumeclaims", claim))
    found = fitting(*objects, **mounting("data"))
    assert (found.pods, found.limited) == (1, False) and "ReadWriteOncePod" in found.why[0][0]
    made = pod("web-1", node="n1")
    made["spec"] |= mounting("data")
    assert fitting(*objects, ("pods", made), **mounting("data")).pods == 0


def test_a_template_that_names_a_node_fits_there_alone() -> None:
    found = fitting(placed("n1"), placed("n2", cpu="2"), running("low", "n2", "1"), nodeName="n2")
    assert dict(found.more.nodes) == {"n2": 1} and found.why == (("insufficient CPU", 1),)
    assert "sets nodeName" in found.unsure and fitting(placed("n1"), nodeName="gone").pods == 0


def test_scheduling_gates_of_a_template_stop_its_pods() -> None:
    found = fitting(placed("n1"), schedulingGates=[{"name": "example.com/quota"}])
    assert found.pods == 0 and "scheduling gates (example.com/quota)" in found.stopped


def test_the_quota_says_how_many_of_those_that_fit_may_be_created() -> None:
    quota = {
        "metadata": meta("quota"), "spec": {"hard": {"requests.cpu": "3"}},
        "status": {"hard": {"requests.cpu": "3"}, "used": {"requests.cpu": "1"}},
    }  # fmt: skip
    found = fitting(placed("n1"), ("resourcequotas", quota))
    assert (found.pods, found.more.pods) == (2, 4)
    assert found.quota is not None and found.quota.resource == "requests.cpu"
    assert found.why == (("quota quota: the requests.cpu quota is reached first", None),), "not the nodes"


def test_each_node_is_counted_once_among_what_stops_the_next_one() -> None:
    taint = {"key": "dedicated", "effect": "NoSchedule"}
    found = fitting(placed("n1"), placed("n2", taints=[taint], cpu="0"), placed("n3", cpu="0"))
    assert sum(nodes or 0 for _, nodes in found.why) == 3


def mounting(claim: str) -> dict[str, Any]:
    return {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]}


def claim_of(class_name: str, volume: str = "") -> tuple[str, dict[str, Any]]:
    spec = {"storageClassName": class_name, "volumeName": volume}
    return "persistentvolumeclaims", {"metadata": meta("data"), "spec": spec}


def storage(name: str, mode: str) -> tuple[str, dict[str, Any]]:
    return "storageclasses", {"metadata": {"name": name}, "provisioner": "x", "volumeBindingMode": mode}


@pytest.mark.parametrize(
    ("template", "stopped"),
    [
        (mounting("data"), "claim data is not bound to a volume"),
        (mounting("none"), "claim none does not exist"),
        (
            {"serviceAccountName": "none"},
            "ServiceAccount none does not exist: the API server refuses its pods",
        ),
        ({"priorityClassName": "none"}, "PriorityClass none does not exist: the API server refuses its pods"),
        ({"volumes": [{"name": "c", "configMap": {"name": "none"}}]}, "ConfigMap none does not exist"),
        ({"volumes": [{"name": "s", "secret": {"secretName": "none"}}]}, "Secret none does not exist"),
        ({"volumes": [{"name": "c", "configMap": {"name": "none", "optional": True}}]}, ""),
    ],
)
def test_what_is_missing_stops_them_wherever_there_is_room(template: dict[str, Any], stopped: str) -> None:
    found = fitting(placed("n1"), claim_of("now"), storage("now", "Immediate"), **template)
    assert (found.stopped, found.pods) == (stopped, 0 if stopped else 4)
    assert found.why == (((stopped, None),) if stopped else (("insufficient CPU", 1),))


@pytest.mark.parametrize(
    ("class_name", "volume", "unsure"),
    [("later", "", "Claim data has no volume yet"), ("later", "pv", ""), ("now", "pv", "")],
)
def test_a_claim_that_waits_for_a_pod_stops_none(class_name: str, volume: str, unsure: str) -> None:
    found = fitting(
        placed("n1"), claim_of(class_name, volume), storage("later", "WaitForFirstConsumer"),
        **mounting("data"),
    )  # fmt: skip
    assert (found.stopped, found.pods) == ("", 4)
    assert found.unsure.startswith(unsure) and bool(found.unsure) == bool(unsure)


def test_what_may_not_be_read_is_not_taken_for_missing() -> None:
    hidden = ("deployments", deployment(template=asking("1", serviceAccountName="own")))
    world = World(hidden, placed("n1")).reading(*(each for each in READ if each not in FIT_PLURALS))
    found = more_replicas(world, "deployments", "shop", "web", NOW)
    assert found is not None and (found.stopped, found.pods) == ("", 4)
    assert "ServiceAccounts, ConfigMaps and Secrets" in found.unsure


def class_(name: str, value: int, **more: Any) -> tuple[str, dict[str, Any]]:
    return "priorityclasses", {"metadata": {"name": name}, "value": value, **more}


def test_pods_of_lower_priority_make_way_once_the_nodes_are_full() -> None:
    low = [running(f"low-{n}", "n1") for n in range(3)]
    world = (placed("n1"), *low, class_("high", 1000))
    found = fitting(*world, priorityClassName="high")
    assert (found.pods, found.preempting, found.limited) == (4, 3, False)
    assert found.more.why == (("insufficient CPU", 1),)
    assert fitting(*world).pods == 1, "without a priority"


def test_what_makes_way_may_leave_room_for_several() -> None:
    found = fitting(placed("n1"), running("low", "n1", "4"), class_("high", 10, globalDefault=True))
    assert (found.pods, found.preempting) == (4, 4)


@pytest.mark.parametrize(
    ("value", "policy"), [(1000, "Never"), (0, "PreemptLowerPriority"), (-1, "PreemptLowerPriority")]
)
def test_who_may_not_preempt_waits(value: int, policy: str) -> None:
    given = class_("high", value, preemptionPolicy=policy)
    found = fitting(placed("n1"), running("low", "n1", "4"), given, priorityClassName="high")
    assert (found.pods, found.preempting) == (0, 0)


def test_preemption_beside_rules_about_other_pods_is_not_evaluated() -> None:
    found = fitting(
        placed("n1"), running("low", "n1", "4"), class_("high", 9),
        priorityClassName="high", affinity=apart(ZONE),
    )  # fmt: skip
    assert found.pods == 0 and found.more.preempting is None
    assert "preempts pods of lower priority is not evaluated" in found.unsure


def test_of_what_a_quota_allows_those_that_find_room_come_first() -> None:
    low = [running(f"low-{n}", "n1") for n in range(3)]
    found = fitting(placed("n1"), *low, class_("high", 9), quota_on(pods="2"), priorityClassName="high")
    assert (found.pods, found.preempting) == (2, 1)


def quota_on(**hard: str) -> tuple[str, dict[str, Any]]:
    names = {name.replace("_", "."): amount for name, amount in hard.items()}
    return "resourcequotas", {
        "metadata": meta("quota"), "spec": {"hard": names}, "status": {"hard": names, "used": {}},
    }  # fmt: skip


def test_a_quota_refuses_pods_that_do_not_say_how_much_they_take_of_it() -> None:
    found = fitting(placed("n1"), quota_on(limits_memory="8Gi"))
    assert (found.pods, found.more.pods) == (0, 4)
    assert found.quota is not None and found.quota.unset and found.quota.resource == "limits.memory"


def test_a_limit_range_sets_what_pods_do_not_say() -> None:
    limit = {"type": "Container", "default": {"memory": "4Gi"}, "defaultRequest": {"memory": "2Gi"}}
    ranges = "limitranges", {"metadata": meta("usual"), "spec": {"limits": [limit]}}
    found = fitting(placed("n1"), quota_on(limits_memory="8Gi"), ranges)
    assert found.quota is not None and not found.quota.unset
    assert (found.pods, found.each) == (2, "1 CPU and 2 GiB memory")


@pytest.mark.parametrize("whole", [{"limits": {"memory": "1Gi"}}, {"requests": {"cpu": "1"}}])
def test_of_a_pod_that_is_sized_as_a_whole_containers_need_not_say_anything(whole: dict[str, Any]) -> None:
    found = fitting(placed("n1"), quota_on(limits_memory="8Gi"), resources=whole)
    assert found.quota is None or not found.quota.unset


def test_nothing_is_said_of_what_is_not_there() -> None:
    assert more_replicas(World().reading(*READ), "deployments", "shop", "web", NOW) is None
    assert more_replicas(World().reading(*READ), "pods", "shop", "web", NOW) is None


# ---- When something is full


def hours(count: int, value: Any) -> list[tuple[float, float]]:
    return [(hour * HOUR, value(hour)) for hour in range(count)]


def test_a_straight_line_tells_the_day() -> None:
    told = forecast(hours(49, lambda hour: 10 + hour / 24), 16)
    assert told.state == "grows" and told.words == "in about 4 days"
    assert told.per_day == pytest.approx(1)


def test_uncertainty_widens_with_what_the_line_does_not_explain() -> None:
    noise = random.Random(7)  # a fixed series
    even = forecast(hours(72, lambda hour: 10 + hour / 24 + noise.gauss(0, 0.1)), 20)
    wild = forecast(hours(72, lambda hour: 10 + hour / 24 + noise.gauss(0, 0.8)), 20)
    assert even.early and even.late and wild.early and wild.late
    assert wild.late - wild.early > 3 * (even.late - even.early)
    assert even.early < 7 * DAY < even.late, "where the true line, without its noise, ends"
    assert wild.words.startswith("in about ") and " to " in wild.words


@pytest.mark.parametrize(
    ("points", "limit", "words"),
    [
        ([], 1, "not enough history yet"),
        (hours(6, lambda hour: hour), 100, "not enough history yet"),
        (hours(48, lambda _: 5), 100, "not as it is going: it does not grow"),
        (hours(48, lambda hour: 50 - hour / 10), 100, "not as it is going: it does not grow"),
        (hours(48, lambda hour: 10 + hour / 1000), 100, "not within 90 days"),
        (hours(48, lambda hour: hour), 47, "now"),
        (hours(48, lambda hour: hour), 57, "in about 10 hours"),
    ],
)
def test_what_is_not_known_or_far_away_is_said_so(points: Any, limit: float, words: str) -> None:
    assert forecast(points, limit).words == words


# ---- In pieces


def test_what_is_free_on_paper_may_lie_in_pieces() -> None:
    nodes = [placed(f"n{number}") for number in range(4)]
    pods = [running(f"p{number}", f"n{number}", "3") for number in range(4)]
    found = Pieces(World(*nodes, *pods).reading(*READ), NOW).fragmentation()
    assert found is not None
    assert (found.size, found.on_paper, found.really) == ("3 CPU", 1, 0)
    assert found.largest == "1 CPU and 8 GiB memory"


def test_nodes_could_go_as_long_as_the_others_take_their_pods() -> None:
    pods = [running("p1", "n1"), running("p2", "n2", "2"), running("p3", "n3", "3")]
    spare = Pieces(World(placed("n1"), placed("n2"), placed("n3"), *pods).reading(*READ), NOW).spare()
    assert spare.nodes == ("n1",) and spare.moves == 1
    assert [name for name, _ in spare.kept] == ["n2", "n3"]
    assert spare.after[0] == pytest.approx(6 / 8)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (running("bare", "n1", owner=None), "pod bare: Not managed by a controller"),
        (
            ("poddisruptionbudgets", {
                "metadata": meta("tight"), "spec": {"selector": {"matchLabels": {"app": "other"}}},
                "status": {"disruptionsAllowed": 0, "desiredHealthy": 1, "currentHealthy": 1, "expectedPods": 1},
            }),
            "budget tight allows 0 disruptions now.",
        ),
    ],
)  # fmt: skip
def test_a_node_stays_whose_pods_must_not_move(more: tuple[str, dict[str, Any]], why: str) -> None:
    world = World(placed("n1"), placed("n2"), running("p1", "n1"), running("p2", "n2", "3"), more)
    spare = Pieces(world.reading(*READ), NOW).spare()
    assert dict(spare.kept)["n1"].startswith(why)


def test_a_node_stays_whose_pods_two_budgets_cover() -> None:
    def budget(name: str) -> tuple[str, dict[str, Any]]:
        return "poddisruptionbudgets", {
            "metadata": meta(name), "spec": {"selector": {"matchLabels": {"app": "other"}}},
            "status": {"disruptionsAllowed": 1},
        }  # fmt: skip

    world = World(placed("n1"), placed("n2"), running("p1", "n1"), budget("a"), budget("b"))
    kept = dict(Pieces(world.reading(*READ), NOW).spare().kept)
    assert kept["n1"] == "budgets a and b cover pod p1: its eviction is refused."


def test_the_control_plane_and_nodes_that_take_no_pods_are_left_alone() -> None:
    plane = placed("plane")
    plane[1]["metadata"]["labels"]["node-role.kubernetes.io/control-plane"] = ""
    away = placed("away")
    away[1]["status"]["conditions"] = [condition("Ready", "Unknown")]
    spare = Pieces(World(plane, away, placed("n1"), running("p", "n1")).reading(*READ), NOW).spare()
    assert spare.total == 1


# ---- What to request


def test_requests_follow_the_percentiles_with_a_margin() -> None:
    points = [(at * 15.0, (0.2 if at % 10 else 0.9, 100 * 2**20 + at)) for at in range(100)]
    cpu, memory = percentiles(points, 0), percentiles(points, 1)
    assert cpu is not None and memory is not None
    assert (cpu.half, cpu.most, cpu.peak, cpu.span) == (0.2, 0.2, 0.9, 1485.0)
    asked = suggestion("cpu", cpu, 1.0)
    assert asked is not None and asked.quantity == "230m"
    peak = suggestion("memory", memory, 0)
    assert peak is not None and peak.quantity == "120Mi", "the peak of 100 MiB, 15 % more, in whole steps"
    assert suggestion("cpu", cpu, 0.25) is None, "close enough"
    # No request is over its limit: the API server refuses that.
    capped = suggestion("memory", memory, 0, limit=107_374_182.4)
    assert capped is not None and capped.quantity == "102Mi"
    assert suggestion("memory", memory, 102 * 2**20, limit=102 * 2**20) is None
    assert suggestion("cpu", cpu, 0, limit=0.0001) is None


def test_a_short_history_suggests_nothing() -> None:
    assert percentiles([(at * 15.0, (0.2, 1.0)) for at in range(40)], 0) is None
    assert percentiles([], 0) is None
