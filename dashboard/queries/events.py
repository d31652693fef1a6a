"""Events that say the same of the same object as one, kept up to date by what the store tells.

An Event object counts its repetitions only while its reporter remembers it; after that the same becomes another.
"""

from __future__ import annotations

import heapq
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import blake2b
from typing import Any

from dashboard.cache.store import Delta, Store
from dashboard.kinds.base import Ref
from dashboard.kinds.references import meant

Same = tuple[str, ...]  # the namespace, the object, and what is said of it
Key = tuple[str, str]  # namespace, name


@dataclass(frozen=True)
class EventGroup:
    """Events of one object with the same type, reason and message; ``latest`` is the last of them.

    ``count`` is how often it happened in all of them, ``first`` and ``last`` are when.
    """

    latest: Any
    count: int
    first: datetime | None
    last: datetime | None

    @property
    def id(self) -> str:
        """The same for the group's next Event."""
        return f"event-{blake2b(repr(_same(self.latest)).encode(), digest_size=8).hexdigest()}"

    @cached_property
    def order(self) -> tuple[float, str]:
        return _seconds(self.last), self.latest.metadata.name


class EventGroups:
    """The groups of all Events in a store. Belongs to the event loop, as the store does."""

    def __init__(self, store: Store[Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._events: dict[Key, Any] = {}
        self._members: dict[Same, dict[Key, Any]] = defaultdict(dict)
        self._groups: dict[str, dict[Same, EventGroup]] = defaultdict(dict)  # by namespace
        self._about: dict[str | Ref, set[Same]] = defaultdict(set)  # by what tells the object
        self._changed: dict[Key, None] = dict.fromkeys(map(_key, store.values()))
        self._grown: dict[Same, None] = {}
        store.subscribe(self._note)

    def latest(self, namespaces: frozenset[str] | None, count: int) -> Sequence[EventGroup]:
        """The latest of some namespaces (None: all), newest first."""
        self.settle()
        within = self._groups if namespaces is None else namespaces & self._groups.keys()
        every = (group for namespace in within for group in self._groups[namespace].values())
        return heapq.nlargest(count, every, key=lambda group: group.order)

    def about(
        self, namespaces: frozenset[str] | None, uids: Collection[str], named: Collection[Ref]
    ) -> Sequence[EventGroup]:
        """Those about these objects, newest first. Some controllers leave the uid out."""
        self.settle()
        objects: tuple[str | Ref, ...] = (*uids, *named)
        found = {same for each in objects for same in self._about.get(each, ())}
        groups = [
            self._groups[same[0]][same] for same in found if namespaces is None or same[0] in namespaces
        ]
        return sorted(groups, key=lambda group: group.order, reverse=True)

    @property
    def owed(self) -> int:
        """How many Events and groups have to be looked at before the next answer."""
        return len(self._changed) + len(self._grown)

    def settle(self, within: float = float("inf")) -> bool:
        """Take in what has changed, or as much of it as goes in so many seconds. Returns whether that was all."""
        began = self._clock()
        while self._changed or self._grown:
            if self._changed:
                self._take(self._changed.popitem()[0])
            else:
                self._group(self._grown.popitem()[0])
            if self._clock() - began >= within:
                break
        return not (self._changed or self._grown)

    def _note(self, deltas: Sequence[Delta[Any]]) -> None:
        for delta in deltas:
            self._changed[delta.namespace, delta.name] = None

    def _take(self, key: Key) -> None:
        old, new = self._events.pop(key, None), self._store.get(*key)
        if old is not None:
            del self._members[_same(old)][key]
            self._grown[_same(old)] = None
        if new is not None:
            self._events[key] = new
            self._members[_same(new)][key] = new
            self._grown[_same(new)] = None

    def _group(self, same: Same) -> None:
        events = self._members[same]
        if events:
            group = _group(events.values())
            _ = group.order  # reckoned here, a few at a time, and not when thousands are sorted
            self._groups[same[0]][same] = group
            self._about[_object(group.latest)].add(same)
            return
        del self._members[same]
        if (gone := self._groups[same[0]].pop(same, None)) is not None:
            _discard(self._about, _object(gone.latest), same)
        if not self._groups[same[0]]:
            del self._groups[same[0]]


def _key(event: Any) -> Key:
    return event.metadata.namespace, event.metadata.name


def _discard(sets: dict[str | Ref, set[Same]], key: str | Ref, same: Same) -> None:
    sets[key].discard(same)
    if not sets[key]:
        del sets[key]


def _object(event: Any) -> str | Ref:
    """What tells the object that an Event is about: its uid, or what it is called."""
    about = event.involved_object
    return str(about.uid) or meant(about, about.namespace)


def _same(event: Any) -> Same:
    about = event.involved_object
    who = about.uid or f"{about.api_version}/{about.namespace}/{about.name}"
    said = (event.type, event.reason, event.message)
    return (event.metadata.namespace, about.kind, who, about.field_path, *said)


def _group(events: Collection[Any]) -> EventGroup:
    latest = max(events, key=lambda event: _seconds(_last(event)))
    firsts = [first for event in events if (first := event.first_seen or event.metadata.creation_timestamp)]
    return EventGroup(
        latest,
        sum(event.times for event in events),
        min(firsts, default=None),
        _last(latest),
    )


def _last(event: Any) -> datetime | None:
    """When it last happened; kubectl falls back to when it was written too."""
    last: datetime | None = event.last_seen or event.metadata.creation_timestamp
    return last


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0
