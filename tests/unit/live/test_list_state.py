"""Why a list shows what it shows: what was asked for and is not there is said."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import QueryDict

from dashboard import render
from dashboard.cache.reflector import ReflectorStatus
from dashboard.kinds import KINDS
from dashboard.live.screens.listing import ListScreen
from tests.unit.markup import flat

from .seen import everything, runtime, sees, session


def screen(query: str, plural: str = "pods") -> ListScreen:
    found = runtime()
    found.cache.put("namespaces", {"metadata": {"name": "shop"}})
    found.cache.put("pods", {"metadata": {"name": "web"}})
    found.cache.put("nodes", {"metadata": {"name": "n"}})
    made = ListScreen(session(found), QueryDict(query), plural)
    sees(made, everything())
    return made


def state(query: str, plural: str = "pods") -> dict[str, Any]:
    shown = screen(query, plural)
    return shown._state(shown.listing())


def test_a_namespace_that_is_not_there_is_said_beside_those_that_are() -> None:
    told = state("namespace=shop&namespace=gone")
    assert told["state"] == "partly"
    assert (told["title"], told["text"]) == ("There is no namespace gone.", "These are the Pods of shop.")
    assert told["next"]["url"] == "/c/tests/pods/?namespace=shop"
    assert state("namespace=gone")["state"] == "no-match"
    assert state("namespace=shop")["state"] == ""


def test_a_kind_without_namespaces_asks_for_none() -> None:
    assert state("namespace=shop&namespace=gone", "nodes")["state"] == ""


@pytest.mark.parametrize("query", ["q=nothing-is-called-so", "labels=app%3Dnone", "labels=(", "state=need"])
def test_a_filter_that_leaves_nothing_is_counted_against_what_there_is(query: str) -> None:
    shown = screen(query)
    head = shown._head(shown.listing())
    assert (head["shown_to"], head["total"]) == (0, 1)
    assert "<b>0</b> of <b>1</b>" in flat(render.region("list_head", head).html)


def test_events_are_not_created_by_hand() -> None:
    assert screen("", "jobs")._create_url == "/c/tests/create/?kind=jobs"
    assert screen("", "events")._create_url == ""


def test_what_is_not_listed_yet_is_not_counted() -> None:
    shown = screen("", "jobs")
    shown.runtime.cache.status = lambda plural: ReflectorStatus("starting")  # type: ignore[method-assign]
    assert " of <b>" not in render.region("list_head", shown._head(shown.listing())).html


@pytest.mark.parametrize(
    ("plural", "key", "first"),
    [
        ("pods", "restarts", "-restarts"),
        ("pods", "cpu", "-cpu"),
        ("pods", "age", "age"),
        ("pods", "name", "name"),
        ("pods", "ready", "ready"),
        ("configmaps", "data", "-data"),
        ("replicasets", "desired", "-desired"),
        ("persistentvolumes", "capacity", "-capacity"),
        ("jobs", "duration", "-duration"),
        ("events", "count", "-count"),
    ],
)
def test_a_first_click_on_an_amount_sorts_the_greatest_first_and_a_second_turns_it_round(
    plural: str, key: str, first: str
) -> None:
    shown = screen("", plural)
    column = next(column for column in shown.columns if column.key == key)
    assert shown._next_sort(column, "") == first
    second = shown._next_sort(column, first)
    assert second != first and second.removeprefix("-") == key
    assert shown._next_sort(column, second) == first


@pytest.mark.parametrize("plural", sorted(KINDS))
def test_every_column_of_numbers_begins_with_the_greatest(plural: str) -> None:
    shown = screen("", plural)
    for column in shown.columns:
        if column.num:
            assert shown._next_sort(column, "") == f"-{column.key}"
