"""Rows, counts and orders that are kept up to date by changes are those that would be made anew."""

from __future__ import annotations

import dataclasses
import json
import random
from collections import Counter
from typing import Any

import pytest

from dashboard.cache.store import Store
from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind, Row
from dashboard.queries.kindrows import SELECTION_SECONDS, KindRows
from dashboard.queries.lists import sort_key
from dashboard.queries.selections import Selecting

PODS = KINDS["pods"]
SORTS = ("", "name", "-name", "ready", "-restarts", "namespace", "-namespace", "label:app", "-age")


def pod(namespace: str, name: str, *, phase: str = "Running", restarts: int = 0, version: str = "") -> Any:
    statuses = [
        {"name": "a", "ready": phase == "Running", "restartCount": restarts, "state": {"running": {}}}
    ]
    manifest = {
        "metadata": {
            "name": name, "namespace": namespace, "uid": f"{namespace}-{name}", "resourceVersion": version,
            "labels": {"app": f"app-{restarts % 3}", f"only-{restarts % 4}": ""},
            "creationTimestamp": f"2026-01-01T00:00:{restarts % 60:02}Z",
        },
        "spec": {"containers": [{"name": "a", "image": "x"}]},
        "status": {"phase": phase, "containerStatuses": statuses},
    }  # fmt: skip
    return PODS.decode_object(json.dumps(manifest).encode())


class Counting:
    """A kind that counts how often it made a row."""

    def __init__(self) -> None:
        self.made = 0
        self.kind: Kind[Any] = dataclasses.replace(PODS, row=self._row)

    def _row(self, obj: Any) -> Row:
        self.made += 1
        return PODS.row(obj)


def in_order(rows: list[Row], sort: str) -> list[str]:
    key, reverse = sort_key(PODS, sort, lambda _: None)
    rows = sorted(rows, key=lambda row: (row.namespace, row.name))
    return [row.uid for row in sorted(rows, key=key, reverse=reverse)]


def ordered(rows: KindRows, sort: str) -> list[str]:
    key, reverse = sort_key(PODS, sort, lambda _: None)
    return [row.uid for row in rows.select(Selecting(sort, lambda _: True, key, reverse)).rows]


@pytest.mark.parametrize("seed", range(20))
def test_after_any_changes_it_is_as_made_anew(seed: int) -> None:
    chance = random.Random(seed)
    store: Store[Any] = Store(PODS)
    store.replace([pod("a", f"p{n}") for n in range(chance.randrange(60))], "1")
    rows = KindRows(PODS, store)
    for step in range(60):
        some = [
            pod(
                chance.choice("abc"),
                f"p{chance.randrange(60)}",
                phase=chance.choice(["Running", "Pending", "Failed"]),
                restarts=chance.randrange(9),
            )
            for _ in range(chance.choice([1, 1, 1, 30]))
        ]
        if chance.random() < 0.2:
            gone = chance.sample(store.values(), k=min(len(store), chance.randrange(5)))
            store.replace([obj for obj in store.values() if obj not in gone], str(step))
        store.add(some)
        anew = [PODS.row(obj) for obj in store.values()]
        for sort in chance.sample(SORTS, k=3):
            assert ordered(rows, sort) == in_order(anew, sort), sort
        assert rows.states() == Counter(row.state for row in anew)
        ready = rows.select(Selecting("running", lambda row: row.state == "ok", lambda row: row.name))
        some = sorted((row.name, row.namespace) for row in anew if row.state == "ok")
        assert [(row.name, row.namespace) for row in ready.rows] == some
        assert +ready.states == +Counter({"ok": len(some)})
        within = frozenset({"a", "c"})
        assert rows.states(within) == Counter(row.state for row in anew if row.namespace in within)
        keys = (key for row in anew if row.namespace in within for key in row.labels)
        assert rows.labels(within) == Counter(keys)
        assert {row.uid for row in rows.all(within)} == {row.uid for row in anew if row.namespace in within}


def test_texts_that_a_list_is_asked_for_by_are_counted_as_they_come_and_go() -> None:
    events = KINDS["events"]

    def event(name: str, reason: str, namespace: str = "a") -> Any:
        about = {"kind": "Pod", "namespace": namespace, "name": "web"}
        manifest = {
            "metadata": {"name": name, "namespace": namespace, "uid": name},
            "involvedObject": about,
            "reason": reason,
            "type": "Normal",
        }
        return events.decode_object(json.dumps(manifest).encode())

    store: Store[Any] = Store(events)
    rows = KindRows(events, store)
    store.add([event("one", "Pulled"), event("two", "Pulled"), event("three", "Killing", "b")])
    assert rows.texts("reason") == {"Pulled": 2, "Killing": 1}
    assert rows.texts("object", frozenset({"b"})) == {"pod/web": 1}
    store.replace([event("two", "Pulled")], "2")
    assert rows.texts("reason") == {"Pulled": 1}
    assert list(rows.texts("type")) == ["Normal"]


def test_a_change_of_one_costs_one_row_however_many_there_are() -> None:
    counting = Counting()
    store: Store[Any] = Store(counting.kind)
    store.add(pod("a", f"p{n}") for n in range(2000))
    rows = KindRows(counting.kind, store)
    assert len(rows.all()) == 2000
    compared = 0

    def key(row: Row) -> str:
        nonlocal compared
        compared += 1
        return row.state

    by_state = Selecting("state", lambda _: True, key, reverse=True)
    rows.select(by_state)
    counting.made = compared = 0
    store.add([pod("a", "p7", phase="Failed")])
    assert rows.select(by_state).rows[0].name == "p7"
    assert rows.states()["warn"] == 1
    assert counting.made == 1
    assert compared < 60, "it is placed, not sorted anew"


def test_one_row_that_is_asked_for_makes_no_others_and_stays_the_same() -> None:
    counting = Counting()
    store: Store[Any] = Store(counting.kind)
    store.add(pod("a", f"p{n}") for n in range(100))
    rows = KindRows(counting.kind, store)
    obj = store.get("a", "p3")
    assert rows.row(obj) is rows.row(obj)
    assert counting.made == 1
    assert next(row for row in rows.all() if row.name == "p3") is rows.row(obj)
    assert counting.made == 100
    store.add([pod("a", "p3", restarts=2)])
    assert rows.row(obj).uid == "a-p3", "what is no longer in the store has a row as well"
    assert rows.row(store.get("a", "p3")) is not rows.row(obj)
    assert rows.states() == Counter({"ok": 100})


def test_what_nobody_asks_for_any_more_is_not_kept_up_to_date() -> None:
    store: Store[Any] = Store(PODS)
    store.add(pod("a", f"p{n}") for n in range(100))
    now = 0.0
    rows = KindRows(PODS, store, clock=lambda: now)
    asked = 0

    def fits(_: Row) -> bool:
        nonlocal asked
        asked += 1
        return True

    rows.select(Selecting("all", fits, lambda row: row.name))
    asked, now = 0, SELECTION_SECONDS + 1
    store.add([pod("a", "p1", restarts=1)])
    rows.states()
    assert asked == 0
