"""The versions of ConfigMaps that are kept: all keys with their values, as each change left them.

Those of changes made here come from the change itself; see docs/adr/0051. Each function is one short synchronous
transaction. Whoever shows a version must have found out that the reader may get the ConfigMap now.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from dashboard.models import Change, ConfigMapContent, ConfigMapVersion

from ..database import in_database
from .action import Manifest, is_absent
from .configmap_history import EDITS
from .configmap_values import FIELDS, Value, values
from .writers import last_manager
from .writing import MANAGER

log = logging.getLogger(__name__)

# The actions that write values into their object; the undo of the last one creates it again.
MAKERS = (*EDITS, "create", "create-all", "delete")
MAX_KEYS = 20  # named of one version; of more, how many

Contents = Mapping[str, Value]


class Written(NamedTuple):
    """A ConfigMap that a change wrote: as it was, as it is, and when, where the change is of many."""

    before: Manifest | None
    after: Manifest
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """Who wrote a version, when and why, and by which change made here."""

    by: str
    at: datetime
    reason: str = ""
    change: Change | None = None


async def versions_kept(
    change: Change,
    before: Manifest | None,
    after: Manifest,
    *,
    plural: str = "",
    at: datetime | None = None,
) -> None:
    """What each action that writes values of ConfigMaps keeps; of other kinds nothing is kept. ``plural`` and ``at``: the
    kind of the object, and when it was written, where a change is of many.
    """
    if (plural or change.plural) == "configmaps":
        await versions_kept_of_many(change, [Written(before, after, at)])


async def versions_kept_of_many(change: Change, written: Sequence[Written]) -> None:
    """The same for many ConfigMaps that a change has written, in one transaction."""
    try:
        await in_database(_keep_many)(change, written)
    except DatabaseError:
        log.exception("the versions of %s were not kept", change)


def _keep_many(change: Change, written: Sequence[Written]) -> None:
    with transaction.atomic():
        for each in written:
            try:
                versions_keep(change, *each)  # it writes in a savepoint of its own
            except DatabaseError:  # somebody else kept one of this object just then
                log.exception("the versions of an object of %s were not kept", change)


def versions_keep(
    change: Change, before: Manifest | None, after: Manifest, at: datetime | None = None
) -> None:
    """The version that a change made, and the one that it found, unless that is known."""
    if before is not None and not is_absent(before):
        version_found(change.context, before, by_other_than=change)
        if values(before) == values(after):
            return  # it is not the one that wrote these values
    who = _writing(change)
    _keep(change.context, after, who if at is None else replace(who, at=at))


def version_found(context: str, manifest: Manifest, by_other_than: Change | None = None) -> str:
    """A version that was read, and the field manager that wrote it; nothing new where it is known. A change that found it
    is not the one that made it.
    """
    newest = _newest(context, _uid(manifest))
    keys = _differing(_unpack(newest.content), values(manifest)) if newest is not None else {}
    by, at = _written_by(manifest, [key for key, _ in keys.get("changed", ())])
    who = Writing(by=by, at=at)
    if by == MANAGER:
        # Its own record may be on the way, or was lost with its process: the change tells who it was.
        made = Change.objects.filter(context=context, uid=_uid(manifest), action__in=MAKERS, versions=None)
        if by_other_than is not None:
            made = made.exclude(pk=by_other_than.pk)
        last = made.exclude(state=Change.State.UNKNOWN).select_related("user").order_by("-created_at").first()
        if last is not None:
            who = _writing(last)
    _keep(context, manifest, who)
    return by


def versions_of(context: str, uid: str) -> list[ConfigMapVersion]:
    """All that are kept of one object, the newest first; of their contents the hashes alone."""
    rows = _rows(context, uid).select_related("content").defer("content__packed")
    return list(rows.order_by("-number"))


def version_contents(version: ConfigMapVersion) -> Contents:
    """All keys with their values."""
    return _unpack(version.content)


def known_versions(context: str) -> dict[str, str]:
    """The latest resourceVersion whose content is kept, by uid."""
    rows = ConfigMapVersion.objects.filter(context=context, replaced_at=None)
    return dict(rows.values_list("uid", "resource_version"))


def content_hash(manifest: Manifest) -> str:
    """What the content of a version goes by."""
    return hashlib.sha256(_packable(values(manifest))).hexdigest()


def as_manifest(contents: Contents) -> Manifest:
    """As they stand in the object."""
    made: Manifest = {"data": {}, "binaryData": {}}
    for key, value in contents.items():
        text = value.content
        made[value.field][key] = text.decode() if value.field == "data" else base64.b64encode(text).decode()
    return made


def _writing(change: Change) -> Writing:
    return Writing(by=change.user.get_username(), at=change.created_at, reason=change.reason, change=change)


def _rows(context: str, uid: str) -> QuerySet[ConfigMapVersion]:
    return ConfigMapVersion.objects.filter(context=context, uid=uid)


def _newest(context: str, uid: str) -> ConfigMapVersion | None:
    return _rows(context, uid).order_by("-number").select_related("content").first()


def _keep(context: str, manifest: Manifest, who: Writing) -> None:
    meta, there = manifest["metadata"], values(manifest)
    text = _packable(there)
    sha256 = hashlib.sha256(text).hexdigest()
    version, now = str(meta["resourceVersion"]), timezone.now()
    with transaction.atomic():
        rows = _rows(context, meta["uid"])
        newest = _newest(context, meta["uid"])
        if newest is not None and (newest.content.sha256 == sha256 or not _later(version, newest)):
            same = (
                newest if newest.content.sha256 == sha256 else rows.filter(resource_version=version).first()
            )
            if same is not None:
                _again(same, version, who)
            return
        packed = zlib.compress(text)
        content, _ = ConfigMapContent.objects.get_or_create(
            sha256=sha256, defaults={"packed": packed, "stored_bytes": len(packed)}
        )
        if newest is not None:
            rows.filter(pk=newest.pk).update(replaced_at=now)
        ConfigMapVersion.objects.create(
            context=context,
            namespace=meta["namespace"],
            name=meta["name"],
            uid=meta["uid"],
            number=1 if newest is None else newest.number + 1,
            resource_version=version,
            by=who.by[:253],
            at=who.at,
            reason=who.reason,
            change=who.change,
            keys={} if newest is None else _differing(_unpack(newest.content), there),
            size_bytes=sum(len(value.content) for value in there.values()),
            content=content,
            kept_at=now,
        )
        _trim(rows)


def _again(row: ConfigMapVersion, version: str, who: Writing) -> None:
    """The same content in a later version, or told again by the change that made it."""
    if who.change is not None and (row.change_id is None or row.resource_version == version):
        row.by, row.at, row.reason, row.change = who.by[:253], who.at, who.reason, who.change
    if _later(version, row):
        row.resource_version = version
    row.save()


def _later(version: str, row: ConfigMapVersion) -> bool:
    """Whether an object was written after a version of it: what was read earlier may come in later."""
    was = row.resource_version
    return version > was if len(version) == len(was) else len(version) > len(was)


def _trim(rows: QuerySet[ConfigMapVersion]) -> None:
    """Takes away the oldest that are too many, or together too large; what is equal is there once."""
    most, room = (
        settings.CLUSTER_UI_CONFIGMAP_VERSIONS_KEPT,
        settings.CLUSTER_UI_CONFIGMAP_VERSIONS_MIB * 2**20,
    )
    counted: set[int] = set()
    found = rows.order_by("-number").values_list("number", "content_id", "content__stored_bytes")
    for place, (number, content, stored) in enumerate(found):
        room -= 0 if content in counted else stored
        counted.add(content)
        if place >= most or (room < 0 and place > 0):
            rows.filter(number__lte=number).delete()
            break


def _differing(was: Contents, made: Contents) -> dict[str, Any]:
    changed = [
        [key, "added" if key not in was else "removed" if key not in made else "changed"]
        for key in sorted({*was, *made})
        if was.get(key) != made.get(key)
    ]
    return {"changed": changed[:MAX_KEYS], "more": max(0, len(changed) - MAX_KEYS)}


def _packable(contents: Contents) -> bytes:
    return json.dumps(as_manifest(contents), sort_keys=True, separators=(",", ":")).encode()


def _unpack(content: ConfigMapContent) -> Contents:
    return values(json.loads(zlib.decompress(bytes(content.packed))))


def _written_by(manifest: Manifest, keys: Collection[str]) -> tuple[str, datetime]:
    """The field manager that wrote any of these keys last (none: any key), and when; ("", now) where nobody knows, as of
    keys that were removed: they have no owner. Times are whole seconds: of two in the same one it was not this
    dashboard, whose versions are known.
    """
    steps = [f"/{key}" for key in keys] or [""]
    found = [last_manager(manifest, f"/{field}{step}") for field in FIELDS for step in steps]
    known = [(at, by != MANAGER, by) for by, at in found if at is not None]
    if not known:
        return "", timezone.now()
    at, _, by = max(known)
    # "unknown" is what the API server writes for a client that does not say what it is.
    return "" if by == "unknown" else by, at


def _uid(manifest: Manifest) -> str:
    return str(manifest["metadata"]["uid"])
