"""Backups of a real API server hold what a fresh list holds, and values of Secrets only where they are encrypted."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
from pathlib import Path
from typing import Any

import pyrage
import pytest
import yaml

from dashboard.kube.discovery import discover
from dashboard.kube.transport import Transport
from dashboard.recovery.archive import ArchiveReader, Entry, Manifest
from dashboard.recovery.create import BackupRequest, Made, backup_create
from dashboard.recovery.selection import DERIVED, derived
from dashboard.recovery.storage import Storage, open_archive
from sandbox import Sandbox

from .place import RBAC, Place

pytestmark = [pytest.mark.cluster]

DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "backup.yaml"
CANARY = "canary-5f1d0a"
KEY = pyrage.x25519.Identity.generate()
ENCRYPTED = (KEY.to_public(),)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(str(tmp_path / "store"))


@pytest.fixture
def place(cluster: Sandbox, transport: Transport, namespace: str) -> Place:
    """A namespace with some of many kinds."""
    made = Place(cluster, transport, namespace)
    labels = {"app": "web"}
    pod = {"containers": [{"name": "web", "image": "web:1"}]}
    selects = {"selector": {"matchLabels": labels}}
    job = {"template": {"spec": pod | {"restartPolicy": "Never"}}}
    core, apps, policy = (
        "/api/v1/namespaces/{ns}",
        "/apis/apps/v1/namespaces/{ns}",
        "/apis/policy/v1/namespaces/{ns}",
    )
    storage = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    for path, body in (
        (f"{core}/secrets", {"stringData": {"password": CANARY}}),
        (f"{core}/configmaps", {"data": {"a.b": "ß"}, "binaryData": {"b": base64.b64encode(b"\0").decode()}}),
        (f"{core}/services", {"spec": {"selector": labels, "ports": [{"port": 80}]}}),
        (f"{core}/serviceaccounts", {}),
        (f"{core}/persistentvolumeclaims", {"spec": storage}),
        (f"{core}/pods", {"spec": pod}),
        (f"{apps}/deployments", {"spec": selects | {"template": {"metadata": {"labels": labels}, "spec": pod}}}),
        ("/apis/batch/v1/namespaces/{ns}/cronjobs", {"spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job}}}),
        ("/apis/networking.k8s.io/v1/namespaces/{ns}/networkpolicies", {"spec": {"podSelector": {}}}),
        (f"{policy}/poddisruptionbudgets", {"spec": selects | {"minAvailable": 1}}),
        ("/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/roles", {"rules": []}),
    ):  # fmt: skip
        made.make(path, {"metadata": {"name": "web", "labels": {"team": "shop"}}, **body})
    made.make("/api/v1/namespaces/{ns}/configmaps", {"metadata": {"name": "other"}, "data": {}})
    return made


def read(made: Made) -> tuple[list[Entry], Manifest]:
    with open_archive(made.url) as file, ArchiveReader(file, [KEY]) as reader:
        entries = list(reader)
        assert reader.manifest is not None
        return entries, reader.manifest


async def fresh(transport: Transport, namespace: str) -> dict[str, Any]:
    """What a backup of the namespace has to hold, by path, as lists of the API server say now."""
    found: dict[str, Any] = {}
    for resource in await discover(transport):
        if not resource.gvr.namespaced or resource.key in DERIVED:
            continue
        answer = json.loads((await transport.request("GET", resource.gvr, namespace=namespace)).body)
        for body in answer["items"] or ():
            body |= {"apiVersion": resource.gvr.api_version, "kind": resource.kind}
            body["metadata"].pop("managedFields", None)
            if not derived(resource.key, body):
                name = f"{resource.key}/{body['metadata']['name']}"
                found[name] = body
    return found


def keyed(entries: list[Entry]) -> dict[str, Any]:
    return {
        f"{each.plural}.{each.group}/{each.name}" if each.group else f"{each.plural}/{each.name}": each.body
        for each in entries
        if each.namespace
    }


async def test_a_namespace_is_as_a_fresh_list(transport: Transport, place: Place, storage: Storage) -> None:
    wanted = BackupRequest(namespaces=(place.namespace,), recipients=ENCRYPTED)
    for _ in range(20):  # controllers are still at work: until nothing changes meanwhile
        before = await fresh(transport, place.namespace)
        made = await backup_create(transport=transport, storage=storage, wanted=wanted)
        if before == await fresh(transport, place.namespace):
            break
        await asyncio.sleep(1)
    entries, manifest = await asyncio.to_thread(read, made)
    assert keyed(entries) == before
    kinds = {each.kind for each in entries}
    assert {
        "Secret",
        "ConfigMap",
        "Service",
        "Deployment",
        "CronJob",
        "Pod",
        "Role",
        "PersistentVolumeClaim",
    } <= kinds
    assert not kinds & {"ReplicaSet", "EndpointSlice", "Event"}
    assert [each.name for each in entries if each.plural == "namespaces"] == [place.namespace]
    assert [each.name for each in entries if each.plural == "pods"] == ["web"], (
        "the others are their Deployment's"
    )
    assert not manifest.incomplete
    assert {(claim.namespace, claim.name, claim.why) for claim in manifest.claims} == {
        (place.namespace, "web", "No snapshot was requested.")
    }
    assert {"volume data", "pods", "events"} <= {each.what for each in manifest.left_out}
    uid = json.loads((await transport.request("GET", "/api/v1/namespaces/kube-system")).body)["metadata"][
        "uid"
    ]
    assert (made.summary.header.cluster.uid, made.summary.header.namespaces) == (uid, (place.namespace,))


async def test_secrets_are_nowhere_but_in_an_encrypted_archive(
    transport: Transport, place: Place, storage: Storage
) -> None:
    namespaces = (place.namespace,)
    plain = await backup_create(
        transport=transport,
        storage=storage,
        wanted=BackupRequest(namespaces=namespaces, without_secrets=True),
    )
    entries, manifest = await asyncio.to_thread(read, plain)
    value = base64.b64encode(CANARY.encode()).decode()
    assert value not in repr([each.body for each in entries]) and CANARY not in repr(
        [each.body for each in entries]
    )
    assert "need a recipient" in next(each.why for each in manifest.left_out if each.what == "secrets")

    sealed = await backup_create(
        transport=transport,
        storage=storage,
        wanted=BackupRequest(namespaces=namespaces, recipients=ENCRYPTED),
    )
    entries, _ = await asyncio.to_thread(read, sealed)
    assert [each.body["data"] for each in entries if each.kind == "Secret"] == [{"password": value}]
    raw = await asyncio.to_thread(Path(sealed.url).read_bytes)
    assert value.encode() not in raw and CANARY.encode() not in raw and b"configmaps" not in raw
    assert value not in repr(sealed) + repr(entries)

    by_choice = await backup_create(
        transport=transport, storage=storage,
        wanted=BackupRequest(namespaces=namespaces, recipients=ENCRYPTED, without_secrets=True),
    )  # fmt: skip
    entries, manifest = await asyncio.to_thread(read, by_choice)
    assert not any(each.is_secret for each in entries) and not by_choice.summary.header.secrets
    assert (
        next(each.why for each in manifest.left_out if each.what == "secrets")
        == "They were excluded by choice."
    )


async def test_the_account_of_the_cron_job_may_read_all_that_kubernetes_has(
    cluster: Sandbox, transport: Transport, place: Place, storage: Storage
) -> None:
    """Its role lies in ``deploy/``. Custom kinds are granted by name, and are named as missing until then."""
    documents = list(yaml.safe_load_all(DEPLOY.read_text()))
    name = f"backup-{place.namespace}"
    role = next(
        each for each in documents if each["metadata"]["name"] == "cluster-ui-backup" and "rules" in each
    )
    api, user = cluster.api(), f"system:serviceaccount:{place.namespace}:web"
    api.post(f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": role["rules"]})
    subject = {"kind": "ServiceAccount", "name": "web", "namespace": place.namespace}
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    api.post(
        f"{RBAC}/clusterrolebindings", {"metadata": {"name": name}, "roleRef": ref, "subjects": [subject]}
    )
    connection = dataclasses.replace(
        transport.cluster.connection, user={**transport.cluster.connection.user, "as": user}
    )
    own = Transport(dataclasses.replace(transport.cluster, connection=connection))
    try:
        made = await backup_create(transport=own, storage=storage, wanted=BackupRequest(without_secrets=True))
    finally:
        await own.close()
        for plural in ("clusterrolebindings", "clusterroles"):
            api.delete(f"{RBAC}/{plural}/{name}")
    custom = {
        each.key
        for each in await discover(transport)
        if each.gvr.group.endswith((".dev", ".x-k8s.io", ".example"))
    }
    assert {each.what for each in made.manifest.incomplete} <= custom
    assert made.summary.header.cluster.uid
    assert {"configmaps", "deployments.apps", "clusterroles.rbac.authorization.k8s.io"} <= {
        each.key for each in made.manifest.kinds if each.objects
    }


async def test_by_label_and_two_at_once(transport: Transport, place: Place, storage: Storage) -> None:
    labelled = BackupRequest(namespaces=(place.namespace,), labels="team=shop", without_secrets=True)
    cluster = BackupRequest(without_secrets=True, exclude=frozenset({"jobs.batch"}))
    made = await asyncio.gather(
        *(
            backup_create(transport=transport, storage=storage, wanted=each)
            for each in (labelled, cluster, labelled)
        )
    )
    assert len({each.url for each in made}) == 3
    first, whole, second = [await asyncio.to_thread(read, each) for each in made]
    assert keyed(first[0]).keys() == keyed(second[0]).keys()
    assert "configmaps/web" in keyed(first[0]) and "configmaps/other" not in keyed(first[0])
    assert any(each.plural == "namespaces" for each in first[0])
    assert {"Node", "ClusterRole", "StorageClass", "Namespace"} <= {each.kind for each in whole[0]}
    assert (
        next(each.why for each in whole[1].left_out if each.what == "jobs.batch")
        == "They were excluded by choice."
    )
