"""Objects and rows out of the cache's stores, each row made once per version of its object."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from dashboard.cache.cluster import ClusterCache
from dashboard.cache.store import Delta
from dashboard.insight import Finding, findings
from dashboard.insight.relations import Relations
from dashboard.insight.usedby import SOURCES, Users, used_by
from dashboard.kinds import KINDS
from dashboard.kinds.base import Column, Row
from dashboard.kinds.rows import shorten

from .access import Visible
from .seen import Seen

Namespaces = frozenset[str] | None  # None: every namespace


# A Service or an Ingress says nothing of itself: how it is, only the objects behind it tell.
_BEHIND = frozenset(
    {
        "services", "pods", "endpointslices", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs",
        "cronjobs",
    }
)  # fmt: skip
_NEEDED = {"services": _BEHIND, "ingresses": _BEHIND | {"ingresses"}}
# What else they are judged by, for who may list that too: only such a person learns which Secrets there are not.
_BESIDES = {
    "services": frozenset({"namespaces"}),
    "ingresses": frozenset({"namespaces", "secrets", "ingressclasses"}),
}
JUDGED_BY = {plural: _NEEDED[plural] | _BESIDES[plural] for plural in _NEEDED}
Judged = Mapping[str, frozenset[str]]  # kinds that are judged, each by which kinds
NONE_JUDGED: Judged = {}
JUDGE_SECONDS = 1.0
SLICE = 200  # objects read for their relations at a time: some 10 ms


def judgeable(seen: Mapping[str, Visible]) -> Judged:
    """The kinds whose objects may be shown with the state that others give them, and which others: those that may be
    listed wherever the kind itself may."""
    by = {
        plural: frozenset(each for each in judges if _covers(seen.get(each), seen[plural]))
        for plural, judges in JUDGED_BY.items()
        if plural in seen
    }
    return {plural: judges for plural, judges in by.items() if _NEEDED[plural] <= judges}


def _covers(one: Visible | None, other: Visible) -> bool:
    if one is None or one.denied is not None:
        return False
    return one.namespaces is None or (other.namespaces is not None and other.namespaces <= one.namespaces)


class Reader:
    """One cluster's cache as queries want it. It also fulfils the protocol through which ``insight`` reads.

    ``judged``: the kinds whose rows have the state that objects of other kinds give (see ``judgeable``); others have
    only what they say of themselves.
    """

    def __init__(self, cache: ClusterCache) -> None:
        self.cache = cache
        self.version = ""  # the API server's, once it was asked
        self._rows: dict[str, dict[str, tuple[Any, tuple[Column, ...], Row]]] = {}
        self._judged: dict[frozenset[str], tuple[float, dict[tuple[str, str, str], Finding]]] = {}
        self._users: Users | None = None
        self._unread: list[tuple[str, str, str]] = []  # plural, namespace, name

    def all(self, plural: str, namespace: str | None = None) -> Sequence[Any]:
        """Every cached object of a kind, in one namespace or in all; empty for a kind that is not watched."""
        return self.cache.store(plural).values(frozenset({namespace}) if namespace else None)

    def get(self, plural: str, namespace: str, name: str) -> Any | None:
        return self.cache.store(plural).get(namespace, name)

    def reads(self, plural: str, namespace: str = "") -> bool:
        """Whether all objects of a kind in a namespace are in the cache, be they as they were before the connection
        was lost.
        """
        if plural not in KINDS or self.cache.denied(plural) is not None:
            return False
        scopes = self.cache.scopes(plural)
        if self.cache.status(plural).state == "live":
            return scopes is None or namespace in scopes
        return scopes is None and len(self.cache.store(plural)) > 0

    async def know_users(self) -> None:
        """Reads who uses what from everything cached, before it is first asked for: some objects at a time, so that
        nobody else waits. From then on changes alone keep it right.
        """
        self._follow()
        while self._unread:
            self._read_some(SLICE)
            await asyncio.sleep(0)

    def used_by(self, plural: str, obj: Any) -> Relations:
        """What uses an object, of all that is cached, whoever may see it."""
        users = self._follow()
        self._read_some(len(self._unread))
        return used_by(self, users, plural, obj)

    def made_by(self, uid: str) -> Relations:
        """What names an object of a kind without a module here as its owner, of all that is cached."""
        users = self._follow()
        self._read_some(len(self._unread))
        return users.made_by(uid)

    def _follow(self) -> Users:
        if self._users is None:
            self._users = Users()
            for plural in SOURCES:
                store = self.cache.store(plural)
                store.subscribe(partial(_tell, self._users, plural))
                self._unread += [(plural, *key_of(obj)) for obj in store.values(None)]
        return self._users

    def _read_some(self, count: int) -> None:
        users = self._follow()
        for _ in range(min(count, len(self._unread))):
            plural, namespace, name = self._unread.pop()
            # As it is now: it may have changed or gone since it was noted.
            if (obj := self.get(plural, namespace, name)) is not None:
                users.change(plural, None, obj)

    def knows(self, plural: str, namespace: str) -> bool | None:
        """Whether what is cached of a kind is all there is in a namespace; None where it may not be listed."""
        return self.cache.knows(plural, namespace)

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

    def judged_row(self, plural: str, obj: Any, judged: Judged) -> Row:
        """The object's row, of a ``judged`` kind with the state that the objects behind it give it."""
        row = self.row(plural, obj)
        return self._judge(plural, row, judged[plural]) if plural in judged else row

    def rows(self, plural: str, namespaces: Namespaces = None, judged: Judged = NONE_JUDGED) -> list[Row]:
        """The rows of a kind in the given namespaces, in no order."""
        objects = self.cache.store(plural).values(namespaces)
        rows = self._rows.setdefault(plural, {})
        if len(rows) > 2 * len(self.cache.store(plural)) + 100:
            self._forget_gone(plural)
        found = [self.row(plural, obj) for obj in objects]
        if plural not in judged:
            return found
        return [self._judge(plural, each, judged[plural]) for each in found]

    def _judge(self, plural: str, row: Row, by: frozenset[str]) -> Row:
        finding = self._findings(by).get((plural, row.namespace, row.name))
        if finding is None:
            return row
        # The row names the object already.
        said = "".join(text for text, _ in finding.text[1:]).strip().removeprefix(f"in {row.namespace} ")
        state = row.state if finding.severity == "note" else finding.severity
        return msgspec.structs.replace(row, state=state, reason=shorten(said, 160))

    def _findings(self, by: frozenset[str]) -> dict[tuple[str, str, str], Finding]:
        """What is wrong by objects of these kinds alone, by object; nothing while not all have been listed, or
        refused."""
        for needed in by:
            if self.cache.status(needed).state != "live" and self.cache.denied(needed) is None:
                return {}
        made, kept = self._judged.get(by, (0.0, {}))
        if time.monotonic() - made > JUDGE_SECONDS:
            found = findings(Seen(self, dict.fromkeys(by, Visible())), datetime.now(UTC))
            kept = {(each.plural, each.namespace, each.name): each for each in reversed(found)}
            self._judged[by] = (time.monotonic(), kept)
        return kept

    def states(
        self, plural: str, namespaces: Namespaces = None, judged: Judged = NONE_JUDGED
    ) -> Counter[str]:
        """How many rows of a kind are in each state."""
        return Counter(row.state for row in self.rows(plural, namespaces, judged))

    def _forget_gone(self, plural: str) -> None:
        present = {obj.metadata.uid for obj in self.cache.store(plural).values(None)}
        rows = self._rows[plural]
        self._rows[plural] = {uid: kept for uid, kept in rows.items() if uid in present}


def key_of(obj: Any) -> tuple[str, str]:
    return obj.metadata.namespace, obj.metadata.name


def _tell(users: Users, plural: str, deltas: Sequence[Delta[Any]]) -> None:
    for delta in deltas:
        users.change(plural, delta.old, delta.new)
