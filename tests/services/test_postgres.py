"""Many pages at once over a real PostgreSQL, and PostgreSQL gone and back."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psycopg
import pytest

from tests.databases import Postgres
from tools.server import SESSION, Server

BOUND = 8
GONE = 60.0  # seconds
PAGES, AT_ONCE = 1000, 40


@asynccontextmanager
async def dashboard(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    """The server, and the owner's session."""
    await asyncio.to_thread(server.__enter__)
    try:
        async with aiohttp.ClientSession(
            server.base,
            cookies={SESSION: await asyncio.to_thread(server.session)},
            headers={"Accept": "text/html"},
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            timeout=aiohttp.ClientTimeout(240),
        ) as session:
            yield session
    finally:
        await asyncio.to_thread(server.stop)


@pytest.fixture
def server(postgres: Postgres, nowhere: Path, tmp_path: Path) -> Server:
    url = postgres.database("dashboard")
    return Server(tmp_path / "home", nowhere, DATABASE_URL=url, CLUSTER_UI_DATABASE_CONNECTIONS=str(BOUND))


def used(postgres: Postgres) -> set[int]:
    """Connections to the dashboard's database that are open now, each by its process."""
    return {
        int(pid) for (pid,) in postgres.ask("SELECT pid FROM pg_stat_activity WHERE datname = 'dashboard'")
    }


async def test_a_thousand_pages_stay_within_the_pool(server: Server, postgres: Postgres) -> None:
    seen: Counter[int] = Counter()
    most = 0

    async def read(session: aiohttp.ClientSession, number: int) -> None:
        if number % 10 == 0:
            # A browser that has gone before the answer: its connection must come back too.
            try:
                async with session.get("/changes/", timeout=aiohttp.ClientTimeout(0.02)) as response:
                    await response.read()
            except TimeoutError:
                return
        async with session.get(f"/changes/?q={number}") as response:
            await response.read()
            seen[response.status] += 1

    async with dashboard(server) as session:
        numbers = iter(range(PAGES))

        async def reader() -> None:
            for number in numbers:
                await read(session, number)

        async def watch() -> None:
            nonlocal most
            looks: deque[set[int]] = deque(maxlen=3)
            while True:
                # One that the pool has closed is still there until its process has ended.
                looks.append(await asyncio.to_thread(used, postgres))
                most = max(most, len(set.intersection(*looks)))
                await asyncio.sleep(0.2)

        watching = asyncio.create_task(watch())
        await asyncio.gather(*(reader() for _ in range(AT_ONCE)))
        watching.cancel()
        assert set(seen) == {200} and seen[200] >= PAGES * 0.9
        assert 1 <= most <= BOUND
        # Nothing is lost on the way: as many as there are can be used at once.
        async with session.get("/readyz") as response:
            assert (await response.json())["database"] == "ok"
    assert "Traceback" not in server.log.read_text()


async def until(session: aiohttp.ClientSession, path: str, good: Callable[[int], bool]) -> tuple[int, str]:
    async with asyncio.timeout(120):
        while True:
            async with session.get(path, allow_redirects=False) as response:
                if good(response.status):
                    return response.status, await response.text()
            await asyncio.sleep(0.2)


async def test_postgresql_gone_is_told_in_words_and_its_return_needs_no_restart(
    server: Server, postgres: Postgres
) -> None:
    async with dashboard(server) as session:
        link = await asyncio.to_thread(server.signin_link)
        headers = {"Origin": server.base}
        async with session.ws_connect("/ws/c/tests/", headers=headers) as socket:
            postgres.stop()
            gone = time.monotonic()
            try:
                for path in ("/changes/", link.removeprefix(server.base), "/clusters/"):
                    async with session.get(path, allow_redirects=False) as response:
                        text = await response.text()
                        assert response.status == 503, (path, text)
                        assert response.headers["Retry-After"]
                    assert (
                        "The dashboard&#x27;s database does not answer" in text
                        and "cluster is not affected" in text
                    )
                    assert "cluster cannot be reached" not in text
                async with session.get("/changes/?format=json") as response:
                    assert response.status == 503
                    assert (await response.json())["title"] == "The dashboard's database does not answer"
                async with session.get("/readyz") as response:
                    assert response.status == 503
                async with aiohttp.request("GET", f"{server.base}/healthz") as response:
                    assert response.status == 200, "restarting the dashboard would not bring it back"
                async with session.ws_connect("/ws/c/tests/", headers=headers) as late:
                    message = await late.receive(60)
                    assert (message.type, late.close_code) == (aiohttp.WSMsgType.CLOSE, 1013)
                # What runs in the background has missed it many times by then.
                await asyncio.sleep(max(0.0, GONE - (time.monotonic() - gone)))
            finally:
                postgres.start()
            await socket.close()
        status, _ = await until(session, "/changes/", lambda status: status != 503)
        assert status == 200
        # What runs in the background has come back too, without a request in its thread.
        async with session.ws_connect("/ws/c/tests/", headers=headers) as socket:
            await socket.send_json({"t": "look", "view": 1, "path": "/c/tests/pods/", "have": {}})
            assert (await socket.receive_json(timeout=60))["t"] in ("frame", "beat")
    assert "Traceback" not in server.log.read_text()


async def test_a_pool_that_is_used_up_is_told_in_words(
    postgres: Postgres, nowhere: Path, tmp_path: Path
) -> None:
    """One connection, and somebody who holds it: a row that a page must write is locked."""
    url = postgres.database("dashboard")
    server = Server(tmp_path / "home", nowhere, DATABASE_URL=url, CLUSTER_UI_DATABASE_CONNECTIONS="1")
    async with dashboard(server) as session:
        with psycopg.connect(url) as other:
            other.execute("LOCK TABLE django_session IN ACCESS EXCLUSIVE MODE")
            answers = await asyncio.gather(*(until(session, "/changes/", lambda _: True) for _ in range(6)))
        assert {status for status, _ in answers} == {503}
        assert any("has locked the dashboard" in text for _, text in answers)
        assert any("all connections to it are in use" in text for _, text in answers)
        assert (await until(session, "/changes/", lambda status: status != 503))[0] == 200
