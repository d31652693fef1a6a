"""The claims of a backup: what is said of their data, and the VolumeSnapshots that are taken of it where asked for.

A snapshot lies in the cluster and its storage, not in the archive: it helps against a deleted or damaged volume, not
against a lost cluster. Its label has the backup's id, its annotation the archive's name; it is deleted with the archive.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from dashboard.errors import ClusterError, NotFound
from dashboard.kinds.base import GVR
from dashboard.kube.answers import read_answer, read_object
from dashboard.kube.transport import Transport

from .archive import ClaimRecord, SnapshotRecord

__all__ = ["ARCHIVE", "CLAIMS_KEY", "LABEL", "SNAPSHOTS_KEY", "Claims", "snapshots_delete"]

CLAIMS_KEY = "persistentvolumeclaims"
LABEL = "cluster-ui.dev/backup"
ARCHIVE = "cluster-ui.dev/archive"  # annotation: a name is longer than a label may be
MAX_CLAIMS = 10_000  # that are named in a manifest
MAX_SNAPSHOTS = 500
READY_SECONDS = 600.0  # for all snapshots together
LOOK_SECONDS = 2.0

GROUP = "snapshot.storage.k8s.io"
SNAPSHOTS = GVR(GROUP, "v1", "volumesnapshots")
SNAPSHOTS_KEY = f"{SNAPSHOTS.plural}.{GROUP}"
CONTENTS = GVR(GROUP, "v1", "volumesnapshotcontents", False)
CLASSES = GVR(GROUP, "v1", "volumesnapshotclasses", False)
STORAGECLASSES = GVR("storage.k8s.io", "v1", "storageclasses", False)
_DEFAULT = "snapshot.storage.kubernetes.io/is-default-class"

NOT_ASKED = "No snapshot was requested."
NO_SNAPSHOTS = "The VolumeSnapshot CRDs are not installed."
NO_VOLUME = "It is not bound to a volume yet."

_Key = tuple[str, str]


class _Objects(msgspec.Struct, frozen=True):
    items: tuple[dict[str, Any], ...] | None = None


async def snapshots_delete(transport: Transport, archives: Collection[str]) -> int:
    """Deletes the snapshots that were taken with these archives, by name; how many. Raises what the API server says; a
    cluster without VolumeSnapshots has none.
    """
    try:
        answer = await transport.request("GET", SNAPSHOTS, query={"labelSelector": LABEL})
    except NotFound:
        return 0
    gone = 0
    for each in (await asyncio.to_thread(read_answer, answer.body, _Objects)).items or ():
        metadata = each["metadata"]
        if (metadata.get("annotations") or {}).get(ARCHIVE) not in archives:
            continue
        body = msgspec.json.encode({"preconditions": {"uid": metadata["uid"]}})
        with suppress(NotFound):  # somebody else was faster
            await transport.request(
                "DELETE", SNAPSHOTS, namespace=metadata["namespace"], name=metadata["name"], body=body
            )
            gone += 1
    return gone


class Claims:
    """Those of one backup: ``backup`` is its id, ``archive`` its name. ``asked``: whether snapshots are to be taken."""

    def __init__(self, transport: Transport, backup: str, archive: str, *, asked: bool) -> None:
        self._transport = transport
        self._backup = backup
        self._archive = archive
        self._asked = asked
        self._all: set[_Key] = set()
        self._named: dict[_Key, ClaimRecord] = {}
        self._bound: set[_Key] = set()
        self._taken: dict[_Key, str] = {}

    def __contains__(self, claim: object) -> bool:
        return claim in self._all

    @property
    def records(self) -> list[ClaimRecord]:
        return list(self._named.values())

    @property
    def more(self) -> int:
        """How many claims have no record."""
        return len(self._all) - len(self._named)

    def add(self, body: Mapping[str, Any]) -> None:
        """A claim that is in the archive."""
        metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
        key = (str(metadata.get("namespace", "")), str(metadata["name"]))
        self._all.add(key)
        if len(self._named) >= MAX_CLAIMS:
            return
        size = (status.get("capacity") or (spec.get("resources") or {}).get("requests") or {}).get(
            "storage", ""
        )
        self._named[key] = ClaimRecord(
            namespace=key[0],
            name=key[1],
            storage_class=str(spec.get("storageClassName") or ""),
            size=str(size),
            why=NOT_ASKED,
        )
        if spec.get("volumeName"):
            self._bound.add(key)

    async def begin(self) -> None:
        """Takes the snapshots, as near as possible to the moment at which the claims were read."""
        if not self._asked or not self._named:
            return
        try:
            classes = await self._classes()
        except NotFound:
            self._say(NO_SNAPSHOTS)
            return
        except ClusterError as error:
            self._say(error.message)
            return
        for key, record in tuple(self._named.items()):
            provisioner, snapshot_class = classes.get(record.storage_class, (record.storage_class, ""))
            if key not in self._bound:
                self._note(key, why=NO_VOLUME)
            elif not snapshot_class:
                self._note(
                    key,
                    why=f"No VolumeSnapshotClass for {provisioner or 'a volume without a StorageClass'}.",
                )
            elif len(self._taken) >= MAX_SNAPSHOTS:
                self._note(key, why=f"At most {MAX_SNAPSHOTS} snapshots are taken with a backup.")
            else:
                await self._take(key, snapshot_class)

    async def finish(self) -> None:
        """Waits until the snapshots are ready to use, or will not be."""
        until = time.monotonic() + READY_SECONDS
        waiting = dict(self._taken)
        while waiting:
            for key, name in tuple(waiting.items()):
                if await self._is_settled(key, name):
                    del waiting[key]
            if not waiting or time.monotonic() >= until:
                break
            await asyncio.sleep(LOOK_SECONDS)
        for key in waiting:
            self._note(key, why=f"Its snapshot was not ready within {READY_SECONDS / 60:.0f} minutes.")

    async def take_back(self) -> None:
        """Of a backup that was not made there is nothing to restore: its snapshots go, as far as they can be deleted."""
        if self._taken:
            with suppress(ClusterError):
                await snapshots_delete(self._transport, {self._archive})

    async def _classes(self) -> dict[str, tuple[str, str]]:
        """Of each StorageClass its provisioner, and the VolumeSnapshotClass for it or "". Raises NotFound where the
        cluster has no such kind."""
        of_driver: dict[str, str] = {}
        found = await self._objects(CLASSES)
        # The default of a driver comes last, and so stands.
        for each in sorted(
            found, key=lambda each: (each["metadata"].get("annotations") or {}).get(_DEFAULT) == "true"
        ):
            of_driver[str(each.get("driver", ""))] = str(each["metadata"]["name"])
        return {
            str(each["metadata"]["name"]): (
                driver := str(each.get("provisioner", "")),
                of_driver.get(driver, ""),
            )
            for each in await self._objects(STORAGECLASSES)
        }

    async def _objects(self, gvr: GVR) -> tuple[dict[str, Any], ...]:
        return read_answer((await self._transport.request("GET", gvr)).body, _Objects).items or ()

    async def _take(self, key: _Key, snapshot_class: str) -> None:
        namespace, claim = key
        body = {
            "apiVersion": SNAPSHOTS.api_version,
            "kind": "VolumeSnapshot",
            "metadata": {
                "generateName": f"{claim[:200]}-",
                "namespace": namespace,
                "labels": {LABEL: self._backup},
                "annotations": {ARCHIVE: self._archive},
            },
            "spec": {
                "volumeSnapshotClassName": snapshot_class,
                "source": {"persistentVolumeClaimName": claim},
            },
        }
        try:
            response = await self._transport.request(
                "POST", SNAPSHOTS, namespace=namespace, body=msgspec.json.encode(body)
            )
        except ClusterError as error:
            self._note(key, why=error.message)
            return
        name = str(read_object(response.body)["metadata"].get("name", ""))
        self._taken[key] = name
        self._note(key, why="", snapshot=SnapshotRecord(name=name, snapshot_class=snapshot_class))

    async def _is_settled(self, key: _Key, name: str) -> bool:
        try:
            response = await self._transport.request("GET", SNAPSHOTS, namespace=key[0], name=name)
            status = read_object(response.body).get("status") or {}
            if status.get("readyToUse"):
                handle = await self._handle(str(status.get("boundVolumeSnapshotContentName", "")))
                taken = self._named[key].snapshot
                assert taken is not None  # noqa: S101 noted when it was taken
                self._note(key, why="", snapshot=msgspec.structs.replace(taken, ready=True, handle=handle))
                return True
            if error := (status.get("error") or {}).get("message"):
                self._note(key, why=f"The storage says of its snapshot: {str(error)[:500]}")
            return False  # drivers try again, and may say less then
        except ClusterError as error:
            self._note(key, why=error.message)
            return isinstance(error, NotFound)

    async def _handle(self, content: str) -> str:
        """What the storage calls it; "" for who may not read that."""
        try:
            response = await self._transport.request("GET", CONTENTS, name=content)
        except ClusterError:
            return ""
        return str((read_object(response.body).get("status") or {}).get("snapshotHandle", ""))

    def _say(self, why: str) -> None:
        for key in self._named:
            self._note(key, why=why)

    def _note(self, key: _Key, **of_record: Any) -> None:
        self._named[key] = msgspec.structs.replace(self._named[key], **of_record)
