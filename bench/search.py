"""A search over everything, against `json.loads` of the same pods and against a bare scan of their search texts."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

from dashboard.cache.store import Store
from dashboard.kinds import KINDS
from dashboard.queries.access import Visible
from dashboard.queries.reader import Reader
from dashboard.queries.search import SearchQuery, search
from dashboard.queries.seenreader import SeenReader

from .figure import Figure, Place
from .report import Report, Table, spread

# Each means something else: every pod, some of them, an address, a label, an image, a pair, no hit but alike, two words.
QUERIES = ("web", "web-1", "10.0.3.", "app=web-7", "app-3:1", "team-3/web-1", "wb5x", "running front")


class Cache:
    """The stores of made-up pods, as a reader wants them."""

    def __init__(self, raw: bytes) -> None:
        self.kinds = KINDS
        self._stores: dict[str, Store[Any]] = {plural: Store(kind) for plural, kind in KINDS.items()}
        self._stores["pods"].replace(KINDS["pods"].decode_list(raw).items, "1")

    def store(self, plural: str) -> Store[Any]:
        return self._stores[plural]

    def status(self, _: str) -> Any:
        return SimpleNamespace(state="live")


def pod(number: int) -> dict[str, Any]:
    app = f"web-{number % 300}"
    return {
        "metadata": {
            "name": f"{app}-5d4f8c7b9-x{number:05}",
            "namespace": f"team-{number % 40}",
            "uid": f"{number:08x}-0000-4000-8000-{number:012x}",
            "resourceVersion": str(number + 1),
            "labels": {"app": app, "tier": "front", "pod-template-hash": "5d4f8c7b9"},
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {
            "nodeName": f"node-{number % 100}",
            "containers": [
                {"name": "main", "image": f"registry.example/team/app-{number % 50}:1.{number % 9}"}
            ],
        },
        "status": {
            "phase": "Running",
            "podIPs": [{"ip": f"10.{number // 65536}.{number // 256 % 256}.{number % 256}"}],
        },
    }


def cpu_times(work: Callable[[], Any], rounds: int) -> list[float]:
    """CPU milliseconds of this process, of each round."""
    times = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        times.append((time.process_time() - began) * 1000)
    return times


def run(_: Place, *, pods: int, rounds: int) -> Report:
    """A search for each query over made-up pods whose rows are made already, as they are after any page."""
    raw = json.dumps({"metadata": {}, "items": [pod(number) for number in range(pods)]}).encode()
    cache: Any = Cache(raw)
    reader = SeenReader(Reader(cache), {"pods": Visible()})
    texts = reader.rows("pods")
    where = dict.fromkeys(KINDS)
    plain = cpu_times(lambda: json.loads(raw), rounds)
    scan = cpu_times(lambda: [row for row in texts if "web" in row.search], rounds)
    yardstick = "`json.loads` of the same pods"
    rows = [
        (yardstick, "–", spread(plain, "ms"), "1 ×"),
        ("a bare scan of their texts", "–", spread(scan, "ms"), _quicker(plain, scan)),
    ]
    for q in QUERIES:
        query = SearchQuery(q)
        look = partial(search, reader, KINDS, query, where, reading=query.reading(KINDS))
        total = look().total
        if "web" in q and not total:
            raise RuntimeError(f"nothing was found by {q!r}")
        took = cpu_times(look, rounds)
        rows.append((f"`{q}`", f"{total:,}", spread(took, "ms"), _quicker(plain, took)))
    return Report(
        f"A search over {pods:,} pods (made up, rows made already), CPU time, {rounds} rounds",
        (
            Table(
                columns=("typed", "hits", "time", "quicker than `json.loads`"), rows=rows, yardstick=yardstick
            ),
        ),
    )


def _quicker(plain: list[float], took: list[float]) -> str:
    return f"{statistics.median(plain) / max(statistics.median(took), 0.001):,.1f} ×"


FIGURE = Figure(name="search", run=run, full={"pods": 10_000, "rounds": 9}, short={"pods": 500, "rounds": 2})
