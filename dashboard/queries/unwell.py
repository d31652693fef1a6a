"""The pods that are not plainly healthy, kept by what the store tells: who looks for trouble need not ask every pod."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from dashboard import showing
from dashboard.cache.store import Delta, Store
from dashboard.insight.pod_health import RECENT, healthy
from dashboard.kinds.pods import Pod


class Unwell:
    """Each pod is asked when it changes. One that was well stays so until then; one that was restarted becomes well by
    itself, as time passes, and is asked again with every question.
    """

    def __init__(self, store: Store[Pod], now: Callable[[], datetime] = showing.now) -> None:
        self._now = now
        self._pods: dict[tuple[str, str], Pod] = {}
        since = now() - RECENT
        for pod in store.values():
            self._sift(pod, since)
        store.subscribe(self._hear)

    def pods(self) -> list[Pod]:
        """Those for which ``healthy`` does not hold now."""
        well = [key for key, pod in self._pods.items() if healthy(pod, self._now() - RECENT)]
        for key in well:
            del self._pods[key]
        return list(self._pods.values())

    def _hear(self, deltas: Sequence[Delta[Any]]) -> None:
        since = self._now() - RECENT
        for delta in deltas:  # in their order: of one pod there may be several, the last of which counts
            self._pods.pop((delta.namespace, delta.name), None)
            if delta.new is not None:
                self._sift(delta.new, since)

    def _sift(self, pod: Pod, since: datetime) -> None:
        if not healthy(pod, since):
            self._pods[pod.metadata.namespace, pod.metadata.name] = pod
