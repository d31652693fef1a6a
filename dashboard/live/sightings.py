"""Since when the ConfigMaps have been as they are: when a watch, or a list, first told of a version.

What a container read after that moment, and before the next version, is what that version holds. The owners of fields
tell less: nobody owns a key that is not there.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from dashboard.cache.cluster import ClusterCache

MAX_OBJECTS = 10_000
MAX_VERSIONS = 20  # of one; some are written every two seconds


class Sightings:
    """It hears of versions while its cache watches them, and keeps no content."""

    def __init__(self, cache: ClusterCache, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, deque[tuple[str, float]]] = {}
        self.close = cache.store("configmaps").subscribe(self._hear)

    def _hear(self, deltas: Sequence[Any]) -> None:
        now = self._clock()
        for delta in deltas:
            # A store that is emptied because nobody looks deletes nothing: what was seen stays true.
            if delta.new is None:
                continue
            uid, version = delta.new.metadata.uid, delta.new.metadata.resource_version
            seen = self._seen.pop(uid, None) or deque(maxlen=MAX_VERSIONS)
            if all(version != known for known, _ in seen):
                seen.append((version, now))
            self._seen[uid] = seen
            if len(self._seen) > MAX_OBJECTS:
                del self._seen[next(iter(self._seen))]  # the one that was heard of the longest ago

    def of(self, uid: str) -> tuple[tuple[str, float], ...]:
        """Versions of the object of this uid with the moment of ``time.monotonic()`` at which each was first seen."""
        return tuple(self._seen.get(uid, ()))
