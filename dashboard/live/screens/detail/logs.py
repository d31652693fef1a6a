"""The tail of one container's log, followed while somebody looks."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

from dashboard import render
from dashboard.errors import BadInput, ClusterError
from dashboard.kinds.base import Detail, Kind
from dashboard.live.screens.common import object_url
from dashboard.live.snapshot import Snapshot
from dashboard.queries.lists import RANK
from dashboard.queries.objects import LogRequest, log_lines

from .piece import Tab

if TYPE_CHECKING:
    from .screen import DetailScreen

LOG_LINES = 500


class LogsTab(Tab):
    id = "logs"
    title = "Logs"
    shortcut = "l"
    template = "tabs/logs.html"

    def __init__(self, screen: DetailScreen) -> None:
        super().__init__(screen)
        self.previous = screen.params.get("previous") == "1"
        self.chosen = screen.params.get("container", "")
        self.lines: deque[tuple[int, str, str]] = deque(maxlen=LOG_LINES)
        self.count = 0
        self.trouble = ""
        self.read_once = False
        self._task: asyncio.Task[None] | None = None

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural == "pods"

    @property
    def key(self) -> Hashable:
        return self.chosen, self.previous

    def _detail(self) -> Detail:
        return self.screen.kind.detail(self.screen.newest())

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

    async def prepare(self) -> None:
        """The right, each time (an open log goes on at the API server when it is taken away), and the tail, once: a
        follower then goes on from there."""
        await self.screen.require("get", "log")
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
                    if follow and self.changed:
                        self.changed()
        except ClusterError as error:
            self.trouble = error.message

    def open(self, changed: Callable[[], None]) -> None:
        super().open(changed)
        if not self.previous:
            self._task = asyncio.create_task(self._keep_following())

    async def _keep_following(self) -> None:
        while True:
            await self._consume(follow=True)
            if self.changed:
                self.changed()
            # The container ended or is not there yet: its next run has a log of its own.
            await asyncio.sleep(3)

    def close(self) -> None:
        super().close()
        if self._task is not None:
            self._task.cancel()

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        lines = {
            f"log-{number}": render.partial("log_line", {"id": f"log-{number}", "time": at, "text": text})
            for number, at, text in self.lines
        }
        return Snapshot(regions={"log-state": render.region("log_state", self.state())}, lists={"log": lines})

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

    def context(self) -> Mapping[str, Any]:
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

    def kubectl(self) -> list[str]:
        return [
            "logs", self.screen.name, *self.screen.kubectl_namespace, "-c", self.container,
            f"--tail={LOG_LINES}", *(["--previous"] if self.previous else ["--follow"]),
        ]  # fmt: skip
