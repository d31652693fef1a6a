"""What the page of a ConfigMap shows of its values."""

from __future__ import annotations

from dashboard.actions.configmap_values import Value
from dashboard.live.screens.detail.cards.keys import MAX_LETTERS, MAX_LINES, MAX_VALUES, beginnings


def of(*contents: bytes) -> dict[str, Value]:
    return {f"k{number}": Value("data", content) for number, content in enumerate(contents)}


def test_short_values_are_shown_whole() -> None:
    assert beginnings(of(b"EUR", b"a\nb\n", b"")) == {
        "k0": {"text": "EUR", "more": False},
        "k1": {"text": "a\nb", "more": False},
        "k2": {"text": "", "more": False},
    }


def test_of_long_ones_the_beginning_and_of_bytes_that_they_are_bytes() -> None:
    many, long = b"line\n" * 1000, "ü".encode() * 300_000
    found = beginnings(of(many, long, b"\xff\0"))
    assert found["k0"] == {"text": "\n".join(["line"] * MAX_LINES), "more": True}
    assert found["k1"] == {"text": "ü" * MAX_LETTERS, "more": True}
    assert found["k2"] == {"binary": True}


def test_all_together_are_bounded() -> None:
    found = beginnings(of(*[b"x" * MAX_LETTERS] * 2000))
    assert sum(len(each["text"]) for each in found.values()) <= MAX_VALUES + MAX_LETTERS
