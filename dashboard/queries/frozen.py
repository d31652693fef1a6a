"""The objects as they are at one moment, so that rules can read them in a thread while the watches go on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dashboard.insight.protocols import Objects, Versioned, unlisted, unwell
from dashboard.kinds import declared


class Frozen:
    """Fulfils the protocol of ``insight``, for the kinds that are named. To be made on the event loop: that costs a list
    of each kind; what it takes to find single objects in them is done where they are looked for.
    """

    def __init__(self, objects: Objects, plurals: Iterable[str]) -> None:
        self.version = objects.version if isinstance(objects, Versioned) else ""
        self._all: dict[str, Sequence[Any]] = {plural: tuple(objects.all(plural)) for plural in plurals}
        self._read: dict[str, frozenset[str] | None]
        self._by_namespace: dict[str, dict[str, dict[str, Any]]] = {}
        self._unwell = unwell(objects) if "pods" in self._all else ()
        self._unlisted = set[tuple[str, str]]()
        self._read = {plural: None for plural in self._all if objects.reads(plural)}
        if partly := self._all.keys() - self._read.keys():
            # Whoever may not read a whole kind sees some namespaces: what they hold, or the list of them, names these.
            names = {obj.metadata.name for obj in self._all.get("namespaces", ())}
            names |= {obj.metadata.namespace for each in self._all.values() for obj in each} - {""}
            self._read |= {plural: _read(objects, plural, names) for plural in partly}
            self._unlisted = {
                (plural, name) for name in ("", *names) for plural in unlisted(objects, partly, name)
            }

    def all(self, plural: str, namespace: str | None = None) -> Sequence[Any]:
        if not namespace:
            return self._all.get(plural, ())
        return tuple(self._index(plural).get(namespace, {}).values())

    def get(self, plural: str, namespace: str, name: str) -> Any | None:
        return self._index(plural).get(namespace, {}).get(name)

    def unwell(self) -> Sequence[Any]:
        """As they were at that moment."""
        return self._unwell

    def reads(self, plural: str, namespace: str = "") -> bool:
        read = self._read.get(plural, frozenset())
        return read is None or namespace in read

    def knows(self, plural: str, namespace: str) -> bool | None:
        return None if (plural, namespace) in self._unlisted else self.reads(plural, namespace)

    def _index(self, plural: str) -> dict[str, dict[str, Any]]:
        found = self._by_namespace.get(plural)
        if found is None:
            found = {}
            for obj in self._all.get(plural, ()):
                found.setdefault(obj.metadata.namespace, {})[obj.metadata.name] = obj
            self._by_namespace[plural] = found
        return found


def _read(objects: Objects, plural: str, names: Iterable[str]) -> frozenset[str]:
    """The namespaces of which all objects of a kind are known, where not all objects of it are."""
    if (kind := declared(plural)) is not None and not kind.gvr.namespaced:
        return frozenset()
    return frozenset(name for name in names if objects.reads(plural, name))
