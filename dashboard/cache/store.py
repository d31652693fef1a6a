"""A typed copy of one kind's objects, and what changed in it.

Not a queue: whoever subscribes gets the changes as they are applied, in the order of the API server, on the
event loop.

About resourceVersions. Two of one resource compare as integers: Kubernetes guarantees it for its own
resources since 1.35 (KEP-5504), and etcd's revisions have always been such. An aggregated API server may
use other words, or none; then only equality says anything and every event is taken as it comes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Generic, Literal, TypeVar

import msgspec

from dashboard.kinds.base import Kind, Object, WatchEvent

__all__ = ["Delta", "Store", "is_older"]

logger = logging.getLogger(__name__)

T = TypeVar("T", bound=Object)
Key = tuple[str, str]
Subscriber = Callable[[Sequence["Delta[T]"]], None]

# Deletions remembered, so that a late event cannot bring an object back.
REMEMBERED_DELETIONS = 4096


class Delta(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """One change. ``old`` is None for ADDED, ``new`` for DELETED.

    An object made anew under its name is two: DELETED, ADDED.
    """

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    namespace: str
    name: str
    old: T | None
    new: T | None


class Store(Generic[T]):
    """The objects of one kind; ``namespace`` is "" for kinds without."""

    def __init__(
        self,
        kind: Kind[T],
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.kind = kind
        self.changed_at: float = clock()
        self.last_change: datetime | None = None
        self._clock = clock
        self._now = now
        self._objects: dict[str, dict[str, T]] = {}
        self._deleted: dict[Key, str] = {}
        self._subscribers: list[Subscriber[T]] = []

    def __len__(self) -> int:
        return sum(map(len, self._objects.values()))

    def get(self, namespace: str, name: str) -> T | None:
        """The object of that name."""
        objects = self._objects.get(namespace)
        return None if objects is None else objects.get(name)

    def values(self, namespaces: frozenset[str] | None = None) -> list[T]:
        """The objects of these namespaces (None: all), in no order."""
        return [obj for objects in self._within(namespaces) for obj in objects.values()]

    def some(self, count: int) -> list[T]:
        """Some of its objects, so many at most: the same cost however many there are."""
        return list(islice(chain.from_iterable(each.values() for each in self._objects.values()), count))

    def count(self, namespaces: frozenset[str] | None = None) -> int:
        """How many objects ``values()`` has."""
        return sum(map(len, self._within(namespaces)))

    def namespaces(self) -> frozenset[str]:
        """The namespaces that have objects here."""
        return frozenset(self._objects)

    def subscribe(self, callback: Subscriber[T]) -> Callable[[], None]:
        """Calls back with every non-empty batch of changes, after they are applied.

        Returns what ends that.
        """
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback) if callback in self._subscribers else None

    def replace(self, items: Iterable[T], resource_version: str, scope: str | None = None) -> list[Delta[T]]:
        """Makes ``scope`` (a namespace; None: everything) equal to a list; what the list lacks is DELETED."""
        self._deleted = {
            key: version for key, version in self._deleted.items() if scope not in (None, key[0])
        }
        deltas: list[Delta[T]] = []
        listed: set[Key] = set()
        for item in items:
            listed.add(_key(item))
            self._put(item, deltas)
        for obj in self._unlisted(listed, scope):
            self._drop(obj, deltas)
        return self._publish(deltas)

    def reconcile(
        self, items: Iterable[T], resource_version: str, scope: str | None = None
    ) -> list[Delta[T]]:
        """As ``replace``, with a list that was read while a watch went on: what is newer here than the list stays.

        What is newer than the list's object, but not than the list, is of a history that is no more.
        """
        deltas: list[Delta[T]] = []
        listed: set[Key] = set()
        for item in items:
            listed.add(_key(item))
            if not is_older(resource_version, self._known_version(_key(item))):
                self._put(item, deltas)
        for obj in self._unlisted(listed, scope):
            if not is_older(resource_version, obj.metadata.resource_version):
                self._drop(obj, deltas)
        return self._publish(deltas)

    def add(self, items: Iterable[T]) -> list[Delta[T]]:
        """A part of a list that is still being read: nothing is deleted."""
        deltas: list[Delta[T]] = []
        for item in items:
            self._put(item, deltas)
        return self._publish(deltas)

    def apply(self, event: WatchEvent[T]) -> Delta[T] | None:
        """One event of a watch. None when it changes nothing: a duplicate, or older than what is known."""
        deltas = self.apply_all((event,))
        return deltas[-1] if deltas else None

    def apply_all(self, events: Iterable[WatchEvent[T]]) -> list[Delta[T]]:
        """Events of a watch that arrived together; subscribers are called once."""
        deltas: list[Delta[T]] = []
        for event in events:
            obj = event.object
            if obj is None or self._is_late(obj):
                continue
            if event.type == "DELETED":
                self._forget(_key(obj), obj.metadata.resource_version)
                if (old := self.get(*_key(obj))) is not None:
                    self._drop(old, deltas)
            elif event.type in ("ADDED", "MODIFIED"):
                self._put(obj, deltas)
        return self._publish(deltas)

    def _within(self, namespaces: frozenset[str] | None) -> Iterable[dict[str, T]]:
        if namespaces is None:
            return self._objects.values()
        return [self._objects[namespace] for namespace in namespaces if namespace in self._objects]

    def _unlisted(self, listed: set[Key], scope: str | None) -> list[T]:
        namespaces = tuple(self._objects) if scope is None else (scope,)
        return [
            obj
            for namespace in namespaces
            for name, obj in self._objects.get(namespace, {}).items()
            if (namespace, name) not in listed
        ]

    def _known_version(self, key: Key) -> str:
        known = self.get(*key)
        return self._deleted.get(key, "") if known is None else known.metadata.resource_version

    def _is_late(self, obj: T) -> bool:
        """Whether the event that brought it is older than what is known; the same again is not."""
        key = _key(obj)
        version = obj.metadata.resource_version
        known = self.get(*key)
        if known is not None:
            return version != known.metadata.resource_version and is_older(
                version, known.metadata.resource_version
            )
        deleted = self._deleted.get(key)
        return deleted is not None and (version == deleted or is_older(version, deleted))

    def _put(self, obj: T, deltas: list[Delta[T]]) -> None:
        meta = obj.metadata
        namespace, name = meta.namespace, meta.name
        old = self.get(namespace, name)
        if old is not None:
            known = old.metadata
            if known.uid != meta.uid:
                self._drop(old, deltas)
                old = None
            elif meta.resource_version and self.kind.unchanged(old, obj):
                return
        self._objects.setdefault(namespace, {})[name] = obj
        deltas.append(Delta("MODIFIED" if old is not None else "ADDED", namespace, name, old, obj))

    def _drop(self, obj: T, deltas: list[Delta[T]]) -> None:
        namespace, name = _key(obj)
        objects = self._objects[namespace]
        del objects[name]
        if not objects:
            del self._objects[namespace]
        deltas.append(Delta("DELETED", namespace, name, obj, None))

    def _forget(self, key: Key, version: str) -> None:
        self._deleted.pop(key, None)
        self._deleted[key] = version
        if len(self._deleted) > REMEMBERED_DELETIONS:
            del self._deleted[next(iter(self._deleted))]

    def _publish(self, deltas: list[Delta[T]]) -> list[Delta[T]]:
        if deltas:
            self.changed_at = self._clock()
            self.last_change = self._now()
            for callback in tuple(self._subscribers):
                try:
                    callback(deltas)
                except Exception:  # one reader's fault must not stop the watch for all
                    logger.exception("a subscriber of %s failed", self.kind.gvr.plural)
        return deltas


def is_older(version: str, than: str) -> bool:
    """Whether the resourceVersion is certainly the older of the two."""
    if not (version.isdecimal() and than.isdecimal()):
        return False
    return int(version) < int(than)


def _key(obj: Object) -> Key:
    meta = obj.metadata
    return meta.namespace, meta.name
