"""The fields of kinds out of OpenAPI documents, of whatever form somebody gave them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dashboard.errors import BadInput
from dashboard.kinds.fieldschema import (
    MAX_BELOW,
    MAX_DESCRIPTION,
    MAX_FIELDS,
    MAX_VALUES,
    Fields,
    NoField,
    Schemas,
    UnreadableSchema,
    steps_of,
)

REF = "#/components/schemas/"
GVK = [{"group": "example.com", "version": "v1", "kind": "Thing"}]


def thing(properties: Any, **others: Any) -> Fields:
    """The fields of a kind with these, beside other named schemas."""
    root = {"type": "object", "properties": properties, "x-kubernetes-group-version-kind": GVK}
    body = {"components": {"schemas": {"com.example.Thing": root, **others}}, "paths": {"/x": {"get": {}}}}
    found = Schemas(msgspec.json.encode(body)).fields(("example.com", "v1", "Thing"))
    assert found is not None
    return found


def test_what_is_referred_to_and_made_of_several_is_one_field() -> None:
    spec = {"description": "Of it.", "default": {}, "allOf": [{"$ref": f"{REF}com.example.Spec"}]}
    made = {
        "type": "object",
        "description": "A spec.",
        "required": ["size"],
        "properties": {"size": {"type": "integer", "format": "int32", "default": 0}},
        "allOf": [{"properties": {"tier": {"type": "string", "enum": ["a", "b"], "default": "a"}}}],
    }
    found = thing({"spec": spec}, **{"com.example.Spec": made})
    told = found.explain("spec")
    assert told.shape.type == "Spec" and told.default == "" and told.description == "Of it.\nA spec."
    assert [(row.path, row.shape.required, row.inside) for row in told.rows] == [
        ("spec.size", True, False),
        ("spec.tier", False, False),
    ]
    assert found.explain("spec.size").default == "", "an empty one of what must be given says nothing"
    assert found.explain("spec.tier").default == '"a"' and found.explain("spec.tier").shape.values == (
        "a",
        "b",
    )


def test_a_cycle_has_an_end_wherever_it_is() -> None:
    loop = {"type": "object", "description": "Again.", "properties": {"inner": {"$ref": f"{REF}Loop"}}}
    chain = {"description": "Round.", "allOf": [{"$ref": f"{REF}Chain"}]}
    list_ = {"type": "array", "items": {"$ref": f"{REF}List"}}
    found = thing(
        {name.lower(): {"$ref": f"{REF}{name}"} for name in ("Loop", "Chain", "List", "Missing")},
        Loop=loop, Chain=chain, List=list_,
    )  # fmt: skip
    assert found.explain("loop.inner.inner.inner").shape.type == "Loop"
    assert found.explain("chain").shape.type == "Chain"
    assert found.explain("list").shape.forms == ("list",)
    with pytest.raises(NoField):
        found.explain("list.x")
    assert found.explain("missing").shape == msgspec.structs.replace(
        found.explain("missing").shape, type="Missing", forms=()
    )
    below = found.below("")
    assert "loop.inner.inner" in below
    assert len(msgspec.json.encode(below)) < MAX_BELOW * 2


@pytest.mark.parametrize(
    ("schema", "forms"),
    [
        ({"x-kubernetes-int-or-string": True}, ("integer", "string")),
        ({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}, ("integer", "string")),
        ({"oneOf": [{"type": "string"}, {"type": "number"}]}, ("string", "number")),
        ({"anyOf": [{"type": "string"}, {"required": ["x"]}]}, ()),
        ({"type": "object", "anyOf": [{"type": "string"}]}, ("object",)),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, ("object",)),
        ({"x-kubernetes-preserve-unknown-fields": True}, ()),
        ({"type": "object", "additionalProperties": {"type": "string"}}, ("map",)),
        ({"type": "object", "additionalProperties": True}, ("map",)),
        ({"type": "object", "additionalProperties": False}, ("object",)),
        ({"type": "array"}, ("list",)),
        ({"type": "boolean"}, ("boolean",)),
        ({}, ()),
    ],
)  # fmt: skip
def test_what_a_value_may_be(schema: Any, forms: tuple[str, ...]) -> None:
    assert thing({"x": schema}).explain("x").shape.forms == forms


def test_a_level_says_whether_it_takes_other_names() -> None:
    fields = {"a": {"type": "string"}}
    closed = {"type": "object", "properties": fields}
    found = thing(
        {
            "closed": closed,
            "kept": closed | {"x-kubernetes-preserve-unknown-fields": True},
            "embedded": closed | {"x-kubernetes-embedded-resource": True},
            "extra": closed | {"additionalProperties": {"type": "string"}},
        }
    )
    told = {path: level.open for path, level in found.below("").items()}
    assert told == {"": False, "closed": False, "kept": True, "embedded": True, "extra": True}


def test_lists_and_maps_are_passed_through_as_kubectl_does() -> None:
    entry = {"type": "object", "properties": {"n": {"type": "integer"}, "a.b": {"type": "string"}}}
    found = thing(
        {
            "list": {"type": "array", "items": entry, "x-kubernetes-list-map-keys": ["n", "a.b"]},
            "map": {"type": "object", "additionalProperties": {"type": "array", "items": entry}},
        }
    )
    for path, whole in (
        ("list.n", "list[].n"),
        ("list[].n", "list[].n"),
        ("list[0].n", "list[].n"),
        ("map.n", "map[*][].n"),
        ("map[app.kubernetes.io/name][0].n", "map[*][].n"),
        ("list[][a.b]", "list[][a.b]"),
    ):
        assert found.explain(path).path == whole
    assert found.explain("list").keys == ("n", "a.b")
    assert found.explain("map").shape.type == "map[string][]Object"
    assert set(found.below("")) == {"", "list[]", "map[*][]"}
    assert set(found.below("map")) == {"map[*][]"}
    assert found.explain("list").rows[1].path == "list[][a.b]"


def test_what_is_not_there_is_named_with_what_is_near() -> None:
    found = thing({"spec": {"type": "object", "properties": {"replicas": {"type": "integer"}}}})
    with pytest.raises(NoField, match="Thing spec has no field replica") as error:
        found.explain("spec.replica")
    assert (error.value.at, error.value.near) == ("spec", "spec.replicas")
    with pytest.raises(NoField) as error:
        found.explain("spec.replicas.x")
    assert (error.value.at, error.value.near) == ("spec.replicas", "")


@pytest.mark.parametrize("path", ["a..b", ".a", "a.", "a]b", "a[", "a" * 1001, ".".join("a" * 65)])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(BadInput) as error:
        steps_of(path)
    assert error.value.field == "path"


def test_a_status_is_told_only_where_it_is_asked_for() -> None:
    inner = {"type": "object", "properties": {"ready": {"type": "boolean"}}}
    found = thing({"spec": inner, "status": inner})
    assert set(found.below("")) == {"", "spec"}
    assert set(found.below("status")) == {"status"}


def test_what_is_large_is_cut_and_said_to_be() -> None:
    many = {f"f{n:05}": {"type": "string", "description": "x" * 50} for n in range(MAX_FIELDS + 7)}
    found = thing(
        {
            "many": {"type": "object", "properties": many},
            "long": {"type": "string", "description": "y" * 50_000, "enum": [*range(1000)]},
            **{f"again{n}": {"type": "object", "properties": many} for n in range(20)},
        }
    )
    told = found.explain("many")
    assert len(told.rows) == MAX_FIELDS and told.left_out == 7
    long = found.explain("long")
    assert len(long.description) == MAX_DESCRIPTION + 1 and len(long.shape.values) == MAX_VALUES
    assert len(msgspec.json.encode(found.below(""))) < 2 * MAX_BELOW
    names = {f"{n:03}{'z' * 240}": {"enum": ["v" * 250] * 50} for n in range(200)}
    huge = thing({"x" * 1_000_000: {"type": "string"}, **names}).below("")
    assert list(huge) == [""] and len(msgspec.json.encode(huge)) < 2 * MAX_BELOW
    assert huge[""].left_out + len(huge[""].fields) == 201


def test_what_has_another_form_counts_as_not_there() -> None:
    odd: list[Any] = [
        None,
        7,
        "x",
        [],
        {"properties": []},
        {"allOf": {}},
        {"items": 3},
        {"$ref": 5},
        {"required": 1},
    ]
    odd += [
        {"enum": {}},
        {"description": 9},
        {"allOf": [1, None]},
        {"oneOf": ["x"]},
        {"type": ["string"]},
        {"$ref": "x"},
    ]
    found = thing({f"f{n}": each for n, each in enumerate(odd)})
    for n in range(len(odd)):
        told = found.explain(f"f{n}")
        assert told.rows == () and told.description == ""
    assert list(found.below("")) == [""]


def test_a_schema_that_is_nested_too_deeply_is_refused() -> None:
    deep = b'{"components": {"schemas": {"a": ' + b'{"items": ' * 100_000 + b"{}" + b"}" * 100_000 + b"}}}"
    for body in (b"", b"[]", b"<html>", b'{"components": 3}', deep):
        with pytest.raises(UnreadableSchema):
            Schemas(body)


def test_a_kind_of_another_group_is_not_this_one() -> None:
    body = {"components": {"schemas": {"Thing": {"x-kubernetes-group-version-kind": GVK}, "Odd": 3}}}
    schemas = Schemas(msgspec.json.encode(body))
    assert schemas.fields(("example.com", "v2", "Thing")) is None
    assert schemas.fields(("", "v1", "Thing")) is None
    assert schemas.fields(("example.com", "v1", "Thing")) is not None
