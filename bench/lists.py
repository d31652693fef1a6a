"""A page of a list after one of its objects has changed, against making and sorting all rows anew."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import msgspec

from dashboard.kinds import KINDS
from dashboard.queries.access import Visible
from dashboard.queries.lists import ListQuery, listing
from dashboard.queries.reader import Reader
from dashboard.queries.seenreader import SeenReader

from .figure import Figure, Place
from .report import Report, Table, spread
from .search import Cache, cpu_times, pod

# As it comes, the other way round by a column, and with a filter that most fit.
QUERIES = {"worst first": {}, "most restarts first": {"sort": "-restarts"}, "with a filter": {"q": "web-1"}}
PODS = KINDS["pods"]


class World:
    """So many pods, of which one changes again and again."""

    def __init__(self, pods: int) -> None:
        raw = json.dumps({"metadata": {}, "items": [pod(number) for number in range(pods)]}).encode()
        cache: Any = Cache(raw)
        self.store = cache.store("pods")
        self.reader = SeenReader(Reader(cache), {"pods": Visible()})
        self.version = 0

    def page(self, query: ListQuery) -> None:
        self.version += 1
        obj = self.store.get("team-0", "web-0-5d4f8c7b9-x00000")
        meta = msgspec.structs.replace(obj.metadata, resource_version=f"changed-{self.version}")
        self.store.add([msgspec.structs.replace(obj, metadata=meta)])
        listing(self.reader, PODS, query, None)

    def anew(self) -> None:
        rows = [PODS.row(obj) for obj in self.store.values()]
        rows.sort(key=lambda row: (row.namespace, row.name))


def run(_: Place, *, pods: tuple[int, ...], rounds: int) -> Report:
    rows = []
    for count in pods:
        world = World(count)
        row = [f"{count:,}"]
        for asked in QUERIES.values():
            page = partial(world.page, ListQuery("pods", **asked))  # type: ignore[arg-type]
            page()
            row.append(spread(cpu_times(page, rounds), "ms", 1))
        rows.append((*row, spread(cpu_times(world.anew, min(rounds, 3)), "ms")))
    anew = "all rows made and sorted anew"
    return Report(
        f"A page of 100 pods after one of them has changed (made up), CPU time, {rounds} rounds",
        (Table(columns=("pods", *QUERIES, anew), rows=rows, yardstick=anew),),
    )


FIGURE = Figure(
    name="lists",
    run=run,
    full={"pods": (1_000, 10_000, 50_000), "rounds": 9},
    short={"pods": (200, 500), "rounds": 2},
)
