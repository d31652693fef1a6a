"""Velero's backups of a cluster, for one viewer: where the cluster has Velero, and the viewer may list them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dashboard.errors import ClusterError, NotFound
from dashboard.kube.answers import read_object
from dashboard.live.session import Session
from dashboard.loop import off_loop
from dashboard.recovery.velero import BACKUPS, SCHEDULES, VeleroRow, backup_row

KEY = f"{BACKUPS.plural}.{BACKUPS.group}"
SCHEDULES_KEY = f"{SCHEDULES.plural}.{SCHEDULES.group}"
HOME = "velero"  # its namespace, where nobody has chosen another one
MAX_LISTED = 500  # a list is by name, so of more the newest may be missing, which is said
MAX_BYTES = 16 * 2**20
SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VeleroBackups:
    """``rows``, the newest first, those that have not begun before them. ``more``: there are more than are listed.
    ``failure``: why they can't be told.
    """

    rows: Sequence[VeleroRow] = ()
    more: bool = False
    failure: ClusterError | None = None

    @property
    def good(self) -> VeleroRow | None:
        """The newest that is complete."""
        return next((each for each in self.rows if each.state == "ok" and each.at is not None), None)

    @property
    def unfinished(self) -> bool:
        """Whether Velero is at work on one, or is to be."""
        return any(each.ended_at is None and each.state == "info" for each in self.rows)


async def velero_backups(session: Session) -> VeleroBackups:
    """As they are now; none where Velero is not there, or where the viewer may list them nowhere."""
    kind = session.cluster.kinds.get(KEY)
    if kind is None or kind.gvr != BACKUPS:
        return VeleroBackups()
    try:
        for namespace in (None, HOME):
            if await session.decide("list", BACKUPS, namespace=namespace):
                break
        else:
            return VeleroBackups()
        answer = await session.transport.request(
            "GET", BACKUPS, namespace=namespace, query={"limit": str(MAX_LISTED)}, timeout=SECONDS, largest=MAX_BYTES
        )  # fmt: skip
        return await off_loop(_read, answer.body)
    except NotFound:  # it was taken away
        return VeleroBackups()
    except ClusterError as error:
        return VeleroBackups(failure=error.to_keep())


def _read(body: bytes) -> VeleroBackups:
    found: dict[str, Any] = read_object(body)
    latest = datetime.max.replace(tzinfo=UTC)
    rows = sorted(map(backup_row, found.get("items") or ()), key=lambda row: row.at or latest, reverse=True)
    return VeleroBackups(rows=rows, more=bool(found["metadata"].get("continue")))
