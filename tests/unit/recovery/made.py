"""Archives for tests: good ones, and tars of whatever members somebody hostile would write."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pyrage

from dashboard.kinds.base import GVR
from dashboard.recovery.archive import ArchiveWriter, ClusterRecord, Entry, Header, LeftOut
from dashboard.recovery.streams import PackedWriter

CONFIGMAPS = GVR("", "v1", "configmaps")
SECRETS = GVR("", "v1", "secrets")
DEPLOYMENTS = GVR("apps", "v1", "deployments")
ROLES = GVR("rbac.authorization.k8s.io", "v1", "clusterroles", False)
KINDS = {
    CONFIGMAPS: "ConfigMap", SECRETS: "Secret", DEPLOYMENTS: "Deployment", ROLES: "ClusterRole",
}  # fmt: skip


def entry(gvr: GVR, namespace: str, name: str, **fields: Any) -> Entry:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    body = {"apiVersion": gvr.api_version, "kind": KINDS[gvr], "metadata": metadata, **fields}
    return Entry(
        group=gvr.group, version=gvr.version, plural=gvr.plural, namespace=namespace, name=name, body=body
    )


def header(**fields: Any) -> Header:
    cluster = ClusterRecord(context="test", uid="u-1", version="v1.36.3")
    return Header(cluster=cluster, at="2026-11-28T13:12:00Z", id="1", **fields)


ENTRIES = (
    entry(CONFIGMAPS, "shop", "web", data={"a": "1"}),
    entry(CONFIGMAPS, "shop", "api", data={"ü": "ß" * 100}),
    entry(DEPLOYMENTS, "shop", "web", spec={"replicas": 3}),
    entry(ROLES, "", "system:node-" + "x" * 200),
)


def archive(
    entries: Iterable[Entry] = ENTRIES,
    recipients: Sequence[pyrage.x25519.Recipient] = (),
    **of_header: Any,
) -> bytes:
    file = io.BytesIO()
    with ArchiveWriter(file, header(**of_header), recipients) as writer:
        for gvr, kind in KINDS.items():
            writer.begin(gvr, kind, "7")
        for each in entries:
            writer.add(each)
        writer.finish(left_out=[LeftOut(what="volume data", why="An archive holds definitions.")])
    return file.getvalue()


def member(path: str, raw: bytes = b"", **fields: Any) -> bytes:
    info = tarfile.TarInfo(path)
    info.size = len(raw)
    for name, value in fields.items():
        setattr(info, name, value)
    return info.tobuf(tarfile.PAX_FORMAT) + raw + bytes(-len(raw) % 512)


def head() -> bytes:
    return member("header.json", msgspec.json.encode(header()))


def packed(*parts: bytes) -> bytes:
    file = io.BytesIO()
    writer = PackedWriter(file)
    for part in parts:
        writer.write(part)
    writer.close()
    return file.getvalue()
