"""The overview: is it up, what is wrong now, what is changing."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from dashboard import render
from dashboard.errors import ClusterError
from dashboard.insight import Problem, findings, problems
from dashboard.insight.usage import Sizes
from dashboard.kinds import KINDS
from dashboard.kinds.rows import listed as enumerated
from dashboard.kinds.units import cpu_words, memory_words, percent
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screen import Screen
from dashboard.live.snapshot import Snapshot
from dashboard.live.usage import ALL_NODES
from dashboard.queries.access import Visible
from dashboard.queries.events import latest_events
from dashboard.queries.overview import SQUARES, Asked, NodePods, nodes_and_pods
from dashboard.queries.reader import Namespaces
from dashboard.queries.seen import Seen
from dashboard.queries.usage import UsageRights, usage_rights

from .charts import replicas_chart, replicas_table, spark
from .common import fresh_part, list_url, object_url, rights_key, unreachable, visibility
from .events import event_rows
from .problems import problem_rows
from .usage import COLUMNS

PROBLEMS, EVENTS, CHANGES = 6, 10, 6
MOST_PROBLEMS = 200  # on a page (rule 2 of the design)
WORKLOADS = ("deployments", "statefulsets", "daemonsets")
TILES = 6
ALWAYS = frozenset({"tile-nodes", "tile-pods", "tile-deployments"})


class OverviewScreen(Screen):
    page = "pages/overview.html"
    pace = 1.0

    def __init__(self, runtime: ClusterRuntime, params: QueryDict) -> None:
        super().__init__(runtime)
        self.chosen = frozenset(params.getlist("namespace")) - {""} or None
        self.all_problems = params.get("problems") == "all"
        self.visible: dict[str, Visible] = {}
        self.sizes = Sizes()
        self.usage = UsageRights()
        self.trouble: ClusterError | None = None

    @property
    def key(self) -> Hashable:
        return ("overview", self.chosen, self.all_problems, rights_key(self.visible), self.usage.key)

    @property
    def plurals(self) -> frozenset[str]:
        return frozenset(KINDS)

    @property
    def waits_for(self) -> frozenset[str]:
        return self.plurals - {"events"}

    async def prepare(self) -> None:
        self.visible = await visibility(self.runtime, KINDS)
        self.runtime.usage.touch()
        self.usage = await usage_rights(self.runtime.transport, nodes=self.visible["nodes"])
        try:
            await self.runtime.probe()
            self.trouble = None
        except ClusterError as error:
            self.trouble = error

    def _namespaces(self, plural: str) -> Namespaces:
        return self.visible[plural].within(self.chosen)

    def snapshot(self) -> Snapshot:
        now = datetime.now(UTC)
        changing = self._changes()
        wrong = self._problems(now)
        nodes = nodes_and_pods(self.runtime.reader, self.visible, self.sizes, self._namespaces("pods"))
        steps = self.runtime.history.total(self._namespaces("deployments"))
        shown = wrong[: MOST_PROBLEMS if self.all_problems else PROBLEMS]
        events = latest_events(self.runtime.reader, self._namespaces("events"), EVENTS)
        return Snapshot(
            regions={
                "verdict": render.region("verdict", self._verdict(wrong, nodes)),
                "tiles": render.region("tiles", {"tiles": self._tiles(nodes)}),
                "problems-head": render.region(
                    "problems_head",
                    self._problems_head(len(wrong), len(shown)),
                ),
                "nodes": render.region("nodes", self._nodes(nodes)),
                "chart-table-replicas": replicas_table(steps),
                "fresh": fresh_part(self.runtime, self.plurals),
            },
            lists={
                "problems": problem_rows(self.runtime, shown),
                "changes": {row["id"]: render.partial("change", row) for row in changing[:CHANGES]},
                "events": event_rows(self.runtime, events),
            },
            charts={"replicas": replicas_chart(steps)},
        )

    def _problems_head(self, count: int, shown: int) -> dict[str, Any]:
        more = count - shown if self.all_problems else 0
        return {"count": count, "shown": shown, "more": more, "all_url": "" if more else self._all_url()}

    def _all_url(self) -> str:
        query = QueryDict(mutable=True)
        query.setlist("namespace", sorted(self.chosen or ()))
        query["problems"] = "all"
        return f"{reverse('overview', args=[self.runtime.cluster.slug])}?{query.urlencode()}"

    def _problems(self, now: datetime) -> Sequence[Problem]:
        """What is wrong in the chosen namespaces, as far as the user may see what it rests on."""
        found = findings(Seen(self.runtime.reader, self.visible), now)
        return problems([one for one in found if not one.namespace or self._sees(one.plural, one.namespace)])

    def _sees(self, plural: str, namespace: str) -> bool:
        namespaces = self._namespaces(plural) if plural in KINDS else self.chosen
        return namespaces is None or namespace in namespaces

    def _verdict(self, wrong: Sequence[Problem], nodes: Sequence[NodePods]) -> dict[str, Any]:
        """One sentence for the whole cluster, and beside it what it stands on."""
        down = self.trouble or unreachable(self.runtime, "pods")
        if down is not None:
            return {"state": "bad", "headline": "The cluster does not answer.", "text": down.message}
        bad = [problem for problem in wrong if problem.lead.severity == "bad"]
        broken = [each for each in nodes if each.row.state == "bad"]
        zones = {each.zone for each in nodes if each.zone}
        if nodes and len(broken) == len(nodes):
            headline, state = "No node is ready: nothing can run.", "bad"
        elif bad:
            things = "One thing needs" if len(bad) == 1 else f"{len(bad)} things need"
            headline, state = f"The cluster is up. {things} a person.", "bad"
        elif wrong:
            things = "One thing wants" if len(wrong) == 1 else f"{len(wrong)} things want"
            headline, state = f"The cluster is up. {things} a look.", "warn"
        else:
            headline, state = "The cluster is up, and nothing is wrong.", "ok"
            if self._partly:
                headline = "The cluster is up, and nothing is wrong in what you may see."
        if self.chosen is not None and not (nodes and len(broken) == len(nodes)):
            # Of a part of the cluster only that part can be judged.
            headline = headline.replace("The cluster is up. ", "").replace("The cluster is up, and n", "N")
            where_chosen = (
                " and ".join(sorted(self.chosen)) if len(self.chosen) < 3 else "the chosen namespaces"
            )
            headline = f"{headline.rstrip('.')} in {where_chosen}."
        where = f" in {len(zones)} zones" if len(zones) > 1 else ""
        parts = [f"The API server answers ({self.runtime.version})"] if self.runtime.version else []
        if nodes:
            parts.append(f"{len(nodes)} node{'s' if len(nodes) != 1 else ''}{where}")
        if self._partly:
            parts.append(self._partly)
        return {"state": state, "headline": headline, "text": " · ".join(parts)}

    @property
    def _partly(self) -> str:
        """What of the cluster may not be seen, in words; "" for somebody who may see all of it."""
        pods = self.visible["pods"].namespaces
        only = f"You see only what is in {enumerated(sorted(pods))}" if pods else ""
        hidden = [KINDS[plural].title for plural, seen in self.visible.items() if seen.denied is not None]
        if not hidden:
            return only
        return f"{only}, and no {enumerated(hidden)}" if only else f"You may not see {enumerated(hidden)}"

    def _tiles(self, nodes: Sequence[NodePods]) -> list[dict[str, Any]]:
        tiles = [
            self._tile(plural, "Nodes ready" if plural == "nodes" else f"{KINDS[plural].title} fine")
            for plural in ("nodes", "pods", *WORKLOADS)
            if self.visible[plural].denied is None
        ]
        asked = self._asked_tiles(nodes)
        # One row of tiles: what is wrong stays, a kind that is all fine makes way.
        room = TILES - len(asked)
        tiles.sort(key=lambda tile: tile["state"] == "ok" and tile["id"] not in ALWAYS)
        return tiles[:room] + asked

    def _tile(self, plural: str, title: str) -> dict[str, Any]:
        """How many of a kind are fine; the words are those of the list that it leads to."""
        namespaces = self._namespaces(plural) if KINDS[plural].gvr.namespaced else None
        states = self.runtime.reader.states(plural, namespaces)
        counts = (
            (states["bad"], "bad", f"need{'s' if states['bad'] == 1 else ''} a person", "?state=need"),
            (states["warn"], "warn", "worth a look", "?state=look"),
            (states["info"], "info", "changing", "?state=changing"),
            (states["done"], "ok", "finished", ""),
        )
        said = [(count, state, words, query) for count, state, words, query in counts if count]
        return {
            "id": f"tile-{plural}",
            "title": title,
            "value": str(states["ok"]),
            "of": f"of {states.total()}",
            "note": ", ".join(f"{count} {words}" for count, _, words, _ in said[:1]) or "all as wanted",
            "state": said[0][1] if said else "ok",
            "url": list_url(self.runtime, plural, said[0][3] if said else ""),
        }

    def _asked_tiles(self, nodes: Sequence[NodePods]) -> list[dict[str, Any]]:
        asked = [each.asked for each in nodes if each.asked is not None]
        cpu_of = sum(each.cpu_of for each in asked)
        memory_of = sum(each.memory_of for each in asked)
        if not cpu_of or not memory_of:
            return []
        cpu = sum(each.cpu for each in asked) / cpu_of
        memory = sum(each.memory for each in asked) / memory_of
        return [
            {
                "id": f"tile-{name}-requested",
                "title": f"{title} requested",
                "value": f"{share:.0%}".rstrip("%"),
                "of": "%",
                "note": note,
                "state": "warn" if share > 0.9 else "ok",
                "url": reverse("capacity", args=[self.runtime.cluster.slug]),
                "spark": spark,
            }
            for name, title, share, (note, spark) in (
                ("cpu", "CPU", cpu, self._in_use("cpu", f"of {cpu_words(cpu_of)}", cpu_of)),
                (
                    "memory",
                    "Memory",
                    memory,
                    self._in_use("memory", f"of {memory_words(memory_of)}", memory_of),
                ),
            )
        ]

    def _in_use(self, resource: str, note: str, of: float) -> tuple[str, str]:
        """The words beneath what is requested, and the line of what was used: only where that may be seen."""
        points = self.runtime.usage.of_nodes.points(ALL_NODES) if self.usage.sees_nodes else []
        column = COLUMNS[resource]["used"]
        used = [value for _, values in points if (value := values[column]) is not None]
        if not used:
            return note, ""
        return f"{note} · {percent(used[-1], of)} used", spark(used)

    def _changes(self) -> list[dict[str, Any]]:
        """Workloads on their way from one state to another, and pods that start or end without one."""
        changes: list[dict[str, Any]] = []
        for plural in WORKLOADS:
            if plural not in KINDS or self.visible[plural].denied is not None:
                continue
            for row in self.runtime.reader.rows(plural, self._namespaces(plural)):
                if row.state != "info":
                    continue
                changes.append(
                    {
                        "id": f"change-{row.uid}",
                        "icon": "busy",
                        "title_parts": [(KINDS[plural].kind + " ", "plain"), (row.name, "bold")],
                        "text": row.reason or "rolls out",
                        "url": object_url(self.runtime, plural, row.namespace, row.name),
                        "since": "",
                        "progress": None,
                    }
                )
        pods = [
            row for row in self.runtime.reader.rows("pods", self._namespaces("pods")) if row.state == "info"
        ]
        index = next(c.order for c in KINDS["pods"].columns if c.key == "status")
        pods.sort(key=lambda row: (row.cells[index].text, row.namespace, row.name))
        for word, group in groupby(pods, key=lambda row: row.cells[index].text):
            rows = list(group)
            one = len(rows) == 1
            changes.append(
                {
                    "id": f"change-pods-{word}",
                    "icon": "end" if word == "Terminating" else "wait",
                    "title_parts": [(rows[0].name, "bold"), (f" is {word}", "plain")]
                    if one
                    else [(f"{len(rows)} pods", "bold"), (f" are {word}", "plain")],
                    "text": rows[0].reason
                    or (rows[0].namespace if one else ", ".join(sorted({row.namespace for row in rows})[:3])),
                    "url": object_url(self.runtime, "pods", rows[0].namespace, rows[0].name)
                    if one
                    else list_url(self.runtime, "pods", "?state=changing"),
                    "since": "",
                    "progress": None,
                }
            )
        return changes

    def _nodes(self, nodes: Sequence[NodePods]) -> dict[str, Any]:
        seen = self.visible["nodes"]
        return {
            "denied": "You may not list nodes." if seen.denied else "",
            "zones": [
                {"name": zone, "nodes": [self._node(each) for each in group]}
                for zone, group in groupby(nodes, key=lambda each: each.zone)
            ],
        }

    def _node(self, each: NodePods) -> dict[str, Any]:
        drawn = len(each.pods) <= SQUARES
        status = KINDS["nodes"].columns
        word = next(each.row.cells[column.order].text for column in status if column.key == "status")
        return {
            "name": each.row.name,
            "url": object_url(self.runtime, "nodes", "", each.row.name),
            "state": each.row.state,
            "word": word,
            "reason": each.row.reason,
            "pods_count": len(each.pods),
            "squares": [
                {
                    "state": row.state,
                    "title": f"{row.namespace}/{row.name}{': ' + row.reason if row.reason else ''}",
                    "url": object_url(self.runtime, "pods", row.namespace, row.name),
                }
                for row in (each.pods if drawn else ())
            ],
            "states": dict(each.states) if not drawn else {},
            "bars": [] if each.asked is None else _bars(each.asked),
        }

    def context(self) -> Mapping[str, Any]:
        return {"events_url": list_url(self.runtime, "events"), "pods_url": list_url(self.runtime, "pods")}


def _bars(asked: Asked) -> list[dict[str, Any]]:
    cpu = f"{asked.cpu:.3g} of {asked.cpu_of:g} cores requested"
    memory = f"{asked.memory / 2**30:.3g} of {asked.memory_of / 2**30:.3g} GiB requested"
    return [
        _bar("CPU", asked.cpu, asked.cpu_of, cpu),
        _bar("Memory", asked.memory, asked.memory_of, memory),
    ]


def _bar(label: str, used: float, of: float, words: str) -> dict[str, Any]:
    percent = round(100 * used / of) if of else 0
    return {"label": label, "percent": percent, "words": words, "state": "warn" if percent > 90 else "ok"}
