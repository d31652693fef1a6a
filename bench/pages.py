"""What the page of a list of very many pods costs: in a real browser, on the server, and for each change.

The API server is ``crowd``, in a process of its own. Yardsticks of the same run: the raw list that every other
dashboard must read too, fetched and parsed by ``json.loads``, and its Table form, which can be shown as it is.
"""

from __future__ import annotations

import signal
import statistics
import time
from pathlib import Path

from tests.faults.scripted import cluster_at
from tools.server import Server

from . import crowd
from .figure import Figure, Place
from .process import Process
from .report import Report, Table, spread
from .visiting import browsing, elements, filter_by, raw_list, visit
from .workers import Worker

PODS = "/c/test/pods/"
OPENED = 10
TOGETHER, SETTLE_SECONDS = 4_000, 1.0
FEW, MANY, FOR_SECONDS = 40, 840, 16.0  # changes, over a time in which the metrics of all pods are read once
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
        for _ in range(rounds):
            before = dashboard.cpu()
            warm.append(visit(page, PODS))
            cpus.append(dashboard.cpu() - before)
        filters = [filter_by(page, f"web-{number}") for number in range(rounds)]
        visit(page, PODS)
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
        "a filter, from the key to its rows": spread(filters, "ms"),
        "one change more, CPU of the server": spread(changes, "ms", 2),
        "each of many at once while nobody looks": spread(together, "ms", 2),
        "elements of the page": f"{nodes:,}",
        f"memory of the server with {OPENED} pages open": f"{memory:.0f} MiB",
    }
    return cells, samples.read_text().splitlines()


AIMS = {
    "warm page, CPU of the server": "60 ms",
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
