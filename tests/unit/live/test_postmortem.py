"""What a post-mortem leaves out is said, on the page and in what is taken away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.http import QueryDict

from dashboard.errors import Unavailable
from dashboard.kinds import KINDS
from dashboard.live.screens.postmortem import PostmortemScreen
from dashboard.queries.access import Visible
from dashboard.queries.postmortem import NEVER, Happened, as_markdown
from dashboard.queries.recordings import Span

from .seen import everything, nothing, runtime, sees, session

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def screen(address: str = "", **less: Visible) -> PostmortemScreen:
    found = runtime()
    found.cluster.name = "tests"
    made = PostmortemScreen(session(found), QueryDict(address))
    sees(made, everything(**less))
    return made


@pytest.mark.parametrize(
    ("less", "said"),
    [
        ({}, []),
        ({"secrets": nothing("secrets")}, ["You may not list Secrets."]),
        ({"pods": Visible(frozenset())}, ["Whether you may list Pods is not known: nothing is told of them."]),
        ({"pods": Visible(frozenset(), unknown=Unavailable("Away."))},
         ["Whether you may list Pods is not known: nothing is told of them."]),
        ({"pods": Visible(frozenset({"shop"}))}, ["You may not list all namespaces: this is of shop."]),
    ],
)  # fmt: skip
def test_what_may_not_be_seen_is_said_on_the_page_and_in_the_file(
    less: dict[str, Any], said: list[str]
) -> None:
    made = screen(**less)
    assert made.left_out == said
    assert [each for each in made.context()["unknown"] if "may" in each] == said
    text = as_markdown(
        "tests", Span(NOW - timedelta(hours=1), NOW), Happened(known_since=NEVER), made.left_out
    )
    assert all(f"- {each}" in text for each in said)
    assert ("Nothing that the dashboard knows of" in text) is (not said)


def test_the_namespaces_that_were_chosen_are_said_and_kept_in_every_address() -> None:
    made = screen("namespace=shop&namespace=blog")
    assert made.left_out == ["You chose namespaces: this is of blog and shop."]
    told: Any = made.context()
    links = [told["markdown_url"], told["then_url"], *(each["url"] for each in told["ranges"])]
    assert all(QueryDict(each.partition("?")[2]).getlist("namespace") == ["blog", "shop"] for each in links)


def test_it_waits_until_it_is_known_what_may_be_seen() -> None:
    """Right after a start nothing was: all of it was left out, and nothing said."""
    made = screen()
    assert made.waits_for == frozenset(KINDS) and made.partly
