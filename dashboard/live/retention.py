"""What the database keeps, and for how long: a task in each server process takes away what is too old or too much.

In slices, so that nobody waits for it: a slice holds the database for some milliseconds. What no rule names grows only
when somebody asks for it: local users, permits, choices of columns (docs/limits.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from dashboard.admins import OF_ISSUER
from dashboard.audit.checkpoints import audit_prune
from dashboard.database import AWAY, in_database
from dashboard.models import (
    AccountMapping,
    AddedCluster,
    AuditEntry,
    Backup,
    Change,
    ConfigMapContent,
    ConfigMapVersion,
    HourlyFigures,
    Operation,
    OperationResult,
    ProblemSpan,
    Recording,
    RecordingPiece,
    SeenCluster,
    SigninLink,
    TimelineEvent,
)
from dashboard.queries.recordings import recordings_kept, spare_pieces
from dashboard.queries.timeline import timeline_kept

from .acting import OF_A_CLUSTER
from .background import begin
from .session import THE_INSTALLATION

log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
SLICE, PAUSE_SECONDS = 500, 0.05
TIMELINE_ROWS = 200_000  # of a cluster, however much happens
PROBLEM_ROWS = 50_000  # of a cluster
PIECES = 20  # of recordings, in a slice
VERSION_ROWS = 100_000  # of a cluster; each object has its own bounds besides
BACKUP_ROWS = 10_000  # of a cluster
SEEN_ROWS = 1_000  # of clusters of which nothing is recorded
LINK_DAYS = 1
HOURLY_DAYS, SCORE_DAYS = 14, 365  # a row an hour; of scores, after that one a day

Rows = QuerySet[Any]
Slice = Callable[[], int]  # takes one slice away; how many rows it had


def kept_words() -> str:
    """How long the timeline goes back, as in "the last …"."""
    days = settings.CLUSTER_UI_TIMELINE_DAYS
    return f"{days * 24:g} hours" if days <= 2 else f"{days:g} days"


def _sessions(now: datetime) -> Iterator[Rows]:
    yield Session.objects.filter(expire_date__lt=now)


def _links(now: datetime) -> Iterator[Rows]:
    yield SigninLink.objects.filter(created_at__lt=now - timedelta(days=LINK_DAYS))


def _timeline(now: datetime) -> Iterator[Rows]:
    """Of every cluster that was ever opened, whether or not anybody opens it again."""
    yield TimelineEvent.objects.filter(at__lt=now - timeline_kept())
    for context in TimelineEvent.objects.order_by().values_list("context", flat=True).distinct():
        rows = TimelineEvent.objects.filter(context=context)
        edge = rows.order_by("-at").values_list("at", flat=True)[TIMELINE_ROWS : TIMELINE_ROWS + 1].first()
        if edge is not None:
            yield rows.filter(at__lte=edge)


def _audit(now: datetime) -> Iterator[Rows | Slice]:
    """Entries, then the changes of which none is left. One that was undone stays as long as the change that undid it. By
    whole hours, so that the audit has no new checkpoint every minute.
    """
    oldest = now - timedelta(days=settings.CLUSTER_UI_AUDIT_DAYS)
    oldest = oldest.replace(minute=0, second=0, microsecond=0)
    yield partial(audit_prune, oldest, SLICE)
    done = Change.objects.filter(created_at__lt=oldest, audit=None).exclude(state=Change.State.SENDING)
    ended = Operation.objects.filter(change__in=done).exclude(state=Operation.State.RUNNING)
    yield OperationResult.objects.filter(operation__in=ended)
    yield ended
    yield done.filter(operation=None, undone_by=None)


def _versions(now: datetime) -> Iterator[Rows]:
    """Versions that were replaced long ago, and the last of an object that nobody has written since, or that is gone.
    Contents go after the last version that has them.
    """
    oldest = now - timedelta(days=settings.CLUSTER_UI_CONFIGMAP_VERSIONS_DAYS)
    yield ConfigMapVersion.objects.filter(Q(replaced_at__lt=oldest) | Q(replaced_at=None, kept_at__lt=oldest))
    for context in ConfigMapVersion.objects.order_by().values_list("context", flat=True).distinct():
        rows = ConfigMapVersion.objects.filter(context=context)
        edge = rows.order_by("-pk").values_list("pk", flat=True)[VERSION_ROWS : VERSION_ROWS + 1].first()
        if edge is not None:
            yield rows.filter(pk__lte=edge)
    yield ConfigMapContent.objects.filter(versions=None)


def _recordings(now: datetime) -> Iterator[Rows | Slice]:
    """Pieces, problems, then the recordings of which no piece is left."""
    for keys in spare_pieces(now):
        yield partial(_remove_pieces, keys)
    yield ProblemSpan.objects.filter(ended_at__lt=now - recordings_kept())
    yield ProblemSpan.objects.filter(ended_at=None, began_at__lt=now - timedelta(days=365))
    for context in ProblemSpan.objects.order_by().values_list("context", flat=True).distinct():
        rows = ProblemSpan.objects.filter(context=context)
        edge = rows.order_by("-pk").values_list("pk", flat=True)[PROBLEM_ROWS : PROBLEM_ROWS + 1].first()
        if edge is not None:
            yield rows.filter(pk__lte=edge)
    ended = Recording.objects.filter(pieces=None, until__lt=now - timedelta(hours=1))
    yield ended.exclude(holds=True, until__gte=now - timedelta(days=1))


def _remove_pieces(keys: list[int]) -> int:
    """Few at a time: each has up to some hundred kB."""
    some = [keys.pop(0) for _ in keys[:PIECES]]
    RecordingPiece.objects.filter(pk__in=some).delete()
    return len(some)


def _hourly(now: datetime) -> Iterator[Rows]:
    """What trends rest on."""
    old = HourlyFigures.objects.filter(at__lt=now - timedelta(days=HOURLY_DAYS))
    yield old.exclude(what=HourlyFigures.What.SCORES)
    yield old.filter(what=HourlyFigures.What.SCORES).exclude(at__hour=0)
    yield HourlyFigures.objects.filter(at__lt=now - timedelta(days=SCORE_DAYS))


def _removed_clusters(now: datetime) -> Iterator[Rows]:
    """Once the audit tells nothing of them any more."""
    yield AddedCluster.objects.filter(removed_at__lt=now - timedelta(days=settings.CLUSTER_UI_AUDIT_DAYS + 1))


def _backups(now: datetime) -> Iterator[Rows]:
    """Of archives that are gone and of what failed, as long as the audit tells of it; of a cluster the newest ones."""
    old = Q(began_at__lt=now - timedelta(days=settings.CLUSTER_UI_AUDIT_DAYS))
    yield Backup.objects.filter(old, Q(state=Backup.State.FAILED) | ~Q(gone_at=None))
    for context in Backup.objects.order_by().values_list("context", flat=True).distinct():
        rows = Backup.objects.filter(context=context)
        edge = (
            rows.order_by("-began_at")
            .values_list("began_at", flat=True)[BACKUP_ROWS : BACKUP_ROWS + 1]
            .first()
        )
        if edge is not None:
            yield rows.filter(began_at__lte=edge)


def _seen_clusters(now: datetime) -> Iterator[Rows]:
    """The newest stay, and each as long as anything is recorded of it, or was done under its name: a cluster that has the
    name next must not come by it.
    """
    edge = SeenCluster.objects.order_by("-pk").values_list("pk", flat=True)[SEEN_ROWS : SEEN_ROWS + 1].first()
    if edge is not None:
        rows = SeenCluster.objects.filter(pk__lte=edge)
        for recorded in (TimelineEvent, Recording, ProblemSpan, HourlyFigures):
            rows = rows.exclude(records__in=recorded._default_manager.order_by().values("context"))
        for done in (AuditEntry, Change, Backup):
            rows = rows.exclude(context__in=done._default_manager.order_by().values("context"))
        yield rows


def _people(now: datetime) -> Iterator[Rows]:
    """Whom an issuer or a cluster vouched for, once nothing tells of them any more. Who was disabled stays, or they would
    come in again; so does whom a mapping names, or the next of that name would act as they did.
    """
    oldest = now - timedelta(days=settings.CLUSTER_UI_AUDIT_DAYS + 1)
    people = User.objects.filter(
        Q(username__startswith=OF_ISSUER) | Q(username__startswith=OF_A_CLUSTER),
        is_active=True, sessions=None, change=None, clusterpermit=None,
    )  # fmt: skip
    mapped = AccountMapping.objects.filter(subject=AccountMapping.Subject.USER)
    yield (
        people.alias(seen=Coalesce("last_login", "date_joined"))
        .filter(seen__lt=oldest)
        .exclude(username__in=mapped.values("name"))
        .exclude(username__in=AuditEntry.objects.values("user_name"))
    )


RULES: tuple[Callable[[datetime], Iterator[Rows | Slice]], ...] = (
    _sessions,
    _links,
    _timeline,
    _audit,
    _versions,
    _recordings,
    _hourly,
    _removed_clusters,
    _backups,
    _seen_clusters,
    _people,
)


def remove_some(rows: Rows) -> int:
    """Takes away one slice; how many rows it had."""
    keys = list(rows.values_list("pk", flat=True)[:SLICE])
    if keys:
        rows.model._base_manager.filter(pk__in=keys).delete()
    return len(keys)


class Retention:
    """One process' part in it."""

    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = begin(THE_INSTALLATION, self._run(), "retention")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self.sweep(datetime.now(UTC))
            except AWAY as error:
                log.warning("what is too old stays for now: %s", error)
            except Exception:
                log.exception("taking away what is too old")
            await asyncio.sleep(EVERY_SECONDS)

    async def sweep(self, now: datetime) -> int:
        """Takes away all that may go; how many rows that were."""
        removed = 0
        for rule in RULES:
            found = rule(now)
            while (rows := await in_database(next)(found, None)) is not None:
                take = partial(remove_some, rows) if isinstance(rows, QuerySet) else rows
                while part := await in_database(take)():
                    removed += part
                    await asyncio.sleep(PAUSE_SECONDS)
        return removed


retention = Retention()
