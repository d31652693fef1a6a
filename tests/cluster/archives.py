"""An archive of a namespace of the tests' cluster, made with the writer alone: what a backup would hold of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyrage

from dashboard.kinds.base import GVR
from dashboard.recovery.archive import ArchiveWriter, ClusterRecord, Entry, Header
from sandbox.api import Api

IDENTITY = pyrage.x25519.Identity.generate()
KINDS: tuple[tuple[str, str, str, str], ...] = (
    ("", "v1", "configmaps", "ConfigMap"), ("", "v1", "secrets", "Secret"), ("", "v1", "services", "Service"),
    ("", "v1", "serviceaccounts", "ServiceAccount"), ("", "v1", "pods", "Pod"),
    ("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"), ("", "v1", "events", "Event"),
    ("", "v1", "endpoints", "Endpoints"), ("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
    ("apps", "v1", "deployments", "Deployment"), ("apps", "v1", "replicasets", "ReplicaSet"),
    ("apps", "v1", "statefulsets", "StatefulSet"), ("apps", "v1", "daemonsets", "DaemonSet"),
    ("apps", "v1", "controllerrevisions", "ControllerRevision"), ("batch", "v1", "jobs", "Job"),
    ("batch", "v1", "cronjobs", "CronJob"), ("networking.k8s.io", "v1", "ingresses", "Ingress"),
    ("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"),
    ("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
    ("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler"),
    ("rbac.authorization.k8s.io", "v1", "roles", "Role"),
    ("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"),
)  # fmt: skip


def objects_of(api: Api, namespace: str, kinds: Sequence[tuple[str, str, str, str]] = KINDS) -> list[Entry]:
    """What the API server has in a namespace, and the namespace itself."""
    found = [("", "v1", "namespaces", "Namespace", api.get(f"/api/v1/namespaces/{namespace}"))]
    for group, version, plural, kind in kinds:
        items = api.get(GVR(group, version, plural).path(namespace))["items"]
        found += [(group, version, plural, kind, item) for item in items]
    return [_entry(*each) for each in found]


def _entry(group: str, version: str, plural: str, kind: str, item: dict[str, Any]) -> Entry:
    body = json.loads(json.dumps(item))
    body |= {"apiVersion": f"{group}/{version}" if group else version, "kind": kind}
    meta = body["metadata"]
    meta.pop("managedFields", None)
    return Entry(
        group=group,
        version=version,
        plural=plural,
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        body=body,
    )


def cluster_entry(group: str, version: str, plural: str, body: dict[str, Any]) -> Entry:
    """An entry of what is in no namespace."""
    return _entry(group, version, plural, body["kind"], body)


MADE = datetime(2026, 11, 28, 2, tzinfo=UTC)


def write_archive(
    folder: Path, entries: Sequence[Entry], *, encrypted: bool = True, name: str = "", at: datetime = MADE
) -> str:
    """Its path. Without a key there are no Secrets in it."""
    taken = [each for each in entries if encrypted or not each.is_secret]
    suffix = ".tar.zst.age" if encrypted else ".tar.zst"
    path = folder / (name or f"tests_all_{at:%Y%m%dT%H%M%SZ}_0123abcd{suffix}")
    header = Header(
        cluster=ClusterRecord(context="tests", version="v1.36.3"), at=f"{at:%Y-%m-%dT%H:%M:%SZ}", id="0123abcd",
        secrets=encrypted,
    )  # fmt: skip
    by_kind: dict[tuple[str, str, str], list[Entry]] = {}
    for each in taken:
        by_kind.setdefault((each.group, each.version, each.plural), []).append(each)
    with (
        path.open("wb") as file,
        ArchiveWriter(file, header, [IDENTITY.to_public()] if encrypted else []) as writer,
    ):
        for found in by_kind.values():
            writer.begin(found[0].gvr, found[0].kind, "1")
            for each in found:
                writer.add(each)
        writer.finish()
    return str(path)
