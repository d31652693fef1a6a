"""What an archive consists of: its header, its entries and its manifest, with the bounds that hold for them.

The bounds hold for writing as for reading, so that whatever is written can be read.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from dashboard.kinds.base import GVR

from .errors import Corrupt, Hostile

__all__ = [
    "FORMAT", "HEADER", "MANIFEST", "MAX_DEPTH", "MAX_KINDS", "MAX_OBJECTS", "MAX_OBJECT_BYTES", "MAX_PATH_BYTES",
    "MAX_RATIO", "MAX_RECORD_BYTES", "MAX_TOTAL_BYTES", "RATIO_FROM_BYTES", "ClaimRecord", "Entry", "Header",
    "KindRecord", "LeftOut", "Manifest", "SnapshotRecord", "encode_body", "entry_of",
]  # fmt: skip

FORMAT = 1
HEADER, MANIFEST = "header.json", "manifest.json"
CORE, CLUSTER = "core", "_cluster"  # the group without a name; the place of what is in no namespace

# etcd takes 1.5 MiB of an object; as JSON it may be several times that.
MAX_OBJECT_BYTES = 8 * 2**20
MAX_RECORD_BYTES = 32 * 2**20  # of the header or the manifest
MAX_OBJECTS = 1_000_000
MAX_KINDS = 5_000
MAX_TOTAL_BYTES = 16 * 2**30
# Objects that differ by a name alone compress 100 times; only a bomb does better than this.
MAX_RATIO, RATIO_FROM_BYTES = 1_000, 64 * 2**20
MAX_DEPTH = (
    200  # levels of an object's JSON: schemas in definitions of custom kinds are the deepest, at some 60
)
MAX_PATH_BYTES = 2_048

_DNS = r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?"
_PATH = re.compile(
    rf"objects/(?P<group>{_DNS})/(?P<version>{_DNS})/(?P<plural>{_DNS})/(?P<namespace>{CLUSTER}|{_DNS})/(?P<name>[^/]+)\.json"
)
# What the API server takes for a name in a path (ValidatePathSegmentName), without what no line should hold.
_NAME = re.compile(r"[^/%\x00-\x1f\x7f\\]+")


class ClusterRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Where a backup is from. ``uid`` is that of its namespace kube-system, which no two clusters share; "" where it may
    not be read. ``version`` is the API server's, such as ``v1.36.3``."""

    context: str
    uid: str = ""
    version: str = ""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first member: what was to be backed up. ``at`` is RFC 3339 in UTC; no ``namespaces``: the whole cluster;
    ``labels``: the selector that objects had to match, or "". ``secrets``: whether Secrets with their values are in it.
    """

    cluster: ClusterRecord
    at: str
    id: str
    namespaces: tuple[str, ...] = ()
    labels: str = ""
    secrets: bool = False
    made_by: str = ""
    format: int = FORMAT


class KindRecord(msgspec.Struct, frozen=True, kw_only=True):
    """All entries of one resource: how many, as they were at which resourceVersion, and the SHA-256 over them in their
    order (of each: the path, a zero byte, its length in ASCII, a zero byte, its JSON)."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    resource_version: str
    objects: int
    sha256: str

    @property
    def gvr(self) -> GVR:
        return GVR(self.group, self.version, self.plural, self.namespaced)

    @property
    def key(self) -> str:
        """``<plural>.<group>``, or the plural in the core group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """What is not in a backup, in words: ``what`` (a kind's key, "volume data", …) and ``why``. ``objects``: how many, or
    None where nobody counted. ``wanted``: it should have been in it, and could not."""

    what: str
    why: str
    objects: int | None = None
    wanted: bool = False


class SnapshotRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A VolumeSnapshot that was taken with a backup; it lies in the cluster, not in the archive."""

    name: str
    snapshot_class: str = ""
    handle: str = ""
    ready: bool = False


class ClaimRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A claim whose definition is in a backup. Its data never is; ``snapshot`` is what was taken of it, ``why`` says why
    there is none."""

    namespace: str
    name: str
    storage_class: str = ""
    size: str = ""
    snapshot: SnapshotRecord | None = None
    why: str = ""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The last member: what is in the archive, and what is not. ``more_claims``: how many claims are not named."""

    finished_at: str
    objects: int
    kinds: tuple[KindRecord, ...]
    left_out: tuple[LeftOut, ...] = ()
    claims: tuple[ClaimRecord, ...] = ()
    more_claims: int = 0
    format: int = FORMAT

    @property
    def incomplete(self) -> tuple[LeftOut, ...]:
        """What should have been in it."""
        return tuple(each for each in self.left_out if each.wanted)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One object as the API server had it, without ``managedFields``. Its ``body`` may hold a Secret's values: it is in
    no repr. ``group`` is "" for the core group, ``namespace`` for what is in none."""

    group: str
    version: str
    plural: str
    namespace: str
    name: str
    body: dict[str, Any]

    def __repr__(self) -> str:
        return f"Entry({self.path!r})"

    @property
    def kind(self) -> str:
        return str(self.body.get("kind", ""))

    @property
    def gvr(self) -> GVR:
        return GVR(self.group, self.version, self.plural, bool(self.namespace))

    @property
    def path(self) -> str:
        """Its member's name in the archive."""
        group, place = self.group or CORE, self.namespace or CLUSTER
        return f"objects/{group}/{self.version}/{self.plural}/{place}/{self.name}.json"

    @property
    def is_secret(self) -> bool:
        return self.plural == "secrets" and not self.group


def encode_body(body: dict[str, Any]) -> bytes:
    """An object as it stands in an archive: equal ones are equal bytes."""
    return msgspec.json.encode(body, order="sorted")


def entry_of(path: str, raw: bytes) -> Entry:
    """The entry of a member. Raises Hostile for a path that no entry has or that is another object's than the body says,
    Corrupt for a body that is no object."""
    found = _PATH.fullmatch(path)
    if found is None or not _NAME.fullmatch(found["name"]) or found["name"] in (".", ".."):
        raise Hostile("invalid path for an entry of a backup.", member=path)
    group = "" if found["group"] == CORE else found["group"]
    namespace = "" if found["namespace"] == CLUSTER else found["namespace"]
    body = _decode(path, raw)
    entry = Entry(
        group=group,
        version=found["version"],
        plural=found["plural"],
        namespace=namespace,
        name=found["name"],
        body=body,
    )
    metadata = body.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(body.get("kind"), str) or not body["kind"]:
        raise Corrupt("not a Kubernetes object: kind or metadata is missing.", member=path)
    if not _is_shaped(metadata):
        raise Hostile("its metadata is not that of an object.", member=path)
    said = (body.get("apiVersion"), metadata.get("namespace", ""), metadata.get("name"))
    if said != (entry.gvr.api_version, namespace, entry.name):
        raise Hostile("its path doesn't match the object in it.", member=path)
    return entry


def _is_shaped(metadata: dict[str, Any]) -> bool:
    """Whether what is read of each object is of its type: no API server has anything else, but anybody makes archives."""
    for key in ("labels", "annotations"):
        found = metadata.get(key) or {}
        if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
            return False
    owners = metadata.get("ownerReferences") or []
    return isinstance(owners, list) and all(isinstance(each, dict) for each in owners)


def _decode(path: str, raw: bytes) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Corrupt("not a JSON object.", member=path) from error
    except RecursionError as error:
        raise _too_deep(path) from error
    # Brackets in strings count too here, which costs only the closer look.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and depth(body) > MAX_DEPTH:
        raise _too_deep(path)
    return body


def _too_deep(path: str) -> Hostile:
    return Hostile(f"it is nested more than {MAX_DEPTH} levels deep.", member=path)


def depth(value: object) -> int:
    """How many levels of objects and lists there are, without recursion."""
    level, deepest = [value], 0
    while level := [each for each in level if isinstance(each, dict | list)]:
        deepest += 1
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return deepest
