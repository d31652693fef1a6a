"""VolumeSnapshots that are taken with a backup: of which claims, in whatever state their driver reports, and gone with
the archive or with a backup that was not made. The kinds are real; the driver is this test.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from dashboard.kube.transport import Transport
from dashboard.models import ClusterPermit
from dashboard.recovery import claims
from dashboard.recovery.claims import ARCHIVE, LABEL, snapshots_delete
from dashboard.recovery.create import BackupRequest, Made, backup_create
from dashboard.recovery.storage import Pending, Storage
from sandbox import Sandbox
from sandbox.api import Api, ApiError

from .applications import present
from .place import until

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "/apis/snapshot.storage.k8s.io/v1"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
KINDS = {
    "volumesnapshots": ("VolumeSnapshot", "Namespaced"),
    "volumesnapshotcontents": ("VolumeSnapshotContent", "Cluster"),
    "volumesnapshotclasses": ("VolumeSnapshotClass", "Cluster"),
}


def crd(plural: str) -> dict[str, Any]:
    """As much of the external-snapshotter's as counts here: its status is a subresource."""
    kind, scope = KINDS[plural]
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1", "served": True, "storage": True,
        "schema": {"openAPIV3Schema": anything}, "subresources": {"status": {}},
    }  # fmt: skip
    names = {
        "plural": plural,
        "singular": kind.lower(),
        "kind": kind,
        "listKind": f"{kind}List",
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.snapshot.storage.k8s.io",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
        },
        "spec": {"group": "snapshot.storage.k8s.io", "scope": scope, "names": names, "versions": [version]},
    }  # fmt: skip


def without_kinds(api: Api) -> None:
    """Deletes them, and waits: a definition stays until its objects are gone, and other tests list all kinds."""
    paths = [f"{CRDS}/{plural}.snapshot.storage.k8s.io" for plural in KINDS]
    until_gone = time.monotonic() + 120
    for path in paths:
        if present(api, path) is not None:
            api.delete(path)
    while any(present(api, path) is not None for path in paths):
        assert time.monotonic() < until_gone, "the kinds are still there"
        time.sleep(0.2)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(str(tmp_path / "store"))


@pytest.fixture
def classes(cluster: Sandbox, namespace: str) -> Iterator[Api]:
    """The kinds, and StorageClasses of two drivers, of which one has VolumeSnapshotClasses: ``fast`` and its default."""
    api, made = cluster.api(), []
    without_kinds(api)
    try:
        for plural in KINDS:
            api.post(CRDS, crd(plural))
        for name, driver in (("snapped", "csi.one.example"), ("plain", "csi.two.example")):
            body = {"metadata": {"name": f"{namespace}-{name}"}, "provisioner": driver}
            made.append(f"{CLASSES}/{namespace}-{name}")
            api.post(CLASSES, body)
        yield api
    finally:
        for path in made:
            api.delete(path)
        without_kinds(api)


@pytest.fixture
async def served(classes: Api, namespace: str) -> AsyncIterator[Api]:
    paths = [f"{GROUP}/namespaces/{namespace}/volumesnapshots", f"{GROUP}/volumesnapshotclasses",
             f"{GROUP}/volumesnapshotcontents"]  # fmt: skip

    async def there() -> bool:
        try:
            return all(present(classes, path) is not None for path in paths)
        except ApiError:
            return False

    await until(there)
    default = {"snapshot.storage.kubernetes.io/is-default-class": "true"}
    for name, marks in (("fast", {}), ("usual", default)):
        body = {
            "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass", "deletionPolicy": "Delete",
            "metadata": {"name": name, "annotations": marks}, "driver": "csi.one.example",
        }  # fmt: skip
        classes.post(f"{GROUP}/volumesnapshotclasses", body)
    yield classes


def claim(api: Api, namespace: str, name: str, storage_class: str, *, bound: bool = True) -> None:
    path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    spec = {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": f"{namespace}-{storage_class}", **({"volumeName": f"v-{name}"} if bound else {}),
    }  # fmt: skip
    api.post(path, {"metadata": {"name": name}, "spec": spec})
    if bound:
        api.patch(f"{path}/{name}/status", {"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}})


def snapshots(api: Api, namespace: str, *, new: bool = False) -> dict[str, dict[str, Any]]:
    """Those that there are, by their claim. ``new``: of which no driver has said anything."""
    items = api.get(f"{GROUP}/namespaces/{namespace}/volumesnapshots")["items"]
    items = [each for each in items if not (new and each.get("status"))]
    return {each["spec"]["source"]["persistentVolumeClaimName"]: each for each in items}


async def driver(api: Api, namespace: str, statuses: dict[str, dict[str, Any]]) -> None:
    """Gives each claim's snapshot the status that a driver would."""
    waiting = dict(statuses)

    async def reported() -> bool:
        found = await asyncio.to_thread(snapshots, api, namespace, new=True)
        for name in [name for name in waiting if name in found]:
            path = f"{GROUP}/namespaces/{namespace}/volumesnapshots/{found[name]['metadata']['name']}"
            await asyncio.to_thread(api.patch, f"{path}/status", {"status": waiting.pop(name)})
        return not waiting

    await until(reported, 120)


async def made_with(
    transport: Transport, storage: Storage, namespace: str, api: Api, statuses: dict[str, dict[str, Any]]
) -> Made:
    wanted = BackupRequest(namespaces=(namespace,), without_secrets=True, snapshots=True)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(driver(api, namespace, statuses))
        made = tasks.create_task(backup_create(transport=transport, storage=storage, wanted=wanted))
    return made.result()


async def test_each_claim_says_which_snapshot_it_has_or_why_none(
    served: Api, transport: Transport, namespace: str, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(claims, "READY_SECONDS", 8.0)
    for name in ("ready", "failing", "slow"):
        claim(served, namespace, name, "snapped")
    claim(served, namespace, "unbound", "snapped", bound=False)
    claim(served, namespace, "other-driver", "plain")
    content = {
        "metadata": {"name": f"content-{namespace}"},
        "spec": {},
        "status": {"snapshotHandle": "snap-1"},
    }
    kind = {"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotContent"}
    served.post(f"{GROUP}/volumesnapshotcontents", {**kind, **content})
    served.patch(f"{GROUP}/volumesnapshotcontents/content-{namespace}/status", {"status": content["status"]})
    made = await made_with(transport, storage, namespace, served, {
        "ready": {"readyToUse": True, "boundVolumeSnapshotContentName": f"content-{namespace}"},
        "failing": {"readyToUse": False, "error": {"message": "quota of snapshots exceeded"}},
        "slow": {"readyToUse": False},
    })  # fmt: skip
    found = {each.name: each for each in made.manifest.claims}
    ready = found["ready"].snapshot
    assert ready is not None and (ready.ready, ready.handle, ready.snapshot_class) == (
        True,
        "snap-1",
        "usual",
    )
    assert found["ready"].why == ""
    assert "was not ready within" in found["slow"].why and "was not ready within" in found["failing"].why
    assert found["slow"].snapshot is not None and not found["slow"].snapshot.ready
    assert (found["unbound"].snapshot, found["unbound"].why) == (None, claims.NO_VOLUME)
    assert "No VolumeSnapshotClass for csi.two.example" in found["other-driver"].why
    for each in snapshots(served, namespace).values():
        metadata = each["metadata"]
        assert metadata["labels"][LABEL] == made.summary.header.id
        assert metadata["annotations"][ARCHIVE] == made.url.rpartition("/")[2]
    served.delete(f"{GROUP}/volumesnapshotcontents/content-{namespace}")


async def test_they_go_with_their_archive_and_no_others_do(
    served: Api, transport: Transport, namespace: str, storage: Storage, cluster: Sandbox,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(claims, "LOOK_SECONDS", 0.1)
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    owner = await User.objects.acreate(username="owner")  # what deletes snapshots writes
    found = transport.cluster
    await ClusterPermit.objects.acreate(context=found.name, server=found.server, allowed_by=owner)
    claim(served, namespace, "data", "snapped")
    body = {
        "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot", "metadata": {"name": "by-hand"},
        "spec": {"source": {"persistentVolumeClaimName": "by-hand"}},
    }  # fmt: skip
    served.post(f"{GROUP}/namespaces/{namespace}/volumesnapshots", body)
    ready = {"data": {"readyToUse": True}}
    first = await made_with(transport, storage, namespace, served, ready)
    second = await made_with(transport, storage, namespace, served, ready)
    assert len(served.get(f"{GROUP}/namespaces/{namespace}/volumesnapshots")["items"]) == 3
    command = ["backup", "prune", "--to", storage.url, "--keep", "last=1", "--format", "json"]
    await asyncio.to_thread(call_command, *command)
    said = json.loads(capsys.readouterr().out)
    (kept,) = [each["archive"].rpartition("/")[2] for each in said["archives"] if each["kept"]]
    assert kept in (first.url.rpartition("/")[2], second.url.rpartition("/")[2])
    assert said["snapshots_deleted"] == 1
    left = served.get(f"{GROUP}/namespaces/{namespace}/volumesnapshots")["items"]
    names = {(each["metadata"].get("annotations") or {}).get(ARCHIVE, "") for each in left}
    assert names == {"", kept}
    assert await snapshots_delete(transport, {kept}) == 1
    assert await snapshots_delete(transport, {kept}) == 0


async def test_of_a_backup_that_was_not_made_none_stays(
    served: Api, transport: Transport, namespace: str, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "LOOK_SECONDS", 0.1)
    claim(served, namespace, "data", "snapped")

    def full(self: Pending) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(Pending, "close", full)
    with pytest.raises(ExceptionGroup):
        await made_with(transport, storage, namespace, served, {"data": {"readyToUse": True}})
    assert snapshots(served, namespace) == {}


async def test_a_cluster_without_the_kinds_says_so(
    cluster: Sandbox, transport: Transport, namespace: str, storage: Storage
) -> None:
    api = cluster.api()
    claim(api, namespace, "data", "none")
    wanted = BackupRequest(namespaces=(namespace,), without_secrets=True, snapshots=True)
    made = await backup_create(transport=transport, storage=storage, wanted=wanted)
    (found,) = [each for each in made.manifest.claims if each.name == "data"]
    assert (found.snapshot, found.why) == (None, claims.NO_SNAPSHOTS)
    assert await snapshots_delete(transport, {"whatever"}) == 0
