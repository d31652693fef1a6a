"""Records a cluster's objects, so that pages can show the past: each hour a snapshot, between two of them every change.

Of several processes one records: the database has room for one recording a context that goes on. Another takes over when
that was not written to for a minute. What could not be recorded is a gap, and pages say so. See docs/adr/0070.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction

from dashboard import clock
from dashboard.cache.recording import PART, Head, Heard, KindState, pack_changes, pack_head, pack_part
from dashboard.database import AWAY, in_database
from dashboard.insight import findings, problems
from dashboard.kinds import KINDS
from dashboard.loop import off_loop
from dashboard.models import Recording, RecordingPiece
from dashboard.queries.frozen import Frozen
from dashboard.queries.problemspans import note_problems

from .background import begin
from .session import THE_INSTALLATION

if TYPE_CHECKING:
    from .runtime import ClusterRuntime

log = logging.getLogger(__name__)

Type = RecordingPiece.Type
RECORDED = frozenset(KINDS)
FLUSH_SECONDS = 10.0
SNAPSHOT_EVERY = timedelta(hours=1)
PROBLEMS_EVERY = timedelta(minutes=1)
SETTLE_SECONDS = 60.0  # for the first lists
FORSAKEN = timedelta(minutes=1)  # after that, another process takes over
WAITING = 50_000  # changes that wait for the database at most; with more, the recording ends
AT_ONCE = 2_000  # changes of a piece
_NEVER = datetime.min.replace(tzinfo=UTC)


class Recorder:
    """One cluster's, in one process. ``start`` it on the event loop."""

    def __init__(
        self,
        runtime: ClusterRuntime,
        *,
        clock: Callable[[], datetime] = clock.now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._sleep = sleep
        self._recording: int | None = None  # its key, while this process records
        self._seq = 0
        self._at = _NEVER
        self._waiting: list[Heard] = []
        self._states: dict[str, KindState] = {}
        self._snapshot_at = self._judged_at = _NEVER
        self._writing = asyncio.Lock()
        self._undo: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def _context(self) -> str:
        return self._runtime.recognised.records

    def start(self) -> None:
        """Begin to record; twice does no harm."""
        if self._task is None and not self._closed:
            self.listen()
            self._task = begin(THE_INSTALLATION, self._run(), f"recording of {self._context}")

    def listen(self) -> None:
        """Hear of every change from now on; nothing of it is kept while nothing is being recorded."""
        cache = self._runtime.installation.cache
        self._undo = [
            cache.lease(RECORDED, beside=True).release,
            cache.on_status(lambda *_: self._note_states()),
            *(cache.store(plural).subscribe(partial(self._hear, plural)) for plural in sorted(RECORDED)),
        ]

    async def close(self) -> None:
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            if self._recording is not None:
                await self.flush()
                await in_database(_release)(self._recording)
        except Exception:
            log.exception("writing the end of the recording of %s", self._context)
        self._recording = None
        for undo in self._undo:
            undo()

    async def _run(self) -> None:
        await self._runtime.installation.cache.synced(RECORDED, SETTLE_SECONDS)
        while True:
            try:
                await self.step()
            except AWAY as error:
                log.warning("the recording of %s waits: %s", self._context, error)
            except Exception:
                log.exception("recording %s", self._context)
            await self._sleep(FLUSH_SECONDS)

    async def step(self) -> None:
        """Write what was heard, and a snapshot when it is time for one; or take over, where nobody records."""
        if self._recording is None:
            self._recording = await in_database(_begin)(self._context, self._now())
            self._snapshot_at = _NEVER
        else:
            await self.flush()
        if self._recording is not None and self._now() - self._snapshot_at >= SNAPSHOT_EVERY:
            await self._snapshot()
        if self._recording is not None and self._now() - self._judged_at >= PROBLEMS_EVERY:
            await self._note_problems()

    async def _note_problems(self) -> None:
        """What is wrong, by the rules, in a thread; what was and is not any more has ended."""
        now = self._judged_at = self._now()
        objects = Frozen(self._runtime.installation.reader, RECORDED)
        found = await off_loop(lambda: problems(findings(objects, now)))
        await in_database(note_problems)(self._context, now, found)

    async def flush(self) -> None:
        """Write what was heard: from now on it is known up to this moment. Nothing where another process records."""
        async with self._writing:
            if self._recording is None:
                return
            self._note_states()
            until = self._now()
            heard, self._waiting = self._waiting, []
            try:
                pieces = [
                    (each[-1].seq, each[-1].at, await off_loop(pack_changes, each))
                    for each in (heard[at : at + AT_ONCE] for at in range(0, len(heard), AT_ONCE))
                ]
                if not await in_database(_write)(self._recording, until, pieces):
                    log.info("another process records %s", self._context)
                    self._end()
            except AWAY:
                self._waiting = heard + self._waiting
                raise

    def _end(self) -> None:
        self._recording = None
        self._waiting = []

    # ---- What the stores tell

    def _now(self) -> datetime:
        """Never before what was written already, whatever becomes of the clock."""
        self._at = max(self._at, self._clock())
        return self._at

    def _hear(self, plural: str, deltas: Sequence[Any]) -> None:
        if self._recording is None:
            return
        now = self._now()
        for delta in deltas:
            self._seq += 1
            self._waiting.append(Heard(self._seq, now, plural, delta.namespace, delta.name, delta.new))
        if len(self._waiting) > WAITING:
            log.warning(
                "%d changes of %s could not be written: its recording ends", len(self._waiting), self._context
            )
            self._end()

    def _note_states(self) -> None:
        """What is known of the kinds, where that is another than before."""
        if self._recording is None:
            return
        now = self._now()
        for plural in RECORDED:
            if (state := self._state(plural)) != self._states.get(plural):
                self._states[plural] = state
                self._seq += 1
                self._waiting.append(Heard(self._seq, now, plural, state=state))

    def _state(self, plural: str) -> KindState:
        cache = self._runtime.installation.cache
        scopes, denied = cache.scopes(plural), cache.denied(plural)
        return KindState(
            cache.status(plural).state,
            cache.listed(plural),
            None if scopes is None else tuple(sorted(scopes)),
            "" if denied is None else denied.message,
        )

    # ---- Snapshots

    async def _snapshot(self) -> None:
        """All objects as they are at this moment: lists of them are made now, and written part by part."""
        recording = self._recording
        assert recording is not None  # noqa: S101 # for the type checker
        now = self._now()
        self._states = {plural: self._state(plural) for plural in RECORDED}
        seq, states = self._seq, dict(self._states)
        cache = self._runtime.installation.cache
        objects = {plural: cache.store(plural).values() for plural in sorted(RECORDED)}
        written, flushed = 0, now
        for plural, part in _parts(objects):
            packed = await off_loop(pack_part, plural, part)
            await in_database(_write_piece)(recording, Type.PART, now, seq, packed)
            written += 1
            if self._now() - flushed > timedelta(seconds=FLUSH_SECONDS):
                await self.flush()
                flushed = self._now()
        head = pack_head(Head(seq, written, states))
        await in_database(_write_piece)(recording, Type.HEAD, now, seq, head)
        self._snapshot_at = now


def _parts(objects: dict[str, list[Any]]) -> Iterable[tuple[str, list[Any]]]:
    for plural, found in objects.items():
        for at in range(0, len(found), PART):
            yield plural, found[at : at + PART]


def _begin(context: str, now: datetime) -> int | None:
    """The key of a new recording; None where another process records."""
    try:
        with transaction.atomic():
            forsaken = Recording.objects.filter(context=context, holds=True, until__lt=now - FORSAKEN)
            forsaken.update(holds=False)
            return Recording.objects.create(context=context, began_at=now, until=now).pk
    except IntegrityError:
        return None


def _release(recording: int) -> None:
    Recording.objects.filter(pk=recording).update(holds=False)


def _write(recording: int, until: datetime, pieces: Sequence[tuple[int, datetime, bytes]]) -> bool:
    """Whether the recording still goes on: only then is anything written."""
    with transaction.atomic():
        if not Recording.objects.filter(pk=recording, holds=True).update(until=until):
            return False
        for seq, at, packed in pieces:
            _write_piece(recording, Type.CHANGES, at, seq, packed)
    return True


def _write_piece(recording: int, type_: str, at: datetime, seq: int, packed: bytes) -> None:
    RecordingPiece.objects.create(
        recording_id=recording, type=type_, at=at, seq=seq, stored_bytes=len(packed), packed=packed
    )
