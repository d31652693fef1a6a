"""The benchmarks that need no cluster, in their shortest form: that they measure what they say, not how fast it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dashboard.kinds import KINDS

ROOT = Path(__file__).resolve().parent.parent.parent
SHORT = "from bench import memory; print(memory.run(objects=20, pods=200, rounds=1))"


def test_memory_is_told_of_every_kind_and_garbage_beside_its_yardstick() -> None:
    # In a process of its own: each search for garbage goes through all that this one holds.
    said = subprocess.run(
        [sys.executable, "-c", SHORT], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    rows = {line.split()[0]: line.split()[1:] for line in said.splitlines() if line.endswith("x")}
    assert set(rows) == set(KINDS)
    assert all(float(each.replace(",", "")) > 100 for row in rows.values() for each in row[:3]), rows
    assert {"nothing", "json.loads", "structs"} <= {line.split()[0] for line in said.splitlines() if line}
