"""The map as a table: one row for each workload, and for each Service or Ingress that leads to none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from dashboard.insight.topology import App, Area, Workload, node_ref
from dashboard.kinds.base import Ref, State
from dashboard.kinds.references import kind_title
from dashboard.kinds.rows import plural
from dashboard.live.screens.common import name_parts, object_url, ref_url

from .boxes import STATES, Boxes, key_of

NODES = 6
WORDS = {"bad": "critical", "warn": "warning", "info": "changing", "ok": "healthy", "done": "finished"}


def table_rows(boxes: Boxes, app: App) -> list[dict[str, Any]]:
    """The rows of one application."""
    rows = [_workload(boxes, app, one) for one in app.workloads]
    leading = {start for start, end in app.links if end in {one.ref for one in app.workloads}}
    rows += [_alone(boxes, app, ref) for ref in app.services if ref not in leading]
    if not rows:
        rows += [_row(boxes, app, ref, [ref], None) for ref in app.ingresses]
    return rows


def _workload(boxes: Boxes, app: App, one: Workload) -> dict[str, Any]:
    services = {start for start, end in app.links if end == one.ref}
    return _row(boxes, app, one.ref, [*_leading_to(app, services), *services], one)


def _alone(boxes: Boxes, app: App, service: Ref) -> dict[str, Any]:
    return _row(boxes, app, service, [*_leading_to(app, {service}), service], None)


def _leading_to(app: App, services: Collection[Ref]) -> set[Ref]:
    return {start for start, end in app.links if end in services}


def unused_row(boxes: Boxes, area: Area, most: int) -> dict[str, Any]:
    """What is there and nobody reads."""
    return _frame(boxes, area.namespace, f"map-unused-{area.namespace}") | {
        "reads": [_link(boxes, ref) for ref in area.unused[:most]],
        "more_reads": max(0, len(area.unused) - most),
    }


def _row(boxes: Boxes, app: App, ref: Ref, ways: list[Ref], workload: Workload | None) -> dict[str, Any]:
    order = {"ingresses": 0, "services": 1}
    ways.sort(key=lambda way: (order.get(way.plural, 2), way.name))
    nodes = sorted(workload.nodes.items()) if workload else []
    reads = [*(workload.reads if workload else ()), *_certificates(app, ways)]
    return _frame(boxes, app.namespace, f"map-{key_of(ref)}") | {
        "entries": [_link(boxes, way) for way in ways],
        "workload": _link(boxes, ref) if workload else None,
        "pods": _pods(boxes, workload) if workload else [],
        "marks": boxes.marks_of(workload) if workload else [],
        "reads": [_link(boxes, read) for read in dict.fromkeys(reads)],
        "nodes": [
            _link(boxes, node_ref(name))
            | {
                "kind": "",
                "note": f"× {count}",
                "note_url": boxes.pods_on([workload], name) if workload else "",
                "note_label": f"{plural(count, 'pod')} on {name}",
            }
            for name, count in nodes[:NODES]
        ],
        "more_nodes": max(0, len(nodes) - NODES),
    }


def _certificates(app: App, ways: Collection[Ref]) -> list[Ref]:
    """The TLS Secrets of the Ingresses among them."""
    found = {end for start, end in app.links if start in ways and end.plural == "secrets"}
    return sorted(found, key=lambda ref: ref.name)


def _frame(boxes: Boxes, namespace: str, key: str) -> dict[str, Any]:
    """A row that says nothing yet."""
    return {
        "id": key,
        "namespace": namespace,
        "namespace_url": object_url(boxes.runtime, "namespaces", "", namespace),
        "entries": [],
        "workload": None,
        "pods": [],
        "marks": [],
        "reads": [],
        "more_reads": 0,
        "nodes": [],
        "more_nodes": 0,
    }


def _pods(boxes: Boxes, workload: Workload) -> list[dict[str, Any]]:
    """The counts of its pods, each with the list that it leads to, and what stands before it."""
    states: Counter[State] = Counter(boxes.seen.row("pods", pod).state for pod in workload.pods)
    if not workload.pods:
        return [{"before": "", "text": "no pods", "url": ""}]
    total = plural(len(workload.pods), "pod")
    url = "" if workload.ref.plural == "pods" else boxes.pods_url(workload)
    if len(states) == 1:
        return [{"before": "", "text": f"{total}, {WORDS[next(iter(states))]}", "url": url}]
    return [{"before": "", "text": total, "url": url}] + [
        {
            "before": ", " if at else ": ",
            "text": f"{states[state]} {WORDS[state]}",
            "url": boxes.pods_url(workload, state),
        }
        for at, state in enumerate(state for state in STATES if states[state])
    ]


def _link(boxes: Boxes, ref: Ref) -> dict[str, Any]:
    head, tail = name_parts(ref.plural, ref.name)
    state, reason = boxes.judge(ref)
    return {
        "kind": kind_title(ref),
        "head": head,
        "tail": tail,
        "url": "" if boxes.missing(ref) else ref_url(boxes.runtime, ref),
        "state": state,
        "reason": reason,
        "note": "",
    }
