"""What happened in a cluster: what the watches tell, written to the database in batches; retention.py takes it away.

From a cluster's first look on, its kinds stay watched for as long as the process serves: a record with holes where
nobody looked would be worth little. Where there are holes all the same (the server was not running), marks of type
``watching`` tell from when until when somebody watched.

Kinds without a module here may be hundreds: they are recorded while they are watched because somebody looks at them, and
have such marks of their own.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, DataError
from django.db.models import Max

from dashboard.database import AWAY
from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind, Ref
from dashboard.kinds.catalogue import kind_named
from dashboard.kinds.difference import ANNOTATIONS, FieldChange, field_changes
from dashboard.models import TimelineEvent
from dashboard.queries.relations import owners
from dashboard.queries.timeline import asked_for, timeline_kept

from ..database import in_database
from .background import begin
from .session import THE_INSTALLATION

if TYPE_CHECKING:
    from .runtime import ClusterRuntime

log = logging.getLogger(__name__)

Type = TimelineEvent.Type

FLUSH_SECONDS = 1.0
TIDY_SECONDS = 60.0
WAITING = 20_000  # entries that wait for the database at most; more are counted, and said
BATCH = 1000
FIELDS = 24  # of one change
NAME = 253  # characters of a name
OFTEN = 5  # changes of one annotation in an hour: what changes oftener is written by a program, for itself
# EndpointSlices repeat what pods tell.
LEFT_OUT = frozenset({"endpointslices"})
RECORDED = frozenset(KINDS) - LEFT_OUT


@dataclass
class Watch:
    """Of a kind that is recorded while somebody looks: since when it is watched now, and when that was last noted."""

    began: datetime | None = None
    noted: datetime | None = None


class Timeline:
    """One cluster's, in one process. ``start`` it on the event loop; ``subscribe`` to hear of what was written."""

    def __init__(
        self,
        runtime: ClusterRuntime,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self.lost = 0
        self._count = 0
        self._closed = False
        self._runtime = runtime
        self._waiting: dict[str, TimelineEvent] = {}
        self._changed_at: dict[str, datetime] = {}
        self._annotated: Counter[tuple[str, str]] = Counter()  # by uid and path, within this hour
        self._annotated_hour = 0
        self._subscribers: list[Callable[[], None]] = []
        self._undo: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._watches: dict[str, Watch] = {}
        self._began = self._clock()
        self._tidied = self._began - timedelta(days=1)

    def start(self) -> None:
        """Begin to record; twice does no harm."""
        if self._task is not None or self._closed:
            return
        lease = self._runtime.installation.cache.lease(RECORDED, beside=True)
        self._undo = [lease.release, *(self._listen(plural) for plural in sorted(RECORDED))]
        self._task = begin(THE_INSTALLATION, self._keep_writing(), f"timeline of {self.context}")

    @property
    def context(self) -> str:
        """Under which name it is kept."""
        return self._runtime.recognised.records

    @property
    def waiting(self) -> int:
        """Entries that are yet to be written."""
        return len(self._waiting)

    def follow(self, plurals: Iterable[str]) -> None:
        """Somebody looks at these kinds: record those that are not always recorded, for as long as they are watched."""
        if self._task is None:
            return
        kinds = self._runtime.kinds
        for plural in plurals:
            if plural not in self._watches and (kind := kinds.get(plural)) is not None and kind.discovered:
                self._watches[plural] = Watch()
                self._undo.append(self._listen(plural))

    async def close(self) -> None:
        self._closed = True
        for undo in self._undo:
            undo()
        self._undo = []
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
            try:
                await self._write()
                await self._note_watches(ending=True)
                await self._mark(self._clock())
            except Exception:
                log.exception("writing the end of the timeline of %s", self.context)

    def subscribe(self, written: Callable[[], None]) -> Callable[[], None]:
        """Calls back after each batch that was written. Returns what ends that."""
        self._subscribers.append(written)
        return lambda: self._subscribers.remove(written) if written in self._subscribers else None

    def changed_at(self, uid: str) -> datetime | None:
        """When an object last came or changed in a field that the cache keeps, as far as is known."""
        return self._changed_at.get(uid)

    def _listen(self, plural: str) -> Callable[[], None]:
        take = self._take_events if plural == "events" else lambda deltas: self._take(plural, deltas)
        return self._runtime.installation.cache.store(plural).subscribe(take)

    # ---- What the watches tell

    def _take(self, plural: str, deltas: Sequence[Any]) -> None:
        # A watch that begins lists what is there, one that ends empties its store: nothing of that has happened.
        watching = self._runtime.installation.cache.status(plural).state in ("live", "reconnecting")
        now = self._clock()
        for delta in deltas:
            if delta.type == "ADDED":
                self._added(plural, delta.new, now)
            elif watching and delta.type == "MODIFIED":
                self._changed(plural, delta.old, delta.new, now)
            elif watching and self._runtime.installation.cache.knows(plural, delta.namespace):
                # Not where a namespace may be read no more: what is forgotten is not deleted.
                self._deleted(plural, delta.old, now)

    def _added(self, plural: str, obj: Any, now: datetime) -> None:
        """Of what a first list shows, what was made within the time that is kept."""
        at = obj.metadata.creation_timestamp or now
        if at > now - timeline_kept():
            self._changed_at.setdefault(obj.metadata.uid, at)
            self._put(Type.ADDED, f"{obj.metadata.uid}@created", at, plural, obj, {})

    def _changed(self, plural: str, old: Any, new: Any, now: datetime) -> None:
        uid = new.metadata.uid
        fields = [each for each in field_changes(old, new) if not self._too_often(uid, each[0], now)]
        if fields:
            self._changed_at[uid] = now
            # Named by its version, as every process that watches sees the same ones.
            key = f"{uid}@{new.metadata.resource_version}"
            managed = new.metadata.controller is not None
            notable = any(asked_for(path, before, managed=managed) for path, before, _ in fields)
            self._put(Type.CHANGED, key, now, plural, new, _fields(fields), notable=notable)

    def _too_often(self, uid: str, path: str, now: datetime) -> bool:
        if not path.startswith(ANNOTATIONS):
            return False
        hour = int(now.timestamp() // 3600)
        if hour != self._annotated_hour:
            self._annotated, self._annotated_hour = Counter(), hour
        self._annotated[uid, path] += 1
        return self._annotated[uid, path] > OFTEN

    def _deleted(self, plural: str, obj: Any, now: datetime) -> None:
        self._changed_at.pop(obj.metadata.uid, None)
        self._put(Type.DELETED, f"{obj.metadata.uid}@deleted", now, plural, obj, {})

    def _take_events(self, deltas: Sequence[Any]) -> None:
        now = self._clock()
        for delta in deltas:
            event = delta.new
            at = event.last_seen if event is not None else None
            if event is None or at is None or at < now - timeline_kept():
                continue
            about = event.involved_object
            kind = kind_named(self._kinds, about.api_version, about.kind)
            what = {
                "reason": _clean(event.reason, 128),
                "message": _clean(event.message.strip(), 1000),
                "warning": event.type == "Warning",
                "times": event.times,
            }
            obj = (
                self._runtime.installation.reader.get(kind.plural, about.namespace, about.name)
                if kind
                else None
            )
            ref = Ref(about.kind, about.namespace, about.name, kind.plural if kind else "")
            key = f"{event.metadata.uid}@event"
            self._put_about(Type.EVENT, key, at, ref, about.uid, obj, what, notable=what["warning"])

    def _put(
        self,
        type_: str,
        key: str,
        at: datetime,
        plural: str,
        obj: Any,
        what: dict[str, Any],
        *,
        notable: bool | None = None,
    ) -> None:
        """``notable`` None: unless a controller creates and deletes the object."""
        ref = Ref(self._kinds[plural].kind, obj.metadata.namespace, obj.metadata.name, plural)
        if notable is None:
            notable = obj.metadata.controller is None
        self._put_about(type_, key, at, ref, obj.metadata.uid, obj, what, notable=notable)

    def _put_about(
        self,
        type_: str,
        key: str,
        at: datetime,
        ref: Ref,
        uid: str,
        obj: Any | None,
        what: dict[str, Any],
        *,
        notable: bool,
    ) -> None:
        if len(self._waiting) >= WAITING and key not in self._waiting:
            self.lost += 1
            return
        owner_plural, owner_name = self._owner(obj)
        self._count = (self._count + 1) % 100_000
        self._waiting[key] = TimelineEvent(
            context=self.context,
            key=key,
            # No two at the same moment, so that a page can begin where the one before it ended.
            at=at + timedelta(microseconds=self._count),
            type=type_,
            plural=ref.plural,
            namespace=_clean(ref.namespace, NAME),
            name=_clean(ref.name, NAME),
            uid=_clean(uid, 64),
            owner_plural=owner_plural,
            owner_name=_clean(owner_name, NAME),
            notable=notable,
            what=what,
        )

    @property
    def _kinds(self) -> Mapping[str, Kind[Any]]:
        return self._runtime.installation.reader.cache.kinds

    def _owner(self, obj: Any) -> tuple[str, str]:
        """What an object belongs to in the end, of the kinds with a module here: what happens to a pod is told with its
        Deployment, whoever made that. Without such an owner it is told with what made it.
        """
        reader = self._runtime.installation.reader
        chain = owners(reader, self._kinds, obj) if obj is not None else []
        known = (ref for ref in chain if ref.plural in KINDS)
        top = next(known, None) or next((ref for ref in chain if ref.plural), None)
        return (top.plural, top.name) if top is not None else ("", "")

    # ---- The database

    async def _keep_writing(self) -> None:
        try:
            await self._recall()
        except Exception:
            log.exception("reading the timeline of %s", self.context)
        while True:
            await self._sleep(FLUSH_SECONDS)
            for step in (self._write, self._tidy, self._note_watches):
                try:
                    await step()
                except AWAY as error:
                    log.warning("the timeline of %s waits: %s", self.context, error)
                except Exception:
                    log.exception("writing the timeline of %s", self.context)

    async def _recall(self) -> None:
        """When each object changed last, as far as an earlier process has written it."""
        for uid, at in (await in_database(_last_changes)(self.context)).items():
            self._changed_at[uid] = max(at, self._changed_at.get(uid, at))

    async def _write(self) -> None:
        """What waits, oldest first; what could not be written waits on."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, {}
        try:
            await in_database(_write)(waiting.values())
        except DataError:
            # The database does not take one of them: it must not hold up the others.
            self.lost += await in_database(_write_each)(waiting.values())
        except DatabaseError:
            self._waiting = {**waiting, **self._waiting}
            raise
        for written in tuple(self._subscribers):
            written()

    async def _tidy(self) -> None:
        """Keeps the mark of this watch up to date and forgets what is not kept any more, every minute."""
        now = self._clock()
        if (now - self._tidied).total_seconds() < TIDY_SECONDS:
            return
        self._tidied = now
        await self._mark(now)
        oldest = now - timeline_kept()
        self._changed_at = {uid: at for uid, at in self._changed_at.items() if at > oldest}

    async def _mark(self, now: datetime) -> None:
        lost, self.lost = self.lost, 0
        mark = {"since": self._began.isoformat(), "lost": lost}
        key = f"watching@{self._began.isoformat()}"
        await in_database(_mark)(self.context, key, now, mark)

    async def _note_watches(self, *, ending: bool = False) -> None:
        """The marks of the kinds that are not always watched: when their watch begins, every few minutes, at its end."""
        now = self._clock()
        for plural, watch in list(self._watches.items()):  # somebody may look at another kind meanwhile
            watched = self._runtime.installation.cache.watches(plural)
            if watched and watch.began is None:
                watch.began = now
            if watch.began is None:
                continue
            recent = watch.noted is not None and (now - watch.noted).total_seconds() < TIDY_SECONDS
            if not recent or ending or not watched:
                await in_database(_note)(self.context, plural, watch.began, now)
                watch.noted = now
            if not watched:
                watch.began = watch.noted = None


def _fields(fields: list[FieldChange]) -> dict[str, Any]:
    shown = [[_clean(text, 512) for text in each] for each in fields[:FIELDS]]
    return {"fields": shown, "more": max(0, len(fields) - FIELDS)}


def _clean(text: str, most: int) -> str:
    """What a database takes: whoever writes an Event writes what he likes into it."""
    return text.replace("\0", "")[:most]


def _write(entries: Iterable[TimelineEvent]) -> None:
    # An Event that comes again is the same one, later; all else that is there already is there from another process.
    TimelineEvent.objects.bulk_create(
        entries,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["context", "key"],
        update_fields=["at", "notable", "what"],
    )


def _write_each(entries: Iterable[TimelineEvent]) -> int:
    """One by one; how many were not taken."""
    lost = 0
    for each in entries:
        try:
            _write([each])
        except DataError:
            lost += 1
    return lost


def _last_changes(context: str) -> dict[str, datetime]:
    kept = TimelineEvent.objects.filter(context=context)
    rows = kept.filter(type__in=(Type.ADDED, Type.CHANGED))
    rows = rows.exclude(uid__in=kept.filter(type=Type.DELETED).values("uid"))
    return dict(rows.order_by().values_list("uid").annotate(Max("at")))


def _mark(context: str, key: str, now: datetime, mark: dict[str, Any]) -> None:
    """A mark stands at the moment until which its process has watched."""
    kept = TimelineEvent.objects.filter(context=context)
    found = kept.filter(key=key).first()
    if found is not None:
        mark["lost"] += found.what.get("lost", 0)
    TimelineEvent.objects.update_or_create(
        context=context, key=key, defaults={"at": now, "type": Type.WATCHING, "what": mark}
    )


def _note(context: str, plural: str, began: datetime, now: datetime) -> None:
    since = began.isoformat()
    TimelineEvent.objects.update_or_create(
        context=context,
        key=f"watching@{since}@{plural}"[:160],
        defaults={"at": now, "type": Type.WATCHING, "plural": plural, "what": {"since": since, "lost": 0}},
    )
