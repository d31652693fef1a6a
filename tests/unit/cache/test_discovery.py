"""When the API server is asked what it offers: at first, after definitions changed, every while, and not for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from dashboard.cache.discovery import Discovery
from dashboard.errors import Unavailable
from dashboard.kinds.catalogue import Kinds
from tests.faults.scripted import until
from tests.unit.kube.test_discovery import Answers, aggregated, group, offered


class World:
    def __init__(self) -> None:
        self.answers = Answers({"/api": aggregated(), "/apis": aggregated()})
        self.kinds = Kinds()
        self.wanted = True
        self.told = 0
        self._made: list[Discovery] = []

    def discovery(self, **times: Any) -> Discovery:
        made = Discovery(self.answers, self.kinds, wanted=lambda: self.wanted, **times)  # type: ignore[arg-type]
        made.on_change(self.tell)
        self._made.append(made)
        return made

    def tell(self) -> None:
        self.told += 1

    def serve(self, *plurals: str) -> None:
        resources = [offered(plural, plural.title()) for plural in plurals]
        self.answers.paths["/apis"] = aggregated(group("x.io", v1=resources))

    @property
    def served(self) -> list[str]:
        return [kind.gvr.plural for kind in self.kinds.served]

    async def close(self) -> None:
        for each in self._made:
            await each.close()


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.close()


async def test_what_is_offered_is_known_after_the_first_answer(world: World) -> None:
    world.serve("as", "bs")
    discovery = world.discovery()
    await discovery.known(5)
    assert world.served == ["as", "bs"]
    assert world.told == 1


async def test_after_a_change_of_definitions_it_asks_until_the_list_tells_of_it(world: World) -> None:
    discovery = world.discovery(after_change=(0.01, 0.05, 0.05))
    await discovery.known(5)
    discovery.notice()
    await until(lambda: len(world.answers.asked) >= 4, "asked again")
    world.serve("late")
    await until(lambda: world.served == ["late"], "the second or third time")
    assert world.told == 1


async def test_without_word_it_asks_every_while_and_only_while_somebody_looks(world: World) -> None:
    discovery = world.discovery(every=0.02)
    await discovery.known(5)
    world.serve("new")
    await until(lambda: world.served == ["new"], "asked again")
    world.wanted = False
    await asyncio.sleep(0.1)
    count = len(world.answers.asked)
    await asyncio.sleep(0.1)
    assert len(world.answers.asked) == count
    world.wanted = True
    await until(lambda: len(world.answers.asked) > count, "somebody looks again")


async def test_a_failure_changes_nothing_and_is_tried_again(world: World) -> None:
    world.serve("kept")
    discovery = world.discovery(every=0.02, retry=0.02)
    await discovery.known(5)
    world.answers.paths["/apis"] = Unavailable("away")
    await asyncio.sleep(0.1)
    assert world.served == ["kept"]
    world.serve("kept", "more")
    await until(lambda: world.served == ["kept", "more"], "tried again")


async def test_who_waits_is_answered_by_a_failure_too(world: World) -> None:
    world.answers.paths["/api"] = Unavailable("away")
    await asyncio.wait_for(world.discovery().known(30), 5)
    assert world.served == []


@pytest.mark.parametrize("steps", range(5))
async def test_it_ends_when_it_is_closed_also_while_news_arrive(world: World, steps: int) -> None:
    discovery = world.discovery()
    await discovery.known(5)
    await asyncio.sleep(0.01)  # it pauses
    discovery.notice()
    for _ in range(steps):  # the news is somewhere on its way through the loop
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await discovery.close()


async def test_who_looks_in_vain_has_it_asked_at_once_but_not_again_and_again(world: World) -> None:
    world.wanted = False
    discovery = world.discovery(seldom=60.0)
    await discovery.known(5)
    world.serve("new")
    discovery._asked_at -= 61.0
    await discovery.anew(5)
    assert world.served == ["new"]
    count = len(world.answers.asked)
    await discovery.anew(5)
    assert len(world.answers.asked) == count
