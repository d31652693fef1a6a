"""A thousand people look at one list: how soon each has its first frame, and how soon each has a change.

The API server is ``crowd``, in a process of its own; the people are in this one. Beside it stands a bare websocket server
that sends bytes of the same size to as many sockets, as often: what sending alone costs.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from contextlib import AsyncExitStack
from multiprocessing.connection import Connection
from typing import Any

import aiohttp
from aiohttp import web

from tests.faults.scripted import cluster_at
from tools.server import SESSION, Server

from . import crowd
from .figure import Figure, Place
from .process import Process
from .report import Report, Table, percentile, spread
from .workers import Worker

A_SESSION = 50  # sockets
PODS = 1_000
EVERY_SECONDS = 0.5
PATH = "/c/test/pods/"
WAIT_SECONDS, SETTLE_SECONDS = 120, 5.0
BARE = "CPU of a bare websocket server a message"


class Person:
    """One socket that looks at a page: when it had its first frame, and when each later message came, with its size."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.first = asyncio.Event()
        self.began = self.first_at = 0.0
        self.messages: list[tuple[float, int]] = []

    async def look(self, session: aiohttp.ClientSession, base: str) -> None:
        self.began = time.monotonic()
        url = f"{base}/ws/c/test/"
        async with session.ws_connect(url, headers={"Origin": base}, max_msg_size=0) as socket:
            await socket.send_str(json.dumps({"t": "look", "view": 1, "path": self.path, "have": {}}))
            async for message in socket:
                now = time.monotonic()
                self.messages.append((now, len(message.data.encode())))
                if not self.first.is_set() and '"t":"frame"' in message.data[:20]:
                    self.first_at = now
                    self.first.set()


async def sessions_open(stack: AsyncExitStack, server: Server, count: int) -> list[aiohttp.ClientSession]:
    """Signed in, so many that each has no more sockets than it may."""
    made = []
    for _ in range(-(-count // A_SESSION)):
        connector, jar = aiohttp.TCPConnector(limit=0), aiohttp.CookieJar(unsafe=True)
        session = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar, connector=connector))
        session.cookie_jar.update_cookies({SESSION: await asyncio.to_thread(server.session)})
        made.append(session)
    return made


async def people_join(
    stack: AsyncExitStack, sessions: list[aiohttp.ClientSession], base: str, count: int, path: str
) -> list[Person]:
    """So many who look at a page, once each has its first frame."""
    people = [Person(path) for _ in range(count)]
    for at, person in enumerate(people):
        task = asyncio.create_task(person.look(sessions[at // A_SESSION], base))
        stack.callback(task.cancel)
    async with asyncio.timeout(WAIT_SECONDS):
        await asyncio.gather(*(person.first.wait() for person in people))
    return people


async def _changes(url: str, people: list[Person], changes: int) -> list[float]:
    """Milliseconds from each change, when the API server sends it, to the last person who is told of it."""
    took = []
    async with aiohttp.ClientSession() as session:
        for number in range(changes):
            before = [len(person.messages) for person in people]
            began = time.monotonic()
            # Of the first pod, which is on the page, each time.
            asked = f"{url}{crowd.RESTARTED}?count=1&every=0&first={number * PODS}"
            async with session.post(asked):
                pass
            await asyncio.sleep(EVERY_SECONDS)
            told = [
                person.messages[at][0]
                for person, at in zip(people, before, strict=True)
                if len(person.messages) > at
            ]
            if len(told) == len(people):
                took.append((max(told) - began) * 1e3)
    return took


async def _measure(server: Server, url: str, count: int, changes: int) -> list[tuple[str, str, str]]:
    assert server.process is not None
    dashboard = Process(server.process.pid)
    async with AsyncExitStack() as stack:
        sessions = await sessions_open(stack, server, count)
        # The list is read, and somebody looks already.
        first = await people_join(stack, sessions, server.base, 1, PATH)
        people = first + await people_join(stack, sessions, server.base, count - 1, PATH)
        joining = sorted(person.first_at - person.began for person in people[1:])
        await asyncio.sleep(SETTLE_SECONDS)
        before = dashboard.cpu()
        await asyncio.sleep(changes * EVERY_SECONDS)
        rest = dashboard.cpu() - before
        before, sent = dashboard.cpu(), sum(len(person.messages) for person in people)
        took = await _changes(url, people, changes)
        messages = sum(len(person.messages) for person in people) - sent
        cpu = (dashboard.cpu() - before - rest) * 1e3 / messages
        size = round(statistics.median(length for _, length in people[0].messages[1:]))
    bare = await _bare(count, size, max(1, messages // count))
    if not took:
        raise RuntimeError("no change reached all")
    return [
        ("handshake to first frame", "worst 5 s", spread(joining, "s", 1)),
        ("a change to the last socket", "", spread(took, "ms")),
        ("a change to the last socket, p95", "250 ms", f"{percentile(took, 95):.0f} ms"),
        ("changes that reached all within half a second", "", f"{len(took)} of {changes}"),
        ("CPU of the server a message", "40 µs", f"{cpu:.0f} µs, {messages:,} of {size} letters"),
        (BARE, "", f"{bare:.0f} µs"),
    ]


class _Bare:
    """A websocket server that sends to all."""

    def __init__(self) -> None:
        self._sockets: list[web.WebSocketResponse] = []

    async def join(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        self._sockets.append(socket)
        async for _ in socket:
            pass
        return socket

    async def send(self, request: web.Request) -> web.Response:
        text = "x" * int(request.query["size"])
        before = time.process_time()
        for _ in range(int(request.query["times"])):
            for socket in self._sockets:
                await socket.send_str(text)
            await asyncio.sleep(
                EVERY_SECONDS
            )  # as often as changes come: whoever sends without a pause wakes nobody
        return web.json_response({"cpu": time.process_time() - before})


def _serve_bare(pipe: Connection) -> None:
    asyncio.run(_bare_server(pipe))


async def _bare_server(pipe: Connection) -> None:
    bare, app = _Bare(), web.Application()
    app.router.add_get("/ws", bare.join)
    app.router.add_get("/send", bare.send)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    pipe.send(site._server.sockets[0].getsockname()[1])  # type: ignore[attr-defined]
    await asyncio.to_thread(pipe.recv)
    await runner.cleanup()


async def _bare(count: int, size: int, times: int) -> float:
    """Microseconds of CPU a message."""
    worker = Worker(_serve_bare)
    port = await asyncio.to_thread(worker.pipe.recv)
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            base = f"http://127.0.0.1:{port}"
            sockets = await asyncio.gather(*(session.ws_connect(f"{base}/ws") for _ in range(count)))
            reading = [asyncio.create_task(_read(socket)) for socket in sockets]
            async with session.get(f"{base}/send?size={size}&times={times}") as answer:
                cpu: float = (await answer.json())["cpu"]
            for task in reading:
                task.cancel()
            await asyncio.gather(*(socket.close() for socket in sockets))
            return cpu * 1e6 / (count * times)
    finally:
        await asyncio.to_thread(worker.end)


async def _read(socket: Any) -> None:
    async for _ in socket:
        pass


def run(place: Place, *, people: int, changes: int) -> Report:
    cluster = Worker(crowd.serve, PODS)
    url = cluster.pipe.recv()
    cluster_at(place.home, url)
    try:
        with Server(place.home / "server", place.home / "kubeconfig") as server:
            rows = asyncio.run(_measure(server, url, people, changes))
    finally:
        cluster.end()
    return Report(
        f"{people:,} people at one list, {changes} changes",
        (Table(columns=("", "aim", "measured"), rows=rows, yardstick=BARE),),
    )


FIGURE = Figure(
    name="sockets", run=run, full={"people": 1_000, "changes": 40}, short={"people": 20, "changes": 4}
)
