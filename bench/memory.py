"""Memory of a cached object of each kind, and what Python's search for garbage costs with many of them: against the same
objects as `json.loads` gives them.
"""

from __future__ import annotations

import gc
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dashboard.kinds import KINDS

FIXTURES = Path(__file__).resolve().parent.parent / "tests/unit/kinds/fixtures"
PODS = "pods"


def run(*, objects: int, pods: int, rounds: int) -> str:
    lines = [
        f"Memory of a cached object, {objects:,} of each kind, recorded from a real API server (bytes by tracemalloc):",
        f"{'kind':28} {'JSON':>8} {'json.loads':>11} {'struct':>8} {'ratio':>6}",
    ]
    for plural in sorted(KINDS):
        raw, count = _listed(plural, objects)
        plain = _kept(lambda raw=raw: json.loads(raw)) / count  # type: ignore[misc]
        kept = _kept(lambda raw=raw, plural=plural: KINDS[plural].decode_list(raw).items) / count  # type: ignore[misc]
        lines.append(f"{plural:28} {len(raw) / count:8,.0f} {plain:11,.0f} {kept:8,.0f} {plain / kept:5.1f}x")
    raw, _ = _listed(PODS, pods)
    lines += [
        "",
        f"A full search for garbage with {pods:,} pods kept by each, CPU time, median of {rounds} rounds:",
    ]
    for name, make in (
        ("nothing", len),
        ("json.loads", json.loads),
        ("structs", lambda raw: KINDS[PODS].decode_list(raw).items),
    ):
        before, after = _searched(make, raw, rounds)
        lines.append(f"{name:12} {before * 1000:7.1f} ms, and {after * 1000:6.1f} ms once frozen (gc.freeze)")
    return "\n".join(lines)


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


def _searched(make: Callable[[bytes], Any], raw: bytes, rounds: int) -> tuple[float, float]:
    """Seconds of a full search while these are kept, and after they were frozen."""
    made = make(raw)
    before = _median(rounds)
    gc.freeze()
    after = _median(rounds)
    gc.unfreeze()
    del made
    return before, after


def _median(rounds: int) -> float:
    gc.collect()
    took = []
    for _ in range(rounds):
        began = time.process_time()
        gc.collect()
        took.append(time.process_time() - began)
    return statistics.median(took)
