"""The overview: is it up, what is wrong now, what is changing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from dashboard import render, showing
from dashboard.errors import ClusterError
from dashboard.insight import Objects, Problem, findings, problems, read_for
from dashboard.insight.declared import declared_reads
from dashboard.insight.finding import LogWish
from dashboard.insight.usage import Sizes
from dashboard.kinds import KINDS
from dashboard.kinds.catalogue import BESIDES, RESOURCE_CLAIMS
from dashboard.kinds.pods import PODS
from dashboard.kinds.rows import listed as enumerated
from dashboard.kinds.rows import plural
from dashboard.kinds.units import cpu_words, memory_words, percent
from dashboard.live.screen import Screen
from dashboard.live.session import Session
from dashboard.live.snapshot import Snapshot
from dashboard.live.usage import ALL_NODES
from dashboard.live.veleros import KEY as VELERO_KEY
from dashboard.loop import off_loop
from dashboard.queries.bounds import chosen_of
from dashboard.queries.frozen import Frozen
from dashboard.queries.overview import SQUARES, Asked, NodePods, nodes_and_pods
from dashboard.queries.reader import Namespaces
from dashboard.queries.usage import UsageRights, usage_rights
from dashboard.recovery.readiness import backup_badge
from dashboard.recovery.shelf import shelves

from .charts import replicas_chart, replicas_table, spark
from .common import (
    fresh_part,
    freshness,
    list_url,
    listed,
    none_part,
    not_known,
    object_url,
    unlisted,
    unreachable,
)
from .detail.lastlines import last_lines
from .detail.piece import Rereading
from .events import event_rows
from .problems import Logs, problem_rows
from .recent import RecentChanges
from .usage import COLUMNS

PROBLEMS, EVENTS, CHANGES = 6, 10, 6
MAX_PROBLEMS = 200  # on a page (rule 2 of the design)
WORKLOADS = ("deployments", "statefulsets", "daemonsets")
JUDGED = read_for("clusterrolebindings") & KINDS.keys()  # every kind that the rules read
TILES = 6
PATIENCE_SECONDS = 0.5  # for logs of which a line is told
ALWAYS = frozenset({"tile-nodes", "tile-pods", "tile-deployments"})


def problems_seen(objects: Objects, sees: Callable[[str, str], bool]) -> Sequence[Problem]:
    """What is wrong, of what somebody sees: by a kind and a namespace."""
    found = findings(objects, showing.now())
    return problems([one for one in found if not one.namespace or sees(one.plural, one.namespace)])


class OverviewScreen(Screen):
    page = "pages/overview.html"
    pace = 1.0

    def __init__(self, session: Session, params: QueryDict) -> None:
        super().__init__(session)
        self.chosen = frozenset(chosen_of(params, "namespace")) or None
        self.all_problems = params.get("problems") == "all"
        self.sizes = Sizes()
        self.usage = UsageRights()
        self.trouble: ClusterError | None = None
        self.changed: Callable[[], None] | None = None
        self.recent = RecentChanges(self.session, self.chosen or ())
        self._logs: Logs = {}
        self._asked: Hashable = None
        self._no_logs: frozenset[str] = frozenset()  # namespaces whose logs may not be read
        self._wanted: tuple[LogWish, ...] = ()
        self._rereading = Rereading(self, self._read_logs, lambda: (self._logs, self._no_logs))
        self._wrong: Sequence[Problem] = ()
        self._judged_at = 0.0
        self._judging = Rereading(self, self._judge, lambda: self._wrong)

    @property
    def shows(self) -> Hashable:
        return (self.chosen, self.all_problems)

    @property
    def plurals(self) -> frozenset[str]:
        offered = (declared_reads() | {RESOURCE_CLAIMS}) & self.runtime.kinds.keys()
        return frozenset({*KINDS, *BESIDES}) | offered

    @property
    def waits_for(self) -> frozenset[str]:
        return frozenset(KINDS) - {"events"}

    async def prepare(self) -> None:
        await self.session.review(self.plurals)
        self.runtime.usage.touch()
        self.usage = await usage_rights(self.session, nodes=self.visible["nodes"])
        try:
            await self.runtime.probe()
            self.trouble = None
        except ClusterError as error:
            self.trouble = error
        await self._judge()
        await self.recent.read()
        self._wanted = _wishes(self._wrong)
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):  # who looks longer gets them later
                await self._read_logs()

    async def _read_logs(self) -> None:
        """The last lines of the crashes that are told, as on the pages of their objects: for who may read those logs."""
        asked = tuple((wish, wish.ended) for wish in self._wanted)
        refused = {
            namespace
            for namespace in {wish.namespace for wish in self._wanted}
            if not await self.session.may("get", PODS.gvr, namespace=namespace, subresource="log")
        }
        wishes = [wish for wish in self._wanted if wish.namespace not in refused]
        if asked != self._asked or refused != self._no_logs:
            self._no_logs = frozenset(refused)
            self._logs = await last_lines(self.session, wishes, self._logs, most=PROBLEMS)
            self._asked = asked

    def open(self, changed: Callable[[], None]) -> None:
        self.changed = changed
        self.recent.open(changed)
        if self._wanted and self._asked is None:
            self._rereading.soon()

    def close(self) -> None:
        self.changed = None
        self.recent.close()
        self._rereading.stop()
        self._judging.stop()

    def _namespaces(self, plural: str) -> Namespaces:
        return self.visible[plural].within(self.chosen)

    def snapshot(self) -> Snapshot:
        changing = self._changes()
        wrong = self._wrong
        if self._changed_at() != self._judged_at:
            self._judging.soon()
        if (wanted := _wishes(wrong)) != self._wanted or _ends(wanted) != _ends(self._wanted):
            self._wanted = wanted
            self._rereading.soon()
        nodes = nodes_and_pods(self.session.reader, self.sizes, self.chosen)
        steps = self.runtime.history.total(self._namespaces("deployments"))
        shown = wrong[: MAX_PROBLEMS if self.all_problems else PROBLEMS]
        events = self.session.reader.latest_events(self.chosen, EVENTS)
        return Snapshot(
            regions={
                "verdict": render.region("verdict", self._verdict(wrong, nodes) | {"backup": self._backup()}),
                "tiles": render.region("tiles", {"tiles": self._tiles(nodes)}),
                "problems-head": render.region(
                    "problems_head",
                    self._problems_head(len(wrong), len(shown)),
                ),
                "problems-none": self._none("problems", JUDGED, "No issues need attention.", "done"),
                "changes-none": self._none("changes", (*WORKLOADS, "pods"), "Nothing is changing.", "ok"),
                "recent-none": self.recent.none(),
                "events-none": self._none(
                    "events", ("events",), "No events: Kubernetes keeps them for about an hour."
                ),
                "nodes": render.region("nodes", self._nodes(nodes)),
                "chart-table-replicas": replicas_table(steps),
                "fresh": fresh_part(self.session, frozenset(KINDS)),
            },
            lists={
                "problems": problem_rows(self.runtime, shown, self._logs),
                "changes": {row["id"]: render.partial("change", row) for row in changing[:CHANGES]},
                "recent": self.recent.rows(),
                "events": event_rows(self.runtime, events),
            },
            charts={"replicas": replicas_chart(steps)},
        )

    def _none(self, name: str, plurals: Iterable[str], none: str, icon: str = "empty") -> render.Part:
        """Under an empty list: there are none of them only where what they come from is known."""
        missing = not_known(self.session, plurals)
        denied = [KINDS[plural].title for plural in plurals if self.visible[plural].denied is not None]
        if not missing and denied:
            none = f"{none.rstrip('.')} in what you may see; you may not list {enumerated(sorted(denied))}."
        return none_part(f"{name}-none", missing or none, known=not missing, icon=icon)

    def _problems_head(self, count: int, shown: int) -> dict[str, Any]:
        more = count - shown if self.all_problems else 0
        return {"count": count, "shown": shown, "more": more, "all_url": "" if more else self._all_url()}

    def _all_url(self) -> str:
        query = QueryDict(mutable=True)
        query.setlist("namespace", sorted(self.chosen or ()))
        query["problems"] = "all"
        return f"{reverse('overview', args=[self.runtime.cluster.slug])}?{query.urlencode()}"

    async def _judge(self) -> None:
        """What is wrong, by the rules, in a thread: thousands of failing pods take their time."""
        self._judged_at = self._changed_at()
        objects = Frozen(self.session.reader, self.visible)
        self._wrong = await off_loop(self._problems, objects)

    def _changed_at(self) -> float:
        return self.session.reader.changed_at(self.plurals)

    def _problems(self, objects: Objects) -> Sequence[Problem]:
        """What is wrong in the chosen namespaces, as far as the user may see what it rests on."""
        return problems_seen(objects, self._sees)

    def _sees(self, plural: str, namespace: str) -> bool:
        namespaces = self._namespaces(plural) if plural in self.visible else self.chosen
        return namespaces is None or namespace in namespaces

    def _backup(self) -> dict[str, str] | None:
        """How old the last backup is, as far as the storage was read by now; None where there is no storage. Which there
        were at a moment of the past is not known: old ones are deleted.
        """
        slug = self.runtime.cluster.slug
        shelf = shelves.soon()
        if shelf.read_at is None or self.runtime.shown_at is not None:
            return None
        velero, good = VELERO_KEY in self.runtime.kinds, shelf.good(slug, self.runtime.recognised)
        state, words = backup_badge(good, shelf.headers, datetime.now(UTC), velero=velero)
        return {"state": state, "words": words, "url": reverse("recovery", args=[slug])}

    def _verdict(self, wrong: Sequence[Problem], nodes: Sequence[NodePods]) -> dict[str, Any]:
        """One sentence for the whole cluster, and beside it what it stands on."""
        down = self.trouble or unreachable(self.session, "pods")
        if down is not None:
            before = " What is below is as it was last read." if listed(self.session, "pods") else ""
            text = down.message + before
            return {"state": "bad", "headline": "The cluster does not answer.", "text": text}
        bad = sum(problem.lead.severity == "bad" for problem in wrong)
        broken = [each for each in nodes if each.row.state == "bad"]
        zones = {each.zone for each in nodes if each.zone}
        missing = not_known(self.session, JUDGED)
        issues = "1 issue needs attention" if len(wrong) == 1 else f"{len(wrong)} issues need attention"
        if nodes and len(broken) == len(nodes):
            headline, state = "No node is ready: nothing can run.", "bad"
        elif wrong:
            up = "" if self.chosen else "The cluster is up. "
            headline, state = f"{up}{issues}{self._where}.", "bad" if bad else "warn"
        elif len(unlisted(self.session, JUDGED)) == len(JUDGED):
            return {"state": "unknown", "headline": "Reading the cluster…", "text": missing}
        elif missing:
            headline, state = f"No issues in what could be read{self._where}.", "unknown"
        elif self._partly:
            headline, state = f"No issues in what you may see{self._where}.", "ok"
        else:
            headline, state = f"Healthy{self._where}." if self.chosen else "The cluster is healthy.", "ok"
        where = f" in {len(zones)} zones" if len(zones) > 1 else ""
        parts = [f"{bad} critical"] if bad else []
        if warnings := len(wrong) - bad:
            parts.append(plural(warnings, "warning"))
        if missing:
            parts.append(missing)
        if self.runtime.version:
            parts.append("The API server answers")
        if nodes:
            parts.append(f"{len(nodes)} node{'s' if len(nodes) != 1 else ''}{where}")
        if self._partly:
            parts.append(self._partly)
        return {"state": state, "headline": headline, "text": " · ".join(parts)}

    @property
    def _where(self) -> str:
        """Of a part of the cluster only that part can be judged."""
        if self.chosen is None:
            return ""
        names = " and ".join(sorted(self.chosen)) if len(self.chosen) < 3 else "the chosen namespaces"
        return f" in {names}"

    @property
    def _partly(self) -> str:
        """What of the cluster may not be seen, in words; "" for somebody who may see all of it."""
        pods = self.visible["pods"].namespaces
        only = f"You see only what is in {enumerated(sorted(pods))}" if pods else ""
        hidden = [kind.title for kind in KINDS.values() if self.visible[kind.plural].denied is not None]
        if not hidden:
            return only
        return f"{only}, and no {enumerated(hidden)}" if only else f"You may not see {enumerated(hidden)}"

    def tiles(self) -> list[dict[str, Any]]:
        """The numbers on top."""
        return self._tiles(nodes_and_pods(self.session.reader, self.sizes, self.chosen))

    async def judge(self) -> Sequence[Problem]:
        """What is wrong, without the page."""
        await self.session.review(self.plurals)
        await self._judge()
        return self._wrong

    def _tiles(self, nodes: Sequence[NodePods]) -> list[dict[str, Any]]:
        tiles = [
            self._tile(each, "Nodes ready" if each == "nodes" else f"{KINDS[each].title} healthy")
            for each in ("nodes", "pods", *WORKLOADS)
            if self.visible[each].denied is None
        ]
        asked = self._asked_tiles(nodes)
        # One row of tiles: what is wrong stays, a kind that is all fine makes way.
        room = TILES - len(asked)
        tiles.sort(key=lambda tile: tile["state"] == "ok" and tile["id"] not in ALWAYS)
        return tiles[:room] + asked

    def _told(self, note: str, state: str, *plurals: str) -> dict[str, str]:
        """What stands under a number, which does not become better by being old."""
        if freshness(self.session, plurals)["state"] in ("live", "behind", "past"):
            return {"note": note, "state": state}
        return {"note": f"{note}, when last read", "state": "unknown" if state in ("ok", "info") else state}

    def _tile(self, kind: str, title: str) -> dict[str, Any]:
        """How many of a kind are healthy; the words are those of the list that it leads to."""
        tile = {"id": f"tile-{kind}", "title": title, "url": list_url(self.runtime, kind)}
        if not listed(self.session, kind):
            return {**tile, "value": "–", "of": "", "note": "not known", "state": "unknown"}
        namespaces = self.chosen if KINDS[kind].gvr.namespaced else None
        states = self.session.reader.states(kind, namespaces)
        counts = (
            (states["bad"], "bad", f"{states['bad']} critical", "?state=need"),
            (states["warn"], "warn", plural(states["warn"], "warning"), "?state=look"),
            (states["info"], "info", f"{states['info']} changing", "?state=changing"),
            (states["done"], "ok", f"{states['done']} finished", ""),
        )
        _, state, note, query = next((each for each in counts if each[0]), (0, "ok", "Healthy", ""))
        return {
            **tile,
            "value": str(states["ok"]),
            "of": f"of {states.total()}",
            **self._told(note if states else "none here", state, kind),
            "url": list_url(self.runtime, kind, query),
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
                **self._told(note, "warn" if share > 0.9 else "ok", "nodes", "pods"),
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
        for each in WORKLOADS:
            if self.visible[each].denied is not None:
                continue
            for row in self.session.reader.rows(each, self.chosen):
                if row.state != "info":
                    continue
                changes.append(
                    {
                        "id": f"change-{row.uid}",
                        "icon": "busy",
                        "title_parts": [(KINDS[each].kind + " ", "plain"), (row.name, "bold")],
                        "text": row.reason or "rolls out",
                        "url": object_url(self.runtime, each, row.namespace, row.name),
                        "since": "",
                        "progress": None,
                    }
                )
        pods = [row for row in self.session.reader.rows("pods", self.chosen) if row.state == "info"]
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
            "unknown": not_known(self.session, ("nodes",)),
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
        timeline = reverse("timeline", args=[self.runtime.cluster.slug])
        return {
            "timeline_url": timeline,
            "events_url": list_url(self.runtime, "events"),
            "pods_url": list_url(self.runtime, "pods"),
        }


def _wishes(wrong: Sequence[Problem]) -> tuple[LogWish, ...]:
    """The logs of the worst problems."""
    return tuple(dict.fromkeys(each.lead.log for each in wrong[:PROBLEMS] if each.lead.log is not None))


def _ends(wishes: Sequence[LogWish]) -> list[datetime | None]:
    return [wish.ended for wish in wishes]


def _bars(asked: Asked) -> list[dict[str, Any]]:
    cpu = f"{cpu_words(asked.cpu)} of {cpu_words(asked.cpu_of)} requested"
    memory = f"{memory_words(asked.memory)} of {memory_words(asked.memory_of)} requested"
    return [
        _bar("CPU", asked.cpu, asked.cpu_of, cpu),
        _bar("Memory", asked.memory, asked.memory_of, memory),
    ]


def _bar(label: str, used: float, of: float, words: str) -> dict[str, Any]:
    percent = round(100 * used / of) if of else 0
    return {"label": label, "percent": percent, "words": words, "state": "warn" if percent > 90 else "ok"}
