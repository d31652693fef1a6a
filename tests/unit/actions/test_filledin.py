"""What the API server made of an object besides what was asked for."""

from __future__ import annotations

from typing import Any

from dashboard.actions.filledin import MAX_FIELDS, MAX_TOGETHER, bounded, filled_in

ABSENT: Any = {"metadata": {}}


def told(sent: Any, made: Any, before: Any = ABSENT) -> dict[str, tuple[str, str]]:
    found = filled_in(sent, made, before)
    return {} if found is None else {each.field: (each.was, each.value) for each in found.fields}


def test_defaults_are_told_field_by_field_in_entries_of_lists_too() -> None:
    sent = {
        "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"containers": [{"name": "b"}]}}, "ports": [{"port": 80}]},
    }
    made = {
        "metadata": {
            "name": "web", "uid": "u", "creationTimestamp": "now", "managedFields": [], "labels": {"a.b/c": "d"},
        },
        "spec": {
            "replicas": 1,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
            "template": {
                "spec": {"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "resources": {}, "tty": False}]}
            },
            "ports": [{"port": 80, "protocol": "TCP"}],
        },
        "status": {"replicas": 0},
    }  # fmt: skip
    assert told(sent, made) == {
        "metadata.labels[a.b/c]": ("", "d"),
        "spec.replicas": ("", "1"),
        "spec.strategy.type": ("", "RollingUpdate"),
        "spec.strategy.rollingUpdate.maxSurge": ("", "25%"),
        "spec.template.spec.containers[a].name": ("", "a"),
        "spec.template.spec.containers[a].image": ("", "a:1"),
        "spec.template.spec.containers[b].tty": ("", "false"),
        "spec.ports[0].protocol": ("", "TCP"),
    }


def test_what_became_something_else_is_told_with_what_was_asked_for() -> None:
    sent = {"spec": {"cpu": "0.5", "gone": {"x": 1}, "empty": {}, "none": None, "many": [1], "list": None}}
    made = {"spec": {"cpu": "500m", "none": "set", "many": [1, 2], "list": [{"x": 1}]}}
    assert told(sent, made) == {
        "spec.cpu": ("0.5", "500m"),
        "spec.none": ("", "set"),
        "spec.many": ("[1]", "[1, 2]"),
        "spec.list": ("", '[{"x": 1}]'),
        "spec.gone": ('{"x": 1}', "not set"),
    }


def test_nothing_is_told_of_what_is_as_it_was_asked_for() -> None:
    same = {"apiVersion": "v1", "metadata": {"name": "a"}, "data": {"x": "y"}}
    assert filled_in(same, same | {"spec": {}, "list": [], "text": ""}, ABSENT) is None


def test_what_was_so_before_is_nothing_that_the_server_adds_unless_something_else_was_asked_for() -> None:
    before = {"spec": {"ports": [{"port": 80, "protocol": "TCP"}], "ip": "10.0.0.1", "size": 1}}
    sent = {"spec": {"ports": [{"port": 81}], "size": 2}}
    made = {
        "spec": {"ports": [{"port": 81, "protocol": "TCP", "targetPort": 81}], "ip": "10.0.0.1", "size": 1}
    }
    assert told(sent, made, before) == {"spec.ports[0].targetPort": ("", "81"), "spec.size": ("2", "1")}


def test_much_is_counted() -> None:
    made = {"metadata": {}, "spec": {f"f{n}": "x" * 500 for n in range(MAX_FIELDS + 5)}}
    found = filled_in(ABSENT, made, ABSENT)
    assert found is not None and len(found.fields) == MAX_FIELDS and found.more == 5
    assert len(found.fields[0].value) < 100
    many = bounded([found] * 10)
    assert sum(len(each.fields) for each in many) == MAX_TOGETHER
    assert sum(len(each.fields) + each.more for each in many) == 10 * (MAX_FIELDS + 5)
