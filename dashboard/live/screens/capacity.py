"""Capacity: what is used against what is requested, limited and there, by node, namespace and workload; and what is ahead
(``ahead``).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from dashboard import render
from dashboard.errors import Forbidden
from dashboard.insight.usage import RESOURCES, Gap, NodeTally, Sum, gaps
from dashboard.kinds import KINDS
from dashboard.kinds.quantity import QuantityError, parse
from dashboard.kinds.units import percent
from dashboard.live.rings import Point, summed
from dashboard.live.screen import Screen
from dashboard.live.session import Session
from dashboard.live.snapshot import Chart, Snapshot
from dashboard.live.usage import ALL_NODES, Reading
from dashboard.queries.bounds import chosen_of
from dashboard.queries.prometheus import Question
from dashboard.queries.usage import UsageRights, usage_rights

from .ahead import Ahead
from .ahead_answer import ahead_answer
from .common import fresh_part, list_url, none_part, not_known, not_told, object_url
from .usage import TITLES, WORDS, Meter, PastUsage, bars_chart, meters_part, state_part, sum_meters, why_empty

FIRST_SECONDS = 3.0
NODES, NAMESPACES, GAPS, BARS = 60, 60, 6, 8
# The heat map's columns: key, title, what they are a share of.
HEAT = (
    ("cpu-used", "CPU in use", "cpu", "used"),
    ("cpu-requested", "CPU requested", "cpu", "requested"),
    ("memory-used", "Memory in use", "memory", "used"),
    ("memory-requested", "Memory requested", "memory", "requested"),
    ("pods", "Pods", "pods", "count"),
    ("disk-requested", "Ephemeral storage requested", "ephemeral-storage", "requested"),
)
FULL = 0.9


class CapacityScreen(Screen):
    page = "pages/capacity.html"
    pace = 1.0

    def __init__(self, session: Session, params: QueryDict) -> None:
        super().__init__(session)
        self.chosen = frozenset(chosen_of(params, "namespace")) or None
        self.past = PastUsage(self.runtime, params.get("range", "1h"))
        self.rights = UsageRights()
        self.ahead = Ahead(self.session, params)
        self._unsubscribe: Callable[[], None] | None = None

    @property
    def shows(self) -> Hashable:
        return (self.chosen, self.past.range, self.ahead.fit, self.ahead.find)

    @property
    def plurals(self) -> frozenset[str]:
        return frozenset({"nodes", "pods", "resourcequotas"}) | self.ahead.plurals

    async def prepare(self) -> None:
        usage = self.runtime.usage
        usage.touch()
        await self.session.review(self.plurals)
        self.rights = await usage_rights(self.session, pods=self.visible["pods"], nodes=self.visible["nodes"])
        await usage.first(FIRST_SECONDS)
        self.past.question = self._question()
        await self.past.prepare()
        self.ahead.rights = self.rights
        self.ahead.sees_volumes = self.runtime.prometheus is not None or await self.session.may(
            "get", KINDS["nodes"].gvr, subresource="proxy"
        )
        if self.ahead.told is None:
            await self.ahead.tell()

    def open(self, changed: Callable[[], None]) -> None:
        self._unsubscribe = self.runtime.usage.subscribe(changed)
        self.ahead.changed = changed

    def close(self) -> None:
        self.ahead.changed = None
        self.ahead.stop()
        if self._unsubscribe is not None:
            self._unsubscribe()

    # ---- What may be seen

    @property
    def _whole(self) -> bool:
        """Whether the cluster as a whole is shown: nothing chosen, and everything may be seen."""
        return self.chosen is None and self.rights.sees_nodes and self._all_pods

    @property
    def _all_pods(self) -> bool:
        seen = self.visible["pods"]
        return seen.denied is None and seen.namespaces is None

    def _question(self) -> Question | None:
        if self._whole:
            return Question(self.past.range)
        known = frozenset(self.runtime.usage.tally.namespaces)
        within = self.rights.pods.within(self.chosen)
        names = known if within is None else within & known  # without the nodes, the sum over namespaces
        return Question(self.past.range, namespaces=names) if names else None

    def _namespaces(self) -> dict[str, Sum]:
        """What pods ask for is seen with the right to list them; what they use, with that to their metrics besides."""
        within = self.visible["pods"].within(self.chosen)
        return {
            name: each
            for name, each in self.runtime.usage.tally.namespaces.items()
            if within is None or name in within
        }

    def _measured(self, namespace: str) -> bool:
        return self.rights.sees_pods_in(namespace)

    def _nodes(self) -> dict[str, NodeTally]:
        return self.runtime.usage.tally.nodes if self.visible["nodes"].denied is None else {}

    # ---- Its parts

    def snapshot(self) -> Snapshot:
        namespaces = self._namespaces()
        heat = self._heat()
        parts = [
            Snapshot(
                regions={
                    "cap-head": render.region("cap_head", self._head()),
                    "usage-state": state_part(self.runtime, *self._state()),
                    "usage-now": self._now(),
                    "cap-nodes-head": render.region("cap_nodes_head", self._nodes_head()),
                    **self._none(),
                    **self.ahead.regions(),
                    "fresh": fresh_part(self.session, self.plurals),
                },
                lists={"cap-nodes": {row["id"]: render.partial("heat_row", row) for row in heat}},
                charts={"cap-heat": heat_chart(heat)},
            ),
            self.past.snapshot(self._points(), empty=why_empty(self._state()[0])),
            self._by_namespace(namespaces),
            self._gaps(),
        ]
        return Snapshot.joined(parts)

    def _state(self) -> tuple[Reading, Forbidden | None]:
        """Of nodes and pods, what fails first is told; nodes only to those who may list them."""
        usage = self.runtime.usage
        of_nodes = self.visible["nodes"].denied is None
        denied = self.rights.pods.denied or (self.rights.nodes.denied if of_nodes else None)
        return (usage.nodes if of_nodes and usage.nodes.state != "ok" else usage.pods), denied

    def _none(self) -> dict[str, render.Part]:
        """What stands under the lists when they are empty."""
        nodes, pods = (not_told(self.session, (each,)) for each in ("nodes", "pods"))
        measured = (
            self.runtime.usage.pods.state in ("ok", "late", "stale") and self.rights.pods.denied is None
        )
        gaps = pods or ("" if measured else "Not known: what pods use is not measured, or may not be shown.")
        said = {
            "cap-nodes-none": (nodes, "No nodes to show.", "empty"),
            "cap-namespaces-none": (pods, "No pods.", "empty"),
            "cap-idle-none": (gaps, "No workload does, by more than a little.", "ok"),
            "cap-beyond-none": (gaps, "No workload does, by more than a little.", "ok"),
        }
        return {
            key: none_part(key, unknown or none, known=not unknown, icon=icon)
            for key, (unknown, none, icon) in said.items()
        }

    def _total(self) -> tuple[Sum, dict[str, float], bool]:
        """All of it together; what the nodes can give; and whether that is the whole cluster."""
        nodes = self._nodes()
        of = {
            resource: sum(each.of.get(resource, 0.0) for each in nodes.values())
            for resource in (*RESOURCES, "pods")
        }
        if self._whole and nodes:
            total = Sum.of(each.asked for each in nodes.values())
            measured = [each.use for each in nodes.values() if each.use is not None]
            total.measured = len(measured)
            total.cpu.used = sum(each.cpu for each in measured)
            total.memory.used = sum(each.memory for each in measured)
            return total, of, True
        within = self._namespaces()
        total = Sum.of(self._shown(name, each) for name, each in within.items())
        return total, (of if self.chosen is None and self._all_pods else {}), False

    def _shown(self, namespace: str, each: Sum) -> Sum:
        """Without what is used, where that may not be seen."""
        return each if self._measured(namespace) else each.unmeasured()

    def _head(self) -> dict[str, Any]:
        total, of, _ = self._total()
        parts = []
        if missing := not_known(self.session, ("pods", "nodes")):
            return {"where": self._where, "parts": [missing]}
        for resource in RESOURCES:
            whole = of.get(resource)
            amounts = getattr(total, resource)
            if whole:
                used = f"{percent(total.used(resource), whole)} in use, " if total.measured else ""
                parts.append(
                    f"{TITLES[resource]}: {used}{percent(amounts.requested, whole)} requested "
                    f"of {WORDS[resource](whole)}"
                )
            else:
                used = f"{WORDS[resource](total.used(resource))} in use, " if total.measured else ""
                parts.append(f"{TITLES[resource]}: {used}{WORDS[resource](amounts.requested)} requested")
        return {"where": self._where, "parts": parts}

    @property
    def _where(self) -> str:
        if not self.chosen:
            return ""
        return (
            f"in {' and '.join(sorted(self.chosen))}" if len(self.chosen) < 3 else "in the chosen namespaces"
        )

    def _now(self) -> render.Part:
        total, of, whole = self._total()
        if (not total.pods and not of) or not_known(self.session, ("pods",)):
            return meters_part("usage-now", ())
        meters = sum_meters("", total, of=of)
        unmeasured = sum(each.use is None for each in self._nodes().values()) if whole else 0
        note = ""
        if unmeasured and total.measured:
            has = "has" if unmeasured == 1 else "have"
            note = f"{unmeasured} of {len(self._nodes())} nodes {has} not been measured."
        return meters_part("usage-now", meters, of="Allocatable" if of else "", note=note)

    def _points(self) -> Sequence[Point]:
        usage = self.runtime.usage
        if self._whole:
            return usage.of_nodes.points(ALL_NODES)
        seen = [name for name in self._namespaces() if self._measured(name)]
        return summed([usage.of_namespaces.points(name) for name in seen])

    # ---- Nodes × metrics

    def _nodes_head(self) -> dict[str, Any]:
        nodes = self._nodes()
        denied = self.visible["nodes"].denied
        return {
            "denied": denied.message if denied else "",
            "total": len(nodes),
            "shown": min(len(nodes), NODES),
            "url": list_url(self.runtime, "nodes", "?sort=-memory"),
            "hidden": ""
            if self._all_pods
            else "What is requested on a node needs the right to list pods everywhere.",
        }

    def _heat(self) -> list[dict[str, Any]]:
        """A row for each node, the fullest first: the table's, and the chart's too."""
        rows = [self._heat_row(name, each) for name, each in self._nodes().items()]
        rows.sort(key=lambda row: (-row["hottest"], row["name"]))
        return rows[:NODES]

    def _heat_row(self, name: str, node: NodeTally) -> dict[str, Any]:
        cells = [self._heat_cell(column, node) for column in HEAT]
        return {
            "id": f"heat-{name}",
            "name": name,
            "url": object_url(self.runtime, "nodes", "", name),
            "cells": cells,
            "hottest": max(cell["percent"] for cell in cells),
        }

    def _heat_cell(self, column: tuple[str, str, str, str], node: NodeTally) -> dict[str, Any]:
        key, title, resource, what = column
        amount = self._heat_amount(resource, what, node)
        of = node.of.get(resource)
        share = None if amount is None or not of else amount / of
        words = WORDS.get(resource, WORDS["memory"])
        return {
            "key": key,
            "title": title,
            "share": percent(amount, of),
            "amount": (str(round(amount)) if what == "count" else words(amount)) if amount else "",
            "percent": round(100 * share) if share is not None else -1,
            "full": share is not None and share >= FULL,
        }

    def _heat_amount(self, resource: str, what: str, node: NodeTally) -> float | None:
        if what == "used":
            return getattr(node.use, resource) if node.use and self.rights.sees_nodes else None
        if not self._all_pods:
            return None
        if what == "count":
            return float(node.asked.pods)
        if resource == "ephemeral-storage":
            return node.asked.ephemeral
        return float(getattr(node.asked, resource).requested)

    # ---- By namespace

    def _by_namespace(self, namespaces: Mapping[str, Sum]) -> Snapshot:
        shown = {name: self._shown(name, each) for name, each in namespaces.items()}
        order = sorted(
            shown, key=lambda name: (-shown[name].memory.requested, -shown[name].memory.used, name)
        )
        quotas = self._quotas()
        rows = {}
        for name in order[:NAMESPACES]:
            row = self._namespace_row(name, shown[name], quotas.get(name, ""))
            rows[row["id"]] = render.partial("capacity_row", row)
        top = order[:BARS]
        charts = {
            f"namespaces-{resource}": bars_chart(resource, top, [shown[name] for name in top])
            for resource in RESOURCES
        }
        context = {"total": len(order), "shown": len(rows), "bars": len(top)}
        return Snapshot(
            regions={"cap-namespaces-head": render.region("cap_namespaces_head", context)},
            lists={"cap-namespaces": rows},
            charts=charts,
        )

    def _namespace_row(self, name: str, each: Sum, quota: str) -> dict[str, Any]:
        return {
            "id": f"cap-ns-{name}",
            "name": name,
            "url": object_url(self.runtime, "namespaces", "", name),
            "pods": each.pods,
            "waiting": each.waiting,
            "meters": [meter.row() for meter in sum_meters(name, each)],
            "quota": quota,
        }

    def _quotas(self) -> dict[str, str]:
        """Of each namespace, the quota of which most is used."""
        fullest: dict[str, tuple[float, str]] = {}
        for quota in self.session.reader.all("resourcequotas"):
            namespace = quota.metadata.namespace
            for resource, hard in quota.status.hard.items():
                share = _share(quota.status.used.get(resource, "0"), hard)
                if share is not None and share > fullest.get(namespace, (-1.0, ""))[0]:
                    fullest[namespace] = share, f"{resource} {share:.0%}".replace("%", " %")
        return {namespace: words for namespace, (_, words) in fullest.items()}

    # ---- Workloads with gaps

    def _gaps(self) -> Snapshot:
        within = self.rights.pods.within(self.chosen)
        seen = {
            key: each
            for key, each in self.runtime.usage.tally.workloads.items()
            if within is None or key[1] in within
        }
        idle: list[Gap] = []
        beyond: list[Gap] = []
        for resource in RESOURCES:
            asks_more, uses_more = gaps(seen, resource)
            idle += asks_more[:GAPS]
            beyond += uses_more[:GAPS]
        return Snapshot(lists={"cap-idle": self._gap_rows(idle), "cap-beyond": self._gap_rows(beyond)})

    def _gap_rows(self, found: Sequence[Gap]) -> dict[str, render.Part]:
        rows: dict[str, render.Part] = {}
        for gap in found:
            plural, namespace, name = gap.workload
            meter = Meter(name, gap.resource, gap.used, gap.requested, None)
            key = f"gap-{plural}-{namespace}-{name}-{gap.resource}"
            row = {
                "id": key,
                "kind": KINDS[plural].kind,
                "namespace": namespace,
                "url": object_url(self.runtime, plural, namespace, name),
                "meter": meter.row(),
                "gap": WORDS[gap.resource](gap.amount),
                "pods": gap.pods,
            }
            rows[key] = render.partial("gap_row", row)
        return rows

    def context(self) -> Mapping[str, Any]:
        query = QueryDict(mutable=True)
        query.setlist("namespace", sorted(self.chosen or ()))
        url = reverse("capacity", args=[self.runtime.cluster.slug])
        url = f"{url}?{query.urlencode()}" if self.chosen else url
        return {
            "heat": [{"key": key, "title": title} for key, title, _, _ in HEAT],
            "ranges": self.past.ranges(url),
            "kubectl": "kubectl top nodes; kubectl top pods -A",
            "chosen": sorted(self.chosen or ()),
            "json_url": f"{url}{'&' if '?' in url else '?'}format=json",
            **self.ahead.choices(),
        }

    def told(self) -> dict[str, Any]:
        """The answer for scripts. Raises NotFound or Forbidden where nothing can be said of the workload asked about."""
        if (refused := self.ahead.refused) is not None:
            raise refused
        return ahead_answer(self.ahead)


def heat_chart(rows: Sequence[Mapping[str, Any]]) -> Chart:
    """The rows of the table as a heat map: a trace each column, shares in per cent, None where one is not known."""
    traces = []
    for at, (_, title, _, _) in enumerate(HEAT):
        cells = [row["cells"][at] for row in rows]
        traces.append(
            {
                "name": title,
                "y": [cell["percent"] if cell["percent"] >= 0 else None for cell in cells],
                "text": [cell["amount"] for cell in cells],
            }
        )
    data = {
        "kind": "heat",
        "names": [row["name"] for row in rows],
        "full": round(100 * FULL),
        "traces": traces,
    }
    return Chart(render.facts_hash(data), data)


def _share(used: str, hard: str) -> float | None:
    try:
        whole = parse(hard)
        return float(parse(used) / whole) if whole else None
    except QuantityError:
        return None
