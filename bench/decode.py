"""Decoding a list of real pods: typed structs with the needed fields, against `json.loads` of the same bytes."""

from __future__ import annotations

import asyncio
import gc
import json
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from dashboard.kinds import KINDS
from dashboard.kube.config import load_clusters
from dashboard.kube.transport import Transport
from sandbox import Sandbox

from .figure import Figure, Place
from .report import Report, Table, spread


async def _list(sandbox: Sandbox, pods: int) -> bytes:
    """The raw answer to one list of every pod, once there are so many. Raises TimeoutError after 10 minutes."""
    cluster = load_clusters(environ={"KUBECONFIG": str(sandbox.kubeconfig)}, sandbox_kubeconfig=None)[0]
    transport = Transport(cluster)
    try:
        async with asyncio.timeout(600):
            while True:
                raw = (await transport.request("GET", KINDS["pods"].gvr, timeout=120)).body
                if len(KINDS["pods"].decode_list(raw).items) >= pods:
                    return raw
                await asyncio.sleep(5)
    finally:
        await transport.close()


def _seconds(decode: Callable[[bytes], Any], raw: bytes) -> float:
    gc.collect()
    began = time.process_time()
    decode(raw)
    return time.process_time() - began


def _megabytes(decode: Callable[[bytes], Any], raw: bytes) -> float:
    """What the decoded answer holds on to."""
    gc.collect()
    tracemalloc.start()
    kept = decode(raw)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return size / 2**20


def run(place: Place, *, pods: int, rounds: int) -> Report:
    """The two by turns, ``rounds`` times; CPU time of this process, and the ratio round by round."""
    print(f"Making {pods:,} pods…", flush=True)
    nodes = len(place.sandbox.api().get("/api/v1/nodes")["items"])
    place.sandbox.scale(pods=pods)
    try:
        raw = asyncio.run(_list(place.sandbox, pods))
    finally:
        place.sandbox.scale(nodes=nodes, pods=0)
    typed = KINDS["pods"].decode_list
    count = len(typed(raw).items)
    pairs = [(_seconds(json.loads, raw) * 1e3, _seconds(typed, raw) * 1e3) for _ in range(rounds)]
    plain, ours = zip(*pairs, strict=True)
    plain_mb, ours_mb = _megabytes(json.loads, raw), _megabytes(typed, raw)
    rows = (
        ("`json.loads`", spread(plain, "ms"), f"{plain_mb:.1f} MiB"),
        ("typed structs", spread(ours, "ms"), f"{ours_mb:.1f} MiB, {ours_mb * 1024 / count:.1f} KiB a pod"),
        ("ratio", spread((slow / fast for slow, fast in pairs), "×", 1), f"{plain_mb / ours_mb:.1f} ×"),
    )
    return Report(
        f"Decode of {count:,} real pods ({len(raw) / 2**20:.1f} MiB as one list), CPU time, {rounds} rounds",
        (Table(columns=("", "time", "kept in memory"), rows=rows, yardstick=rows[0][0]),),
    )


FIGURE = Figure(
    name="decode",
    run=run,
    full={"pods": 5_000, "rounds": 9},
    short={"pods": 20, "rounds": 2},
    sandbox=True,
)
