"""Two server processes over one PostgreSQL, one Redis and one real API server: whichever answers, and one that is killed,
stopped for a while, or an hour ahead.
"""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dashboard.actions.operations import LEASE_SECONDS
from dashboard.live.operations import LOOK_SECONDS
from sandbox import Sandbox
from tests.databases import Postgres, Redis
from tools.server import SESSION, Server

from .place import RBAC, until
from .test_bulk import NAMES, Shop

pytestmark = pytest.mark.cluster

KEY = "one key of all processes, long enough for anybody"
FAKETIME = "/usr/$LIB/faketime/libfaketime.so.1"  # the loader fills in this machine's folder
SOME = NAMES[:6]
MOVES, LOST = "moved by this process from now on", "another process has it now"


@pytest.fixture
async def shop(cluster: Sandbox, namespace: str) -> AsyncIterator[Shop]:
    made = Shop(cluster, namespace)
    yield made
    made.api.delete(f"{RBAC}/clusterrolebindings/reads-{namespace}")


Make = Callable[..., Server]


@pytest.fixture
def process(shop: Shop, postgres: Postgres, redis: Redis, tmp_path: Path) -> Make:
    """Another process of the one dashboard; not started."""
    url, kubeconfig = postgres.database("processes"), shop.kubeconfig(tmp_path)

    def make(name: str, *program: str, **settings: str) -> Server:
        more = {"DATABASE_URL": url, "REDIS_URL": redis.url, "CLUSTER_UI_SECRET_KEY": KEY}
        server = Server(tmp_path / name, kubeconfig, **more, **settings)
        server.program = program or server.program
        return server

    return make


@asynccontextmanager
async def serving(*servers: Server) -> AsyncIterator[list[aiohttp.ClientSession]]:
    """These, started, and one session of the owner's that each of them takes."""
    try:
        for server in servers:
            await asyncio.to_thread(server.__enter__)
        cookies = {SESSION: await asyncio.to_thread(servers[0].session)}
        sessions = [
            aiohttp.ClientSession(server.base, cookies=cookies, cookie_jar=aiohttp.CookieJar(unsafe=True))
            for server in servers
        ]
        try:
            page = await (await sessions[0].get("/clusters/", headers={"Accept": "text/html"})).text()
            token = re.search(r'"X-CSRFToken": "([^"]+)"', page)
            assert token
            for session in sessions:  # what one process made, each takes
                session.headers["X-CSRFToken"] = token[1]
            await (await sessions[0].post("/clusters/tests/allow/")).text()
            yield sessions
        finally:
            for session in sessions:
                await session.close()
    finally:
        for server in servers:
            if server.process is not None:
                server.process.send_signal(signal.SIGCONT)
            await asyncio.to_thread(server.stop)


def said(server: Server, words: str) -> bool:
    return words in server.log.read_text()


async def said_so(server: Server, words: str) -> None:
    async def there() -> bool:
        return said(server, words)

    await until(there, 120)


async def finished(shop: Shop, url: str) -> None:
    """It ends, and every object was scaled once, and is told so once."""
    results = await shop.ended(url)
    assert {name: each["state"] for name, each in results.items()} == dict.fromkeys(SOME, "done")
    async with shop.session.get("/audit/?format=json") as response:
        entries = (await response.json(content_type=None))["entries"]
    scaled = [each["name"] for each in entries if (each["action"], each["result"]) == ("scale", "done")]
    assert sorted(scaled) == SOME


def generations(shop: Shop) -> dict[str, int]:
    found = {
        each["metadata"]["name"]: each["metadata"]["generation"] for each in shop.api.get(shop.apps)["items"]
    }
    return {name: found[name] for name in SOME}


async def first_frame(session: aiohttp.ClientSession, have: dict[str, Any], path: str) -> Any:
    """The socket that looks at a page, and the first frame of it."""
    origin = {"Origin": str(session._base_url).rstrip("/")}
    socket = await session.ws_connect("/ws/c/tests/", headers=origin)
    await socket.send_json({"t": "look", "view": 1, "path": path, "have": have})
    while (message := await socket.receive_json(timeout=60))["t"] != "frame":
        pass
    return socket, message


async def test_whichever_process_answers(process: Make, shop: Shop) -> None:
    async with serving(process("a"), process("b")) as (here, there):
        shop.session = here
        asked = {"replicas": "2"}
        url = f"/c/tests/deployments/{shop.namespace}/web-00/scale/"
        status, shown = await shop.post(url, **asked, step="preview")
        assert status == 200, shown
        shop.session = there
        status, made = await shop.post(url, **asked, step="apply", token=shown["token"])
        assert status == 200, made
        assert (await shop.post(url, **asked, step="apply", token=shown["token"]))[1] == made
        shop.session = here
        assert (await shop.post(url, **asked, step="apply", token=shown["token"]))[1] == made, "applied once"
        told = []
        for session in (here, there):
            async with session.get("/audit/?format=json") as response:
                told.append((await response.json(content_type=None))["entries"])
        scales = [[each for each in entries if each["action"] == "scale"] for entries in told]
        assert scales[0] == scales[1] and len(scales[0]) == 1

        # A page that one process sent goes on at the other: what the browser has of it is not sent again.
        path = f"/c/tests/deployments/?namespace={shop.namespace}"
        socket, frame = await first_frame(here, {}, path)
        have = {
            "regions": {name: part[0] for name, part in frame["regions"].items()},
            "lists": {name: [row[:2] for row in steps["up"]] for name, steps in frame["lists"].items()},
        }
        assert len(have["lists"]["rows"]) == len(NAMES), frame
        await socket.close()
        socket, again = await first_frame(there, have, path)
        assert "list-cols" in have["regions"] and "list-cols" not in again.get("regions", {})
        resent = [
            row[2] for steps in again.get("lists", {}).values() for row in steps.get("up", ()) if row[2]
        ]
        assert all("web-00" in row for row in resent), "but for what is rolled out just now"
        shop.api.patch(f"{shop.apps}/web-05", {"spec": {"replicas": 3}})
        async with asyncio.timeout(60):
            while "web-05" not in await socket.receive_str():
                pass
        # Signed out at the one, signed out at the other, whose sockets end.
        await (await here.post("/logout/")).read()
        async with asyncio.timeout(60):
            while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
        assert socket.close_code == 4401, message
        async with there.get("/changes/?format=json", allow_redirects=False) as response:
            assert response.status in (302, 401)


async def test_a_cluster_that_one_process_looks_at_is_told_by_the_other(process: Make, shop: Shop) -> None:
    async def seen_by(session: aiohttp.ClientSession) -> dict[str, Any] | None:
        async with session.get("/clusters/?format=json") as response:
            (found,) = [each for each in (await response.json())["clusters"] if each["slug"] == "tests"]
        return found if found["looked_at"] and found["state"] != "unknown" else None

    async with serving(process("a"), process("b")) as (here, there):
        await (await here.post("/clusters/tests/look/")).read()
        one, other = await until(lambda: seen_by(here)), await until(lambda: seen_by(there))
        assert one["version"] and all(
            one[key] == other[key] for key in ("state", "version", "account", "pods")
        )


async def test_what_a_killed_process_moved_is_moved_by_another(process: Make, shop: Shop) -> None:
    one, other = process("a"), process("b")
    async with serving(one, other) as (here, there):
        shop.session = here
        made = await shop.begun(1, SOME, order="one")
        await until(lambda: first_done(shop, made["url"]))
        owner, heir, shop.session = (one, other, there) if said(one, MOVES) else (other, one, here)
        assert not said(heir, MOVES), "one at a time"
        await asyncio.to_thread(owner.stop, signal.SIGKILL)
        await asyncio.wait_for(said_so(heir, MOVES), LEASE_SECONDS + LOOK_SECONDS + 30)
        await finished(shop, made["url"])
    assert generations(shop) == dict.fromkeys(SOME, 2), "each was written once"
    assert "Traceback" not in other.log.read_text()


async def first_done(shop: Shop, url: str) -> bool:
    return any(each["state"] == "done" for each in (await shop.state(url))["results"])


async def is_stopped(pid: int) -> bool:
    stat = await asyncio.to_thread(Path(f"/proc/{pid}/stat").read_text)
    return stat.rpartition(")")[2].split()[0] == "T"


async def test_a_process_that_was_stopped_for_longer_than_its_lease_writes_nothing_any_more(
    process: Make, shop: Shop
) -> None:
    paused, other = process("a", "-m", "tests.cluster.pausing"), process("b")
    async with serving(paused) as (here,):
        shop.session = here
        made = await shop.begun(1, SOME, order="one")
        running = paused.process
        assert running is not None
        await until(lambda: is_stopped(running.pid))
        async with serving(other) as (there,):
            shop.session = there
            await finished(shop, made["url"])
            shop.api.patch(
                f"{shop.apps}/web-00", {"spec": {"replicas": 0}}
            )  # as it was: its first write would fit again
            running.send_signal(signal.SIGCONT)
            await said_so(paused, LOST)
            assert shop.replicas()["web-00"] == 0
            await finished(shop, made["url"])
    assert generations(shop) == dict.fromkeys(SOME, 2) | {"web-00": 3}
    assert "Traceback" not in paused.log.read_text()


async def test_an_operation_waits_while_postgresql_is_away_and_goes_on_with_it(
    process: Make, shop: Shop, postgres: Postgres
) -> None:
    async with serving(process("a")) as (here,):
        shop.session = here
        made = await shop.begun(1, SOME, order="one")
        await until(lambda: first_done(shop, made["url"]))
        postgres.stop()
        try:
            await asyncio.sleep(LEASE_SECONDS)
            before = generations(shop)
            await asyncio.sleep(5)
            assert generations(shop) == before, "what can't be written down is not done"
        finally:
            postgres.start()
        await until(lambda: here_again(shop, made["url"]), 120)
        await finished(shop, made["url"])
    assert generations(shop) == dict.fromkeys(SOME, 2)


async def here_again(shop: Shop, url: str) -> bool:
    async with shop.session.get(f"{url}?format=json") as response:
        return response.status == 200


async def test_a_process_an_hour_ahead_takes_nothing_away_and_sets_nothing_aside(
    process: Make, shop: Shop
) -> None:
    ahead = {"LD_PRELOAD": FAKETIME, "FAKETIME": "+1h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    one, hasty = process("a"), process("b", **ahead)
    async with serving(one) as (here,):
        shop.session = here
        made = await shop.begun(1, SOME, order="one")
        await said_so(one, MOVES)
        async with serving(hasty):
            await said_so(hasty, "clock and the database's differ by 3600 s")
            await finished(shop, made["url"])
    assert not said(hasty, MOVES), "its lease was never over"
    assert generations(shop) == dict.fromkeys(SOME, 2)
