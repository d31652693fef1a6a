"""A thousand people look at one list: how soon each has its first frame, and how soon each has a change.

The API server is ``crowd``, in a process of its own; the people are in this one. Beside it stands a bare websocket server
that sends bytes of the same size to as many sockets, as often: what sending alone costs.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time
from contextlib import AsyncExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from bench import crowd
from bench.pages import Dashboard
from bench.workers import Worker
from tests.faults.scripted import cluster_at
from tools.server import SESSION, Server

A_SESSION = 50  # sockets
PODS = 1_000
CHANGES, EVERY_SECONDS = 40, 0.5
LOOK = {"t": "look", "view": 1, "path": "/c/test/pods/", "have": {}}
WAIT_SECONDS, SETTLE_SECONDS = 120, 5.0


class Person:
    """One socket that looks at the list: when it had its first frame, and when each later message came."""

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.began = self.first_at = 0.0
        self.messages: list[tuple[float, int]] = []

    async def look(self, session: aiohttp.ClientSession, base: str) -> None:
        self.began = time.monotonic()
        url = f"{base}/ws/c/test/"
        async with session.ws_connect(url, headers={"Origin": base}, max_msg_size=0) as socket:
            await socket.send_str(json.dumps(LOOK))
            async for message in socket:
                now = time.monotonic()
                self.messages.append((now, len(message.data)))
                if not self.first.is_set() and '"t":"frame"' in message.data[:20]:
                    self.first_at = now
                    self.first.set()


async def _sessions(stack: AsyncExitStack, server: Server, count: int) -> list[aiohttp.ClientSession]:
    """Signed in, so many that each has no more sockets than it may."""
    made = []
    for _ in range(-(-count // A_SESSION)):
        connector, jar = aiohttp.TCPConnector(limit=0), aiohttp.CookieJar(unsafe=True)
        session = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar, connector=connector))
        session.cookie_jar.update_cookies({SESSION: await asyncio.to_thread(server.session)})
        made.append(session)
    return made


async def _people(
    stack: AsyncExitStack, sessions: list[aiohttp.ClientSession], base: str, count: int
) -> list[Person]:
    people = [Person() for _ in range(count)]
    for at, person in enumerate(people):
        task = asyncio.create_task(person.look(sessions[at // A_SESSION], base))
        stack.callback(task.cancel)
    async with asyncio.timeout(WAIT_SECONDS):
        await asyncio.gather(*(person.first.wait() for person in people))
    return people


async def _changes(url: str, people: list[Person]) -> list[float]:
    """Milliseconds from each change, when the API server sends it, to the last person who is told of it."""
    took = []
    async with aiohttp.ClientSession() as session:
        for _ in range(CHANGES):
            before = [len(person.messages) for person in people]
            began = time.monotonic()
            async with session.post(f"{url}{crowd.RESTARTED}?count=1&every=0"):
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


async def _measure(server: Server, url: str, count: int) -> list[str]:
    dashboard = Dashboard(server)
    async with AsyncExitStack() as stack:
        sessions = await _sessions(stack, server, count)
        # The list is read, and somebody looks already.
        first = await _people(stack, sessions, server.base, 1)
        people = first + await _people(stack, sessions, server.base, count - 1)
        joining = sorted(person.first_at - person.began for person in people[1:])
        await asyncio.sleep(SETTLE_SECONDS)
        before = dashboard.cpu()
        await asyncio.sleep(CHANGES * EVERY_SECONDS)
        rest = dashboard.cpu() - before
        before, sent = dashboard.cpu(), sum(len(person.messages) for person in people)
        took = await _changes(url, people)
        messages = sum(len(person.messages) for person in people) - sent
        cpu = (dashboard.cpu() - before - rest) * 1e3 / messages
        size = round(statistics.median(length for _, length in people[0].messages[1:]))
    bare = await _bare(count, size, max(1, messages // count))
    p95 = statistics.quantiles(took, n=20)[-1]
    figures = {
        "handshake to first frame, median": f"{statistics.median(joining):8.1f} s",
        "handshake to first frame, worst (aim 5)": f"{joining[-1]:8.1f} s",
        "a change to the last socket, median": f"{statistics.median(took):8.0f} ms",
        "a change to the last socket, p95 (aim 250)": f"{p95:8.0f} ms",
        "changes that reached all": f"{len(took):8} of {CHANGES}",
        "CPU of the server a message (aim 40)": f"{cpu:8.0f} µs, {messages:,} of {size} letters",
        "CPU of a bare server a message": f"{bare:8.0f} µs",
    }
    return [f"  {title:44} {figure}" for title, figure in figures.items()]


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


def run(home: Path, *, people: int) -> str:
    home.mkdir(parents=True)
    cluster = Worker(crowd.serve, PODS)
    url = cluster.pipe.recv()
    cluster_at(home, url)
    try:
        with Server(home / "server", home / "kubeconfig") as server:
            load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
            return "\n".join(
                [f"{people:,} people at one list ({load}):", *asyncio.run(_measure(server, url, people))]
            )
    finally:
        cluster.end()
