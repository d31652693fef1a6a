"""Memory of a cached object of each kind, and what Python's search for garbage costs with many of them: against the same
objects as `json.loads` gives them.
"""

from __future__ import annotations

import gc
import json
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dashboard.kinds import KINDS

from .figure import Figure, Place
from .report import Report, Table, spread

FIXTURES = Path(__file__).resolve().parent.parent / "tests/unit/kinds/fixtures"
PODS = "pods"


def run(_: Place, *, objects: int, pods: int, rounds: int) -> Report:
    rows = []
    for plural in sorted(KINDS):
        raw, count = _listed(plural, objects)
        plain = _kept(lambda raw=raw: json.loads(raw)) / count  # type: ignore[misc]
        kept = _kept(lambda raw=raw, plural=plural: KINDS[plural].decode_list(raw).items) / count  # type: ignore[misc]
        if not kept:
            raise RuntimeError(f"nothing is kept of {plural}")
        rows.append(
            (plural, f"{len(raw) / count:,.0f}", f"{plain:,.0f}", f"{kept:,.0f}", f"{plain / kept:.1f} ×")
        )
    raw, _count = _listed(PODS, pods)
    searched = []
    for name, make in (
        ("nothing", len),
        ("`json.loads`", json.loads),
        ("typed structs", lambda raw: KINDS[PODS].decode_list(raw).items),
    ):
        before, after = _searched(make, raw, rounds)
        searched.append((name, spread(before, "ms", 1), spread(after, "ms", 1)))
    loaded, frozen = "`json.loads`", "once frozen (`gc.freeze`)"
    return Report(
        f"Memory of a cached object, {objects:,} of each kind as recorded from a real API server, bytes that stay "
        f"allocated; and a full search for garbage with {pods:,} pods kept, CPU time, {rounds} rounds",
        (
            Table(columns=("", "JSON", loaded, "typed struct", "ratio"), rows=rows, yardstick=loaded),
            Table(columns=("pods kept as", "a full search", frozen), rows=searched, yardstick="nothing"),
        ),
    )


FIGURE = Figure(
    name="memory",
    run=run,
    full={"objects": 1_000, "pods": 50_000, "rounds": 3},
    short={"objects": 20, "pods": 200, "rounds": 1},
)


def _listed(plural: str, count: int) -> tuple[bytes, int]:
    """A list of so many objects, each with a name and uid of its own, as the API server sends it; how many they are."""
    cases = json.loads((FIXTURES / f"{plural}.json").read_text())["cases"].values()
    shapes = [case["object"] for case in cases]
    is_table = shapes[0].get("kind") == "Table"
    items = []
    for number in range(count):
        shape = shapes[number % len(shapes)]
        item = json.loads(json.dumps(shape["rows"][0] if is_table else shape))
        meta = (item["object"] if is_table else item)["metadata"]
        meta |= {"name": f"{meta['name']}-{number}", "uid": f"{number:08}-1111-2222-3333-444444444444"}
        items.append(item)
    body = (
        {"columnDefinitions": shapes[0]["columnDefinitions"], "rows": items} if is_table else {"items": items}
    )
    return json.dumps({"metadata": {"resourceVersion": "1"}, **body}).encode(), count


def _kept(make: Callable[[], Any]) -> float:
    """Bytes that stay allocated for what is made."""
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    made = make()
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del made
    return float(after - before)


def _searched(make: Callable[[bytes], Any], raw: bytes, rounds: int) -> tuple[list[float], list[float]]:
    """Milliseconds of a full search while these are kept, and after they were frozen. What was imported is left out, as
    the server leaves it out.
    """
    gc.collect()
    gc.freeze()
    made = make(raw)
    before = _times(rounds)
    gc.freeze()
    after = _times(rounds)
    gc.unfreeze()
    del made
    return before, after


def _times(rounds: int) -> list[float]:
    gc.collect()
    took = []
    for _ in range(rounds):
        began = time.process_time()
        gc.collect()
        took.append((time.process_time() - began) * 1e3)
    return took
