"""Decoding a list of real pods: typed structs with the needed fields, against `json.loads` of the same bytes."""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from dashboard.kinds import KINDS
from dashboard.kube.config import load_clusters
from dashboard.kube.transport import Transport
from sandbox import Sandbox


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


def run(sandbox: Sandbox, *, pods: int, rounds: int) -> str:
    """The two by turns, ``rounds`` times; CPU seconds of this process, medians, and the ratio round by round."""
    raw = asyncio.run(_list(sandbox, pods))
    typed = KINDS["pods"].decode_list
    count = len(typed(raw).items)
    pairs = [(_seconds(json.loads, raw), _seconds(typed, raw)) for _ in range(rounds)]
    plain, ours = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(slow / fast for slow, fast in pairs)
    plain_mb, ours_mb = _megabytes(json.loads, raw), _megabytes(typed, raw)
    return (
        f"decode of {count} pods ({len(raw) / 2**20:.1f} MiB), median of {rounds} rounds, CPU time:\n"
        f"  json.loads      {plain * 1000:8.1f} ms   {plain_mb:7.1f} MiB kept\n"
        f"  typed structs   {ours * 1000:8.1f} ms   {ours_mb:7.1f} MiB kept ({ours_mb * 1024 / count:.1f} KiB a pod)\n"
        f"  ratio           {ratio:8.1f} ×"
    )
