"""The benchmarks that need no cluster, in their shortest form: that they measure what they say, not how fast it is."""

from __future__ import annotations

from bench import memory
from dashboard.kinds import KINDS


def test_memory_is_told_of_every_kind_and_garbage_beside_its_yardstick() -> None:
    said = memory.run(objects=20, pods=200, rounds=1)
    rows = {line.split()[0]: line.split()[1:] for line in said.splitlines() if line.endswith("x")}
    assert set(rows) == set(KINDS)
    assert all(float(each.replace(",", "")) > 100 for row in rows.values() for each in row[:3]), rows
    assert {"nothing", "json.loads", "structs"} <= {line.split()[0] for line in said.splitlines() if line}
