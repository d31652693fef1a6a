"""What pages say of usage alike: meters, an hour's charts with their tables, and why there are no figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from dashboard import render
from dashboard.errors import BadInput, ClusterError, Forbidden
from dashboard.insight.usage import Sum
from dashboard.kinds.units import cpu_words, memory_words, percent
from dashboard.live.longer import Known
from dashboard.live.rings import Point
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.snapshot import Chart, Snapshot
from dashboard.live.usage import (
    EVERY_SECONDS,
    LIMIT_CPU,
    LIMIT_MEMORY,
    OF_CPU,
    OF_MEMORY,
    REQUESTED_CPU,
    REQUESTED_MEMORY,
    USED_CPU,
    USED_MEMORY,
    Reading,
)
from dashboard.queries.prometheus import RANGES, RESOURCES, Lines, Question, Resource

from .charts import moment, spread
from .common import list_url

TITLES = {"cpu": "CPU", "memory": "Memory"}
WORDS = {"cpu": cpu_words, "memory": memory_words}
COLUMNS = {
    "cpu": {"used": USED_CPU, "requested": REQUESTED_CPU, "limits": LIMIT_CPU, "allocatable": OF_CPU},
    "memory": {
        "used": USED_MEMORY,
        "requested": REQUESTED_MEMORY,
        "limits": LIMIT_MEMORY,
        "allocatable": OF_MEMORY,
    },
}
LINE_TITLES = {
    "used": "In use",
    "requested": "Requested",
    "limits": "Limits",
    "allocatable": "Allocatable",
}
ROLES = {"used": "area", "requested": "line", "limits": "dots", "allocatable": "edge"}
TABLE_ROWS = 13
PROMETHEUS_WAIT = 2.0
NEARLY = 0.9
NO_FIGURES = "There is no history where nothing is measured."
NOT_BEGUN = "The history starts with the first sample; a new one comes every 15 s."
INSTALL = (
    "kubectl apply -f "
    "https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml"
)


# ---- Why there are no figures


def metrics_state(runtime: ClusterRuntime, reading: Reading, denied: Forbidden | None) -> dict[str, Any]:
    """Context of the region ``metrics_state``: one of several states, each with a way out; state "" says nothing."""
    if denied is not None:
        return _forbidden(denied, "your account")
    error = reading.error
    match reading.state:
        case "missing":
            return {
                "state": "missing",
                "title": "Usage is not measured in this cluster",
                "text": "It serves no metrics.k8s.io: metrics-server is not installed. Requests and limits are known "
                "all the same.",
                "kubectl": INSTALL,
            }
        case "forbidden" if isinstance(error, Forbidden):
            return _forbidden(error, "the dashboard's account")
        case "late":
            return {
                "state": "late",
                "title": "Last reading",
                "ago": moment(reading.measured_at),
                "text": " ".join(filter(None, (f"{reading.source} has not answered since.", _words(error)))),
            }
        case "unavailable":
            return {
                "state": "unavailable",
                "title": f"{reading.source} does not answer",
                "text": _words(error),
                "next": None
                if reading.source == "Prometheus"
                else {
                    "text": "Look at its pods",
                    "url": list_url(runtime, "pods", "?q=metrics-server"),
                },
            }
        case "unreachable":
            return {
                "state": "unreachable",
                "title": "The cluster does not answer",
                "text": error.message if error else "",
            }
        case "waiting":
            return {
                "state": "waiting",
                "title": "Nothing has been measured yet",
                "text": f"{reading.source} answers, and has no figures so far. They come about a minute after a node "
                "or pod has started.",
            }
        case "starting":
            return {"state": "waiting", "title": "Usage is being read…", "text": ""}
        case "stale":
            return {
                "state": "stale",
                "title": "Metrics are stale",
                "text": f"The newest figures of {reading.source} are of",
                "since": moment(reading.measured_at),
                "next": {"text": "Look at its pods", "url": list_url(runtime, "pods", "?q=metrics-server")},
            }
        case _:
            return {"state": ""}


def _words(error: ClusterError | None) -> str:
    return " ".join(filter(None, (error.message, error.next_step))) if error else ""


def _forbidden(error: Forbidden, who: str) -> dict[str, Any]:
    return {
        "state": "forbidden",
        "title": "Usage may not be shown",
        "text": f"It requires a permission that {who} lacks.",
        "verb": error.verb or "list",
        "resource": error.resource or "pods.metrics.k8s.io",
    }


def state_part(runtime: ClusterRuntime, reading: Reading, denied: Forbidden | None) -> render.Part:
    return render.region("metrics_state", metrics_state(runtime, reading, denied))


def why_empty(reading: Reading, otherwise: str = NOT_BEGUN) -> str:
    """Why a chart has no line."""
    return otherwise if reading.state in ("ok", "late", "stale", "starting", "waiting") else NO_FIGURES


# ---- Meters: a bar and its figures


@dataclass(frozen=True)
class Meter:
    """One resource of one thing, in cores or bytes; None: not known, or none. ``of`` is the whole, when there is one;
    ``note``: why the limit is not one for all of it."""

    name: str
    resource: str
    used: float | None
    requested: float
    limit: float | None
    of: float | None = None
    note: str = ""

    def row(self) -> dict[str, Any]:
        """Context of ``partials/meter.html``."""
        words = WORDS[self.resource]
        scale = self.of or max(self.limit or 0.0, self.requested, self.used or 0.0) or 1.0
        against = self.of or (self.limit if not self.note else None)
        state = "warn" if self.used is not None and against and self.used >= NEARLY * against else "ok"
        return {
            "name": self.name,
            "resource": TITLES[self.resource],
            "used": words(self.used),
            "requested": words(self.requested) if self.requested else "none",
            "limit": words(self.limit) if self.limit is not None else "none",
            "of": words(self.of) if self.of is not None else "",
            "share_requested": percent(self.used, self.requested),
            "share_of": percent(self.used, self.of),
            "note": self.note,
            "state": state,
            "bar": {
                "used": _place(self.used, scale),
                "requested": _place(self.requested, scale),
                "limit": _place(self.limit, scale) if self.limit else None,
            },
        }


def _place(amount: float | None, scale: float) -> float:
    """How far along the bar, 0 to 100."""
    return round(min(100.0, 100 * (amount or 0.0) / scale), 1)


def sum_meters(name: str, each: Sum, *, of: Mapping[str, float] | None = None) -> list[Meter]:
    """CPU and memory of some pods. The sum of limits is told with how many pods have none."""
    meters = []
    for resource in RESOURCES:
        total = getattr(each, resource)
        note = f"{total.unlimited} of {each.pods} pods without" if 0 < total.unlimited < each.pods else ""
        limit = total.limit if total.unlimited < each.pods else None
        whole = (of or {}).get(resource)
        meters.append(Meter(name, resource, each.used(resource), total.requested, limit, whole, note))
    return meters


def meters_part(name: str, meters: Sequence[Meter], *, of: str = "", note: str = "") -> render.Part:
    """A region with a table of meters. ``of`` heads the column of the whole, "" without one."""
    return render.region(
        "meters", {"id": name, "rows": [each.row() for each in meters], "of": of, "note": note}
    )


# ---- History: charts with their tables


class PastUsage:
    """The history behind the two charts of a page: Prometheus' where one is set and answers, else what was sampled."""

    def __init__(self, runtime: ClusterRuntime, range_: str) -> None:
        """``question`` is set when it is known. Raises BadInput for a range that there is not."""
        if range_ not in RANGES:
            raise BadInput(f"range is {range_!r}: use one of {', '.join(RANGES)}.", field="range")
        self.runtime = runtime
        self.question: Question | None = None
        self.shown = frozenset(ROLES)  # the lines that may be seen
        self._range = range_

    @property
    def range(self) -> str:
        """What is shown: without Prometheus, there is the last hour alone."""
        return "1h" if self.runtime.longer is None else self._range

    async def prepare(self) -> None:
        if self.runtime.longer is not None and self.question is not None:
            await self.runtime.longer.ask(self.question, wait=PROMETHEUS_WAIT)

    @property
    def _known(self) -> Known | None:
        if self.runtime.longer is None or self.question is None:
            return None
        return self.runtime.longer.known(self.question)

    def snapshot(self, sampled: Sequence[Point], *, empty: str = NOT_BEGUN) -> Snapshot:
        """Charts ``usage-cpu`` and ``usage-memory``, their tables, and a line on where they come from.

        ``sampled``: the points of the sampler; ``empty``: why there are none.
        """
        known = self._known
        if known is not None and known.answer is not None:
            by_resource: Mapping[Resource, Lines] = known.answer.lines
            length, step = RANGES[self.range]
        else:
            by_resource = {resource: sampled_lines(sampled, resource) for resource in RESOURCES}
            (length, _), step = RANGES["1h"], EVERY_SECONDS
        regions = {"usage-note": render.region("usage_note", self._note(known, sampled, empty))}
        charts = {}
        for resource, every in by_resource.items():
            lines = Lines(every.at, {line: each for line, each in every.lines.items() if line in self.shown})
            regions[f"chart-table-usage-{resource}"] = usage_table(lines, resource, dated=length > 86400)
            charts[f"usage-{resource}"] = usage_chart(lines, resource, length, step)
        return Snapshot(regions=regions, charts=charts)

    def _note(self, known: Known | None, sampled: Sequence[Point], empty: str) -> dict[str, Any]:
        note: dict[str, Any] = {"from": "", "since": "", "notes": (), "trouble": "", "last": "", "empty": ""}
        if known is not None and known.answer is not None:
            note |= {"from": "Prometheus", "notes": known.answer.notes}
        elif sampled:
            note |= {"from": "samples", "since": moment(sampled[0][0])}
        else:
            note["empty"] = empty
        if known is not None and known.error is not None:
            note["trouble"] = _words(known.error)
            if known.answer is not None and (last := known.answer.newest) is not None:
                note["last"] = moment(last)
        elif known is not None and known.answer is None:
            note["notes"] = ("Prometheus is being asked.",)
        return note

    def ranges(self, url: str) -> list[dict[str, Any]]:
        """What can be chosen: with Prometheus alone there is more than the last hour."""
        if self.runtime.longer is None:
            return []
        glue = "&" if "?" in url else "?"
        return [
            {
                "id": each,
                "url": url if each == "1h" else f"{url}{glue}range={each}",
                "current": each == self.range,
            }
            for each in RANGES
        ]


def sampled_lines(points: Sequence[Point], resource: str) -> Lines:
    """One resource of the sampler's points, as far as they have it; a pause in the sampling is a gap."""
    if not points:
        return Lines()
    spread: list[Point] = []
    empty = (None,) * len(points[0][1])
    for (at, values), (following, _) in pairwise(points):
        spread.append((at, values))
        if following - at > 2.5 * EVERY_SECONDS:
            spread.append((at + EVERY_SECONDS, empty))
    spread.append(points[-1])
    width = len(points[0][1])
    lines = {
        line: tuple(values[column] for _, values in spread)
        for line, column in COLUMNS[resource].items()
        if column < width
    }
    return Lines(tuple(at for at, _ in spread), {k: v for k, v in lines.items() if any(v)})


def usage_chart(lines: Lines, resource: str, length: float, step: float) -> Chart:
    """One chart. Moments as seconds after the first, values to four digits: a tenth of the bytes of ISO times."""
    first = lines.at[0] if lines.at else 0.0
    traces = [
        {"name": LINE_TITLES[line], "y": [_short(value) for value in values], "role": ROLES[line]}
        for line, values in lines.lines.items()
    ]
    data = {
        "kind": "usage",
        "unit": resource,
        "t0": round(first),
        "t": [round(at - first) for at in lines.at],
        "traces": traces,
        "layout": {"window": length, "step": step},
    }
    return Chart(render.facts_hash(data), data)


def _short(value: float | None) -> float | int | None:
    if value is None:
        return None
    short = float(f"{value:.4g}")
    return int(short) if short >= 1000 else short


def usage_table(lines: Lines, resource: str, *, dated: bool = False) -> render.Part:
    """The same figures as a table: moments evenly spread over the time of the chart, newest first."""
    words = WORDS[resource]
    rows = [
        {"at": moment(lines.at[place]), "values": [words(values[place]) for values in lines.lines.values()]}
        for place in spread(len(lines.at), TABLE_ROWS)
    ]
    columns = [LINE_TITLES[line] for line in lines.lines]
    context = {
        "id": f"chart-table-usage-{resource}",
        "columns": columns,
        "rows": rows,
        "form": "date" if dated else "time",
    }
    return render.region("chart_table", context)


def bars_chart(resource: str, names: Sequence[str], sums: Sequence[Sum]) -> Chart:
    """In use, requested and limits of several things, one bar each, the first on top."""
    totals = [getattr(each, resource) for each in sums]
    data = {
        "kind": "bars",
        "unit": resource,
        "names": list(names),
        "traces": [
            {"name": "Requested", "x": [_short(one.requested) for one in totals], "role": "line"},
            {"name": "In use", "x": [_short(each.used(resource)) for each in sums], "role": "area"},
            {"name": "Limits", "x": [_short(one.limit) or None for one in totals], "role": "edge"},
        ],
    }
    return Chart(render.facts_hash(data), data)
