"""A selection that is made in slices is the one that would be made at once, whatever changes meanwhile."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from dashboard import loop
from dashboard.cache.store import Store
from dashboard.kinds import KINDS
from dashboard.kinds.base import WatchEvent
from dashboard.queries import kindrows
from dashboard.queries.kindrows import KindRows
from dashboard.queries.lists import sort_key
from dashboard.queries.selections import ROWS, Selecting

from .test_kindrows import SORTS, pod

PODS = KINDS["pods"]
MANY = 4 * ROWS


class Looked:
    """A selection by ``sort`` that counts how many keys were asked for in the loop's longest turn."""

    def __init__(self, sort: str) -> None:
        key, reverse = sort_key(PODS, sort, lambda _: None)
        self._key = key
        self.turn = self.longest = 0
        self.selecting = Selecting(sort, self._fits, self._counted, reverse)

    def _fits(self, row: Any) -> bool:
        return not row.name.endswith("7")

    def _counted(self, row: Any) -> Any:
        self.turn += 1
        self.longest = max(self.longest, self.turn)
        return self._key(row)

    async def count_turns(self) -> None:
        while True:
            self.turn = 0
            await asyncio.sleep(0)


@pytest.fixture
def store() -> Store[Any]:
    made: Store[Any] = Store(PODS)
    made.replace([pod(f"team-{n % 7}", f"web-{n}", restarts=n % 50, version="1") for n in range(MANY)], "1")
    return made


def plain(store: Store[Any], sort: str) -> list[str]:
    rows = KindRows(PODS, store)
    key, reverse = sort_key(PODS, sort, lambda _: None)
    fits = Looked(sort)._fits
    return [row.name for row in rows.select(Selecting(sort, fits, key, reverse)).rows]


@pytest.fixture
def no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each piece uses its slice up."""
    for module in (loop, kindrows):
        monkeypatch.setattr(module, "SLICE_SECONDS", 0.0)


@pytest.mark.usefixtures("no_time")
@pytest.mark.parametrize("sort", SORTS)
async def test_it_is_made_in_turns_and_is_the_same(store: Store[Any], sort: str) -> None:
    rows, looked = KindRows(PODS, store), Looked(sort)
    turns = asyncio.create_task(looked.count_turns())
    await rows.catch_up()
    await rows.make(looked.selecting)
    turns.cancel()
    assert looked.longest <= 3 * ROWS, "not all of them in one turn"
    assert rows.has(sort)
    before = looked.turn
    found = rows.select(looked.selecting)
    assert looked.turn == before, "it is there already"
    assert [row.name for row in found.rows] == plain(store, sort)
    assert sum(found.states.values()) == len(found.rows)


@pytest.mark.usefixtures("no_time")
@pytest.mark.parametrize("seed", range(5))
async def test_what_changes_meanwhile_is_in_it(store: Store[Any], seed: int) -> None:
    rows, looked, chance = KindRows(PODS, store), Looked("-restarts"), random.Random(seed)
    await rows.catch_up()

    async def change() -> None:
        for version in range(2, 60):
            number = chance.randrange(MANY + 50)
            namespace, name = f"team-{number % 7}", f"web-{number}"
            old = store.get(namespace, name)
            if old is not None and chance.random() < 0.3:
                store.apply(WatchEvent("DELETED", old, str(1000 + version)))
            else:
                made = pod(namespace, name, restarts=chance.randrange(90), version=str(version))
                store.apply(WatchEvent("MODIFIED" if old else "ADDED", made, str(version)))
            if chance.random() < 0.5:
                rows.states()  # somebody else asks for something else
            await asyncio.sleep(0)

    one, other = rows.make(looked.selecting), rows.make(looked.selecting)
    await asyncio.gather(one, change(), other)
    found = rows.select(looked.selecting)
    assert [row.name for row in found.rows] == plain(store, "-restarts")


@pytest.mark.usefixtures("no_time")
async def test_when_most_have_changed_it_is_made_anew_in_turns_before_it_is_asked_for(
    store: Store[Any],
) -> None:
    rows, looked = KindRows(PODS, store), Looked("-restarts")
    await rows.catch_up()
    await rows.make(looked.selecting)
    store.replace([pod(f"team-{n % 7}", f"web-{n}", restarts=n % 13, version="2") for n in range(MANY)], "2")
    assert rows.owed >= MANY
    turns = asyncio.create_task(looked.count_turns())
    looked.longest = 0
    await rows.catch_up()
    turns.cancel()
    assert rows.owed == 0 and rows.has("-restarts")
    assert looked.longest <= 3 * ROWS
    assert [row.name for row in rows.select(looked.selecting).rows] == plain(store, "-restarts")


async def test_one_that_nobody_asks_for_any_more_is_not_made_anew(store: Store[Any]) -> None:
    now = 0.0
    rows, looked = KindRows(PODS, store, lambda: now), Looked("name")
    await rows.make(looked.selecting)
    now = kindrows.SELECTION_SECONDS + 1
    store.replace([pod("team-1", f"web-{n}", version="2") for n in range(MANY)], "2")
    await rows.catch_up()
    assert not rows.has("name") and rows.owed == 0
