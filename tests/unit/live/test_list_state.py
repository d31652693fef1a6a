"""Why a list shows what it shows: what was asked for and is not there is said."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict

from dashboard.live.screens.listing import ListScreen

from .seen import everything, runtime


def state(query: str, plural: str = "pods") -> dict[str, Any]:
    found = runtime()
    found.cache.put("namespaces", {"metadata": {"name": "shop"}})
    found.cache.put("pods", {"metadata": {"name": "web"}})
    found.cache.put("nodes", {"metadata": {"name": "n"}})
    screen = ListScreen(found, QueryDict(query), plural)
    screen.seen = everything()
    return screen._state(screen.listing())


def test_a_namespace_that_is_not_there_is_said_beside_those_that_are() -> None:
    told = state("namespace=shop&namespace=gone")
    assert told["state"] == "partly"
    assert (told["title"], told["text"]) == ("There is no namespace gone.", "These are the Pods of shop.")
    assert told["next"]["url"] == "/c/tests/pods/?namespace=shop"
    assert state("namespace=gone")["state"] == "no-match"
    assert state("namespace=shop")["state"] == ""


def test_a_kind_without_namespaces_asks_for_none() -> None:
    assert state("namespace=shop&namespace=gone", "nodes")["state"] == ""
