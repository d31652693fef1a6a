"""Which fields differ, and putting values back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.actions.changedfields import (
    MAX_FIELDS,
    MISSING,
    changed_fields,
    field_words,
    value_at,
    with_values,
)

KEYS = st.sampled_from(["name", "a", "b/c", "d~e", "f.g"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.sampled_from(["", "x"]))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=10,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)


@given(OBJECTS, OBJECTS)
def test_the_changed_fields_make_one_of_the_other_and_back(old: dict[str, Any], new: dict[str, Any]) -> None:
    paths = changed_fields(old, new)
    made = with_values(old, [(path, value_at(new, path)) for path in paths])
    assert made == new
    assert with_values(made, [(path, value_at(old, path)) for path in reversed(paths)]) == old
    assert (paths == []) == (old == new and repr(old) == repr(new)) or old == new


def containers(*named: str) -> dict[str, Any]:
    return {
        "spec": {"containers": [dict(zip(("name", "image"), one.split("="), strict=True)) for one in named]}
    }


def test_an_entry_goes_by_its_name_whatever_comes_before_it() -> None:
    (path,) = changed_fields(containers("web=1", "side=1"), containers("web=1", "side=2"))
    assert path == "/spec/containers/[name=side]/image"
    assert field_words(path) == "spec.containers[side].image"
    made = with_values(containers("new=9", "web=1", "side=1"), [(path, "2")])
    assert made == containers("new=9", "web=1", "side=2")
    gone = with_values(containers("web=1"), [(path, "2")])
    assert gone == containers("web=1") and value_at(gone, path) is MISSING


def test_a_list_of_other_entries_is_one_value() -> None:
    assert changed_fields(containers("web=1"), containers("web=1", "side=1")) == ["/spec/containers"]


@pytest.mark.parametrize("part", ["spec", "data"])
def test_more_fields_than_help_are_one_part_but_never_metadata(part: str) -> None:
    many = {f"k{at}": "x" for at in range(MAX_FIELDS + 1)}
    paths = changed_fields({part: {}, "metadata": {}}, {part: many, "metadata": {"labels": {"a": "b"}}})
    assert len(changed_fields({part: {"a": 1}}, {part: many})) == 1
    assert f"/{part}" in paths or len(paths) > 1
    assert "/metadata/labels" in paths
