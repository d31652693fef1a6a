"""Debian's Chromium, as Playwright launches it, and what its traces say."""

from __future__ import annotations

import json
from typing import Any

TRACED = ["toplevel", "disabled-by-default-devtools.timeline"]
FRAME_MS = 250  # the server sends so often: the longest task between two frames is what an update costs

CHROMIUM: dict[str, Any] = {
    "executable_path": "/usr/bin/chromium",
    "args": ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
}


def longest_tasks(trace: bytes) -> list[float]:
    """The longest task of the page's main thread in each quarter of a second, in ms of its CPU time."""
    events = json.loads(trace)["traceEvents"]
    threads: dict[tuple[int, int], list[tuple[float, float]]] = {
        (event["pid"], event["tid"]): []
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    for event in events:
        where = event["pid"], event["tid"]
        if event["ph"] == "X" and event["name"].endswith(":RunTask") and where in threads:
            threads[where].append((event["ts"] / 1000, event.get("tdur", 0) / 1000))
    # Of the processes with such a thread the page's is the one that works most.
    busiest = max(threads.values(), key=lambda found: sum(took for _, took in found))
    longest: dict[int, float] = {}
    for at, took in busiest:
        longest[int(at // FRAME_MS)] = max(took, longest.get(int(at // FRAME_MS), 0.0))
    return sorted(longest.values())
