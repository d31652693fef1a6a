"""Which cluster the name of a context stands for, and under which name what is recorded of that one is kept.

A kubeconfig that was edited, or a cluster that was made anew, leads a name to another cluster, whose viewers may not see
the past of the former one. What is recorded of the first cluster of a name has that name, of each other one a name that
no context has: so both go on where they ended when the name leads back, and what is still written of the one never comes
into the past of the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from django.db import IntegrityError, transaction

from dashboard.models import SeenCluster

__all__ = ["EVER", "Recognised", "context_in", "recognise"]

EVER = datetime(1970, 1, 1, tzinfo=UTC)
_APART = "\x1f"  # no context of a page has it: it is no letter
_LETTERS = 480  # of 500 that a name may have in the database


@dataclass(frozen=True, slots=True)
class Recognised:
    """``uid``: of its namespace kube-system, "" where it is not known. ``records``: the name of what is recorded of it.
    ``since``: from when on its context's name has meant this cluster.
    """

    uid: str
    records: str
    since: datetime


def context_in(records: str) -> str:
    """The name of the context in the name of what is recorded of a cluster."""
    return records.partition(_APART)[0]


def recognise(context: str, server: str, uid: str | None, now: datetime) -> Recognised:
    """The cluster that a context leads to, which is known from now on. ``uid`` is "" where that may not be read: then it
    is the one at that server; None where the cluster did not answer: then nothing is noted.
    """
    try:
        with transaction.atomic():
            return _recognise(context, server, uid, now)
    except IntegrityError:  # another process was quicker
        return _recognise(context, server, uid, now)


def _recognise(context: str, server: str, uid: str | None, now: datetime) -> Recognised:
    rows = list(SeenCluster.objects.filter(context=context).order_by("-since", "-pk"))
    row = _same(rows, server, uid)
    if row is None:
        first = Recognised(uid or "", context, EVER)
        found = Recognised(uid or "", _aside(context, uid or server), now) if rows else first
        if uid is not None:
            SeenCluster.objects.create(
                context=context, server=server, uid=uid, records=found.records, since=found.since
            )
        return found
    since = row.since if row is rows[0] else now
    if uid is not None and (since, server, uid or row.uid) != (row.since, row.server, row.uid):
        row.since, row.server, row.uid = since, server, uid or row.uid
        row.save()
    return Recognised(row.uid, row.records, since)


def _same(rows: Sequence[SeenCluster], server: str, uid: str | None) -> SeenCluster | None:
    for row in rows:
        if row.uid == uid if uid and row.uid else row.server == server:
            return row
    return None


def _aside(context: str, clue: str) -> str:
    return f"{context[:_LETTERS]}{_APART}{sha256(clue.encode()).hexdigest()[:16]}"
