"""Coalescing: the first change at once, the rest together, a busy looker the latest only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from typing import Any

import pytest
import pytest_asyncio

from dashboard.errors import Forbidden
from dashboard.live.hub import Hub, Looker
from dashboard.live.screen import Screen
from dashboard.live.snapshot import Have, Snapshot
from dashboard.render import Part


class FakeRuntime:
    def __init__(self) -> None:
        self.callbacks: list[Callable[[Any], None]] = []
        self.leases = 0
        self.cache = self

    def lease(self, plurals: frozenset[str]) -> FakeRuntime:
        self.leases += 1
        return self

    def release(self) -> None:
        self.leases -= 1

    def subscribe(
        self, plurals: frozenset[str], changed: Callable[[Any], None], reconsider: Callable[[], None]
    ) -> Callable[[], None]:
        self.callbacks.append(changed)
        return lambda: self.callbacks.remove(changed)

    def change(self) -> None:
        for callback in list(self.callbacks):
            callback(())


class Counter(Screen):
    """Shows a number; counts how often it was rendered."""

    page = ""
    pace = 0.05

    def __init__(self, runtime: Any, key: str = "counter") -> None:
        super().__init__(runtime)
        self.name = key
        self.value = 0
        self.rendered = 0
        self.denied = False

    @property
    def key(self) -> Hashable:
        return self.name

    @property
    def plurals(self) -> frozenset[str]:
        return frozenset({"pods"})

    async def prepare(self) -> None:
        if self.denied:
            raise Forbidden("no", verb="list", resource="pods")

    def _make(self) -> str:
        self.rendered += 1
        return f"<b>{self.value}</b>"

    def snapshot(self) -> Snapshot:
        return Snapshot(regions={"n": Part(str(self.value), self._make)})

    def context(self) -> Mapping[str, Any]:
        return {}


@pytest_asyncio.fixture
async def world() -> AsyncIterator[tuple[FakeRuntime, Hub]]:
    runtime = FakeRuntime()
    hub = Hub(runtime)  # type: ignore[arg-type]
    yield runtime, hub
    hub.close()


def look(hub: Hub, screen: Screen) -> tuple[Looker, list[int], list[str]]:
    woken: list[int] = []
    gone: list[str] = []
    looker = hub.look(screen, Have(), lambda: woken.append(1), gone.append)
    return looker, woken, gone


def shown(body: str | None) -> str:
    assert body
    return str(json.loads("{" + body + "}")["regions"]["n"][0])


async def test_the_first_change_is_sent_at_once_and_a_burst_after_it_together(
    world: tuple[FakeRuntime, Hub],
) -> None:
    runtime, hub = world
    screen = Counter(runtime)
    looker, woken, _ = look(hub, screen)
    assert shown(looker.take()) == "0"
    await asyncio.sleep(0.06)
    woken.clear()
    screen.value = 1
    runtime.change()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(woken) == 1
    assert shown(looker.take()) == "1"
    for value in range(2, 50):
        screen.value = value
        runtime.change()
    await asyncio.sleep(0.01)
    assert len(woken) == 1, "within the pace nothing more is sent"
    await asyncio.sleep(0.06)
    assert len(woken) == 2
    assert shown(looker.take()) == "49"


async def test_equal_screens_share_one_rendering(world: tuple[FakeRuntime, Hub]) -> None:
    runtime, hub = world
    first, _, _ = look(hub, screen := Counter(runtime))
    second, _, _ = look(hub, Counter(runtime))
    first.take(), second.take()
    screen.rendered = 0
    await asyncio.sleep(0.06)
    screen.value = 7
    runtime.change()
    await asyncio.sleep(0.01)
    assert first.take() == second.take()
    assert screen.rendered == 1
    assert runtime.leases == 1


async def test_a_busy_looker_gets_the_latest_state_and_no_queue(world: tuple[FakeRuntime, Hub]) -> None:
    runtime, hub = world
    looker, _, _ = look(hub, screen := Counter(runtime))
    looker.take()
    for value in (1, 2, 3):
        await asyncio.sleep(0.06)
        screen.value = value
        runtime.change()
        await asyncio.sleep(0.01)
    assert shown(looker.take()) == "3"
    assert looker.take() is None


async def test_no_frame_when_nothing_shown_has_changed(world: tuple[FakeRuntime, Hub]) -> None:
    runtime, hub = world
    looker, woken, _ = look(hub, Counter(runtime))
    looker.take()
    woken.clear()
    await asyncio.sleep(0.06)
    runtime.change()
    await asyncio.sleep(0.01)
    assert woken == []


async def test_a_browser_that_has_everything_gets_an_empty_first_frame(
    world: tuple[FakeRuntime, Hub],
) -> None:
    runtime, hub = world
    looker = hub.look(Counter(runtime), Have(regions={"n": "0"}), lambda: None, lambda _: None)
    assert looker.take() == ""
    assert looker.take() is None


async def test_a_right_that_is_taken_away_dismisses_the_lookers(
    world: tuple[FakeRuntime, Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.live.hub.REVIEW_SECONDS", 0.02)
    runtime, hub = world
    _, _, gone = look(hub, screen := Counter(runtime))
    screen.denied = True
    await asyncio.sleep(0.06)
    assert gone == ["Not allowed"]


async def test_a_dismissed_group_is_gone_though_its_lookers_are_still_there(
    world: tuple[FakeRuntime, Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.live.hub.REVIEW_SECONDS", 0.02)
    runtime, hub = world
    _, _, gone = look(hub, screen := Counter(runtime))
    screen.denied = True
    await asyncio.sleep(0.06)
    assert gone == ["Not allowed"]
    assert hub.groups == {}
    assert (runtime.leases, runtime.callbacks) == (0, [])


async def test_a_group_whose_rights_change_ends_and_asks_to_be_looked_at_anew(
    world: tuple[FakeRuntime, Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.live.hub.REVIEW_SECONDS", 0.02)
    runtime, hub = world
    looker, _, gone = look(hub, screen := Counter(runtime))
    screen.name = "counter with other rights"
    await asyncio.sleep(0.06)
    assert gone == [""]
    assert hub.groups == {}
    assert (runtime.leases, runtime.callbacks) == (0, [])
    hub.leave(looker)


async def test_a_showing_that_fails_counts_as_late_until_one_succeeds(
    world: tuple[FakeRuntime, Hub], caplog: pytest.LogCaptureFixture
) -> None:
    runtime, hub = world
    looker, _, _ = look(hub, screen := Counter(runtime))
    assert looker.group.late() == 0
    good = screen.snapshot
    screen.snapshot = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    runtime.change()
    await asyncio.sleep(0.12)
    assert looker.group.late() > 0.05
    assert "ZeroDivisionError" in caplog.text
    screen.snapshot = good  # type: ignore[method-assign]
    runtime.change()
    await asyncio.sleep(0.08)
    assert looker.group.late() == 0


async def test_the_last_looker_ends_the_group(world: tuple[FakeRuntime, Hub]) -> None:
    runtime, hub = world
    first, _, _ = look(hub, Counter(runtime))
    second, _, _ = look(hub, Counter(runtime))
    hub.leave(first)
    assert runtime.leases == 1
    hub.leave(second)
    assert runtime.leases == 0
    assert runtime.callbacks == []
    assert hub.groups == {}
