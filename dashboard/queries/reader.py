"""Objects and rows out of the cache's stores, each row made once per version of its object."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, NamedTuple

from dashboard import showing
from dashboard.cache.cluster import ClusterCache
from dashboard.cache.store import Delta
from dashboard.insight import findings
from dashboard.insight.protocols import Objects
from dashboard.insight.relations import Relations
from dashboard.insight.usedby import SOURCES, Users, used_by
from dashboard.kinds import declared
from dashboard.kinds.base import Ref, Row
from dashboard.loop import SLICE_SECONDS, off_loop

from .access import Visible
from .events import EventGroups
from .frozen import Frozen
from .judgedrows import WORKLOADS, JudgedRows, Verdicts
from .kindrows import KindRows
from .seen import Seen
from .selections import Selecting, Selection
from .unwell import Unwell

Namespaces = frozenset[str] | None  # None: every namespace


# A Service or an Ingress says nothing of itself: how it is, only the objects behind it tell.
_BEHIND = frozenset(
    {
        "services", "pods", "endpointslices", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs",
        "cronjobs",
    }
)  # fmt: skip
NEEDED = {"services": _BEHIND, "ingresses": _BEHIND | {"ingresses"}}
# What else they are judged by, for who may list that too: only such a person learns which Secrets there are not.
_BESIDES = {
    "services": frozenset({"namespaces"}),
    "ingresses": frozenset({"namespaces", "secrets", "ingressclasses"}),
}
JUDGED_BY = {plural: NEEDED[plural] | _BESIDES[plural] for plural in NEEDED}
JUDGES = JUDGED_BY | dict.fromkeys(WORKLOADS, JUDGED_BY["services"])
Judges = frozenset[tuple[str, Namespaces]]  # kinds, and where their objects are read
Judged = Mapping[str, Judges]  # kinds that are judged, each by what
NONE_JUDGED: Judged = {}
JUDGE_SECONDS = 1.0
JUDGE_REST = (
    50  # times as long as a judgement takes of a processor passes before the next: it takes 2 % of one
)
UNCHANGED_SECONDS = 15.0  # what lasts too long is a problem though nothing changes
JUDGED_FOR = 16  # sets of rights
OWED = 400  # rows that are taken in at once: some 20 ms
SLICE = 200  # objects read for their relations at a time: some 10 ms


def judgeable(seen: Mapping[str, Visible]) -> Judged:
    """The kinds whose objects may be shown with the state that others give them, and which others: those that may be
    listed wherever the kind itself may."""
    by = {
        plural: frozenset(
            (each, seen[each].namespaces) for each in judges if _covers(seen.get(each), seen[plural])
        )
        for plural, judges in JUDGES.items()
        if plural in seen
    }
    return {
        plural: judges for plural, judges in by.items() if _needed(plural) <= {each for each, _ in judges}
    }


def _needed(plural: str) -> frozenset[str]:
    return NEEDED.get(plural) or frozenset({plural, "pods", "replicasets"})


def _covers(one: Visible | None, other: Visible) -> bool:
    if one is None or one.denied is not None:
        return False
    return one.namespaces is None or (other.namespaces is not None and other.namespaces <= one.namespaces)


class Judgement(NamedTuple):
    """``at``: of which moment it is; ``took``: seconds of a processor. By the clocks of ``time``."""

    at: float
    took: float
    verdicts: Verdicts


class Reader:
    """One cluster's cache as queries want it. It also fulfils the protocol through which ``insight`` reads.

    ``judged``: the kinds whose rows have the state that objects of other kinds give (see ``judgeable``); others have
    only what they say of themselves.
    """

    def __init__(self, cache: ClusterCache) -> None:
        self.cache = cache
        self.version = ""  # the API server's, once it was asked
        self._rows: dict[str, KindRows] = {}
        self._judged: dict[Judges, Judgement] = {}
        self._judged_rows: dict[tuple[str, Judges], JudgedRows] = {}
        self._judging: dict[Judges, asyncio.Task[None]] = {}
        self._told: list[Callable[[], None]] = []
        self._users: Users | None = None
        self._unread: list[tuple[str, str, str]] = []  # plural, namespace, name

    def all(self, plural: str, namespace: str | None = None) -> Sequence[Any]:
        """Every cached object of a kind, in one namespace or in all; empty for a kind that is not watched."""
        return self.cache.store(plural).values(frozenset({namespace}) if namespace else None)

    def get(self, plural: str, namespace: str, name: str) -> Any | None:
        return self.cache.store(plural).get(namespace, name)

    def unwell(self) -> Sequence[Any]:
        """The pods that are not plainly healthy."""
        return self._unwell.pods()

    @cached_property
    def _unwell(self) -> Unwell:
        return Unwell(self.cache.store("pods"))

    def reads(self, plural: str, namespace: str = "") -> bool:
        """Whether all objects of a kind in a namespace are in the cache, be they as they were before the connection
        was lost.
        """
        if declared(plural) is None or not self.cache.listed(plural):
            return False
        scopes = self.cache.scopes(plural)
        return (scopes is None or namespace in scopes) and self.cache.denied(plural) is None

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

    def used_by_other(self, target: Ref, uid: str) -> Relations:
        """What names an object of a kind without a module here, of all that is cached."""
        users = self._follow()
        self._read_some(len(self._unread))
        return users.of_other(target, uid)

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

    def changed_at(self, plurals: Iterable[str]) -> float:
        """When an object of these kinds was last heard to be another, by the clock of ``time.monotonic()``."""
        return max((self.cache.store(plural).changed_at for plural in plurals), default=0.0)

    def knows(self, plural: str, namespace: str) -> bool | None:
        """Whether what is cached of a kind is all there is in a namespace; None where it may not be listed."""
        return self.cache.knows(plural, namespace)

    def row(self, plural: str, obj: Any) -> Row:
        """The object's row; the same object gives the same row object, so that identity tells of change."""
        return self._kind_rows(plural).row(obj)

    def _kind_rows(self, plural: str) -> KindRows:
        kind = self.cache.kinds[plural]
        rows = self._rows.get(plural)
        if rows is None or rows.kind is not kind:
            if rows is not None:
                rows.close()
            rows = self._rows[plural] = KindRows(kind, self.cache.store(plural))
        return rows

    @cached_property
    def events(self) -> EventGroups:
        """The Events that say the same as one; whoever asks says in which namespaces the user may see them."""
        return EventGroups(self.cache.store("events"))

    async def make_rows(self, plural: str) -> None:
        """Make the rows of a kind that have not been made yet, and the groups of Events, in slices: thousands take a
        second the first time.
        """
        if plural == "events":
            while not self.events.settle(within=SLICE_SECONDS):  # noqa: ASYNC110 others have their turn
                await asyncio.sleep(0)
        self._kind_rows(plural)
        for rows in self._every_rows(plural):
            if rows.owed:
                await rows.catch_up()

    def owes(self, plurals: Iterable[str]) -> bool:
        """Whether so much has changed of these kinds that it is taken in by ``make_rows`` before the next answer."""
        return any(self._owed(plural) > OWED for plural in plurals)

    def _owed(self, plural: str) -> int:
        if plural not in self._rows:
            return self.cache.store(plural).count() if plural in self.cache.kinds else 0
        events = self.events.owed if plural == "events" else 0
        return max(events, *(rows.owed for rows in self._every_rows(plural)), 0)

    def _every_rows(self, plural: str) -> list[KindRows]:
        """The rows of a kind that somebody asked for, as they are and as others judge them."""
        if plural not in self.cache.kinds:
            return []
        plain = [self._kind_rows(plural)] if plural in self._rows else []
        return plain + [kept.rows for (each, _), kept in self._judged_rows.items() if each == plural]

    def judged_row(self, plural: str, obj: Any, judged: Judged) -> Row:
        """The object's row, of a ``judged`` kind with the state that the objects behind it give it."""
        return self._rows_of(plural, judged).row(obj)

    def rows(self, plural: str, namespaces: Namespaces = None, judged: Judged = NONE_JUDGED) -> list[Row]:
        """The rows of a kind in the given namespaces, in no order."""
        return self._rows_of(plural, judged).all(namespaces)

    def select(self, plural: str, selecting: Selecting, judged: Judged = NONE_JUDGED) -> Selection:
        """The rows of a kind that fit, in order."""
        return self._rows_of(plural, judged).select(selecting)

    def has(self, plural: str, name: Hashable, judged: Judged = NONE_JUDGED) -> bool:
        """Whether a selection of this name is there."""
        return self._rows_of(plural, judged).has(name)

    async def make(self, plural: str, selecting: Selecting, judged: Judged = NONE_JUDGED) -> None:
        """Makes a selection in slices, before it is asked for."""
        await self._rows_of(plural, judged).make(selecting)

    def _rows_of(self, plural: str, judged: Judged) -> KindRows:
        plain, by = self._kind_rows(plural), judged.get(plural)
        if by is None:
            return plain
        kept = self._judged_rows.pop((plural, by), None)
        if kept is not None and kept.kind is not plain.kind:
            kept.rows.close()
            kept = None
        # Those that were asked for last; the oldest go.
        kept = self._judged_rows[plural, by] = kept or JudgedRows(plain, self.cache.store(plural))
        if len(self._judged_rows) > JUDGED_FOR * len(JUDGES):
            self._judged_rows.pop(next(iter(self._judged_rows))).rows.close()
        return kept.follow(self._findings(by))

    def _findings(self, by: Judges) -> Verdicts:
        """What is wrong by objects of these kinds alone, by object, be they as they were before the connection was lost;
        nothing while not all have been listed, or refused."""
        if not self._answered(by):
            return {}
        if by not in self._judged:
            # Nobody waited for it in judge(): an answer without it would be a wrong one.
            self._keep(by, _judge(self._judging_by(by), time.monotonic()))
        kept, now = self._judged[by], time.monotonic()
        if self.changed_at(plural for plural, _ in by) >= kept.at:
            # What takes long is done the more seldom, but in any case.
            self._judge_soon(by, kept.at + max(JUDGE_SECONDS, kept.took * JUDGE_REST) - now)
        elif now - kept.at > UNCHANGED_SECONDS:
            self._judge_soon(by)
        return kept.verdicts

    async def judge(self, judged: Judged) -> None:
        """Find out, in a thread, what the rows of these kinds are judged by, unless that is known. From then on it is
        kept up to date while it is asked for; see ``on_judged``.
        """
        for by in frozenset(judged.values()):
            if by not in self._judged and self._answered(by):
                await self._judge_soon(by)

    def on_judged(self, told: Callable[[], None]) -> Callable[[], None]:
        """Calls back when what rows are judged by has changed. Returns what ends that."""
        self._told.append(told)
        return lambda: self._told.remove(told) if told in self._told else None

    def _answered(self, by: Judges) -> bool:
        return all(self.cache.listed(each) or self.cache.denied(each) is not None for each, _ in by)

    def _judging_by(self, by: Judges) -> Seen:
        return Seen(self, {plural: Visible(namespaces) for plural, namespaces in by})

    def _keep(self, by: Judges, found: Judgement) -> None:
        """Those that were made last; the oldest go."""
        self._judged.pop(by, None)
        self._judged[by] = found
        if len(self._judged) > JUDGED_FOR:
            del self._judged[next(iter(self._judged))]

    def _judge_soon(self, by: Judges, wait: float = 0.0) -> asyncio.Task[None]:
        if by not in self._judging:
            self._judging[by] = asyncio.create_task(self._judge_by(by, wait))
        return self._judging[by]

    async def _judge_by(self, by: Judges, wait: float) -> None:
        try:
            await asyncio.sleep(wait)
            before = self._judged.get(by)
            frozen = Frozen(self._judging_by(by), (each for each, _ in by))
            found = await off_loop(_judge, frozen, time.monotonic())
            self._keep(by, found)
        finally:
            del self._judging[by]
        if before is not None and found.verdicts != before.verdicts:
            for told in tuple(self._told):
                told()

    def states(
        self, plural: str, namespaces: Namespaces = None, judged: Judged = NONE_JUDGED
    ) -> Counter[str]:
        """How many rows of a kind are in each state."""
        return self._rows_of(plural, judged).states(namespaces)

    def labels(self, plural: str, namespaces: Namespaces = None) -> Counter[str]:
        """How many rows of a kind have a label of each key."""
        return self._kind_rows(plural).labels(namespaces)

    def texts(self, plural: str, column: str, namespaces: Namespaces = None) -> Counter[str]:
        """How many rows of a kind have each text in a column that an address may ask for (``MATCHED``)."""
        return self._kind_rows(plural).texts(column, namespaces)


def _judge(objects: Objects, at: float) -> Judgement:
    """What is wrong, by object: the worst of each."""
    began = time.thread_time()
    found = findings(objects, showing.now())
    verdicts = {(each.plural, each.namespace, each.name): each for each in reversed(found)}
    return Judgement(at, time.thread_time() - began, verdicts)


def key_of(obj: Any) -> tuple[str, str]:
    return obj.metadata.namespace, obj.metadata.name


def _tell(users: Users, plural: str, deltas: Sequence[Delta[Any]]) -> None:
    for delta in deltas:
        users.change(plural, delta.old, delta.new)
