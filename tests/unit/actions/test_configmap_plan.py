"""What a form comes to: bytes as they were, three ways, names and sizes checked before anything is sent."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.actions.configmap_plan import Choice, Draft, Plan, Row, plan
from dashboard.actions.configmap_values import MAX_BYTES, Value, check_key, digest, field_for, values
from dashboard.errors import BadInput

NAMES = st.text(st.sampled_from("abc.-_"), min_size=1, max_size=4).filter(
    lambda name: not name.startswith("..")
)
KEYS = NAMES.filter(lambda name: name != ".")


def there(**contents: bytes) -> dict[str, Value]:
    return {
        key.replace("_", "."): Value(field_for(content, None), content) for key, content in contents.items()
    }


def rows(now: dict[str, Value], **changes: dict[str, Any]) -> tuple[Row, ...]:
    """The form as it was filled, with some rows changed, by key."""
    made = []
    for number, (key, value) in enumerate(now.items()):
        more = changes.get(key.replace(".", "_"), {})
        fields = {
            "id": str(number), "was": key, "base": digest(value.content), "field": value.field,
            "content": value.content, "name": key,
        }  # fmt: skip
        made.append(Row(**(fields | more)))
    return tuple(made)


def written(found: Plan) -> dict[str, bytes | None]:
    return {key: value.content if value else None for key, value in found.mine.items()}


@given(st.dictionaries(KEYS, st.binary(max_size=40), max_size=5))
def test_a_form_sent_back_as_it_came_changes_nothing(contents: dict[str, bytes]) -> None:
    now = {key: Value(field_for(content, None), content) for key, content in contents.items()}
    sent = tuple(
        Row(id=row.id, was=row.was, base=row.base, field=row.field, content=row.content, name=row.name,
            text=row.content.decode().replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
            if row.field == "data" and row.content is not None and b"\0" not in row.content else None)
        for row in rows(now)
    )  # fmt: skip
    found = plan(Draft(sent), now)
    assert found.mine == {} and found.wanted == {} and found.clashes == ()


def test_text_binary_new_renamed_and_deleted_keys() -> None:
    now = there(a_txt=b"one\r\ntwo\r\n", b_bin=b"\xff\x00", c=b"gone", d=b"\xfe")
    changed = rows(
        now, a_txt={"text": "one\r\n2\r\n"}, b_bin={"upload": b"text now"}, c={"delete": True}, d={"name": "e"}
    )  # fmt: skip
    found = plan(Draft((*changed, Row(id="new", name="n", text="x\r\ny"))), now)
    assert written(found) == {
        "a.txt": b"one\r\n2\r\n", "b.bin": b"text now", "c": None, "d": None, "e": b"\xfe", "n": b"x\ny",
    }  # fmt: skip
    assert found.wanted == {
        "data": {"a.txt": b64(b"one\r\n2\r\n"), "c": None, "n": b64(b"x\ny")},
        "binaryData": {"b.bin": b64(b"text now"), "d": None, "e": b64(b"\xfe")},
    }


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_text_that_becomes_binary_moves() -> None:
    now = there(a=b"text")
    found = plan(Draft(rows(now, a={"upload": b"\xff"})), now)
    assert found.wanted == {"data": {"a": None}, "binaryData": {"a": b64(b"\xff")}}


def test_untouched_keys_need_not_be_sent() -> None:
    now = there(a=b"1", b=b"2")
    sent = tuple(Row(id=row.id, was=row.was, base=row.base, field=row.field) for row in rows(now))
    assert plan(Draft(sent), now).mine == {}


def test_two_keys_can_change_names() -> None:
    now = there(a=b"1", b=b"2")
    found = plan(Draft(rows(now, a={"name": "b"}, b={"name": "a"})), now)
    assert written(found) == {"a": b"2", "b": b"1"}


def test_keys_that_do_not_overlap_merge() -> None:
    was = there(a=b"1", b=b"2", c=b"3")
    now = there(a=b"1", b=b"theirs", d=b"new")
    found = plan(Draft(rows(was, a={"text": "mine"}), known={}), now)
    assert written(found) == {"a": b"mine"} and found.clashes == ()
    assert [(each.key, each.how) for each in found.merged] == [
        ("b", "changed"), ("c", "removed"), ("d", "added"),
    ]  # fmt: skip


def test_the_same_change_of_both_is_no_clash() -> None:
    was, now = there(a=b"1"), there(a=b"2")
    assert plan(Draft(rows(was, a={"text": "2"})), now).clashes == ()


@pytest.mark.parametrize(
    ("now", "change"),
    [
        ({"a": b"theirs"}, {"text": "mine"}),
        ({}, {"text": "mine"}),
        ({"a": b"theirs"}, {"delete": True}),
        ({"a": b"theirs"}, {"name": "b", "text": "mine"}),
        ({"a": b"1", "b": b"theirs"}, {"name": "b"}),
    ],
)
def test_a_key_that_both_changed_must_be_decided(now: dict[str, bytes], change: dict[str, Any]) -> None:
    draft = rows(there(a=b"1"), a=change)
    (clash,) = plan(Draft(draft), there(**now)).clashes
    seen = digest(clash.theirs)
    mine = plan(Draft(draft, {clash.key: Choice("mine", seen)}), there(**now))
    assert (mine.clashes == () and mine.mine[clash.key] is not None) or clash.mine is None
    theirs = plan(Draft(draft, {clash.key: Choice("theirs", seen)}), there(**now))
    assert theirs.clashes == () and theirs.mine == {}, "a renaming is given up as a whole"
    again = plan(Draft(draft, {clash.key: Choice("mine", digest(b"older"))}), there(**now))
    assert again.clashes == (clash,), "a decision is about what was seen"


@pytest.mark.parametrize("name", ["", ".", "..", "..a", "a b", "a/b", "ä", "a\n", "x" * 254, "~"])
def test_names_that_cannot_be_are_refused_before_anything_is_sent(name: str) -> None:
    with pytest.raises(BadInput) as error:
        plan(Draft(rows(there(a=b"1"), a={"name": name})), there(a=b"1"))
    assert error.value.field == "n0"


@pytest.mark.parametrize("name", [".a", "a..b", "-", "_", "x" * 253, "A.b-c_9"])
def test_odd_names_that_can_be(name: str) -> None:
    check_key(name, "n0")


def test_two_keys_of_one_name_are_refused() -> None:
    now = there(a=b"1")
    with pytest.raises(BadInput, match="Two keys are called a"):
        plan(Draft((*rows(now), Row(id="new", name="a", text="x"))), now)


def test_size_counts_the_bytes_of_all_values() -> None:
    now = there(a=b"x" * (MAX_BYTES - 10), b=b"1")
    assert plan(Draft(rows(now, b={"text": "€€€"})), now).mine
    with pytest.raises(BadInput, match="the largest is a"):
        plan(Draft(rows(now, b={"text": "€€€€"})), now)


def test_the_same_form_wants_the_same_after_it_was_applied() -> None:
    was = there(a=b"1", b=b"\xff", c=b"3")
    draft = Draft(rows(was, a={"text": "2"}, b={"name": "z"}, c={"delete": True}))
    first = plan(draft, was)
    now = dict(was)
    for key, value in first.mine.items():
        now.pop(key, None)
        if value is not None:
            now[key] = value
    assert plan(draft, now).wanted == first.wanted and plan(draft, now).clashes == ()


def test_values_are_bytes_whatever_holds_them() -> None:
    found = values({"data": {"b": "€"}, "binaryData": {"a": "/w=="}})
    assert found == {"a": Value("binaryData", b"\xff"), "b": Value("data", "€".encode())}


@pytest.mark.parametrize("change", [{"name": "b"}, {"name": "b", "text": "1"}])
@pytest.mark.parametrize("theirs", [b"theirs", b"\xff"])
def test_a_renaming_takes_along_what_somebody_else_wrote_meanwhile(
    change: dict[str, Any], theirs: bytes
) -> None:
    draft = Draft(rows(there(a=b"1"), a=change))
    found = plan(draft, there(a=theirs))
    assert found.clashes == () and written(found) == {"a": None, "b": theirs}
    assert [(each.key, each.how) for each in found.merged] == [("a", "changed")]
    again = plan(draft, there(b=theirs))
    assert again.clashes == () and written(again) == {"a": None, "b": theirs}, "the same form a second time"


def test_a_renaming_of_bytes_that_are_no_text_needs_no_value_in_the_form() -> None:
    row = {"name": "b", "content": None}
    assert written(plan(Draft(rows(there(a=b"\xff"), a=row)), there(a=b"\xfe"))) == {"a": None, "b": b"\xfe"}


def test_a_clash_says_that_mine_renames_the_key() -> None:
    draft = Draft(rows(there(a=b"1"), a={"name": "b", "text": "mine"}))
    (clash,) = plan(draft, there(a=b"theirs")).clashes
    assert (clash.key, clash.mine, clash.renamed) == ("a", None, "b")


def test_a_key_that_moved_between_text_and_bytes_meanwhile_is_in_one_place_only() -> None:
    draft = Draft(rows(there(a=b"1"), a={"text": "mine"}), {"a": Choice("mine", digest(b"\xff"))})
    wanted = plan(draft, there(a=b"\xff")).wanted
    assert wanted == {"data": {"a": base64.b64encode(b"mine").decode()}, "binaryData": {"a": None}}


@pytest.mark.parametrize("row", [{"text": "x"}, {"upload": b"x"}, {"text": "x", "name": ""}])
def test_a_new_key_needs_a_name(row: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="needs a name") as error:
        plan(Draft((Row(id="new", **row),)), {})
    assert error.value.field == "nnew"


def test_a_form_that_brings_only_what_was_touched_tells_the_same_as_one_that_brings_all() -> None:
    now = {"a": Value("data", b"1"), "b": Value("data", b"2 now"), "d": Value("data", b"4")}
    known = {"a": digest(b"1")[:12], "b": digest(b"2")[:12], "c": digest(b"3")[:12]}
    row = Row(id="0", was="a", base=digest(b"1"), field="data", content=b"1", text="mine")
    found = plan(Draft((row,), known=known), now)
    assert [(each.key, each.how) for each in found.merged] == [
        ("b", "changed"),
        ("c", "removed"),
        ("d", "added"),
    ]
    assert {key: value and value.content for key, value in found.mine.items()} == {"a": b"mine"}


def test_nothing_is_told_of_keys_that_a_form_says_nothing_of() -> None:
    now = {"a": Value("data", b"1"), "b": Value("data", b"2 now"), "d": Value("data", b"4")}
    rows = (
        Row(id="0", was="a", base=digest(b"1"), field="data", content=b"1", text="mine"),
        Row(id="1", was="b", base=digest(b"2"), field="data", content=b"2"),
    )
    found = plan(Draft(rows), now)
    assert [(each.key, each.how) for each in found.merged] == [("b", "changed")]


def test_a_new_key_named_as_one_that_was_not_opened_is_refused() -> None:
    now = {"a": Value("data", b"1")}
    draft = Draft((Row(id="new", name="a", text="x"),), known={"a": digest(b"1")[:12]})
    with pytest.raises(BadInput, match="Two keys are called a"):
        plan(draft, now)
