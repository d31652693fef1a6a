"""A server that starts: until the first row of a cold browser, and what it asks the API server for meanwhile.

The cluster was open before, so the server reads every kind that it records, as after an upgrade. The API server is
``crowd``, in a process of its own, which counts what it is asked. Yardsticks of the same run: the raw list, fetched and
parsed by ``json.loads``; and of requests what client-go's reflector sends for a kind: one list in chunks, one watch.
"""

from __future__ import annotations

import re
import statistics
import time
from collections import Counter

from playwright.sync_api import Browser

from tests.faults.scripted import cluster_at
from tools.server import Cookie, Server

from . import crowd
from .figure import Figure, Place
from .process import Process
from .report import Report, Table, spread
from .visiting import chromium, raw_list, signed_in, visit
from .workers import Worker

PATH = "/c/test/pods/"
CHUNK = 500  # of client-go's pager
SETTLE_SECONDS = 5.0
RAW = "the raw list: fetched; `json.loads`"
CLIENT_GO = "client-go"
_KIND = re.compile(r"(list|watch) (\S+)")


def _start(browser: Browser, server: Server, cookies: list[Cookie]) -> tuple[float, ...]:
    """Milliseconds from the beginning of the process until it is ready, the first row, live; from the navigation to the
    first row; and of its CPU by then.
    """
    began = time.time() * 1e3
    server.start()
    ready = time.time() * 1e3 - began
    assert server.process is not None
    with signed_in(browser, server.base, cookies) as page:
        seen = visit(page, PATH)
        navigated = page.evaluate("performance.timeOrigin") - began
        cpu = Process(server.process.pid).cpu()
        time.sleep(SETTLE_SECONDS)  # what it reads besides
    return ready, navigated + seen.first_row, navigated + seen.usable, seen.first_row, cpu


def _asked(requests: dict[str, int], pods: int) -> list[tuple[str, ...]]:
    """A row for each kind, and one for each other request. Raises RuntimeError where a kind is read more than once."""
    lists, watches, others = Counter[str](), Counter[str](), Counter[str]()
    for words, count in requests.items():
        found = _KIND.fullmatch(words)
        if found is None:
            others[words] += count
        else:
            (lists if found[1] == "list" else watches)[found[2]] += count
    rows: list[tuple[str, ...]] = []
    alike = []
    for plural in sorted(lists | watches):
        chunks = -(-pods // CHUNK) if plural == "pods" else 1
        told = f"{lists[plural]}, {watches[plural]}", f"{chunks}, 1"
        if lists[plural] > chunks or watches[plural] > 1:
            raise RuntimeError(f"{plural}: {lists[plural]} lists and {watches[plural]} watches")
        if told == ("1, 1", "1, 1"):
            alike.append(plural)
        else:
            rows.append((plural, *told))
    if alike:
        rows.append((f"{len(alike)} more kinds, each", "1, 1", "1, 1"))
    rows += [(words, f"{count}", "") for words, count in sorted(others.items())]
    return rows


def run(place: Place, *, pods: int, rounds: int) -> Report:
    cluster = Worker(crowd.serve, pods)
    url = cluster.pipe.recv()
    cluster_at(place.home, url)
    try:
        server = Server(place.home / "server", place.home / "kubeconfig")
        with chromium() as browser:
            with server:
                cookies = server.cookies()
                with signed_in(browser, server.base, cookies) as page:
                    visit(page, PATH)
                time.sleep(SETTLE_SECONDS)
            crowd.requests(url)
            found, asked = [], []
            for _ in range(rounds):
                found.append(_start(browser, server, cookies))
                server.stop()
                asked.append(_asked(crowd.requests(url), pods))
        raw = [raw_list(f"{url}/api/v1/pods") for _ in range(min(rounds, 3))]
    finally:
        cluster.end()
    ready, first, usable, navigation, cpu = zip(*found, strict=True)
    middle = statistics.median(sum(each) for each in raw)
    rows = (
        (RAW, "", f"{spread((each[0] for each in raw), 'ms')}; {spread((each[1] for each in raw), 'ms')}"),
        ("the process → it is ready", "", spread(ready, "ms")),
        ("the process → the first row", "", spread(first, "ms")),
        (
            "the process → the page is live",
            "",
            f"{spread(usable, 'ms')}, {statistics.median(usable) / middle:.2f} × the raw list",
        ),
        ("navigation → the first row", "1,000 ms", spread(navigation, "ms")),
        ("CPU of the server by then", "", spread(cpu, "ms")),
    )
    return Report(
        f"A server that starts, {pods:,} pods of {crowd.POD_BYTES / 1e3} kB, a browser that has seen nothing, {rounds} "
        f"rounds, and what the API server was asked until {SETTLE_SECONDS:.0f} s later (lists by {CHUNK}, watches)",
        (
            Table(columns=("", "aim", "measured"), rows=rows, yardstick=RAW),
            Table(columns=("kind", "asked", CLIENT_GO), rows=asked[-1], yardstick=CLIENT_GO),
        ),
    )


FIGURE = Figure(
    name="start",
    run=run,
    full={"pods": 10_000, "rounds": 5},
    short={"pods": 700, "rounds": 1},
    browser=True,
)
