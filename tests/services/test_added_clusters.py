"""Contexts that are added and removed are known to every server process, over a real PostgreSQL, without a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest_asyncio

from tests.databases import Postgres
from tests.kubeconfigs import TOKEN, kubeconfig
from tools.server import SESSION, Server

KEY = "one key of all processes, long enough for anybody"
SECONDS = 30.0  # as docs/limits.md says


@pytest_asyncio.fixture
async def two(postgres: Postgres, nowhere: Path, tmp_path: Path) -> AsyncIterator[list[Server]]:
    """Two processes over one database."""
    url = postgres.database("clusters")
    made = [
        Server(tmp_path / name, nowhere, DATABASE_URL=url, CLUSTER_UI_SECRET_KEY=KEY) for name in ("a", "b")
    ]
    try:
        for server in made:
            await asyncio.to_thread(server.__enter__)
        yield made
    finally:
        for server in made:
            await asyncio.to_thread(server.stop)


def session_at(server: Server, cookie: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        server.base, cookies={SESSION: cookie}, cookie_jar=aiohttp.CookieJar(unsafe=True),
        headers={"Accept": "text/html"}, timeout=aiohttp.ClientTimeout(60),
    )  # fmt: skip


async def names(session: aiohttp.ClientSession) -> list[str]:
    async with session.get("/clusters/?format=json") as answer:
        assert answer.status == 200, await answer.text()
        return sorted(each["name"] for each in (await answer.json())["clusters"])


async def until_known(session: aiohttp.ClientSession, wanted: list[str]) -> None:
    async with asyncio.timeout(SECONDS):
        while await names(session) != wanted:  # noqa: ASYNC110 nobody calls back
            await asyncio.sleep(0.2)


async def test_each_process_learns_of_what_the_other_adds_and_removes(
    two: list[Server], postgres: Postgres, tmp_path: Path
) -> None:
    one, other = two
    path = tmp_path / "added"
    path.write_text(kubeconfig("dev", server="https://127.0.0.1:1"))
    cookie = await asyncio.to_thread(one.session)
    async with session_at(one, cookie) as here, session_at(other, cookie) as there:
        assert await names(there) == ["tests"]
        assert "is added" in await asyncio.to_thread(
            one.manage, "clusters", "add", str(path), "--act-as", "installation"
        )
        rows = str(postgres.ask("SELECT t::text FROM dashboard_addedcluster t", database="clusters"))
        assert "dev" in rows and TOKEN not in rows
        await until_known(here, ["dev", "tests"])
        await until_known(there, ["dev", "tests"])
        async with there.ws_connect("/ws/c/dev/", headers={"Origin": other.base}) as socket:
            await socket.send_json({"t": "look", "view": 1, "path": "/c/dev/pods/", "have": {}})
            async with here.get("/clusters/") as page:
                token = (await page.text()).partition('"X-CSRFToken": "')[2].partition('"')[0]
            assert token
            form = {"confirm": "dev", "format": "json"}
            headers = {"X-CSRFToken": token, "Origin": one.base, "Referer": f"{one.base}/clusters/"}
            async with here.post("/clusters/dev/remove/", data=form, headers=headers) as answer:
                assert await answer.json() == {"removed": "dev"}
            assert await names(here) == ["tests"], "the process that removes it knows at once"
            async with asyncio.timeout(SECONDS):
                while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                    if message.json()["t"] == "bye":
                        assert message.json()["why"] == "gone"
                        break
                else:
                    raise AssertionError(f"it was closed without a word: {message}")
        await until_known(there, ["tests"])
    for server in two:
        assert TOKEN not in server.log.read_text() and "Traceback" not in server.log.read_text()
