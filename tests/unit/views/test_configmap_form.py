"""What comes back from the ConfigMap's form is read exactly, or refused."""

from __future__ import annotations

import base64
import zlib
from urllib.parse import quote

import pytest
from django.core.exceptions import TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, QueryDict
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from dashboard.actions.configmap_editing import Clashes, EditForm
from dashboard.actions.configmap_plan import Clash, Draft, Plan, Row, plan
from dashboard.actions.configmap_reading import Writer
from dashboard.actions.configmap_values import MAX_BYTES, Value, digest
from dashboard.actions.diff import MAX_LINES, Line
from dashboard.errors import BadInput
from dashboard.queries.keys import MAX_SHOWN_KEYS
from dashboard.views.configmap import MAX_SHOWN_TOGETHER, _contents
from dashboard.views.draft import known_now, packed, read_draft, unpacked
from dashboard.views.editor import MAX_TOLD_KEYS, said_of
from dashboard.views.editors import editors, key_list, line_count
from dashboard.views.errors import bad_request
from dashboard.views.steps import MAX_DIFF_LINES, _part


def request_of(query: str) -> HttpRequest:
    request = HttpRequest()
    request.POST = QueryDict(query)
    return request


@given(st.binary(max_size=200))
def test_packed_bytes_come_back(content: bytes) -> None:
    assert unpacked(packed(content)) == content


@pytest.mark.parametrize(
    "text", ["?", "AAAA", base64.b64encode(b"x").decode(), packed(b"x" * (5 * MAX_BYTES))]
)
def test_what_was_never_packed_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        unpacked(text)


def test_a_bomb_is_not_blown_up() -> None:
    with pytest.raises(BadInput, match="fit into a ConfigMap"):
        unpacked(base64.b64encode(zlib.compress(bytes(200 * MAX_BYTES))).decode())


def test_rows_choices_and_decisions_are_read() -> None:
    base = digest(b"1")
    draft = read_draft(
        request_of(
            f"row=0+data+{base}+a&n0=b&t0=x&row=new&nnew=c&tnew=y&c-a=theirs&s-a=abc&anyway=a.json&d0=on"
        )
    )
    old, new = draft.rows
    assert (old.was, old.base, old.field, old.name, old.text, old.delete) == (
        "a",
        base,
        "data",
        "b",
        "x",
        True,
    )
    assert (new.was, new.name, new.text) == ("", "c", "y")
    assert draft.choices["a"].side == "theirs" and draft.choices["a"].seen == "abc"
    assert draft.anyway == {"a.json"}


@pytest.mark.parametrize("query", ["row=0+status+x+a", "row=0+data", f"row=0+data+abc+a&b0={'AAAA'}"])
def test_a_damaged_form_is_refused(query: str) -> None:
    with pytest.raises(BadInput):
        read_draft(request_of(query))


@pytest.mark.parametrize(("text", "lines"), [("", 1), ("a", 1), ("a\n", 1), ("a\nb", 2), ("\n\n", 2)])
def test_lines_are_counted_as_editors_do(text: str, lines: int) -> None:
    assert line_count(text) == lines


# ---- Many keys


def many(count: int, size: int = 8) -> EditForm:
    values = {f"key-{number:05}": Value("data", b"x" * size) for number in range(count)}
    return EditForm(values=values, version="1", refusal=None)


def test_a_small_one_has_all_its_editors_open() -> None:
    form = many(5)
    assert key_list(form, None, {}) is None
    assert [field["name"] for field in editors(form, None)] == [*form.values, ""]


@pytest.mark.parametrize("form", [many(2500), many(2, 40_000)])
def test_a_large_one_has_a_list_and_opens_what_is_asked_for(form: EditForm) -> None:
    choice = key_list(form, None, {})
    assert choice is not None and len(choice["keys"]) == min(MAX_SHOWN_KEYS, len(form.values))
    assert [field["name"] for field in editors(form, None)] == [""], "only the one for a new key"
    assert [field["name"] for field in editors(form, None, "key-00001")] == ["key-00001", ""]
    assert [field["name"] for field in editors(form, None, "nobody")] == [""]


def test_what_a_form_without_scripts_holds_comes_back_when_another_key_is_opened() -> None:
    form = many(2500)
    row = Row(id="a", was="key-00007", base=digest(b"xxxxxxxx"), field="data", text="typed")
    fields = editors(form, Draft((row, Row(id="new")), known={}), "key-02000")
    assert [(field["name"], field["text"]) for field in fields] == [
        ("key-00007", "typed"),
        ("key-02000", "xxxxxxxx"),
        ("", ""),
    ]
    choice = key_list(form, Draft((row,)), {"q": "00007"})
    assert choice is not None
    assert [(key["name"], key["mark"]) for key in choice["keys"]] == [("key-00007", "open")]


def test_numbers_of_rows_come_from_names_so_that_keys_opened_at_different_times_never_share_one() -> None:
    first = editors(many(2500), None, "key-00001")[0]
    fewer = {"key-00001": many(2).values["key-00001"]}
    again = editors(EditForm(values=fewer, version="2", refusal=None), None)[0]
    assert first["id"] == again["id"]


def test_the_keys_that_a_form_knew_come_back_and_are_small() -> None:
    form = many(2500)
    text = known_now(form.values)
    assert len(text) < 64 * 1024
    draft = read_draft(request_of(QueryDict(mutable=True).urlencode() + "known=" + quote(text)))
    assert draft.known is not None and set(draft.known) == set(form.values)
    assert plan(draft, form.values).merged == ()


@pytest.mark.parametrize("known", ["?", packed(b"[]"), packed(b'{"a": 1}'), packed(b"{")])
def test_damaged_knowledge_is_refused(known: str) -> None:
    with pytest.raises(BadInput):
        read_draft(request_of(f"known={quote(known)}"))


def test_more_rows_than_a_save_may_touch_are_refused_in_words() -> None:
    with pytest.raises(BadInput, match="19,990 keys: one save may touch 5,000"):
        read_draft(request_of("&".join(f"row=new{number}" for number in range(19_990))))


@pytest.mark.parametrize(
    ("error", "words"), [(TooManyFieldsSent(), "20,000 fields"), (TooManyFilesSent(), "4,000 files")]
)
def test_a_form_over_a_limit_is_told_which_and_what_to_do(error: Exception, words: str) -> None:
    for headers in ({}, {"HX-Target": "preview"}):
        answer = bad_request(RequestFactory().post("/", headers=headers), error)
        assert answer.status_code == 413
        assert words in answer.content.decode() and "Nothing was written" in answer.content.decode()
        assert ('id="preview"' in answer.content.decode()) == bool(headers)


# ---- Long previews


def test_a_long_diff_is_shown_in_parts_that_together_are_all_of_it() -> None:
    diff = tuple(Line(number, "+", f"line {number}") for number in range(1234))
    shown: list[Line] = []
    start = 0
    while True:
        lines, part = _part(diff, start)
        assert part is not None and len(lines) <= MAX_DIFF_LINES
        assert (part["first"], part["total"]) == (start + 1, len(diff))
        shown += lines
        if not (start := part["next"]):
            break
    assert tuple(shown) == diff
    assert _part(diff[:10], 0) == (diff[:10], None)
    assert sum(len(line.text) for line in _part((Line(1, "+", "x" * 90_000),) * 9, 0)[0]) <= 200_000


def test_only_the_sides_that_a_page_holds_are_compared() -> None:
    """Twenty keys that two people rewrote: each side is named with its size, the first ones with their lines."""
    texts = ["".join(f"{who} {number}\n" for number in range(500)).encode() for who in ("was", "now", "mine")]
    base, theirs, mine = texts
    keys = [f"key-{number:02}" for number in range(MAX_TOLD_KEYS)]
    clashes = tuple(Clash(key, base, theirs, mine, str(at)) for at, key in enumerate(keys))
    error = Clashes(Plan({}, {}, {}, clashes, ()), {key: Writer("jon", None) for key in keys})
    told = said_of(error, Draft(()))["clashes"]
    assert [one["key"] for one in told] == keys
    assert all(one[side]["words"] for one in told for side in ("base", "theirs", "mine"))
    lines = [sum(len(one[side]["lines"]) for side in ("base", "theirs", "mine")) for one in told]
    assert lines[0] and sum(lines) < 2 * MAX_LINES + 1000 and not any(lines[3:])


def test_the_page_of_values_shows_as_much_as_it_holds_and_where_the_rest_is() -> None:
    found = {f"key {number}": Value("data", b"x" * 50_000) for number in range(20)}
    shown = _contents({**found, "logo": Value("binaryData", b"\xff"), "none": Value("data", b"")}, "/c/dev/")
    assert sum(len(one["text"] or "") for one in shown) == MAX_SHOWN_TOGETHER
    assert not shown[0]["cut"] and shown[19]["cut"] and shown[19]["text"] == ""
    assert shown[20]["text"] is None and not shown[20]["cut"] and not shown[21]["cut"]
    assert shown[0]["url"] == "/c/dev/value/?key=key+0"
