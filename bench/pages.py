"""What the page of a list of very many pods costs: in a real browser, on the server, and for each change.

The API server is ``crowd``, in a process of its own. Yardsticks of the same run: the raw list that every other
dashboard must read too, fetched and parsed by ``json.loads``, and its Table form, which can be shown as it is.
"""

from __future__ import annotations

import asyncio
import signal
import statistics
import time
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from tests.faults.scripted import cluster_at
from tools.server import Server

from . import crowd
from .figure import Figure, Place
from .process import Process
from .report import Report, Table, percentile, spread
from .sockets import sessions_open
from .visiting import browsing, elements, filter_by, heap, raw_list, visit
from .workers import Worker

PODS = "/c/test/pods/"
OPENED = 10
SORTED = f"{PODS}?q=web-1&sort=-age"
USERS, EVERY_SECONDS = 10, 1.0  # between two pages of one of them
TOGETHER, SETTLE_SECONDS = 4_000, 1.0
FEW, MANY, FOR_SECONDS = 40, 840, 16.0  # changes, over a time in which the metrics of all pods are read once
ASKED = "asked of the API server by the warm pages: lists and watches; reviews and metrics"
FEW_USERS = f"an answer with a filter and an order, {USERS} users, one a second each: median; p95; p99"
RAW = "the raw list that every dashboard must read: fetched; `json.loads`"


def _together(dashboard: Process, url: str, count: int) -> float:
    """Milliseconds of the server's CPU that each of many changes takes that come together, while nobody looks.

    What the server does anyway, in as long a time after them, is taken off.
    """
    began, before = time.monotonic(), dashboard.cpu()
    crowd.restart(url, count, 0.0)
    time.sleep(SETTLE_SECONDS)
    used, took = dashboard.cpu() - before, time.monotonic() - began
    before = dashboard.cpu()
    time.sleep(took)
    return (used - (dashboard.cpu() - before)) / count


def _change(dashboard: Process, url: str, seconds: float) -> float:
    """Milliseconds of the server's CPU that one change more takes while a page shows the list.

    Of as long a time with many and with few, the difference: what the server does anyway is in both.
    """
    used = []
    for count in (FEW, MANY):
        before = dashboard.cpu()
        crowd.restart(url, count, seconds / count)
        used.append(dashboard.cpu() - before)
    return (used[1] - used[0]) / (MANY - FEW)


async def _read(session: aiohttp.ClientSession, base: str, pages: int, late: float) -> list[float]:
    """Milliseconds of each answer. Raises ClientResponseError for one that is none."""
    took = []
    await asyncio.sleep(late)
    for _ in range(pages):
        began = time.monotonic()
        async with session.get(base + SORTED) as answer:
            answer.raise_for_status()
            await answer.read()
        took.append((time.monotonic() - began) * 1e3)
        await asyncio.sleep(max(0.0, began + EVERY_SECONDS - time.monotonic()))
    return took


async def _users(server: Server, pages: int) -> list[float]:
    """Of all answers to users who each read a page with a filter and an order a second."""
    async with AsyncExitStack() as stack:
        (session,) = await sessions_open(stack, server, 1)
        await _read(session, server.base, 1, 0.0)
        late = EVERY_SECONDS / USERS
        each = (_read(session, server.base, pages, late * number) for number in range(USERS))
        return [took for found in await asyncio.gather(*each) for took in found]


def _asked(requests: dict[str, int]) -> str:
    """Of what the API server was asked: lists and watches of the cache, and all else."""
    reads = sum(count for words, count in requests.items() if words.startswith(("list ", "watch ")))
    metrics = sum(count for words, count in requests.items() if words.startswith("list metrics"))
    return f"{reads - metrics}; {sum(requests.values()) - reads + metrics}"


def _measure(
    server: Server, url: str, rounds: int, seconds: float, samples: Path
) -> tuple[dict[str, str], list[str]]:
    """The cells of a column, and the lines of the server that were heaviest."""
    assert server.process is not None
    dashboard = Process(server.process.pid)
    with browsing(server) as page:
        raw, parsed = raw_list(f"{url}/api/v1/pods")
        table = raw_list(f"{url}/api/v1/pods?includeObject=None")
        before = dashboard.cpu()
        first = visit(page, PODS)
        cold_cpu = dashboard.cpu() - before
        nodes = elements(page)
        warm, cpus = [], []
        crowd.requests(url)
        for _ in range(rounds):
            before = dashboard.cpu()
            warm.append(visit(page, PODS))
            cpus.append(dashboard.cpu() - before)
        asked = _asked(crowd.requests(url))
        filters = [filter_by(page, f"web-{number}") for number in range(rounds)]
        visit(page, PODS)
        heaped = heap(page)
        tries = range(min(rounds, 3))
        changes = [_change(dashboard, url, seconds) for _ in tries]
        page.goto("about:blank")
        together = [_together(dashboard, url, min(TOGETHER, round(seconds * 250))) for _ in tries]
        for _ in range(OPENED - 1):
            visit(page.context.new_page(), PODS)
        visit(page, PODS)
        memory = dashboard.memory()
        dashboard.signal(signal.SIGUSR1)
        for _ in range(rounds):
            visit(page, PODS)
        crowd.restart(url, MANY, seconds / MANY)
        dashboard.signal(signal.SIGUSR2)
        visit(page, PODS)  # by then they are written
    users = asyncio.run(_users(server, rounds * 3))
    usable = statistics.median(each.usable for each in warm)
    if not nodes or any(row.first_row > row.usable for row in warm):
        raise RuntimeError(f"rows after the page was live, or none: {warm}")
    cells = {
        RAW: f"{raw:,.0f} ms; {parsed:,.0f} ms",
        "its Table form without objects: the same": f"{table[0]:,.0f} ms; {table[1]:,.0f} ms",
        "first visit: first row; usable": f"{first.first_row:,.0f} ms; {first.usable:,.0f} ms "
        f"({first.usable / (raw + parsed):.2f} × the raw list)",
        "first visit, CPU of the server": f"{cold_cpu:,.0f} ms",
        "warm page: first row": spread((each.first_row for each in warm), "ms"),
        "warm page: usable": f"{spread((each.usable for each in warm), 'ms')}, "
        f"{usable / (raw + parsed):.2f} × the raw list",
        "warm page, bytes": spread((each.kilobytes for each in warm), "kB"),
        "warm page, CPU of the server": spread(cpus, "ms"),
        ASKED: asked,
        FEW_USERS: f"{percentile(users, 50):.0f}; {percentile(users, 95):.0f}; {percentile(users, 99):.0f} ms",
        "a filter, from the key to its rows": spread(filters, "ms"),
        "one change more, CPU of the server": spread(changes, "ms", 2),
        "each of many at once while nobody looks": spread(together, "ms", 2),
        "elements of the page": f"{nodes:,}",
        "heap of the page in the browser": f"{heaped:.1f} MiB",
        f"memory of the server with {OPENED} pages open": f"{memory:.0f} MiB",
    }
    return cells, samples.read_text().splitlines()


AIMS = {
    "warm page, CPU of the server": "60 ms",
    "warm page, bytes": "50 kB",
    ASKED: "0 lists",
    FEW_USERS: "p95 100; p99 200 ms",
    "heap of the page in the browser": "10 MiB",
    "one change more, CPU of the server": "0.2 ms",
    "each of many at once while nobody looks": "0.2 ms",
    "elements of the page": "5,000",
    f"memory of the server with {OPENED} pages open": "200 MiB",
}


def run(place: Place, *, pods: tuple[int, ...], rounds: int, seconds: float) -> Report:
    """``seconds``: how long changes are watched."""
    columns, notes = {}, []
    for count in pods:
        home = place.home / str(count)
        home.mkdir()
        cluster = Worker(crowd.serve, count)
        url = cluster.pipe.recv()
        cluster_at(home, url)
        try:
            server = Server(home / "server", home / "kubeconfig", SAMPLES=str(home / "samples"))
            server.program = ("-m", "bench.sampled")
            with server:
                columns[f"{count:,} pods"], lines = _measure(server, url, rounds, seconds, home / "samples")
        finally:
            cluster.end()
        heavy = (f"- {line}" for line in lines)
        notes.append("\n".join((f"The heaviest lines of pages and changes, {count:,} pods:", "", *heavy)))
    rows = [
        (title, AIMS.get(title, ""), *(cells[title] for cells in columns.values()))
        for title in next(iter(columns.values()))
    ]
    return Report(
        f"The page of a list of pods of {crowd.POD_BYTES / 1e3} kB in a real browser, {rounds} rounds",
        (Table(columns=("", "aim", *columns), rows=rows, yardstick=RAW),),
        notes,
    )


FIGURE = Figure(
    name="pages",
    run=run,
    full={"pods": (10_000, 50_000), "rounds": 9, "seconds": 16.0},
    short={"pods": (300,), "rounds": 2, "seconds": 1.0},
    browser=True,
)
