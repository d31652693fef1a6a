"""What the rules read is what the user may see."""

from __future__ import annotations

from typing import Any

from dashboard.errors import Forbidden
from dashboard.queries.access import Visible
from dashboard.queries.seen import Seen

from ..insight.world import World, pod, service


def seen(world: Any, **visible: Visible) -> Seen:
    return Seen(world, visible)


def test_kinds_that_are_refused_or_not_asked_about_are_empty_and_not_known() -> None:
    world = World(("pods", pod()), ("services", service()))
    one = seen(world, services=Visible(frozenset(), Forbidden("no", verb="list", resource="services")))
    for plural in ("pods", "services"):
        assert one.all(plural) == ()
        assert one.get(plural, "shop", "web") is None
        assert not one.reads(plural, "shop")


def test_only_namespaces_that_may_be_seen_are_there() -> None:
    other = pod("other")
    other["metadata"]["namespace"] = "secret"
    world = World(("pods", pod()), ("pods", other))
    one = seen(world, pods=Visible(frozenset({"shop"})))
    assert [each.metadata.name for each in one.all("pods")] == ["web-1"]
    assert one.all("pods", "secret") == []
    assert one.get("pods", "secret", "other") is None
    assert one.reads("pods", "shop") and not one.reads("pods", "secret")


def test_whoever_may_see_all_sees_all() -> None:
    world = World(("pods", pod()))
    one = seen(world, pods=Visible())
    assert len(one.all("pods")) == 1 and one.reads("pods", "anywhere")
