"""What comes back from the ConfigMap's form is read exactly, or refused."""

from __future__ import annotations

import base64
import zlib

import pytest
from django.http import HttpRequest, QueryDict
from hypothesis import given
from hypothesis import strategies as st

from dashboard.actions.configmap_values import MOST_BYTES, digest
from dashboard.errors import BadInput
from dashboard.views.configmap import line_count, packed, read_draft, unpacked


def request_of(query: str) -> HttpRequest:
    request = HttpRequest()
    request.POST = QueryDict(query)
    return request


@given(st.binary(max_size=200))
def test_packed_bytes_come_back(content: bytes) -> None:
    assert unpacked(packed(content)) == content


@pytest.mark.parametrize(
    "text", ["?", "AAAA", base64.b64encode(b"x").decode(), packed(b"x" * (5 * MOST_BYTES))]
)
def test_what_was_never_packed_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        unpacked(text)


def test_a_bomb_is_not_blown_up() -> None:
    with pytest.raises(BadInput, match="fit into a ConfigMap"):
        unpacked(base64.b64encode(zlib.compress(bytes(200 * MOST_BYTES))).decode())


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
