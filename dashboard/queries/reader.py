"""Objects and rows out of the cache's stores, each row made once per version of its object."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from dashboard.cache.cluster import ClusterCache
from dashboard.insight import Finding, findings
from dashboard.kinds.base import Column, Row
from dashboard.kinds.rows import shorten

Namespaces = frozenset[str] | None  # None: every namespace


# A Service or an Ingress says nothing of itself: how it is, only the objects behind it tell.
JUDGED_BY = {
    "services": frozenset({"services", "pods", "endpointslices", "deployments", "replicasets"}),
    "ingresses": frozenset({"ingresses", "services", "pods", "endpointslices", "deployments", "replicasets"}),
}
JUDGE_SECONDS = 1.0


class Reader:
    """One cluster's cache as queries want it. It also fulfils the protocol through which ``insight`` reads."""

    def __init__(self, cache: ClusterCache) -> None:
        self.cache = cache
        self._rows: dict[str, dict[str, tuple[Any, tuple[Column, ...], Row]]] = {}
        self._judged: tuple[float, dict[tuple[str, str, str], Finding]] = (0.0, {})

    def all(self, plural: str, namespace: str | None = None) -> Sequence[Any]:
        """Every cached object of a kind, in one namespace or in all; empty for a kind that is not watched."""
        return self.cache.store(plural).values(frozenset({namespace}) if namespace else None)

    def get(self, plural: str, namespace: str, name: str) -> Any | None:
        return self.cache.store(plural).get(namespace, name)

    def row(self, plural: str, obj: Any) -> Row:
        """The object's row; the same object gives the same row object, so that identity tells of change."""
        kind = self.cache.kinds[plural]
        rows = self._rows.setdefault(plural, {})
        uid = obj.metadata.uid
        kept = rows.get(uid)
        if kept is not None and kept[0] is obj and kept[1] is kind.columns:
            return kept[2]
        row = kind.row(obj)
        rows[uid] = (obj, kind.columns, row)
        return row

    def judged_row(self, plural: str, obj: Any) -> Row:
        """The object's row, with the state that the objects behind it give it."""
        row = self.row(plural, obj)
        return self._judge(plural, row) if plural in JUDGED_BY else row

    def rows(self, plural: str, namespaces: Namespaces = None) -> list[Row]:
        """The rows of a kind in the given namespaces, in no order."""
        objects = self.cache.store(plural).values(namespaces)
        rows = self._rows.setdefault(plural, {})
        if len(rows) > 2 * len(self.cache.store(plural)) + 100:
            self._forget_gone(plural)
        found = [self.row(plural, obj) for obj in objects]
        return [self._judge(plural, each) for each in found] if plural in JUDGED_BY else found

    def _judge(self, plural: str, row: Row) -> Row:
        finding = self._findings(plural).get((plural, row.namespace, row.name))
        if finding is None:
            return row
        # The row names the object already.
        said = "".join(text for text, _ in finding.text[1:]).strip().removeprefix(f"in {row.namespace} ")
        reason = shorten(said, 160)
        return msgspec.structs.replace(row, state=finding.severity, reason=reason)

    def _findings(self, plural: str) -> dict[tuple[str, str, str], Finding]:
        """What is wrong, by object; nothing while the kinds behind it have not all been listed."""
        if any(self.cache.status(needed).state != "live" for needed in JUDGED_BY[plural]):
            return {}
        made, kept = self._judged
        if time.monotonic() - made > JUDGE_SECONDS:
            found = findings(self, datetime.now(UTC))
            kept = {(each.plural, each.namespace, each.name): each for each in reversed(found)}
            self._judged = (time.monotonic(), kept)
        return kept

    def states(self, plural: str, namespaces: Namespaces = None) -> Counter[str]:
        """How many rows of a kind are in each state."""
        return Counter(row.state for row in self.rows(plural, namespaces))

    def _forget_gone(self, plural: str) -> None:
        present = {obj.metadata.uid for obj in self.cache.store(plural).values(None)}
        rows = self._rows[plural]
        self._rows[plural] = {uid: kept for uid, kept in rows.items() if uid in present}
