"""Field by field: what a timeline says of a change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR
from dashboard.kinds.difference import LONGEST, field_changes
from dashboard.kinds.tablekinds import Resource, TableKind


def decoded(plural: str, **parts: Any) -> Any:
    meta = {"name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "1"}
    manifest = {"metadata": meta | parts.pop("metadata", {}), **parts}
    return KINDS[plural].decode_object(json.dumps(manifest).encode())


def container(image: str, **more: Any) -> dict[str, Any]:
    return {"name": "main", "image": image, **more}


def template(*containers: dict[str, Any]) -> dict[str, Any]:
    return {"template": {"spec": {"containers": list(containers)}}}


def test_a_number_that_changed() -> None:
    old = decoded("deployments", spec={"replicas": 3})
    new = decoded("deployments", spec={"replicas": 5}, metadata={"resourceVersion": "2", "generation": 7})
    assert field_changes(old, new) == [("spec.replicas", "3", "5")]


def test_what_every_write_changes_is_no_change() -> None:
    old = decoded("deployments", status={"observedGeneration": 1})
    new = decoded("deployments", status={"observedGeneration": 2}, metadata={"resourceVersion": "9"})
    assert field_changes(old, new) == []


def test_a_condition_that_turned_is_told_without_the_time_of_its_turn() -> None:
    def with_condition(status: str, at: str) -> Any:
        return decoded(
            "pods", status={"conditions": [{"type": "Ready", "status": status, "lastTransitionTime": at}]}
        )

    old, new = with_condition("False", "2026-01-01T00:00:00Z"), with_condition("True", "2026-01-01T00:00:09Z")
    assert field_changes(old, new) == [("status.conditions[Ready].status", "False", "True")]


def test_list_elements_are_known_by_name_not_by_place() -> None:
    old = decoded("deployments", spec=template(container("a:1"), {"name": "side", "image": "s:1"}))
    new = decoded("deployments", spec=template({"name": "side", "image": "s:1"}, container("a:2")))
    assert field_changes(old, new) == [("spec.template.spec.containers[main].image", "a:1", "a:2")]


def test_an_element_that_came_and_one_that_went() -> None:
    old = decoded("deployments", spec=template(container("a:1")))
    new = decoded("deployments", spec=template({"name": "other", "image": "b:1"}))
    changes = {path: (before, after) for path, before, after in field_changes(old, new)}
    assert changes["spec.template.spec.containers[main]"][1] == ""
    assert "image: b:1" in changes["spec.template.spec.containers[other]"][1]


def test_labels_and_what_was_not_there_before() -> None:
    old = decoded("pods", spec={})
    new = decoded("pods", spec={"nodeName": "worker-a1"}, metadata={"labels": {"app": "web"}})
    assert set(field_changes(old, new)) == {
        ("metadata.labels[app]", "", "web"),
        ("spec.nodeName", "", "worker-a1"),
    }


def test_a_configmaps_values_are_only_sizes() -> None:
    old = decoded("configmaps", data={"PASSWORD": "hunter2"})
    new = decoded("configmaps", data={"PASSWORD": "correct horse"})
    assert field_changes(old, new) == [("data[PASSWORD]", "7 bytes", "13 bytes")]


def test_another_value_of_the_same_size_is_a_change() -> None:
    old, new = decoded("configmaps", data={"A": "on "}), decoded("configmaps", data={"A": "off"})
    assert field_changes(old, new) == [("data[A]", "3 bytes", "3 bytes, but another one")]
    assert field_changes(old, decoded("configmaps", data={"A": "on "})) == []


def test_literal_values_of_variables_are_never_in_it() -> None:
    def with_value(value: str) -> Any:
        return decoded("deployments", spec=template(container("a:1", env=[{"name": "P", "value": value}])))

    assert field_changes(with_value("canary-one"), with_value("canary-two")) == []


def test_a_long_value_is_cut_and_says_so() -> None:
    long = "x" * 1000
    ((_, _, after),) = field_changes(decoded("pods"), decoded("pods", status={"reason": long}))
    assert len(after) == LONGEST and after.endswith("…")


@pytest.mark.parametrize("plural", sorted(KINDS))
def test_every_kind_can_be_compared_with_itself(plural: str) -> None:
    if plural == "secrets":
        return  # it is decoded from a Table
    assert field_changes(decoded(plural), decoded(plural)) == []


def gadget(header: list[dict[str, str]], *cells: object, **meta: Any) -> Any:
    whole = {"name": "g", "uid": "u", **meta}
    table = {
        "metadata": {},
        "columnDefinitions": header,
        "rows": [{"cells": cells, "object": {"metadata": whole}}],
    }
    kind = TableKind.of(Resource(GVR("example.com", "v1", "gadgets"), "Gadget"))
    return kind.decode_object(json.dumps(table).encode())


READY = [{"name": "Ready", "type": "string"}, {"name": "Last Run", "type": "date"}]


def test_of_a_table_the_cells_that_differ_but_no_times() -> None:
    old, new = gadget(READY, "False", "5m"), gadget(READY, "True", "2s", finalizers=["x/y"])
    assert field_changes(old, new) == [
        ("metadata.finalizers[x/y]", "", "x/y"),
        ("columns[Ready]", "False", "True"),
    ]


def test_other_columns_are_no_change_of_the_object() -> None:
    other = [{"name": "Phase", "type": "string"}, *READY]
    assert field_changes(gadget(READY, "False", "5m"), gadget(other, "Up", "False", "5m", generation=2)) == [
        ("metadata.generation", "0", "2")
    ]
