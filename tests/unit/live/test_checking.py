"""What an open page asks about its person while it is open."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest

from dashboard import consumers
from dashboard.consumers import LATER, NO_ACCOUNT, SessionConsumer
from dashboard.errors import ClusterError, Forbidden, TooManyRequests
from dashboard.live import acting
from dashboard.live.session import Identity


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
