"""Rows that others judge are kept up to date: a judgement costs what it judges in another way."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import msgspec

from dashboard.cache.store import Store
from dashboard.insight import Finding
from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref
from dashboard.queries.judgedrows import JudgedRows
from dashboard.queries.kindrows import KindRows
from dashboard.queries.selections import Selecting

SERVICES = KINDS["services"]


def service(name: str, version: str = "1") -> Any:
    metadata = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": version}
    return SERVICES.decode_object(json.dumps({"metadata": metadata, "spec": {}}).encode())


def verdict(name: str, severity: Any = "bad", said: str = "has no ready endpoints.") -> dict[Any, Finding]:
    ref = Ref("Service", "shop", name, "services")
    finding = Finding(
        rule="broken-service", severity=severity, weight=1, ref=ref, text=((name, ref), (f" {said}", None))
    )
    return {("services", "shop", name): finding}


class World:
    def __init__(self) -> None:
        self.store: Store[Any] = Store(SERVICES)
        self.store.add([service(f"s{n}") for n in range(50)])
        self.judged = JudgedRows(KindRows(SERVICES, self.store), self.store)

    def states(self, verdicts: dict[Any, Finding]) -> Counter[str]:
        return self.judged.follow(verdicts).states()


def test_counts_and_orders_follow_each_judgement() -> None:
    world = World()
    worst = Selecting("worst", lambda _: True, lambda row: row.state != "bad")
    assert world.states({}) == {"ok": 50}
    assert world.judged.follow({}).select(worst).rows[0].name == "s0"
    assert world.states(verdict("s7")) == {"ok": 49, "bad": 1}
    first = world.judged.rows.select(worst).rows[0]
    assert (first.name, first.state, first.reason) == ("s7", "bad", "has no ready endpoints.")
    assert world.states(verdict("s9", "warn")) == {"ok": 49, "warn": 1}
    assert world.judged.rows.select(worst).rows[0].name == "s0"


def test_a_row_that_is_judged_as_before_is_the_same_row() -> None:
    world = World()
    before = {row.name: row for row in world.judged.follow(verdict("s7")).all()}
    after = {row.name: row for row in world.judged.follow(verdict("s7") | verdict("s9")).all()}
    assert [name for name, row in after.items() if row is not before[name]] == ["s9"]


def test_an_object_that_changes_keeps_its_verdict_and_one_that_goes_takes_it_along() -> None:
    world = World()
    world.states(verdict("s7"))
    world.store.add([service("s7", "2")])
    assert world.states(verdict("s7"))["bad"] == 1
    world.store.replace([service("s1")], "3")
    assert world.states(verdict("s7")) == {"ok": 1}


def test_a_note_leaves_the_state_as_it_is() -> None:
    world = World()
    (row,) = [
        row for row in world.judged.follow(verdict("s3", "note", "is not used.")).all() if row.name == "s3"
    ]
    assert (row.state, row.reason) == ("ok", "is not used.")
    assert msgspec.structs.asdict(row)["uid"] == "s3"


def test_a_workload_that_fails_is_told_as_on_the_overview_without_the_count_of_its_own_column() -> None:
    kind = KINDS["deployments"]
    store: Store[Any] = Store(kind)
    refused = {"type": "ReplicaFailure", "status": "True", "message": 'pods "web-" is forbidden: no quota'}
    raw = {
        "metadata": {"name": "web", "namespace": "shop", "uid": "web", "resourceVersion": "1"},
        "spec": {"replicas": 1},
        "status": {"conditions": [refused]},
    }
    store.add([kind.decode_object(json.dumps(raw).encode())])
    judged = JudgedRows(KindRows(kind, store), store)
    (row,) = judged.follow({}).all()
    assert (row.state, row.reason) == ("bad", 'pods can\'t be created: pods "web-" is forbidden: no quota')
    ref = Ref("Deployment", "shop", "web", "deployments")
    for severity, told in (
        ("bad", "no more can be created, because ServiceAccount web does not exist."),
        ("warn", row.reason),
    ):
        text = (("Deployment web", ref), (f" in shop has 0 of 1 pod ready: {told}", None))
        finding = Finding(rule="creation", severity=severity, weight=1, ref=ref, text=text)
        (shown,) = judged.follow({("deployments", "shop", "web"): finding}).all()
        assert (shown.state, shown.reason) == ("bad", told)
