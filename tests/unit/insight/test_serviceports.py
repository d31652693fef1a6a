"""What answers on each port of a Service: by its EndpointSlices, not by one of its pods."""

from __future__ import annotations

from typing import Any

from dashboard.insight import findings
from dashboard.insight.reach import reach_of
from dashboard.insight.words import text_of

from .world import NOW, World, condition, deployment, ingress, meta, pod, service

Ports = list[dict[str, Any]]


def port(number: int, name: str = "web", protocol: str = "TCP") -> dict[str, Any]:
    return {"name": name, "port": number, "protocol": protocol}


def slices(
    name: str, ports: Ports | None, *pods: str, ready: bool = True, family: str = "IPv4"
) -> dict[str, Any]:
    """One EndpointSlice of Service web, as the controller writes it: one for each set of port numbers."""
    return {
        "metadata": meta(name, labels={"kubernetes.io/service-name": "web"}),
        "addressType": family,
        "ports": ports,
        "endpoints": [
            {
                "addresses": [f"{family}-{each}"],
                "conditions": {"ready": ready},
                "targetRef": {"kind": "Pod", "namespace": "shop", "name": each},
            }
            for each in pods
        ],
    }


def kept(name: str, *ports: tuple[str, int]) -> dict[str, Any]:
    declared = [{"name": each, "containerPort": number, "protocol": "TCP"} for each, number in ports]
    return pod(name, owner=("StatefulSet", name.rpartition("-")[0]), container={"ports": declared})


def world(*more: tuple[str, dict[str, Any]], ports: Ports | None = None, **spec: Any) -> World:
    ports = ports or [{"name": "web", "port": 80, "protocol": "TCP", "targetPort": "http"}]
    return World(
        ("services", service(ports=ports, **spec)), ("pods", kept("plain-0")),
        *(("pods", kept(f"named-{at}", ("http", 8080))) for at in range(3)), *more,
    )  # fmt: skip


def told(world: World) -> list[tuple[str, str, str]]:
    return [(one.severity, one.rule, text_of(one.text)) for one in findings(world, NOW)]


NAMED = ("named-0", "named-1", "named-2")


def test_three_endpoints_answer_whatever_the_first_one_lacks() -> None:
    found = told(
        world(
            ("endpointslices", slices("a", None, "plain-0")),
            ("endpointslices", slices("b", [port(8080)], *NAMED)),
        )
    )
    text = (
        "Service web in shop sends no traffic for port 80 to 1 of its 4 ready endpoints: no container of StatefulSet "
        "plain has a port named http."
    )
    assert found == [("warn", "service-port-missing", text)]


def test_nobody_answers_when_those_with_the_port_are_not_ready() -> None:
    found = told(
        world(
            ("endpointslices", slices("a", None, "plain-0")),
            ("endpointslices", slices("b", [port(8080)], *NAMED, ready=False)),
            ("ingresses", ingress("web")),
        )
    )
    assert [(severity, rule) for severity, rule, _ in found] == [
        ("bad", "service-port-missing"), ("bad", "ingress-no-endpoint"),
    ]  # fmt: skip
    assert (
        "pods with a port named http are not ready, and no container of StatefulSet plain has one"
        in found[0][2]
    )
    assert found[1][2].endswith("Service web has no ready endpoints on port 80.")


def test_one_name_may_be_another_number_at_each_pod_and_pods_count_once_for_both_families() -> None:
    both = world(
        ("endpointslices", slices("a", [port(8080)], *NAMED)),
        ("endpointslices", slices("b", [port(9090)], "plain-0")),
        ("endpointslices", slices("c", [port(8080)], *NAMED, family="IPv6")),
    )
    assert told(both) == []
    lacking = world(
        ("endpointslices", slices("a", [port(8080)], *NAMED)),
        ("endpointslices", slices("b", None, "plain-0")),
        ("endpointslices", slices("c", [port(8080)], *NAMED, family="IPv6")),
        ("endpointslices", slices("d", None, "plain-0", family="IPv6")),
    )
    assert "to 1 of its 4 ready endpoints" in told(lacking)[0][2]


def test_each_port_is_judged_by_itself() -> None:
    ports = [
        {"name": "web", "port": 80, "protocol": "TCP", "targetPort": "http"},
        {"name": "admin", "port": 81, "protocol": "TCP", "targetPort": "admin"},
    ]
    only = ("endpointslices", slices("a", [port(8080)], *NAMED))
    rest = (
        ("ingresses", ingress("web", name="open")),
        ("ingresses", ingress("web", name="hidden", host="b.x", port=81)),
    )
    found = told(world(only, *rest, ports=ports))
    assert [text.partition(":")[0] for _, _, text in found] == [
        "Service web in shop has no ready endpoints on port 81", "Ingress hidden in shop answers 503 at b.x/web",
    ]  # fmt: skip


def test_a_port_is_one_of_its_protocol() -> None:
    ports = [
        {"name": name, "port": 53, "protocol": name.upper(), "targetPort": "dns"} for name in ("udp", "tcp")
    ]
    found = told(world(("endpointslices", slices("a", [port(53, "udp", "UDP")], *NAMED)), ports=ports))
    assert [(severity, rule) for severity, rule, _ in found] == [("bad", "service-port-missing")]


def test_a_headless_service_routes_no_port() -> None:
    ends = (
        ("endpointslices", slices("a", None, "plain-0")),
        ("endpointslices", slices("b", [port(8080)], *NAMED)),
        ("endpointslices", slices("c", [port(8081)], "named-9")),
    )
    headless = world(*ends, clusterIP="None", clusterIPs=["None"])
    ((severity, _, text),) = told(headless)
    assert severity == "note" and "no SRV record of port 80" in text
    made = headless.get("services", "shop", "web")
    ways = [way for way in reach_of(headless, made).ways if way.address.startswith("http://web:")]
    assert [way.address for way in ways] == ["http://web:8080", "http://web:8081"]


def test_endpointslices_that_somebody_wrote_are_matched_by_the_name_of_the_port() -> None:
    def manual(ports: Ports, ready: bool = True) -> World:
        written = slices("a", ports, ready=ready)
        written["endpoints"] = [{"addresses": ["192.0.2.9"], "conditions": {"ready": ready}}]
        return World(
            ("services", service(selector={}, ports=[{"port": 5432, "protocol": "TCP"}])),
            ("endpointslices", written),
        )

    assert told(manual([port(5432, "")])) == []
    assert "has an unnamed port of protocol TCP" in told(manual([port(5432, "postgres")]))[0][2]
    assert told(manual([port(5432, "")], ready=False))[0][1] == "service-no-endpoint"
    other = manual([port(5432, "")], ready=False)
    other.add("endpointslices", slices("b", [port(9187, "metrics")], "x"))
    assert told(other)[0][2].endswith("on port 5432: those that have it are not ready.")


def test_unready_pods_that_are_published_answer() -> None:
    starting = pod("db-0", ready=False, conditions=[condition("Ready", "False")])
    published = World(
        ("pods", starting), ("services", service(publishNotReadyAddresses=True)),
        ("endpointslices", slices("a", [port(80, "")], "db-0")),
    )  # fmt: skip
    assert not [one for one in told(published) if one[1].startswith("service-")]


def test_a_port_that_one_pod_declares_is_no_hint() -> None:
    ports = [{"name": "web", "port": 80, "protocol": "TCP", "targetPort": 8080}]
    several = World(
        ("services", service(ports=ports)), ("pods", kept("a-0", ("other", 9090))), ("pods", kept("b-0", ("http", 8080))),
        ("endpointslices", slices("a", [port(8080)], "a-0", "b-0")),
    )  # fmt: skip
    assert told(several) == []


def test_a_service_before_two_workloads_is_judged_by_both() -> None:
    """One of them is scaled to 0, and the other cannot make its pods."""
    refused = [
        condition(
            "ReplicaFailure", "True", "FailedCreate", "exceeded quota: small, requested: pods=1, used: x"
        )
    ]
    broken = deployment("b", replicas=2, available=0, current=0, conditions=refused)
    broken["spec"]["template"]["metadata"]["labels"] = {"app": "web"}
    idle = deployment("a", replicas=0)
    idle["spec"]["template"]["metadata"]["labels"] = {"app": "web"}
    found = findings(
        World(("services", service()), ("deployments", idle), ("deployments", broken)).reading("pods"), NOW
    )
    assert [one.rule for one in found] == ["workload-quota", "service-no-endpoint"]
    assert found[1].step.text == "Caused by Deployment b; nothing to do here."


def test_pods_of_one_workload_that_differ_are_told_by_name() -> None:
    """As in a rollout that renames a port."""
    made = world(
        ("endpointslices", slices("a", [port(8080)], "plain-1")), ("endpointslices", slices("b", [], "plain-0")),
        ("pods", kept("plain-0", ("web", 8080))), ("pods", kept("plain-1", ("http", 8080))),
    )  # fmt: skip
    assert told(made)[0][2].endswith("no container of pod plain-0 has a port named http.")


def test_a_port_of_that_name_and_another_protocol_is_there() -> None:
    ports = [{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": "dns"}]
    made = World(
        ("services", service(ports=ports)), ("pods", kept("a-0", ("dns", 53))),
        ("endpointslices", slices("a", [], "a-0")),
    )  # fmt: skip
    ((_, rule, text),) = told(made)
    assert rule == "service-port-missing"
    assert text.endswith(
        "to targetPort dns, but no container of StatefulSet a has a UDP port with that name."
    )
