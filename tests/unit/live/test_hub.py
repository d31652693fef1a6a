"""Coalescing: the first change at once, the rest together, a busy viewer the latest only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from typing import Any

import pytest
import pytest_asyncio

from dashboard.errors import Forbidden
from dashboard.live import hub as hub_module
from dashboard.live.hub import QUICK_SECONDS, REVIEW_SECONDS, SMALL, Hub, Viewer
from dashboard.live.screen import Screen
from dashboard.live.snapshot import FULL, Have, Snapshot
from dashboard.render import Part

from .clock import FakeClock
from .seen import session


class FakeRuntime:
    def __init__(self) -> None:
        self.callbacks: list[Callable[[Any], None]] = []
        self.leases = 0

    def lease(self, plurals: frozenset[str], *, beside: bool) -> FakeRuntime:
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

    def __init__(self, runtime: Any, key: str = "counter", account: str = "tests") -> None:
        super().__init__(session(runtime, account=account))
        self.name = key
        self.value = 0
        self.rendered = 0
        self.made = 0
        self.denied = False

    @property
    def shows(self) -> Hashable:
        return self.name

    @property
    def plurals(self) -> frozenset[str]:
        return frozenset({"pods"})

    async def prepare(self) -> None:
        if self.denied:
            raise Forbidden("no", verb="list", resource="pods")

    def behind(self) -> bool:
        return False

    def _make(self) -> str:
        self.rendered += 1
        return f"<b>{self.value}</b>"

    def snapshot(self) -> Snapshot:
        self.made += 1
        return Snapshot(regions={"n": Part(str(self.value), self._make)})

    def context(self) -> Mapping[str, Any]:
        return {}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest_asyncio.fixture
async def world(clock: FakeClock) -> AsyncIterator[tuple[FakeRuntime, Hub]]:
    runtime = FakeRuntime()
    hub = Hub(runtime, clock=clock, wall=clock, later=clock.later, sleep=clock.sleep)  # type: ignore[arg-type]
    yield runtime, hub
    hub.close()


def look(hub: Hub, screen: Screen) -> tuple[Viewer, list[int], list[str]]:
    woken: list[int] = []
    gone: list[str] = []
    viewer = hub.look(screen, Have(), lambda: woken.append(1), gone.append)
    return viewer, woken, gone


def shown(body: str | None) -> str:
    assert body
    return str(json.loads("{" + body + "}")["regions"]["n"][0])


async def test_the_first_change_is_sent_at_once_and_a_burst_after_it_together(
    world: tuple[FakeRuntime, Hub], clock: FakeClock
) -> None:
    runtime, hub = world
    screen = Counter(runtime)
    viewer, woken, _ = look(hub, screen)
    assert shown(viewer.take()) == "0"
    await clock.advance(0.06)
    woken.clear()
    screen.value = 1
    runtime.change()
    await clock.advance()
    assert len(woken) == 1
    assert shown(viewer.take()) == "1"
    for value in range(2, 50):
        screen.value = value
        runtime.change()
    await clock.advance(0.01)
    assert len(woken) == 1, "within the pace nothing more is sent"
    await clock.advance(0.06)
    assert len(woken) == 2
    assert shown(viewer.take()) == "49"


@pytest.mark.parametrize(
    ("parts", "letters", "slow", "made"),
    [(1, 1, 0, 40), (1, 1, 2 * QUICK_SECONDS, 20), (1, 2 * SMALL, 0, 20), (3, 3 * FULL // 5, 0, 7)],
    ids=["little", "little, but slow to make", "a frame", "three frames"],
)
async def test_what_is_large_is_shown_less_often(
    world: tuple[FakeRuntime, Hub],
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    parts: int,
    letters: int,
    slow: float,
    made: int,
) -> None:
    """A burst that changes all of a page is as much for whoever is far away as a page that changes a little."""
    runtime, hub = world
    screen = Counter(runtime)
    monkeypatch.setattr(screen, "pace", 0.25)

    def snapshot() -> Snapshot:
        clock.now += slow
        value = str(screen.value)
        return Snapshot(
            regions={str(each): Part(value, lambda: value.zfill(letters)) for each in range(parts)}
        )

    monkeypatch.setattr(screen, "snapshot", snapshot)
    viewer, woken, _ = look(hub, screen)
    viewer.take()
    await clock.advance(10.0)  # what it may show at once is used up first
    for _ in range(4):
        began = clock()
        while clock() < began + 20 * screen.pace:
            screen.value += 1
            runtime.change()
            await clock.advance(screen.pace / 5)
            while viewer.take():
                pass
        before, woken[:] = len(woken), []
    assert before == pytest.approx(made, abs=1)


async def test_what_is_left_of_a_difference_comes_before_the_next_one(
    world: tuple[FakeRuntime, Hub], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that takes several frames is not whole when something changes: nothing of it may be left out."""
    runtime, hub = world
    screen = Counter(runtime)
    large = {each: Part(each, lambda: "b" * (FULL * 2 // 3)) for each in ("one", "two")}
    monkeypatch.setattr(
        screen,
        "snapshot",
        lambda: Snapshot(regions={"n": Part(str(screen.value), screen._make), **large}),
    )
    viewer, _, _ = look(hub, screen)
    first = viewer.take()
    assert first and '"one"' in first and '"two"' not in first
    await clock.advance(1.0)
    screen.value = 1
    runtime.change()
    await clock.advance(1.0)
    assert '"two"' in (viewer.take() or "")
    assert shown(viewer.take()) == "1"
    assert viewer.take() is None


async def test_equal_screens_share_one_rendering(world: tuple[FakeRuntime, Hub], clock: FakeClock) -> None:
    runtime, hub = world
    first, _, _ = look(hub, screen := Counter(runtime))
    second, _, _ = look(hub, Counter(runtime))
    first.take(), second.take()
    screen.rendered = 0
    await clock.advance(0.06)
    screen.value = 7
    runtime.change()
    await clock.advance(0.01)
    assert first.take() == second.take()
    assert screen.rendered == 1
    assert runtime.leases == 1


async def test_who_joins_costs_no_showing_and_delays_nobody(
    world: tuple[FakeRuntime, Hub], clock: FakeClock
) -> None:
    runtime, hub = world
    screen = Counter(runtime)
    look(hub, screen)
    joined = [look(hub, Counter(runtime)) for _ in range(200)]
    assert screen.made == 1
    assert {shown(viewer.take()) for viewer, _, _ in joined} == {"0"}
    screen.value = 1
    runtime.change()
    await clock.advance()
    assert shown(joined[-1][0].take()) == "1", "no allowance was spent on those who joined"


async def test_who_joins_while_a_change_waits_is_first_shown_that_change(
    world: tuple[FakeRuntime, Hub],
) -> None:
    """Not what was before: the page that was read over HTTP may hold the change already."""
    runtime, hub = world
    screen = Counter(runtime)
    look(hub, screen)
    (group,) = hub.groups.values()
    for value in (1, 1):  # the second one changes nothing that is shown
        screen.value = value
        runtime.change()
        viewer, woken, _ = look(hub, Counter(runtime))
        assert not woken and viewer.take() is None
        group.flush()
        assert woken
        assert shown(viewer.take()) == "1"


async def test_a_busy_looker_gets_the_latest_state_and_no_queue(
    world: tuple[FakeRuntime, Hub], clock: FakeClock
) -> None:
    runtime, hub = world
    viewer, _, _ = look(hub, screen := Counter(runtime))
    viewer.take()
    for value in (1, 2, 3):
        await clock.advance(0.06)
        screen.value = value
        runtime.change()
        await clock.advance(0.01)
    assert shown(viewer.take()) == "3"
    assert viewer.take() is None


async def test_5000_changes_wait_for_no_socket_and_pile_up_for_none(
    world: tuple[FakeRuntime, Hub], clock: FakeClock
) -> None:
    """One browser reads nothing: its socket's sender is still at its first frame."""
    runtime, hub = world
    screen = Counter(runtime)
    got: list[str] = []
    stalled, _, _ = look(hub, screen)
    reading, _, _ = look(hub, screen)
    stalled.take()
    for value in range(1, 5001):
        screen.value = value
        runtime.change()  # as the watch's reader calls it: it returns, whoever reads what
        if value % 50 == 0:
            await clock.advance(screen.pace)
            got += [shown(body)] if (body := reading.take()) else []
    assert len(got) > 90 and got[-1] == "5000"
    assert len(reading.group._past) <= 3, "what the stalled one has, the present, and nothing between them"
    assert shown(stalled.take()) == "5000"
    assert stalled.take() is None


async def test_no_frame_when_nothing_shown_has_changed(
    world: tuple[FakeRuntime, Hub], clock: FakeClock
) -> None:
    runtime, hub = world
    viewer, woken, _ = look(hub, Counter(runtime))
    viewer.take()
    woken.clear()
    await clock.advance(0.06)
    runtime.change()
    await clock.advance(0.01)
    assert woken == []


async def test_a_browser_that_has_everything_gets_an_empty_first_frame(
    world: tuple[FakeRuntime, Hub],
) -> None:
    runtime, hub = world
    viewer = hub.look(Counter(runtime), Have(regions={"n": "0"}), lambda: None, lambda _: None)
    assert viewer.take() == ""
    assert viewer.take() is None


async def test_a_right_that_is_taken_away_dismisses_the_lookers(
    world: tuple[FakeRuntime, Hub], clock: FakeClock
) -> None:
    runtime, hub = world
    _, _, gone = look(hub, screen := Counter(runtime))
    screen.denied = True
    await clock.advance(REVIEW_SECONDS + screen.pace)
    assert gone == ["Not allowed"]


async def test_a_dismissed_group_is_gone_though_its_lookers_are_still_there(
    world: tuple[FakeRuntime, Hub], clock: FakeClock
) -> None:
    runtime, hub = world
    _, _, gone = look(hub, screen := Counter(runtime))
    screen.denied = True
    await clock.advance(REVIEW_SECONDS + screen.pace)
    assert gone == ["Not allowed"]
    assert hub.groups == {}
    assert (runtime.leases, runtime.callbacks) == (0, [])


async def test_a_group_whose_rights_change_ends_and_asks_to_be_looked_at_anew(
    world: tuple[FakeRuntime, Hub], clock: FakeClock
) -> None:
    runtime, hub = world
    viewer, _, gone = look(hub, screen := Counter(runtime))
    screen.name = "counter with other rights"
    await clock.advance(REVIEW_SECONDS + screen.pace)
    assert gone == [""]
    assert hub.groups == {}
    assert (runtime.leases, runtime.callbacks) == (0, [])
    hub.leave(viewer)


async def test_a_showing_that_fails_counts_as_late_until_one_succeeds(
    world: tuple[FakeRuntime, Hub], clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    runtime, hub = world
    viewer, _, _ = look(hub, screen := Counter(runtime))
    assert viewer.group.late() == 0
    good = screen.snapshot
    screen.snapshot = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    runtime.change()
    await clock.advance(0.12)
    assert viewer.group.late() > 0.05
    assert "ZeroDivisionError" in caplog.text
    screen.snapshot = good  # type: ignore[method-assign]
    runtime.change()
    await clock.advance(0.08)
    assert viewer.group.late() == 0


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


async def test_what_much_has_changed_for_is_caught_up_with_before_it_is_shown(
    world: tuple[FakeRuntime, Hub], clock: FakeClock
) -> None:
    """Nobody else waits meanwhile, and what changes meanwhile is shown with it."""
    runtime, hub = world
    screen, ready, asked = Counter(runtime), asyncio.Event(), 0

    async def catch_up() -> None:
        nonlocal asked
        asked += 1
        await ready.wait()

    viewer, woken, _ = look(hub, screen)
    viewer.take()
    screen.behind = lambda: True  # type: ignore[method-assign]
    screen.catch_up = catch_up  # type: ignore[method-assign]
    made = screen.made
    for value in (1, 2):
        screen.value = value
        runtime.change()
        await clock.advance(1)
    assert (asked, screen.made, viewer.group.late() > 0) == (1, made, True)
    woken.clear()
    ready.set()
    await clock.advance()
    assert woken and shown(viewer.take()) == "2" and screen.made == made + 1
    assert viewer.group.late() == 0


async def test_however_many_join_with_the_same_on_screen_their_frame_is_made_once(
    world: tuple[FakeRuntime, Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, hub = world
    screen, made = Counter(runtime), 0
    real = hub_module.frames

    def counted(have: Have, now: Snapshot) -> tuple[str, ...]:
        nonlocal made
        made += 1
        return real(have, now)

    monkeypatch.setattr(hub_module, "frames", counted)
    shown_now = screen.snapshot().regions["n"].hash
    haves = [Have(), Have({"n": "older"}), Have({"n": shown_now}), Have({"n": shown_now, "other": "1"})]
    bodies = []
    for have in haves * 20:
        viewer = hub.look(screen, Have(dict(have.regions)), lambda: None, lambda _: None)
        bodies.append(viewer.take())
    assert made == len(haves) and bodies[: len(haves)] * 20 == bodies
    assert [bool(body) for body in bodies[: len(haves)]] == [True, True, False, False]
    for number in range(1000):
        hub.look(screen, Have({"n": str(number)}), lambda: None, lambda _: None).take()
    assert len(next(iter(hub.groups.values()))._frames) <= hub_module.FRAMES


async def test_what_goes_to_many_at_the_same_moment_is_one_text(
    world: tuple[FakeRuntime, Hub], clock: FakeClock
) -> None:
    runtime, hub = world
    screen = Counter(runtime)
    first, second = look(hub, screen)[0], look(hub, screen)[0]
    bodies = first.take(), second.take()
    assert bodies[0] is not None and bodies[0] == bodies[1]

    now = first.group.message(1, bodies[0])
    assert second.group.message(1, bodies[0]) is now
    assert json.loads(now)["at"] == clock.now
    assert json.loads(second.group.message(2, bodies[0])) == {**json.loads(now), "view": 2}

    await clock.advance(1.0)  # by then the clock in it would be wrong
    assert json.loads(first.group.message(1, bodies[0]))["at"] == clock.now
