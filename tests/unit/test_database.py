"""Connections to the dashboard's own database: whoever asks gives one back, in a request or outside."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from asgiref.sync import ThreadSensitiveContext
from django.db import OperationalError, connections

from dashboard.database import in_database
from dashboard.live import operations as live_operations
from dashboard.live.operations import Operations

ROOT = Path(__file__).parents[2] / "dashboard"
# The queries that Django offers to coroutines: each leaves its connection to the thread that it ran in, and only the
# end of a request takes that back.
LEAVING = re.compile(
    r"asgiref|(?<!super\(\))\.a(?:aggregate|bulk_create|bulk_update|count|create|delete|earliest|exists|first"
    r"|get_or_create|in_bulk|iterator|last|latest|refresh_from_db|save|update|update_or_create)\("
)
# The one place; and what is in a cache.
OWN = {ROOT / "database.py", ROOT / "throttle.py", ROOT / "clusters/looked.py"}


def test_the_database_is_asked_through_the_one_function_that_gives_the_connection_back() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in ROOT.rglob("*.py")
        if path not in OWN
        for line in path.read_text().splitlines()
        if LEAVING.search(line)
    }
    assert found == set()


async def test_a_task_that_outlives_its_request_keeps_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs on in the thread of that request, where nobody ends anything any more."""
    closed: list[str] = []

    def asked() -> None:
        monkeypatch.setattr(
            connections["default"], "close_if_unusable_or_obsolete", lambda: closed.append("given back")
        )

    async def background() -> None:
        await gone.wait()
        await in_database(asked)()

    gone = asyncio.Event()
    async with ThreadSensitiveContext():
        task = asyncio.create_task(background())
    gone.set()
    await task
    assert closed == ["given back"]


@pytest.mark.django_db(transaction=True)  # a connection that an earlier test left is looked at
async def test_a_server_whose_database_is_away_ends_in_order(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(holder: str) -> None:
        raise OperationalError("couldn't get a connection after 4.00 sec")

    async def nothing(self: Operations) -> int:
        return 0

    monkeypatch.setattr(live_operations, "operations_release", away)
    monkeypatch.setattr(Operations, "move", nothing)
    running = Operations(live_operations.runtime)
    running.start()
    await running.stop()
    assert "another process waits before it goes on with operations" in caplog.text
