"""Charts: series for Plotly, and the same as a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from dashboard import render
from dashboard.live.history import KEEP_SECONDS, Step, thinned
from dashboard.live.snapshot import Chart

POINTS = 240  # drawn as they are; more are thinned, so that the hour stays whole
TABLE_ROWS = 12


def moment(at: float) -> str:
    """A Unix time as ISO 8601, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def spark(values: Sequence[float], points: int = 36) -> str:
    """The latest values as the points of a line in 72 × 26, the greatest on top; "" for fewer than two."""
    shown = values[-points:]
    if len(shown) < 2:
        return ""
    most = max(shown) or 1.0
    wide = 72 / (len(shown) - 1)
    return " ".join(f"{at * wide:.4g},{26 - 24 * value / most:.4g}" for at, value in enumerate(shown))


def replicas_chart(steps: Sequence[Step]) -> Chart:
    """Desired and ready replicas as steps. The browser carries the last value on to the present, so time is no change."""
    shown = steps if len(steps) <= POINTS else thinned(steps)
    at = [moment(step[0]) for step in shown]
    data = {
        "traces": [
            {"name": "ready", "x": at, "y": [step[2] for step in shown], "role": "area"},
            {"name": "desired", "x": at, "y": [step[1] for step in shown], "role": "line"},
        ],
        "layout": {"window": KEEP_SECONDS, "extend": True, "unit": "replicas"},
    }
    return Chart(render.facts_hash(shown), data)


def replicas_table(steps: Sequence[Step]) -> render.Part:
    """The steps as a table, newest first; of many, some over all the time that the chart shows."""
    rows = [
        {"at": moment(at), "values": [desired, ready]}
        for at, desired, ready in (steps[place] for place in spread(len(steps), TABLE_ROWS))
    ]
    return render.region("chart_table_replicas", {"columns": ["Desired", "Ready"], "rows": rows})


def spread(count: int, rows: int) -> list[int]:
    """Places of at most so many rows, evenly over all of them, the last first."""
    return sorted({round((count - 1) * at / (rows - 1)) for at in range(rows)}, reverse=True) if count else []


def restarts_chart(counts: Sequence[tuple[float, int]], since: float | None) -> Chart:
    """Restarts added up from the beginning of the hour, or of the counting."""
    at, total, points = [], 0, []
    for when, count in ([(since, 0)] if since is not None else []) + list(counts):
        total += count
        at.append(moment(when))
        points.append(total)
    data = {
        "traces": [{"name": "restarts", "x": at, "y": points, "role": "area"}],
        "layout": {"window": KEEP_SECONDS, "extend": True, "unit": "restarts"},
    }
    return Chart(render.facts_hash((since, tuple(counts))), data)


def restarts_table(counts: Sequence[tuple[float, int]]) -> render.Part:
    """The latest restarts as a table, newest first."""
    rows = [{"at": moment(at), "values": [count]} for at, count in reversed(counts[-TABLE_ROWS:])]
    context = {"id": "chart-table-restarts", "columns": ["Restarts"], "rows": rows, "form": "time"}
    return render.region("chart_table", context)
