"""An open page whose person acts otherwise meanwhile, in a way that can't be had: it ends as a new one would."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest

from dashboard import consumers
from dashboard.consumers import LATER, NO_ACCOUNT, SessionConsumer
from dashboard.errors import ClusterError, Forbidden, TooManyRequests
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
