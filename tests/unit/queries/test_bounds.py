"""What is looked for is bounded before a single row is looked at, and says so in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import QueryDict

from dashboard.errors import BadInput
from dashboard.kinds.selectors import SelectorError, parse
from dashboard.live.screens.chrome import ChromeScreen
from dashboard.queries.lists import ListQuery
from dashboard.queries.logs import LogOptions
from dashboard.queries.search import SearchQuery
from dashboard.queries.timeline import TimelineQuery
from tests.unit.live.seen import runtime, session

Read = Callable[[QueryDict], Any]


def lists(params: QueryDict) -> ListQuery:
    return ListQuery.read("events", params)


@pytest.mark.parametrize(
    ("read", "field", "text"),
    [
        (lists, "q", "w " * 11),
        (lists, "q", "w" * 201),
        (lists, "q", "word " * 30_000),
        (lists, "reason", "w" * 201),
        (lists, "object", "w" * 201),
        (lists, "columns", ",".join(f"label:a{n}" for n in range(61))),
        (lists, "columns", "label:" + "a" * 400),
        (lists, "sort", "label:" + "a" * 400),
        (SearchQuery.read, "q", "w " * 11),
        (SearchQuery.read, "q", "w" * 201),
        (TimelineQuery.read, "q", "w" * 201),
    ],
)
def test_too_much_is_refused_in_words(read: Read, field: str, text: str) -> None:
    with pytest.raises(BadInput, match=r"enter at most|choose at most|more than") as refused:
        read(QueryDict(urlencode({field: text})))
    assert len(refused.value.message) < 200


@pytest.mark.parametrize(
    ("read", "field"),
    [
        (lists, "namespace"), (SearchQuery.read, "namespace"), (TimelineQuery.read, "namespace"),
        (LogOptions.read, "pod"), (LogOptions.read, "container"),
    ],
)  # fmt: skip
def test_what_is_said_again_and_again_is_bounded_by_count(read: Read, field: str) -> None:
    read(QueryDict(urlencode([(field, f"a{n}") for n in range(200)] * 2)))
    with pytest.raises(BadInput, match="choose at most 200"):
        read(QueryDict(urlencode([(field, f"a{n}") for n in range(201)])))


@pytest.mark.parametrize("read", [lists, SearchQuery.read])
def test_what_a_person_types_is_not(read: Read) -> None:
    assert read(QueryDict(urlencode({"q": " crashloop  shop web-1 "}))).q == "crashloop shop web-1"
    assert len(read(QueryDict(urlencode({"q": "w" * 200}))).q) == 200


def test_a_label_filter_is_bounded_and_says_so() -> None:
    assert len(parse(",".join(f"a{n}" for n in range(30))).requirements) == 30
    with pytest.raises(SelectorError, match="more than 30 requirements"):
        parse(",".join(f"a{n}" for n in range(31)))
    with pytest.raises(SelectorError, match="characters long"):
        parse("app in (" + ",".join(f"v{n}" for n in range(1000)) + ")")


def test_the_text_of_a_log_filter_is_bounded_and_what_was_typed_is_told() -> None:
    options = LogOptions.read(QueryDict(urlencode({"q": "x" * 30_000})))
    field, why = options.wrong
    assert field == "q" and "at most" in why
    assert len(options.q) == 1000


def test_the_frame_around_the_words_that_refuse_it_is_there() -> None:
    too_many = QueryDict(urlencode([("namespace", f"a{n}") for n in range(201)]))
    assert ChromeScreen(session(runtime()), too_many).chosen is None
