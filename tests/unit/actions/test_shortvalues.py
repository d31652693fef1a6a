"""Which values a change's record keeps, and how they are told."""

from __future__ import annotations

import pytest

from dashboard.actions.configmap_values import Value, digest
from dashboard.actions.edit import EDIT
from dashboard.actions.records import entry_words
from dashboard.actions.shortvalues import MAX_LETTERS, MAX_VALUES, short_values
from dashboard.models import Change


def kept(key: str, old: str | None, new: str | None) -> dict[str, list[str | None]]:
    was, made = ({} if text is None else {key: Value("data", text.encode())} for text in (old, new))
    return short_values(was, made)


def test_short_texts_are_kept_before_and_after() -> None:
    assert kept("CURRENCY", "EUR\n", "USD") == {"CURRENCY": ["EUR", "USD"]}
    assert kept("CURRENCY", None, "USD") == {"CURRENCY": [None, "USD"]}
    assert kept("monkey", "a", "b") == {"monkey": ["a", "b"]}
    assert kept("CURRENCY", "EUR", "EUR") == {}


@pytest.mark.parametrize(
    "key",
    [
        "DB_PASSWORD",
        "password",
        "api-key",
        "apiKey",
        "AUTH",
        "accessToken",
        "SENTRY_DSN",
        "jwt",
        "tls.crt.cert",
        "salt",
    ],
)
def test_of_keys_that_are_named_like_secrets_nothing_is_kept(key: str) -> None:
    assert kept(key, "a", "b") == {}


@pytest.mark.parametrize(
    "value",
    [
        "postgres://u:p@db/x",
        "-----BEGIN RSA PRIVATE KEY-----",
        "ghp_0123456789abcdefghij",
        "x" * (MAX_LETTERS + 1),
        "two\nlines",
        "bell\a",
    ],
)
def test_what_is_long_or_looks_like_a_secret_is_not_kept_on_either_side(value: str) -> None:
    assert kept("SETTING", value, "b") == kept("SETTING", "a", value) == kept("SETTING", None, value) == {}


def test_bytes_are_not_kept_and_of_many_only_some() -> None:
    assert short_values({"a": Value("binaryData", b"\xff")}, {"a": Value("data", b"x")}) == {}
    many = {f"k{number}": Value("data", b"x") for number in range(100)}
    assert len(short_values({}, many)) == MAX_VALUES


def edited(undoes: int | None = None) -> Change:
    marks = [f"{digest(text)} {len(text)}" for text in (b"EUR", b"USD")]
    return Change(
        action="edit",
        touched={"/data/CURRENCY": marks},
        result={"values": {"CURRENCY": ["EUR", "USD"]}},
        undoes_id=undoes,
    )


def test_values_are_told_only_to_those_who_may_read_them() -> None:
    assert EDIT.summary(edited()) == "Changed CURRENCY (3 bytes → 3 bytes)"
    assert EDIT.summary(edited(), with_values=True) == "Changed CURRENCY (EUR → USD)"


def test_an_undo_is_told_as_an_undo() -> None:
    assert (edited().title, edited(7).title) == ("edit", "undo of edit")
    assert entry_words(edited(7), "Changed CURRENCY") == "Undo of change 7: changed CURRENCY"
    assert entry_words(edited(), "Changed CURRENCY") == "Changed CURRENCY"
