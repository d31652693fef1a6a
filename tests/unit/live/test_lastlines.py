"""The last lines of a log for a finding: read as the user, and kept while there are none to be had."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dashboard.errors import ClusterError
from dashboard.insight.finding import LogWish
from dashboard.live.screens.detail import lastlines
from dashboard.live.screens.detail.lastlines import last_lines

WISH = LogWish("shop", "web-1", "app", previous=True)
FORMER = {WISH: [("2026-11-28T10:00:00Z", "DATABASE_URL is not set")]}


class Reader:
    """Somebody who may read logs, or not."""

    def __init__(self, *, may: bool = True) -> None:
        self.may = may

    async def permitted(self, *_: Any, **__: Any) -> object | None:
        return object() if self.may else None


def kubelet(monkeypatch: pytest.MonkeyPatch, *lines: bytes, error: ClusterError | None = None) -> None:
    @asynccontextmanager
    async def opened(*_: Any) -> AsyncIterator[AsyncIterator[list[bytes]]]:
        async def batches() -> AsyncIterator[list[bytes]]:
            yield list(lines)

        if error is not None:
            raise error
        yield batches()

    monkeypatch.setattr(lastlines, "open_log", opened)


async def test_another_run_has_other_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    kubelet(monkeypatch, b"2026-11-28T10:05:00Z no disk\n")
    assert await last_lines(Reader(), [WISH], FORMER) == {WISH: [("2026-11-28T10:05:00Z", "no disk")]}  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [None, ClusterError("previous terminated container not found")])
async def test_while_a_container_starts_anew_the_former_lines_stay(
    error: ClusterError | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubelet(monkeypatch, error=error)
    assert await last_lines(Reader(), [WISH], FORMER) == FORMER  # type: ignore[arg-type]
    assert await last_lines(Reader(), [WISH], {}) == {WISH: ()}  # type: ignore[arg-type]


async def test_nothing_stays_for_who_may_not_read_it_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    kubelet(monkeypatch, b"2026-11-28T10:05:00Z no disk\n")
    assert await last_lines(Reader(may=False), [WISH], FORMER) == {WISH: []}  # type: ignore[arg-type]
