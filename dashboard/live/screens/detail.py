"""The page of one object: what it is and how it is, what it belongs to, what is wrong, its events, YAML and logs."""

from __future__ import annotations

import asyncio
import shlex
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Any

from django.http import QueryDict

from dashboard import render
from dashboard.errors import BadInput, ClusterError, Forbidden, NotFound
from dashboard.insight import findings_for
from dashboard.kinds import KINDS
from dashboard.kinds.base import Row
from dashboard.kube.access import allowed
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screen import Screen
from dashboard.live.snapshot import Snapshot
from dashboard.queries.access import Visible
from dashboard.queries.lists import RANK, cell, shown_columns
from dashboard.queries.objects import LogRequest, log_lines, object_yaml
from dashboard.queries.overview import latest_events
from dashboard.queries.relations import children, owners, pods_of

from .charts import replicas_chart, replicas_table
from .common import fresh_part, iso, list_url, object_url, ref_url, rights_key, row_part, visibility
from .events import event_rows
from .problems import problem_rows
from .secret import SecretCard

EVENTS, PODS = 50, 100
LOG_LINES = 500
WORDS = frozenset({"status", "type"})  # status columns that hold a word, not a number or an address
TABS = {"overview": "Overview", "events": "Events", "logs": "Logs", "yaml": "YAML"}
WITH_PODS = frozenset(
    {"deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "services", "nodes"}
)


class DetailScreen(Screen):
    page = "pages/detail.html"

    def __init__(
        self,
        runtime: ClusterRuntime,
        params: QueryDict,
        plural: str,
        namespace: str,
        name: str,
        tab: str = "overview",
    ) -> None:
        super().__init__(runtime)
        if plural not in KINDS:
            raise NotFound(f"There is no kind {plural}.", next_step="Choose one of the kinds at the side.")
        self.kind = KINDS[plural]
        self.namespace = "" if namespace == "-" else namespace
        self.name = name
        if bool(self.namespace) != self.kind.gvr.namespaced:
            raise NotFound(f"There is no {self.kind.singular} at this address.")
        if tab not in self.tabs:
            raise NotFound(f"A {self.kind.singular} has no page {tab}.")
        self.tab = tab
        self.params = params
        self.visible: dict[str, Visible] = {}
        self.uid = ""
        self.last: Any = None
        self.gone_at = ""
        self.yaml: tuple[str, str] = ("", "")  # of which resource version, its text
        self.log = LogTail(self) if tab == "logs" else None
        self.secret = SecretCard(self) if plural == "secrets" and tab == "overview" else None

    @property
    def tabs(self) -> dict[str, str]:
        return {tab: title for tab, title in TABS.items() if tab != "logs" or self.kind.plural == "pods"}

    @property
    def key(self) -> Hashable:
        return (
            "detail",
            self.kind.plural,
            self.namespace,
            self.name,
            self.tab,
            self.params.urlencode() if self.tab == "logs" else "",
            self.secret.readable if self.secret else True,
            rights_key(self.visible),
        )

    @property
    def plurals(self) -> frozenset[str]:
        related = {
            "pods",
            "deployments",
            "replicasets",
            "events",
            "services",
            "endpointslices",
            "ingresses",
            "nodes",
        }
        return frozenset({self.kind.plural, *(plural for plural in related if plural in KINDS)})

    @property
    def waits_for(self) -> frozenset[str]:
        return self.plurals - {"events"}  # Events may be many, and tell nothing that the object does not

    async def prepare(self) -> None:
        self.visible = await visibility(self.runtime, self.plurals)
        seen = self.visible[self.kind.plural]
        if seen.denied is not None:
            raise seen.denied
        await self.runtime.ready({self.kind.plural})
        found = self._object()
        if found is not None:
            self.last = found
        if self.last is None:
            raise NotFound(
                f"There is no {self.kind.singular} {self.name}"
                + (f" in namespace {self.namespace}." if self.namespace else "."),
                next_step="It may have been deleted, or be reborn under another name: look at the list.",
            )
        if self.tab in ("yaml", "logs"):
            # These are read past the cache; an open log goes on at the API server when the right to it is taken away.
            await self._require("get", "log" if self.tab == "logs" else None)
        if self.tab == "yaml":
            await self._read_yaml()
        if self.log is not None:
            await self.log.read()
        if self.secret is not None:
            await self.secret.read()

    async def _require(self, verb: str, subresource: str | None) -> None:
        decision = await allowed(
            self.runtime.transport,
            verb,
            self.kind.gvr,
            namespace=self.namespace or None,
            name=self.name,
            subresource=subresource,
        )
        if not decision.allowed:
            resource = f"{self.kind.plural}/{subresource}" if subresource else self.kind.plural
            raise Forbidden(
                f"You may not {verb} {resource}.", verb=verb, resource=resource, namespace=self.namespace
            )

    def _object(self) -> Any | None:
        seen = self.visible[self.kind.plural].namespaces
        if seen is not None and self.namespace and self.namespace not in seen:
            return None
        return self.runtime.reader.get(self.kind.plural, self.namespace, self.name)

    def snapshot(self) -> Snapshot:
        now = self._object()
        if now is not None:
            self.last, self.uid, self.gone_at = now, now.metadata.uid, ""
        elif not self.gone_at:
            self.gone_at = iso(datetime.now(UTC).replace(microsecond=0))
        obj = now if now is not None else self.last
        row = self.runtime.reader.judged_row(self.kind.plural, obj)
        detail = self.kind.detail(obj)
        regions = {
            "detail-head": render.region("detail_head", self._head(row, detail, gone=now is None)),
            "belongs": render.region("belongs", self._belongs(obj)),
            "fresh": fresh_part(self.runtime, self.plurals),
        }
        lists: dict[str, Mapping[str, render.Part]] = {}
        charts = {}
        match self.tab:
            case "overview":
                regions |= self._overview_regions(detail)
                lists["problems"] = problem_rows(
                    self.runtime,
                    findings_for(
                        self.runtime.reader, self.kind.plural, self.namespace, self.name, datetime.now(UTC)
                    ),
                )
                lists["events"] = event_rows(self.runtime, self._events(8))
                if self._has_pods:
                    lists["pods"] = self._pods(obj)
                if self.secret is not None:
                    regions |= self.secret.regions(obj.metadata.resource_version)
                if self.kind.plural == "deployments":
                    steps = self.runtime.history.of(self.namespace, self.name)
                    charts["replicas"] = replicas_chart(steps)
                    regions["chart-table-replicas"] = replicas_table(steps)
            case "events":
                lists["events"] = event_rows(self.runtime, self._events(EVENTS))
            case "yaml":
                if obj.metadata.resource_version != self.yaml[0]:
                    self._yaml_later()
                regions["yaml"] = self._yaml_region()
            case "logs":
                assert self.log is not None  # noqa: S101 # made with this tab
                regions["log-state"] = render.region("log_state", self.log.state())
                lists["log"] = self.log.rows()
        return Snapshot(regions=regions, lists=lists, charts=charts)

    @property
    def _has_pods(self) -> bool:
        return self.kind.plural in WITH_PODS and self.visible["pods"].denied is None

    def _yaml_region(self) -> render.Part:
        text = self.yaml[1]
        hidden = (
            "The values are left out, and annotations too: they may repeat values."
            if self.kind.plural == "secrets"
            else ""
        )
        return render.region(
            "yaml", {"lines": render.LazyLines(text), "hidden": hidden}, facts=(self.yaml[0], text)
        )

    def _head(self, row: Row, detail: Any, *, gone: bool) -> dict[str, Any]:
        column = next((c for c in self.kind.columns if c.key == self.kind.status_column), None)
        return {
            "kind": self.kind.kind,
            "title": self.name,
            "word": cell(row, column).text
            if column is not None and column.key in WORDS
            else STATE_WORDS.get(row.state, ""),
            "state": row.state,
            "sentence": detail.sentence,
            "gone": {
                "at": self.gone_at,
                "text": "What you see is how it was last."
                + (" A workload makes a new pod under another name." if self.kind.plural == "pods" else ""),
                "url": list_url(self.runtime, self.kind.plural, self._namespace_query),
                "link": f"Look at the {self.kind.title}",
            }
            if gone
            else None,
        }

    def _belongs(self, obj: Any) -> dict[str, Any]:
        """Owners, this, and what it made, as steps from left to right; nothing when it stands alone."""
        reader = self.runtime.reader
        above: list[dict[str, Any]] = [
            {"kind": ref.kind, "name": ref.name, "url": ref_url(self.runtime, ref), "note": "", "state": "ok"}
            for ref in owners(reader, obj)
        ]
        below = [
            {
                "kind": ref.kind,
                "name": ref.name,
                "url": ref_url(self.runtime, ref),
                "note": row.reason,
                "state": row.state,
            }
            for ref, row in children(reader, self.kind.plural, obj)
        ]
        if not above and not below:
            return {"chain": []}
        here: dict[str, Any] = {"kind": self.kind.kind, "name": self.name, "here": True}
        steps = [
            {"caption": "Belongs to" if at == 0 else "which made", "items": [item]}
            for at, item in enumerate(above)
        ]
        steps.append({"caption": "which made" if above else "This", "items": [here]})
        if below:
            steps.append({"caption": "which made", "items": below})
        return {"chain": steps}

    def _overview_regions(self, detail: Any) -> dict[str, render.Part]:
        facts = [
            {
                "label": fact.label,
                "value": fact.value,
                "note": fact.note,
                "url": ref_url(self.runtime, fact.link),
                "since": iso(fact.since),
                "paren": fact.label == "Restarts",
            }
            for fact in detail.facts
        ]
        regions = {
            "facts": render.region("facts", {"facts": facts}),
            "conditions": render.region(
                "conditions",
                {
                    "conditions": [
                        {
                            "type": each.type,
                            "status": each.status,
                            "reason": each.reason,
                            "message": each.message,
                            "since": iso(each.last_transition),
                            "state": each.state,
                        }
                        for each in detail.conditions
                    ]
                },
            ),
        }
        if detail.containers:
            regions["containers"] = render.region("containers", {"containers": self._containers(detail)})
        regions["keys"] = render.region(
            "keys",
            {
                "keys": [{"name": key.name, "size": _bytes(key.size_bytes)} for key in detail.keys],
                "note": "names and sizes only" if detail.keys else "",
            },
        )
        return regions

    def _containers(self, detail: Any) -> list[dict[str, Any]]:
        logs = object_url(self.runtime, "pods", self.namespace, self.name, "logs")
        has_logs = self.kind.plural == "pods"
        return [
            {
                "name": each.name,
                "image": each.image,
                "kind": each.kind,
                "state": each.state,
                "word": each.word,
                "reason": each.reason,
                "ready": each.ready,
                "restarts": each.restarts,
                "ports": ", ".join(each.ports),
                "since": iso(each.since),
                "logs_url": f"{logs}?container={each.name}" if has_logs else "",
                "previous_url": f"{logs}?container={each.name}&previous=1"
                if has_logs and each.previous
                else "",
            }
            for each in detail.containers
        ]

    def _pods(self, obj: Any) -> Mapping[str, render.Part]:
        reader = self.runtime.reader
        seen = self.visible["pods"].namespaces
        rows = [
            reader.row("pods", pod)
            for pod in pods_of(reader, self.kind.plural, obj)
            if seen is None or pod.metadata.namespace in seen
        ]
        rows.sort(key=lambda row: (RANK[row.state], row.namespace, row.name))
        columns = self._pod_columns
        return {f"row-{row.uid}": row_part(self.runtime, "pods", row, columns) for row in rows[:PODS]}

    @property
    def _pod_columns(self) -> tuple[Any, ...]:
        wanted = ["name", "ready", "status", "restarts", "age", "ip", "node"]
        if self.kind.plural == "nodes":
            wanted = ["name", "ready", "status", "restarts", "age"]  # they are all on this one
        columns = shown_columns(KINDS["pods"], namespace=self.kind.plural == "nodes")
        return tuple(column for column in columns if column.key in (*wanted, "namespace"))

    def _events(self, count: int) -> Any:
        seen = self.visible["events"]
        if seen.denied is not None:
            return []
        namespaces = frozenset({self.namespace}) if self.namespace else seen.namespaces
        uid = self.uid
        if self.kind.plural == "nodes":
            uid = self.name  # the kubelet reports its node's Events with the node's name as uid
        found = latest_events(self.runtime.reader, namespaces, count, involved_uid=uid)
        if self.kind.plural == "nodes" and self.uid != uid:
            found = [*found, *latest_events(self.runtime.reader, namespaces, count, involved_uid=self.uid)]
        return found[:count]

    async def _read_yaml(self) -> None:
        self.yaml = await object_yaml(self.runtime.transport, self.kind, self.namespace, self.name)

    def _yaml_later(self) -> None:
        if self.changed is None or (self._reading is not None and not self._reading.done()):
            return

        async def read() -> None:
            with suppress(ClusterError):  # gone, or out of reach: the badge and the head say so
                before = self.yaml
                await self._read_yaml()
                if before != self.yaml and self.changed is not None:
                    self.changed()

        self._reading = asyncio.create_task(read())

    changed: Callable[[], None] | None = None
    _reading: asyncio.Task[None] | None = None

    def open(self, changed: Callable[[], None]) -> None:
        self.changed = changed
        if self.log is not None:
            self.log.follow(changed)
        if self.secret is not None:
            self.secret.changed = changed

    def close(self) -> None:
        self.changed = None
        if self._reading is not None:
            self._reading.cancel()
        if self.log is not None:
            self.log.stop()
        if self.secret is not None:
            self.secret.close()

    @property
    def _namespace_query(self) -> str:
        return f"?namespace={self.namespace}" if self.namespace else ""

    def context(self) -> Mapping[str, Any]:
        slug = object_url(self.runtime, self.kind.plural, self.namespace, self.name)
        crumbs = [(self.kind.title, list_url(self.runtime, self.kind.plural))]
        if self.namespace:
            crumbs.append((self.namespace, list_url(self.runtime, self.kind.plural, self._namespace_query)))
        return {
            "plural": self.kind.plural,
            "kind": self.kind.kind,
            "explain": self.kind.explain,
            "name": self.name,
            "namespace": self.namespace,
            "breadcrumbs": crumbs,
            "tab": self.tab,
            "tabs": [
                {
                    "id": tab,
                    "title": title,
                    "url": slug if tab == "overview" else f"{slug}{tab}/",
                    "current": tab == self.tab,
                }
                for tab, title in self.tabs.items()
            ],
            "url": slug,
            "pods_title": {
                "services": "Pods behind it",
                "nodes": "Pods on it",
            }.get(self.kind.plural, "Pods"),
            "pod_columns": [
                {
                    "key": c.key,
                    "title": c.title,
                    "num": c.num,
                    "help": c.help,
                    "status": c.key == KINDS["pods"].status_column,
                }
                for c in self._pod_columns
            ]
            if self._has_pods
            else [],
            "pods_url": "",
            "kubectl": self._kubectl(),
            **(self.log.context() if self.log else {}),
        }

    def _kubectl(self) -> str:
        where = ["-n", self.namespace] if self.namespace else []
        what = [self.kind.plural, self.name, *where]
        match self.tab:
            case "yaml":
                return shlex.join(["kubectl", "get", *what, "-o", "yaml"])
            case "events":
                return shlex.join(["kubectl", "events", "--for", f"{self.kind.plural}/{self.name}", *where])
            case "logs":
                assert self.log is not None  # noqa: S101 # made with this tab
                return self.log.kubectl()
            case _:
                return shlex.join(["kubectl", "describe", *what])


STATE_WORDS = {"info": "Changing", "warn": "Worth a look", "bad": "Needs a person"}


def _bytes(size: int | None) -> str:
    if size is None:
        return ""
    return f"{size} B" if size < 1024 else f"{size / 1024:.1f} KiB"


class LogTail:
    """The tail of one container's log, followed while somebody looks."""

    def __init__(self, screen: DetailScreen) -> None:
        self.screen = screen
        self.previous = screen.params.get("previous") == "1"
        self.chosen = screen.params.get("container", "")
        self.lines: deque[tuple[int, str, str]] = deque(maxlen=LOG_LINES)
        self.count = 0
        self.trouble = ""
        self.ended = False
        self.read_once = False
        self._task: asyncio.Task[None] | None = None

    def _detail(self) -> Any:
        pod = self.screen._object()
        pod = self.screen.last if pod is None else pod
        return self.screen.kind.detail(pod)

    @property
    def container(self) -> str:
        """The chosen container, or the one a person most likely wants: the first that is not fine, else the first."""
        containers = self._detail().containers
        if self.chosen:
            return self.chosen
        worst = sorted(
            containers, key=lambda each: (each.kind == "init" and each.state == "done", RANK[each.state])
        )
        return str(worst[0].name) if worst else ""

    def request(self) -> LogRequest:
        names = [each.name for each in self._detail().containers]
        if self.chosen and self.chosen not in names:
            raise BadInput(
                f"This pod has no container {self.chosen!r}: it has {', '.join(names)}.", field="container"
            )
        return LogRequest(
            namespace=self.screen.namespace,
            pod=self.screen.name,
            container=self.container,
            previous=self.previous,
            tail=LOG_LINES,
        )

    async def read(self) -> None:
        """The tail, once; a follower then goes on from there."""
        if self.read_once:
            return
        self.read_once = True
        self.request()
        with suppress(TimeoutError):
            async with asyncio.timeout(10):
                await self._consume(follow=False)

    async def _consume(self, *, follow: bool) -> None:
        after = self.lines[-1][1] if self.lines else ""
        try:
            lines = log_lines(self.screen.runtime.transport, self.request(), follow=follow, since=after)
            async with aclosing(lines):
                async for at, text in lines:
                    self.count += 1
                    self.lines.append((self.count, at, text))
                    self.trouble = ""
                    if follow and self._changed:
                        self._changed()
        except ClusterError as error:
            self.trouble = error.message

    _changed: Callable[[], None] | None = None

    def follow(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        if not self.previous:
            self._task = asyncio.create_task(self._keep_following())

    async def _keep_following(self) -> None:
        while True:
            await self._consume(follow=True)
            if self._changed:
                self._changed()
            await asyncio.sleep(
                3
            )  # the container ended or is not there yet: its next run has a log of its own

    def stop(self) -> None:
        self._changed = None
        if self._task is not None:
            self._task.cancel()

    def rows(self) -> Mapping[str, render.Part]:
        return {
            f"log-{number}": render.partial("log_line", {"id": f"log-{number}", "time": at, "text": text})
            for number, at, text in self.lines
        }

    def state(self) -> dict[str, Any]:
        if self.trouble:
            return {"state": "none", "text": self.trouble}
        if not self.lines:
            return {"state": "waiting", "text": f"Container {self.container} has written nothing yet."}
        if len(self.lines) == LOG_LINES:
            return {"state": "", "text": f"The latest {LOG_LINES} lines."}
        return {"state": "", "text": ""}

    def _url(self, container: str, *, previous: bool) -> str:
        url = object_url(self.screen.runtime, "pods", self.screen.namespace, self.screen.name, "logs")
        return f"{url}?container={container}{'&previous=1' if previous else ''}"

    def context(self) -> dict[str, Any]:
        chosen = self.container
        containers = self._detail().containers
        current = next((each for each in containers if each.name == chosen), None)
        previous = self._url(chosen, previous=True) if current and current.previous else ""
        return {
            "containers": [
                {
                    "name": each.name,
                    "word": "" if each.kind == "container" else each.kind,
                    "url": self._url(each.name, previous=False),
                    "current": each.name == chosen,
                }
                for each in containers
            ],
            "previous": {
                "url": self._url(chosen, previous=False) if self.previous else previous,
                "current": self.previous,
            }
            if previous or self.previous
            else None,
        }

    def kubectl(self) -> str:
        return shlex.join(
            [
                "kubectl", "logs", self.screen.name, "-n", self.screen.namespace, "-c", self.container,
                f"--tail={LOG_LINES}", *(["--previous"] if self.previous else ["--follow"]),
            ]
        )  # fmt: skip
