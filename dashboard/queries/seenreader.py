"""The cache as a session reads it: whatever is made for somebody comes through this."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from dashboard.cache.reflector import ReflectorStatus
from dashboard.errors import ClusterError
from dashboard.insight.relations import Relations
from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind, Ref, Row

from .access import Visible
from .events import EventGroup
from .reader import Judged, Namespaces, Reader, judgeable
from .seen import Seen
from .selections import Selecting, Selection


class SeenReader(Seen):
    """Rows, counts and relations of what ``visible`` says, and of nothing else.

    All who look share the rows themselves; rights are namespaces, so that they cost nothing an object (docs/adr/0032).
    """

    def __init__(self, whole: Reader, visible: Mapping[str, Visible] | None = None) -> None:
        super().__init__(whole, visible or {})
        self._all_cached = whole
        self._judged: tuple[Mapping[str, Visible], Judged] | None = None

    def again(self) -> SeenReader:
        """The same cache, of which nothing may be seen yet."""
        return SeenReader(self._all_cached)

    @property
    def kinds(self) -> Mapping[str, Kind[Any]]:
        """All that the cluster offers; whoever may sign in may read which."""
        return self._all_cached.cache.kinds

    # ---- What is known

    def listed(self, plural: str) -> bool:
        """Whether a kind's rows are known: all were read at least once, be it before the connection was lost, and it is
        known where they may be seen.
        """
        return self.unknown(plural) is None and self._all_cached.cache.listed(plural)

    def unknown(self, plural: str) -> ClusterError | None:
        """Why it could not be found out whether a kind may be seen."""
        seen = self.visible.get(plural)
        return None if seen is None else seen.unknown

    def may_see(self, plural: str) -> bool:
        """Whether a kind may be listed somewhere, or that is not known yet; one that nobody asked about may not."""
        seen = self.visible.get(plural)
        return seen is not None and seen.denied is None

    def status(self, plural: str) -> ReflectorStatus:
        """How fresh a kind is."""
        return self._all_cached.cache.status(plural)

    def watches(self, plural: str) -> bool:
        """Whether a kind is kept up to date just now."""
        return self._all_cached.cache.watches(plural)

    def scopes(self, plural: str) -> frozenset[str] | None:
        """The namespaces of which the dashboard reads a kind, whoever looks; None: the whole cluster."""
        return self._all_cached.cache.scopes(plural)

    def failure(self, plural: str) -> ClusterError | None:
        """Why a kind has no rows yet, when its first list failed or the right to it could not be found out."""
        status = self.status(plural)
        failed = status.error if status.state in ("reconnecting", "stopped") else None
        return failed or self.unknown(plural)

    def last_change(self, plural: str) -> datetime | None:
        """When anything of a kind changed last, for whoever may see all that is cached of it."""
        within, scopes = self.within(plural), self._all_cached.cache.scopes(plural)
        whole = within is None or (scopes is not None and scopes <= within)
        return self._all_cached.cache.store(plural).last_change if whole else None

    def knows(self, plural: str, namespace: str) -> bool | None:
        """Whether what is here of a kind is all there is in a namespace; None where it may not be listed. Of a kind that
        nobody asked about that is not known."""
        if plural not in self.visible or self.unknown(plural) is not None:
            return False
        return self._all_cached.knows(plural, namespace) if self.sees(plural, namespace) else None

    def lacks(self, ref: Ref) -> bool:
        """Whether there certainly is no such object; of what may not be listed, or is still read, that is not known."""
        known = ref.plural in KINDS and self.reads(ref.plural, ref.namespace)
        return known and self.get(ref.plural, ref.namespace, ref.name) is None

    # ---- Objects and rows

    def values(self, plural: str, namespaces: Namespaces = None) -> Sequence[Any]:
        """The objects of a kind in these namespaces, in no order."""
        return self._all_cached.cache.store(plural).values(self.within(plural, namespaces))

    def count(self, plural: str, namespaces: Namespaces = None) -> int:
        """How many objects ``values()`` has."""
        return self._all_cached.cache.store(plural).count(self.within(plural, namespaces))

    def namespaces(self, plural: str) -> frozenset[str]:
        """Those that hold objects of a kind."""
        there, within = self._all_cached.cache.store(plural).namespaces(), self.within(plural)
        return there if within is None else there & within

    @property
    def judged(self) -> Judged:
        """See ``judgeable``."""
        if self._judged is None or self._judged[0] is not self.visible:
            self._judged = self.visible, judgeable(self.visible)
        return self._judged[1]

    def latest_events(self, namespaces: Namespaces, count: int) -> Sequence[EventGroup]:
        """The latest of some namespaces, newest first, those that say the same as one."""
        return self._all_cached.events.latest(self.within("events", namespaces), count)

    def events_about(
        self, namespaces: Namespaces, uids: Collection[str], named: Collection[Ref]
    ) -> Sequence[EventGroup]:
        """Those about these objects, newest first."""
        return self._all_cached.events.about(self.within("events", namespaces), uids, named)

    def changed_at(self, plurals: Iterable[str]) -> float:
        """When an object of these kinds was last heard to be another, by the clock of ``time.monotonic()``."""
        return self._all_cached.changed_at(plurals)

    async def judge(self) -> None:
        """Find out, in a thread, what rows are judged by, before one that is judged is asked for."""
        await self._all_cached.judge(self.judged)

    def row(self, plural: str, obj: Any) -> Row:
        """The row of an object that was read here."""
        return self._all_cached.row(plural, obj)

    def judged_row(self, plural: str, obj: Any) -> Row:
        """The same, with the state that the objects behind it give it, as far as those may be seen."""
        return self._all_cached.judged_row(plural, obj, self.judged)

    def owes(self, plurals: Iterable[str]) -> bool:
        """Whether so much has changed of these kinds that ``make_rows`` takes it in before the next answer."""
        return self._all_cached.owes(plurals)

    async def make_rows(self, plural: str) -> None:
        """Makes the rows of a kind that have not been made yet, in slices."""
        await self._all_cached.make_rows(plural)

    def rows(self, plural: str, namespaces: Namespaces = None, *, judged: bool = True) -> list[Row]:
        """The rows of a kind in the given namespaces, in no order; unless ``judged``, as they say of themselves."""
        within = self.within(plural, namespaces)
        return self._all_cached.rows(plural, within, self.judged if judged else {})

    def states(self, plural: str, namespaces: Namespaces = None, *, judged: bool = True) -> Counter[str]:
        """How many rows of a kind are in each state."""
        within = self.within(plural, namespaces)
        return self._all_cached.states(plural, within, self.judged if judged else {})

    def labels(self, plural: str, namespaces: Namespaces = None) -> Counter[str]:
        """How many rows of a kind have a label of each key."""
        return self._all_cached.labels(plural, self.within(plural, namespaces))

    def texts(self, plural: str, column: str, namespaces: Namespaces = None) -> Counter[str]:
        """How many rows of a kind have each text in a column that an address may ask for."""
        return self._all_cached.texts(plural, column, self.within(plural, namespaces))

    def select(self, plural: str, selecting: Selecting, namespaces: Namespaces = None) -> Selection:
        """The rows of a kind that fit, in order, of the given namespaces."""
        return self._all_cached.select(plural, self._narrowed(plural, selecting, namespaces), self.judged)

    def selects(self, plural: str, selecting: Selecting, namespaces: Namespaces = None) -> bool:
        """Whether a selection is there already."""
        name = self._narrowed(plural, selecting, namespaces).name
        return self._all_cached.has(plural, name, self.judged)

    async def make(self, plural: str, selecting: Selecting, namespaces: Namespaces = None) -> None:
        """Makes a selection in slices, before it is asked for."""
        await self._all_cached.make(plural, self._narrowed(plural, selecting, namespaces), self.judged)

    def _narrowed(self, plural: str, selecting: Selecting, namespaces: Namespaces) -> Selecting:
        within = self.within(plural, namespaces)
        if within is None:
            return selecting
        fits = selecting.fits
        return replace(
            selecting,
            name=(selecting.name, within),
            fits=lambda row: row.namespace in within and fits(row),
        )

    # ---- Relations

    async def know_users(self) -> None:
        """Reads who uses what, before it is first asked for."""
        await self._all_cached.know_users()

    def used_by(self, plural: str, obj: Any) -> Relations:
        """What uses an object, of what may be seen."""
        return self._of_seen(self._all_cached.used_by(plural, obj))

    def used_by_other(self, target: Ref, uid: str) -> Relations:
        """What names an object of a kind without a module here, of what may be seen."""
        return self._of_seen(self._all_cached.used_by_other(target, uid))

    def sees_ref(self, ref: Ref) -> bool:
        """Whether the user may list the object."""
        return self.sees(ref.plural, ref.namespace)

    def hides(self, plurals: Iterable[str], namespace: str) -> tuple[str, ...]:
        """Those of the kinds that the user may not list there."""
        return tuple(plural for plural in plurals if not self.sees(plural, namespace))

    def _of_seen(self, found: Relations) -> Relations:
        return {ref: ways for ref, ways in found.items() if self.sees_ref(ref)}
