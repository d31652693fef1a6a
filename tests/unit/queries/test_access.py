"""Where somebody may look, by reviews: asked once for all, bounded, and no right without an answer."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.cache.store import Store
from dashboard.errors import Unavailable
from dashboard.kinds import KINDS
from dashboard.kube.access import AT_ONCE, PATH, Question, Reviews
from dashboard.kube.transport import Response
from dashboard.queries.access import STANDS_SECONDS, Visible, visible

PODS = KINDS["pods"].gvr
AWAY = Unavailable("away")


class Api:
    """Answers reviews; ``allowed`` are namespaces, None among them the whole cluster."""

    def __init__(self, *allowed: str | None) -> None:
        self.allowed = set(allowed)
        self.incomplete = False
        self.away = False
        self.slow: asyncio.Event | None = None
        self.asked: list[tuple[str, str | None]] = []
        self.running = self.most = 0

    async def request(self, method: str, path: str, *, body: bytes, **_: Any) -> Response:
        spec = json.loads(body)["spec"]
        namespace = spec.get("namespace", "") or spec.get("resourceAttributes", {}).get("namespace") or None
        self.asked.append(("review" if path == PATH else "rules", namespace))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await (self.slow.wait() if self.slow else asyncio.sleep(0))
        finally:
            self.running -= 1
        if self.away:
            raise AWAY
        may = namespace in self.allowed or None in self.allowed
        rules = [{"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}] if may else []
        status = {"allowed": may, "resourceRules": rules, "incomplete": self.incomplete}
        return Response(201, json.dumps({"status": status}).encode(), {})


class Cache:
    """Pods of two namespaces, cached as a whole."""

    kinds = KINDS

    def __init__(self) -> None:
        self.pods: Store[Any] = Store(KINDS["pods"])
        self.namespaces: Store[Any] = Store(KINDS["namespaces"])
        self.state = "live"
        for name in ("rose", "teal"):
            pod = {"metadata": {"name": "web", "namespace": name, "uid": name}}
            self.pods.add([KINDS["pods"].decode_object(json.dumps(pod).encode())])

    def denied(self, _: str) -> None: ...

    def begun(self, _: str) -> bool:
        return True

    def scopes(self, _: str) -> None: ...

    def store(self, plural: str) -> Store[Any]:
        return self.pods if plural == "pods" else self.namespaces

    def add(self, *names: str) -> None:
        """Namespaces without a pod."""
        kind = KINDS["namespaces"]
        self.namespaces.add(
            [kind.decode_object(json.dumps({"metadata": {"name": each}}).encode()) for each in names]
        )

    def status(self, _: str) -> Any:
        return SimpleNamespace(state=self.state)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def reviews(api: Api, clock: Clock) -> Reviews:
    return Reviews(api, clock)  # type: ignore[arg-type]


async def seen(asker: Reviews, cache: Cache) -> Visible:
    return await visible(asker, cache, "pods")  # type: ignore[arg-type]


async def test_who_may_not_list_the_whole_of_it_sees_the_namespaces_that_he_may(clock: Clock) -> None:
    assert await seen(reviews(Api(None), clock), Cache()) == Visible()
    assert await seen(reviews(Api("rose"), clock), Cache()) == Visible(frozenset({"rose"}))
    nothing = await seen(reviews(Api(), clock), Cache())
    assert nothing.namespaces == frozenset() and nothing.denied is not None


async def test_a_namespace_without_any_is_not_refused_to_who_may_list_them_there(clock: Clock) -> None:
    cache, api = Cache(), Api("empty")
    cache.add("empty", "other")
    asker = reviews(api, clock)
    assert await seen(asker, cache) == Visible(frozenset({"empty"}))
    asked = len(api.asked)
    assert await seen(asker, cache) == Visible(frozenset({"empty"}))
    assert len(api.asked) == asked, "one request of a namespace, for all kinds"
    assert await seen(reviews(Api("rose", "empty"), clock), cache) == Visible(frozenset({"rose", "empty"}))
    assert (await seen(reviews(Api(), clock), cache)).denied is not None
    api.allowed = set()
    clock.now += 11
    assert (await seen(asker, cache)).denied is not None
    api.allowed = {"empty"}
    clock.now += 11
    assert (await seen(asker, cache)).denied is not None, "a no is kept for longer"
    clock.now += 20
    assert (await seen(asker, cache)).namespaces == {"empty"}


async def test_rules_decide_only_where_they_are_complete(clock: Clock) -> None:
    api = Api("rose")
    await seen(reviews(api, clock), Cache())
    assert api.asked == [("review", None), ("rules", "rose"), ("rules", "teal")]
    api = Api("rose")
    api.incomplete = True
    assert (await seen(reviews(api, clock), Cache())).namespaces == {"rose"}
    assert sorted(api.asked[3:]) == [("review", "rose"), ("review", "teal")]


async def test_the_same_is_asked_once_and_not_more_at_once_than_may_be(clock: Clock) -> None:
    api = Api(None)
    api.slow = asyncio.Event()
    asker = reviews(api, clock)
    many = [asker.decide(Question("list", PODS, f"n{number % 100}")) for number in range(300)]
    waiting = asyncio.gather(*many)
    for _ in range(10):
        await asyncio.sleep(0)
    assert api.running == AT_ONCE
    api.slow.set()
    assert all(each.allowed for each in await waiting)
    assert len(api.asked) == 100 and api.most == AT_ONCE
    await asker.decide(Question("list", PODS, "n1"))
    assert len(api.asked) == 100, "kept for a while"


async def test_whoever_stops_waiting_ends_nobody_elses_question(clock: Clock) -> None:
    api = Api(None)
    api.slow = asyncio.Event()
    asker, question = reviews(api, clock), Question("list", PODS)
    one, two = asyncio.create_task(asker.decide(question)), asyncio.create_task(asker.decide(question))
    await asyncio.sleep(0)
    one.cancel()
    api.slow.set()
    assert (await two).allowed


async def test_in_a_silence_those_that_wait_are_not_sent_after_the_first(clock: Clock) -> None:
    api = Api(None)
    api.away = True
    asker = reviews(api, clock)
    questions = [asker.decide(Question("list", PODS, f"n{number}")) for number in range(500)]
    answers = await asyncio.gather(*questions, return_exceptions=True)
    assert all(isinstance(each, Unavailable) for each in answers)
    assert len(api.asked) == AT_ONCE


async def test_what_was_allowed_stays_while_nobody_answers_and_nothing_new_comes(clock: Clock) -> None:
    api, cache = Api("rose"), Cache()
    asker = reviews(api, clock)
    before = await seen(asker, cache)
    api.away, cache.state = True, "reconnecting"
    clock.now += 3600
    assert await seen(asker, cache) == before
    cache.state = "live"  # its watch goes on: what comes in now is not under an old right
    later = await seen(asker, cache)
    assert later.namespaces == frozenset() and later.denied is None and later.unknown is AWAY


async def test_a_hiccup_of_reviews_takes_nothing_away_at_once(clock: Clock) -> None:
    api, cache = Api("rose"), Cache()
    asker = reviews(api, clock)
    before = await seen(asker, cache)
    api.away = True
    clock.now += STANDS_SECONDS - 1
    assert await seen(asker, cache) == before
    clock.now += 2
    assert (await seen(asker, cache)).unknown is AWAY


@pytest.mark.parametrize("state", ["live", "reconnecting"])
async def test_there_is_no_new_right_without_an_answer(state: str, clock: Clock) -> None:
    """Somebody who was never answered sees nothing, whatever others were allowed and whatever is cached."""
    api, cache = Api(None), Cache()
    await seen(reviews(api, clock), cache)
    api.away, cache.state = True, state
    found = await seen(reviews(api, clock), cache)
    assert found.within(None) == frozenset() and found.unknown is AWAY
    assert found.refusal("pods", frozenset({"rose"})) is None, "nor is it said to be refused"


async def test_a_right_that_is_taken_away_is_gone_within_half_a_minute(clock: Clock) -> None:
    api, cache = Api("rose"), Cache()
    asker = reviews(api, clock)
    assert (await seen(asker, cache)).namespaces == {"rose"}
    api.allowed = set()
    clock.now += 30
    assert (await seen(asker, cache)).denied is not None
