"""Lists of kinds that nobody watches: taken when asked for, kept for a while, bounded, and only by right."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from dashboard.errors import Forbidden, Unavailable
from dashboard.kinds.base import GVR
from dashboard.kinds.catalogue import Kinds
from dashboard.kinds.tablekinds import Resource
from dashboard.kube.access import KEEP_SECONDS as PROVED_SECONDS
from dashboard.kube.access import Decision, Rules
from dashboard.kube.transport import Response
from dashboard.queries import unwatched as module
from dashboard.queries.unwatched import (
    AT_ONCE,
    KEEP_SECONDS,
    OF_A_GROUP,
    RETRY_SECONDS,
    ROWS,
    Unwatched,
)

GIZMOS, FLEETS = "gizmos.x.io", "fleets.x.io"
KINDS = [
    Resource(GVR("x.io", "v1", "gizmos"), "Gizmo"),
    Resource(GVR("x.io", "v1", "fleets", namespaced=False), "Fleet"),
    *(Resource(GVR(f"g{number}.io", "v1", "things"), "Thing") for number in range(20)),
]


def table(*names: str, columns: tuple[str, ...] = ("Name",), more: bool = False, **meta: Any) -> bytes:
    definitions = [{"name": name, "type": "string", "format": "name" * (name == "Name")} for name in columns]
    rows = [
        {
            "cells": [name] * len(columns),
            "object": {"metadata": {"name": name, "uid": f"u-{name}", "namespace": "one", **meta}},
        }
        for name in names
    ]
    head = {"continue": "next"} if more else {}
    return json.dumps({"metadata": head, "columnDefinitions": definitions, "rows": rows or None}).encode()


class World:
    """An API server that answers by plural and namespace; what is missing is empty."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str | None], Any] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.reviewed: list[str] = []
        self.allowed = True
        self.rules: dict[str, bytes] = {}
        self.running = self.most = 0
        self.time = 0.0
        self.kinds = Kinds()
        self.kinds.learn(KINDS)
        cache: Any = self
        self.transport: Any = self
        self.namespaces: Any = self
        self.unwatched = Unwatched(cache, self.transport, clock=lambda: self.time)

    async def names(self) -> tuple[str, ...]:
        return ("one", "two", "three")

    async def request(self, method: str, gvr: GVR, *, namespace: str | None, **_: Any) -> Response:
        plural = f"{gvr.plural}.{gvr.group}"
        self.asked.append((plural, namespace))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            answer = self.answers.get((plural, namespace), table())
            if isinstance(answer, asyncio.Event):
                await answer.wait()
                answer = table("late")
            await asyncio.sleep(0)
        finally:
            self.running -= 1
        if isinstance(answer, Exception):
            raise answer
        return Response(200, answer, {})  # type: ignore[arg-type]

    async def rules_in(self, _: Any, namespace: str) -> Rules:
        return msgspec.json.decode(self.rules.get(namespace, b"{}"), type=Rules)

    async def may(self, _: Any, verb: str, gvr: GVR, **more: Any) -> Decision:
        self.reviewed.append(gvr.plural)
        return Decision(self.allowed, "")

    async def ask(self, *plurals: str, patience: float = 30) -> None:
        await self.unwatched.ask(plurals, patience)

    def names_of(self, plural: str) -> list[str]:
        listing = self.unwatched.of(plural)
        assert listing is not None
        return [row.name for row in listing.rows]


@pytest_asyncio.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    made = World()
    monkeypatch.setattr(module, "rules_in", made.rules_in)
    monkeypatch.setattr(module, "allowed", made.may)
    yield made
    await made.unwatched.close()


async def test_a_kind_is_listed_when_it_is_asked_for_and_not_again_for_a_while(world: World) -> None:
    world.answers[(GIZMOS, None)] = table("a", "b")
    assert world.unwatched.of(GIZMOS) is None
    await world.ask(GIZMOS)
    await world.ask(GIZMOS)
    assert world.names_of(GIZMOS) == ["a", "b"]
    assert world.asked == [(GIZMOS, None)]
    world.answers[(GIZMOS, None)] = table("c")
    world.time += KEEP_SECONDS
    await world.ask(GIZMOS)
    assert world.names_of(GIZMOS) == ["c"]


async def test_few_are_listed_at_once_and_of_one_api_fewer(world: World) -> None:
    await world.ask(*(kind.key for kind in KINDS))
    assert 1 < world.most <= AT_ONCE
    world.most, world.time = 0, KEEP_SECONDS
    world.kinds.learn(Resource(GVR("x.io", "v1", f"k{number}"), "K") for number in range(10))
    await world.ask(*(f"k{number}.x.io" for number in range(10)))
    assert world.most == OF_A_GROUP


async def test_an_api_that_is_slow_holds_up_nobody(world: World) -> None:
    late = world.answers[(GIZMOS, None)] = asyncio.Event()
    heard: list[int] = []
    world.unwatched.on_change(lambda: heard.append(1))
    await world.ask(GIZMOS, "things.g1.io", patience=0.05)
    assert world.names_of("things.g1.io") == []
    assert world.unwatched.of(GIZMOS) is None
    late.set()
    await world.ask(GIZMOS)
    assert world.names_of(GIZMOS) == ["late"]
    assert len(heard) == 2
    assert world.asked.count((GIZMOS, None)) == 1


async def test_what_may_be_listed_in_some_namespaces_is_listed_where_the_rules_say_so(world: World) -> None:
    rule = {"verbs": ["get", "list"], "apiGroups": ["x.io"], "resources": ["gizmos"]}
    world.rules["two"] = json.dumps({"resourceRules": [rule]}).encode()
    world.rules["one"] = json.dumps({"resourceRules": [rule | {"resourceNames": ["a"]}]}).encode()
    world.answers[(GIZMOS, None)] = world.answers[(FLEETS, None)] = Forbidden("no")
    world.answers[(GIZMOS, "two")] = table("mine")
    await world.ask(GIZMOS, FLEETS)
    gizmos, fleets = world.unwatched.of(GIZMOS), world.unwatched.of(FLEETS)
    assert gizmos is not None and fleets is not None
    assert (gizmos.scopes, world.names_of(GIZMOS)) == (frozenset({"two"}), ["mine"])
    assert fleets.denied and not gizmos.denied
    assert (GIZMOS, "one") not in world.asked and (GIZMOS, "three") not in world.asked


async def test_what_one_owner_made_in_several_namespaces_is_found_in_each(world: World) -> None:
    rule = {"verbs": ["list"], "apiGroups": ["x.io"], "resources": ["gizmos"]}
    for namespace, name in (("one", "here"), ("two", "there")):
        world.rules[namespace] = json.dumps({"resourceRules": [rule]}).encode()
        world.answers[(GIZMOS, namespace)] = table(
            name, namespace=namespace, ownerReferences=[{"kind": "Fleet", "name": "north", "uid": "u"}]
        )
    world.answers[(GIZMOS, None)] = Forbidden("no")
    await world.ask(GIZMOS)
    listing = world.unwatched.of(GIZMOS)
    assert listing is not None
    assert [(row.namespace, row.name) for row in listing.made_by["u"]] == [("one", "here"), ("two", "there")]


async def test_where_rules_are_not_all_told_the_list_itself_decides(world: World) -> None:
    for name in ("one", "two", "three"):
        world.rules[name] = b'{"incomplete": true}'
        world.answers[(GIZMOS, name)] = Forbidden("no")
    world.answers[(GIZMOS, None)] = Forbidden("no")
    await world.ask(GIZMOS)
    listing = world.unwatched.of(GIZMOS)
    assert listing is not None and listing.denied
    world.answers[(GIZMOS, "two")] = table("mine")
    world.time += KEEP_SECONDS
    await world.ask(GIZMOS)
    assert world.names_of(GIZMOS) == ["mine"]


async def test_what_was_listed_is_forgotten_when_the_right_to_it_was_taken_away(world: World) -> None:
    world.answers[(GIZMOS, None)] = table("a")
    await world.ask(GIZMOS, FLEETS)
    assert not world.reviewed, "a list just taken proves the right to it"
    world.time += PROVED_SECONDS
    await world.ask(GIZMOS, FLEETS)
    assert world.reviewed == ["gizmos"], "nothing is told of what is empty"
    assert world.names_of(GIZMOS) == ["a"]
    world.allowed = False
    world.answers[(GIZMOS, None)] = Forbidden("no")
    await world.ask(GIZMOS)
    listing = world.unwatched.of(GIZMOS)
    assert listing is not None and listing.denied and not listing.rows


@pytest.mark.parametrize(
    "answer", [Unavailable("away"), b'{"kind": "GizmoList", "metadata": {}, "items": []}']
)
async def test_what_gives_no_usable_answer_is_told_and_tried_again_soon(world: World, answer: Any) -> None:
    world.answers[(GIZMOS, None)] = answer
    await world.ask(GIZMOS)
    listing = world.unwatched.of(GIZMOS)
    assert listing is not None and listing.trouble is not None and not listing.denied
    world.answers[(GIZMOS, None)] = table("a")
    await world.ask(GIZMOS)
    world.time += RETRY_SECONDS
    await world.ask(GIZMOS)
    assert world.names_of(GIZMOS) == ["a"]
    assert len(world.asked) == 2


async def test_of_many_objects_the_first_are_kept_and_it_is_said_that_there_are_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.answers[(GIZMOS, None)] = table("a", "b", more=True)
    await world.ask(GIZMOS)
    assert world.unwatched.of(GIZMOS).more  # type: ignore[union-attr]
    monkeypatch.setattr(module, "ALL_ROWS", 3)
    world.answers[(FLEETS, None)] = table("c", "d")
    await world.ask(FLEETS)
    fleets = world.unwatched.of(FLEETS)
    assert fleets is not None and fleets.more
    assert world.names_of(FLEETS) == ["c"]
    assert ROWS >= 500


async def test_rows_under_other_columns_are_not_told_but_read_again(world: World) -> None:
    world.answers[(GIZMOS, None)] = table("a")
    await world.ask(GIZMOS)
    world.kinds[GIZMOS].decode_list(
        table("a", columns=("Name", "Size"))
    )  # somebody opened the list meanwhile
    assert world.unwatched.of(GIZMOS) is None
    world.answers[(GIZMOS, None)] = table("a", columns=("Name", "Size"))
    await world.ask(GIZMOS)
    assert world.names_of(GIZMOS) == ["a"]


async def test_what_an_object_made_is_known_by_its_uid(world: World) -> None:
    owner = {"apiVersion": "x.io/v1", "kind": "Fleet", "name": "north", "uid": "n"}
    world.answers[(GIZMOS, None)] = table("a", ownerReferences=[owner])
    await world.ask(GIZMOS)
    listing = world.unwatched.of(GIZMOS)
    assert listing is not None
    assert [row.name for row in listing.made_by["n"]] == ["a"]
