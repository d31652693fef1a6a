"""What a browser's text field does to line endings is undone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.actions.linetext import editable, normal, restore, split, usual_ending

TEXT = st.text(st.sampled_from("ab =\t\r\n€\x0b\x0c\u2028\ufeff"), max_size=60)


def sent(text: str) -> str:
    """A text as a form brings it: HTML makes every ending a line feed, the form makes every one a pair."""
    return normal(text).replace("\n", "\r\n")


@given(TEXT)
def test_nothing_typed_is_nothing_changed(base: str) -> None:
    assert restore(base, sent(base)) == base


@given(TEXT, TEXT)
def test_what_was_typed_is_all_there(base: str, typed: str) -> None:
    assert normal(restore(base, sent(typed))) == normal(typed)


@given(TEXT, st.text(st.sampled_from("xyz"), min_size=1, max_size=5))
def test_a_line_added_in_front_leaves_every_other_line_alone(base: str, line: str) -> None:
    made = restore(base, sent(f"{line}\n{base}"))
    assert made.endswith(base) and normal(made) == f"{line}\n{normal(base)}"
    assert made.startswith(line + usual_ending(base))


@given(TEXT)
def test_splitting_loses_nothing(text: str) -> None:
    assert "".join(content + ending for content, ending in split(text)) == text


@pytest.mark.parametrize(
    ("base", "typed", "made"),
    [
        ("a\r\nb\r\n", "a\r\nc\r\n", "a\r\nc\r\n"),
        ("a\nb\n", "a\r\nc\r\n", "a\nc\n"),
        ("a\r\nb\n", "a\r\nb\r\nc\r\n", "a\r\nb\nc\r\n"),
        ("a\r\nb", "a\r\nb\r\n", "a\r\nb\r\n"),
        ("a\rb\r", "a\r\nx\r\n", "a\rx\r"),
        ("a\nb\n", "a\r\nb", "a\nb"),
        ("", "a\r\nb", "a\nb"),
        ("a  \n\n\n", "a  \r\n\r\n\r\nb", "a  \n\n\nb"),
    ],
)
def test_a_line_keeps_the_ending_it_had(base: str, typed: str, made: str) -> None:
    assert restore(base, typed) == made


def test_a_text_too_large_to_compare_is_still_restored() -> None:
    base = "".join(f"{number}\r\n" for number in range(3000))
    typed = "".join(f"{number} x\n" for number in range(3000))
    assert restore(base, typed) == typed.replace("\n", "\r\n")


def test_what_a_text_field_cannot_hold_is_not_text() -> None:
    assert editable(b"a\r\n\xe2\x82\xac") == "a\r\n€"
    assert editable(b"\xff") is None
    assert editable(b"a\0b") is None
