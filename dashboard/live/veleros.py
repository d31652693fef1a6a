"""Velero's backups, schedules, restores and storage locations of a cluster, for one viewer: where the cluster has Velero,
and the viewer may list them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from dashboard.errors import ClusterError, NotFound
from dashboard.kinds.base import GVR
from dashboard.kube.answers import read_object
from dashboard.live.session import Session
from dashboard.loop import off_loop
from dashboard.recovery.velero import (
    BACKUPS,
    LOCATIONS,
    RESTORES,
    SCHEDULES,
    VeleroRow,
    backup_row,
    location_row,
    restore_row,
    schedule_row,
)

KEY = f"{BACKUPS.plural}.{BACKUPS.group}"
RESTORES_KEY = f"{RESTORES.plural}.{RESTORES.group}"
SCHEDULES_KEY = f"{SCHEDULES.plural}.{SCHEDULES.group}"
HOME = "velero"  # its namespace, where nobody has chosen another one
MAX_LISTED = 500  # a list is by name, so of more the newest may be missing, which is said
MAX_BYTES = 16 * 2**20
SECONDS = 10.0


Where = tuple[str | None] | None  # a namespace, None: everywhere; or nowhere


@dataclass(frozen=True, slots=True, kw_only=True)
class VeleroRows:
    """``rows``, the newest first, those that have not begun before them. ``more``: there are more than are listed.
    ``failure``: why they can't be told.
    """

    rows: Sequence[VeleroRow] = ()
    more: bool = False
    failure: ClusterError | None = None


class VeleroBackups(VeleroRows):
    """Its backups."""

    @property
    def good(self) -> VeleroRow | None:
        """The newest that is complete."""
        return next((each for each in self.rows if each.state == "ok" and each.at is not None), None)

    @property
    def unfinished(self) -> bool:
        """Whether Velero is at work on one, or is to be."""
        return any(each.ended_at is None and each.state == "info" for each in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class VeleroOthers:
    """What it has besides: when it makes backups by itself, what it has restored, and where its backups lie."""

    schedules: VeleroRows = VeleroRows()
    restores: VeleroRows = VeleroRows()
    locations: VeleroRows = VeleroRows()


async def velero_where(session: Session) -> tuple[Where, ...]:
    """Where each of its kinds may be listed now, nowhere where that can't be asked: what was listed elsewhere is told no
    longer.
    """
    kinds = (BACKUPS, SCHEDULES, RESTORES, LOCATIONS)
    found = await asyncio.gather(*(_where(session, gvr) for gvr in kinds), return_exceptions=True)
    return tuple(None if isinstance(each, BaseException) else each for each in found)


async def velero_backups(session: Session) -> VeleroBackups:
    """As they are now; none where Velero is not there, or where the viewer may list them nowhere."""
    found = await _listed(session, BACKUPS, backup_row)
    return VeleroBackups(rows=found.rows, more=found.more, failure=found.failure)


async def velero_others(session: Session) -> VeleroOthers:
    """The same of the others."""
    schedules, restores, locations = await asyncio.gather(
        _listed(session, SCHEDULES, schedule_row),
        _listed(session, RESTORES, restore_row),
        _listed(session, LOCATIONS, location_row),
    )
    by_name = sorted(schedules.rows, key=lambda row: row.name)
    return VeleroOthers(schedules=replace(schedules, rows=by_name), restores=restores, locations=locations)


async def _listed(session: Session, gvr: GVR, row: Callable[[Mapping[str, Any]], VeleroRow]) -> VeleroRows:
    kind = session.cluster.kinds.get(f"{gvr.plural}.{gvr.group}")
    if kind is None or kind.gvr != gvr:
        return VeleroRows()
    try:
        if (where := await _where(session, gvr)) is None:
            return VeleroRows()
        (namespace,) = where
        answer = await session.transport.request(
            "GET", gvr, namespace=namespace, query={"limit": str(MAX_LISTED)}, timeout=SECONDS, largest=MAX_BYTES
        )  # fmt: skip
        return await off_loop(_read, answer.body, row)
    except NotFound:  # it was taken away
        return VeleroRows()
    except ClusterError as error:
        return VeleroRows(failure=error.to_keep())


async def _where(session: Session, gvr: GVR) -> Where:
    if f"{gvr.plural}.{gvr.group}" not in session.cluster.kinds:
        return None
    for namespace in (None, HOME):
        if await session.decide("list", gvr, namespace=namespace):
            return (namespace,)
    return None


def _read(body: bytes, row: Callable[[Mapping[str, Any]], VeleroRow]) -> VeleroRows:
    found: dict[str, Any] = read_object(body)
    latest = datetime.max.replace(tzinfo=UTC)
    rows = sorted(map(row, found.get("items") or ()), key=lambda row: row.at or latest, reverse=True)
    return VeleroRows(rows=rows, more=bool(found["metadata"].get("continue")))
