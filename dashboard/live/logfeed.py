"""The logs that one socket follows: opened as the user, merged, and sent at a bearable pace.

Unlike what screens show, lines are not compared with what the browser has: it says up to which line of which container
it has them, and they go on from there (docs/adr/0012). The readers here never wait for the socket.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from dashboard.errors import ClusterError
from dashboard.kinds.legible import legible
from dashboard.kube.transport import Transport
from dashboard.queries.logs import (
    Backlog,
    Line,
    LogOptions,
    Mark,
    Reading,
    Stamps,
    Target,
    Trouble,
    explain,
    labels,
    open_log,
    since_time,
    styled,
    targets,
)

logger = logging.getLogger(__name__)

STREAMS = 20  # logs that are read at once for one socket
SOURCES = 60  # containers that one page follows at all
PACE_SECONDS = 0.25
BREATH_SECONDS = 0.05
AT_ONCE = 7  # frames that may follow each other quickly after a rest
WINDOW_SECONDS = 0.2  # for which a line waits for earlier ones of other logs
GATHER_SECONDS = 1.0  # for which the first lines of several logs wait for each other, at most
QUIET_SECONDS = 0.15
LINGER_SECONDS = 3.0  # a log whose container has ended may still have lines on their way
RETRY_SECONDS = (1.0, 15.0)
REFRESH_SECONDS = 0.25

# What a browser has, by key of the container: the pod's name, the last line's time, how many lines have that time.
Position = Mapping[str, tuple[str, str, int]]
OPENING = Trouble("opening", "")
FOLLOWING = Trouble("following", "")


def read_position(data: Any) -> Position:
    """From a browser's message; whatever is not of its shape is left out, and read anew."""
    if not isinstance(data, dict):
        return {}
    found, stamps = {}, Stamps()
    for key, value in list(data.items())[: 4 * SOURCES]:
        match value:
            case [str(pod), str(at), int(count)] if pod.isascii() and at.isascii():
                if not at or stamps.nanoseconds(at.encode()) is not None:
                    found[str(key)] = (pod, at, max(0, count))
    return found


@dataclass(eq=False)
class Source:
    """One container's log, read by a task of its own."""

    id: int
    target: Target
    reading: Reading
    sent: tuple[str, int]  # the last line's time, and how many lines had it
    late: bool = False  # joined while others were followed: its log is shown from the start
    broken: bool = False  # its log was not read to the end of what was there
    leaving: bool = False
    trouble: Trouble = OPENING
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    limit: asyncio.Timeout | None = None  # of the open log, once its run has ended
    task: asyncio.Task[None] | None = None


class LogFeed:
    """``wake`` is called when ``take`` has something to give; ``pods`` gives the pods as they are now."""

    def __init__(
        self,
        transport: Transport,
        namespace: str,
        options: LogOptions,
        *,
        pods: Callable[[], Sequence[Any]],
        wake: Callable[[], None],
        position: Position,
        url_of: Callable[[Target], str] = lambda target: "",
    ) -> None:
        self._transport = transport
        self._namespace = namespace
        self._options = options
        self._pods = pods
        self._wake = wake
        self._had = dict(position)
        self._url_of = url_of
        self._backlog = Backlog()
        self._sources: dict[str, Source] = {}
        self._by_id: dict[int, Source] = {}
        self._slots = asyncio.Semaphore(STREAMS)
        self._left_out = 0
        self._told: dict[str, Any] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._pace = Pace()
        self._timer: asyncio.TimerHandle | None = None
        self._refreshing: asyncio.TimerHandle | None = None
        self._ready = self._closed = False
        self._began = self._active_at = time.monotonic()
        self._gathering = True
        self._closing: list[Callable[[], None]] = []
        try:
            self._begin()
        except BaseException:
            self.close()  # nobody else has it: the logs that it opened already would be read for ever
            raise

    def _begin(self) -> None:
        wanted = self._wanted()
        before = {key.partition("/")[0]: pod for key, (pod, _, _) in self._had.items()}
        present = {pod.metadata.uid for pod in self._pods()}
        for uid, pod in before.items():
            if uid not in present:
                self._mark("end", f"pod {pod} ended")
        for uid, pod in {each.uid: each.pod for each in wanted}.items():
            if before and uid not in before:
                self._mark("start", f"pod {pod} started")
        for target in wanted:
            self._join(target, late=bool(before) and target.uid not in before)
        self._soon()

    # ---- What is followed

    def pods_changed(self, _: Sequence[Any] = ()) -> None:
        """Pods have come, gone or changed."""
        if self._refreshing is None and not self._closed:
            self._refreshing = asyncio.get_running_loop().call_later(REFRESH_SECONDS, self._refresh)

    def _wanted(self) -> list[Target]:
        found = targets(self._pods(), self._options.pods, self._options.containers)
        if self._options.previous:
            found = [each for each in found if each.previous]
        self._left_out = max(0, len(found) - SOURCES)
        if self._left_out:  # nobody is given up for a newcomer
            followed = {key for key, each in self._sources.items() if not each.leaving}
            found.sort(key=lambda each: each.key not in followed)
        return found[:SOURCES]

    def _refresh(self) -> None:
        self._refreshing = None
        wanted = {each.key: each for each in self._wanted()}
        present = {each.uid for each in wanted.values()}
        known = {each.target.uid: each.target.pod for each in self._sources.values() if not each.leaving}
        for uid in known.keys() - present:
            self._leave(uid, known[uid])
        for target in wanted.values():
            source = self._sources.get(target.key)
            if source is not None and not source.leaving:
                self._update(source, target)
                continue
            if target.uid not in known:
                known[target.uid] = target.pod
                self._mark("start", f"pod {target.pod} started")
            self._join(target, late=True)
        self._soon()

    def _join(self, target: Target, *, late: bool) -> None:
        _, at, count = self._had.get(target.key, ("", "", 0))
        number = len(self._by_id)
        moment = Stamps().nanoseconds(at.encode()) or 0
        source = Source(
            number,
            target,
            Reading(number, self._options.q, moment, count),
            sent=(at, count),
            late=late,
            broken=bool(moment),
        )
        self._sources[target.key] = self._by_id[number] = source
        source.task = self._spawn(self._follow(source))

    def _update(self, source: Source, target: Target) -> None:
        before, source.target = source.target, target
        if before == target:
            return
        if target.restarts > before.restarts and not self._options.previous:
            ended = f"; before, it ended: {target.ended}" if target.ended else ""
            self._mark(
                "again", f"{target.container} of {target.pod} starts again (restart {target.restarts}){ended}"
            )
        if before.running and (not target.running or target.since != before.since):
            self._end_soon(source)
        source.changed.set()

    def _end_soon(self, source: Source) -> None:
        """The run whose log is open is over: what is still on its way may come, then the log is closed."""
        if source.limit is not None and source.limit.when() is None:
            source.limit.reschedule(asyncio.get_running_loop().time() + LINGER_SECONDS)

    def _leave(self, uid: str, pod: str) -> None:
        """A pod has gone: its last lines first, then a mark."""
        leaving = [source for source in self._sources.values() if source.target.uid == uid]
        for source in leaving:
            source.leaving = True
            source.target = replace(source.target, finished=True, running=False)
            self._had[source.target.key] = (pod, *source.sent)
            self._end_soon(source)
            source.changed.set()

        async def see_off() -> None:
            tasks = [source.task for source in leaving if source.task is not None]
            await asyncio.wait(tasks, timeout=2 * LINGER_SECONDS)
            for source in leaving:
                if source.task is not None:
                    source.task.cancel()
                if self._sources.get(source.target.key) is source:
                    del self._sources[source.target.key]
            self._mark("end", f"pod {pod} ended")

        self._spawn(see_off())

    def _mark(self, kind: str, text: str) -> None:
        self._backlog.add([Mark(time.time_ns(), kind, text)])
        self._soon()

    # ---- Reading

    async def _follow(self, source: Source) -> None:
        """Open the log, and open it again when it ends, for as long as its container may write."""
        wait = RETRY_SECONDS[0]
        while True:
            source.changed.clear()
            if self._slots.locked():
                self._say(source, Trouble("slot", f"waits: {STREAMS} logs are read at once"))
            reached = source.reading.time
            async with self._slots:
                trouble = await self._read(source)
            target = source.target
            over = target.finished or self._options.previous
            if over and (trouble is None or trouble.state == "none"):
                self._say(source, trouble or Trouble("ended", target.ended))
                return
            self._say(source, trouble or _between(target))
            if source.reading.time != reached:
                wait = RETRY_SECONDS[0]
            try:
                async with asyncio.timeout(wait):
                    await source.changed.wait()
            except TimeoutError:
                wait = min(2 * wait, RETRY_SECONDS[1])

    async def _read(self, source: Source) -> Trouble | None:
        """One opening of the log, to its end. The reason when it did not open or broke."""
        reading, target = source.reading, source.target
        reached = reading.time
        reading.opened()
        try:
            async with (
                asyncio.timeout(None) as source.limit,
                open_log(
                    self._transport, self._namespace, target.pod, target.container, self._query(source)
                ) as batches,
            ):
                self._say(source, FOLLOWING)
                async for batch in batches:
                    lines = reading.lines(batch)
                    if reading.gap and lines:
                        reading.gap = False
                        self._tell_gap(source, reached, lines[0].order)
                    self._backlog.add(lines)
                    self._active_at = time.monotonic()
                    self._soon()
        except ClusterError as error:
            source.broken = True
            return explain(error, source.target, previous=self._options.previous)
        except TimeoutError:
            pass
        finally:
            source.limit = None
        source.broken = False
        return None

    def _query(self, source: Source) -> dict[str, str]:
        options, target = self._options, source.target
        if source.reading.time:
            query = {"sinceTime": since_time(source.reading.time)}
        elif source.late:
            query = {}  # all of it: what is too much for the backlog is counted there
        else:
            query = options.api_query()
        if options.previous:
            query["previous"] = "true"
        elif target.running:
            query["follow"] = "true"
        return query

    def _tell_gap(self, source: Source, reached: int, order: int) -> None:
        """Nothing of what was had came again. In the same run that means: the log was cut off meanwhile. In another one
        the end of the run before was read, unless the connection was lost then.
        """
        target = source.target
        text = f"lines of {target.pod} {target.container} are missing here: its log no longer reaches back"
        if target.since is not None and target.since.timestamp() * 1e9 > reached:
            if not source.broken:
                return
            text = f"lines of {target.pod} {target.container} may be missing here: it restarted meanwhile"
        self._backlog.add([Mark(order, "gap", text)])

    def _say(self, source: Source, trouble: Trouble) -> None:
        if source.trouble != trouble:
            source.trouble = trouble
            self._active_at = time.monotonic()
            self._soon()

    # ---- Sending

    def take(self) -> str | None:
        """The members of the next frame, or None while there is nothing or it is too soon."""
        if not self._ready:
            return None
        self._ready = False
        several = len(self._sources) > 1 and not self._gathering
        self._gathering = False
        items = self._backlog.take(window=WINDOW_SECONDS if several else 0)
        body: dict[str, Any] = {}
        if (state := self._state()) != self._told:
            self._told = state
            body |= state
        if items:
            body["items"] = [self._item(item) for item in items]
        if self._backlog:
            self._soon(
                BREATH_SECONDS
            )  # its lines wait for earlier ones of other logs, not for the next turn of the loop
        if not body:
            return None
        self._pace.spent()
        return json.dumps(body, separators=(",", ":"), ensure_ascii=False)[1:-1]

    def position(self) -> Position:
        """What has been sent: where another feed of the same would go on."""
        return {key: (each.target.pod, *each.sent) for key, each in self._sources.items()}

    def _item(self, item: Line | Mark) -> object:
        if isinstance(item, Mark):
            at = datetime.fromtimestamp(item.order / 1e9, UTC).isoformat(timespec="milliseconds")
            return {"k": item.kind, "t": legible(item.text), "n": item.count, "at": at}
        source = self._by_id[item.source]
        if item.at:
            source.sent = (item.at, source.sent[1] + 1 if source.sent[0] == item.at else 1)
        text, spans = styled(item.text.decode("utf-8", "replace"))
        return [item.source, item.at, text, *([spans, int(item.cut)] if spans or item.cut else [])]

    def _state(self) -> dict[str, Any]:
        named = labels([each.target for each in self._sources.values()])
        return {
            "sources": [
                {
                    "id": each.id,
                    "key": key,
                    "pod": each.target.pod,
                    "container": each.target.container,
                    "label": named[key],
                    "state": each.trouble.state,
                    "text": legible(each.trouble.text),
                    "url": self._url_of(each.target),
                }
                for key, each in self._sources.items()
            ],
            "note": self._note(),
        }

    def _note(self) -> str:
        """What is to be said of all of it together."""
        options = self._options
        if not self._sources:
            if options.previous:
                return "No container here has run before, so there is no previous log."
            if options.pods or options.containers:
                return "None of the chosen pods and containers is here now. Lines appear when one starts."
            return "There are no pods now. Lines appear when one starts."
        if len(self._sources) == 1 and not self._left_out:
            (only,) = self._sources.values()
            return (
                legible(only.trouble.text)
                if only.trouble.state in ("none", "forbidden", "unreachable")
                else ""
            )
        waiting = sum(each.trouble.state == "slot" for each in self._sources.values())
        if self._left_out or waiting:
            total = len(self._sources) + self._left_out
            return f"{total} containers, of which {STREAMS} are read at once: choose pods or containers to see others."
        return ""

    def _soon(self, least: float = 0.0) -> None:
        if self._timer is None and not self._ready and not self._closed:
            wait = BREATH_SECONDS if self._gathering else max(least, self._pace.wait())
            self._timer = asyncio.get_running_loop().call_later(wait, self._fire)

    def _fire(self) -> None:
        self._timer = None
        if self._gathering and not self._gathered():
            self._soon()
            return
        self._ready = True
        self._wake()

    def _gathered(self) -> bool:
        now = time.monotonic()
        if len(self._sources) < 2 or now - self._began > GATHER_SECONDS:
            return True
        opened = all(each.trouble != OPENING for each in self._sources.values())
        return opened and now - self._active_at > QUIET_SECONDS

    # ---- Tasks

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("following a log", exc_info=error)

    def on_close(self, undo: Callable[[], None]) -> None:
        """Have something undone with this feed's end."""
        self._closing.append(undo)

    def close(self) -> None:
        self._closed = True
        for undo in self._closing:
            undo()
        for task in tuple(self._tasks):
            task.cancel()
        for timer in (self._timer, self._refreshing):
            if timer is not None:
                timer.cancel()


def _between(target: Target) -> Trouble:
    """How it stands with a container whose log has ended and may go on."""
    if target.running:
        return OPENING
    words = " · ".join(word for word in (target.waiting, target.ended) if word)
    return Trouble("waiting", words or "has not started")


class Pace:
    """At most 4 frames a second in the long run; after a rest some quickly (a token bucket)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sent = self._until = 0.0

    def wait(self) -> float:
        """Seconds until the next frame may go."""
        free = max(self._sent + BREATH_SECONDS, self._until - AT_ONCE * PACE_SECONDS)
        return max(0.0, free - self._clock())

    def spent(self) -> None:
        """A frame goes now."""
        self._sent = self._clock()
        self._until = max(self._until, self._sent) + PACE_SECONDS
