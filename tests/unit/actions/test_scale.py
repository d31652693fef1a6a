"""Numbers that can be asked for, and what scaling writes and reads."""

from __future__ import annotations

import inspect
from types import ModuleType

import pytest

from dashboard.actions import restart, scale
from dashboard.actions.action import merge_patch, typed_object
from dashboard.actions.scale import SCALE
from dashboard.errors import BadInput


@pytest.mark.parametrize(("typed", "number"), [("0", 0), ("3", 3), (" 3 ", 3), ("007", 7), ("10000", 10_000)])
def test_whole_numbers_are_read(typed: str, number: int) -> None:
    assert SCALE.read({"replicas": typed}) == {"replicas": number}


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "  ",
        "-1",
        "1e3",
        "3.0",
        "+3",
        "three",
        "٣",
        "３",
        "²",
        "0x10",
        "1_000",
        "1,000",
        "3 4",
        "10001",
        "9" * 5000,
        "\0",
    ],
)
def test_other_input_is_refused_and_names_the_field(typed: str) -> None:
    with pytest.raises(BadInput) as error:
        SCALE.read({"replicas": typed})
    assert error.value.field == "replicas"
    assert len(error.value.message) < 120


def test_a_missing_number_of_replicas_is_one() -> None:
    assert SCALE.touched({"spec": {}}) == {"/spec/replicas": 1}
    assert SCALE.touched({"spec": {"replicas": 0}}) == {"/spec/replicas": 0}


def test_the_answers_missing_number_is_zero() -> None:
    after = SCALE.after({"spec": {"replicas": 3}}, {"kind": "Scale", "spec": {}})
    assert SCALE.touched(after) == {"/spec/replicas": 0}
    assert SCALE.touched({"kind": "Scale", "spec": {}}) == {"/spec/replicas": 0}


def test_words_and_inverse() -> None:
    assert SCALE.words({"/spec/replicas": 1}) == "1 replica"
    assert SCALE.back({"spec": {"replicas": 3}}) == {"replicas": 3}


def test_the_patch_follows_from_the_fields_that_are_owned() -> None:
    path = "/spec/template/metadata/annotations/example.com~1at"
    assert merge_patch({path: None, "/spec/paused": True}) == {
        "spec": {"template": {"metadata": {"annotations": {"example.com/at": None}}}, "paused": True}
    }
    assert SCALE.body({}, {"replicas": 0}) == {"spec": {"replicas": 0}}


def test_an_object_of_a_custom_kind_that_is_called_scale_is_not_read_as_one() -> None:
    bathroom = {"apiVersion": "example.com/v1", "kind": "Scale", "metadata": {"name": "a", "uid": "u1"},
                "spec": {"replicas": "three"}}  # fmt: skip
    assert typed_object("scales.example.com", bathroom) is None
    assert typed_object("deployments", bathroom | {"apiVersion": "autoscaling/v1", "spec": {"replicas": 3}})
    assert SCALE.after({"spec": {}}, bathroom) == bathroom


@pytest.mark.parametrize("module", [restart, scale])
def test_a_declaration_is_read_on_one_screen(module: ModuleType) -> None:
    """What an action does is declared; how it is previewed, applied, followed and undone is the engine's."""
    assert len(inspect.getsource(module).splitlines()) <= 60
