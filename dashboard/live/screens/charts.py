"""Charts: series for Plotly, and the same as a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from dashboard import render
from dashboard.live.history import KEEP_SECONDS, Step
from dashboard.live.snapshot import Chart

POINTS = 240
TABLE_ROWS = 12


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def replicas_chart(steps: Sequence[Step]) -> Chart:
    """Wanted and ready replicas as steps. The browser carries the last value on to the present, so time is no change."""
    shown = steps[-POINTS:]
    at = [_moment(step[0]) for step in shown]
    data = {
        "traces": [
            {"name": "ready", "x": at, "y": [step[2] for step in shown], "role": "area"},
            {"name": "wanted", "x": at, "y": [step[1] for step in shown], "role": "line"},
        ],
        "layout": {"window": KEEP_SECONDS, "extend": True, "unit": "replicas"},
    }
    return Chart(render.facts_hash(shown), data)


def replicas_table(steps: Sequence[Step]) -> render.Part:
    """The latest steps as a table, newest first."""
    rows = [
        {"at": _moment(at), "values": [wanted, ready]} for at, wanted, ready in reversed(steps[-TABLE_ROWS:])
    ]
    return render.region("chart_table_replicas", {"columns": ["Wanted", "Ready"], "rows": rows})
