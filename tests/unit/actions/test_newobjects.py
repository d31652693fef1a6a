"""The forms of new objects: the manifest of what is typed, and what is said of it beside a cluster."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dashboard.actions.newobjects import ingresses
from dashboard.actions.newobjects.checks import checked
from dashboard.actions.newobjects.form import MAX_ROWS, Checks, Look
from dashboard.actions.newobjects.reading import amount, share
from dashboard.actions.newobjects.registry import NEW_OBJECTS, has_form, new_object
from dashboard.actions.newobjects.typed import read_form, start
from dashboard.errors import BadInput, Forbidden, NotFound
from dashboard.insight.words import text_of
from dashboard.kinds.certificates import Certificate

from ..insight.world import NOW, World, deployment, node, pod
from .server import Server

Typed = dict[str, list[str]]
HERE: Typed = {"name": ["shop"], "namespace": ["shop"]}
NAMED = {"name": "shop", "namespace": "shop"}
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
    look = Look(values=reading.values, objects=objects, transport=transport, now=NOW, whole=whole)
    return await checked(form, reading, look)


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
    there = world()
    if form.plural == "secrets":
        there.with_secret("shop", "Opaque")
    else:
        where = {"namespace": "shop"} if form.kind.gvr.namespaced else {}
        there.add(form.plural, {"metadata": {"name": "shop"} | where})
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
    claim, container = new_object("persistentvolumeclaims"), "spec.template.spec.containers[0]"
    assert claim.input_of("requests.storage") == "size"
    paths = (f"{container}.image", f"{container}.resources.limits.memory", "requests.cpu")
    assert [new_object("deployments").input_of(path) for path in paths] == [
        "image",
        "limits_memory",
        "requests_cpu",
    ]


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
    assert checks.headline is not None
    assert (checks.headline.state, checks.headline.title) == ("warn", "shop has no endpoints on port 80")
    rows = {"ports.port": ["80", "81"], "ports.target": ["metrics", "8081"], "ports.protocol": ["TCP", "TCP"]}
    checks = await looked("services", WEB | rows | {"ports.name": ["a", "b"]}, objects)
    assert checks.headline is not None
    assert checks.headline.title.startswith("shop routes port 81 to 1 ready pod")


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


# ---- Ingresses


RULE: Typed = HERE | {
    "class": ["nginx"], "rules.host": ["foo.com"], "rules.path": ["/bar"], "rules.type": ["Prefix"],
    "rules.service": ["svc1"], "rules.port": ["8080"], "tls.secret": ["my-cert"], "tls.host": [""],
}  # fmt: skip


def test_an_ingress_is_what_kubectl_makes() -> None:
    # kubectl create ingress shop --class=nginx --rule="foo.com/bar*=svc1:8080,tls=my-cert"
    backend = {"service": {"name": "svc1", "port": {"number": 8080}}}
    path = {"path": "/bar", "pathType": "Prefix", "backend": backend}
    assert manifests("ingresses", RULE) == [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": NAMED,
            "spec": {
                "ingressClassName": "nginx",
                "rules": [{"host": "foo.com", "http": {"paths": [path]}}],
                "tls": [{"hosts": ["foo.com"], "secretName": "my-cert"}],
            },
        }
    ]
    typed = RULE | {"tls.host": ["foo.com"]}
    form = new_object("ingresses")
    assert form.command(read_form(form, typed).values) == (
        "kubectl", "create", "ingress", "shop", "-n", "shop", "--class=nginx",
        "--rule=foo.com/bar*=svc1:8080,tls=my-cert",
    )  # fmt: skip


async def test_an_ingress_says_what_it_would_route_to_and_whom_it_meets() -> None:
    service = {
        "metadata": {"name": "svc1", "namespace": "shop"},
        "spec": {"ports": [{"port": 80, "name": "http"}]},
    }
    rule = {"host": "foo.com", "http": {"paths": [{"path": "/bar", "pathType": "Exact"}]}}
    elsewhere = {"metadata": {"name": "old", "namespace": "legacy"}, "spec": {"rules": [rule]}}
    tls = world(("services", service), ("ingresses", elsewhere)).with_secret("my-cert", "Opaque")
    checks = await looked("ingresses", RULE, tls)
    assert said(checks)["rules-0"] == ("warn", "Service svc1 has no port 8080: it has 80 (http).")
    assert said(checks)["class"][1].startswith("There is no IngressClass nginx")
    assert said(checks)["tls-0"] == (
        "warn",
        "Secret my-cert has the type Opaque: controllers read kubernetes.io/tls.",
    )
    assert told(checks) == [
        "Ingress old in legacy has foo.com/bar too (which of both gets the request depends on the controller)"
    ]
    assert checks.refusal() is None, "all of it may come later"
    without = await looked("ingresses", RULE | {"rules.port": ["http"]}, tls)
    assert said(without)["rules-0"] == ("warn", "Service svc1 has no ready endpoints")


@pytest.mark.parametrize(
    ("names", "starts", "ends", "words"),
    [
        (("*.com",), -1, 1, "Certificate for *.com, until 2026-03-02"),
        (("bar.com",), -1, 1, "Its certificate is for bar.com, not for foo.com."),
        (("foo.com",), -2, -1, "Its certificate expired on 2026-02-28: browsers refuse it."),
        (("foo.com",), 1, 2, "Its certificate is valid only from 2026-03-02 on."),
    ],
)
async def test_a_certificate_is_judged_by_its_public_part(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], starts: int, ends: int, words: str
) -> None:
    found = Certificate("CN=x", "CN=y", names, NOW + timedelta(days=starts), NOW + timedelta(days=ends))

    async def certificate_of(*_: Any) -> Certificate:
        return found

    monkeypatch.setattr(ingresses, "certificate_of", certificate_of)
    checks = await looked("ingresses", RULE, world().with_secret("my-cert", "kubernetes.io/tls"))
    assert said(checks)["tls-0"][1] == words


@pytest.mark.parametrize(
    ("host", "served"),
    [("foo.com", True), ("*.com", True), ("", True), ("www.foo.com", False), ("*.foo.com", False)],
)
async def test_a_certificate_for_a_host_without_a_rule_is_told(host: str, served: bool) -> None:
    checks = await looked("ingresses", RULE | {"tls.host": [host]}, world())
    assert said(checks)["tls-0"][1].startswith("There is no Secret" if served else f"No rule is for {host}")


async def test_a_certificate_that_may_not_be_read_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: Any) -> None:
        raise Forbidden("no")

    monkeypatch.setattr(ingresses, "certificate_of", refused)
    checks = await looked("ingresses", RULE, world().with_secret("my-cert", "kubernetes.io/tls"))
    assert said(checks)["tls-0"] == (
        "info",
        "Your account may not read Secret my-cert: it has the right type.",
    )


# ---- ConfigMaps, Namespaces, budgets, claims


def test_a_configmap_is_what_kubectl_makes_and_keeps_its_lines() -> None:
    typed = HERE | {"data.key": ["LOG", "app.conf"], "data.value": ["info", "a=1\r\n b = 2\r\n"]}
    made = manifests("configmaps", typed)[0]
    assert made["data"] == {"LOG": "info", "app.conf": "a=1\n b = 2\n"}
    assert "immutable" not in made and made["metadata"] == NAMED
    form = new_object("configmaps")
    assert form.command(read_form(form, typed).values) == ()
    one = HERE | {"data.key": ["LOG"], "data.value": ["info"]}
    assert form.command(read_form(form, one).values)[-1] == "--from-literal=LOG=info"


async def test_a_key_that_is_there_twice_and_values_that_are_too_large_are_refused() -> None:
    twice = await looked("configmaps", HERE | {"data.key": ["a", "a"], "data.value": ["1", "2"]}, world())
    assert said(twice)["data-1"] == ("bad", "The key a is there twice.")
    large = await looked("configmaps", HERE | {"data.key": ["a"], "data.value": ["x" * (2**20 + 1)]}, world())
    assert said(large)["data"] == (
        "bad",
        "The values have 1,048,577 bytes together; a ConfigMap takes 1,048,576.",
    )


async def test_who_waits_for_a_configmap_is_said() -> None:
    waits = deployment("web")
    waits["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "shop"}}]
    checks = await looked("configmaps", HERE, world(("deployments", waits)))
    assert told(checks) == ["Deployment web names shop already (it gets what it waits for)"]


def test_a_namespace_is_what_kubectl_makes() -> None:
    named = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    assert manifests("namespaces", {"name": ["shop"]}) == [named]
    enforced = manifests("namespaces", {"name": ["shop"], "security": ["restricted"]})[0]["metadata"][
        "labels"
    ]
    assert enforced == {"pod-security.kubernetes.io/enforce": "restricted"}


BUDGET: Typed = HERE | {
    "rule": ["minAvailable"], "amount": ["1"], "selector.key": ["app"], "selector.value": ["web"],
}  # fmt: skip


def test_a_budget_is_what_kubectl_makes() -> None:
    # kubectl create poddisruptionbudget shop --selector=app=web --min-available=1
    assert manifests("poddisruptionbudgets", BUDGET)[0]["spec"] == {
        "minAvailable": 1, "selector": {"matchLabels": {"app": "web"}},
    }  # fmt: skip
    percent = BUDGET | {"rule": ["maxUnavailable"], "amount": ["50%"]}
    assert manifests("poddisruptionbudgets", percent)[0]["spec"]["maxUnavailable"] == "50%"


@pytest.mark.parametrize(
    ("rule", "amount", "words"),
    [
        ("minAvailable", "1", "It allows 1 disruption at a time"),
        ("minAvailable", "50%", "It allows 0 disruptions now: node drains will block"),
        ("minAvailable", "3", "It allows 0 disruptions: node drains will block"),
        ("maxUnavailable", "0", "It allows 0 disruptions: node drains will block"),
        ("maxUnavailable", "2", "It allows 1 disruption at a time"),
    ],
)
async def test_a_budget_says_what_it_allows(rule: str, amount: str, words: str) -> None:
    pods = [("pods", pod(f"web-{n}", ready=n < 2)) for n in range(3)]
    checks = await looked("poddisruptionbudgets", BUDGET | {"rule": [rule], "amount": [amount]}, world(*pods))
    assert checks.headline is not None and checks.headline.title == words


async def test_a_second_budget_over_the_same_pods_is_said_to_block() -> None:
    other = {
        "metadata": {"name": "old", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}},
    }
    objects = world(("pods", pod("web-1")), ("poddisruptionbudgets", other))
    checks = await looked("poddisruptionbudgets", BUDGET, objects)
    assert (
        "PodDisruptionBudget old protects some of these pods (pods with two budgets can't be evicted)"
        in told(checks)
    )


CLAIM: Typed = HERE | {"size": ["10Gi"], "class": [""], "access": ["ReadWriteOnce"]}
DEFAULT = {"storageclass.kubernetes.io/is-default-class": "true"}


def test_a_claim_asks_for_a_size_of_a_class() -> None:
    assert manifests("persistentvolumeclaims", CLAIM | {"class": ["fast"]})[0]["spec"] == {
        "accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": "10Gi"}},
    }  # fmt: skip
    assert "storageClassName" not in manifests("persistentvolumeclaims", CLAIM)[0]["spec"]


async def test_a_claim_says_which_class_it_gets_and_whether_the_quota_has_room() -> None:
    quota = {
        "metadata": {"name": "small", "namespace": "shop"},
        "status": {"hard": {"requests.storage": "5Gi"}},
    }
    fast = {
        "metadata": {"name": "fast", "annotations": DEFAULT},
        "provisioner": "csi",
        "volumeBindingMode": "Immediate",
    }
    checks = await looked(
        "persistentvolumeclaims", CLAIM, world(("storageclasses", fast), ("resourcequotas", quota))
    )
    assert said(checks)["class"] == ("ok", "fast is the default")
    assert told(checks) == [
        "StorageClass fast provisions a volume by csi (at once)",
        "Its data is deleted with the claim (reclaim policy Delete)",
        "It can't be expanded later (the class does not allow it)",
        "ResourceQuota small has 5Gi of requests.storage left (It refuses this claim)",
    ]
    none = await looked("persistentvolumeclaims", CLAIM, world())
    assert said(none)["class"][1].startswith("No StorageClass is the default")
    limits = {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}
    ranged = {"metadata": {"name": "sizes", "namespace": "shop"}, "spec": {"limits": [limits]}}
    limited = await looked("persistentvolumeclaims", CLAIM, world(("limitranges", ranged)))
    assert said(limited)["size"] == ("warn", "LimitRange sizes allows at most 1Gi: it refuses this size.")


# ---- Deployments


IMAGE: Typed = HERE | {"image": ["nginx:1.27"], "replicas": ["2"], "port": ["80"]}


def test_a_deployment_is_what_kubectl_makes_with_the_recommended_label() -> None:
    # kubectl create deployment shop --image=nginx:1.27 --replicas=2 --port=80, whose label is app=shop
    labels = {"app.kubernetes.io/name": "shop"}
    port = {"name": "http", "containerPort": 80, "protocol": "TCP"}
    assert manifests("deployments", IMAGE) == [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": NAMED | {"labels": labels},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "shop", "image": "nginx:1.27", "ports": [port]}]},
                },
            },
        }
    ]


def test_a_deployment_with_a_service_configuration_probes_and_sizes() -> None:
    typed = IMAGE | {
        "service": ["true"],
        "env.name": ["LOG", "PASSWORD", "", "CONF"],
        "env.source": ["value", "secrets", "configmaps", "configmaps"],
        "env.from": ["info", "database", "web-config", "web-config"],
        "env.key": ["", "password", "", ""],
        "readiness": ["http"], "readiness_path": ["/healthz"], "liveness": ["tcp"],
        "requests_cpu": ["100m"], "limits_memory": ["1Gi"],
    }  # fmt: skip
    made, service = manifests("deployments", typed)
    container = made["spec"]["template"]["spec"]["containers"][0]
    assert container["env"] == [
        {"name": "LOG", "value": "info"},
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "database", "key": "password"}}},
        {"name": "CONF", "valueFrom": {"configMapKeyRef": {"name": "web-config", "key": "CONF"}}},
    ]
    assert container["envFrom"] == [{"configMapRef": {"name": "web-config"}}]
    assert container["readinessProbe"] == {"httpGet": {"path": "/healthz", "port": "http"}}
    assert container["livenessProbe"] == {"tcpSocket": {"port": "http"}}
    assert container["resources"] == {"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi"}}
    assert (service["kind"], service["spec"]["selector"]) == ("Service", {"app.kubernetes.io/name": "shop"})
    assert service["spec"]["ports"] == [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}]


async def test_what_a_deployment_needs_and_does_not_find_stands_at_its_row() -> None:
    settings = {
        "metadata": {"name": "web-config", "namespace": "shop"},
        "data": {"LOG": "info", "MODE": "fast"},
        "binaryData": {"LOGO": "/w=="},
    }
    typed = IMAGE | {
        "env.name": ["A", "B", "", "C", "D"], "env.source": ["configmaps"] * 3 + ["secrets", "configmaps"],
        "env.from": ["nowhere", "web-config", "web-config", "database", "web-config"],
        "env.key": ["k", "URL", "", "url", "LOGO"],
    }  # fmt: skip
    checks = await looked("deployments", typed, world(("configmaps", settings)))
    binary = "ConfigMap web-config has LOGO in binaryData, where no variable is read from: the container would not start."
    assert said(checks)["env-4"] == ("warn", f"{binary} Keys: LOG and MODE.")
    assert [said(checks)[f"env-{n}"] for n in range(4)] == [
        ("warn", "There is no ConfigMap nowhere in shop: the container would not start."),
        ("warn", "ConfigMap web-config has no key URL: the container would not start. Keys: LOG and MODE."),
        ("ok", "all 2 keys of ConfigMap web-config"),
        ("warn", "There is no Secret database in shop: the container would not start."),
    ]


@pytest.mark.parametrize(
    ("typed", "place", "words"),
    [
        ({"image": ["Web:1"]}, "image", ""),
        ({"port": [""], "service": ["on"]}, "port", "Enter the port: the Service needs it."),
        ({"port": [""], "readiness": ["tcp"]}, "port", "Enter the port: the readiness check needs it."),
        (
            {"limits_cpu": ["1"], "requests_cpu": ["2"]},
            "limits_cpu",
            "The limit, 1, is less than the request, 2.",
        ),
        ({"env.name": [""], "env.from": ["x"]}, "env-0", "Enter the name of the variable."),
        (
            {"env.name": ["A"], "env.from": ["x\0y"]},
            "env-0",
            "A holds a NUL byte, which no environment variable can.",
        ),
    ],
)
async def test_what_can_be_no_deployment_is_refused_at_its_input(
    typed: Typed, place: str, words: str
) -> None:
    error = (await looked("deployments", IMAGE | typed, world())).refusal()
    assert error is not None and error.field == place
    assert not words or error.message == words


async def test_a_deployment_says_whether_quota_and_nodes_take_its_pods() -> None:
    quota = {"metadata": {"name": "small", "namespace": "shop"}, "status": {"hard": {"requests.cpu": "1"}}}
    objects = world(("resourcequotas", quota), ("nodes", node("node-1")))
    checks = await looked("deployments", IMAGE | {"requests_cpu": ["1"]}, objects)
    quotas = [each for each in checks.effects if each.icon == "gauge"]
    assert [(text_of(each.text), each.word) for each in quotas] == [
        ("ResourceQuota small allows 1 more pod like those of shop", "refuses")
    ]
    assert any(each.icon == "server" for each in checks.effects)
    typing = await looked("deployments", IMAGE, objects, whole=False)
    assert not any(each.icon == "server" for each in typing.effects), "nodes are asked for a preview alone"


# ---- What is read


def test_rows_are_read_up_to_a_bound_and_the_rest_is_refused() -> None:
    sent = HERE | {"data.key": [f"k{n}" for n in range(5_000)], "data.value": ["x"] * 5_000}
    reading = read_form(new_object("configmaps"), sent)
    assert len(reading.values["data"]) == MAX_ROWS + 1 and "At most 100 rows" in reading.wrong["data"]
    spread = HERE | {"data.key": [""] * 3_000 + ["a"], "data.value": [""] * 3_000 + ["x"]}
    assert "At most 100 rows" in read_form(new_object("configmaps"), spread).wrong["data"]


def test_blanks_alone_are_a_value_where_a_value_is_verbatim() -> None:
    made = manifests("configmaps", HERE | {"data.key": ["separator"], "data.value": [" \n"]})
    assert made[0]["data"] == {"separator": " \n"}
    env = {"env.name": ["A"], "env.source": ["value"], "env.from": [" "], "env.key": [""]}
    made = manifests("deployments", HERE | {"image": ["nginx"], "replicas": ["1"]} | env)
    assert made[0]["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "A", "value": " "}]


@pytest.mark.parametrize("text", ["0000500%", "0" * 4 + "9" * 5_000 + "%", "101%", "-1%"])
def test_a_percentage_is_read_as_a_whole(text: str) -> None:
    with pytest.raises(BadInput):
        share("pods")(text)


def test_a_quantity_is_read_as_a_whole() -> None:
    with pytest.raises(BadInput):
        amount("100m")("1" + "0" * 99 + "x")


def test_ports_of_services_have_names_of_their_own() -> None:
    rows = {"ports.port": ["80", "81"], "ports.name": ["", "port-1"], "ports.protocol": ["TCP", "TCP"]}
    made = manifests("services", WEB | rows)
    assert [each["name"] for each in made[0]["spec"]["ports"]] == ["port-2", "port-1"]
    long = "a-name-of-twenty-letters"
    made = manifests("services", WEB | {"ports.name": [long]})
    assert made[0]["spec"]["ports"][0]["name"] == long
