"""Tries are counted one by one, in a window that begins with the first."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from django.core.cache import caches
from django.core.cache.backends import base, locmem

from dashboard.throttle import _count, times


@pytest.fixture(autouse=True)
def empty() -> None:
    caches["throttle"].clear()


async def test_what_comes_at_once_is_counted_one_by_one() -> None:
    assert sorted(await asyncio.gather(*(times("a", 60) for _ in range(20)))) == list(range(1, 21))
    assert await times("a", 60, count=0) == 20
    assert await times("b", 60) == 1


async def test_the_window_ends_when_it_was_said_however_often_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    for module in (base, locmem):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: now))
    for seconds, count in ((0, 1), (30, 2), (59, 3), (61, 1)):
        now = 1000.0 + seconds
        assert await times("short", 60) == count
    for seconds, count in ((100, 1), (110, 2), (900, 3), (1001, 1)):
        now = 1000.0 + seconds
        assert await times("long", 900) == count


def test_what_ran_out_while_it_was_counted_ends_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class RunsOut(locmem.LocMemCache):
        """As Redis: what is counted up and not there begins, without an end."""

        def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
            self.set(key, delta, None)
            return delta

    now = 1000.0
    for module in (base, locmem):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: now))
    cache = RunsOut("runs-out", {})
    assert _count(cache, "a", 60, 1) == 1
    now += 61
    assert cache.get("a") is None
