"""The figures that are looked up when Prometheus asks: each says what is so, one state at a time."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from dashboard import loop
from dashboard.cache.reflector import ReflectorStatus
from dashboard.cache.store import Store
from dashboard.errors import NotFound
from dashboard.kinds import KINDS
from dashboard.live import figures as module
from dashboard.live.figures import Figures


def pod(name: str) -> Any:
    meta = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "1"}
    return KINDS["pods"].decode_object(json.dumps({"metadata": meta}).encode())


class Group:
    def __init__(self, *plurals: str, late: float, viewers: int) -> None:
        self.screen = SimpleNamespace(plurals=frozenset(plurals))
        self.viewers = range(viewers)
        self._late = late

    def late(self) -> float:
        return self._late


class Cache:
    """Pods are live and were heard half a minute ago; nodes have been away for a minute and were never heard."""

    running = ("pods", "nodes", "jobs")
    waiting_lists = 3

    def __init__(self) -> None:
        now = time.monotonic()
        self._states = {
            "pods": ReflectorStatus("live", since=now - 300),
            "nodes": ReflectorStatus("reconnecting", since=now - 60),
            "jobs": ReflectorStatus("stopped", "", NotFound("The API server does not serve Jobs."), now - 60),
        }
        self._heard = {"pods": now - 30, "nodes": 0.0, "jobs": 0.0}
        self._stores: dict[str, Store[Any]] = {plural: Store(KINDS[plural]) for plural in self.running}
        self._stores["pods"].add(pod(f"web-{number}") for number in range(4))

    def status(self, plural: str) -> ReflectorStatus:
        return self._states[plural]

    def store(self, plural: str) -> Store[Any]:
        return self._stores[plural]

    def heard_at(self, plural: str) -> float:
        return self._heard[plural]


def told(registry: CollectorRegistry) -> dict[str, float]:
    lines = generate_latest(registry).decode().splitlines()
    return {
        name: float(value) for name, _, value in (each.rpartition(" ") for each in lines if each[0] != "#")
    }


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> CollectorRegistry:
    groups = {1: Group("pods", "events", late=2.5, viewers=7), 2: Group("pods", late=0.5, viewers=1)}
    cluster = SimpleNamespace(
        cluster=SimpleNamespace(name="prod"),
        installation=SimpleNamespace(cache=Cache()),
        hub=SimpleNamespace(groups=groups),
        timeline=SimpleNamespace(waiting=5),
    )
    monkeypatch.setattr(module.runtime, "opened", lambda: [cluster])
    made = CollectorRegistry()
    made.register(Figures())
    return made


def test_a_watch_that_is_live_and_one_that_is_away(registry: CollectorRegistry) -> None:
    found = told(registry)
    assert found['cluster_ui_watch_live{context="prod",kind="pods"}'] == 1
    assert found['cluster_ui_watch_live{context="prod",kind="nodes"}'] == 0
    assert 'cluster_ui_watch_live{context="prod",kind="jobs"}' not in found, "nobody would have to look"
    assert 30 <= found['cluster_ui_watch_age_seconds{context="prod",kind="pods"}'] < 60
    assert found['cluster_ui_watch_age_seconds{context="prod",kind="nodes"}'] >= 60


def test_what_waits_to_be_shown_counts_for_the_kinds_that_the_page_shows(registry: CollectorRegistry) -> None:
    found = told(registry)
    assert found['cluster_ui_watch_lag_seconds{context="prod",kind="pods"}'] == 2.5
    assert found['cluster_ui_watch_lag_seconds{context="prod",kind="nodes"}'] == 0


def test_objects_and_their_memory(registry: CollectorRegistry) -> None:
    found = told(registry)
    assert found['cluster_ui_cached_objects{context="prod",kind="pods"}'] == 4
    assert found['cluster_ui_cached_objects{context="prod",kind="nodes"}'] == 0
    assert 4 * 500 < found['cluster_ui_cached_bytes{context="prod",kind="pods"}'] < 4 * 50_000


def test_pages_and_what_is_made_for_them(registry: CollectorRegistry) -> None:
    found = told(registry)
    assert found['cluster_ui_pages{context="prod"}'] == 8
    assert found['cluster_ui_shown{context="prod"}'] == 2


async def test_what_waits_in_queues(registry: CollectorRegistry) -> None:
    go_on = threading.Event()
    calls = [asyncio.create_task(loop.off_loop(go_on.wait)) for _ in range(6)]
    await asyncio.sleep(0)
    try:
        found = told(registry)
    finally:
        go_on.set()
        await asyncio.gather(*calls)
    assert found['cluster_ui_queue_length{queue="lists"}'] == 3
    assert found['cluster_ui_queue_length{queue="timeline"}'] == 5
    assert found['cluster_ui_queue_length{queue="threads"}'] >= 4, "two of the six have a thread"
    assert told(registry)['cluster_ui_queue_length{queue="threads"}'] == 0
