"""Objects edited by form: what the inputs hold of an object, and that only what was changed is written back."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from dashboard.actions.changedfields import changed_fields
from dashboard.actions.edit_form import form_of
from dashboard.actions.editforms.registry import EDITINGS

Manifest = dict[str, Any]


def obj(kind: str, spec: Manifest, api: str = "v1") -> Manifest:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "web", "namespace": "shop"}, "spec": spec}


def port(number: int, **more: Any) -> Manifest:
    return {"name": f"p{number}", "port": number, "protocol": "TCP", "targetPort": number, **more}


def backend(name: str, number: int = 80) -> Manifest:
    return {"service": {"name": name, "port": {"number": number}}}


SERVICE = obj(
    "Service",
    {
        "type": "NodePort",
        "clusterIP": "10.0.0.7",
        "selector": {"app": "web", "tier": "front"},
        "sessionAffinity": "ClientIP",
        "ports": [
            port(80, nodePort=30080, appProtocol="http"),
            port(443, nodePort=30443, targetPort="https"),
            port(9090, nodePort=30090),
        ],
    },
)
INGRESS = obj(
    "Ingress",
    {
        "ingressClassName": "nginx",
        "defaultBackend": backend("fallback"),
        "rules": [
            {
                "host": "a.example.com",
                "http": {
                    "paths": [
                        {"path": "/", "pathType": "Prefix", "backend": backend("web")},
                        {"path": "/api/(.*)", "pathType": "ImplementationSpecific", "backend": backend("api")},
                        {"path": "/b", "pathType": "Exact", "backend": {"resource": {"kind": "Bucket", "name": "b"}}},
                    ]
                },
            },
            {"host": "b.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend("b")}]}},
            {"host": "a.example.com", "http": {"paths": [{"path": "/x", "pathType": "Exact", "backend": backend("x")}]}},
        ],
        "tls": [{"hosts": ["a.example.com", "b.example.com"], "secretName": "web-tls"}, {"hosts": ["c.example.com"]}],
    },
    "networking.k8s.io/v1",
)  # fmt: skip
SIDECAR = {"name": "proxy", "image": "proxy:1", "env": [{"name": "A", "value": "1"}]}
WEB = {
    "name": "web",
    "image": "web:1",
    "command": ["/web"],
    "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}, {"containerPort": 9000}],
    "env": [
        {"name": "LOG", "value": "info"},
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {
            "name": "PASSWORD",
            "valueFrom": {"secretKeyRef": {"name": "db", "key": "password", "optional": True}},
        },
        {"name": "TEXT", "value": "two\nlines"},
    ],
    "envFrom": [{"configMapRef": {"name": "settings"}}, {"prefix": "X_", "secretRef": {"name": "more"}}],
    "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080, "scheme": "HTTPS"}, "periodSeconds": 7},
    "livenessProbe": {"exec": {"command": ["true"]}},
    "resources": {"requests": {"cpu": "100m", "ephemeral-storage": "1Gi"}, "limits": {"memory": "128Mi"}},
    "volumeMounts": [{"name": "data", "mountPath": "/data"}],
}
DEPLOYMENT = obj(
    "Deployment",
    {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {
                "labels": {"app": "web"},
                "annotations": {"kubectl.kubernetes.io/default-container": "web"},
            },
            "spec": {"containers": [SIDECAR, WEB], "initContainers": [{"name": "init", "image": "init:1"}]},
        },
    },
    "apps/v1",
)
BUDGET = obj(
    "PodDisruptionBudget",
    {
        "minAvailable": "50%",
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": {"app": "web", "tier": "front"}},
    },
    "policy/v1",
)
NAMESPACE: Manifest = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {
        "name": "shop",
        "labels": {
            "kubernetes.io/metadata.name": "shop",
            "pod-security.kubernetes.io/enforce": "baseline",
            "pod-security.kubernetes.io/warn": "restricted",
            "team": "shop",
        },
    },
    "spec": {"finalizers": ["kubernetes"]},
}
OBJECTS = {
    "services": SERVICE,
    "ingresses": INGRESS,
    "deployments": DEPLOYMENT,
    "poddisruptionbudgets": BUDGET,
    "namespaces": NAMESPACE,
}


def browser(plural: str, base: Manifest) -> dict[str, list[str]]:
    """What a browser sends of a form in which nobody typed."""
    return {name: list(texts) for name, texts in form_of(plural, base).shown.items()}


def made(plural: str, base: Manifest, sent: dict[str, list[str]]) -> Manifest:
    before = copy.deepcopy(base)
    found = form_of(plural, base).made(sent)
    assert base == before, "what the form was filled with stays"
    return found


def test_every_form_is_tried() -> None:
    assert OBJECTS.keys() == {plural for plural, editing in EDITINGS.items() if not editing.leads_to}


@pytest.mark.parametrize("plural", OBJECTS)
def test_what_nobody_touched_is_written_back_by_nothing(plural: str) -> None:
    base = OBJECTS[plural]
    assert made(plural, base, browser(plural, base)) == base
    assert made(plural, base, {}) == base


@pytest.mark.parametrize("plural", OBJECTS)
def test_each_input_writes_nothing_but_its_own_fields(plural: str) -> None:
    """Of whatever is typed into one input, all that the others hold stays, and what no input holds."""
    base = OBJECTS[plural]
    form = form_of(plural, base)
    for one in form.inputs:
        sent = browser(plural, base)
        names = [f"{one.name}.{each.name}" for each in one.columns if each.typed] or [one.name]
        for name in names:
            if name in sent:
                typed = "7" if one.input == "number" else sent[name][0] or "x"
                tried = {**sent, name: [typed, *sent[name][1:]]}
                found = form_of(plural, made(plural, base, tried)).shown
                others = [each for each in sent if each.partition(".")[0] != one.name]
                if one.name == "port":  # what checks go to follows it
                    others = [each for each in others if not each.startswith(("readiness", "liveness"))]
                assert {each: list(found[each]) for each in others} == {each: sent[each] for each in others}


def paths(plural: str, base: Manifest, sent: dict[str, list[str]]) -> list[str]:
    return changed_fields(base, made(plural, base, sent))


# ---- Services


def test_a_port_keeps_what_the_form_does_not_know() -> None:
    sent = browser("services", SERVICE)
    sent["ports.port"] = ["8000", "443", "9090"]
    assert paths("services", SERVICE, sent) == ["/spec/ports/[name=p80]/port"]
    sent = {
        name: texts[1:] if name.startswith("ports.") else texts
        for name, texts in browser("services", SERVICE).items()
    }
    sent["ports.port"] = ["8443", "9090"]  # the first row is gone, the next one has another port
    ports = made("services", SERVICE, sent)["spec"]["ports"]
    assert ports == [
        port(443, nodePort=30443, targetPort="https") | {"port": 8443},
        port(9090, nodePort=30090),
    ]


def test_a_new_port_has_a_name_and_a_target() -> None:
    sent = browser("services", SERVICE)
    for column, text in (("port", "81"), ("target", ""), ("protocol", "TCP"), ("name", ""), ("was", "")):
        sent[f"ports.{column}"].append(text)
    assert made("services", SERVICE, sent)["spec"]["ports"][3] == {
        "name": "port-4", "port": 81, "protocol": "TCP", "targetPort": 81,
    }  # fmt: skip


def test_the_only_port_gets_a_name_with_a_second_one() -> None:
    base = obj("Service", {"ports": [{"port": 80, "protocol": "TCP", "targetPort": 80, "nodePort": 30080}]})
    sent = {"ports.port": ["80", "81"], "ports.was": ["0", ""]}
    ports = made("services", base, sent)["spec"]["ports"]
    assert [(each["name"], each["port"], each.get("nodePort")) for each in ports] == [
        ("port-1", 80, 30080),
        ("port-2", 81, None),
    ]


def test_a_script_says_just_what_it_wants_else() -> None:
    assert paths("services", SERVICE, {"type": ["ClusterIP"]}) == ["/spec/type"]
    sent = {"ports.port": ["443", "80", "9090"], "ports.target": ["https", "8080", "9090"]}
    assert paths("services", SERVICE, sent) == ["/spec/ports/[name=p80]/targetPort"]


def test_a_selector_changes_by_its_labels() -> None:
    sent = browser("services", SERVICE)
    sent["selector.value"] = ["web", "back"]
    assert paths("services", SERVICE, sent) == ["/spec/selector/tier"]
    sent["selector.key"] = ["app", "role"]
    assert made("services", SERVICE, sent)["spec"]["selector"] == {"app": "web", "role": "back"}


def test_another_name_for_something_outside_has_no_form() -> None:
    why = EDITINGS["services"].refusal(
        obj("Service", {"type": "ExternalName", "externalName": "db.example.com"})
    )
    assert "ExternalName" in why and "db.example.com" in why


# ---- Ingresses


def test_a_path_changes_in_its_own_rule() -> None:
    sent = browser("ingresses", INGRESS)
    assert sent["rules.host"] == ["a.example.com", "a.example.com", "b.example.com", "a.example.com"]
    assert sent["rules.type"][1] == "ImplementationSpecific"
    sent["rules.service"][1] = "api-2"
    rules = made("ingresses", INGRESS, sent)["spec"]["rules"]
    expected = copy.deepcopy(INGRESS["spec"]["rules"])
    expected[0]["http"]["paths"][1]["backend"]["service"]["name"] = "api-2"
    assert rules == expected


def test_a_host_changes_with_its_rule_or_leaves_it() -> None:
    sent = browser("ingresses", INGRESS)
    sent["rules.host"][2] = "new.example.com"
    assert [rule["host"] for rule in made("ingresses", INGRESS, sent)["spec"]["rules"]] == [
        "a.example.com", "new.example.com", "a.example.com",
    ]  # fmt: skip
    sent = browser("ingresses", INGRESS)
    sent["rules.host"][1] = "b.example.com"
    rules = made("ingresses", INGRESS, sent)["spec"]["rules"]
    assert [path["path"] for path in rules[1]["http"]["paths"]] == ["/", "/api/(.*)"]
    assert "resource" in rules[0]["http"]["paths"][1]["backend"]


def test_what_leads_to_no_service_stays_when_its_rule_is_emptied() -> None:
    sent = {"rules.host": ["b.example.com"], "rules.was": ["1.0"]}
    base = browser("ingresses", INGRESS)
    sent |= {f"rules.{each}": [base[f"rules.{each}"][2]] for each in ("path", "type", "service", "port")}
    rules = made("ingresses", INGRESS, sent)["spec"]["rules"]
    assert [(rule["host"], len(rule["http"]["paths"])) for rule in rules] == [
        ("a.example.com", 1),
        ("b.example.com", 1),
    ]
    assert "resource" in rules[0]["http"]["paths"][0]["backend"]


def test_a_certificate_changes_for_one_host_or_all() -> None:
    sent = browser("ingresses", INGRESS)
    assert (sent["tls.secret"], sent["tls.host"]) == (["web-tls"] * 2, ["a.example.com", "b.example.com"])
    sent["tls.secret"] = ["web-tls", "b-tls"]
    assert made("ingresses", INGRESS, sent)["spec"]["tls"] == [
        {"hosts": ["a.example.com"], "secretName": "web-tls"},
        {"hosts": ["c.example.com"]},
        {"hosts": ["b.example.com"], "secretName": "b-tls"},
    ]
    sent["tls.secret"] = ["new-tls", "new-tls"]
    assert paths("ingresses", INGRESS, sent) == ["/spec/tls"]
    assert made("ingresses", INGRESS, sent)["spec"]["tls"][0] == {
        "hosts": ["a.example.com", "b.example.com"], "secretName": "new-tls",
    }  # fmt: skip


def test_a_new_certificate_without_a_host_is_for_all_of_the_rules() -> None:
    base = obj("Ingress", {"rules": INGRESS["spec"]["rules"]})
    tls = made("ingresses", base, {"tls.secret": ["web-tls"], "tls.host": [""], "tls.was": [""]})["spec"][
        "tls"
    ]
    assert tls == [{"hosts": ["a.example.com", "b.example.com"], "secretName": "web-tls"}]


def test_a_class_in_the_older_annotation_has_no_input() -> None:
    base = obj("Ingress", {"rules": INGRESS["spec"]["rules"]})
    base["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "nginx"}
    assert "class" not in [each.name for each in form_of("ingresses", base).inputs]
    assert made("ingresses", base, {"class": ["other"]}) == base
    assert "Its class, nginx, stands in the annotation" in EDITINGS["ingresses"].unshown(base)[0]


# ---- Deployments


def web(found: Manifest) -> Manifest:
    return found["spec"]["template"]["spec"]["containers"][1]


def test_the_container_that_is_meant_is_shown_and_the_others_stay() -> None:
    sent = browser("deployments", DEPLOYMENT)
    assert (sent["image"], sent["port"], sent["replicas"]) == (["web:1"], ["8080"], ["2"])
    sent["image"] = ["web:2"]
    assert paths("deployments", DEPLOYMENT, sent) == ["/spec/template/spec/containers/[name=web]/image"]
    form = form_of("deployments", DEPLOYMENT)
    assert form.input_of("spec.template.spec.containers[1].image") == "image"
    assert form.input_of("spec.template.spec.containers[0].image") == ""


def test_a_variable_changes_alone_and_what_has_no_row_stays() -> None:
    sent = browser("deployments", DEPLOYMENT)
    assert sent["env.name"] == ["LOG", "PASSWORD", ""] and sent["env.was"] == ["e0", "e2", "f0"]
    sent["env.key"][1] = "word"
    assert paths("deployments", DEPLOYMENT, sent) == [
        "/spec/template/spec/containers/[name=web]/env/[name=PASSWORD]/valueFrom/secretKeyRef/key"
    ]
    sent = browser("deployments", DEPLOYMENT)
    sent["env.source"][0], sent["env.from"][0], sent["env.key"][0] = "configmaps", "settings", "log"
    env = web(made("deployments", DEPLOYMENT, sent))["env"]
    assert env[0] == {"name": "LOG", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "log"}}}
    assert env[1:] == WEB["env"][1:]  # type: ignore[index]


def test_all_keys_of_an_object_become_one_variable_and_back() -> None:
    sent = browser("deployments", DEPLOYMENT)
    sent["env.name"][2], sent["env.key"][2] = "LEVEL", "level"
    found = web(made("deployments", DEPLOYMENT, sent))
    assert found["envFrom"] == WEB["envFrom"][1:]  # type: ignore[index]
    assert found["env"][-1] == {
        "name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "level"}},
    }  # fmt: skip


def test_a_check_keeps_its_times_and_follows_the_port() -> None:
    sent = browser("deployments", DEPLOYMENT)
    assert (sent["readiness"], sent["readiness_path"], sent["liveness"]) == (["http"], ["/ready"], ["kept"])
    sent["port"] = ["8081"]
    found = web(made("deployments", DEPLOYMENT, sent))
    assert found["ports"] == [
        {"name": "http", "containerPort": 8081, "protocol": "TCP"},
        {"containerPort": 9000},
    ]
    assert found["readinessProbe"]["httpGet"] == {"path": "/ready", "port": 8081, "scheme": "HTTPS"}
    sent = browser("deployments", DEPLOYMENT)
    sent["readiness"], sent["liveness"] = ["tcp"], [""]
    found = web(made("deployments", DEPLOYMENT, sent))
    assert found["readinessProbe"] == {"periodSeconds": 7, "tcpSocket": {"port": 8080}}
    assert "livenessProbe" not in found
    sent["readiness"], sent["readiness_path"] = ["http"], ["/healthz"]
    probe = web(made("deployments", DEPLOYMENT, sent))["readinessProbe"]
    assert probe == {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTPS"}, "periodSeconds": 7}


def test_what_else_is_requested_stays() -> None:
    sent = browser("deployments", DEPLOYMENT)
    sent["requests_cpu"], sent["limits_memory"] = [""], ["256Mi"]
    assert web(made("deployments", DEPLOYMENT, sent))["resources"] == {
        "requests": {"ephemeral-storage": "1Gi"}, "limits": {"memory": "256Mi"},
    }  # fmt: skip


UNSHOWN = {
    "deployments": [
        "1 more container, proxy",
        "init container: init",
        "more ports: 9000",
        "POD_IP and TEXT",
        "prefix",
        "liveness check is of another kind: a command",
    ],
    "ingresses": [
        "goes to fallback",
        "1 path leads to other objects",
        "several rules for a.example.com",
        "no Secret is named",
    ],
    "services": [],
    "poddisruptionbudgets": [],
    "namespaces": [],
}


@pytest.mark.parametrize("plural", UNSHOWN)
def test_what_the_form_cannot_show_is_said(plural: str) -> None:
    said, words = EDITINGS[plural].unshown(OBJECTS[plural]), UNSHOWN[plural]
    assert len(said) == len(words)
    for sentence, word in zip(said, words, strict=True):
        assert word in sentence


# ---- Budgets


def test_a_budget_has_one_rule_at_a_time() -> None:
    assert paths("poddisruptionbudgets", BUDGET, {"amount": ["60%"]}) == ["/spec/minAvailable"]
    spec = made("poddisruptionbudgets", BUDGET, {"amount": ["1"], "rule": ["maxUnavailable"]})["spec"]
    assert spec == {key: value for key, value in BUDGET["spec"].items() if key != "minAvailable"} | {
        "maxUnavailable": 1
    }


def test_the_conditions_of_a_budgets_selector_are_said_and_stay() -> None:
    base = copy.deepcopy(BUDGET)
    base["spec"]["selector"]["matchExpressions"] = [
        {"key": "tier", "operator": "In", "values": ["front", "back"]}
    ]
    assert [each.name for each in form_of("poddisruptionbudgets", base).inputs] == ["amount", "rule"]
    assert "tier in (back,front)" in EDITINGS["poddisruptionbudgets"].unshown(base)[0]
    assert made("poddisruptionbudgets", base, {"selector.key": ["other"]}) == base


# ---- Namespaces


def test_the_labels_of_a_namespace_change_one_by_one() -> None:
    sent = browser("namespaces", NAMESPACE)
    assert sent["labels.key"] == ["pod-security.kubernetes.io/warn", "team"] and sent["security"] == [
        "baseline"
    ]
    sent["labels.value"][1] = "front"
    assert paths("namespaces", NAMESPACE, sent) == ["/metadata/labels/team"]
    labels = made("namespaces", NAMESPACE, {"security": [""]})["metadata"]["labels"]
    assert "pod-security.kubernetes.io/enforce" not in labels and len(labels) == 3


def test_of_a_claim_the_form_leads_to_its_size() -> None:
    claim = EDITINGS["persistentvolumeclaims"]
    assert claim.leads_to == "expand" and "Expand" in claim.refusal({})


# ---- What is judged


def test_what_was_there_is_not_judged_and_what_is_typed_is() -> None:
    base = copy.deepcopy(DEPLOYMENT)
    web(base)["env"][0]["name"] = "odd name"
    sent = browser("deployments", base)
    sent["image"] = ["web:2"]
    edits = form_of("deployments", base).edits(sent)
    assert edits.changed == {"image"} and not edits.reading.wrong
    sent["env.from"][0] = "debug"
    assert list(form_of("deployments", base).edits(sent).reading.wrong) == ["env-0"]
