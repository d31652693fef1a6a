"""Events that say the same are one, with their count and their first and last time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from dashboard.cache.store import Store
from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref
from dashboard.queries.events import EventGroup, EventGroups
from tests.unit.insight.world import World, ago

WORLD = World()


def groups_of(*events: Any) -> EventGroups:
    store: Store[Any] = Store(KINDS["events"])
    store.add(events)
    return EventGroups(store)


def grouped(events: Sequence[Any]) -> Sequence[EventGroup]:
    return groups_of(*events).latest(None, 100)


def event(
    name: str, *, uid: str = "u1", count: int = 1, first: float = 60, last: float = 60, **more: Any
) -> Any:
    """An Event about a pod; ``first`` and ``last`` in minutes ago."""
    about = {"kind": "Pod", "namespace": "shop", "name": "web-1", "uid": uid}
    manifest = {
        "metadata": {"name": name, "namespace": "shop"},
        "involvedObject": about | more.pop("about", {}),
        "type": "Warning",
        "reason": "BackOff",
        "message": "Back-off restarting",
        "count": count,
        "firstTimestamp": ago(minutes=first),
        "lastTimestamp": ago(minutes=last),
    }
    return WORLD.add("events", manifest | more)


def test_the_same_about_the_same_is_one_with_all_its_counts() -> None:
    one = event("a", count=3, first=50, last=30)
    two = event("b", count=4, first=20, last=5)
    (group,) = grouped([one, two])
    assert (group.latest, group.count) == (two, 7)
    assert (group.first, group.last) == (one.first_timestamp, two.last_timestamp)


def test_another_object_reason_type_or_message_is_another() -> None:
    others = [
        event("a"),
        event("b", uid="u2"),
        event("c", reason="Pulled"),
        event("d", type="Normal"),
        event("e", message="else"),
        event("f", about={"fieldPath": "spec.containers{app}"}),
    ]
    assert len(grouped(others)) == 6


def test_the_latest_comes_first_and_keeps_its_place_on_the_page() -> None:
    old, new = event("a", message="old", last=40), event("b", message="new", last=10)
    groups = grouped([old, new])
    assert [group.latest for group in groups] == [new, old]
    again = event("c", message="old", last=1)
    after = grouped([old, new, again])
    assert after[0].id == groups[1].id, "the same row, moved up"


def test_a_series_counts_and_tells_its_last_time() -> None:
    found = event("a", count=0, first=60, last=60, series={"count": 9, "lastObservedTime": ago(minutes=2)})
    (group,) = grouped([found])
    assert group.count == 9
    assert group.last == found.series.last_observed_time


def test_an_objects_events_are_those_with_its_uid_or_without_any_and_its_name() -> None:
    mine, other = event("a"), event("b", uid="u2")
    nameless = event("c", uid="", reason="Scheduled")
    groups = groups_of(mine, other, nameless)
    found = groups.about(None, {"u1"}, {Ref("Pod", "shop", "web-1", "pods")})
    assert {group.latest.metadata.name for group in found} == {"a", "c"}
    assert len(groups.latest(None, 2)) == 2
    assert groups.about(frozenset({"bank"}), {"u1"}, ()) == [] == groups.latest(frozenset({"bank"}), 9)


@pytest.mark.parametrize("seed", range(10))
def test_after_any_changes_they_are_as_made_anew(seed: int) -> None:
    chance = random.Random(seed)
    store: Store[Any] = Store(KINDS["events"])
    groups = EventGroups(store)
    for _ in range(60):
        name = f"e{chance.randrange(8)}"
        if chance.random() < 0.3:
            store.replace([each for each in store.values() if each.metadata.name != name], "")
        else:
            made = {"uid": chance.choice(("u1", "u2", "")), "message": chance.choice("xy")}
            store.add([event(name, last=chance.randrange(60), **made)])
        if chance.random() < 0.3:
            groups.settle(within=0.0)  # a part of it only
            anew = EventGroups(store)
            assert groups.latest(None, 99) == anew.latest(None, 99)
            named = {Ref("Pod", "shop", "web-1", "pods")}
            assert groups.about(None, {"u1"}, named) == anew.about(None, {"u1"}, named)


def test_thousands_are_taken_in_a_little_at_a_time() -> None:
    store: Store[Any] = Store(KINDS["events"])
    ticks = iter(range(10**6))
    groups = EventGroups(store, clock=lambda: float(next(ticks)))
    store.add([event(f"e{number}", message=str(number)) for number in range(50)])
    turns = 1
    while not groups.settle(within=5.0):
        turns += 1
    assert turns > 10
    assert len(groups.latest(None, 99)) == 50
