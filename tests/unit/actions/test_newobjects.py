"""The forms of new objects: the manifest of what is typed, and what is said of it beside a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.actions.newobjects.checks import checked
from dashboard.actions.newobjects.form import Checks, Look
from dashboard.actions.newobjects.registry import NEW_OBJECTS, has_form, new_object
from dashboard.actions.newobjects.typed import read_form, start
from dashboard.errors import Forbidden, NotFound
from dashboard.insight.words import text_of

from ..insight.world import NOW, World, deployment, pod
from .server import Server

Typed = dict[str, list[str]]
HERE: Typed = {"name": ["shop"], "namespace": ["shop"]}
WEB: Typed = HERE | {
    "selector.key": ["app"], "selector.value": ["web"],
    "ports.port": ["80"], "ports.target": ["8080"], "ports.protocol": ["TCP"], "ports.name": [""],
}  # fmt: skip


def manifests(plural: str, typed: Typed) -> list[dict[str, Any]]:
    form = new_object(plural)
    reading = read_form(form, typed)
    assert not reading.wrong and not reading.missing
    return form.manifests(reading.values)


def world(*more: tuple[str, dict[str, Any]]) -> World:
    made = World(("namespaces", {"metadata": {"name": "shop"}}), *more)
    return made.reading(
        "namespaces", "pods", "replicasets", *(form.plural for form in NEW_OBJECTS), *(
            kind for form in NEW_OBJECTS for kind in form.reads
        )
    )  # fmt: skip


async def looked(
    plural: str, typed: Typed, objects: World, *, may: bool = True, whole: bool = True
) -> Checks:
    form, server = new_object(plural), Server("namespaces", {"metadata": {"name": "shop"}})
    server.may = may
    reading = read_form(form, typed)
    transport: Any = server
    look = Look(values=reading.values, objects=objects, transport=transport, now=NOW)
    return await checked(form, reading, look, whole=whole)


def said(checks: Checks) -> dict[str, tuple[str, str]]:
    return {place: (each.state, each.text) for place, each in checks.verdicts.items()}


def told(checks: Checks) -> list[str]:
    return [f"{text_of(each.text)} ({each.note})" for each in checks.effects]


# ---- Every form


@pytest.mark.parametrize("form", NEW_OBJECTS, ids=lambda form: form.plural)
def test_whatever_is_typed_gives_yaml_to_go_on_with(form: Any) -> None:
    for text in ("", "Not A Name!", "-1"):
        sent = {each.name: [text] for each in form.inputs if not each.columns}
        sent |= {f"{one.name}.{each.name}": [text] for one in form.inputs for each in one.columns}
        made = form.manifests(read_form(form, sent).draft)
        assert made[0]["kind"] == form.kind.kind
        assert not text or made[0]["metadata"]["name"] == text


@pytest.mark.parametrize("form", NEW_OBJECTS, ids=lambda form: form.plural)
async def test_what_is_missing_is_only_said_once_it_is_sent(form: Any) -> None:
    empty = start(form, {})
    typing = await looked(form.plural, empty, world(), whole=False)
    sending = await looked(form.plural, empty, world())
    assert not any(state == "bad" for state, _ in said(typing).values())
    assert said(sending)["name"] == ("bad", "Name is missing.")


@pytest.mark.parametrize("form", NEW_OBJECTS, ids=lambda form: form.plural)
async def test_a_name_that_is_taken_is_said_with_a_link(form: Any) -> None:
    there = world(
        (
            form.plural,
            {"metadata": {"name": "shop"} | ({"namespace": "shop"} if form.kind.gvr.namespaced else {})},
        )
    )
    checks = await looked(form.plural, HERE, there, whole=False)
    verdict = checks.verdicts["name"]
    assert verdict.state == "bad" and f"{form.kind.singular} shop is there already" in verdict.text
    assert verdict.ref is not None and (verdict.ref.plural, verdict.ref.name) == (form.plural, "shop")
    error = checks.refusal()
    assert error is not None and (error.status, error.field) == (409, "name")


@pytest.mark.parametrize("form", NEW_OBJECTS, ids=lambda form: form.plural)
async def test_who_may_not_create_it_is_told_which_right_is_missing(form: Any) -> None:
    checks = await looked(form.plural, HERE | {"name": ["another"]}, world(), may=False, whole=False)
    place = "namespace" if form.kind.gvr.namespaced else "name"
    assert f"Your account may not create {form.plural}" in said(checks)[place][1]
    assert isinstance(checks.refusal(), Forbidden)


async def test_a_name_that_cannot_be_looked_up_is_not_called_free() -> None:
    checks = await looked("services", WEB, World(), whole=False)
    assert said(checks)["name"] == (
        "info", "Whether it is free shows in the preview: you may not list Services here.",
    )  # fmt: skip


async def test_a_namespace_that_is_not_there_is_said() -> None:
    checks = await looked("services", WEB | {"namespace": ["nowhere"]}, world(), whole=False)
    assert said(checks)["namespace"] == ("bad", "There is no namespace nowhere.")


def test_kinds_without_a_form_are_left_to_yaml() -> None:
    with pytest.raises(NotFound, match="There is no form for NetworkPolicies"):
        new_object("networkpolicies")
    assert not has_form("networkpolicies")


def test_what_the_api_server_names_is_found_among_the_inputs() -> None:
    form = new_object("services")
    paths = ("metadata.name", "spec.ports[0].port", "spec.selector", "spec.clusterIP", "count/services")
    assert [form.input_of(path) for path in paths] == ["name", "ports", "selector", "", "name"]


# ---- Services


def test_a_service_is_what_kubectl_expose_makes() -> None:
    # kubectl expose deployment web --name=shop --port=80 --target-port=8080, of a Deployment with the selector app=web
    assert manifests("services", WEB) == [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "shop", "namespace": "shop"},
            "spec": {
                "type": "ClusterIP",
                "selector": {"app": "web"},
                "ports": [{"port": 80, "protocol": "TCP", "targetPort": 8080}],
            },
        }
    ]


def test_several_ports_get_names_and_a_target_of_their_own() -> None:
    rows = {
        "ports.port": ["80", "", "53"], "ports.target": ["http", "", ""],
        "ports.protocol": ["TCP", "TCP", "UDP"], "ports.name": ["web", "", ""],
    }  # fmt: skip
    made = manifests("services", WEB | rows)[0]["spec"]["ports"]
    assert made == [
        {"name": "web", "port": 80, "protocol": "TCP", "targetPort": "http"},
        {"name": "port-2", "port": 53, "protocol": "UDP", "targetPort": 53},
    ]


async def test_a_service_says_which_pods_it_would_match() -> None:
    ports = {"ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]}
    objects = world(
        ("deployments", deployment("web")),
        ("pods", pod("web-1", owner=("Deployment", "web"), container=ports, podIPs=[{"ip": "10.0.0.1"}])),
        ("pods", pod("web-2", owner=("Deployment", "web"), container=ports, ready=False)),
        ("pods", pod("other", labels={"app": "other"}, owner=None)),
        (
            "services",
            {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"selector": {"app": "web"}}},
        ),
        (
            "networkpolicies",
            {"metadata": {"name": "deny", "namespace": "shop"}, "spec": {"policyTypes": ["Ingress"]}},
        ),
    )
    checks = await looked("services", WEB | {"name": ["front"]}, objects)
    assert checks.headline is not None
    assert checks.headline.title == "front routes port 80 to 1 ready pod of Deployment web"
    assert checks.headline.text == "1 more are not ready."
    assert said(checks)["selector-0"] == ("ok", "2 pods")
    assert said(checks)["ports-0"] == ("ok", "named http declared by 2 of 2 pods")
    assert told(checks) == [
        "web-1 (10.0.0.1:8080 on node-1)",
        "web-2 (on node-1)",
        "All 2 pods belong to Deployment web (its next rollout keeps these labels)",
        "Service web selects the same pods ()",
        "NetworkPolicy deny lets nothing in (other clients time out)",
    ]
    assert checks.refusal() is None


async def test_a_service_without_pods_says_so_and_is_not_refused() -> None:
    checks = await looked("services", WEB, world())
    assert said(checks)["selector-0"] == ("warn", "no pod in shop has it")
    assert checks.headline is not None and checks.headline.title == "shop matches no pod in shop"
    assert checks.refusal() is None


async def test_pods_that_may_not_be_listed_are_unknown_and_not_none() -> None:
    checks = await looked("services", WEB, World(("namespaces", {"metadata": {"name": "shop"}})))
    assert said(checks)["selector"][0] == "info" and "is not known" in said(checks)["selector"][1]
    assert checks.headline is None and not checks.effects


async def test_a_target_port_that_no_container_names_is_a_warning() -> None:
    objects = world(("pods", pod("web-1", owner=None)))
    checks = await looked("services", WEB | {"ports.target": ["metrics"]}, objects)
    assert said(checks)["ports-0"] == ("warn", "No container of the pod has a port named metrics.")


async def test_two_ports_alike_are_refused_at_the_second() -> None:
    rows = {
        "ports.port": ["80", "80"],
        "ports.target": ["", ""],
        "ports.protocol": ["TCP", "TCP"],
        "ports.name": ["a", "b"],
    }
    checks = await looked("services", WEB | rows, world())
    error = checks.refusal()
    assert error is not None and (error.field, error.message) == ("ports-1", "Row 1 has the same port.")


def test_a_service_begins_with_the_selector_and_ports_of_a_deployment() -> None:
    ports = [{"name": "http", "containerPort": 8080}]
    manifest = deployment("web")
    manifest["spec"]["template"]["spec"]["containers"][0]["ports"] = ports
    obj = World().add("deployments", manifest)
    filled = new_object("services").filled("deployments", obj, World())
    typed = start(new_object("services"), filled)
    made = manifests("services", typed)[0]
    assert made["metadata"] == {"name": "web", "namespace": "shop"}
    assert made["spec"]["selector"] == {"app": "web"}
    assert made["spec"]["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP", "targetPort": "http"}]
