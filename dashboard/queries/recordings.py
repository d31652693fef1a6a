"""The record of the past in the database: which moments it has, and what the stores held at one (docs/adr/0070)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Min, Q, QuerySet, Sum

from dashboard.cache.recording import Moment, Rebuilding, read_head
from dashboard.models import Recording, RecordingPiece, TimelineEvent

from .seenclusters import context_in

Type = RecordingPiece.Type
MAX_SPANS = 500  # recordings that are told of: each begins with a start of the dashboard, or after its database was away


def recordings_kept() -> timedelta:
    return timedelta(days=settings.CLUSTER_UI_REWIND_DAYS)


@dataclass(frozen=True)
class Span:
    """From when until when all is known."""

    since: datetime
    until: datetime


@dataclass(frozen=True)
class Known:
    """What is known of a cluster's past, oldest first."""

    spans: tuple[Span, ...]

    @property
    def since(self) -> datetime | None:
        return self.spans[0].since if self.spans else None

    @property
    def until(self) -> datetime | None:
        return self.spans[-1].until if self.spans else None

    def has(self, at: datetime) -> bool:
        return any(span.since <= at <= span.until for span in self.spans)

    def gaps(self, since: datetime, until: datetime) -> list[Span]:
        """What is not known between two moments, oldest first."""
        found, at = [], since
        for span in self.spans:
            if span.until <= since or span.since >= until:
                continue
            if span.since > at:
                found.append(Span(at, span.since))
            at = max(at, span.until)
        return [*found, Span(at, until)] if at < until else found

    def nearest(self, at: datetime) -> tuple[datetime | None, datetime | None]:
        """The last moment before it and the first after it that are known."""
        before = max((span.until for span in self.spans if span.until < at), default=None)
        return before, min((span.since for span in self.spans if span.since > at), default=None)


def known(context: str) -> Known:
    """The spans of a cluster: each from a recording's oldest snapshot that is complete, as what is older may be gone."""
    first = Min("pieces__at", filter=Q(pieces__type=Type.HEAD))
    rows = Recording.objects.filter(context=context).annotate(first=first).order_by("-until")
    spans = [Span(*row) for row in rows.exclude(first=None).values_list("first", "until")[:MAX_SPANS]]
    return Known(tuple(reversed(spans)))


def contexts_recorded(since: datetime) -> frozenset[str]:
    """The contexts that some process recorded, or watched for the timeline, after a moment."""
    recorded = Recording.objects.filter(until__gte=since).order_by().values_list("context", flat=True)
    watched = (
        TimelineEvent.objects.filter(type=TimelineEvent.Type.WATCHING, plural="", at__gte=since)
        .order_by()
        .values_list("context", flat=True)
    )
    return frozenset(map(context_in, recorded.distinct().union(watched.distinct())))


def moment_read(context: str, at: datetime) -> Moment | None:
    """What the stores held at a moment; None where that was not recorded. It reads, unpacks and decodes: call it in
    a thread of the database.
    """
    recording = (
        Recording.objects.filter(context=context, began_at__lte=at, until__gte=at)
        .order_by("-began_at")
        .first()
    )
    found = None if recording is None else _heads(recording).filter(at__lte=at).order_by("-at", "-pk").first()
    if recording is None or found is None:
        return None
    head = read_head(found.packed)
    making = Rebuilding(head, found.at, at)
    changes = recording.pieces.filter(type=Type.CHANGES, seq__gt=head.seq).order_by("seq")
    for piece in _pieces(changes):
        making.take_changes(piece.packed)
        if piece.at > at:
            break
    parts = 0
    for piece in _pieces(recording.pieces.filter(type=Type.PART, seq=head.seq, at=found.at).order_by("pk")):
        making.take_part(piece.packed)
        parts += 1
    return making.finish() if parts == head.parts else None  # retention was quicker


def _heads(recording: Recording) -> QuerySet[RecordingPiece]:
    return recording.pieces.filter(type=Type.HEAD)


def _pieces(rows: QuerySet[RecordingPiece]) -> Iterator[RecordingPiece]:
    """One in memory at a time, and no cursor that stays open over it."""
    for key in list(rows.values_list("pk", flat=True)):
        piece = RecordingPiece.objects.filter(pk=key).first()
        if piece is not None:
            yield piece


def spare_pieces(now: datetime) -> Iterator[list[int]]:
    """The keys of what may go, cluster by cluster, oldest first: what is too old, and what is too much. A
    head goes before the parts of its snapshot, so that no moment is told of that is not whole.
    """
    oldest = now - recordings_kept()
    for context in Recording.objects.order_by().values_list("context", flat=True).distinct():
        rows = RecordingPiece.objects.filter(recording__context=context).order_by("at", "type", "pk")
        stored = rows.aggregate(stored=Sum("stored_bytes"))["stored"] or 0
        excess = stored - settings.CLUSTER_UI_REWIND_MIB * 2**20
        keys = []
        for key, at, size in rows.values_list("pk", "at", "stored_bytes").iterator():
            if at >= oldest and excess <= 0:
                break
            keys.append(key)
            excess -= size
        yield keys
