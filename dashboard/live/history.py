"""Replicas and restarts over time, for an hour: a step whenever what a workload wants or has ready changes, and one
whenever containers of it were started again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, islice
from typing import Any

from dashboard.cache.cluster import ClusterCache
from dashboard.insight.usage import Workload, restarts_of, topmost
from dashboard.queries.reader import Reader

KEEP_SECONDS = 3600.0
BUCKET_SECONDS = 15.0  # restarts within it are one step
BUCKETS = int(KEEP_SECONDS / BUCKET_SECONDS) + 1
FORGOTTEN_AT_ONCE = 2  # each restart adds one at most, so none is left
MAX_STEPS = 1000  # of one workload; with more, those of each bucket are thinned
Step = tuple[float, int, int]  # Unix time in seconds, replicas wanted, replicas ready
Key = tuple[str, str, str]  # plural, namespace, name


class History:
    """Steps of each workload. It hears of changes while its cache watches them."""

    def __init__(self, cache: ClusterCache, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._cache = cache
        self._steps: dict[Key, deque[Step]] = {}
        self._tidied = 0.0
        self._unsubscribe = [
            cache.store(plural).subscribe(self._recorder(plural, counts)) for plural, counts in COUNTS.items()
        ]

    def _recorder(
        self, plural: str, counts: Callable[[Any], tuple[int, int]]
    ) -> Callable[[Sequence[Any]], None]:
        def record(deltas: Sequence[Any]) -> None:
            now = self._clock()
            # A watch that nobody looks at ends and empties its store: that is no deletion, and leaves no step.
            watching = self._cache.status(plural).state in ("live", "reconnecting")
            for delta in deltas:
                # Nor is what is forgotten because its namespace may be read no more.
                if delta.new is not None or (watching and self._cache.knows(plural, delta.namespace)):
                    values = (0, 0) if delta.new is None else counts(delta.new)
                    self._record((plural, delta.namespace, delta.name), now, values)
            self._forget(now)

        return record

    def _record(self, key: Key, now: float, values: tuple[int, int]) -> None:
        steps = self._steps.setdefault(key, deque())
        if not steps or steps[-1][1:] != values:
            steps.append((now, *values))
        if len(steps) > MAX_STEPS:
            self._steps[key] = steps = deque(thinned(steps))
        while len(steps) > 1 and steps[1][0] < now - KEEP_SECONDS:
            steps.popleft()  # the last step before the hour stays: it is the value the hour begins with

    def _forget(self, now: float) -> None:
        """Workloads that have been gone for an hour; looked for once in a while."""
        if now - self._tidied < KEEP_SECONDS / 6:
            return
        self._tidied = now
        gone = [
            key
            for key, steps in self._steps.items()
            if steps[-1][1:] == (0, 0) and steps[-1][0] < now - KEEP_SECONDS
        ]
        for key in gone:
            del self._steps[key]

    def of(self, namespace: str, name: str, plural: str = "deployments") -> list[Step]:
        """The steps of one workload, oldest first."""
        return list(self._steps.get((plural, namespace, name), ()))

    def total(self, namespaces: frozenset[str] | None) -> list[Step]:
        """The steps of the sum over the Deployments of some namespaces (None: all)."""
        changes = [
            (at, wanted - before[0], ready - before[1])
            for (plural, namespace, _), steps in self._steps.items()
            if plural == "deployments" and (namespaces is None or namespace in namespaces)
            for (at, wanted, ready), before in zip(steps, _before(steps), strict=True)
        ]
        changes.sort()
        total: list[Step] = []
        wanted = ready = 0
        for at, more_wanted, more_ready in changes:
            wanted, ready = wanted + more_wanted, ready + more_ready
            if total and at - total[-1][0] < 0.05:
                total[-1] = (total[-1][0], wanted, ready)  # one batch of changes is one step
            else:
                total.append((at, wanted, ready))
        begin = self._clock() - KEEP_SECONDS
        before = sum(at < begin for at, _, _ in total)
        return total[max(0, before - 1) :]  # the last one before the hour is the value it begins with

    def close(self) -> None:
        for unsubscribe in self._unsubscribe:
            unsubscribe()


def thinned(steps: Iterable[Step]) -> list[Step]:
    """Of each quarter of a minute the step with the fewest ready and the last: a busy hour is still an hour, and no
    dip of it is lost."""
    kept: list[Step] = []
    for _, each in groupby(steps, key=lambda step: step[0] // BUCKET_SECONDS):
        bucket = list(each)
        lowest = min(bucket, key=lambda step: step[2])
        kept += [bucket[-1]] if lowest is bucket[-1] else [lowest, bucket[-1]]
    return kept


def _before(steps: Iterable[Step]) -> list[tuple[int, int]]:
    values = [(wanted, ready) for _, wanted, ready in steps]
    return [(0, 0), *values[:-1]]


def replicas(workload: Any) -> tuple[int, int]:
    """How many replicas a workload wants and has ready. Without ``spec.replicas`` it wants 1 (the API's default)."""
    wanted = workload.spec.replicas
    return (1 if wanted is None else wanted), workload.status.ready_replicas or 0


def on_nodes(daemonset: Any) -> tuple[int, int]:
    """The same of a DaemonSet, which wants a pod on each of its nodes."""
    return daemonset.status.desired_number_scheduled, daemonset.status.number_ready


COUNTS: dict[str, Callable[[Any], tuple[int, int]]] = {
    "deployments": replicas,
    "statefulsets": replicas,
    "daemonsets": on_nodes,
}


class Restarts:
    """Restarts of each topmost workload's containers, and of each pod that has none above it.

    Counted from what the watch tells while it runs: what happened before is not known.
    """

    def __init__(self, cache: ClusterCache, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._cache = cache
        self._reader = Reader(cache)
        self._counts: dict[Workload, deque[tuple[float, int]]] = {}
        self.since: float | None = None
        self._unsubscribe = cache.store("pods").subscribe(self._record)

    def _record(self, deltas: Sequence[Any]) -> None:
        now = self._clock()
        if self._cache.status("pods").state == "starting" and all(delta.new is None for delta in deltas):
            self.since = None  # the watch has ended, and with it the counting
            return
        self.since = now if self.since is None else self.since
        for delta in deltas:
            if delta.type != "MODIFIED":
                continue
            more = restarts_of(delta.new) - restarts_of(delta.old)
            if more > 0:
                self._count(delta.new, now, more)

    def _count(self, pod: Any, now: float, more: int) -> None:
        meta = pod.metadata
        key = topmost(self._reader, pod) or ("pods", meta.namespace, meta.name)
        # The latest stand last, so that those to forget are the first.
        counts = self._counts[key] = self._counts.pop(key, deque(maxlen=BUCKETS))
        at = now - now % BUCKET_SECONDS
        if counts and counts[-1][0] == at:
            counts[-1] = at, counts[-1][1] + more
        else:
            counts.append((at, more))
        self._forget(now)

    def _forget(self, now: float) -> None:
        for key, counts in list(islice(self._counts.items(), FORGOTTEN_AT_ONCE)):
            if counts[-1][0] < now - KEEP_SECONDS:
                del self._counts[key]

    def of(self, plural: str, namespace: str, name: str) -> list[tuple[float, int]]:
        """When (a quarter of a minute each) and how often, within the hour, oldest first."""
        begin = self._clock() - KEEP_SECONDS
        return [count for count in self._counts.get((plural, namespace, name), ()) if count[0] >= begin]

    def close(self) -> None:
        self._unsubscribe()
