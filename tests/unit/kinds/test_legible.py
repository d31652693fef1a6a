"""What cannot be seen, or reorders what is around it, is shown as a mark wherever text of the cluster is shown."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

import pytest
import yaml
from django.template import engines
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import render
from dashboard.kinds.legible import legible, legible_html, unseen
from dashboard.live.snapshot import Have, Snapshot, frames
from dashboard.queries.objects import as_yaml

MARKED = [
    *"\x00\x07\x08\x1b\x7f\x80\x9b\u00ad\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e",
    *"\u2060\u2066\u2067\u2068\u2069\ufeff\u2028\u2029\ufff9\u3164\U000e0041",
]


@pytest.mark.parametrize("letter", MARKED, ids=lambda letter: f"U+{ord(letter):04X}")
def test_each_such_character_has_a_mark(letter: str) -> None:
    text = f"Back-off {letter}pulling"
    assert legible(text) == f"Back-off ⟨U+{ord(letter):04X}⟩pulling"
    rendered = render.region("usage_note", {"from": "", "empty": text, "notes": [text], "trouble": text}).html
    assert not unseen(rendered)
    assert rendered.count("⟨U+") == 3


@pytest.mark.parametrize(
    "text",
    ["plain, tab\t and\r\nlines", "Grüße 日本語 שלום مرحبا", "👩\u200d💻 👍️", "می\u200cخواهم", "क्\u200dष"],
)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert legible(text) == text


def test_joiners_among_other_letters_are_marked() -> None:
    assert legible("ad\u200cmin\u200d") == "ad⟨U+200C⟩min⟨U+200D⟩"
    assert legible("\u200dé") == "⟨U+200D⟩é"


def test_attributes_are_marked_but_fields_and_copies_keep_their_text() -> None:
    evil = "a\u202eb"
    template = engines["django"].from_string(
        '<b title="{{ t }}">{{ t }}</b><input value="{{ t }}"><textarea name="v">{{ t }}</textarea>'
        '<button data-copy="{{ t }}">{{ t }}</button>'
    )
    mark = "a⟨U+202E⟩b"
    assert template.render({"t": evil}) == (
        f'<b title="{mark}">{mark}</b><input value="{evil}"><textarea name="v">{evil}</textarea>'
        f'<button data-copy="{evil}">{mark}</button>'
    )


def test_a_text_cannot_pretend_to_be_a_field() -> None:
    evil = ' value="a\u202eb" <textarea>\u202e</textarea>'
    shown = engines["django"].from_string("<p>{{ t }}</p>").render({"t": evil})
    assert not unseen(shown)


def test_what_begins_and_never_ends_is_no_field_and_costs_its_length_alone() -> None:
    assert legible_html("<textarea\u202e <script \u202e</script> value=\u202e") == (
        "<textarea⟨U+202E⟩ <script \u202e</script> value=⟨U+202E⟩"
    )
    began = time.process_time()
    for endless in ("<textarea ", "<script ", ' value="'):
        assert not unseen(legible_html("\u202e" + endless * 100_001))
    assert time.process_time() - began < 10, "looking for each end anew took minutes"


@settings(deadline=None)
@given(st.text(st.sampled_from('ab <>"&\u202e\u200b\x00\u200d'), max_size=60))
def test_marks_change_nothing_else(text: str) -> None:
    assert not {*legible(text)} & {"\u202e", "\u200b", "\x00"}
    assert legible(legible(text)) == legible(text)
    assert legible_html(text).replace("⟨U+", "") == legible_html(legible_html(text)).replace("⟨U+", "")


@pytest.mark.parametrize("letter", MARKED, ids=lambda letter: f"U+{ord(letter):04X}")
def test_yaml_shows_escapes_and_reads_back_the_same(letter: str) -> None:
    obj: dict[str, Any] = {
        "data": {"note": f"two\nlines {letter}ü", f"k{letter}": "x"},
        "plain": "Grüße\nvon hier\n",
    }
    text = as_yaml(obj)
    assert not unseen(text)
    assert "plain: |\n  Grüße" in text
    assert yaml.safe_load(text) == obj


def test_the_title_of_a_page_is_marked() -> None:
    (frame,) = frames(Have(), Snapshot(title="a\u202eb"))
    assert frame == '"title":"a⟨U+202E⟩b"'


def test_what_a_spreadsheet_gets_is_marked_and_no_formula() -> None:
    from dashboard.views.exports import _no_formula

    line = io.StringIO()
    csv.writer(line).writerow(
        [_no_formula(legible(text)) for text in ("\u202e=1", "＝1", "-1", "-x", "\n=1")]
    )
    assert line.getvalue() == "⟨U+202E⟩=1,'＝1,-1,'-x,\"'\n=1\"\r\n"
