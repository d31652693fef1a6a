"""The objects of a text: their order, where they go, kinds that the text defines, and all that is wrong at once."""

from __future__ import annotations

import base64

import pytest

from dashboard.actions.create_yaml import overlaid, projected
from dashboard.actions.documents import (
    BadDocuments,
    TextObject,
    UnknownKind,
    read_objects,
    secret_values,
)
from dashboard.actions.edit_any import editable, is_secret
from dashboard.actions.manifesttext import MAX_DOCUMENTS, BadYaml, problems_of
from dashboard.errors import BadInput
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR
from dashboard.kinds.catalogue import DEFINITIONS, Kinds
from dashboard.kinds.tablekinds import Resource


@pytest.fixture
def kinds() -> Kinds:
    made = Kinds()
    made.learn((
        DEFINITIONS,
        Resource(GVR("serving.example.com", "v1", "services"), "Service", "service"),
        Resource(
            GVR("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations", namespaced=False),
            "ValidatingWebhookConfiguration", "validatingwebhookconfiguration",
        ),
    ))  # fmt: skip
    return made


def read(text: str, kinds: Kinds, namespace: str = "shop") -> list[TextObject]:
    return read_objects(text, namespace=namespace, context="dev", kinds=kinds)


def document(api_version: str, kind: str, name: str = "a", more: str = "") -> str:
    return f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: {name}}}\n{more}"


def test_what_others_need_comes_first_and_the_rest_stays_as_it_was_written(kinds: Kinds) -> None:
    text = "---\n".join([
        document("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
        document("networking.k8s.io/v1", "Ingress"), document("apps/v1", "Deployment", "b"),
        document("serving.example.com/v1", "Service"), document("apps/v1", "StatefulSet"), document("v1", "Service"),
        document("v1", "ConfigMap"), document("rbac.authorization.k8s.io/v1", "RoleBinding"),
        document("rbac.authorization.k8s.io/v1", "Role"), document("v1", "ServiceAccount"),
        document("apiextensions.k8s.io/v1", "CustomResourceDefinition"), document("v1", "Namespace"),
    ])  # fmt: skip
    found = [(one.target.gvr.group.partition(".")[0], one.target.kind) for one in read(text, kinds)]
    assert found == [
        ("", "Namespace"), ("apiextensions", "CustomResourceDefinition"), ("", "ServiceAccount"), ("rbac", "Role"),
        ("rbac", "RoleBinding"), ("", "ConfigMap"), ("", "Service"), ("apps", "Deployment"), ("serving", "Service"),
        ("apps", "StatefulSet"), ("networking", "Ingress"), ("admissionregistration", "ValidatingWebhookConfiguration"),
    ]  # fmt: skip


def test_a_namespace_is_only_for_those_that_have_one_and_name_none(kinds: Kinds) -> None:
    named = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: other}"
    cluster_wide = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, namespace: wrong}"
    text = "\n---\n".join([named, cluster_wide, document("v1", "Secret")])
    assert [one.target.namespace for one in read(text, kinds)] == ["", "shop", "other"]
    assert "namespace" not in read(cluster_wide, kinds)[0].manifest["metadata"]
    assert [one.target.namespace for one in read(f"{named}\n---\n{cluster_wide}", kinds, "")] == ["", "other"]
    with pytest.raises(BadInput, match="Secret a at line 9 names no namespace") as raised:
        read(text, kinds, "")
    assert raised.value.field == "namespace"
    with pytest.raises(BadInput) as raised:
        read(text, kinds, "no/such")
    assert raised.value.field == "namespace"


def test_kinds_that_the_text_defines_are_known_by_where_that_is(kinds: Kinds) -> None:
    spec = "spec: {group: x.example.com, scope: Cluster, names: {plural: gadgets, kind: Gadget}}\n"
    text = "---\n".join([
        document("x.example.com/v1beta1", "Gadget"),
        document("apiextensions.k8s.io/v1", "CustomResourceDefinition", "gadgets.x.example.com", spec),
    ])  # fmt: skip
    definition, gadget = read(text, kinds)
    assert definition.defines and (gadget.defined_at, gadget.number) == (2, 1)
    assert gadget.target.gvr == GVR("x.example.com", "v1beta1", "gadgets", False)
    assert (gadget.target.plural, gadget.target.namespace) == ("gadgets.x.example.com", "")
    with pytest.raises(UnknownKind):
        read(document("x.example.com/v1", "Gizmo"), kinds)


def test_the_version_is_the_one_that_is_written(kinds: Kinds) -> None:
    (one,) = read(document("autoscaling/v1", "HorizontalPodAutoscaler"), kinds)
    assert (one.target.gvr.version, one.target.plural) == ("v1", "horizontalpodautoscalers")


def test_an_export_is_taken_without_what_the_server_keeps(kinds: Kinds) -> None:
    text = """
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata:
    name: a
    uid: u1
    resourceVersion: "7"
    creationTimestamp: null
    annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}", note: kept}
    managedFields: []
  status: {}
- apiVersion: v1
  kind: Secret
  metadata: {name: b}
  stringData: {key: value}
"""
    secret, settings = read(text, kinds)
    assert settings.manifest["metadata"] == {
        "name": "a",
        "namespace": "shop",
        "annotations": {"note": "kept"},
    }
    assert "status" not in settings.manifest and settings.document.line == 5
    assert secret.manifest["data"] == {"key": base64.b64encode(b"value").decode()}
    assert "stringData" not in secret.manifest and "value" not in repr(secret)


def test_all_that_is_wrong_is_told_at_its_lines_and_never_a_value(kinds: Kinds) -> None:
    text = """apiVersion: v1
kind: ConfigMap
---
kind: ConfigMap
metadata: {name: a}
---
apiVersion: v1
kind: ConfigMap
metadata:
  generateName: a-
---
apiVersion: v1
kind: Secret
metadata: {name: s}
data: {key: canary value}
---
apiVersion: v1
kind: Secret
metadata: {name: t}
data: {key: 1234567}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: a/b
"""
    with pytest.raises(BadDocuments) as raised:
        read(text, kinds)
    found = problems_of(raised.value, None)
    assert [each.line for each in found] == [1, 4, 10, 15, 20, 25]
    said = " ".join(each.text for each in found)
    assert "generateName" in said and "stringData" in said and "canary" not in said and "1234567" not in said


@pytest.mark.parametrize(("field", "value"), [("name", "123"), ("name", "yes"), ("namespace", "7")])
def test_a_name_that_yaml_takes_for_no_text_is_told_to_be_quoted(
    field: str, value: str, kinds: Kinds
) -> None:
    names = {"name": "a", field: value}
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n" + "".join(f"  {k}: {v}\n" for k, v in names.items())
    with pytest.raises(BadDocuments) as raised:
        read(text, kinds)
    (told,) = problems_of(raised.value, None)
    assert (told.line, told.text) == (3 + len(names), f"metadata.{field} is not text: quote it.")


def test_the_same_object_twice_and_too_many_are_refused(kinds: Kinds) -> None:
    with pytest.raises(BadYaml, match="Line 5: ConfigMap a is there twice: first at line 1"):
        read(f"{document('v1', 'ConfigMap')}---\n{document('v1', 'ConfigMap')}", kinds)
    items = "".join(
        f"- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: a{n}}}}}\n" for n in range(MAX_DOCUMENTS + 1)
    )
    with pytest.raises(BadYaml, match=f"More than {MAX_DOCUMENTS} objects"):
        read(f"apiVersion: v1\nkind: List\nitems:\n{items}", kinds)


def test_values_of_secrets_are_found_whatever_else_the_text_holds() -> None:
    encoded = base64.b64encode(b"stored").decode()
    secret = document("v1", "Secret", more=f"stringData: {{a: typed}}\ndata: {{b: {encoded}, c: '***'}}\n")
    assert secret_values(f"{document('v1', 'ConfigMap', more='data: {x: public}')}\n---\n{secret}") == [
        "typed",
        "stored",
    ]
    assert secret_values("a: [1") == []


def test_what_is_typed_is_laid_over_what_is_there_by_name() -> None:
    there = {"c": [{"name": "a", "image": "a:1", "tty": True}, {"name": "b"}], "args": ["x"], "kept": 1}
    typed = {"c": [{"name": "a", "image": "a:2"}, {"name": "new"}], "args": ["y"]}
    assert overlaid(there, typed) == {
        "c": [{"name": "a", "image": "a:2", "tty": True}, {"name": "b"}, {"name": "new"}],
        "args": ["y"],
        "kept": 1,
    }


def test_of_a_new_object_is_shown_what_was_typed_and_what_came_into_its_lists() -> None:
    typed = {"metadata": {"name": "a"}, "spec": {"volumes": [{"name": "v"}], "args": ["x"]}}
    made = {
        "metadata": {"name": "a", "uid": "u1", "labels": {"controller-uid": "u1"}},
        "spec": {
            "volumes": [
                {"name": "v", "emptyDir": {}},
                {"name": "kube-api-access-x7k2p"},
                {"name": "injected"},
            ],
            "args": ["x"],
            "dnsPolicy": "ClusterFirst",
        },
    }
    assert projected(made, typed) == {
        "metadata": {"name": "a"},
        "spec": {"volumes": [{"name": "v"}, {"name": "injected"}], "args": ["x"]},
    }


def test_every_kind_with_a_module_has_a_place_in_the_order(kinds: Kinds) -> None:
    for kind in KINDS.values():
        (one,) = read(document(kind.gvr.api_version, kind.kind), kinds)
        assert one.target.gvr == kind.gvr


@pytest.mark.parametrize("version", ["/v1", "v1/", " v1", "V1", "a/b/c", "apps /v1"])
def test_what_is_no_api_version_is_refused_and_a_secret_stays_one(version: str, kinds: Kinds) -> None:
    text = f'apiVersion: "{version}"\nkind: Secret\nmetadata: {{name: a}}\nstringData: {{a: typed-canary}}\n'
    with pytest.raises(BadDocuments) as raised:
        read(text, kinds)
    (told,) = problems_of(raised.value, None)
    assert told.line == 1 and "such as apps/v1" in told.text
    assert secret_values(text) == ["typed-canary"]


def test_a_secret_is_one_by_its_group() -> None:
    assert is_secret({"apiVersion": "/v1", "kind": "Secret"})
    other = {"apiVersion": "example.com/v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"a": "b"}}
    assert not is_secret(other)
    assert editable(other)["data"] == {"a": "b"}
