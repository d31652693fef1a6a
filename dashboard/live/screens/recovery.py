"""Recovery (``/c/<context>/recovery/``): how old the last good backup is and what is not in it, the backups, the drills;
and the forms of a backup, a restore and a drill beside it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db import DatabaseError
from django.http import QueryDict
from django.urls import reverse

from dashboard import render
from dashboard.database import in_database
from dashboard.errors import Forbidden
from dashboard.kinds.base import GVR
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.schedules import next_run
from dashboard.live.acting import own_accounts, own_past
from dashboard.live.deciding import began, hidden
from dashboard.live.screen import ViewerScreen
from dashboard.live.session import Session
from dashboard.live.snapshot import Snapshot
from dashboard.live.veleros import (
    HOME,
    KEY,
    RESTORES_KEY,
    VeleroBackups,
    VeleroOthers,
    VeleroRows,
    velero_backups,
    velero_others,
    velero_where,
)
from dashboard.models import Backup, Operation, OperationResult
from dashboard.recovery import records
from dashboard.recovery.archive import Header
from dashboard.recovery.choice import named
from dashboard.recovery.readiness import GOAL, NEVER, Readiness, ago, newest_whole, of_cluster, readiness
from dashboard.recovery.shelf import Shelf, by_default, shelves
from dashboard.recovery.storage import WHOLE, Stored
from dashboard.recovery.velero import RESTORES, VeleroRow

from .common import fresh_part, iso, not_known, not_told
from .create import CreateScreen
from .operation import RESULT_WORDS, OperationScreen

LOOK_SECONDS = 20.0
SOON_SECONDS = 2.0  # where something is under way
VELERO_SECONDS = 60.0
VELERO_SOON_SECONDS = 10.0  # where Velero has not finished one
DISCOVERY_SECONDS = 2.0
ROWS, DRILLS = 50, 10
READ = frozenset({"namespaces", "persistentvolumeclaims"})
UNDER_WAY = {"restore": "restore", "velero-restore": "restore", "drill": "drill", "backup": "backup"}
EVERYTHING = GVR("*", "*", "*")
MAX_ASKED = 50  # namespaces of which it is asked whether somebody may read everything there
_HASHED = re.compile(r"-[0-9a-f]{6}$")  # after the scope of what was chosen by labels as well
_OF_SEVERAL = re.compile(rf"({WHOLE}|[0-9]+-namespaces)-[0-9a-f]{{6}}")


class RecoveryScreen(ViewerScreen):
    page = "pages/recovery.html"
    pace = 2.0

    def __init__(self, session: Session, params: QueryDict) -> None:
        super().__init__(session)
        self.all = params.get("all") == "yes"
        self.shelf = Shelf(configured=False)
        self.own: Sequence[
            Stored
        ] = ()  # the archives of this cluster that the viewer may know of, the newest first
        self.drills: Sequence[Operation] = ()
        self.passed: Operation | None = None  # the last drill that did, which may be long before these
        self.under_way: Sequence[Operation] = ()
        self.known: Mapping[str, Backup] = {}
        self.velero = VeleroBackups()
        self.velero_others = VeleroOthers()
        self._velero_at = float("-inf")
        self._velero_where: object = None
        self._task: asyncio.Task[None] | None = None

    @property
    def shows(self) -> Hashable:
        return self.all

    @property
    def plurals(self) -> frozenset[str]:
        return READ

    async def prepare(self) -> None:
        await self.session.review(self.plurals)
        await self.runtime.discovery.known(timeout=DISCOVERY_SECONDS)  # whether Velero is there
        await self._look()

    async def _look(self) -> None:
        context = self.runtime.cluster.name
        self.shelf = await shelves.now()
        made = await in_database(records.last_made)(context)
        if made is not None and self.shelf.read_at is not None and self.shelf.read_at < made:
            self.shelf = await shelves.now(fresh=True)
        self.own = await archives_told(self.session, self.shelf)
        since = self.runtime.recognised.since
        self.drills, self.passed, self.under_way = await in_database(_operations)(context, since)
        last = newest_whole(self._good, self.shelf.headers)
        shown = [*self._shown(), *([last] if last is not None else [])]
        self.known = await in_database(records.known)([each.url for each in shown])
        kept = VELERO_SOON_SECONDS if self.velero.unfinished else VELERO_SECONDS
        where = await velero_where(self.session)  # a right that was lost shows with this look
        if where != self._velero_where or time.monotonic() - self._velero_at >= kept:
            self._velero_where = where
            self.velero, self.velero_others = await asyncio.gather(
                velero_backups(self.session), velero_others(self.session)
            )
            self._velero_at = time.monotonic()

    @property
    def _good(self) -> list[Stored]:
        return self.shelf.good(self.runtime.cluster.slug, self.runtime.recognised)

    def open(self, changed: Callable[[], None]) -> None:
        async def follow() -> None:
            while True:
                slow = VELERO_SOON_SECONDS if self.velero.unfinished else LOOK_SECONDS
                await asyncio.sleep(SOON_SECONDS if self.under_way else slow)
                with suppress(DatabaseError):
                    await self._look()
                    changed()

        self._task = asyncio.create_task(follow())

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    @property
    def sees_all(self) -> bool:
        """Whether the viewer may know the names of all namespaces, as a backup tells them."""
        return sees_namespaces(self.session)

    @property
    def ready(self) -> Readiness:
        return readiness_of(self.session, self.shelf, datetime.now(UTC))

    def snapshot(self) -> Snapshot:
        return Snapshot(
            regions={
                "recovery-head": render.region("recovery_head", self._head()),
                "recovery-backups": render.region("recovery_backups", self._backups()),
                "recovery-velero": render.region("recovery_velero", self._velero()),
                "recovery-drills": render.region("recovery_drills", self._drills()),
                "not-known": render.region("not_known", {"text": not_known(self.session, self.plurals)}),
                "fresh": fresh_part(self.session, self.plurals),
            }
        )

    def context(self) -> Mapping[str, Any]:
        return {
            "configured": self.shelf.configured,
            "velero": KEY in self.runtime.kinds,
            "backup_url": self._url("backup"),
            "drill_url": self._url("drill"),
            "restore_url": self._url("restore"),
            "kubectl": "manage.py backup list",
        }

    def _url(self, what: str, name: str = "") -> str:
        url = reverse(what, args=[self.runtime.cluster.slug])
        return f"{url}?{urlencode({'archive': name})}" if name else url

    # ---- How ready

    def _head(self) -> dict[str, Any]:
        if not self.shelf.configured:
            return {
                "state": "info",
                "headline": "No storage for backups is configured",
                "text": "Set CLUSTER_UI_BACKUP_TO to a folder or an object store, such as s3://backups/production, and "
                "start the dashboard again. Backups, restores and drills are then here.",
                "tiles": [],
            }
        ready = self.ready
        state, headline, text = ready.state, ready.headline, ready.text
        slug = self.runtime.cluster.slug
        if self.shelf.of(slug) and not self._good:
            headline, text = (
                "No complete backup",
                "Each backup is incomplete, damaged, limited by labels, or perhaps of another cluster: see below.",
            )
        if self.shelf.failure is not None:
            state, text = "bad", f"{self.shelf.failure.message} {self.shelf.failure.next_step}".strip()
            headline = "The storage of the backups can't be read"
        if (good := self.velero.good) is not None and good.at is not None:
            age = ago(max(datetime.now(UTC) - good.at, timedelta()))
            if headline == NEVER:
                headline, text = "Backed up by Velero only", "Its content was not verified here."
            of = f"Velero's last completed backup, of {good.holds}, began {age} ago"
            text = f"{text} {of}, and is not counted here.".strip()
        return {"state": state, "headline": headline, "text": text, "tiles": self._tiles(ready)}

    def _tiles(self, ready: Readiness) -> list[dict[str, str]]:
        value, unit = _split(ready.age)
        late = ready.age is None or ready.age > GOAL
        tiles = [
            {
                "title": "Last good backup", "value": value, "of": unit, "state": "warn" if late else "",
                "note": f"of the whole cluster; goal: at most {GOAL // timedelta(hours=1)}\u00a0h",
            }
        ]  # fmt: skip
        known = ready.covered is not None and ready.uncovered is not None
        uncovered = ready.uncovered or ()
        tiles.append(
            {
                "title": "Namespaces covered",
                "value": str(ready.covered) if known else "–",
                "of": f"of {ready.namespaces}" if known else "",
                "state": "warn" if uncovered else "",
                "note": (
                    f"{uncovered[0]} is in no backup"
                    if len(uncovered) == 1
                    else f"{len(uncovered)} are in no backup"
                )
                if uncovered
                else "all of them"
                if known
                else "encrypted: not known here"
                if ready.namespaces is not None
                else not_told(self.session, ("namespaces",)),
            }
        )
        last = self.known.get(ready.last.url) if ready.last is not None else None
        snapshots = last.snapshots if last is not None else 0
        tiles.append(
            {
                "title": "Volumes with data", "value": "–" if ready.claims is None else str(snapshots),
                "of": "" if ready.claims is None else f"of {ready.claims}",
                "state": "warn" if (ready.claims or 0) > snapshots else "",
                "note": not_told(self.session, ("persistentvolumeclaims",)) if ready.claims is None
                else "by VolumeSnapshots of the last good backup" if snapshots
                else "volume data is in no backup" if ready.claims else "no claims",
            }
        )  # fmt: skip
        passed = self.passed
        age = datetime.now(UTC) - passed.created_at if passed is not None else None
        value, unit = _split(age)
        tiles.append(
            {
                "title": "Last drill passed", "value": value, "of": unit,
                "state": "" if passed is not None else "warn",
                "note": drill_words(passed)[1] if passed is not None else "a backup is as good as its last restore",
            }
        )  # fmt: skip
        return tiles

    # ---- The backups

    def _shown(self) -> list[Stored]:
        return list(self.own if self.all else self.own[:ROWS])

    def _backups(self) -> dict[str, Any]:
        slug = self.runtime.cluster.slug
        good = newest_whole(self._good, self.shelf.headers)
        shown = self._shown()
        others = len(self.shelf.stored) - len(self.shelf.of(slug))
        rows = [(each.at, self._row(each, newest=each is good)) for each in shown]
        of_velero = self.velero.rows if self.all else self.velero.rows[:ROWS]
        rows += [(each.at or datetime.now(UTC), self._velero_row(each)) for each in of_velero]
        rows.sort(key=lambda pair: pair[0], reverse=True)
        total = len(self.own) + len(self.velero.rows)
        return {
            "configured": self.shelf.configured,
            "folder": settings.CLUSTER_UI_BACKUP_TO if by_default(settings.CLUSTER_UI_BACKUP_TO) else "",
            "read": self.shelf.failure is None,
            "total": total,
            "more": total - len(rows),
            "velero_more": self.velero.more,
            "velero_failure": _failure(self.velero),
            "all_url": f"{self._url('recovery')}?all=yes",
            "others": others if self.sees_all else 0,
            "under_way": [
                {
                    "url": reverse("change", args=[each.change_id]),
                    "noun": UNDER_WAY[each.change.action],
                    "since": iso(each.created_at),
                }
                for each in self.under_way
            ],
            "rows": [row for _, row in rows],
        }

    def _velero_row(self, row: VeleroRow) -> dict[str, Any]:
        notes = [row.text] if row.text else []
        if row.expires is not None:
            past = row.expires < datetime.now(UTC)
            notes.append(f"{'Expired' if past else 'Kept until'} {row.expires:%Y-%m-%d at %H:%M} UTC.")
        if row.schedule:
            notes.append(f"By schedule {row.schedule}.")
        if row.location:
            notes.append(f"In storage location {row.location}.")
        return {
            "velero": True,
            "name": row.name,
            "at": iso(row.at) if row.at is not None else "",
            "state": row.state,
            "word": row.word,
            "holds": row.holds,
            "objects": f"{row.done:,}" if row.done is not None else "",
            "note": " ".join(notes),
            "size": "",
            "restore_url": self._velero_url(row),
        }

    def _velero_url(self, row: VeleroRow) -> str:
        """Where it is restored from; "" for one that can't be."""
        if RESTORES_KEY not in self.runtime.kinds or not can_be_restored(row):
            return ""
        return (
            f"{self._url('restore')}?{urlencode({'by': 'velero', 'backup': row.name, 'home': row.namespace})}"
        )

    def _velero(self) -> dict[str, Any]:
        """What it has besides backups, each kind as a table; none of what it has nothing of."""
        others, now = self.velero_others, datetime.now(UTC)
        tables = [
            ("Schedules", "Last backup", others.schedules, [_schedule(each, now) for each in others.schedules.rows]),
            ("Restores", "Began", others.restores, [_of_velero(each) for each in others.restores.rows]),
            ("Storage locations", "Checked", others.locations, [_of_velero(each) for each in others.locations.rows]),
        ]  # fmt: skip
        return {
            "tables": [
                {"title": title, "at": at, "rows": rows[:ROWS], "more": found.more or len(rows) > ROWS,
                 "failure": _failure(found)}
                for title, at, found, rows in tables
                if rows or found.failure is not None
            ]
        }  # fmt: skip

    def _row(self, stored: Stored, *, newest: bool) -> dict[str, Any]:
        header = self.shelf.headers.get(stored.name)
        if of_cluster(stored, header):
            holds = "the whole cluster"
        elif header is None:
            holds = "unknown: it is encrypted" if stored.encrypted else "not known"
        elif self.sees_all:
            holds = listed(named(header.namespaces), "more namespaces")
        else:
            holds = plural(len(header.namespaces), "namespace")
        if header is not None and header.labels:
            holds += f", only {header.labels}"
        record = self.known.get(stored.url)
        state, word, said = state_of(record)
        notes = ["Last good backup of the cluster."] if newest else []
        if not self.shelf.is_of(stored, self.runtime.recognised):
            notes.append(
                "Of another cluster that had this name."
                if self.shelf.uid_of(stored)
                else "Perhaps of another cluster: it is older than what is known of this one, and can't be read here."
            )
        notes += [said] if said else []
        notes += [_volumes(record)]
        notes += ["Encrypted, with Secrets." if stored.encrypted else "Without Secrets: it is not encrypted."]
        return {
            "velero": False,
            "name": stored.name,
            "at": iso(stored.at),
            "state": state,
            "word": word,
            "holds": holds,
            "objects": f"{record.objects_count:,}" if record is not None else "",
            "note": " ".join(notes),
            "size": _size(stored.size_bytes),
            "restore_url": self._url("restore", stored.name),
            "drill_url": self._url("drill", stored.name),
        }

    # ---- The drills

    def _drills(self) -> dict[str, Any]:
        rows = []
        for each in self.drills[:DRILLS]:
            state, words = drill_words(each)
            name = str(each.change.result.get("archive", "")).rpartition("/")[2]
            if not self._may_name(name):  # nor what went wrong with what is in it
                name, words = "a backup", "" if state == "bad" else words
            rows.append(
                {
                    "state": state,
                    "title": {"ok": "Passed", "warn": "Under way", "bad": "Failed"}[state],
                    "name": name,
                    "text": words,
                    "at": iso(each.created_at.replace(microsecond=0)),
                    "url": reverse("change", args=[each.change_id]),
                }
            )
        return {"rows": rows, "configured": self.shelf.configured, "drill_url": self._url("drill")}

    def _may_name(self, archive: str) -> bool:
        """Whether the viewer may know of an archive, which may have gone since."""
        slug = self.runtime.cluster.slug
        return (
            not own_accounts(slug)
            or any(each.name == archive for each in self.own)
            or (self.sees_all and archive.startswith(f"{slug}_"))
        )


def _failure(found: VeleroRows) -> str:
    """Why Velero's objects can't be told; "" where they are."""
    failure = found.failure
    return f"{failure.message} {failure.next_step}".strip() if failure is not None else ""


def _of_velero(row: VeleroRow, *notes: str) -> dict[str, Any]:
    said = [*filter(None, (row.text, *notes))]
    if row.location:
        said.append(f"In storage location {row.location}.")
    return {
        "name": row.name, "namespace": row.namespace, "state": row.state, "word": row.word, "holds": row.holds,
        "note": " ".join(said), "at": iso(row.at) if row.at is not None else "",
    }  # fmt: skip


def _schedule(row: VeleroRow, now: datetime) -> dict[str, Any]:
    """With when it makes the next backup, where it makes any."""
    at = next_run(row.schedule, None, now) if row.state == "ok" else None
    return _of_velero(row, f"The next backup begins on {at:%Y-%m-%d at %H:%M} UTC." if at is not None else "")


def can_be_restored(row: VeleroRow) -> bool:
    """Whether a backup of Velero can be restored."""
    return row.word in ("Completed", "Partial")


def sees_namespaces(session: Session) -> bool:
    """Whether somebody may know the names of all namespaces; asked of a session that has reviewed them."""
    seen = session.visible["namespaces"]
    return seen.denied is None and seen.unknown is None and seen.namespaces is None


async def archives_told(session: Session, shelf: Shelf) -> list[Stored]:
    """The archives of a session's cluster that somebody may know of, the newest first: the name of one of a single
    namespace has its name in it. Namespaces were reviewed.
    """
    own = shelf.of(session.cluster.cluster.slug)
    if not own_accounts(session.cluster.cluster.slug) or sees_namespaces(session):
        return own
    asked: dict[str, bool] = {}
    told = []
    for each in own:
        names = _namespaces_told(each, shelf.headers.get(each.name))
        for name in names:
            if name not in asked:
                asked[name] = len(asked) < MAX_ASKED and await session.may("list", EVERYTHING, namespace=name)
        if not names or any(asked[name] for name in names):
            told.append(each)
    return told


def _namespaces_told(stored: Stored, header: Header | None) -> Sequence[str]:
    """Which namespace the name of an archive may tell: of one that can't be read here, there are two that it could be."""
    if header is not None:
        return header.namespaces if len(header.namespaces) == 1 else ()
    scope = stored.scope
    if scope == WHOLE or _OF_SEVERAL.fullmatch(scope):
        return ()
    return tuple({scope, _HASHED.sub("", scope)})


def readiness_of(session: Session, shelf: Shelf, now: datetime) -> Readiness:
    """Of the session's cluster, as far as its viewer sees the namespaces."""
    reader = session.reader
    names = (
        None
        if not_told(session, ("namespaces",))
        else {one.metadata.name: one.metadata.creation_timestamp for one in reader.all("namespaces")}
    )
    counted = not not_told(session, ("persistentvolumeclaims",))
    claims = len(reader.all("persistentvolumeclaims")) if counted else None
    good = shelf.good(session.cluster.cluster.slug, session.cluster.recognised)
    return readiness(good, shelf.headers, namespaces=names, claims=claims, now=now)


def state_of(record: Backup | None) -> tuple[str, str, str]:
    """How an archive is by what was recorded of it: state, word, and a sentence or "". An archive is in the storage only
    after it was read back, so one of which nothing is recorded was verified as well, elsewhere.
    """
    if record is None:
        return "ok", "Verified", ""
    if record.damaged:
        return "bad", "Damaged", "It was damaged when it was last read."
    if record.state == Backup.State.PARTIAL:
        kinds = listed([str(each["what"]) for each in record.missing], "more")
        return "warn", "Partial", f"Missing: {kinds}."
    return "ok", "Verified", ""


def _volumes(record: Backup | None) -> str:
    """What is to be said of the volumes of an archive's claims."""
    if record is None or not record.snapshots:
        return "No volume data."
    return f"VolumeSnapshots of {record.snapshots} of {plural(record.claims, 'claim')}."


def _operations(context: str, since: datetime) -> tuple[list[Operation], Operation | None, list[Operation]]:
    """Its drills, the last of them that passed, and what is under way: of the cluster that has its name ``since``, and
    where all act as one now, nothing from when they did not.
    """
    after = max(own_past(context), since)
    running = Operation.objects.select_related("change").filter(
        change__context=context, change__created_at__gt=after, change__action__in=UNDER_WAY,
        state=Operation.State.RUNNING,
    )  # fmt: skip
    drills = list(records.drills(context, after)[:DRILLS])
    return drills, records.passed_drill(context, after), list(running.order_by("-pk")[:5])


def drill_words(operation: Operation) -> tuple[str, str]:
    """The state of a drill ("ok", "warn", "bad") and a sentence."""
    if (compared := records.drill_compared(operation)) is not None:
        return ("ok" if records.drill_passed(operation) else "bad"), str(compared["text"])
    if operation.state == Operation.State.RUNNING:
        return "warn", "It is in progress."
    wrong = next(
        (each for each in operation.steps if each["state"] in ("failed", "left") and each["text"]), None
    )
    return "bad", str(wrong["text"]) if wrong is not None else "It was stopped."


def _split(age: timedelta | None) -> tuple[str, str]:
    """A number, and its unit for small letters."""
    if age is None:
        return "never", ""
    number, _, unit = ago(age).partition(" ")
    return (number, f"{unit} ago") if number.isdigit() else ("<1", "minute ago")


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError("unreachable")


class RecoveryFormScreen(ViewerScreen):
    """The forms of a restore and a drill: what moves is how fresh the cluster is."""

    page = "pages/restore.html"

    def __init__(self, session: Session, params: QueryDict) -> None:
        super().__init__(session)
        self.archive = params.get("archive", "")

    @property
    def shows(self) -> Hashable:
        return self.archive

    @property
    def plurals(self) -> frozenset[str]:
        return frozenset({"namespaces"})

    async def prepare(self) -> None:
        await self.session.review(self.plurals)

    def snapshot(self) -> Snapshot:
        return Snapshot(regions={"fresh": fresh_part(self.session, self.plurals)})

    def context(self) -> Mapping[str, Any]:
        return {}


class DrillFormScreen(RecoveryFormScreen):
    page = "pages/drill.html"


class VeleroFormScreen(RecoveryFormScreen):
    """The form of a restore by Velero. ``backups``: those of Velero that can be restored; ``home``: its namespace."""

    page = "pages/velero_restore.html"

    def __init__(self, session: Session, params: QueryDict) -> None:
        super().__init__(session, params)
        self.home, self.backups = HOME, list[VeleroRow]()

    async def prepare(self) -> None:
        await super().prepare()
        await self.runtime.discovery.known(timeout=DISCOVERY_SECONDS)  # whether Velero is there
        found = await velero_backups(self.session)
        self.backups = [each for each in found.rows if can_be_restored(each)]
        self.home = next((each.namespace for each in found.rows), HOME)


class BackupFormScreen(CreateScreen):
    """The form of a backup. ``home``: the namespace of Velero, where it is installed."""

    page = "pages/backup.html"

    def __init__(self, session: Session, params: QueryDict) -> None:
        super().__init__(session, params)
        self.home = HOME

    async def prepare(self) -> None:
        await super().prepare()
        await self.runtime.discovery.known(timeout=DISCOVERY_SECONDS)  # whether Velero is there
        self.home = next((each.namespace for each in (await velero_backups(self.session)).rows), HOME)


class RestoringScreen(OperationScreen):
    """A restore that was begun, whoever writes the objects. Who may see it is asked in ``prepare``."""

    @property
    def plurals(self) -> frozenset[str]:
        return frozenset({"namespaces"})

    def must_see(self) -> None:
        """It takes rights of its own."""

    def what(self) -> str:
        return self.action.summary(self.change)

    def context(self) -> Mapping[str, Any]:
        url = reverse("recovery", args=[self.runtime.cluster.slug])
        return {**super().context(), "breadcrumbs": [("Recovery", url)]}


class RestoreScreen(RestoringScreen):
    """A restore, or a drill, that was begun: what became of each object. Whoever began it sees it, and whoever may read
    everything in the namespaces that it writes into: its rows name objects of every kind.
    """

    result_words: Mapping[str, str] = {**RESULT_WORDS, "done": "restored", "left": "left as it is"}
    results_title = "Objects, in the order of writing"
    running_words = "You can leave this page: it continues, and resumes if the dashboard restarts."
    resume_words = "Resuming looks again at what failed; what is there already is not written again."

    async def prepare(self) -> None:
        await super().prepare()
        if not own_accounts(self.runtime.cluster.slug) or began(self.session, self.change):
            return
        await everything_required(self.session, self.change.result.get("namespaces", ()))

    def words(self) -> tuple[str, str, str]:
        state, headline, text = super().words()
        operation = self.operation
        if operation is None or operation.state != Operation.State.DONE:
            return state, headline.replace(" of  ", " "), text
        failed, done = self.counts.get("failed", 0), self.counts.get("done", 0)
        if self.change.action == "drill":
            state, text = drill_words(operation)
            return (
                ("done" if state == "ok" else "bad"),
                f"The drill {'passed' if state == 'ok' else 'failed'}",
                text,
            )
        if failed:
            return (
                "warn",
                f"{plural(failed, 'object')} could not be restored",
                f"{done} are as in the backup.",
            )
        return "done", f"{plural(done, 'object')} {'is' if done == 1 else 'are'} as in the backup", ""

    def _row(self, result: OperationResult) -> dict[str, Any]:
        row = super()._row(result)
        return row | {"head": f"{result.kind} {row['head']}"}

    def kubectl(self) -> str:
        namespaces = self.change.result.get("namespaces", [])
        where = f"-n {namespaces[0]}" if len(namespaces) == 1 else "-A"
        return f"kubectl get all {where}"

    def context(self) -> Mapping[str, Any]:
        url = reverse("recovery", args=[self.runtime.cluster.slug])
        name = str(self.change.result.get("archive", "")).rpartition("/")[2]
        return {
            **super().context(),
            "object": {"plural": "namespaces", "kind": "Backup", "namespace": "", "name": name, "url": url},
        }


class VeleroRestoreScreen(RestoringScreen):
    """A restore by Velero, for whom may list Velero's restores where it is."""

    running_words = "You can leave this page: it is followed, and Velero restores in any case."
    resume_words = "Resuming looks again how far Velero is."

    async def prepare(self) -> None:
        await super().prepare()
        if not began(self.session, self.change) and not await self.session.decide(
            "list", RESTORES, namespace=self.change.namespace
        ):
            raise hidden(self.change)


class BackupScreen(RestoreScreen):
    """A backup that was begun on the page. Its words name namespaces, so it is for whom a restore is for."""

    page = "pages/backup_made.html"
    running_words = "You can leave this page: it continues, and begins again if the dashboard restarts."
    resume_words = "Resuming starts over: nothing is left of a backup that did not finish."

    def words(self) -> tuple[str, str, str]:
        state, headline, text = OperationScreen.words(self)
        operation = self.operation
        if operation is None or operation.state != Operation.State.DONE:
            return state, headline, text
        step = operation.steps[0]
        if step["state"] != "done":
            return "warn", "The backup was not made", step["text"]
        return ("warn" if "Missing:" in step["text"] else "done"), "The backup is complete", step["text"]

    def kubectl(self) -> str:
        return "manage.py backup list"


async def everything_required(
    session: Session, namespaces: Sequence[str], *, named: Collection[str] = ()
) -> None:
    """Raises Forbidden for whoever may not list everything in these namespaces: a backup tells all of it. The error names
    one of those that they ``named`` themselves, and no other.
    """
    for namespace in namespaces or ("",):
        if not await session.decide("list", EVERYTHING, namespace=namespace or None):
            told = namespace if namespace in named else ""
            where = (
                f"in namespace {told}"
                if told
                else "in its namespaces"
                if namespace
                else "in the whole cluster"
            )
            raise not_everything(where, told)


def not_everything(where: str, namespace: str = "") -> Forbidden:
    """What is said to whoever may not list everything there; ``namespace``: the one that they named."""
    return Forbidden(
        f"You may not list everything {where}, and a backup holds all of it.",
        next_step="Choose namespaces in which you may, or ask an administrator.",
        verb="list",
        resource="*",
        namespace=namespace,
    )
