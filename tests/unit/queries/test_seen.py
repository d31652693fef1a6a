"""The cache through a user's rights: what may not be listed is not there."""

from __future__ import annotations

from typing import Any

from dashboard.errors import Forbidden
from dashboard.queries.access import Visible
from dashboard.queries.seen import Seen
from tests.unit.insight.world import World


def world() -> Any:
    made = World()
    for namespace in ("shop", "staging"):
        made.add("pods", {"metadata": {"name": "web", "namespace": namespace}})
    made.add("nodes", {"metadata": {"name": "n", "namespace": ""}})
    return made


def names(seen: Seen, plural: str, namespace: str | None = None) -> list[str]:
    return [f"{obj.metadata.namespace}/{obj.metadata.name}" for obj in seen.all(plural, namespace)]


def test_everything_where_everything_may_be_seen() -> None:
    seen = Seen(world(), {"pods": Visible(), "nodes": Visible()})
    assert names(seen, "pods") == ["shop/web", "staging/web"]
    assert names(seen, "pods", "shop") == ["shop/web"]
    assert seen.get("nodes", "", "n") is not None
    assert seen.reads("pods", "anywhere") and seen.reads("nodes")


def test_one_namespace_where_only_that_may_be_seen() -> None:
    seen = Seen(world(), {"pods": Visible(frozenset({"shop"}))})
    assert names(seen, "pods") == ["shop/web"]
    assert names(seen, "pods", "staging") == []
    assert seen.get("pods", "shop", "web") is not None
    assert seen.get("pods", "staging", "web") is None
    assert seen.reads("pods", "shop") and not seen.reads("pods", "staging") and not seen.reads("pods")


def test_nothing_of_what_was_refused_or_not_asked_for() -> None:
    refused = Visible(frozenset(), Forbidden("no", verb="list", resource="pods"))
    seen = Seen(world(), {"pods": refused})
    assert names(seen, "pods") == names(seen, "pods", "shop") == names(seen, "nodes") == []
    assert seen.get("pods", "shop", "web") is None and seen.get("nodes", "", "n") is None
    assert not seen.reads("pods", "shop") and not seen.reads("nodes")
