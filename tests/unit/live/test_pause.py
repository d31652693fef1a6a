"""A paused page: its socket reads no logs until the page looks again."""

from __future__ import annotations

import asyncio
import json
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from dashboard import consumers
from dashboard.live.snapshot import Have


class Feed:
    closed = False

    def close(self) -> None:
        self.closed = True

    def position(self) -> dict[str, Any]:
        return {}


class Page:
    """A screen that follows logs."""

    partly = False
    plurals: frozenset[str] = frozenset()
    waits_for: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.feeds: list[Feed] = []

    async def get_ready(self) -> None:
        pass

    def feed(self, *_: Any) -> Feed:
        self.feeds.append(Feed())
        return self.feeds[-1]


async def nothing(*_: Any, **__: Any) -> None:
    pass


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    page = Page()
    monkeypatch.setattr(consumers, "screen_for", lambda *_: page)
    monkeypatch.setattr(consumers, "chrome_screens", lambda *_: (Page(),))
    monkeypatch.setattr(consumers, "plural_of", lambda *_: "pods")
    return page


@pytest.fixture
def socket(page: Page) -> Any:
    socket: Any = consumers.LiveConsumer()
    socket.view, socket.path, socket.viewers, socket.feed, socket.paused = 0, "", [], None, False
    socket.wake, socket.looking = asyncio.Event(), asyncio.Lock()
    socket.session = None
    socket.cluster = SimpleNamespace(
        closed=False,
        knows=nothing,
        ready=nothing,
        lease=lambda *_: nullcontext(),
        hub=SimpleNamespace(look=lambda *_: SimpleNamespace(have=Have), leave=lambda *_: None),
    )
    return socket


async def test_a_paused_page_follows_no_logs_until_it_looks_again(socket: Any, page: Page) -> None:
    look = json.dumps({"t": "look", "view": 1, "path": "/", "have": {}})
    await socket.receive(look)
    assert [feed.closed for feed in page.feeds] == [False]
    await socket.receive(json.dumps({"t": "pause", "view": 1}))
    assert [feed.closed for feed in page.feeds] == [True]
    await socket.look_anew()  # its rights changed meanwhile
    assert socket.feed is None
    assert len(page.feeds) == 1
    await socket.receive(look)
    assert [feed.closed for feed in page.feeds] == [True, False]
