"""Reading archives is bounded, by person and at all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from dashboard.errors import TooManyRequests
from dashboard.recovery.readings import AT_ONCE, MAX_OF_ALL, MAX_OF_ONE, Readings


class Reading:
    """Counts those that are under way, until they are let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.done = list[str]()
        self.now = self.most = 0
        self._lock = threading.Lock()

    def __call__(self, name: str) -> str:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        assert self.go.wait(60)
        with self._lock:
            self.now -= 1
            self.done.append(name)
        return name


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(6000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError


async def begun(readings: Readings, work: Reading, whose: str, name: str) -> asyncio.Task[str]:
    task = asyncio.create_task(readings.read(whose, work, name))
    await asyncio.sleep(0)
    return task


async def test_each_person_reads_one_at_a_time_and_asks_for_few() -> None:
    readings, work = Readings(), Reading()
    tasks = [await begun(readings, work, "mara", f"{number}") for number in range(MAX_OF_ONE)]
    with pytest.raises(TooManyRequests):
        await readings.read("mara", work, "more")
    other = await begun(readings, work, "jon", "other")
    await until(lambda: work.now == AT_ONCE)  # one of each: what mara waits for takes nobody's place
    work.go.set()
    assert await asyncio.gather(*tasks, other) == ["0", "1", "other"]
    assert work.most == AT_ONCE
    assert await readings.read("mara", work, "again") == "again"


async def test_all_together_ask_for_few() -> None:
    readings, work = Readings(), Reading()
    tasks = [await begun(readings, work, f"{number}", "a") for number in range(MAX_OF_ALL)]
    with pytest.raises(TooManyRequests):
        await readings.read("jon", work, "more")
    work.go.set()
    await asyncio.gather(*tasks)
    assert work.most == AT_ONCE


async def test_what_nobody_waits_for_counts_until_it_is_done_and_is_not_begun() -> None:
    readings, work = Readings(), Reading()
    tasks = [await begun(readings, work, "mara", f"{number}") for number in range(MAX_OF_ONE)]
    await until(lambda: work.now == 1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    with pytest.raises(TooManyRequests):
        await readings.read("mara", work, "more")
    work.go.set()
    found = ""
    while not found:
        try:
            found = await readings.read("mara", work, "last")
        except TooManyRequests:
            await asyncio.sleep(0.01)
    assert work.done == ["0", "last"]
