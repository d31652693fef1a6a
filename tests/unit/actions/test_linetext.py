"""What a browser's text field does to line endings is undone."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.actions import linetext
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


def counted(texts: list[str]) -> tuple[list[Any], list[int]]:
    """Lines that count how often two of them are compared."""
    asked = [0]

    class Counted(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            asked[0] += 1
            return str.__eq__(self, other)

    return [Counted(text) for text in texts], asked


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # Where many lines are alike and none two in a row, SequenceMatcher takes the cube of their number.
        (
            [each for n in range(2000) for each in ("x", f"a{n}")],
            [each for n in range(2000) for each in ("x", f"b{n}")],
        ),
        ([f"a{n}" for n in range(50_000)], [f"b{n}" for n in range(50_000)]),
        (["a", "b"] * 20_000, ["b", "a", "c"] * 15_000),
    ],
    ids=["alternating", "all other", "repeated"],
)
def test_comparing_is_bounded_whatever_the_lines_are(
    old: list[str], new: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines, asked = counted(old)
    monkeypatch.setattr(linetext, "MAX_STEPS", 50_000)
    steps = list(linetext.blocks(lines, new))
    assert asked[0] <= 3 * (len(old) + len(new))
    assert steps[0][1] == steps[0][3] == 0
    assert (steps[-1][2], steps[-1][4]) == (len(old), len(new))


@given(st.lists(st.sampled_from("abc"), max_size=9), st.lists(st.sampled_from("abc"), max_size=9))
def test_no_way_keeps_more_lines(old: list[str], new: list[str]) -> None:
    kept = 0
    for tag, a1, a2, b1, b2 in linetext.blocks(old, new):
        if tag == "equal":
            assert old[a1:a2] == new[b1:b2]
            kept += a2 - a1
    longest = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for x, y in itertools.product(range(len(old)), range(len(new))):
        longest[x + 1][y + 1] = (
            longest[x][y] + 1 if old[x] == new[y] else max(longest[x][y + 1], longest[x + 1][y])
        )
    assert kept == longest[-1][-1]
