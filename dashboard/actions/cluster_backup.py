"""Making a backup from a page: an operation of one step, which lists, writes, verifies and publishes an archive
(docs/adr/0084).

The archive gets its name when it is whole, and the step knows that name before it begins. So a process that comes after
one that was killed finds it done, or makes it anew: of one that was not made nothing is left, neither in the storage nor
in the cluster.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.db import IntegrityError

from dashboard import clock
from dashboard.errors import BadInput, ClusterError, TooManyRequests
from dashboard.insight import Objects
from dashboard.kinds.base import GVR, Kind
from dashboard.kinds.quantity import format_bytes
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.tablekinds import Resource
from dashboard.kube.access import allowed
from dashboard.kube.discovery import discover
from dashboard.kube.transport import Transport
from dashboard.models import Backup, Change, Operation
from dashboard.recovery import records as backups
from dashboard.recovery.choice import named
from dashboard.recovery.claims import SNAPSHOTS_KEY, snapshots_delete
from dashboard.recovery.create import (
    BackupRequest,
    Made,
    backup_create,
    backup_name,
    namespaces_required,
)
from dashboard.recovery.selection import DERIVED, SECRETS_KEY
from dashboard.recovery.storage import Storage
from dashboard.recovery.typedkeys import installed_recipients

from ..database import in_database
from . import records
from . import token as tokens
from .action import Actor
from .begun import record_begun
from .confirmation import require_reason, why_in
from .operation import OperationAction, Plan, Run, Step, operation_step
from .permits import changes_required
from .problems import Unconfirmed, UnderWay

SALT = "dashboard.actions.backup"
LOOK_SECONDS = 1.0  # how often the step says how far it is, and hears that it was stopped
MAX_AT_ONCE = 3  # of one cluster, each by somebody else
MAX_TRIES = 2 * MAX_AT_ONCE  # to take a place that was free
MAX_REVIEWED = 10  # namespaces of which it is asked what may be listed there
INTERRUPTED = "It was interrupted: the process that made it has ended."
STOPPED = "It was stopped."


class BackupUnderWay(UnderWay):
    title = "A backup is under way"
    what = "backup"

    def __init__(self, context: str, change: int) -> None:
        super().__init__(f"You are backing up {context} already.", change)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody wants backed up. No ``namespaces``: the cluster."""

    namespaces: tuple[str, ...] = ()
    labels: str = ""
    secrets: bool = False
    snapshots: bool = False

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Asked:
        return cls(**{**kept, "namespaces": tuple(kept["namespaces"])})

    def request(self) -> BackupRequest:
        """Raises BadInput for what can't be asked, and where Secrets are wanted and the installation has no recipient."""
        recipients = installed_recipients()
        if self.secrets and not recipients:
            raise BadInput(
                "Secrets need a recipient: a backup that is not encrypted holds none.",
                next_step="Set CLUSTER_UI_BACKUP_RECIPIENTS to a public key of age, or leave Secrets out.",
                field="secrets",
            )
        wanted = BackupRequest(
            namespaces=self.namespaces, labels=self.labels, recipients=recipients,
            without_secrets=not self.secrets, snapshots=self.snapshots,
        )  # fmt: skip
        wanted.check()
        return wanted

    @property
    def words(self) -> str:
        """What is backed up, for the middle of a sentence."""
        of = listed(named(self.namespaces), "more namespaces") if self.namespaces else "the whole cluster"
        return f"{of}, only what has {self.labels}" if self.labels else of


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupOrder:
    """Who wants what, and why."""

    transport: Transport
    actor: Actor
    asked: Asked
    reason: str = ""
    confirm: str = ""

    @property
    def cluster(self) -> Any:
        return self.transport.cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupPreview:
    """``kinds``: how many are read. ``missing``: those of them that the account may not list everywhere.
    ``recipients``: the public keys that it is encrypted to. ``snapshots``: whether the cluster can take any.
    """

    kinds: int
    missing: tuple[str, ...]
    recipients: tuple[str, ...] = field(repr=False)
    snapshots: bool
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The signed facts of a preview."""

    user: int
    server: str
    context: str
    storage: str
    asked: str
    nonce: str


def _facts(order: BackupOrder) -> dict[str, Any]:
    return {
        "user": order.actor.user.pk, "server": order.cluster.server, "context": order.cluster.name,
        "storage": _storage_url(), "asked": tokens.digest_of(asdict(order.asked)),
    }  # fmt: skip


def _storage_url() -> str:
    if not settings.CLUSTER_UI_BACKUP_TO:
        raise BadInput(
            "No storage for backups is configured.",
            next_step="Set CLUSTER_UI_BACKUP_TO to a folder or an object store, and restart the dashboard.",
        )
    return str(settings.CLUSTER_UI_BACKUP_TO)


class ClusterBackup(OperationAction):
    """Its change's result has ``asked`` and ``namespaces``; its step ``row`` (of the records of backups) and ``archive``
    (its name).
    """

    name, title, icon = "backup", "Back up", "shield"
    part = "change"
    verb = "list"
    kinds = frozenset()
    noun = "backup"
    planned_from = follows = frozenset[str]()
    left_text = "it was not made"

    def __init__(self) -> None:
        self.steps = MappingProxyType({"make": make_step})

    def fits(self, kind: Kind[Any]) -> bool:
        return False  # it is offered where the backups are

    async def plan(self, change: Change, transport: Transport, objects: Objects) -> Plan:
        raise NotImplementedError("it is recorded with its step")  # pragma: no cover

    def words(self, touched: Mapping[str, Any]) -> str:
        return ""

    def summary(self, change: Change) -> str:
        return f"Back up {Asked.from_json(change.result['asked']).words}"

    def to_confirm(self, operation: Operation) -> str:
        return operation.change.context

    def written(self, change: Change) -> str:
        return "Preview confirmed"

    def after_words(self, change: Change) -> str:
        return f"of {Asked.from_json(change.result['asked']).words}"

    def resuming(self, operation: Operation) -> None:
        context, user = operation.change.context, operation.change.user_id
        bounds = _bounds(context, user, _room_required(context, user))
        operation.sole, operation.place = bounds["sole"], bounds["place"]

    def way_back(self, change: Change) -> str:
        return "A backup changes nothing in the cluster. Old ones are deleted by manage.py backup prune."


# ---- The preview


async def backup_preview(order: BackupOrder) -> BackupPreview:
    """What would be in it. Raises BadInput, NotFound for a namespace that does not exist, ReadOnly where VolumeSnapshots
    are to be taken and nothing may be written, and what the cluster raises.
    """
    facts, wanted = _facts(order), order.asked.request()
    if order.asked.snapshots:
        await changes_required(order.cluster)
    await namespaces_required(order.transport, wanted.namespaces)
    found = await discover(order.transport)
    read = [each for each in found if _is_read(each, wanted)]
    return BackupPreview(
        kinds=len(read),
        missing=await _missing(order.transport, read, wanted.namespaces),
        recipients=tuple(map(str, wanted.recipients)),
        snapshots=any(each.key == SNAPSHOTS_KEY for each in found),
        token=tokens.sign(Shown(**facts, nonce=tokens.new_nonce()), SALT),
    )


def _is_read(resource: Resource, wanted: BackupRequest) -> bool:
    if resource.key in DERIVED or (resource.key == SECRETS_KEY and not wanted.secrets):
        return False
    return resource.gvr.namespaced or not wanted.namespaces


async def _missing(
    transport: Transport, read: Sequence[Resource], namespaces: Sequence[str]
) -> tuple[str, ...]:
    """The kinds that the account may not list there. One question suffices for who may list everything."""
    places: list[str | None] = [*namespaces[:MAX_REVIEWED]] or [None]
    everything = GVR("*", "*", "*")

    async def listable(gvr: GVR) -> bool:
        asked = [
            allowed(transport, "list", gvr, namespace=each if gvr.namespaced else None) for each in places
        ]
        return all(each.allowed for each in await asyncio.gather(*asked))

    if await listable(everything):
        return ()
    may = await asyncio.gather(*(listable(each.gvr) for each in read))
    return tuple(each.key for each, listed_ in zip(read, may, strict=True) if not listed_)


# ---- The apply


async def backup_begin(order: BackupOrder, token: str, *, holder: str = "") -> Change:
    """Begins what a preview showed; the same token begins it once. Raises BadInput (``token``) for a token of something
    else, Unconfirmed and Unreasoned in a production context, UnderWay while one of theirs is made, TooManyRequests while
    several of others are, and as the preview does.
    """
    shown = tokens.read_as(Shown, token, SALT, _facts(order))
    if (earlier := await in_database(records.found)(shown.nonce)) is not None:
        return earlier
    order.asked.request()
    if order.asked.snapshots:
        await changes_required(order.cluster)
    await in_database(_room_required)(order.cluster.name, order.actor.user.pk)
    why = why_in(order.cluster.name)
    if why and order.confirm.strip() != order.cluster.name:
        raise Unconfirmed(f"Type {order.cluster.name}: {why}.", field="confirm")
    require_reason(order.cluster.name, order.reason)
    namespaces = list(order.asked.namespaces)
    result = {"asked": asdict(order.asked), "namespaces": namespaces}
    steps = [operation_step("make", f"Back up {order.asked.words}")]
    return await in_database(_record)(order, shown.nonce, namespaces, result, steps, holder)


def _record(
    order: BackupOrder,
    nonce: str,
    namespaces: list[str],
    result: dict[str, Any],
    steps: list[Step],
    holder: str,
) -> Change:
    """As ``record_begun``, in a place that nobody else has: what was free when it was looked for, another one may have
    taken since, which the database says.
    """
    context, user = order.cluster.name, order.actor.user.pk
    for _ in range(MAX_TRIES):
        if (begun := records.found(nonce)) is not None:  # the other one of two submits
            return begun
        bounds = _bounds(context, user, _room_required(context, user))
        with suppress(IntegrityError):
            return record_begun(CLUSTER_BACKUP, order, nonce, namespaces, result, steps, [], holder, bounds)
    raise _full(context)


def _room_required(context: str, user: int) -> int:
    """The number of a place that is free: whoever may read anything may back it up, and each reads a whole cluster and
    fills the storage. Raises BackupUnderWay and TooManyRequests.
    """
    running = Operation.objects.filter(
        state=Operation.State.RUNNING, change__context=context, change__action=CLUSTER_BACKUP.name
    )
    if (own := running.filter(change__user=user).first()) is not None:
        raise BackupUnderWay(context, own.change_id)
    places = set(running.values_list("place", flat=True))
    free = [at for at in range(MAX_AT_ONCE) if _bounds(context, user, at)["place"] not in places]
    if not free or len(running) >= MAX_AT_ONCE:
        raise _full(context)
    return free[0]


def _full(context: str) -> TooManyRequests:
    return TooManyRequests(
        f"{MAX_AT_ONCE} backups of {context} are under way.", next_step="Wait until one of them has finished."
    )


def _bounds(context: str, user: int, place: int) -> dict[str, str]:
    """What an operation has alone while it is under way: a backup of that cluster by that person, and its place there. As
    digests: a context may be called anything.
    """
    named = {"sole": f"user {user}", "place": f"place {place}"}
    return {
        key: hashlib.sha256(f"backup {context}\0{name}".encode()).hexdigest() for key, name in named.items()
    }


# ---- Its step


async def make_step(run: Run) -> None:
    """Makes the backup, from its beginning to its end. What is wrong with the cluster or the storage ends the step: a
    backup already waits for what is busy, and one that failed as a whole is begun again by a person.
    """
    change = run.change
    row: Backup | None = None
    try:
        wanted = Asked.from_json(change.result["asked"]).request()
        storage = await asyncio.to_thread(Storage, _storage_url())
        if await _was_made(run, storage):
            return
        row = await in_database(backups.begun)(
            context=change.context, place=storage.url, by=change.user.get_username(),
            namespaces=wanted.namespaces, labels=wanted.labels,
        )  # fmt: skip
        name = backup_name(run.transport, wanted, clock.now())
        run.step |= {"row": row.pk, "archive": name}
        await run.save()
        made = await _followed(run, row, wanted, storage, name)
    except ClusterError as error:
        if row is not None:
            await in_database(backups.failed)(row, error.message, audited=False)
        await run.fail(f"{error.message} {error.next_step}".strip())
        return
    await in_database(backups.ended)(row, change)
    run.now = clock.now()
    await run.end("done", made_words(row), archive=made.url.rpartition("/")[2])


async def _followed(run: Run, row: Backup, wanted: BackupRequest, storage: Storage, name: str) -> Made:
    """Makes it beside, and says how far it is. Raises Lost where it was stopped, or another process has it: nothing is
    left of it then.
    """
    told = ["Reading what the cluster has."]

    def progress(kind: str, objects: int) -> None:
        told[0] = f"{plural(objects, 'object')} so far; reading {kind}."

    async def verified(made: Made) -> None:
        await in_database(backups.described)(row, made.url, made.summary)

    making = asyncio.create_task(
        backup_create(
            transport=run.transport, storage=storage, wanted=wanted, progress=progress, name=name, verified=verified
        )
    )  # fmt: skip
    try:
        while not (await asyncio.wait([making], timeout=LOOK_SECONDS))[0]:
            if run.step["text"] != told[0]:
                run.step["text"] = told[0]
            await run.save()
        return making.result()
    except BaseException as error:
        making.cancel()
        await asyncio.gather(making, return_exceptions=True)
        if not isinstance(error, ClusterError | asyncio.CancelledError):
            await in_database(backups.failed)(row, STOPPED, audited=False)
        raise


async def _was_made(run: Run, storage: Storage) -> bool:
    """What became of it in a process that was killed: it ends the step where the archive got its name, and else takes
    back what is left.
    """
    row = await in_database(_row)(run.step.get("row"))
    if row is None:
        return False
    name, unfinished = run.step["archive"], row.state == Backup.State.RUNNING
    stored = await asyncio.to_thread(storage.archives)
    if row.name == name and any(each.name == name for each in stored):
        if unfinished:
            await in_database(backups.ended)(row, run.change)
        await run.end("done", made_words(row))
        return True
    if unfinished:
        await in_database(backups.failed)(row, INTERRUPTED, audited=False)
    with suppress(ClusterError):
        await snapshots_delete(run.transport, {name})
    return False


def _row(pk: int | None) -> Backup | None:
    return Backup.objects.filter(pk=pk).first() if pk is not None else None


def made_words(row: Backup) -> str:
    """What an archive holds, as a sentence or two."""
    text = f"{plural(row.objects_count, 'object')}, {format_bytes(row.size_bytes)}; read back and verified."
    if row.missing:
        text += f" Missing: {listed([str(each['what']) for each in row.missing], 'more kinds')}."
    if row.snapshots:
        text += f" VolumeSnapshots of {row.snapshots} of {plural(row.claims, 'claim')}."
    return text


CLUSTER_BACKUP = ClusterBackup()
