"""The logs of a pod, or of all pods of a workload or behind a Service. The lines come by a feed of their own."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.urls import reverse

from dashboard import render
from dashboard.kinds import KINDS
from dashboard.kinds.base import Detail, Kind
from dashboard.kube.shell import shell_line
from dashboard.live.logfeed import STREAMS, LogFeed, Position
from dashboard.live.screens.common import object_url
from dashboard.live.snapshot import Snapshot
from dashboard.queries.logs import KINDS_WITH_LOGS, SEARCHED, TAILS, LogOptions, Target, targets
from dashboard.queries.relations import owned, owners, pods_of
from dashboard.rights import MissingRight

from .piece import Tab, ViewerPiece

if TYPE_CHECKING:
    from .screen import DetailScreen

PODS = KINDS["pods"].gvr
TAIL = {"pods": 500}  # of a workload's containers less each: there are many


class LogsTab(Tab, ViewerPiece):
    id = "logs"
    title = "Logs"
    shortcut = "l"
    template = "tabs/logs.html"
    plurals = frozenset({"pods"})

    def __init__(self, screen: DetailScreen) -> None:
        super().__init__(screen)
        self.options = LogOptions.read(screen.params, TAIL.get(screen.kind.plural, 100))

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural in KINDS_WITH_LOGS

    @classmethod
    def plurals_of(cls, kind: Kind[Any]) -> frozenset[str]:
        between = {"deployments": {"replicasets"}, "cronjobs": {"jobs"}, "pods": {"replicasets", "jobs"}}
        return cls.plurals | between.get(kind.plural, set())

    @property
    def key(self) -> Hashable:
        return self.options

    async def prepare(self) -> None:
        """The rights, each time: an open log goes on at the API server when they are taken away."""
        screen = self.screen
        seen = screen.visible["pods"]
        if seen.denied is not None:
            raise seen.denied
        if seen.namespaces is not None and screen.namespace not in seen.namespaces:
            message = "You may not list the pods here."
            raise MissingRight("list", "pods", namespace=screen.namespace, message=message)
        name = screen.name if screen.kind.plural == "pods" else None
        where = {"namespace": screen.namespace, "name": name, "subresource": "log"}
        if not await self.session.may("get", PODS, **where):
            message = "You may not read the logs of pods here."
            raise MissingRight("get", "pods/log", namespace=screen.namespace, message=message)

    # ---- The lines

    def pods(self) -> Sequence[Any]:
        """The object's pods as they are now."""
        screen = self.screen
        if screen.kind.plural == "pods":
            pod = screen.session.reader.get("pods", screen.namespace, screen.name)
            return [] if pod is None else [pod]
        return pods_of(screen.session.reader, screen.kind.plural, screen.newest())

    def targets(self) -> list[Target]:
        """The containers whose logs are shown."""
        found = targets(self.pods(), self.options.pods, self.options.containers)
        return [each for each in found if each.previous] if self.options.previous else found

    def feed(self, position: Position, wake: Callable[[], None]) -> LogFeed | None:
        if self.options.wrong[0]:
            return None
        runtime = self.screen.runtime
        feed = LogFeed(
            self.session.transport,
            self.screen.namespace,
            self.options,
            pods=self.pods,
            wake=wake,
            position=position,
            url_of=self._url_of,
        )
        feed.on_close(runtime.subscribe(self.screen.plurals, feed.pods_changed, feed.pods_changed))
        return feed

    def _url_of(self, target: Target) -> str:
        """This page with one container alone, or with all again."""
        if (self.options.pods, self.options.containers) == ((target.pod,), (target.container,)):
            return self._url(pods=(), containers=())
        return self._url(pods=(target.pod,), containers=(target.container,))

    def _url(self, **changes: Any) -> str:
        screen = self.screen
        url = object_url(screen.runtime, screen.kind.plural, screen.namespace, screen.name, "logs")
        return url + self.options.url_query(**changes)

    # ---- Around them

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        return Snapshot(regions={"log-choice": render.region("log_choice", self._choice())})

    def _choice(self) -> dict[str, Any]:
        """The pods and containers to choose from: those that are here, and those that were chosen."""
        every = targets(self.pods())
        options = self.options
        pods = sorted({*(each.pod for each in every), *options.pods})
        containers = dict.fromkeys([*(each.container for each in every), *options.containers])
        kinds = {each.container: each.kind for each in every}
        return {
            "pods": [{"name": name, "chosen": name in options.pods} for name in pods],
            "containers": [
                {
                    "name": name,
                    "word": "" if kinds.get(name, "container") == "container" else kinds[name],
                    "chosen": name in options.containers,
                }
                for name in containers
            ],
            "pods_summary": _summary(options.pods, len(pods)),
            "containers_summary": _summary(options.containers, len(containers)),
        }

    def context(self) -> Mapping[str, Any]:
        options, screen = self.options, self.screen
        arguments = [screen.runtime.cluster.slug, screen.kind.plural, screen.namespace, screen.name]
        query = options.url_query()
        return {
            "log": {
                "path": self._url().partition("?")[0],
                "since": options.since,
                "tail": options.tail,
                "tails": sorted({*TAILS, options.tail}),
                "q": options.q,
                "searched": f"{SEARCHED:,}",
                "previous": options.previous,
                "wrong_field": options.wrong[0],
                "wrong": options.wrong[1],
                "download": reverse("log_download", args=arguments) + query,
                "line": reverse("log_line", args=arguments),
                "owner": self._owner(),
            }
        }

    def _owner(self) -> dict[str, str] | None:
        """The workload of a pod: its logs go on when the pod is gone."""
        screen = self.screen
        if screen.kind.plural != "pods":
            return None
        chain = owners(screen.session.reader, screen.runtime.kinds, screen.newest())
        above = [ref for ref in chain if ref.plural in KINDS_WITH_LOGS]
        if not above:
            return None
        url = object_url(screen.runtime, above[0].plural, screen.namespace, above[0].name, "logs")
        return {"url": url, "text": f"{above[0].kind} {above[0].name}"}

    def kubectl(self) -> list[str]:
        return self._commands()[0]

    def _commands(self) -> list[list[str]]:
        """One; several, where kubectl can name only one pod or container at a time."""
        options, screen = self.options, self.screen
        if screen.kind.plural == "pods" or options.pods:
            wheres = [[name] for name in (options.pods or (screen.name,))]
        else:
            wheres = [self._all_pods()]
        containers = options.containers
        if not containers and screen.kind.plural == "pods" and len(found := targets(self.pods())) == 1:
            containers = (found[0].container,)
        whiches = [["-c", name] for name in containers] or [["--all-containers", "--prefix"]]
        logs = len(targets(self.pods(), options.pods, options.containers))
        several = [] if options.previous else [f"--max-log-requests={max(STREAMS, logs)}"]
        return [
            [
                "logs",
                *where,
                *screen.kubectl_namespace,
                *which,
                *(several if len(where) > 1 or "--prefix" in which else []),
                *options.kubectl(),
            ]
            for where in wheres
            for which in whiches
        ]

    def _all_pods(self) -> list[str]:
        """How kubectl names all pods of the object; it knows no logs of a CronJob, only of its Jobs' pods."""
        screen = self.screen
        if screen.kind.plural != "cronjobs":
            return [f"{screen.kind.singular.lower()}/{screen.name}", "--all-pods"]
        jobs = sorted(job.metadata.name for job in owned(screen.session.reader, "jobs", screen.newest()))
        return ["-l", f"job-name in ({','.join(jobs) or screen.name})"]

    def command_line(self) -> str:
        """All of it as a shell takes it; what is only searched for is grep's, as everywhere."""
        follows = not self.options.previous
        lines = [shell_line(["kubectl", *words]) for words in self._commands()]
        line = (" & " if follows else "; ").join(lines)
        if not self.options.q:
            return line
        grep = shell_line(["grep", "-iF", "--", self.options.q])
        return f"({line}) | {grep}" if len(lines) > 1 else f"{line} | {grep}"


def _summary(chosen: Sequence[str], total: int) -> str:
    if not chosen:
        return f"All {total}" if total != 1 else "1"
    return chosen[0] if len(chosen) == 1 else f"{len(chosen)} of {total}"
