"""Replicas over time: steps, their sum, gaps and forgetting."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from dashboard.live.history import KEEP_SECONDS, History


class Cache:
    """Deployments' store and the state of its watch."""

    def __init__(self) -> None:
        self.state = "live"
        self.tell: Any = None

    def store(self, plural: str) -> Any:
        return SimpleNamespace(subscribe=self._subscribe)

    def _subscribe(self, callback: Any) -> Any:
        self.tell = callback
        return lambda: None

    def status(self, plural: str) -> Any:
        return SimpleNamespace(state=self.state)


def delta(name: str, wanted: int | None, ready: int = 0, namespace: str = "shop") -> Any:
    new = None
    if wanted is not None:
        new = SimpleNamespace(
            spec=SimpleNamespace(replicas=wanted), status=SimpleNamespace(ready_replicas=ready)
        )
    return SimpleNamespace(namespace=namespace, name=name, new=new)


def history() -> tuple[History, Cache, list[float]]:
    cache, clock = Cache(), [1000.0]
    return History(cache, lambda: clock[0]), cache, clock  # type: ignore[arg-type]


def test_only_changes_of_replicas_make_steps() -> None:
    made, cache, clock = history()
    for at, ready in ((1000, 0), (1001, 0), (1002, 2)):
        clock[0] = at
        cache.tell([delta("web", 2, ready)])
    assert made.of("shop", "web") == [(1000, 2, 0), (1002, 2, 2)]


def test_the_sum_has_one_step_for_what_came_together() -> None:
    made, cache, clock = history()
    cache.tell([delta("web", 2, 2), delta("api", 3, 3), delta("x", 5, 5, namespace="other")])
    clock[0] = 1010
    cache.tell([delta("api", 1, 3)])
    assert made.total(frozenset({"shop"})) == [(1000, 5, 5), (1010, 3, 5)]
    assert made.total(None)[0] == (1000, 10, 10)


def test_a_deleted_deployment_goes_to_zero_and_a_watch_that_ended_does_not() -> None:
    made, cache, clock = history()
    cache.tell([delta("web", 2, 2), delta("api", 1, 1)])
    clock[0] = 1010
    cache.tell([delta("web", None)])
    assert made.of("shop", "web")[-1] == (1010, 0, 0)
    cache.state = "starting"  # nobody looks any more: the store is emptied
    cache.tell([delta("api", None)])
    assert made.of("shop", "api") == [(1000, 1, 1)]


def test_what_has_been_gone_for_an_hour_is_forgotten() -> None:
    made, cache, clock = history()
    cache.tell([delta("web", 2, 2)])
    cache.tell([delta("web", None)])
    clock[0] += KEEP_SECONDS + 1
    cache.tell([delta("api", 1, 1)])
    assert made.of("shop", "web") == []
