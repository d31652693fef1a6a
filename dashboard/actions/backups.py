"""The old values of a Secret: those that a rotation replaces are kept as an immutable Secret of their own beside it.

A backup is owned by its Secret, so it goes with it, and its name holds part of a keyed digest: the same values are kept
once, and undo can tell whether the backup is still the one that it made. The newest KEPT are kept.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from dashboard.errors import ClusterError, Conflict, NotFound, TooManyRequests, Unavailable
from dashboard.kinds.rows import shorten
from dashboard.kinds.secrets import BACKUP_OF, SECRETS
from dashboard.kube.access import allowed
from dashboard.kube.answers import read_object
from dashboard.kube.hiding import hide_values
from dashboard.kube.transport import Transport
from dashboard.loop import off_loop
from dashboard.models import AuditEntry, Change

from ..database import in_database
from .action import Manifest, Order, Target
from .engine import change_read
from .writing import MANAGER

METADATA_ONLY = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
SALT = "dashboard.actions.secrets"
KEPT = 5  # old values of one Secret; an older one can no longer be brought back
PRUNED = "pruned"  # in a change's result: its backup was removed since


def mark(uid: str, key: str, value: bytes) -> str:
    """A keyed digest: tells whether a value of this key of this Secret is the same, and nothing else."""
    text = b"\0".join((uid.encode(), key.encode(), value))
    return salted_hmac(SALT, text, algorithm="sha256").hexdigest()[:40]


def marks_of(manifest: Manifest, keys: Iterable[str]) -> dict[str, str]:
    """The digests of the values that a Secret has of these keys."""
    data, uid = manifest.get("data") or {}, manifest["metadata"]["uid"]
    return {key: mark(uid, key, base64.b64decode(data[key])) for key in keys if key in data}


def kept_marks(wanted: Mapping[str, Any]) -> dict[str, str]:
    """What an undo brings back: the digest of each key's value. Changes that were recorded when one key could be rotated
    at a time have ``key`` and ``mark``.
    """
    return wanted["marks"] if "marks" in wanted else {wanted["key"]: wanted["mark"]}


def _digest(uid: str, marks: Mapping[str, str]) -> str:
    """What a backup is named by: the digest of its value, or of those of all its keys."""
    if len(marks) == 1:
        return next(iter(marks.values()))
    keys = sorted(marks)
    return mark(uid, "\0".join(keys), "".join(marks[key] for key in keys).encode())


def backup_name(name: str, digest: str) -> str:
    """The name of the Secret that keeps an old value: the same for the same value, so that it is made once."""
    return f"{name[:200].rstrip('.-')}-backup-{digest[:12]}"


def backup_of(change: Change) -> str:
    """The name of the backup that a rotation kept, "" for none."""
    if not change.inverse:
        return ""
    return backup_name(change.name, _digest(change.uid, kept_marks(change.inverse["input"])))


async def backups_allowed(transport: Transport, namespace: str) -> bool:
    """Whether the user may make a backup and read it again."""
    for verb in ("create", "get"):
        if not (await allowed(transport, verb, SECRETS.gvr, namespace=namespace)).allowed:
            return False
    return True


async def backup_refusal(order: Order, manifest: Manifest, keys: Sequence[str]) -> str:
    """Why no backup of the values that are there can be kept, as a sentence; "" when a dry run made one. Raises what may
    pass, such as Unavailable.
    """
    namespace = order.target.namespace
    if not await backups_allowed(order.transport, namespace):
        return f"Your account may not create and get Secrets in namespace {namespace}."
    try:
        await backup_keep(order, manifest, keys, dry=True)
    except ClusterError as error:
        # A rule of the cluster may quote them.
        await off_loop(hide_values, error, (manifest.get("data") or {}).values())
        if isinstance(error, (Unavailable, TooManyRequests)):
            raise
        return f"The cluster refuses it: {shorten(error.message, 300)}"
    return ""


async def backup_values(order: Order, manifest: Manifest, marks: Mapping[str, str]) -> dict[str, str]:
    """The old values, by key, in base64. Raises NotFound when their backup is gone, and Conflict when it holds others."""
    uid = manifest["metadata"]["uid"]
    kept = _target(order.target, _digest(uid, marks))
    try:
        backup = await change_read(transport=order.transport, target=kept)
    except NotFound as error:
        raise NotFound(
            f"The backup {kept.name} with the old value is gone.",
            next_step="Rotate the key to the old value by hand, if you have it.",
        ) from error
    values = {key: str((backup.get("data") or {}).get(key, "")) for key in marks}
    for key, value in values.items():
        if not constant_time_compare(mark(uid, key, base64.b64decode(value)), marks[key]):
            raise Conflict(
                f"The backup {kept.name} doesn't contain the value that was replaced.",
                next_step="It was recreated, or this installation's secret key was changed: set the value by hand.",
            )
    return values


async def backup_keep(order: Order, manifest: Manifest, keys: Sequence[str], *, dry: bool = False) -> None:
    """Keeps the values that are there, if there are any, and reads them again: undo rests on what is really kept. Raises
    Forbidden or Invalid when it is refused, such as by a quota or a policy, and nothing may be written then. ``dry``: as
    far as the API server goes without keeping it.
    """
    marks = marks_of(manifest, keys)
    if not marks:
        return
    kept = _target(order.target, _digest(manifest["metadata"]["uid"], marks))
    with suppress(Conflict):  # kept before: the same values have the same name
        await order.transport.request(
            "POST",
            kept.gvr,
            namespace=kept.namespace,
            query={"fieldManager": MANAGER} | ({"dryRun": "All"} if dry else {}),
            body=msgspec.json.encode(_body(kept, manifest, {key: manifest["data"][key] for key in marks})),
            accept=METADATA_ONLY,
        )
        if dry:
            return
    await backup_values(order, manifest, marks)


async def backups_prune(*, change: Change, transport: Transport) -> None:
    """Removes what is older than the newest KEPT old values of the Secret that a rotation changed, audited. What the
    account may not remove, or the cluster does not now, stays until the next rotation.
    """
    for name, older in (await in_database(_outdated)(change)).items():
        try:
            gone = await _remove(transport, change, name)
        except ClusterError:
            return
        await in_database(_forget)(change, name, older, gone)


def _target(target: Target, digest: str) -> Target:
    return dataclasses.replace(target, name=backup_name(target.name, digest))


def _body(kept: Target, manifest: Manifest, data: Mapping[str, str]) -> Manifest:
    meta = manifest["metadata"]
    owner = {"apiVersion": "v1", "kind": "Secret", "name": meta["name"], "uid": meta["uid"]}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": kept.name,
            "labels": {"app.kubernetes.io/managed-by": MANAGER, BACKUP_OF: meta["uid"]},
            "ownerReferences": [owner],
        },
        "type": "Opaque",
        "immutable": True,
        "data": data,
    }


def _outdated(change: Change) -> dict[str, list[Change]]:
    """The backups, by name, that are not among the newest, with the changes that could be undone with them."""
    made = Change.objects.filter(
        action=change.action, state=Change.State.DONE, context=change.context, uid=change.uid
    )
    by_name: dict[str, list[Change]] = {}
    for each in made.exclude(inverse={}).order_by("-pk"):
        by_name.setdefault(backup_of(each), []).append(each)
    return dict(list(by_name.items())[KEPT:])


async def _remove(transport: Transport, change: Change, name: str) -> bool:
    """Removes a backup; False when there is none, or one of that name that is not ours."""
    where: dict[str, Any] = {"namespace": change.namespace, "name": name, "accept": METADATA_ONLY}
    try:
        answer = await transport.request("GET", SECRETS.gvr, **where)
        meta = read_object(answer.body)["metadata"]
        if (meta.get("labels") or {}).get(BACKUP_OF) != change.uid:
            return False
        options = {"preconditions": {"uid": meta["uid"]}}
        await transport.request("DELETE", SECRETS.gvr, **where, body=msgspec.json.encode(options))
    except NotFound:
        return False
    return True


def _forget(change: Change, name: str, older: list[Change], gone: bool) -> None:
    with transaction.atomic():
        for each in older:
            each.inverse, each.result = {}, each.result | {PRUNED: True}
            each.save(update_fields=["inverse", "result"])
        if gone:
            AuditEntry.objects.create(
                user_name=change.user.get_username(),
                context=change.context,
                action="delete",
                plural="secrets",
                namespace=change.namespace,
                name=name,
                detail=f"A backup of {change.name}: only its newest {KEPT} old values are kept.",
                result=AuditEntry.Result.DONE,
            )
