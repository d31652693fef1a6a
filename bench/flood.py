"""10,000 lines a second of one container, in a real browser: what is shown, what is told, and what it costs.

The kubelet is the scripted API server of the tests, in a process of its own. Every line that it writes must be shown or
counted in a mark. The browser's tasks are read from its own trace, in CPU time: two cores that others use too stretch
them by the clock. Beside them stand those of a quiet log.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from tests.faults.scripted import Log, ScriptedServer, cluster_at
from tools.server import Server

from .browser import CHROMIUM, TRACED, longest_tasks
from .figure import Figure, Place
from .process import Process
from .report import Report, Table, percentile

POD, CONTAINER, NAMESPACE = "flood", "app", "shop"
STEP_SECONDS = 0.02
QUIET = 10  # lines a second
BAR_MS = 50
TEXT = "request served in 17 ms, status 200, path /products/17, agent curl/8.0"
WATCH = """() => {
  const lines = (row) => row.lines ?? 0;
  window.flood = { shown: 0, told: 0, long: [] };
  new PerformanceObserver((list) => list.getEntries().forEach((each) => window.flood.long.push(each.duration)))
    .observe({ type: "longtask" });
  new MutationObserver((records) => {
    for (const { addedNodes } of records) for (const row of addedNodes)
      if (row.words) window.flood.shown += 1; else window.flood.told += lines(row);
  }).observe(document.getElementById("log"), { childList: true, subtree: true });
}"""


def _kubelet(pipe: Connection) -> None:
    asyncio.run(_serve(pipe))


async def _serve(pipe: Connection) -> None:
    """Tells its address, then for each (seconds, lines a second) writes so many lines, and how many they were."""
    server, log = ScriptedServer(), Log()
    server.served |= {"/apis/apps/v1", "/apis/batch/v1"}
    status = {
        "name": CONTAINER,
        "ready": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
    }
    server.put(
        POD,
        NAMESPACE,
        plural="pods",
        spec={"nodeName": "node-1", "containers": [{"name": CONTAINER, "image": "a/app:1"}]},
        status={"phase": "Running", "containerStatuses": [status]},
    )
    server.logs[f"{POD}/{CONTAINER}"] = log
    await server.start()
    pipe.send(server.url)
    at = 0.0
    while (order := await asyncio.to_thread(pipe.recv)) is not None:
        seconds, rate = order
        pipe.send(await _write(log, at, seconds, rate))
        at += seconds
    await server.stop()


async def _write(log: Log, at: float, seconds: float, rate: int) -> int:
    """In small steps on the clock: what a busy machine made late is written with the next step."""
    began, written, total = time.monotonic(), 0, round(seconds * rate)
    while written < total:
        await asyncio.sleep(STEP_SECONDS)
        gone = min(time.monotonic() - began, seconds)
        due = total if gone == seconds else int(gone * rate)
        log.write(at + gone, *(f"{number} {TEXT}" for number in range(written, due)))
        written = due
    return written


class _Kubelet:
    """The process with the log."""

    def __enter__(self) -> _Kubelet:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_kubelet, args=(theirs,), daemon=True)
        self._process.start()
        self.url: str = self._pipe.recv()
        return self

    async def write(self, seconds: float, rate: int) -> int:
        self._pipe.send((seconds, rate))
        return int(await asyncio.to_thread(self._pipe.recv))

    def __exit__(self, *_: object) -> None:
        self._pipe.send(None)
        self._process.join(10)


@dataclass
class _Phase:
    """What one rate came to. ``updates``: the longest task of each quarter of a second, in ms."""

    written: int
    shown: int
    told: int
    long: list[float]
    updates: list[float]
    cpu: float  # of one core
    memory: float


async def _phase(
    browser: Browser, page: Page, process: Process, kubelet: _Kubelet, seconds: float, rate: int
) -> _Phase:
    await page.evaluate("() => Object.assign(window.flood, { shown: 0, told: 0, long: [] })")
    await browser.start_tracing(page=page, categories=TRACED)
    cpu, began = process.cpu(), time.monotonic()
    written = await kubelet.write(seconds, rate)
    used = (process.cpu() - cpu) / 1e3 / (time.monotonic() - began)
    trace = await browser.stop_tracing()
    await page.wait_for_function(
        f"() => window.flood.shown + window.flood.told >= {written}", timeout=30_000, polling=200
    )
    seen: dict[str, Any] = await page.evaluate("window.flood")
    return _Phase(
        written, seen["shown"], seen["told"], seen["long"], longest_tasks(trace), used, process.memory()
    )


async def _measure(
    server: Server, kubelet: _Kubelet, seconds: float, rate: int
) -> tuple[_Phase, _Phase, float]:
    assert server.process is not None
    process = Process(server.process.pid)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(**CHROMIUM)
        page = await browser.new_page(viewport={"width": 1440, "height": 900})
        await page.context.add_cookies(await asyncio.to_thread(server.cookies))
        await page.goto(f"{server.base}/c/test/pods/{NAMESPACE}/{POD}/logs/")
        await page.wait_for_selector("[data-freshness=live]")
        await kubelet.write(2, QUIET)
        await page.wait_for_selector("#log li")
        await page.evaluate(WATCH)
        await asyncio.sleep(1)
        before = process.memory()
        quiet = await _phase(browser, page, process, kubelet, seconds / 3, QUIET)
        flood = await _phase(browser, page, process, kubelet, seconds, rate)
        await browser.close()
    return quiet, flood, before


def _column(phase: _Phase) -> tuple[str, ...]:
    return (
        f"{phase.written:,}",
        f"{phase.shown:,}, {phase.told:,}",
        f"{statistics.median(phase.updates):.1f} ms ({phase.updates[0]:.1f}–{phase.updates[-1]:.1f})",
        f"{percentile(phase.updates, 95):.1f} ms",
        f"{len(phase.long)}, the longest {max(phase.long, default=0):.0f} ms",
        f"{phase.cpu:.0%}",
        f"{phase.memory:.0f} MiB",
    )


def run(place: Place, *, seconds: float, rate: int) -> Report:
    """One page of logs, first quiet, then flooded for ``seconds``."""
    with _Kubelet() as kubelet:
        cluster_at(place.home, kubelet.url)
        with Server(place.home / "server", place.home / "kubeconfig") as server:
            quiet, flood, before = asyncio.run(_measure(server, kubelet, seconds, rate))
    for phase in (quiet, flood):
        if phase.shown + phase.told != phase.written:
            raise RuntimeError(
                f"{phase.written} lines were written, {phase.shown} shown and {phase.told} told"
            )
    titles = (
        "lines written",
        "shown, and told as left out",
        "longest task of an update, CPU time",
        f"its p95 (aim {BAR_MS} ms)",
        "tasks above 50 ms by the clock",
        "server, of a core",
        f"server, memory ({before:.0f} MiB before)",
    )
    yardstick = f"a quiet log ({QUIET} lines a second)"
    rows = list(zip(titles, _column(quiet), _column(flood), strict=True))
    return Report(
        f"A log of {rate:,} lines a second, for {seconds:g} s, through the real websocket into a real browser",
        (Table(columns=("", yardstick, "the flood"), rows=rows, yardstick=yardstick),),
    )


FIGURE = Figure(
    name="flood",
    run=run,
    full={"seconds": 25, "rate": 10_000},
    short={"seconds": 2, "rate": 2_000},
    browser=True,
)
