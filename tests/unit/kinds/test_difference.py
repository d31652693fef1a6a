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


def noted(**notes: str) -> Any:
    names = {name.replace("__", "/").replace("_", "."): text for name, text in notes.items()}
    return decoded("services", metadata={"annotations": names})


def test_an_annotation_that_somebody_wrote_changed_or_took_away() -> None:
    assert field_changes(noted(team="a", owner="x"), noted(team="b", example_com__on="call")) == [
        ("metadata.annotations[team]", "a", "b"),
        ("metadata.annotations[owner]", "x", ""),
        ("metadata.annotations[example.com/on]", "", "call"),
    ]


def test_of_a_long_annotation_it_is_the_size() -> None:
    (change,) = field_changes(noted(), noted(policy="canary " * 50))
    assert change == ("metadata.annotations[policy]", "", "350 bytes")
    assert field_changes(noted(policy="a" * 300), noted(policy="b" * 300))


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("kubectl.kubernetes.io/last-applied-configuration", '{"data":"canary"}', '{"data":"canaries"}'),
        ("deployment.kubernetes.io/revision", "1", "2"),
        ("control-plane.alpha.kubernetes.io/leader", '{"holderIdentity":"a"}', '{"holderIdentity":"b"}'),
        ("pv.kubernetes.io/bind-completed", "", "yes"),
        ("cluster-autoscaler.kubernetes.io/last-updated", "2026-03-01 12:00:00.1 +0000 UTC", "2026-03-01 12:00:09 +0000"),
        ("example.com/renewed", "1772366400", "1772366410"),
    ],
)  # fmt: skip
def test_what_programs_write_for_each_other_is_no_change(name: str, before: str, after: str) -> None:
    def with_note(text: str) -> Any:
        return decoded("deployments", metadata={"annotations": {name: text}})

    assert field_changes(with_note(before), with_note(after)) == []


def test_restart_through_the_pod_template_is_a_change_with_its_moment() -> None:
    def restarted(at: str) -> Any:
        notes = {"kubectl.kubernetes.io/restartedAt": at, "checksum/config": "abc"}
        return decoded("deployments", spec={"template": {"metadata": {"annotations": notes}}})

    before, after = "2026-03-01T10:00:00Z", "2026-03-01T12:00:00Z"
    assert field_changes(restarted(before), restarted(after)) == [
        ("spec.template.metadata.annotations[kubectl.kubernetes.io/restartedAt]", before, after)
    ]


def test_annotations_of_a_secret_are_not_read() -> None:
    def secret(note: str) -> Any:
        meta = {"name": "s", "namespace": "shop", "uid": "u", "annotations": {"token": note, "-": note}}
        row = {"cells": ["s", "Opaque", 1, "5m"], "object": {"metadata": meta}}
        return KINDS["secrets"].decode_object(json.dumps({"metadata": {}, "rows": [row]}).encode())

    assert "canary" not in repr(secret("canary"))
    assert field_changes(secret("canary-one"), secret("canary-two")) == []


def test_a_configmaps_values_are_only_sizes() -> None:
    old = decoded("configmaps", data={"PASSWORD": "hunter2"})
    new = decoded("configmaps", data={"PASSWORD": "correct horse"})
    assert field_changes(old, new) == [("data[PASSWORD]", "7 bytes", "13 bytes")]


def test_another_value_of_the_same_size_is_a_change() -> None:
    old, new = decoded("configmaps", data={"A": "on "}), decoded("configmaps", data={"A": "off"})
    assert field_changes(old, new) == [("data[A]", "3 bytes", "3 bytes, a different value")]
    assert field_changes(old, decoded("configmaps", data={"A": "on "})) == []


def test_of_literal_values_of_variables_and_of_commands_it_is_the_size() -> None:
    def with_value(value: str) -> Any:
        env, args = [{"name": "P", "value": value}], ["serve", f"--password={value}"]
        probe = {"exec": {"command": ["ping", f"-p{value}"]}}
        whole = container("a:1", env=env, args=args, livenessProbe=probe)
        return decoded("deployments", spec=template(whole))

    at = "spec.template.spec.containers[main]"
    assert field_changes(with_value("canary-one"), with_value("canary-two")) == [
        (f"{at}.args[1]", "21 bytes", "21 bytes, a different value"),
        (f"{at}.env[P].value", "10 bytes", "10 bytes, a different value"),
        (f"{at}.livenessProbe.exec.command[1]", "12 bytes", "12 bytes, a different value"),
    ]
    assert "canary" not in repr(with_value("canary-one"))


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
