"""What an open page asks about its person while it is open."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest

from dashboard import consumers
from dashboard.actions.shell import VERBS
from dashboard.consumers import LATER, NO_ACCOUNT, SESSION_SECONDS, SessionConsumer
from dashboard.errors import ClusterError, Forbidden, TooManyRequests
from dashboard.kinds import KINDS
from dashboard.kube.access import ASK_SECONDS, KEEP_SECONDS, Question, Reviews
from dashboard.kube.transport import Response
from dashboard.live import acting
from dashboard.live.hub import REVIEW_SECONDS
from dashboard.live.session import Identity
from dashboard.shellconsumer import RIGHTS_SECONDS

BOUND_SECONDS = 30.0  # what is promised of every stream: docs/limits.md


def test_the_waits_of_a_stream_together_are_within_what_is_promised() -> None:
    """A loss just after a question: the answer is kept, the next question comes after it, and takes its time."""
    assert SESSION_SECONDS + SESSION_SECONDS / 2 + ASK_SECONDS <= BOUND_SECONDS
    assert REVIEW_SECONDS + KEEP_SECONDS + ASK_SECONDS <= BOUND_SECONDS
    assert RIGHTS_SECONDS + KEEP_SECONDS + len(VERBS) * ASK_SECONDS <= BOUND_SECONDS


async def test_a_right_that_was_lost_is_no_longer_had_once_a_kept_answer_is_as_old_as_it_may_be() -> None:
    """What is told of one kind by rules that were read for another one is as old as they are."""
    clock = SimpleNamespace(now=0.0)
    rule = b'{"verbs": ["list"], "apiGroups": [""], "resources": ["pods", "services"]}'

    class Api:
        rules = rule

        async def request(self, *_: object, **__: object) -> Response:
            told = self.rules
            clock.now += ASK_SECONDS  # it decides at once, and answers late
            return Response(201, b'{"status": {"resourceRules": [%b]}}' % told, {})

    api: Any = Api()
    reviews = Reviews(api, clock=lambda: clock.now)

    async def may_list(plural: str) -> bool:
        return (await reviews.decide_in(Question("list", KINDS[plural].gvr, "shop"))).allowed

    assert await may_list("pods")
    api.rules = b""
    clock.now = KEEP_SECONDS - 0.1
    assert await may_list("services")
    clock.now = KEEP_SECONDS
    assert not await may_list("services") and not await may_list("pods")


@pytest.mark.parametrize(
    ("error", "code"), [(Forbidden("It impersonates itself."), NO_ACCOUNT), (TooManyRequests("500"), LATER)]
)
async def test_an_account_that_can_not_be_had_ends_the_socket_in_words(
    monkeypatch: pytest.MonkeyPatch, error: ClusterError, code: int
) -> None:
    monkeypatch.setattr(consumers, "SESSION_SECONDS", 0.0)
    socket: Any = SessionConsumer()
    socket.cluster = SimpleNamespace(closed=False)
    socket.session = SimpleNamespace(identity=Identity("mara", "before"))
    socket.identity = AsyncMock(return_value=Identity("mara", "after"))
    socket.vouched_for = AsyncMock(return_value=True)
    socket.acts_otherwise = AsyncMock(side_effect=error)
    socket.send, socket.close = AsyncMock(), AsyncMock()
    await socket.keep_checking()
    socket.close.assert_awaited_once_with(code)
    assert socket.send.await_count == (code == NO_ACCOUNT)


async def test_the_pages_of_one_session_ask_once_and_each_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []

    async def vouched(session_key: str | None) -> Any:
        asked.append(session_key)
        await asyncio.sleep(0)
        if "away" in asked:
            raise OSError("away")
        return session_key, None

    monkeypatch.setattr(acting, "vouched", vouched)
    monkeypatch.setattr(acting, "_words", {})
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(acting, "time", SimpleNamespace(monotonic=lambda: clock.now))
    told = await asyncio.gather(*(acting.vouched_lately(key, 5.0) for key in ("one", "one", "two", "one")))
    assert [each and each[0] for each in told] == ["one", "one", "two", "one"] and asked == ["one", "two"]
    clock.now = 5.0
    await acting.vouched_lately("one", 5.0)
    assert asked == ["one", "two"], "as old as it may be"
    clock.now = 5.1
    await acting.vouched_lately("one", 5.0)
    assert asked == ["one", "two", "one"]
    assert set(acting._words) == {"one"}, "what is old is forgotten"
    for _ in range(2):  # no word at all is none to go by
        with pytest.raises(OSError, match="away"):
            await acting.vouched_lately("away", 5.0)
    assert asked[3:] == ["away", "away"]
    # Whoever goes away while it is asked takes it from nobody.
    asked.clear()
    first = asyncio.create_task(acting.vouched_lately("three", 5.0))
    await asyncio.sleep(0)
    first.cancel()
    assert await acting.vouched_lately("three", 5.0) == ("three", None) and asked == ["three"]
