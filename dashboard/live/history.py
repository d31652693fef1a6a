"""Replicas over time, for an hour: per Deployment, a step whenever what it wants or has ready changes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dashboard.cache.cluster import ClusterCache

KEEP_SECONDS = 3600.0
Step = tuple[float, int, int]  # Unix time in seconds, replicas wanted, replicas ready


class History:
    """Steps of each Deployment, by namespace and name. It hears of changes while its cache watches Deployments."""

    def __init__(self, cache: ClusterCache, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._cache = cache
        self._steps: dict[tuple[str, str], deque[Step]] = {}
        self._tidied = 0.0
        self._unsubscribe = cache.store("deployments").subscribe(self._record)

    def _record(self, deltas: Sequence[Any]) -> None:
        now = self._clock()
        # A watch that nobody looks at ends and empties its store: that is no deletion, and leaves no step.
        watching = self._cache.status("deployments").state in ("live", "reconnecting")
        for delta in deltas:
            deployment = delta.new
            if deployment is None and not watching:
                continue
            wanted, ready = (0, 0) if deployment is None else replicas(deployment)
            steps = self._steps.setdefault((delta.namespace, delta.name), deque())
            if not steps or steps[-1][1:] != (wanted, ready):
                steps.append((now, wanted, ready))
            while len(steps) > 1 and steps[1][0] < now - KEEP_SECONDS:
                steps.popleft()  # the last step before the hour stays: it is the value the hour begins with

        self._forget(now)

    def _forget(self, now: float) -> None:
        """Deployments that have been gone for an hour; looked for once in a while."""
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

    def of(self, namespace: str, name: str) -> list[Step]:
        """The steps of one Deployment, oldest first."""
        return list(self._steps.get((namespace, name), ()))

    def total(self, namespaces: frozenset[str] | None) -> list[Step]:
        """The steps of the sum over the Deployments of some namespaces (None: all)."""
        changes = [
            (at, wanted - before[0], ready - before[1])
            for (namespace, _), steps in self._steps.items()
            if namespaces is None or namespace in namespaces
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
        return total

    def close(self) -> None:
        self._unsubscribe()


def _before(steps: Iterable[Step]) -> list[tuple[int, int]]:
    values = [(wanted, ready) for _, wanted, ready in steps]
    return [(0, 0), *values[:-1]]


def replicas(deployment: Any) -> tuple[int, int]:
    """How many replicas a Deployment wants and has ready. Without ``spec.replicas`` it wants 1 (the API's default)."""
    wanted = deployment.spec.replicas
    return (1 if wanted is None else wanted), deployment.status.ready_replicas or 0
