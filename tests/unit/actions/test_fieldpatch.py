"""A write as a patch of the fields that it changes, each with what it has to be before."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from dashboard.actions.action import MERGE_PATCH, Write
from dashboard.actions.fieldpatch import MAX_OPERATIONS, field_operations, merged
from dashboard.actions.writing import write_operations
from dashboard.errors import Invalid

from .jsonpatch import patched

WEB: dict[str, Any] = {
    "metadata": {"uid": "u1", "resourceVersion": "7", "annotations": {"a/b~c": "1"}},
    "spec": {
        "replicas": 0,
        "containers": [{"name": "app", "image": "a:1"}, {"name": "side", "image": "s:1"}],
        "args": ["x", "y"],
    },
}
CHANGES = {
    "a field": {"spec": {"replicas": 5}},
    "a field that was not there": {"spec": {"paused": True}},
    "a field with all above it": {"data": {"key": "value"}},
    "a field that goes": {"spec": {"args": None}},
    "a key with a slash": {"metadata": {"annotations": {"a/b~c": "2", "d/e": "3"}}},
    "a list without names": {"spec": {"args": ["x"]}},
    "one of a list": {
        "spec": {"containers": [{"name": "app", "image": "a:2"}, WEB["spec"]["containers"][1]]}
    },
    "nothing": {"spec": {"replicas": 0, "paused": None}},
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_makes_the_same_of_the_object_and_of_any_that_others_changed_elsewhere(change: str) -> None:
    wanted = merged(WEB, CHANGES[change])
    operations = field_operations(WEB, wanted)
    assert patched(WEB, operations) == wanted
    other = merged(
        copy.deepcopy(WEB),
        {"metadata": {"resourceVersion": "8", "labels": {"by": "other"}}, "status": {"n": 1}},
    )
    other["spec"]["containers"][1]["image"] = "s:2"
    made = patched(other, operations)
    assert made["spec"]["containers"][1]["image"] == "s:2", "nobody's write is lost"
    assert made["metadata"]["labels"] == {"by": "other"}


@pytest.mark.parametrize("change", [each for each in CHANGES if each != "nothing"])
def test_it_is_refused_where_what_it_changes_is_another_or_the_object_is(change: str) -> None:
    operations = field_operations(WEB, merged(WEB, CHANGES[change]))
    again = merged(WEB, CHANGES[change])
    recreated = merged(WEB, {"metadata": {"uid": "u2"}})
    for each in (again, recreated):
        with pytest.raises(Invalid):
            patched(each, operations)


def test_a_container_that_moved_is_not_taken_for_another() -> None:
    operations = field_operations(WEB, merged(WEB, CHANGES["one of a list"]))
    moved = copy.deepcopy(WEB)
    moved["spec"]["containers"].reverse()
    with pytest.raises(Invalid):
        patched(moved, operations)


def test_a_whole_object_is_written_as_its_changes_and_leaves_who_owns_what_alone() -> None:
    before = merged(WEB, {"metadata": {"managedFields": [{"manager": "kubectl"}]}})
    write = Write(
        method="PUT", content_type="application/json", subresource="", body=merged(WEB, CHANGES["a field"])
    )
    assert [(each["op"], each["path"]) for each in write_operations(write, before) or ()] == [
        ("test", "/metadata/uid"), ("test", "/spec/replicas"), ("add", "/spec/replicas"),
    ]  # fmt: skip


def test_of_a_scale_no_replicas_are_none() -> None:
    write = Write(method="PATCH", content_type=MERGE_PATCH, subresource="scale", body=CHANGES["a field"])
    operations = write_operations(write, WEB)
    assert operations is not None
    assert patched({"metadata": WEB["metadata"], "spec": {}}, operations)["spec"] == {"replicas": 5}


@pytest.mark.parametrize(
    "write",
    [
        Write(method="DELETE", content_type="application/json", subresource="", body={}),
        Write(
            method="PATCH", content_type=MERGE_PATCH, subresource="",
            body={"metadata": {"annotations": {f"key-{n}": "" for n in range(MAX_OPERATIONS)}}},
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_said_so_is_not(write: Write) -> None:
    assert write_operations(write, WEB) is None
