"""Many changes, to many who look: how soon a browser shows each, and what a burst does to messages and to the browser.

The API server is ``crowd``, in a process of its own. One of those who look is a real browser; the others are plain
websockets at the same list, sorted so that what has changed last stands first. Each phase ends when every copy of the
list equals what the API server has. The first phase is repeated beside browsers that read nothing of what they are
sent. Yardstick of the same run: a raw watch, which does nothing with what it hears.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp
from playwright.async_api import Browser, Page, async_playwright

from tests.faults.scripted import cluster_at
from tools.server import SESSION, Server

from . import crowd
from .browser import CHROMIUM, TRACED, longest_tasks
from .figure import Figure, Place
from .process import Process
from .report import Report, Table, percentile, spread
from .sockets import Person, people_join, sessions_open
from .workers import Worker

PATH = "/c/test/pods/?sort=-restarts"
WAIT_SECONDS, SETTLE_SECONDS = 120.0, 2.0
UNREAD_BYTES = 4_096  # that the system of somebody who reads nothing takes for them
FAST = 100  # changes a second from which on a row may be gone again from the page before it is shown
RAW = "event → a raw watch"
OBSERVE = """() => {
  window.seen = {};
  new MutationObserver((records) => {
    const at = performance.timeOrigin + performance.now();
    for (const { target, addedNodes } of records)
      for (const { dataset } of [target, ...addedNodes]) if (dataset?.name) window.seen[dataset.name] ??= at;
  }).observe(document.getElementById("rows"), { childList: true, subtree: true, attributeFilter: ["data-h"] });
}"""
FIRST = """() => document.querySelector("#rows tr")?.dataset.name"""
_NAME = re.compile(rb'"name":"(web-[^"]+)"')


@dataclass(frozen=True, slots=True)
class Phase:
    """Some seconds of so many changes each. Times in ms."""

    rate: int
    stalled: int  # who read nothing
    seconds: float
    changes: int
    raw: list[float]
    shown: list[float]
    messages: list[int]  # of each socket
    largest: int  # bytes
    written: list[int]  # bytes, to each socket
    cpu: float
    tasks: list[float]  # the longest of each quarter of a second, CPU time
    rows: int
    settled: float  # from the last change until every copy was exact
    memory: tuple[float, float]  # MiB of the server, before and at most
    cut: int  # of those who read nothing


async def _watch(url: str, heard: dict[str, list[float]]) -> None:
    """A raw watch: when it heard of each pod, each time."""
    timeout = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(timeout=timeout, read_bufsize=2**20) as session,
        session.get(f"{url}/api/v1/pods?watch=1") as answer,
    ):
        async for line in answer.content:
            at = time.time() * 1e3
            if found := _NAME.search(line):
                heard[found[1].decode()].append(at)


async def _until(condition: Callable[[], Awaitable[bool]], what: str) -> float:
    """Seconds until it holds. Raises RuntimeError where it does not come to."""
    began = time.monotonic()
    while not await condition():
        if time.monotonic() - began > WAIT_SECONDS:
            raise RuntimeError(f"never: {what}")
        await asyncio.sleep(0.05)
    return time.monotonic() - began


async def _restarts(session: aiohttp.ClientSession, url: str) -> dict[str, int]:
    """Of every pod, as the API server has it."""
    async with session.get(f"{url}/api/v1/pods") as answer:
        items = (await asyncio.to_thread(json.loads, await answer.read()))["items"]
    return {
        each["metadata"]["name"]: each["status"]["containerStatuses"][0]["restartCount"] for each in items
    }


async def _copied(session: aiohttp.ClientSession, base: str) -> dict[str, int]:
    """The same, as the dashboard has it."""
    async with session.get(f"{base}/c/test/pods/?format=json") as answer:
        rows = (await asyncio.to_thread(json.loads, await answer.read()))["rows"]
    return {each["name"]: int(each["restarts"].split()[0]) for each in rows}


async def _read_nothing(stack: AsyncExitStack, server: Server, cookie: str) -> None:
    """A browser that looks at the list and reads nothing of what it is sent, as one that hangs."""
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UNREAD_BYTES)
    await asyncio.to_thread(slow.connect, ("127.0.0.1", server.port))
    _, writer = await asyncio.open_connection(sock=slow, limit=UNREAD_BYTES // 2)
    stack.callback(writer.close)
    head = (
        "GET /ws/c/test/ HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        f"Origin: {server.base}",
        f"Cookie: {SESSION}={cookie}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    look = json.dumps({"t": "look", "view": 1, "path": PATH, "have": {}}).encode()
    # A text frame of fewer than 126 bytes, masked with zeros (RFC 6455, 5.2).
    writer.write("\r\n".join((*head, "", "")).encode() + bytes((0x81, 0x80 | len(look), 0, 0, 0, 0)) + look)


class Looking:
    """Everybody who looks, and the API server."""

    def __init__(self, server: Server, url: str, page: Page, people: list[Person]) -> None:
        assert server.process is not None
        self.server, self.url, self.page, self.people = server, url, page, people
        self.process = Process(server.process.pid)
        self.done = 0  # changes

    async def phase(self, browser: Browser, rate: int, seconds: float, *, stalled: int = 0) -> Phase:
        async with AsyncExitStack() as stack:
            before = self.process.sockets(), self.process.memory()
            cookie = await asyncio.to_thread(self.server.session)
            for _ in range(stalled):
                await _read_nothing(stack, self.server, cookie)
            return await self._phase(browser, rate, seconds, stalled, before)

    async def _phase(
        self, browser: Browser, rate: int, seconds: float, stalled: int, held: tuple[int, float]
    ) -> Phase:
        """``held``: how many connections, and how many MiB, the server had before anybody came who reads nothing."""
        heard: dict[str, list[float]] = defaultdict(list)
        watch = asyncio.create_task(_watch(self.url, heard))
        await self.page.evaluate(OBSERVE)
        await asyncio.sleep(SETTLE_SECONDS)
        memory = [held[1]]
        weighing = asyncio.create_task(self._weigh(memory))
        before = [len(person.messages) for person in self.people]
        await browser.start_tracing(page=self.page, categories=TRACED)
        cpu, began = self.process.cpu(), time.monotonic()
        count = round(rate * seconds)
        sent = await asyncio.to_thread(crowd.restart, self.url, count, 1 / rate, self.done)
        self.done += count
        took = time.monotonic() - began
        used = (self.process.cpu() - cpu) / 1e3 / took
        received = [person.messages[at:] for person, at in zip(self.people, before, strict=True)]
        left = self.process.sockets()
        weighing.cancel()
        settled = await self._exact(sent[-1][0])
        # Beside the loop: who reads nothing for half a minute is cut.
        tasks = await asyncio.to_thread(longest_tasks, await browser.stop_tracing())
        dom: dict[str, float] = await self.page.evaluate("window.seen")
        watch.cancel()
        if not all(received):
            raise RuntimeError("somebody was told nothing: were they cut?")
        if rate < FAST and (lost := [name for name, *_ in sent if name not in dom]):
            raise RuntimeError(f"{len(lost)} of {count} changes never reached the document: {lost[:5]}")
        return Phase(
            rate=rate,
            stalled=stalled,
            seconds=took,
            changes=count,
            raw=[hears.pop(0) - at for name, _, at in sent if (hears := heard[name])],
            shown=[dom[name] - at for name, _, at in sent if name in dom],
            messages=[len(each) for each in received],
            written=[sum(size for _, size in each) for each in received],
            largest=max((size for each in received for _, size in each), default=0),
            cpu=used,
            tasks=tasks,
            rows=await self.page.evaluate("document.querySelectorAll('#rows tr').length"),
            settled=settled,
            memory=(held[1], max(memory)),
            cut=min(stalled, max(0, held[0] + stalled - left)),
        )

    async def _weigh(self, memory: list[float]) -> None:
        while True:
            memory.append(self.process.memory())
            await asyncio.sleep(1.0)

    async def _exact(self, last: str) -> float:
        """Seconds until the page's first row is the last change, and the whole list is the API server's."""
        async with aiohttp.ClientSession() as session:
            session.cookie_jar.update_cookies({SESSION: await asyncio.to_thread(self.server.session)})
            wanted = await _restarts(session, self.url)

            async def shown() -> bool:
                return bool(await self.page.evaluate(FIRST) == last)

            async def copied() -> bool:
                return await _copied(session, self.server.base) == wanted

            took = await _until(shown, f"{last} is the first row of the page")
            return took + await _until(copied, "the copy equals the API server's list")


async def _measure(
    server: Server, url: str, sockets: int, rates: tuple[int, ...], seconds: float, stalled: int
) -> list[Phase]:
    async with AsyncExitStack() as stack, async_playwright() as playwright:
        browser = await playwright.chromium.launch(**CHROMIUM)
        page = await browser.new_page(viewport={"width": 1440, "height": 900})
        await page.context.add_cookies(await asyncio.to_thread(server.cookies))
        await page.goto(server.base + PATH)
        await page.wait_for_selector("[data-freshness=live]")
        sessions = await sessions_open(stack, server, sockets - 1)
        people = await people_join(stack, sessions, server.base, sockets - 1, PATH)
        looking = Looking(server, url, page, people)
        phases = [
            await looking.phase(browser, rates[0], seconds),
            await looking.phase(browser, rates[0], seconds, stalled=stalled),
        ]
        phases += [await looking.phase(browser, rate, seconds) for rate in rates[1:]]
        await browser.close()
    return phases


def _column(phase: Phase) -> dict[str, str]:
    each = [count / phase.seconds for count in phase.messages]
    slow = phase.rate < FAST
    return {
        "changes sent": f"{phase.changes:,} in {phase.seconds:.1f} s",
        RAW: spread(phase.raw, "ms"),
        "event → DOM": spread(phase.shown, "ms") if slow else "–",
        "event → DOM, p95; p99": f"{percentile(phase.shown, 95):.0f} ms; {percentile(phase.shown, 99):.0f} ms"
        if slow
        else "–",
        "messages to each socket": spread(each, "a second", 1),
        "the largest message": f"{phase.largest / 1e3:.1f} kB",
        "kB to each socket": spread((size / 1e3 / phase.seconds for size in phase.written), "a second"),
        "longest task of the browser, CPU time": spread(phase.tasks, "ms", 1),
        "rows in the document": f"{phase.rows}",
        "CPU of the server, of a core": f"{phase.cpu:.0%}",
        "memory of the server, before; at most": f"{phase.memory[0]:.0f} MiB; {phase.memory[1]:.0f} MiB",
        "cut, of those who read nothing": f"{phase.cut} of {phase.stalled}" if phase.stalled else "–",
        "every copy exact, after the last change": f"{phase.settled:.1f} s",
    }


AIMS = {
    "event → DOM": "median 100 ms",
    "event → DOM, p95; p99": "250 ms; 500 ms",
    "messages to each socket": "4 a second in a burst",
    "the largest message": "64 kB",
    "kB to each socket": "4 × 64 a second",
    "longest task of the browser, CPU time": "worst 50 ms",
    "rows in the document": "200",
}


def run(
    place: Place, *, pods: int, sockets: int, rates: tuple[int, ...], seconds: float, stalled: int
) -> Report:
    """``stalled``: how many browsers read nothing in the second phase."""
    cluster = Worker(crowd.serve, pods)
    url = cluster.pipe.recv()
    cluster_at(place.home, url)
    try:
        with Server(place.home / "server", place.home / "kubeconfig") as server:
            phases = asyncio.run(_measure(server, url, sockets, rates, seconds, stalled))
    finally:
        cluster.end()
    columns = {
        f"{phase.rate:,} changes a second"
        + (f", beside {phase.stalled} who read nothing" if phase.stalled else ""): _column(phase)
        for phase in phases
    }
    rows = [
        (title, AIMS.get(title, ""), *(cells[title] for cells in columns.values()))
        for title in next(iter(columns.values()))
    ]
    return Report(
        f"Changes of {pods:,} pods of {crowd.POD_BYTES / 1e3} kB while {sockets} look at them, one with a real browser, "
        f"{seconds:g} s each",
        (Table(columns=("", "aim", *columns), rows=rows, yardstick=RAW),),
    )


FIGURE = Figure(
    name="changes",
    run=run,
    full={"pods": 10_000, "sockets": 100, "rates": (20, 1_000), "seconds": 30.0, "stalled": 10},
    short={"pods": 500, "sockets": 5, "rates": (20, 200), "seconds": 2.0, "stalled": 2},
    browser=True,
)
