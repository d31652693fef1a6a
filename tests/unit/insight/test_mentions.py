"""What a custom object's spec names: each convention on raw JSON, and nothing beyond them."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight.mentions import GATEWAY, MAX_MENTIONS, Mention, mentions

ROUTE = f"{GATEWAY}/v1"


def told(spec: Any, api_version: str = "example.com/v1") -> list[tuple[str, str | None, str, str, str]]:
    found = mentions({"apiVersion": api_version, "kind": "X", "metadata": {"name": "x"}, "spec": spec})
    return [(each.path, each.group, each.kind, each.namespace, each.name) for each in found]


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({"secretName": "s"}, [("spec.secretName", "", "Secret", "", "s")]),
        ({"tls": [{"secretName": "s"}]}, [("spec.tls[].secretName", "", "Secret", "", "s")]),
        ({"auth": {"secretRef": {"name": "s"}}}, [("spec.auth.secretRef", "", "Secret", "", "s")]),
        ({"secretRef": {"name": "s", "namespace": "n"}}, [("spec.secretRef", "", "Secret", "n", "s")]),
        ({"secretKeyRef": {"name": "s", "key": "k"}}, [("spec.secretKeyRef", "", "Secret", "", "s")]),
        ({"configMapRef": {"name": "c"}}, [("spec.configMapRef", "", "ConfigMap", "", "c")]),
        ({"serviceAccountName": "a"}, [("spec.serviceAccountName", "", "ServiceAccount", "", "a")]),
        ({"claimName": "p"}, [("spec.claimName", "", "PersistentVolumeClaim", "", "p")]),
        (
            {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}},
            [("spec.scaleTargetRef", "apps", "Deployment", "", "d")],
        ),
        (
            {"targetRefs": [{"group": "", "kind": "Service", "name": "s"}]},
            [("spec.targetRefs[]", "", "Service", "", "s")],
        ),
        (
            {"targetRef": {"kind": "Deployment", "name": "d"}},
            [("spec.targetRef", None, "Deployment", "", "d")],
        ),
    ],
)
def test_a_field_of_a_known_name_names_what_it_says(spec: Any, found: Any) -> None:
    assert told(spec) == found


def test_references_of_the_gateway_api_have_its_defaults() -> None:
    spec = {
        "parentRefs": [{"name": "edge", "namespace": "infra"}],
        "rules": [
            {"backendRefs": [{"name": "web", "port": 80}, {"group": "x.io", "kind": "Pool", "name": "p"}]}
        ],
    }
    assert told(spec, ROUTE) == [
        ("spec.parentRefs[]", GATEWAY, "Gateway", "infra", "edge"),
        ("spec.rules[].backendRefs[]", "", "Service", "", "web"),
        ("spec.rules[].backendRefs[]", "x.io", "Pool", "", "p"),
    ]
    assert told(spec) == [], "of another API the same names may mean anything"


@pytest.mark.parametrize(
    "spec",
    [
        None,
        "text",
        {"secretName": ""},
        {"secretName": ["s"]},
        {"secretRef": "s"},
        {"secretRef": {"name": 3}},
        {"secretRef": {"key": "k"}},
        {"targetRef": {"name": "d"}},
        {"scaleTargetRef": {"kind": None, "name": "d"}},
        {"name": "web", "ref": {"kind": "Deployment", "name": "d"}},
    ],
)
def test_what_does_not_say_what_it_names_names_nothing(spec: Any) -> None:
    assert told(spec) == []


def test_an_object_of_any_depth_and_length_is_read_in_bounds() -> None:
    deep: dict[str, Any] = {"secretName": "s"}
    for _ in range(500):
        deep = {"more": deep}
    assert told(deep) == []
    many = [{"secretName": f"s{number}"} for number in range(5 * MAX_MENTIONS)]
    assert len(told({"all": many})) == MAX_MENTIONS
    assert mentions({"spec": {"a": {"secretName": "s"}, "b": [{"secretName": "s"}]}}) == (
        Mention("spec.a.secretName", "Secret", "s"),
        Mention("spec.b[].secretName", "Secret", "s"),
    )
