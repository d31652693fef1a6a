"""What the page of a list of very many pods costs: in a real browser, on the server, and for each change.

The API server is ``crowd``, in a process of its own. Yardsticks of the same run: the raw list that every other
dashboard must read too, fetched and parsed by ``json.loads``, and its Table form, which can be shown as it is. Times are
by the clock, in the browser's words: the first row is when one is in the document, usable is when the websocket says that
the page is live.
"""

from __future__ import annotations

import json
import os
import re
import signal
import statistics
import time
import urllib.request
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from bench import crowd
from bench.live import CHROMIUM
from bench.workers import Worker
from tests.faults.scripted import cluster_at
from tools.server import Server

PODS = "/c/test/pods/"
READY = "document.querySelector('#fresh')?.dataset.freshness === 'live' && document.querySelectorAll('#rows tr').length"
OPENED = 10
TOGETHER, SETTLE_SECONDS = 4_000, 1.0
FEW, MANY, FOR_SECONDS = 40, 840, 16.0  # changes, over a time in which the metrics of all pods are read once
WAIT_MS = 300_000
FIRST_ROW = """new MutationObserver((_, observer) => {
  if (!document.querySelector("#rows tr")) return;
  window.firstRow = performance.now();
  observer.disconnect();
}).observe(document, {childList: true, subtree: true});"""
_RESTARTS = re.compile(r"\d+")


class Dashboard:
    """The server with what it has used so far."""

    def __init__(self, server: Server) -> None:
        self.server = server

    @property
    def _pid(self) -> int:
        assert self.server.process is not None
        return self.server.process.pid

    def cpu(self) -> float:
        """Milliseconds of CPU, of all its threads."""
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """MiB that are its own."""
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self._pid}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0

    def signal(self, how: signal.Signals) -> None:
        os.kill(self._pid, how)


def _raw(url: str, query: str = "") -> tuple[float, float]:
    """Milliseconds to fetch all pods as one list, and to parse it."""
    began = time.monotonic()
    with urllib.request.urlopen(f"{url}/api/v1/pods{query}") as answer:  # noqa: S310 # our own server
        body = answer.read()
    fetched = time.monotonic()
    json.loads(body)
    return (fetched - began) * 1e3, (time.monotonic() - fetched) * 1e3


def _open(page: Page) -> tuple[float, float]:
    """Milliseconds until the first row, and until the page is live."""
    page.goto(PODS, timeout=WAIT_MS)
    page.wait_for_function(READY, timeout=WAIT_MS)
    usable = page.evaluate("performance.now()")
    return page.evaluate("window.firstRow"), usable


def _filter(page: Page, text: str) -> float:
    """Milliseconds from a typed word to its rows."""
    return page.evaluate(
        """text => new Promise(done => {
          const field = document.querySelector("input[name=q]"), began = performance.now();
          const every = () => [...document.querySelectorAll("#rows tr")].every(row => row.dataset.name.includes(text));
          const look = () => every() && done(performance.now() - began) || requestAnimationFrame(look);
          field.value = text;
          field.dispatchEvent(new Event("input", {bubbles: true}));
          look();
        })""",
        text,
    )


def _events(url: str, count: int, seconds: float = FOR_SECONDS) -> None:
    asked = f"{url}{crowd.RESTARTED}?count={count}&every={seconds / count}"
    with urllib.request.urlopen(urllib.request.Request(asked, method="POST")) as answer:  # noqa: S310 # our own server
        answer.read()


def _together(dashboard: Dashboard, url: str) -> float:
    """Milliseconds of the server's CPU that each of many changes takes that come together, while nobody looks.

    What the server does anyway, in as long a time after them, is taken off.
    """
    began, before = time.monotonic(), dashboard.cpu()
    _events(url, TOGETHER, 0.0)
    time.sleep(SETTLE_SECONDS)
    used, took = dashboard.cpu() - before, time.monotonic() - began
    before = dashboard.cpu()
    time.sleep(took)
    return (used - (dashboard.cpu() - before)) / TOGETHER


def _change(dashboard: Dashboard, url: str) -> float:
    """Milliseconds of the server's CPU that one change more takes while a page shows the list.

    Of as long a time with many and with few, the difference: what the server does anyway is in both.
    """
    used = []
    for count in (FEW, MANY):
        before = dashboard.cpu()
        _events(url, count)
        used.append(dashboard.cpu() - before)
    return (used[1] - used[0]) / (MANY - FEW)


def _measure(browser: Browser, server: Server, url: str, rounds: int) -> list[str]:
    dashboard = Dashboard(server)
    with closing(
        browser.new_context(base_url=server.base, viewport={"width": 1440, "height": 900})
    ) as context:
        context.set_default_timeout(WAIT_MS)
        context.add_init_script(FIRST_ROW)
        page = context.new_page()
        page.context.add_cookies(server.cookies())
        raw, parsed = _raw(url)
        table = _raw(url, "?includeObject=None")
        before = dashboard.cpu()
        first, usable = _open(page)
        cold_cpu = dashboard.cpu() - before
        nodes = page.evaluate("document.querySelectorAll('*').length")
        warm, cpus = [], []
        for _ in range(rounds):
            before = dashboard.cpu()
            warm.append(_open(page))
            cpus.append(dashboard.cpu() - before)
        filters = [_filter(page, text) for text in [f"web-{n}" for n in range(rounds)]]
        page.goto(PODS)
        page.wait_for_function(READY)
        change = statistics.median(_change(dashboard, url) for _ in range(min(rounds, 3)))
        page.goto("about:blank")
        together = statistics.median(_together(dashboard, url) for _ in range(min(rounds, 3)))
        others = [context.new_page() for _ in range(OPENED - 1)]
        for each in others:
            _open(each)
        memory = dashboard.memory()
        dashboard.signal(signal.SIGUSR1)
        for _ in range(rounds):
            _open(page)
        _events(url, MANY)
        dashboard.signal(signal.SIGUSR2)
        samples = Path(server.environment["SAMPLES"])
        _open(page)  # by then it is written
        rows = statistics.median(row for row, _ in warm), statistics.median(ready for _, ready in warm)
        return [
            f"  {'the raw list: fetched, json.loads':44} {raw:8.0f} ms, {parsed:.0f} ms",
            f"  {'its Table form without objects: the same':44} {table[0]:8.0f} ms, {table[1]:.0f} ms",
            f"  {'first visit: first row, usable':44} {first:8.0f} ms, {usable:.0f} ms"
            f" ({usable / (raw + parsed):.2f} × raw list), {cold_cpu:.0f} ms CPU",
            f"  {'warm page: first row, usable':44} {rows[0]:8.0f} ms, {rows[1]:.0f} ms",
            f"  {'warm page, CPU of the server (aim 60)':44} {statistics.median(cpus):8.0f} ms",
            f"  {'a filter, from the key to its rows':44} {statistics.median(filters):8.0f} ms",
            f"  {'one change more, CPU of the server (aim 0.2)':44} {change:8.2f} ms",
            f"  {'each of many at once, nobody looking (0.2)':44} {together:8.2f} ms",
            f"  {'elements of the page (aim 5,000)':44} {nodes:8,}",
            f"  {f'memory with {OPENED} pages open (aim 200)':44} {memory:8.0f} MiB",
            "  the heaviest lines of pages and changes:",
            *(f"    {line}" for line in samples.read_text().splitlines()),
        ]


def run(home: Path, *, pods: tuple[int, ...], rounds: int) -> str:
    said = []
    for count in pods:
        place = home / str(count)
        place.mkdir(parents=True)
        cluster = Worker(crowd.serve, count)
        url = cluster.pipe.recv()
        cluster_at(place, url)
        try:
            server = Server(place / "server", place / "kubeconfig", SAMPLES=str(place / "samples"))
            server.program = ("-m", "bench.sampled")
            with (
                server,
                sync_playwright() as playwright,
                closing(playwright.chromium.launch(**CHROMIUM)) as browser,
            ):
                load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
                lines = _measure(browser, server, url, rounds)
                said += [
                    f"a list of {count:,} pods of {crowd.POD_BYTES / 1e3} kB, median of {rounds} rounds ({load}):",
                    *lines,
                ]
        finally:
            cluster.end()
    return "\n".join(said)
