"""A server that is looked at for an hour: whether memory, tasks, descriptors or connections grow.

People look at a list that changes all the time; others come, look and leave; pages of every sort are opened. The API
server is ``crowd``, in a process of its own. Yardstick: the same server before anybody came. In the end everybody leaves,
and what it holds then has to be what it held with nobody there.
"""

from __future__ import annotations

import asyncio
import json
import signal
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path

import aiohttp

from tests.faults.scripted import cluster_at
from tools.server import Server

from . import crowd
from .figure import Figure, Place
from .process import Process
from .report import Report, Table
from .sockets import PATH, Person, people_join, sessions_open
from .workers import Worker

RATE = 5  # changes a second
RESTARTING = (
    1_000  # pods that restart again and again: were it others all the time, ever more would need attention
)
COME_SECONDS = 2.0  # between two who come and leave, and between two pages
SETTLE_SECONDS, WAIT_SECONDS = 5.0, 90.0
LONG_SECONDS = 1_800.0  # from which on memory is judged: before, caches and the allocator still fill
MEMORY_GROWTH, COUNT_GROWTH, COUNT_SLACK = 1.05, 1.1, 4
PAGES = (
    "/c/test/", "/c/test/pods/", "/c/test/pods/?q=web-1", "/c/test/pods/?format=json", "/c/test/deployments/",
    f"/c/test/pods/team-0/{crowd.pod_name(0)}/", "/c/test/search/?q=web-7", "/c/test/map/?namespace=team-1", "/clusters/",
    "/c/test/timeline/", "/changes/", "/audit/",
)  # fmt: skip
IDLE = "before anybody came"


@dataclass(frozen=True, slots=True)
class Sample:
    """What the server holds at a moment."""

    memory: float  # MiB
    tasks: int
    objects: int
    threads: int
    descriptors: int
    connections: int


class Watched:
    def __init__(self, server: Server, counts: Path) -> None:
        assert server.process is not None
        self._process, self._counts = Process(server.process.pid), counts

    async def sample(self) -> Sample:
        """Raises TimeoutError where the server does not count in time."""
        self._counts.unlink(missing_ok=True)
        self._process.signal(signal.SIGUSR1)
        async with asyncio.timeout(WAIT_SECONDS):
            while not self._counts.exists():  # noqa: ASYNC110 another process writes it
                await asyncio.sleep(0.05)
        counted = json.loads(self._counts.read_text())
        return Sample(
            memory=self._process.memory(),
            threads=self._process.threads(),
            descriptors=self._process.descriptors(),
            connections=self._process.sockets(),
            **counted,
        )


async def _change(url: str) -> None:
    first = 0
    while True:
        await asyncio.to_thread(crowd.restart, url, RATE, 1 / RATE, first, RESTARTING)
        first += RATE


async def _come_and_leave(session: aiohttp.ClientSession, base: str) -> None:
    while True:
        person = Person(PATH)
        looks = asyncio.create_task(person.look(session, base))
        async with asyncio.timeout(WAIT_SECONDS):
            await person.first.wait()
        looks.cancel()
        with suppress(asyncio.CancelledError):
            await looks
        await asyncio.sleep(COME_SECONDS)


async def _open_pages(session: aiohttp.ClientSession, base: str) -> None:
    for path in cycle(PAGES):
        async with session.get(base + path) as answer:
            await answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status}")
        await asyncio.sleep(COME_SECONDS)


async def _measure(
    server: Server, url: str, counts: Path, people: int, seconds: float, samples: int
) -> tuple[Sample, list[Sample], Sample]:
    """Before, meanwhile, and after everybody has left."""
    watched = Watched(server, counts)
    async with AsyncExitStack() as stack:
        (first, *_) = await sessions_open(stack, server, 1)
        for path in PAGES:  # every sort of page, and what watches read first
            async with first.get(server.base + path) as answer:
                await answer.read()
        await asyncio.sleep(SETTLE_SECONDS)
        before = await watched.sample()
        async with AsyncExitStack() as looking:
            sessions = await sessions_open(looking, server, people + 1)
            await people_join(looking, sessions, server.base, people, PATH)
            busy = [
                asyncio.create_task(_change(url)),
                asyncio.create_task(_come_and_leave(sessions[-1], server.base)),
                asyncio.create_task(_open_pages(first, server.base)),
            ]
            meanwhile = []
            ends = time.monotonic() + seconds
            for number in range(samples):
                done, _ = await asyncio.wait(
                    busy,
                    timeout=max(0.0, ends - seconds * (samples - 1 - number) / samples - time.monotonic()),
                )
                for task in done:
                    task.result()  # they end only by an error
                meanwhile.append(await watched.sample())
            for task in busy:
                task.cancel()
            await asyncio.gather(*busy, return_exceptions=True)
        after = await _left(watched, before)
    return before, meanwhile, after


async def _left(watched: Watched, before: Sample) -> Sample:
    """What it holds once it holds no more tasks and connections than before anybody came, or after a long while."""
    ends = time.monotonic() + WAIT_SECONDS
    while True:
        found = await watched.sample()
        fewer = (
            found.tasks <= before.tasks + COUNT_SLACK
            and found.connections <= before.connections + COUNT_SLACK
        )
        if fewer or time.monotonic() > ends:
            return found
        await asyncio.sleep(1.0)


def _grown(before: Sample, meanwhile: Sequence[Sample], after: Sample, seconds: float) -> list[str]:
    """What must not have grown, and has."""
    quarter = max(1, len(meanwhile) // 4)
    found = []
    for name in ("tasks", "threads", "descriptors", "connections"):
        early, late = (_middle(part, name) for part in (meanwhile[:quarter], meanwhile[-quarter:]))
        if late > early * COUNT_GROWTH + COUNT_SLACK:
            found.append(f"{name} grew from {early:.0f} to {late:.0f} while people looked")
        if name != "threads" and getattr(after, name) > getattr(before, name) * COUNT_GROWTH + COUNT_SLACK:
            found.append(f"{getattr(after, name)} {name} are left of them, before {getattr(before, name)}")
    early, late = (
        _middle(part, "memory") for part in (meanwhile[quarter : 2 * quarter], meanwhile[-quarter:])
    )
    if seconds >= LONG_SECONDS and late > early * MEMORY_GROWTH:
        found.append(f"memory grew from {early:.0f} to {late:.0f} MiB")
    return found


def _middle(samples: Sequence[Sample], name: str) -> float:
    return statistics.median(getattr(each, name) for each in samples)


def run(place: Place, *, pods: int, people: int, seconds: float, samples: int) -> Report:
    cluster = Worker(crowd.serve, pods)
    url = cluster.pipe.recv()
    cluster_at(place.home, url)
    counts = place.home / "counts"
    try:
        server = Server(place.home / "server", place.home / "kubeconfig", COUNTS=str(counts))
        server.program = ("-m", "bench.counted")
        with server:
            before, meanwhile, after = asyncio.run(_measure(server, url, counts, people, seconds, samples))
    finally:
        cluster.end()
    if grown := _grown(before, meanwhile, after, seconds):
        raise RuntimeError("; ".join(grown))
    quarters = [
        meanwhile[at * samples // 4 : max(at * samples // 4 + 1, (at + 1) * samples // 4)] for at in range(4)
    ]
    rows = []
    for name in asdict(before):
        cells = [_middle(part, name) for part in ([before], *quarters, [after])]
        unit = " MiB" if name == "memory" else ""
        rows.append((name, *(f"{cell:,.0f}{unit}" for cell in cells)))
    columns = ("", IDLE, "first quarter", "second", "third", "last", "everybody has left")
    return Report(
        f"{seconds / 60:,.0f} minutes of {people} people at a list of {pods:,} pods, {RATE} changes a second, one who "
        f"comes and leaves and a page every {COME_SECONDS:g} s: medians of {samples} looks",
        (Table(columns=columns, rows=rows, yardstick=IDLE),),
    )


FIGURE = Figure(
    name="soak",
    run=run,
    full={"pods": 10_000, "people": 50, "seconds": 3_600.0, "samples": 120},
    short={"pods": 300, "people": 5, "seconds": 8.0, "samples": 4},
)
