"""Restoring an earlier version of a ConfigMap: an edit that writes all keys as they were."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from dashboard.errors import BadInput, Invalid
from dashboard.insight import Objects
from dashboard.kinds.base import Ref
from dashboard.kube.transport import Transport
from dashboard.models import Change, ConfigMapVersion

from ..database import in_database
from .action import Action, Choice, DryRun, Field, Manifest, Order, Target, Wanted
from .configmap_restarts import restarts_needed, restarts_offered
from .configmap_values import FIELDS, Value, content_of, digest, size_words, values
from .configmap_versions import as_manifest, content_hash, version_contents, versions_of
from .diff import Line
from .edit import Edit
from .engine import change_read
from .valuediff import value_lines


class Versions(Edit):
    """``wanted``: ``version``, its number, None for the newest that differs from what is there; then, as decided, ``of``:
    that number of the object ``uid``, ``at``: when it was written (ISO), and ``digests`` of its keys, by their paths. The
    values come only for the write. All keys are its own: what somebody else writes meanwhile is a conflict.
    """

    name, title, icon = "versions", "Restore version", "undo"
    said = ()
    template = Action.template
    saves = "Restore"
    undone_by = Edit.name

    def on(self, wanted: Wanted) -> Edit:
        """The way back is an edit of the keys that it changed."""
        return Versions(wanted) if "version" in wanted else Edit(wanted)

    def read(self, typed: Mapping[str, str]) -> Wanted:
        text = typed.get("version", "").strip()
        if text and not (text.isascii() and text.isdigit() and len(text) < 10):
            raise BadInput(f"“{text[:20]}” is not a version: enter its number.", field="version")
        return {"version": int(text or 0) or None}

    async def fields_of(
        self, transport: Transport, target: Target, manifest: Manifest, objects: Objects
    ) -> Sequence[Field]:
        found, now = await _kept(target, _uid(manifest)), content_hash(manifest)
        earlier = _chosen(target, found, now, None)
        return (
            Field(
                name="version",
                label="Version",
                value=lambda _: str(earlier.number),
                hint=lambda *_: "It is compared with what the ConfigMap holds now.",
                rows=[_choice(one, latest=one is found[0], same=one.content.sha256 == now) for one in found],
            ),
        )

    async def decide(self, order: Order, manifest: Manifest, objects: Objects) -> Wanted:
        found = await _kept(order.target, _uid(manifest))
        version = _chosen(order.target, found, content_hash(manifest), order.wanted["version"])
        contents = await in_database(version_contents)(version)
        digests = {f"/{value.field}/{key}": digest(value.content) for key, value in contents.items()}
        return {"uid": version.uid, "of": version.number, "at": version.at.isoformat(), "digests": digests}

    async def supply(self, order: Order, manifest: Manifest, *, dry: bool) -> Wanted:
        # Of one that was recreated since, the engine says so: nothing is written to that.
        found = await _kept(order.target, order.wanted["uid"])
        version = _chosen(order.target, found, "", order.wanted["of"])
        return _in_full(await in_database(version_contents)(version))

    def owned(self, manifest: Manifest) -> dict[str, Collection[str]]:
        wanted = self.wanted or {}
        if "digests" not in wanted:
            return super().owned(manifest)
        keys = {path.split("/")[2] for path in wanted["digests"]} | set(values(manifest))
        return {field: sorted(keys) for field in FIELDS}

    def widened(self, before: Manifest, after: Manifest) -> Edit:
        """On the keys that differ alone: what stayed as it was, was not changed."""
        differing = Edit({}).widened(before, after).wanted or {}
        return Versions(differing | {"restored": (self.wanted or {}).get("at", "")})

    def body(self, manifest: Manifest, wanted: Wanted) -> Manifest:
        kept = {key for field in FIELDS for key in wanted.get(field, {})}
        gone: dict[str, dict[str, None]] = {field: {} for field in FIELDS}
        for key, value in values(manifest).items():
            if key not in kept:
                gone[value.field][key] = None
        return super().body(manifest, {field: wanted.get(field, {}) | gone[field] for field in FIELDS})

    # ---- What is said of it

    def digests(self, dry: DryRun) -> dict[str, str]:
        gone = {f"/{field}/{key}": "" for field, keys in self.owned(dry.before).items() for key in keys}
        return {**gone, **dry.wanted["digests"]}

    def patch(self, dry: DryRun) -> Manifest:
        """Of what differs alone: the command says no more than is needed."""
        made = values(dry.after)
        wanted = _in_full(made)
        differing = Edit({}).widened(dry.before, dry.after).wanted or {}
        return super().body(
            dry.before,
            {field: {key: wanted[field].get(key) for key in keys} for field, keys in differing.items()},
        )

    def remember(self, before: Manifest, after: Manifest) -> dict[str, Any]:
        at = (self.wanted or {}).get("restored", "")
        return super().remember(before, after) | ({"restored": at} if at else {})

    def summary(self, change: Change, *, with_values: bool = False) -> str:
        said = super().summary(change, with_values=with_values)
        if not (at := change.result.get("restored", "")):
            return said
        when = f"{datetime.fromisoformat(at):%Y-%m-%d %H:%M} UTC"
        return f"Restored the version of {when}: {said[:1].lower()}{said[1:]}"


async def version_restarts(
    *, transport: Transport, target: Target, manifest: Manifest, number: int | None, objects: Objects
) -> Mapping[Ref, str]:
    """The workloads that see a version (None: the one before) only after a restart, each with why it is not restarted
    from here, or "". Errors as of the preview.
    """
    version = _chosen(target, await _kept(target, _uid(manifest)), content_hash(manifest), number)
    was, made = values(manifest), await in_database(version_contents)(version)
    keys = [key for key in {**was, **made} if was.get(key) != made.get(key)]
    needed = restarts_needed(objects, target.namespace, target.name, keys)
    return await restarts_offered(transport, objects, target.name, content_of(made), needed)


async def version_diff(*, transport: Transport, target: Target, number: int) -> tuple[tuple[Line, ...], bool]:
    """What a version changed, as lines, and whether none before it is kept, so that all of it is new. The ConfigMap is
    read as the user first. Raises NotFound, Forbidden, BadInput for a number of none.
    """
    manifest = await change_read(transport=transport, target=target)
    found = await _kept(target, _uid(manifest))
    version = _chosen(target, found, "", number)
    before = next(iter(found[found.index(version) + 1 :]), None)
    made = as_manifest(await in_database(version_contents)(version))
    was = {} if before is None else as_manifest(await in_database(version_contents)(before))
    return await asyncio.to_thread(value_lines, was, made), before is None


async def _kept(target: Target, uid: str) -> list[ConfigMapVersion]:
    """The versions of the object, the newest first. Raises Invalid where there is none."""
    found = await in_database(versions_of)(target.context, uid)
    if not found:
        raise _no_other(target)
    return found


def _chosen(
    target: Target, found: Sequence[ConfigMapVersion], now: str, number: int | None
) -> ConfigMapVersion:
    """The version of a number; None: the newest that differs from what is there, which goes by its hash ``now``. Raises
    BadInput for a number of none, Invalid where all are as it is.
    """
    if number is None:
        earlier = next((one for one in found if one.content.sha256 != now), None)
        if earlier is None:
            raise _no_other(target)
        return earlier
    for one in found:
        if one.number == number:
            return one
    kept = f"{found[-1].number} to {found[0].number}" if len(found) > 1 else str(found[0].number)
    raise BadInput(
        f"{target} has no version {number}: {kept} {'are' if len(found) > 1 else 'is'} kept.", field="version"
    )


def _no_other(target: Target) -> Invalid:
    return Invalid(
        f"No earlier version of {target} is kept.",
        next_step="Each change made here keeps the version that it finds and the one that it makes.",
    )


def _choice(one: ConfigMapVersion, *, latest: bool, same: bool) -> Choice:
    return Choice(
        value=str(one.number),
        title=f"Version {one.number}",
        tag="Current" if latest and same else "",
        code=keys_words(one),
        at=one.at.isoformat(),
        text=written_words(one),
        note=size_words(one.size_bytes) if latest or not same else "same as now",
        disabled=same,
    )


def written_words(one: ConfigMapVersion) -> str:
    """Who wrote it, and why."""
    who = one.by or "somebody"
    if one.change_id is None and one.by:
        who = f"{one.by}, elsewhere"
    return f"{who}: {one.reason}" if one.reason else who


def keys_words(one: ConfigMapVersion) -> str:
    """What differs from the version before: ``LOG changed, LEVEL added``; "" for the first one."""
    said = [f"{key} {how}" for key, how in one.keys.get("changed", ())]
    more = one.keys.get("more", 0)
    return ", ".join([*said, *([f"{more:,} more"] if more else [])])


def _uid(manifest: Manifest) -> str:
    return str(manifest["metadata"]["uid"])


def _in_full(contents: Mapping[str, Value]) -> dict[str, dict[str, str]]:
    wanted: dict[str, dict[str, str]] = {field: {} for field in FIELDS}
    for key, value in contents.items():
        wanted[value.field][key] = base64.b64encode(value.content).decode()
    return wanted


VERSIONS = Versions()
