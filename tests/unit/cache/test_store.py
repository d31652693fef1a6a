"""The store equals the API server's state whatever order, number and completeness of the events."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.cache.store import Delta, Store, is_older
from dashboard.kinds.base import Object, ObjectMeta, WatchEvent
from tests.faults.scripted import THING


def obj(name: str, version: int | str, *, namespace: str = "default", uid: str = "") -> Object:
    return Object(
        metadata=ObjectMeta(
            name=name, namespace=namespace, uid=uid or f"uid-{name}", resource_version=str(version)
        )
    )


def event(kind: str, thing: Object) -> WatchEvent[Object]:
    return WatchEvent(kind, thing, thing.metadata.resource_version)  # type: ignore[arg-type]


@pytest.fixture
def store() -> Store[Object]:
    return Store(THING)


def told(deltas: Sequence[Delta[Object]]) -> list[tuple[str, str, str]]:
    return [(delta.type, delta.namespace, delta.name) for delta in deltas]


def test_objects_are_found_by_name_and_namespace(store: Store[Object]) -> None:
    one, two = obj("a", 1), obj("a", 2, namespace="other", uid="u2")
    store.replace([one, two], "2")
    assert store.get("default", "a") is one
    assert store.get("default", "b") is None
    assert store.get("other", "a") is two
    assert len(store) == store.count(None) == 2
    assert store.values(frozenset({"other", "none"})) == [two]
    assert store.count(frozenset({"other"})) == 1
    assert store.values(frozenset()) == []


def test_replace_tells_only_what_differs(store: Store[Object]) -> None:
    kept = obj("kept", 1)
    store.replace([kept, obj("changed", 2), obj("gone", 3)], "3")
    deltas = store.replace([obj("kept", 1), obj("changed", 5), obj("new", 4)], "5")
    assert told(deltas) == [
        ("MODIFIED", "default", "changed"),
        ("ADDED", "default", "new"),
        ("DELETED", "default", "gone"),
    ]
    assert store.get("default", "kept") is kept
    assert store.get("default", "gone") is None


def test_replace_of_one_namespace_leaves_the_others(store: Store[Object]) -> None:
    store.replace([obj("a", 1), obj("b", 2, namespace="other")], "2")
    assert told(store.replace([], "3", "other")) == [("DELETED", "other", "b")]
    assert store.get("default", "a") is not None
    assert store.namespaces() == {"default"}


def test_a_delta_holds_the_old_and_the_new_object(store: Store[Object]) -> None:
    old, new = obj("a", 1), obj("a", 2)
    store.replace([old], "1")
    delta = store.apply(event("MODIFIED", new))
    assert delta is not None
    assert (delta.old, delta.new) == (old, new)
    delta = store.apply(event("DELETED", obj("a", 3)))
    assert delta is not None
    assert (delta.old, delta.new) == (new, None)


@pytest.mark.parametrize(
    "late",
    [event("MODIFIED", obj("a", 5)), event("ADDED", obj("a", 4)), event("DELETED", obj("a", 3))],
    ids=["the same", "older", "an older deletion"],
)
def test_a_late_event_changes_nothing(store: Store[Object], late: WatchEvent[Object]) -> None:
    store.replace([obj("a", 5)], "5")
    assert store.apply(late) is None
    assert store.values() == [obj("a", 5)]


def test_a_late_event_does_not_bring_a_deleted_object_back(store: Store[Object]) -> None:
    store.replace([obj("a", 5)], "5")
    store.apply(event("DELETED", obj("a", 9)))
    assert store.apply(event("MODIFIED", obj("a", 7))) is None
    assert len(store) == 0
    assert store.apply(event("ADDED", obj("a", 10, uid="new"))) is not None


def test_after_a_list_of_another_history_lower_versions_are_taken(store: Store[Object]) -> None:
    store.replace([obj("a", 500)], "500")
    store.apply(event("DELETED", obj("a", 501)))
    store.replace([], "7")
    assert store.apply(event("ADDED", obj("a", 8))) is not None


def test_after_a_list_of_another_history_the_same_version_may_be_another_write(store: Store[Object]) -> None:
    store.replace([obj("a", 7)], "7")
    meta = msgspec.structs.replace(obj("a", 7).metadata, finalizers=("example.com/written-again",))
    again = Object(metadata=meta)
    assert told(store.replace([again], "7")) == [("MODIFIED", "default", "a")]
    assert store.get("default", "a") is again


def test_versions_that_are_no_numbers_only_tell_duplicates(store: Store[Object]) -> None:
    store.replace([obj("a", "x9")], "x9")
    assert store.apply(event("MODIFIED", obj("a", "x9"))) is None
    assert store.apply(event("MODIFIED", obj("a", "x1"))) is not None


def test_objects_without_a_version_are_always_taken(store: Store[Object]) -> None:
    store.replace([obj("a", "")], "")
    assert store.apply(event("MODIFIED", obj("a", ""))) is not None


def test_subscribers_hear_a_batch_once_until_they_leave(store: Store[Object]) -> None:
    heard: list[int] = []
    leave = store.subscribe(lambda deltas: heard.append(len(deltas)))
    store.apply_all([event("ADDED", obj("a", 1)), event("ADDED", obj("b", 2)), event("ADDED", obj("a", 1))])
    store.apply_all([event("ADDED", obj("a", 1))])  # nothing new: not heard
    leave()
    leave()
    store.apply(event("ADDED", obj("c", 3)))
    assert heard == [2]


def test_a_subscriber_that_fails_stops_neither_the_others_nor_the_store(
    store: Store[Object], caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[int] = []

    def fail(_: Sequence[Delta[Object]]) -> None:
        raise ValueError("a fault of the reader")

    store.subscribe(fail)
    store.subscribe(lambda deltas: heard.append(len(deltas)))
    assert store.apply(event("ADDED", obj("a", 1))) is not None
    assert heard == [1]
    assert "a subscriber of things failed" in caplog.text


def test_the_time_of_the_last_change_moves_only_with_a_change() -> None:
    times = iter((1.0, 2.0, 3.0))
    store: Store[Object] = Store(THING, clock=lambda: next(times))
    assert store.last_change is None
    store.apply(event("ADDED", obj("a", 1)))
    assert store.changed_at == 2.0
    store.apply(event("ADDED", obj("a", 1)))
    assert store.changed_at == 2.0


@pytest.mark.parametrize(
    ("version", "than", "older"),
    [
        ("9", "10", True),
        ("10", "9", False),
        ("7", "7", False),
        ("", "7", False),
        ("a", "b", False),
        ("7", "x", False),
    ],
)
def test_only_numbers_are_compared(version: str, than: str, older: bool) -> None:
    assert is_older(version, than) is older


# What happens to three names, as the API server's history
HISTORY = st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=30)


@given(history=HISTORY, data=st.data())
def test_any_order_and_repetition_of_events_ends_in_the_servers_state(
    history: list[tuple[str, bool]], data: st.DataObject
) -> None:
    truth: dict[str, Object] = {}
    events: list[WatchEvent[Object]] = []
    for version, (name, delete) in enumerate(history, start=1):
        if delete and name in truth:
            gone = truth.pop(name).metadata
            events.append(event("DELETED", obj(name, version, uid=gone.uid)))
        elif not delete:
            known = truth.get(name)
            truth[name] = obj(name, version, uid=known.metadata.uid if known else f"{name}-{version}")
            events.append(event("MODIFIED" if known else "ADDED", truth[name]))
    repeated = [
        *events,
        *data.draw(st.lists(st.sampled_from(events), max_size=10) if events else st.just([])),
    ]
    store: Store[Object] = Store(THING)
    store.apply_all(data.draw(st.permutations(repeated)))
    assert {thing.metadata.name: thing for thing in store.values()} == truth
