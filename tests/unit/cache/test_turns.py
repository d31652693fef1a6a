"""Who is next: what somebody looks at, then what stands beside it, last what nobody waits for."""

from __future__ import annotations

import asyncio

import pytest

from dashboard.cache.turns import BESIDE, LAST, LOOKED_AT, Turns
from tests.faults.scripted import until


class World:
    """Requests that end when a test says so, and the order in which they began."""

    def __init__(self, at_once: int, hold: float = 60.0) -> None:
        self.turns = Turns(at_once, hold)
        self.urgency: dict[str, int] = {}
        self.began: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, name: str, urgency: int) -> None:
        self.urgency[name] = urgency
        self._ends[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._request(name))
        await self.rest()

    async def _request(self, name: str) -> None:
        async with self.turns.turn(lambda: self.urgency[name]):
            self.began.append(name)
            await self._ends[name].wait()

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await self._tasks[name]
        await self.rest()

    async def cancel(self, name: str) -> None:
        self._tasks[name].cancel()
        await asyncio.gather(self._tasks[name], return_exceptions=True)
        await self.rest()

    async def rest(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


async def test_the_most_urgent_is_next_and_of_equals_the_first() -> None:
    world = World(1)
    for name, urgency in (("a", BESIDE), ("last", LAST), ("b", BESIDE), ("c", BESIDE), ("page", LOOKED_AT)):
        await world.ask(name, urgency)
    for name in ("a", "page", "b", "c", "last"):
        await world.end(name)
    assert world.began == ["a", "page", "b", "c", "last"]


async def test_of_those_that_ask_together_the_first_to_ask_is_not_first() -> None:
    world = World(1)
    together = (("last", LAST), ("a", BESIDE), ("page", LOOKED_AT))
    await asyncio.gather(*(world.ask(name, urgency) for name, urgency in together))
    assert world.began == ["page"]
    for name in ("page", "a", "last"):
        await world.end(name)
    assert world.began == ["page", "a", "last"]


async def test_what_somebody_begins_to_look_at_meanwhile_goes_before_the_others() -> None:
    world = World(1)
    for name in ("a", "b", "c"):
        await world.ask(name, BESIDE)
    world.urgency["c"] = LOOKED_AT
    await world.end("a")
    assert world.began == ["a", "c"]


async def test_the_last_waits_for_those_under_way_though_there_is_room() -> None:
    world = World(4)
    await world.ask("page", LOOKED_AT)
    await world.ask("last", LAST)
    await world.ask("a", BESIDE)
    assert world.began == ["page", "a"]
    await world.end("a")
    assert world.began == ["page", "a"]
    await world.end("page")
    assert world.began == ["page", "a", "last"]


async def test_a_list_that_comes_in_pieces_keeps_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns(1, hold=60.0)
    timers: list[asyncio.TimerHandle] = []
    loop = asyncio.get_running_loop()
    call_later = loop.call_later
    monkeypatch.setattr(loop, "call_later", lambda *args: timers.append(call_later(*args)) or timers[-1])
    async with turns.turn(lambda: LOOKED_AT) as go_on:
        go_on()
        assert [timer.cancelled() for timer in timers] == [True, False]
    assert all(timer.cancelled() for timer in timers)


async def test_a_list_that_is_not_answered_holds_up_nobody() -> None:
    world = World(1, hold=0.0)
    await world.ask("dead", LOOKED_AT)
    await world.ask("last", LAST)
    await until(lambda: "last" in world.began, seconds=60)
    await world.end("dead")


@pytest.mark.parametrize("name", ["running", "waiting"])
async def test_who_gives_up_leaves_its_turn_to_the_next(name: str) -> None:
    world = World(1)
    for each in ("running", "waiting", "next"):
        await world.ask(each, BESIDE)
    await world.cancel(name)
    if name == "waiting":
        await world.end("running")
    assert world.began == ["running", "waiting" if name == "running" else "next"]
