"""Puts figures into docs/benchmarks.md, each between two marks. What stands outside of them is written by people."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "benchmarks.md"


def begin_mark(name: str) -> str:
    return f"<!-- {name}: written by `python -m bench {name} --write` -->"


def end_mark(name: str) -> str:
    return f"<!-- end of {name} -->"


def written(text: str, name: str, report: str) -> str:
    """The document with another report of that name. Raises ValueError where its two marks are not there once each."""
    begin, end = begin_mark(name), end_mark(name)
    if (text.count(begin), text.count(end)) != (1, 1) or text.index(begin) > text.index(end):
        raise ValueError(f"{DOCUMENT.name} has to have these two lines, once each: {begin} {end}")
    before, after = text.split(begin)[0], text.split(end)[1]
    return f"{before}{begin}\n{report.strip()}\n{end}{after}"


def provenance(load_before: float) -> str:
    """When, where and beside how much else a figure was measured that has just ended."""
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    memory = int(re.findall(r"\d+", Path("/proc/meminfo").read_text())[0]) / 2**20
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return (
        f"<sub>{datetime.now():%Y-%m-%d %H:%M}; load {load_before:.1f} before, {os.getloadavg()[0]:.1f} after, on "
        f"{os.cpu_count()} cores ({model[1] if model else platform.machine()}), {memory:.0f} GiB; "
        f"Python {platform.python_version()}, Linux {platform.release().partition('-')[0]}, "
        f"commit {commit or 'unknown'}</sub>"
    )
