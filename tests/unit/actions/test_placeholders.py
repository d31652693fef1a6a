"""A Secret as YAML: a placeholder keeps the value that it stands for, and is refused where it stands for none."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.contrib.auth.models import User

from dashboard.actions import edit_any
from dashboard.actions.action import Actor
from dashboard.actions.creation_preview import creation_preview
from dashboard.actions.edit_any import EDIT_ANY, KEPT, editable_text, packed, unpacked
from dashboard.errors import BadInput
from dashboard.queries.objects import LAST_APPLIED
from dashboard.queries.yamltext import as_yaml

from ..insight.world import World
from .test_creation import Cluster, objects

SECRET: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "login", "namespace": "shop", "uid": "u", "resourceVersion": "7"},
    "type": "Opaque",
    "data": {"a": "QQ==", "b": "Qg=="},
}


def written(typed: str, *, form: bool, secret: dict[str, Any] = SECRET) -> dict[str, str]:
    """What an edit makes of the keys."""
    wanted = EDIT_ANY.read({"yaml": typed, "base": packed(secret) if form else ""})
    EDIT_ANY.on(wanted).check(secret, wanted)
    decided = wanted | {"paths": edit_any._paths(wanted, secret)}
    data: dict[str, str] = EDIT_ANY.on(decided).write(secret, decided).body["data"]
    return data


@pytest.mark.parametrize("form", [True, False])
def test_a_key_that_is_renamed_with_its_placeholder_loses_no_value(form: bool) -> None:
    typed = editable_text(SECRET).replace("a: <kept>", "renamed: <kept>")
    with pytest.raises(BadInput, match="there is none under renamed") as refused:
        written(typed, form=form)
    assert refused.value.field == "yaml" and "stringData" in refused.value.next_step


@pytest.mark.parametrize("form", [True, False])
def test_a_placeholder_keeps_its_value_among_plain_text_too(form: bool) -> None:
    made = {key: SECRET[key] for key in ("apiVersion", "kind", "type")} | {
        "metadata": {"name": "login", "namespace": "shop"},
        "data": {"a": KEPT},
        "stringData": {"b": KEPT, "c": "plain"},
    }
    assert written(as_yaml(made), form=form) == {**SECRET["data"], "c": base64.b64encode(b"plain").decode()}


def test_many_values_are_changed_beside_some_that_are_kept() -> None:
    """The paths of so many would not fit into the preview's token: data is one."""
    many = SECRET | {"data": {f"k{at}": "QQ==" for at in range(300)}}
    typed = editable_text(many)
    for at in range(250):
        typed = typed.replace(f"  k{at}: {KEPT}\n", f"  k{at}: Qg==\n")
    made = written(typed, form=True, secret=many)
    assert made == {f"k{at}": "Qg==" if at < 250 else "QQ==" for at in range(300)}


@pytest.mark.parametrize(
    ("meanwhile", "said"),
    [
        ({"a": "QQ==", "b": "bmV3"}, ""),  # another key
        ({"a": "QQ==", "b": "Qg==", "c": "bmV3"}, ""),
        ({"a": "bmV3", "b": "Qg=="}, "data.a ("),
        ({"b": "Qg=="}, "data.a not set"),
    ],
)
def test_only_what_others_wrote_of_the_same_keys_is_a_conflict(meanwhile: dict[str, str], said: str) -> None:
    typed = editable_text(SECRET).replace("a: <kept>", "a: dHlwZWQ=")
    wanted = EDIT_ANY.read({"yaml": typed, "base": packed(SECRET)})
    meta = SECRET["metadata"] | {"resourceVersion": "8", "labels": {"by": "others"}}
    there = SECRET | {"metadata": meta, "data": meanwhile}
    found = EDIT_ANY.on(wanted).overtaken(there, wanted)
    assert (found is not None) is bool(said)
    if found is not None:
        just, was = found
        assert said in just.words(just.touched(there)) and "(" in just.words(was)
        assert just.touched(SECRET) == was


def test_a_key_that_others_removed_as_well_is_no_conflict() -> None:
    typed = editable_text(SECRET).replace("  a: <kept>\n", "")
    wanted = EDIT_ANY.read({"yaml": typed, "base": packed(SECRET)})
    there = SECRET | {"metadata": SECRET["metadata"] | {"resourceVersion": "8"}, "data": {"b": "Qg=="}}
    assert EDIT_ANY.on(wanted).overtaken(there, wanted) is None


def test_of_very_many_keys_what_others_wrote_of_any_is_a_conflict() -> None:
    many = SECRET | {"data": {f"k{at}": "QQ==" for at in range(300)}}
    typed = editable_text(many).replace(KEPT, "Qg==")
    wanted = EDIT_ANY.read({"yaml": typed, "base": packed(many)})
    meta = SECRET["metadata"] | {"resourceVersion": "8"}
    assert EDIT_ANY.on(wanted).overtaken(many | {"metadata": meta}, wanted) is None
    there = many | {"metadata": meta, "data": many["data"] | {"k7": "bmV3"}}
    assert EDIT_ANY.on(wanted).overtaken(there, wanted) is not None


def test_what_a_form_was_filled_with_holds_no_value() -> None:
    kept = str(unpacked(packed(SECRET)))
    assert "QQ==" not in kept and "marks" in kept


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_what_is_shown_changes_nothing_where_it_is_sent_back(kind: str) -> None:
    """By a script, without what a form was filled with: annotations that are not shown stay."""
    notes = {LAST_APPLIED: "{}", "note": "kept by hand"}
    there = SECRET | {"kind": kind, "metadata": SECRET["metadata"] | {"annotations": notes}}
    wanted = EDIT_ANY.read({"yaml": editable_text(there), "base": ""})
    assert edit_any._paths(wanted, there) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("there", [True, False])
async def test_a_text_that_creates_it_has_none_either(there: bool) -> None:
    one = {key: SECRET[key] for key in ("apiVersion", "kind", "type")} | {"metadata": {"name": "login"}}
    api: Any = Cluster(*([one | {"data": SECRET["data"]}] if there else []))
    mara = Actor(user=await User.objects.acreate(username="mara"), name="mara")
    text = objects(one | {"data": {"new": KEPT}})
    found = await creation_preview(transport=api, actor=mara, objects=text, reader=World())
    assert [str(error) for _, error in found.refused] == [
        "<kept> keeps the stored value of a key, and there is none under new."
    ]
