"""Numbers of kinds that nobody watches: one object each, what follows as the server says, and only by right."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

from dashboard.errors import Forbidden, NotFound, Unavailable
from dashboard.kinds.base import GVR
from dashboard.kinds.catalogue import Kinds
from dashboard.kinds.tablekinds import Resource
from dashboard.kube.transport import Response
from dashboard.live.screens.chrome import other_count
from dashboard.queries.counts import (
    AT_ONCE,
    KEEP_SECONDS,
    MAX_NUMBERS,
    NAMESPACES,
    STALE_SECONDS,
    Count,
    Counts,
)

GIZMOS, FLEETS = "gizmos.x.io", "fleets.x.io"


class World:
    """A cluster with so many objects in each namespace (None: in all); what is missing is refused."""

    def __init__(self, **totals: Any) -> None:
        self.totals: dict[str | None, Any] = {(None if key == "all" else key): n for key, n in totals.items()}
        self.asked: list[str | None] = []
        self.running = self.most = 0
        self.time = 0.0
        kinds = Kinds()
        kinds.learn(
            [
                Resource(GVR("x.io", "v1", "gizmos"), "Gizmo"),
                Resource(GVR("x.io", "v1", "fleets", namespaced=False), "Fleet"),
            ]
        )
        store = SimpleNamespace(get=lambda namespace, name: None)
        cache: Any = SimpleNamespace(kinds=kinds, namespaces=self, store=lambda plural: store)
        transport: Any = self
        self.counts = Counts(cache, transport, clock=lambda: self.time)

    async def names(self) -> tuple[str, ...]:
        return tuple(name for name in self.totals if name is not None)

    async def request(self, method: str, gvr: GVR, *, namespace: str | None, **_: Any) -> Response:
        self.asked.append(namespace)
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0)
        self.running -= 1
        total = self.totals.get(namespace, Forbidden("no"))
        if isinstance(total, Exception):
            raise total
        meta = {"remainingItemCount": total - 1} if total > 1 else {}
        body = {"metadata": meta, "items": [{}] if total else None}
        return Response(200, json.dumps(body).encode(), {})


def nav_part(count: Count) -> str:
    counts: Any = SimpleNamespace(of=lambda plural, chosen: count)
    kind: Any = SimpleNamespace(plural=GIZMOS, gvr=GVR("x.io", "v1", "gizmos"))
    return other_count(SimpleNamespace(counts=counts), kind, None).html  # type: ignore[arg-type]


async def test_one_object_tells_how_many_there_are() -> None:
    for total in (0, 1, 70_000):
        world = World(all=total)
        await world.counts.ask([GIZMOS], None)
        assert world.counts.of(GIZMOS, None) == Count(total)


async def test_what_was_not_asked_for_is_not_known() -> None:
    assert World().counts.of(GIZMOS, None) == Count()


async def test_of_chosen_namespaces_the_sum() -> None:
    world = World(all=100, a=3, b=4)
    chosen = frozenset({"a", "b"})
    await world.counts.ask([GIZMOS], chosen)
    assert world.counts.of(GIZMOS, chosen) == Count(7)
    assert None not in world.asked


async def test_where_the_whole_cluster_is_refused_the_namespaces_that_are_not_count() -> None:
    world = World(a=3, b=Forbidden("no"))
    await world.counts.ask([GIZMOS], None)
    assert world.counts.of(GIZMOS, None) == Count(3)


async def test_refused_everywhere_is_no_zero() -> None:
    for world in (World(), World(b=Forbidden("no"))):
        await world.counts.ask([GIZMOS, FLEETS], None)
        assert world.counts.of(GIZMOS, None) == Count(denied=True)
        assert world.counts.of(FLEETS, None) == Count(denied=True)


async def test_a_kind_that_is_gone_has_none_and_one_that_fails_no_number() -> None:
    for failure, count in ((NotFound("gone"), Count(0)), (Unavailable("conversion failed"), Count())):
        world = World(all=failure)
        await world.counts.ask([GIZMOS], None)
        assert world.counts.of(GIZMOS, None) == count


async def test_it_asks_seldom_and_tells_only_of_other_numbers() -> None:
    world = World(all=5)
    told: list[None] = []
    world.counts.on_change(lambda: told.append(None))
    await world.counts.ask([GIZMOS], None)
    await world.counts.ask([GIZMOS], None)
    assert (len(world.asked), len(told)) == (1, 1)
    world.time += KEEP_SECONDS
    await world.counts.ask([GIZMOS], None)
    assert (len(world.asked), len(told)) == (2, 1)
    world.time += KEEP_SECONDS
    world.totals[None] = 6
    await world.counts.ask([GIZMOS], None)
    assert len(told) == 2


async def test_namespaces_that_there_are_not_are_not_asked_for() -> None:
    world = World(a=3)
    await world.counts.ask([GIZMOS], frozenset({"a", "nowhere"}))
    await world.counts.ask([GIZMOS], frozenset({"nowhere"}))
    assert world.asked == ["a"]
    assert world.counts.of(GIZMOS, frozenset({"a", "nowhere"})) == Count(3)
    assert world.counts.of(GIZMOS, frozenset({"nowhere"})) == Count()


async def test_many_namespaces_are_cut_and_asked_a_few_at_a_time() -> None:
    world = World(**{f"n{number:03}": 1 for number in range(NAMESPACES + 20)})
    await world.counts.ask([GIZMOS], frozenset(await world.names()))
    assert len(world.asked) == NAMESPACES
    assert world.most <= AT_ONCE
    assert world.counts.of(GIZMOS, frozenset(await world.names())) == Count(NAMESPACES, more=True)
    part = nav_part(world.counts.of(GIZMOS, frozenset(await world.names())))
    assert f"{NAMESPACES}+" in part and "not all counted" in part


async def test_a_namespace_that_does_not_answer_makes_the_sum_a_least() -> None:
    world = World(a=3, b=Unavailable("slow"))
    await world.counts.ask([GIZMOS], frozenset({"a", "b"}))
    assert world.counts.of(GIZMOS, frozenset({"a", "b"})) == Count(3, more=True)


async def test_asking_twice_at_once_asks_once() -> None:
    world = World(all=5)
    await asyncio.gather(world.counts.ask([GIZMOS], None), world.counts.ask([GIZMOS], None))
    assert world.asked == [None]


async def test_an_old_number_is_none() -> None:
    world = World(all=5)
    await world.counts.ask([GIZMOS], None)
    world.time += STALE_SECONDS
    assert world.counts.of(GIZMOS, None) == Count()


async def test_of_many_numbers_the_oldest_go() -> None:
    world = World(**{f"n{number:03}": 1 for number in range(MAX_NUMBERS + 1)})
    for name in await world.names():
        await world.counts.ask([GIZMOS], frozenset({name}))
    assert world.counts.of(GIZMOS, frozenset({"n000"})) == Count()
    assert world.counts.of(GIZMOS, frozenset({"n001"})) == Count(1)
