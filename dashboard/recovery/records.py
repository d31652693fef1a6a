"""What the dashboard remembers of backups: which was made when, by whom, with what result. The archives themselves lie
elsewhere, and are good without these records.

Synchronous: a command asks it as it is, coroutines through ``in_database``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from dashboard.models import AuditEntry, Backup, Change, Operation, SeenCluster

from .archive import Summary

__all__ = [
    "Figures", "bad", "begun", "checked", "described", "drill_compared", "drill_passed", "drills", "ended", "failed",
    "figures", "gone", "known", "last_made", "passed_drill", "uids",
]  # fmt: skip

INTERRUPTED_AFTER = timedelta(hours=24)
INTERRUPTED = "It was interrupted."
CREATE = "backup create"  # in the audit: by the command
MAX_MISSING = 100  # of what should have been in it
MAX_DRILLS = 200  # of the newest, among which one that passed is looked for
EVER = datetime(1970, 1, 1, tzinfo=UTC)


@transaction.atomic
def begun(*, context: str, place: str, by: str, namespaces: Collection[str], labels: str) -> Backup:
    """A backup begins. Of those that never ended it is said that they were interrupted."""
    now = datetime.now(UTC)
    Backup.objects.filter(
        context=context, state=Backup.State.RUNNING, began_at__lt=now - INTERRUPTED_AFTER
    ).update(state=Backup.State.FAILED, ended_at=now, error=INTERRUPTED)
    return Backup.objects.create(
        context=context, url=place, by=by, namespaces=sorted(namespaces), labels=labels, began_at=now
    )


def described(row: Backup, url: str, summary: Summary) -> None:
    """It was written, and read back whole; its archive gets its name now."""
    manifest = summary.manifest
    row.url, row.name = url, url.rsplit("/", 1)[-1]
    row.objects_count, row.size_bytes, row.sha256 = manifest.objects, summary.size_bytes, summary.sha256
    row.cluster_uid = summary.header.cluster.uid
    row.encrypted, row.secrets = summary.encrypted, summary.header.secrets
    row.missing = [
        {"what": each.what, "why": each.why, "objects": each.objects}
        for each in manifest.incomplete[:MAX_MISSING]
    ]
    row.claims = len(manifest.claims) + manifest.more_claims
    row.snapshots = sum(1 for each in manifest.claims if each.snapshot is not None and each.snapshot.ready)
    row.save()


@transaction.atomic
def ended(row: Backup, change: Change | None = None) -> None:
    """The archive that was described is in the storage; ``change`` is that with which it was begun on a page."""
    row.state = Backup.State.PARTIAL if row.missing else Backup.State.VERIFIED
    row.ended_at = row.verified_at = datetime.now(UTC)
    row.save()
    detail = f"{row.objects_count} objects; {row.state}"
    _audit(row, change.action if change is not None else CREATE, detail, AuditEntry.Result.DONE, change)


@transaction.atomic
def failed(row: Backup, error: str, *, audited: bool = True) -> None:
    """It was not made; ``error`` is a sentence. ``audited``: here, and not by the operation that it belongs to."""
    row.state, row.ended_at, row.error = Backup.State.FAILED, datetime.now(UTC), error[:2000]
    row.save()
    if audited:
        _audit(row, CREATE, row.error, AuditEntry.Result.FAILED)


def checked(url: str, *, damaged: str = "") -> None:
    """An archive was read to its end; ``damaged`` says what is wrong with it."""
    now = datetime.now(UTC)
    rows = Backup.objects.filter(url=url)
    rows.update(damaged=damaged[:2000], **({} if damaged else {"verified_at": now}))


@transaction.atomic
def gone(*, url: str, context: str, by: str, why: str) -> None:
    """An archive was deleted, because ``why``."""
    Backup.objects.filter(url=url, gone_at=None).update(gone_at=datetime.now(UTC))
    AuditEntry.objects.create(
        user_name=by, context=context, action="backup prune", name=url.rsplit("/", 1)[-1][:253], detail=why,
        result=AuditEntry.Result.DONE,
    )  # fmt: skip


def known(urls: Iterable[str]) -> dict[str, Backup]:
    """What is known of archives, by their address."""
    return {
        row.url: row for row in Backup.objects.filter(url__in=list(urls), gone_at=None).order_by("began_at")
    }


def last_made(context: str) -> datetime | None:
    """When the last backup of a context was made that is in the storage since, as far as is recorded."""
    made = Backup.objects.filter(context=context, gone_at=None, ended_at__isnull=False).exclude(
        state=Backup.State.FAILED
    )
    return made.order_by("-ended_at").values_list("ended_at", flat=True).first()


def bad(names: Collection[str]) -> frozenset[str]:
    """The names of those archives that were damaged when they were read last, or in which something is missing: also what
    has not the labels that were asked for.
    """
    rows = Backup.objects.filter(~Q(damaged="") | Q(state=Backup.State.PARTIAL) | ~Q(labels=""), gone_at=None)
    return frozenset(rows.values_list("name", flat=True)) & frozenset(names)


def uids(names: Collection[str]) -> dict[str, str]:
    """By the names of those archives: of which cluster each is, where that is known."""
    rows = Backup.objects.exclude(cluster_uid="").filter(gone_at=None).values_list("name", "cluster_uid")
    wanted = frozenset(names)
    return {name: uid for name, uid in rows if name in wanted}


def drills(context: str, after: datetime) -> QuerySet[Operation]:
    """Those that were begun in a context after a moment, the newest first."""
    found = Operation.objects.select_related("change").filter(
        change__context=context, change__action="drill", change__created_at__gt=after
    )
    return found.order_by("-pk")


def drill_compared(operation: Operation) -> dict[str, Any] | None:
    """The step that compared, of a drill that came so far."""
    return next(
        (each for each in operation.steps if each["do"] == "compare" and each["state"] == "done"), None
    )


def drill_passed(operation: Operation) -> bool:
    """Whether all that a drill restored was taken, and equal to the backup."""
    compared = drill_compared(operation)
    return compared is not None and not compared.get("failed")


def passed_drill(context: str, after: datetime) -> Operation | None:
    """The last of them that passed."""
    return next((each for each in drills(context, after)[:MAX_DRILLS] if drill_passed(each)), None)


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one context: its last complete backup that is still there, and how many failed since: one that was of some
    namespaces alone also not since one of the same was made; and when the last drill that passed was begun. Of another
    cluster that had its name, none counts.
    """

    context: str
    last: Backup | None
    failed: int
    drilled: datetime | None


def figures(contexts: Collection[str] = ()) -> list[Figures]:
    """Of these contexts, and of every one of which a backup was tried."""
    found = []
    tried = Backup.objects.order_by("context").values_list("context", flat=True).distinct()
    for context in sorted({*contexts, *tried}):
        rows = Backup.objects.filter(context=context)
        now = SeenCluster.objects.filter(context=context).order_by("-since", "-pk").first()
        if now is not None and now.uid:
            rows = rows.filter(Q(cluster_uid=now.uid) | Q(cluster_uid="", began_at__gte=now.since))
        last = (
            rows.filter(state=Backup.State.VERIFIED, damaged="", gone_at=None, namespaces=[], labels="")
            .order_by("-ended_at")
            .first()
        )
        since = rows.filter(state=Backup.State.FAILED)
        if last is not None:
            since = since.filter(began_at__gt=last.began_at)
        failed = since.exclude(Exists(rows.filter(
            state=Backup.State.VERIFIED, namespaces=OuterRef("namespaces"), labels=OuterRef("labels"),
            began_at__gt=OuterRef("began_at"),
        )))  # fmt: skip
        drill = passed_drill(context, EVER if now is None else now.since)
        found.append(Figures(context, last, failed.count(), None if drill is None else drill.created_at))
    return found


def _audit(
    row: Backup, action: str, detail: str, result: AuditEntry.Result, change: Change | None = None
) -> None:
    AuditEntry.objects.create(
        user_name=row.by,
        context=row.context,
        action=action,
        namespace=row.namespaces[0] if len(row.namespaces) == 1 else "",
        name=row.name[:253],
        detail=detail,
        result=result,
        reason=change.reason if change is not None else "",
        change=change,
    )
