"""What one session asks of its sockets, and how fast: the latest is answered, the rest costs nothing."""

from __future__ import annotations

import asyncio
import gc
import json
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from asgiref.testing import ApplicationCommunicator

from dashboard import consumers
from dashboard.rates import LOOKS_AT_ONCE, MESSAGES_AT_ONCE, SOCKETS, Rate, SessionRates, rates_of


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_rate_allows_some_at_once_and_then_its_pace() -> None:
    clock = Clock()
    rate = Rate(3, 2.0, clock)
    assert [rate.take() for _ in range(4)] == [0, 0, 0, 0.5]
    clock.now = 0.5
    assert [rate.take(), rate.take()] == [0, 0.5]
    clock.now = 100
    assert [rate.take() for _ in range(4)] == [0, 0, 0, 0.5]


def test_the_sockets_of_a_session_share_their_rates_and_leave_nothing_behind() -> None:
    one = rates_of("one")
    assert rates_of("one") is one
    assert rates_of("two") is not one
    one.looks.take()
    del one
    gc.collect()
    assert rates_of("one").looks._left == LOOKS_AT_ONCE


def test_a_session_has_so_many_sockets_and_another_one_when_one_has_gone() -> None:
    rates = rates_of("crowded")
    assert [rates.enter() for _ in range(SOCKETS + 2)] == [True] * SOCKETS + [False] * 2
    rates.leave()
    assert [rates_of("crowded").enter(), rates_of("crowded").enter()] == [True, False]
    assert rates_of("alone").enter()


@pytest.mark.django_db(transaction=True)
async def test_one_socket_too_many_is_closed_in_words_and_those_that_end_make_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consumers.LiveConsumer, "signed_in", AsyncMock(return_value=("mara", None)))
    monkeypatch.setattr(consumers, "runtime", Mock())
    monkeypatch.setattr("dashboard.rates.SOCKETS", 2)

    sockets = [
        ApplicationCommunicator(
            consumers.LiveConsumer.as_asgi(),
            {
                "type": "websocket",
                "session": SimpleNamespace(session_key="many", get=lambda *_: ""),
                "url_route": {"kwargs": {"context": "tests"}},
            },
        )
        for _ in range(3)
    ]
    rates = rates_of("many")
    for each in sockets:
        await each.send_input({"type": "websocket.connect"})
        assert (await each.receive_output(timeout=60))["type"] == "websocket.accept"
    said, end = [await sockets[2].receive_output(timeout=60) for _ in range(2)]
    assert "Close some" in json.loads(said["text"])["why"]
    assert (end["type"], end["code"]) == ("websocket.close", consumers.TOO_MANY)
    await sockets[2].send_input({"type": "websocket.disconnect", "code": 1000})
    await sockets[2].wait(timeout=60)
    assert rates.sockets == 2, "those that were refused do not count"
    for each in sockets[:2]:
        await each.send_input({"type": "websocket.disconnect", "code": 1000})
        await each.wait(timeout=60)
    assert rates.sockets == 0


class Socket(consumers.LiveConsumer):
    """Counts what it looks at, and has no cluster."""

    def __init__(self) -> None:
        super().__init__()
        self.view, self.path, self.paused, self.feed = 0, "", False, None
        self.tasks: set[asyncio.Task[None]] = set()
        self.looked: list[int] = []
        self.said: list[Any] = []
        self.closed: list[int] = []
        self.rates = SessionRates()
        self.refusals: list[str] = []

    async def refused(self, why: str, *_: Any) -> None:
        self.refusals.append(why)

    async def look(self, view: int, path: str, *_: Any) -> None:
        self.looked.append(view)

    async def send(self, text_data: str = "", **_: Any) -> None:
        self.said.append(json.loads(text_data))

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        self.closed.append(code)


def look(view: int, path: str = "/") -> str:
    return json.dumps({"t": "look", "view": view, "path": path, "have": {}})


async def test_a_flood_of_looks_is_answered_by_the_latest_and_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    socket, asked = Socket(), asyncio.Event()
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asked.wait()

    monkeypatch.setattr(consumers, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": sleep}))
    for view in range(1, 401):
        await socket.receive(look(view))
    assert len(socket.looked) <= LOOKS_AT_ONCE + 5
    assert [message["t"] for message in socket.said] == ["slow"]
    assert "the latest" in socket.said[0]["why"]
    socket.rates = None
    asked.set()
    await asyncio.gather(*socket.tasks)
    assert socket.looked[-1] == 400
    assert socket.closed == []


async def test_more_messages_than_anybody_can_mean_close_the_socket() -> None:
    socket = Socket()
    for _ in range(MESSAGES_AT_ONCE + 1000):
        await socket.receive('{"t": "pause"}')
        if socket.closed:
            break
    assert socket.closed == [consumers.TOO_MANY]
    assert socket.said[-1]["t"] == "bye"


async def test_who_opens_many_pages_in_turn_never_meets_it() -> None:
    socket = Socket()
    for view in range(LOOKS_AT_ONCE):
        await socket.receive(look(view))
    assert socket.looked == list(range(LOOKS_AT_ONCE))
    assert socket.said == []


async def test_an_address_that_no_page_has_is_not_looked_at() -> None:
    socket = Socket()
    await socket.receive(look(1, "/c/x/pods/?q=" + "a+" * 20_000))
    assert socket.looked == []
