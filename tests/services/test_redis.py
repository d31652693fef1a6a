"""Sign-in is throttled through a real Redis, by all server processes together; without it, by each for itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.databases import Redis
from tools.server import SESSION, Server


@pytest.fixture
def servers(redis: Redis, nowhere: Path, tmp_path: Path) -> Iterator[list[Server]]:
    """Two processes over one database and one Redis."""
    home = tmp_path / "home"
    with Server(home, nowhere, REDIS_URL=redis.url) as one:
        other = Server(home, nowhere, REDIS_URL=redis.url)
        other.start()
        yield [one, other]
        other.stop()


async def wrong(server: Server) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{server.base}/login/?token=wrong") as response,
    ):
        await response.read()
        return response.status


async def test_two_processes_throttle_together_and_without_redis_each_for_itself(
    servers: list[Server], redis: Redis
) -> None:
    said = [await wrong(servers[number % 2]) for number in range(16)]
    # The window may end in between, on a slow machine: then it begins anew.
    assert said[:10] == [403] * 10 and 429 in said[10:]
    redis.stop()
    try:
        assert {await wrong(servers[0]) for _ in range(3)} <= {403, 429}
        cookie = await asyncio.to_thread(servers[0].session)
        assert cookie, "a link that holds always signs in"
        async with (
            aiohttp.ClientSession(
                cookies={SESSION: cookie}, cookie_jar=aiohttp.CookieJar(unsafe=True)
            ) as session,
            session.get(f"{servers[0].base}/clusters/", headers={"Accept": "text/html"}) as response,
        ):
            assert response.status == 200, "each process knows of the clusters that are looked at in it"
    finally:
        redis.start()
    assert "Redis does not answer" in servers[0].log.read_text()
    assert "Traceback" not in servers[0].log.read_text()
