"""One application of the map as columns of boxes; each box says which others its lines lead to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from dashboard.insight.losing.marks import MARKS, Mark
from dashboard.insight.topology import CONFIGURATION, App, Workload
from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref, Row, State
from dashboard.kinds.references import kind_title, meant, reference
from dashboard.kinds.rows import listed, plural
from dashboard.live.screens.common import list_url, map_url, name_parts, ref_url
from dashboard.live.session import Sight
from dashboard.queries.lists import RANK

from .counts import node_query, nodes_query, pods_query

Box = dict[str, Any]
CAPTIONS = ("Ingresses", "Services", "Workloads and their pods", "Configuration and storage", "Nodes")
NOUNS = ("Ingress", "Service", "workload", "object", "node")
SQUARES = 80  # pods of a workload drawn one by one; of more, only the counts are told
STATES: tuple[State, ...] = ("bad", "warn", "info", "ok", "done")


@dataclass(frozen=True)
class Limits:
    """How much of one application is drawn: boxes a column, nodes, and pods by name in a workload."""

    boxes: int = 8
    nodes: int = 4
    pods: int = 0


WIDE, TIGHT, CLOSE = Limits(), Limits(boxes=5, nodes=0), Limits(boxes=40, nodes=20, pods=40)


def key_of(ref: Ref) -> str:
    """What names a box in the page: ``services/shop/web``."""
    return "/".join((ref.plural or f"{ref.kind}.{ref.group}", ref.namespace or "-", ref.name))


class Boxes:
    """Draws applications; ``readers`` counts who reads each ConfigMap, Secret and claim; whoever reads one of the
    ``spare`` ones can do without it.
    """

    def __init__(
        self,
        sight: Sight,
        readers: Mapping[Ref, int],
        limits: Limits,
        focus: Ref | None,
        spare: Set[Ref],
    ) -> None:
        self.runtime = sight.cluster
        self.seen = sight.reader
        self.readers = readers
        self.limits = limits
        self.focus = focus
        self.spare = spare
        self.hits: Set[Ref] = frozenset()  # what the filter asks for
        self.lost = ""  # a node that is lost, and how its pods are marked then, by uid
        self.marks: Mapping[str, Mark] = {}
        self._states: dict[App, State] = {}
        self._rows: dict[Ref, Row | None] = {}

    def state(self, app: App) -> State:
        """The worst of its objects and pods; nodes speak for themselves."""
        if app not in self._states:
            refs = (*app.ingresses, *app.services, *app.reads, *(one.ref for one in app.workloads))
            states = {self.judge(ref)[0] for ref in refs}
            states |= {self.seen.row("pods", pod).state for one in app.workloads for pod in one.pods}
            self._states[app] = min(states, key=RANK.__getitem__, default="ok")
        return self._states[app]

    def columns(self, app: App) -> list[dict[str, Any]]:
        """The five columns, each with its boxes in order and, in words, what there is no room for."""
        reads = list(app.reads)
        nodes = app.nodes
        workloads = {one.ref: one for one in app.workloads}
        shown = [
            self._chosen(app.ingresses),
            self._chosen(app.services),
            self._chosen(list(workloads)),
            self._chosen(reads),
            self._chosen(nodes, self.limits.nodes),
        ]
        there = {ref for refs in shown for ref in refs}
        ends: dict[Ref, list[str]] = {}
        for start, end in sorted(app.links, key=lambda link: (key_of(link[0]), key_of(link[1]))):
            if start in there and end in there:
                ends.setdefault(start, []).append(key_of(end))
        draw: list[Callable[[Ref], Box]] = [
            self._entry,
            self._entry,
            lambda ref: self._workload(workloads[ref]),
            self._entry,
            lambda ref: self._node(ref, app),
        ]
        whole: tuple[Sequence[Any], ...] = (app.ingresses, app.services, app.workloads, reads, nodes)
        return [
            {
                "caption": caption,
                "boxes": [make(ref) | {"to": " ".join(ends.get(ref, ()))} for ref in refs],
                "more": _more(len(every) - len(refs), len(refs), noun),
                "more_url": self._whole(app),
            }
            for caption, noun, refs, every, make in zip(CAPTIONS, NOUNS, shown, whole, draw, strict=True)
        ]

    def alone(self, app: App) -> Box:
        """The one box of an application that is connected to nothing but nodes; these are told in words."""
        if not app.workloads:
            return self._entry(app.first) | {"to": ""}
        box = self._workload(app.workloads[0]) | {"to": ""}
        nodes = sorted(app.workloads[0].nodes)
        where = f"on {nodes[0]}" if len(nodes) == 1 else f"on {len(nodes)} nodes" if nodes else ""
        return box | {"where": where, "where_url": self._nodes_url(nodes) if where else ""}

    def _nodes_url(self, names: Sequence[str]) -> str:
        """The node, or the list of just these; "" where no filter shows them."""
        if len(names) == 1:
            return ref_url(self.runtime, reference("Node", "", names[0]))
        query = nodes_query(list(self.seen.all("nodes", "")), names)
        return list_url(self.runtime, "nodes", query) if query else ""

    def _whole(self, app: App) -> str:
        """Where all of an application is drawn; "" where it is, or cannot be, on a map of its own."""
        return "" if self.focus is not None or not app.first.plural else map_url(self.runtime, app.first)

    def row(self, ref: Ref) -> Row | None:
        """The row of an object that the user may list."""
        if ref not in self._rows:
            obj = self.seen.get(ref.plural, ref.namespace, ref.name) if ref.plural else None
            self._rows[ref] = None if obj is None else self.seen.judged_row(ref.plural, obj)
        return self._rows[ref]

    def missing(self, ref: Ref) -> bool:
        """Whether something names it and there is none; no, while the kind is not fully known."""
        if ref.plural not in KINDS or self.row(ref) is not None:
            return False
        return self.seen.sees_ref(ref) and self.seen.status(ref.plural).state == "live"

    def judge(self, ref: Ref) -> tuple[State, str]:
        """Its state, and why."""
        row = self.row(ref)
        if row is not None:
            return row.state, row.reason
        if not self.missing(ref):
            return "ok", ""
        return ("ok", "not there, which is allowed") if ref in self.spare else ("bad", "missing")

    def _chosen(self, refs: Sequence[Ref], most: int | None = None) -> list[Ref]:
        """As many as there is room for, those that need a look before others, in the given order."""
        most = self.limits.boxes if most is None else most
        if len(refs) <= most:
            return list(refs)
        worst = sorted(
            refs, key=lambda ref: (ref != self.focus, ref not in self.hits, RANK[self.judge(ref)[0]])
        )[:most]
        return [ref for ref in refs if ref in set(worst)]

    def _box(self, ref: Ref, note: str = "") -> Box:
        state, reason = self.judge(ref)
        head, tail = name_parts(ref.plural, ref.name)
        missing = self.missing(ref)
        return {
            "k": key_of(ref),
            "kind": kind_title(ref),
            "head": head,
            "tail": tail,
            "url": "" if missing else ref_url(self.runtime, ref),
            "only": "" if missing or ref == self.focus or not ref.plural else map_url(self.runtime, ref),
            "state": state,
            "note": f"There is no {ref.kind} of this name" if missing and state == "bad" else reason or note,
            "missing": missing,
            "here": ref == self.focus,
            "hit": ref in self.hits,
        }

    def _entry(self, ref: Ref) -> Box:
        obj = self.seen.get(ref.plural, ref.namespace, ref.name)
        note = _NOTES[ref.plural](obj) if obj is not None and ref.plural in _NOTES else ""
        others = self.readers.get(ref, 0)
        return self._box(ref, note) | {
            "form": "small" if ref.plural in CONFIGURATION else "",
            "pods": f"read by {others} workloads" if others > 1 else "",
            "pods_url": map_url(self.runtime, ref) if others > 1 and ref != self.focus else "",
        }

    def _node(self, ref: Ref, app: App) -> Box:
        count = sum(one.nodes[ref.name] for one in app.workloads)
        lost = {"note": "lost", "state": "bad"} if ref.name == self.lost else {}
        return (
            self._box(ref)
            | lost
            | {
                "form": "small tiny",
                "pods": plural(count, "pod"),
                "pods_url": self.pods_on(app.workloads, ref.name),
            }
        )

    def _workload(self, workload: Workload) -> Box:
        rows = [self.seen.row("pods", pod) for pod in workload.pods]
        rows.sort(key=lambda row: (RANK[row.state], row.name))
        single = workload.ref.plural == "pods"
        named = [] if single else rows[: self.limits.pods]
        states = Counter(row.state for row in rows)
        drawn = 0 < len(rows) <= SQUARES and not named
        return self._box(workload.ref, self._scaled(workload.ref)) | {
            "pods": "" if single else plural(len(rows), "pod") if rows else "no pods",
            "pods_url": self.pods_url(workload) if rows and not single else "",
            "squares": [row.state for row in rows] if drawn else [],
            "counts": [
                {"state": state, "count": states[state], "url": self.pods_url(workload, state)}
                for state in STATES
                if states[state]
            ]
            if rows and (not drawn or len(states) > 1)
            else [],
            "named": [self._pod(row) for row in named],
            "unnamed": len(rows) - len(named) if named else 0,
            "marks": self.marks_of(workload),
        }

    def marks_of(self, workload: Workload) -> list[dict[str, Any]]:
        """How many of its pods have each mark of a lost node."""
        counts = Counter(
            self.marks[pod.metadata.uid] for pod in workload.pods if pod.metadata.uid in self.marks
        )
        return [
            {
                "state": each.state,
                "icon": each.icon,
                "word": each.word,
                "text": each.text,
                "count": counts[each],
            }
            for each in MARKS
            if counts[each]
        ]

    def _pod(self, row: Row) -> dict[str, Any]:
        _, tail = name_parts("pods", row.name)
        return {
            "tail": tail.lstrip("-") or row.name,
            "name": row.name,
            "state": row.state,
            "reason": row.reason,
            "url": ref_url(self.runtime, reference("Pod", row.namespace, row.name)),
            "here": self.focus is not None and (self.focus.plural, self.focus.name) == ("pods", row.name),
        }

    def pods_url(self, workload: Workload, state: State | None = None) -> str:
        """The list of a workload's pods, or of those of one state."""
        return list_url(self.runtime, "pods", pods_query(self.seen, workload, state))

    def pods_on(self, workloads: Sequence[Workload], node: str) -> str:
        """The list of what of these runs on a node; "" where no filter shows just that."""
        query = node_query(self.seen, workloads, node)
        return list_url(self.runtime, "pods", query) if query else ""

    def _scaled(self, ref: Ref) -> str:
        for one in self.seen.all("horizontalpodautoscalers", ref.namespace):
            if meant(one.spec.scale_target_ref, ref.namespace) == ref:
                return f"{one.spec.min_replicas or 1} to {one.spec.max_replicas} pods, by its autoscaler"
        return ""


def size(app: App, limits: Limits) -> int:
    """How many boxes an application takes."""
    nodes = len({name for one in app.workloads for name in one.nodes})
    columns = (app.ingresses, app.services, app.workloads, app.reads)
    return sum(min(len(column), limits.boxes) for column in columns) + min(nodes, limits.nodes)


def _more(left: int, shown: int, noun: str) -> str:
    if not left:
        return ""
    return f"and {left} more" if shown else plural(left, noun)


def _ports(service: Any) -> str:
    if service.spec.type == "ExternalName":
        return f"stands for {service.spec.external_name}"
    ports = [f"{port.port}" for port in service.spec.ports or ()]
    return f"port{'s' if len(ports) > 1 else ''} {listed(ports)}" if ports else ""


def _hosts(ingress: Any) -> str:
    return listed(dict.fromkeys(rule.host or "every host" for rule in ingress.spec.rules or ()))


def _claim(claim: Any) -> str:
    return str(claim.capacity or claim.requested)


_NOTES: dict[str, Callable[[Any], str]] = {
    "services": _ports,
    "ingresses": _hosts,
    "persistentvolumeclaims": _claim,
}


def readers(apps: Iterable[App]) -> Counter[Ref]:
    """How many workloads read each ConfigMap, Secret and claim."""
    return Counter(ref for app in apps for one in app.workloads for ref in one.reads)


def to_spare(apps: Sequence[App]) -> frozenset[Ref]:
    """What all who name it can do without; an Ingress cannot without its certificate."""
    needed = {ref for app in apps for one in app.workloads for ref in one.reads if ref not in one.spare}
    needed |= {end for app in apps for start, end in app.links if start.kind == "Ingress"}
    return frozenset(ref for app in apps for one in app.workloads for ref in one.spare) - needed
