"""The archive: a tar in zstd, in age where it is encrypted. Written and read as a stream, in bounded memory.

Its first member is ``header.json``, its last ``manifest.json``; between them stands one object a member,
``objects/<group or core>/<version>/<plural>/<namespace or _cluster>/<name>.json`` (docs/adr/0068). Without its manifest
it is none: making it was interrupted. What is read may have been made by anybody: ``ArchiveReader`` takes what
``ArchiveWriter`` writes, within bounds, and nothing else. The tar is read here and not by ``tarfile``, which knows
links, devices and headers of any length.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

import msgspec

from dashboard.kinds.base import GVR

from .entries import (
    FORMAT,
    HEADER,
    MANIFEST,
    MAX_KINDS,
    MAX_OBJECT_BYTES,
    MAX_OBJECTS,
    MAX_PATH_BYTES,
    MAX_RATIO,
    MAX_RECORD_BYTES,
    MAX_TOTAL_BYTES,
    RATIO_FROM_BYTES,
    ClaimRecord,
    ClusterRecord,
    Entry,
    Header,
    KindRecord,
    LeftOut,
    Manifest,
    SnapshotRecord,
    encode_body,
    entry_of,
)
from .errors import Corrupt, Hostile, SecretsNeedRecipient, TooNew, Truncated
from .keys import Identity, Recipient
from .streams import PackedReader, PackedWriter

__all__ = [
    "ArchiveReader", "ArchiveWriter", "ClaimRecord", "ClusterRecord", "Entry", "Header", "KindRecord", "LeftOut",
    "Manifest", "SnapshotRecord", "Summary", "verify",
]  # fmt: skip

BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)
SECRETS_NEED_RECIPIENT = "Secrets need a recipient: an archive that is not encrypted holds none."

Record = TypeVar("Record", Header, Manifest)
_Resource = tuple[str, str, str]  # group, version, plural


@dataclass(slots=True)
class _Sum:
    """What is counted of one resource on the way."""

    kind: str
    namespaced: bool
    objects: int = 0
    sha256: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, path: str, raw: bytes) -> None:
        self.objects += 1
        self.sha256.update(b"%s\0%d\0" % (path.encode(), len(raw)))
        self.sha256.update(raw)


class ArchiveWriter:
    """Writes one archive into ``file``. Nothing of it counts before ``finish()``; an exception ends it without."""

    def __init__(self, file: BinaryIO, header: Header, recipients: Sequence[Recipient] = ()) -> None:
        """Raises SecretsNeedRecipient where the header says that Secrets are in it, and there is no recipient."""
        if header.secrets and not recipients:
            raise SecretsNeedRecipient(
                SECRETS_NEED_RECIPIENT,
                next_step="Name one with --recipient, or leave Secrets out.",
                field="recipient",
            )
        self.header = header
        self._packed = PackedWriter(file, recipients)
        self._made_at = int(datetime.now(UTC).timestamp())
        self._kinds: dict[_Resource, tuple[_Sum, str]] = {}
        self._total = 0
        self.objects = 0
        self._member(HEADER, msgspec.json.encode(header))

    def begin(self, gvr: GVR, kind: str, resource_version: str) -> None:
        """A resource of which there may be entries from now on, and at which resourceVersion all of them were read."""
        self._kinds[gvr.group, gvr.version, gvr.plural] = (_Sum(kind, gvr.namespaced), resource_version)

    def add(self, entry: Entry) -> None:
        """Raises SecretsNeedRecipient for a Secret of which the header knows nothing, Hostile for what none reads."""
        if entry.is_secret and not self.header.secrets:
            raise SecretsNeedRecipient(SECRETS_NEED_RECIPIENT, field="recipient")
        path, raw = entry.path, encode_body(entry.body)
        _bounded(path, len(raw), MAX_OBJECT_BYTES)
        entry_of(path, raw)
        if self.objects >= MAX_OBJECTS or self._total + len(raw) + 2 * MAX_RECORD_BYTES > MAX_TOTAL_BYTES:
            raise Hostile("the archive has reached its maximum size.", member=path)
        self._kinds[entry.group, entry.version, entry.plural][0].add(path, raw)
        self.objects += 1
        self._member(path, raw)

    def finish(
        self,
        *,
        left_out: Sequence[LeftOut] = (),
        claims: Sequence[ClaimRecord] = (),
        more_claims: int = 0,
    ) -> Manifest:
        """The end, with what is to be said of what is not in it."""
        kinds = tuple(
            KindRecord(
                group=group,
                version=version,
                plural=plural,
                kind=found.kind,
                namespaced=found.namespaced,
                resource_version=resource_version,
                objects=found.objects,
                sha256=found.sha256.hexdigest(),
            )
            for (group, version, plural), (found, resource_version) in self._kinds.items()
        )
        manifest = Manifest(
            finished_at=now_text(),
            objects=self.objects,
            kinds=kinds,
            left_out=tuple(left_out),
            claims=tuple(claims),
            more_claims=more_claims,
        )
        self._member(MANIFEST, msgspec.json.encode(manifest))
        self._packed.write(END)
        self._packed.close()
        return manifest

    @property
    def size_bytes(self) -> int:
        """How many bytes have gone into the file."""
        return self._packed.out.bytes

    @property
    def sha256(self) -> str:
        """Of the file, once it is finished."""
        return self._packed.out.sha256

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._packed.abort()

    def _member(self, path: str, raw: bytes) -> None:
        member = tarfile.TarInfo(path)
        member.size, member.mtime, member.mode = len(raw), self._made_at, 0o600
        head = member.tobuf(tarfile.PAX_FORMAT)
        self._total += len(head) + _padded(len(raw))
        self._packed.write(head)
        self._packed.write(raw)
        self._packed.write(bytes(-len(raw) % BLOCK))


class ArchiveReader:
    """Reads one archive: its ``header`` at once, its entries by iterating, its ``manifest`` when all were read.

    Whoever writes anything to a cluster reads it to its end before (``verify``): only then is it known to be whole.
    Raises ArchiveErrors, all of them before the entry that they are about is given.
    """

    def __init__(self, file: BinaryIO, identities: Sequence[Identity] = ()) -> None:
        self._packed = PackedReader(file, identities)
        self._sums: dict[_Resource, _Sum] = {}
        self._seen: set[int] = set()
        self._total = 0
        self.manifest: Manifest | None = None
        try:
            path, size = self._next() or ("", 0)
            if path != HEADER:
                raise (Hostile("the header is missing.", member=path) if path else Truncated("It is empty."))
            self.header = _record(path, self._content(path, size, MAX_RECORD_BYTES), Header)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[Entry]:
        while (found := self._next()) is not None:
            path, size = found
            if self.manifest is not None:
                raise Hostile("nothing comes after the manifest.", member=path)
            if path == MANIFEST:
                self.manifest = _record(path, self._content(path, size, MAX_RECORD_BYTES), Manifest)
                self._compare(self.manifest)
                continue
            yield self._entry(path, size)
        if self.manifest is None:
            raise Truncated(
                "It has no manifest: the backup was interrupted, or part of the file is missing.",
                next_step="Use another backup; this one can't be completed.",
            )

    @property
    def encrypted(self) -> bool:
        return self._packed.encrypted

    @property
    def size_bytes(self) -> int:
        """How many bytes of the file were read."""
        return self._packed.source.bytes

    @property
    def sha256(self) -> str:
        """Of the file, once all of it was read."""
        return self._packed.source.sha256

    def close(self) -> None:
        self._packed.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _entry(self, path: str, size: int) -> Entry:
        _bounded(path, size, MAX_OBJECT_BYTES)
        if len(self._seen) >= MAX_OBJECTS:
            raise Hostile(f"there are more than {MAX_OBJECTS:,} objects.", member=path)
        if hash(path) in self._seen:
            raise Hostile("duplicate entry.", member=path)
        self._seen.add(hash(path))
        raw = self._content(path, size, MAX_OBJECT_BYTES)
        entry = entry_of(path, raw)
        if entry.is_secret and not (self.encrypted and self.header.secrets):
            raise Hostile("unexpected Secret in an archive without Secrets.", member=path)
        if entry.namespace and self.header.namespaces and entry.namespace not in self.header.namespaces:
            raise Hostile("its namespace isn't listed in the header.", member=path)
        resource = (entry.group, entry.version, entry.plural)
        found = self._sums.get(resource)
        if found is None:
            if len(self._sums) >= MAX_KINDS:
                raise Hostile(f"there are more than {MAX_KINDS:,} kinds.", member=path)
            found = self._sums[resource] = _Sum(entry.kind, bool(entry.namespace))
        if (entry.kind, bool(entry.namespace)) != (found.kind, found.namespaced):
            raise Hostile(
                f"its kind differs from that of the other objects of {entry.plural}, {found.kind}.",
                member=path,
            )
        found.add(path, raw)
        return entry

    def _compare(self, manifest: Manifest) -> None:
        """What was read with what was written."""
        said = {(each.group, each.version, each.plural): each for each in manifest.kinds}
        if unknown := self._sums.keys() - said.keys():
            raise Corrupt(
                f"it does not name {sorted(unknown)[0][2]}, of which there are objects.", member=MANIFEST
            )
        for resource, record in said.items():
            found = self._sums.get(resource) or _Sum(record.kind, record.namespaced)
            if (found.objects, found.kind, found.namespaced, found.sha256.hexdigest()) != (
                record.objects, record.kind, record.namespaced, record.sha256,
            ):  # fmt: skip
                raise Corrupt(f"{record.key} are not what was written.", member=MANIFEST)
        if manifest.objects != sum(each.objects for each in self._sums.values()):
            raise Corrupt("the number of objects doesn't match the manifest.", member=MANIFEST)

    def _next(self) -> tuple[str, int] | None:
        """The next member's name and size in bytes, or None at the end."""
        header = self._head("")
        if header is None:
            return None
        name = header.name
        if header.type == tarfile.XHDTYPE:
            _bounded("", header.size, MAX_PATH_BYTES)
            name = _long_name(self._read(_padded(header.size))[: header.size])
            header = self._head(name)
        if header is None or header.type != tarfile.REGTYPE:
            raise Hostile("not a regular file: a backup has nothing else.", member=name)
        if len(name.encode()) > MAX_PATH_BYTES:
            raise Hostile(f"its name is longer than {MAX_PATH_BYTES:,} bytes.", member=name)
        return name, header.size

    def _head(self, name: str) -> tarfile.TarInfo | None:
        block = self._read(BLOCK)
        if block == bytes(BLOCK):
            self._end()
            return None
        try:
            return tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        except (tarfile.TarError, UnicodeError, ValueError) as error:
            raise Corrupt("its tar is damaged.", member=name) from error

    def _end(self) -> None:
        """Two empty blocks end a tar; what comes after them is only ever the end of the file."""
        if self._packed.read(BLOCK) != bytes(BLOCK):
            raise Truncated("The file is truncated.")
        if self._packed.read(1):
            raise Hostile("unexpected data after its end.")

    def _content(self, path: str, size: int, largest: int) -> bytes:
        _bounded(path, size, largest)
        return self._read(_padded(size), path)[:size]

    def _read(self, size: int, path: str = "") -> bytes:
        self._total += size
        if self._total > MAX_TOTAL_BYTES:
            raise Hostile(f"it unpacks to more than {MAX_TOTAL_BYTES // 2**30} GiB.", member=path)
        data = self._packed.read(size)
        if len(data) < size:
            raise Truncated("The file is truncated.", member=path)
        if self._total > max(RATIO_FROM_BYTES, MAX_RATIO * self._packed.compressed.bytes):
            raise Hostile(f"it unpacks to more than {MAX_RATIO:,} times its size.", member=path)
        return data


@dataclass(frozen=True, slots=True)
class Summary:
    """An archive that was read to its end: ``size_bytes`` and ``sha256`` are those of the file."""

    header: Header
    manifest: Manifest
    encrypted: bool
    size_bytes: int
    sha256: str


def verify(file: BinaryIO, identities: Sequence[Identity] = ()) -> Summary:
    """Reads all of it, and keeps none of it. Raises ArchiveErrors."""
    with ArchiveReader(file, identities) as reader:
        for _ in reader:
            pass
        assert reader.manifest is not None  # noqa: S101 without one, iterating has raised
        return Summary(reader.header, reader.manifest, reader.encrypted, reader.size_bytes, reader.sha256)


def now_text() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _padded(size: int) -> int:
    return size + -size % BLOCK


def _bounded(path: str, size: int, largest: int) -> None:
    if not 0 <= size <= largest:
        raise Hostile(f"it is larger than {largest // 2**20 or 1} MiB.", member=path)


def _record(path: str, raw: bytes, form: type[Record]) -> Record:
    try:
        version = msgspec.json.decode(raw, type=_Version).format
        if version > FORMAT:
            raise TooNew(
                f"Its format is {version}, and this program reads formats up to {FORMAT}.",
                next_step="Use a newer version of Cluster UI.",
            )
        return msgspec.json.decode(raw, type=form)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Corrupt("required fields are missing or invalid.", member=path) from error


class _Version(msgspec.Struct):
    format: int


def _long_name(raw: bytes) -> str:
    """The path in an extended header, which holds nothing else: ``<length> path=<name>\\n``."""
    length, _, rest = raw.partition(b" ")
    if not rest.startswith(b"path=") or not rest.endswith(b"\n") or length != str(len(raw)).encode():
        raise Hostile("unexpected extended header.")
    try:
        return rest[len(b"path=") : -1].decode()
    except UnicodeError as error:
        raise Hostile("a name is not valid UTF-8.") from error
