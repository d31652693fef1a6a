"""Objects and rows out of the cache's stores, each row made once per version of its object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from dashboard.cache.cluster import ClusterCache
from dashboard.kinds import KINDS
from dashboard.kinds.base import Row

Namespaces = frozenset[str] | None  # None: every namespace


class Reader:
    """One cluster's cache as queries want it. It also fulfils the protocol through which ``insight`` reads."""

    def __init__(self, cache: ClusterCache) -> None:
        self.cache = cache
        self._rows: dict[str, dict[str, tuple[Any, Row]]] = {}

    def all(self, plural: str, namespace: str | None = None) -> Sequence[Any]:
        """Every cached object of a kind, in one namespace or in all; empty for a kind that is not watched."""
        return self.cache.store(plural).values(frozenset({namespace}) if namespace else None)

    def get(self, plural: str, namespace: str, name: str) -> Any | None:
        return self.cache.store(plural).get(namespace, name)

    def row(self, plural: str, obj: Any) -> Row:
        """The object's row; the same object gives the same row object, so that identity tells of change."""
        rows = self._rows.setdefault(plural, {})
        uid = obj.metadata.uid
        kept = rows.get(uid)
        if kept is not None and kept[0] is obj:
            return kept[1]
        row = KINDS[plural].row(obj)
        rows[uid] = (obj, row)
        return row

    def rows(self, plural: str, namespaces: Namespaces = None) -> list[Row]:
        """The rows of a kind in the given namespaces, in no order."""
        objects = self.cache.store(plural).values(namespaces)
        rows = self._rows.setdefault(plural, {})
        if len(rows) > 2 * len(self.cache.store(plural)) + 100:
            self._forget_gone(plural)
        return [self.row(plural, obj) for obj in objects]

    def states(self, plural: str, namespaces: Namespaces = None) -> Counter[str]:
        """How many rows of a kind are in each state."""
        return Counter(row.state for row in self.rows(plural, namespaces))

    def _forget_gone(self, plural: str) -> None:
        present = {obj.metadata.uid for obj in self.cache.store(plural).values(None)}
        rows = self._rows[plural]
        self._rows[plural] = {uid: kept for uid, kept in rows.items() if uid in present}
