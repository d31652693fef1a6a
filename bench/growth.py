"""What grows with the cluster and what does not: pages, memory and start with 1,000, 10,000 and 50,000 pods of a real API
server and etcd.

The pods are bound to nodes when they are created, and their status is written once. Whoever would change them after
that, the controllers, the scheduler and kwok, is stopped meanwhile: they would take the machine for themselves.
Yardstick: the raw list. A size for which there is too little memory is left out, and the report says so.
"""

from __future__ import annotations

import http.client
import json
import os
import queue
import signal
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from sandbox import Sandbox
from sandbox.api import Api
from tools.server import Cookie, Server

from . import crowd
from .figure import Figure, Place
from .process import Process
from .report import Report, Table, spread
from .visiting import chromium, filter_by, signed_in, visit

PATH = "pods/"
OPENED = 10
WRITERS = 8
SETTLE_SECONDS = 5.0
GIB = 2**30
ETCD_QUOTA = 8 * GIB
MOST_GIB = 12.0  # of memory, for all programs together
# Measured: the API server's cache and etcd take some 100 kB a pod of 9.7 kB while it is created.
GIB_A_POD, GIB_AT_LEAST = 0.2e-3, 1.5
STOPPED = ("kube-controller-manager", "kube-scheduler", "kwok-controller", "agent")
RAW = "the raw list: fetched; `json.loads`"


@dataclass(slots=True)
class Column:
    """What was measured with so many pods."""

    cells: dict[str, str]
    usable: float  # ms, median
    memory: float  # MiB


class Cluster:
    """A control plane of its own, of which only etcd and the API server go on."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.api: Api = sandbox.api()
        self.pods = 0
        for number in range(crowd.NAMESPACES):
            self.api.post("/api/v1/namespaces", {"metadata": {"name": f"team-{number}"}})
        for number in range(crowd.NAMESPACES):
            self._account(f"team-{number}")
        self._signal(signal.SIGSTOP)

    def _account(self, namespace: str) -> None:
        """Waits for the account that pods need, which a controller makes."""
        ends = time.monotonic() + 120
        while time.monotonic() < ends:
            with suppress(Exception):
                self.api.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/default")
                return
            time.sleep(0.2)
        raise RuntimeError(f"no account in {namespace}")

    def _signal(self, how: signal.Signals) -> None:
        for name, pid in self.sandbox.pids().items():
            if name in STOPPED and pid is not None:
                os.kill(pid, how)

    def go_on(self) -> None:
        """Everybody works again, so that it can be ended in order."""
        self._signal(signal.SIGCONT)

    def processes(self) -> Iterator[Process]:
        for pid in self.sandbox.pids().values():
            if pid is not None:
                yield Process(pid)

    def memory(self) -> float:
        """GiB of all its programs."""
        return sum(each.memory() for each in self.processes()) / 1024

    def grow(self, count: int) -> float:
        """Adds pods until there are so many; seconds that it took. Raises RuntimeError where one is refused."""
        began = time.monotonic()
        numbers: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        for number in range(self.pods, count):
            numbers.put(number)
        errors: list[Exception] = []
        writers = [threading.Thread(target=self._write, args=(numbers, errors)) for _ in range(WRITERS)]
        for each in writers:
            numbers.put(None)
            each.start()
        for each in writers:
            each.join()
        if errors:
            raise RuntimeError("a pod could not be created") from errors[0]
        self.pods = count
        return time.monotonic() - began

    def _write(self, numbers: queue.SimpleQueue[int | None], errors: list[Exception]) -> None:
        with closing(self.api.connection(60.0)) as connection:
            while (number := numbers.get()) is not None and not errors:
                try:
                    self._create(connection, number)
                except Exception as error:
                    errors.append(error)

    def _create(self, connection: http.client.HTTPSConnection, number: int) -> None:
        made = json.loads(crowd.pod(number))
        meta, status = made["metadata"], made.pop("status")
        path = f"/api/v1/namespaces/{meta['namespace']}/pods"
        fields = meta.pop("managedFields")
        for key in ("uid", "resourceVersion", "creationTimestamp", "ownerReferences"):
            meta.pop(key)
        # What the kubelet's and the controllers' managed fields are in a real one.
        meta["annotations"] = {"example.com/size": json.dumps(fields)}
        made["spec"] |= {"automountServiceAccountToken": False}
        _send(connection, "POST", path, made)
        _send(connection, "PATCH", f"{path}/{meta['name']}/status", {"status": status})

    def raw(self) -> tuple[float, float, int]:
        """Milliseconds to fetch all pods as one list and to parse it; its bytes."""
        began = time.monotonic()
        with closing(self.api.connection(600.0)) as connection:
            connection.request("GET", "/api/v1/pods", headers={"Accept": "application/json"})
            body = connection.getresponse().read()
        fetched = time.monotonic()
        items = json.loads(body)["items"]
        parsed = time.monotonic()
        if len(items) < self.pods:
            raise RuntimeError(f"{len(items)} of {self.pods} pods are there")
        return (fetched - began) * 1e3, (parsed - fetched) * 1e3, len(body)


def _send(connection: http.client.HTTPSConnection, method: str, path: str, body: dict[str, Any]) -> None:
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    connection.request(method, path, json.dumps(body), {"Content-Type": kind, "Accept": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")


def _measure(
    cluster: Cluster, browser: Browser, server: Server, cookies: list[Cookie], rounds: int, made: float
) -> Column:
    """One size. The server starts anew: nothing of a smaller one is in its memory."""
    path = f"/c/{cluster.sandbox.context}/{PATH}"
    fetched, parsed, size = cluster.raw()
    began = time.time() * 1e3
    server.start()
    assert server.process is not None
    process = Process(server.process.pid)
    with signed_in(browser, server.base, cookies) as page:
        first = visit(page, path)
        navigated = page.evaluate("performance.timeOrigin") - began
        cpu = process.cpu()
        time.sleep(SETTLE_SECONDS)
        one = process.memory()
        warm, cpus = [], []
        for _ in range(rounds):
            before = process.cpu()
            warm.append(visit(page, path))
            cpus.append(process.cpu() - before)
        filters = [filter_by(page, f"web-{number}") for number in range(rounds)]
        for _ in range(OPENED - 1):
            visit(page.context.new_page(), path)
        memory = process.memory()
        total = _total(page, path)
    server.stop()
    if total < cluster.pods:
        raise RuntimeError(f"the page tells of {total} of {cluster.pods} pods")
    usable = statistics.median(each.usable for each in warm)
    cells = {
        RAW: f"{fetched:,.0f} ms; {parsed:,.0f} ms",
        "its bytes": f"{size / 2**20:,.0f} MiB",
        "the process → the first row; live": f"{navigated + first.first_row:,.0f} ms; {navigated + first.usable:,.0f} ms",
        "CPU of the server by then": f"{cpu:,.0f} ms",
        "warm page: first row": spread((each.first_row for each in warm), "ms"),
        "warm page: usable": spread((each.usable for each in warm), "ms"),
        "warm page, bytes": spread((each.kilobytes for each in warm), "kB"),
        "warm page, CPU of the server": spread(cpus, "ms"),
        "a filter, from the key to its rows": spread(filters, "ms"),
        f"memory of the server, one page; {OPENED} pages": f"{one:.0f} MiB; {memory:.0f} MiB",
        "memory of the control plane": f"{cluster.memory():.1f} GiB",
        "creating the pods": f"{made:,.0f} s",
    }
    return Column(cells, usable, memory)


def _total(page: Any, path: str) -> int:
    """How many pods the server knows."""
    return len(page.context.request.get(f"{path}?format=json", timeout=600_000).json()["rows"])


@contextmanager
def _cluster(home: Path) -> Iterator[Cluster]:
    sandbox = Sandbox("cluster-ui-bench-growth", home=home, etcd_quota=ETCD_QUOTA)
    try:
        sandbox.up(samples=False)
        cluster = Cluster(sandbox)
        try:
            yield cluster
        finally:
            cluster.go_on()
    finally:
        sandbox.destroy()


def _why_not(count: int) -> str:
    """Why so many pods can't be measured here; "" where they can."""
    needed = min(MOST_GIB, GIB_AT_LEAST + count * GIB_A_POD)
    found = next(line for line in Path("/proc/meminfo").read_text().splitlines() if "MemAvailable" in line)
    there = int(found.split()[1]) / 2**20
    if there >= needed:
        return ""
    return f"{count:,} pods were SKIPPED: they need {needed:.1f} GiB of memory, and {there:.1f} GiB are free."


def run(place: Place, *, pods: tuple[int, ...], rounds: int) -> Report:
    columns: dict[str, Column] = {}
    notes = []
    with _cluster(place.home) as cluster, chromium() as browser:
        server = Server(place.home / "server", cluster.sandbox.kubeconfig)
        with server:
            cookies = server.cookies()
        for count in pods:
            if why := _why_not(count):
                print(why, flush=True)
                notes.append(why)
                continue
            print(f"Creating {count:,} pods…", flush=True)
            made = cluster.grow(count)
            columns[f"{count:,} pods"] = _measure(cluster, browser, server, cookies, rounds, made)
            if cluster.memory() > MOST_GIB:
                notes.append(f"With {count:,} pods the control plane alone took {cluster.memory():.1f} GiB.")
                break
    if not columns:
        raise RuntimeError(" ".join(notes))
    rows = [
        (title, *(column.cells[title] for column in columns.values()))
        for title in next(iter(columns.values())).cells
    ]
    if len(columns) > 1:
        notes.insert(0, _slopes(list(pods), list(columns.values())))
    return Report(
        f"Growth: a real API server and etcd with pods of {crowd.POD_BYTES / 1e3} kB, a real browser, {rounds} rounds",
        (Table(columns=("", *columns), rows=rows, yardstick=RAW),),
        notes,
    )


def _slopes(pods: list[int], columns: list[Column]) -> str:
    first, last, more = columns[0], columns[-1], pods[len(columns) - 1] - pods[0]
    return (
        f"A pod more costs {(last.memory - first.memory) * 1024 / more:.1f} KiB of the server's memory; {more:,} more "
        f"pods make a warm page usable {last.usable - first.usable:+.0f} ms later."
    )


FIGURE = Figure(
    name="growth",
    run=run,
    full={"pods": (1_000, 10_000, 50_000), "rounds": 9},
    short={"pods": (50, 100), "rounds": 1},
    own_sandbox=True,
    browser=True,
)
