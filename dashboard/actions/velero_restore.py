"""Restoring a backup of Velero: an operation of two steps, which creates Velero's Restore and follows it to its end
(docs/adr/0084).

Velero does the work, with rights of its own. So what is previewed is the Restore, tried by a dry run, and what the backup
holds; what becomes of single objects, Velero alone knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import msgspec

from dashboard.errors import BadInput, Conflict, NotFound
from dashboard.kinds.rows import listed
from dashboard.kube.answers import read_object
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change
from dashboard.recovery.choice import kind_key, named
from dashboard.recovery.mapping import collisions
from dashboard.recovery.velero import (
    BACKUPS,
    RESTORES,
    VeleroRow,
    backup_row,
    ended,
    included,
    new_restore,
    restorable,
    restore_row,
)

from ..database import in_database
from . import records
from . import token as tokens
from .action import Actor, Manifest
from .begun import record_begun
from .confirmation import require_reason, why_in
from .operation import Run, operation_step, passed
from .permits import changes_required
from .problems import Unconfirmed
from .restore import RestoreAction, to_confirm
from .writing import MANAGER

SALT = "dashboard.actions.velero"
NONCE = "cluster-ui.dev/restore"  # an annotation: which preview a Restore was made from
LOOK_SECONDS = 5.0
MAX_FOLLOWED = timedelta(days=1)  # volumes may be large
UNHEARD_SECONDS = 120.0  # after which it is said that Velero may not run
SECONDS = 10.0
_DELETED = "It was deleted before its end: how far Velero came is in Velero's log."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody wants restored: the ``backup`` in Velero's namespace ``home``, as a Restore called ``name``. No
    ``namespaces``: all that it holds. ``maps``: namespace of the backup → the one to write into.
    """

    name: str
    home: str
    backup: str
    namespaces: tuple[str, ...] = ()
    maps: Mapping[str, str] = field(default_factory=dict)
    labels: str = ""
    update: bool = False
    volumes: bool = True

    @property
    def manifest(self) -> Manifest:
        """The Restore. Raises BadInput for labels that Velero can't take."""
        try:
            return new_restore(
                name=self.name, namespace=self.home, backup=self.backup, namespaces=self.namespaces, maps=self.maps,
                labels=self.labels, update=self.update, volumes=self.volumes,
            )  # fmt: skip
        except ValueError as error:
            raise BadInput(f"Invalid label selector: {error}.", field="labels") from None

    @property
    def targets(self) -> list[str]:
        """The namespaces that are written into, where they were named."""
        return sorted({self.maps.get(each, each) for each in self.namespaces})


@dataclass(frozen=True, slots=True, kw_only=True)
class VeleroOrder:
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
class VeleroPreview:
    """``backup`` is what is restored; ``to_confirm``: what is typed where a name has to be."""

    backup: VeleroRow
    manifest: Manifest = field(repr=False)
    to_confirm: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The signed facts of a preview; ``uid`` is the backup's."""

    user: int
    server: str
    context: str
    asked: str
    uid: str
    nonce: str


def _facts(order: VeleroOrder) -> dict[str, Any]:
    return {
        "user": order.actor.user.pk, "server": order.cluster.server, "context": order.cluster.name,
        "asked": tokens.digest_of(order.asked.manifest),
    }  # fmt: skip


class VeleroRestore(RestoreAction):
    """Its change is about the Restore; its result has ``manifest``, ``backup`` and ``namespaces``."""

    name, title, icon = "velero-restore", "Restore by Velero", "undo"
    left_text = "it is not followed any more"

    def __init__(self) -> None:
        self.steps = MappingProxyType({"make": make_step, "follow": follow_step})

    def max_step(self, change: Change) -> timedelta:
        return MAX_FOLLOWED

    def summary(self, change: Change) -> str:
        where = listed(named(change.result["namespaces"]), "more namespaces") or "the cluster"
        return f"Velero's backup {change.result['backup']} into {where}"

    def way_back(self, change: Change) -> str:
        return "A restore has no undo: what Velero created has to be deleted. Stopped here, it goes on in the cluster."


# ---- The preview


async def velero_preview(order: VeleroOrder) -> VeleroPreview:
    """What would be restored; the Restore is tried, and nothing is written. Raises ReadOnly, BadInput for what can't be
    restored so, Conflict where its name is taken, and what the cluster raises.
    """
    await changes_required(order.cluster)
    backup = await _backup(order)
    await _sent(order.transport, order.asked.manifest, dry=True)
    shown = Shown(**_facts(order), uid=backup["metadata"]["uid"], nonce=tokens.new_nonce())
    return VeleroPreview(
        backup=backup_row(backup), manifest=order.asked.manifest, token=tokens.sign(shown, SALT),
        to_confirm=to_confirm(order.asked.targets, order.cluster.name),
    )  # fmt: skip


async def _backup(order: VeleroOrder) -> Manifest:
    """Read as whoever asks. Raises BadInput where it can't be restored so."""
    asked = order.asked
    try:
        found = await order.transport.request(
            "GET", BACKUPS, namespace=asked.home, name=asked.backup, timeout=SECONDS
        )
    except NotFound:
        raise BadInput(
            f"There is no backup {asked.backup} of Velero in namespace {asked.home}.", field="backup"
        ) from None
    backup: Manifest = read_object(found.body)
    if unmapped := sorted(asked.maps.keys() - set(asked.namespaces)) if asked.namespaces else []:
        raise BadInput(f"{listed(unmapped)}: mapped, but not chosen.", field="into")
    if why := restorable(backup, [*asked.namespaces, *asked.maps]):
        raise BadInput(why, field="namespace")
    held = asked.namespaces or included(backup) or asked.maps
    if together := collisions(held, asked.maps):
        raise BadInput(
            f"{listed(together)}: two namespaces would go there. Objects of one name would collide.",
            field="into",
        )
    return backup


async def _sent(transport: Transport, manifest: Manifest, *, dry: bool) -> Manifest:
    answer = await transport.request(
        "POST", RESTORES, namespace=manifest["metadata"]["namespace"], body=msgspec.json.encode(manifest),
        query={"fieldManager": MANAGER, "fieldValidation": "Strict"} | ({"dryRun": "All"} if dry else {}),
    )  # fmt: skip
    found: Manifest = read_object(answer.body)
    return found


# ---- The apply


async def velero_begin(order: VeleroOrder, token: str, *, holder: str = "") -> Change:
    """Begins what a preview showed; the same token begins it once. Raises BadInput (``token``) for a token of something
    else, also where the backup is another one by now, Unconfirmed and Unreasoned in a production context, and as the
    preview does.
    """
    shown = tokens.read_as(Shown, token, SALT, _facts(order))
    if (earlier := await in_database(records.found)(shown.nonce)) is not None:
        return earlier
    await changes_required(order.cluster)
    if (await _backup(order))["metadata"]["uid"] != shown.uid:
        raise tokens.not_shown()
    asked, context = order.asked, order.cluster.name
    typed = to_confirm(asked.targets, context)
    if (why := why_in(context)) and order.confirm.strip() != typed:
        raise Unconfirmed(f"Type {typed}: {why}.", field="confirm")
    require_reason(context, order.reason)
    manifest = asked.manifest
    manifest["metadata"]["annotations"] = {NONCE: shown.nonce}
    await _sent(order.transport, manifest, dry=True)
    result = {"manifest": manifest, "backup": asked.backup, "namespaces": asked.targets}
    steps = [
        operation_step("make", f"Create Restore {asked.name}"),
        operation_step("follow", f"Velero restores {asked.backup}"),
    ]
    about = {
        "plural": kind_key(RESTORES.group, RESTORES.plural), "kind": "Restore", "namespace": asked.home,
        "name": asked.name,
    }  # fmt: skip
    work = in_database(record_begun)
    return await work(
        VELERO_RESTORE, order, shown.nonce, asked.targets, result, steps, [], holder, about=about
    )


# ---- Its steps


async def make_step(run: Run) -> None:
    """Creates the Restore; the one that was created before a kill is known by its annotation."""
    manifest = run.change.result["manifest"]
    try:
        made = await _sent(run.transport, manifest, dry=False)
    except Conflict:
        found = await _restore(run)
        if found is None:
            return  # it was there a moment ago: with the next move
        notes = found["metadata"].get("annotations") or {}
        if notes.get(NONCE) != manifest["metadata"]["annotations"][NONCE]:
            await run.fail(f"A Restore {run.change.name} exists already, and is not this one.")
            return
        made = found
    await run.end("done", "Velero restores with its own rights.", uid=made["metadata"]["uid"])


async def follow_step(run: Run) -> None:
    """Looks at it now and then, until Velero is through with it."""
    if passed(run.step.get("looked", ""), run.now) < LOOK_SECONDS and run.step.get("looked"):
        return
    made = next(each for each in run.operation.steps if each["do"] == "make")
    found = await _restore(run)
    if found is None or found["metadata"]["uid"] != made["uid"]:
        await run.fail(_DELETED)
        return
    row = restore_row(found)
    run.step |= {"looked": run.now.isoformat(), "text": _progress(row, passed(run.step["began"], run.now))}
    if not ended(row):
        await run.save()
        return
    text = " ".join(filter(None, (f"{row.word}.", _counted(row), row.text)))
    if row.word != "Completed":
        await run.fail(text)
        return
    told = run.entry(
        run.change.action, AuditEntry.Result.DONE, f"{VELERO_RESTORE.summary(run.change)}: {text}"
    )
    await run.end("done", text, entries=[told])


async def _restore(run: Run) -> Manifest | None:
    change = run.change
    try:
        answer = await run.transport.request(
            "GET", RESTORES, namespace=change.namespace, name=change.name, timeout=SECONDS
        )
    except NotFound:
        return None
    found: Manifest = read_object(answer.body)
    return found


def _progress(row: VeleroRow, seconds: float) -> str:
    if row.word == "New" and seconds > UNHEARD_SECONDS:
        return "Velero has not processed it yet: check that Velero runs."
    return " ".join(filter(None, (f"{row.word}.", _counted(row), row.text)))


def _counted(row: VeleroRow) -> str:
    if row.done is None:
        return ""
    of = f" of {row.total:,}" if row.total is not None else ""
    return f"{row.done:,}{of} objects."


VELERO_RESTORE = VeleroRestore()
