"""What the rules about Services and Ingresses tell apart, and what is no problem."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight import findings, findings_for, read_for
from dashboard.insight.words import text_of

from .world import (
    NOW,
    World,
    ago,
    condition,
    deployment,
    endpoints,
    event,
    ingress,
    meta,
    node,
    pod,
    service,
    waiting,
)


def rules(world: World) -> list[str]:
    return [one.rule for one in findings(world, NOW) if one.severity != "note"]


def test_pods_that_only_just_started_are_no_problem_of_their_service() -> None:
    young = [condition("PodScheduled", "True"), condition("Ready", "False", since=ago(seconds=20))]
    assert rules(World(("pods", pod(ready=False, conditions=young)), ("services", service()))) == []


def test_service_made_before_its_pods_is_no_problem_for_a_minute() -> None:
    made = service(selector={"app": "soon"})
    made["metadata"]["creationTimestamp"] = ago(seconds=20)
    assert rules(World(("pods", pod()), ("services", made))) == []


def test_service_whose_pods_are_just_being_made_is_no_problem() -> None:
    world = World(("services", service()), ("deployments", deployment(available=0))).reading("pods")
    assert rules(world) == []


def test_service_of_a_workload_whose_pods_cannot_be_made_follows_from_it() -> None:
    failing = [
        condition("ReplicaFailure", "True", "FailedCreate", "forbidden: exceeded quota: small, requested: x")
    ]
    world = World(
        ("services", service()), ("deployments", deployment(available=0, current=0, conditions=failing))
    ).reading("pods")
    found = findings(world, NOW)
    assert [(one.rule, one.follows is not None) for one in found] == [
        ("workload-quota", False),
        ("service-no-endpoint", True),
    ]


@pytest.mark.parametrize(
    ("wants", "near"),
    [
        ({"app": "wbe"}, "app=web instead of app=wbe"),
        ({"name": "web"}, "app=web instead of name=web"),
        ({"app": "database"}, ""),
        ({"app": "web", "tier": "front"}, ""),
    ],
)
def test_nearest_pods_are_named_only_when_the_selector_misses_by_a_slip(
    wants: dict[str, str], near: str
) -> None:
    world = World(("services", service("front", wants)), ("pods", pod()), ("deployments", deployment()))
    (found,) = findings_for(world, "services", "shop", "front", NOW)
    assert (near in text_of(found.text)) if near else ("nearest" not in text_of(found.text))


def _exposed(container: dict[str, Any], **port: Any) -> World:
    ports = [{"port": 80, "protocol": "TCP"} | port]
    return World(
        ("pods", pod(container=container)), ("services", service(ports=ports)),
        ("endpointslices", endpoints("web", ("web-1", True))),
    )  # fmt: skip


def test_port_that_no_container_declares_is_not_even_noted_when_none_is_declared() -> None:
    assert findings(_exposed({}, targetPort=9090), NOW) == []


def test_port_of_another_protocol_does_not_count() -> None:
    declared = {"ports": [{"name": "dns", "containerPort": 53, "protocol": "UDP"}]}
    assert rules(_exposed(declared, targetPort="dns")) == ["service-port-missing"]
    assert rules(_exposed(declared, targetPort="dns", protocol="UDP")) == []


def test_load_balancer_has_minutes_to_get_an_address() -> None:
    made = service(selector={}, type="LoadBalancer")
    made["metadata"]["creationTimestamp"] = ago(seconds=90)
    assert rules(World(("services", made))) == []


def test_services_of_a_namespace_whose_pods_may_not_be_read_are_not_judged() -> None:
    assert rules(World(("services", service()))) == []


def test_ingress_is_judged_only_by_what_may_be_read() -> None:
    tls = [{"hosts": ["shop.example"], "secretName": "gone"}]
    assert rules(World(("ingresses", ingress("gone", tls=tls, ingressClassName="gone")))) == []


def test_ingress_may_name_its_class_by_the_older_annotation() -> None:
    served = [("services", service()), ("pods", pod())]
    older = ingress("web", address=False)
    older["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "edge"}
    # A controller may read it without an IngressClass, so that none is missing.
    alone = World(("ingresses", older), *served).reading("ingressclasses")
    (only,) = findings(alone, NOW)
    assert only.rule == "ingress-no-address"
    assert "of class edge" in "".join(text for text, _ in only.text)
    # It is of the same class as one that names it in its spec.
    other = ingress("web", name="b", host="b.example", ingressClassName="edge")
    (only,) = findings(World(("ingresses", older), ("ingresses", other), *served), NOW)
    assert (only.name, only.severity) == ("shop", "warn")


def test_ingress_has_a_while_to_get_its_certificate() -> None:
    made = ingress("web", tls=[{"hosts": ["shop.example"], "secretName": "soon"}])
    made["metadata"]["creationTimestamp"] = ago(seconds=40)
    world = World(("ingresses", made), ("services", service()), ("pods", pod())).reading("secrets")
    assert rules(world) == []


def test_same_address_of_two_classes_or_to_the_same_service_is_no_clash() -> None:
    served = [("services", service()), ("pods", pod())]
    twice = World(("ingresses", ingress("web")), ("ingresses", ingress("web", name="too")), *served)
    assert rules(twice) == []
    classes = World(
        ("ingresses", ingress("web", ingressClassName="a")),
        ("ingresses", ingress("other", name="b", ingressClassName="b")), ("services", service("other")), *served,
    )  # fmt: skip
    assert rules(classes) == []


def test_ingress_without_an_address_is_only_noted_where_no_other_has_one() -> None:
    world = World(("ingresses", ingress("web", address=False)), ("services", service()), ("pods", pod()))
    assert [(one.rule, one.severity) for one in findings(world, NOW)] == [("ingress-no-address", "note")]


def test_finished_and_ended_pods_of_a_service_do_not_count() -> None:
    done = pod("done", phase="Succeeded", ready=False)
    failed = pod("failed", phase="Failed", ready=False, state=waiting(""))
    world = World(
        ("pods", done), ("pods", failed), ("pods", pod()), ("services", service()), ("nodes", node())
    )
    assert "service-no-endpoint" not in rules(world)


def test_a_service_whose_ready_pods_are_in_no_endpointslice_is_not_told_that_they_are_unready() -> None:
    world = World(("pods", pod()), ("services", service()), ("endpointslices", endpoints("web")))
    (found,) = findings(world, NOW)
    assert text_of(found.text) == (
        "Service web in shop has no ready endpoints, although its only pod is ready: its EndpointSlices list none of its "
        "pods as ready."
    )
    assert found.step.text.startswith("See that kube-controller-manager runs")
    refused = event(
        "services-web", "FailedToUpdateEndpointSlices", "may not be in the loopback range", kind="Service"
    )
    world.add("events", refused)
    (found,) = findings(world, NOW)
    assert text_of(found.text).endswith("its only pod is ready: its EndpointSlices can't be updated.")
    assert found.evidence[0].says.startswith("may not be in the loopback range")
    assert found.step.page == "events"
    young = pod()
    for one in young["status"]["conditions"]:
        one["lastTransitionTime"] = ago(seconds=20)
    soon = World(("pods", young), ("services", service()), ("endpointslices", endpoints("web")))
    assert findings(soon, NOW) == [], "the controller is about to"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "db.shop.svc.cluster.local",
            "stands for Service db in shop, which does not exist, so its name has no address.",
        ),
        ("web.shop.svc.cluster.local", "stands for itself, so its name has no address."),
        ("api.shop.svc.cluster.local.", ""),
        ("db-0.db.shop.svc.cluster.local", ""),  # of a pod
        ("db.shop.svc.other.example", ""),  # perhaps of another cluster
    ],
)
def test_an_alias_of_a_service_of_the_cluster_has_an_address_only_by_that(name: str, text: str) -> None:
    world = World(("services", service(selector={}, type="ExternalName", externalName=name)))
    world.add("services", service("api", {}))
    assert [text_of(one.text) for one in findings(world, NOW)] == (
        [f"Service web in shop {text}"] if text else []
    )


def policy(name: str, ingress: list[dict[str, Any]] | None = None, **spec: Any) -> tuple[str, dict[str, Any]]:
    rules = {} if ingress is None else {"ingress": ingress}
    guards = {"podSelector": {}, "policyTypes": ["Ingress"]}
    return "networkpolicies", {"metadata": meta(name), "spec": guards | rules | spec}


def behind(*policies: tuple[str, dict[str, Any]], **spec: Any) -> World:
    """An Ingress before a Service whose only pod listens on 8080."""
    listening = pod(container={"ports": [{"name": "http", "containerPort": 8080}]})
    listening["spec"] |= spec
    return World(
        ("pods", listening), ("ingresses", ingress("web")), ("endpointslices", endpoints("web", ("web-1", True))),
        ("services", service(ports=[{"port": 80, "targetPort": 8080, "protocol": "TCP"}])), *policies,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("policies", "where"),
    [
        ([policy("deny")], "NetworkPolicy deny lets nothing in to its pods."),
        (
            [policy("deny"), policy("other", [{"ports": [{"port": 9090}]}])],
            "NetworkPolicies deny and other let nothing in to its pods on port 8080.",
        ),
        (
            [policy("udp", [{"ports": [{"port": 8080, "protocol": "UDP"}]}])],
            "NetworkPolicy udp lets nothing in to its pods on port 8080.",
        ),
        ([policy("deny"), policy("some", [{"from": [{"podSelector": {}}]}])], ""),
        ([policy("all", [{}])], ""),
        ([policy("named", [{"ports": [{"port": "http"}]}])], ""),
        ([policy("range", [{"ports": [{"port": 8000, "endPort": 9000}]}])], ""),
        ([policy("tcp", [{"ports": [{"protocol": "TCP"}]}])], ""),
        ([policy("out", policyTypes=["Egress"])], ""),
        ([policy("others", podSelector={"matchLabels": {"app": "db"}})], ""),
        ([policy("odd", podSelector={"matchExpressions": [{"key": "a", "operator": "Near"}]})], ""),
        ([], ""),
    ],
)
def test_a_service_that_no_policy_lets_anybody_reach_is_told_with_its_ingress(
    policies: list[tuple[str, dict[str, Any]]], where: str
) -> None:
    found = findings(behind(*policies), NOW)
    assert [(one.rule, one.follows and one.follows.kind) for one in found] == (
        [("service-closed", None), ("ingress-no-endpoint", "Service")] if where else []
    )
    assert not where or text_of(found[0].text).endswith(where)


def test_policies_do_not_hold_for_the_host_network_and_are_a_note_where_nobody_comes_from_outside() -> None:
    assert "networkpolicies" in read_for("services")
    assert findings(behind(policy("deny"), hostNetwork=True), NOW) == []
    inner = behind(policy("deny"))
    inner.remove("ingresses", "shop", "shop")
    assert [(one.rule, one.severity) for one in findings(inner, NOW)] == [("service-closed", "note")]


@pytest.mark.parametrize(
    ("value", "severity"), [("replica", "note"), ("primary", "warn"), ("instance", "note"), ("true", "warn")]
)
@pytest.mark.parametrize("owner", [("Cluster", "pg"), ("StatefulSet", "pg")])
def test_a_role_that_no_pod_has_now_is_no_slip_of_the_selector(
    value: str, severity: str, owner: tuple[str, str]
) -> None:
    made = pod("pg-1", owner=owner, labels={"app": "pg", "role": "other"})
    template = {"metadata": {"labels": {"app": "pg"}}}
    stateful = {
        "metadata": meta("pg"),
        "spec": {"replicas": 1, "template": template},
        "status": {"replicas": 1},
    }
    world = World(
        ("pods", made),
        ("statefulsets", stateful),
        ("services", service("pg-x", {"app": "pg", "role": value})),
    ).reading("deployments", "daemonsets")
    (found,) = (one for one in findings(world, NOW) if one.kind == "Service")
    assert (found.rule, found.severity) == ("service-selects-nothing", severity)
    assert text_of(found.text) == (
        f"Service pg-x in shop selects no pod: none of {owner[0]} pg has the label role={value} now."
    )
    # What stands in the template is what its author wrote.
    template["metadata"]["labels"]["role"] = "other"
    world.add("statefulsets", stateful)
    (found,) = (one for one in findings(world, NOW) if one.kind == "Service")
    assert (found.severity == "warn") == (owner[0] == "StatefulSet" or severity == "warn")
