"""The objects of an archive that are restored, in the order of writing, while they are: compressed in memory.

They are read once from the beginning to the end, as only then an archive is known to be whole, and their order is another
than that of the archive. Nothing of them touches a disk: there may be Secrets among them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import msgspec

from dashboard.errors import BadInput
from dashboard.kinds.base import GVR
from dashboard.kinds.rows import listed

from .archive import ArchiveReader, Header, Manifest
from .choice import Choice, Chosen, key_of
from .cleaning import left_out
from .keys import Identity
from .mapping import collisions
from .order import in_order

MAX_HELD = 100_000  # objects of one restore
MAX_OWNERS = 5  # generations
MAX_HELD_BYTES = 512 * 2**20  # of them, compressed


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One object. ``skipped``: why it is not written, "" for one that is."""

    group: str
    version: str
    plural: str
    namespace: str
    name: str
    kind: str
    skipped: str
    owners: tuple[tuple[str, str, str], ...] = ()  # group, kind and name
    packed: bytes = field(repr=False)

    @property
    def gvr(self) -> GVR:
        return GVR(self.group, self.version, self.plural, bool(self.namespace))

    @property
    def key(self) -> str:
        return key_of(self)

    @property
    def is_secret(self) -> bool:
        return (self.group, self.plural) == ("", "secrets")

    @property
    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.json.decode(zlib.decompress(self.packed))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a choice takes of an archive, which was read to its end; ``sha256`` is the file's. ``plurals`` are the
    resources of each (group, kind) in it.
    """

    header: Header
    manifest: Manifest
    sha256: str
    objects: Sequence[Held] = field(repr=False)

    @property
    def plurals(self) -> Mapping[tuple[str, str], GVR]:
        return {(each.group, each.kind): each.gvr for each in self.manifest.kinds}

    @property
    def by_key(self) -> dict[str, Held]:
        return {each.key: each for each in self.objects}


def hold(file: BinaryIO, choice: Choice, identities: Sequence[Identity] = ()) -> Holding:
    """Reads an archive to its end. Blocks. Raises ArchiveErrors, and BadInput where more is chosen than is held."""
    chosen = Chosen(choice)
    with ArchiveReader(file, identities) as reader:
        objects = list(_taken(reader, chosen))
        assert reader.manifest is not None  # noqa: S101 without one, iterating has raised
        homes = {each.namespace for each in objects if each.namespace and not each.skipped}
        if together := collisions(homes, choice.maps):
            raise BadInput(
                f"{listed(together)}: two namespaces of this backup would go there. Objects of one name would collide.",
                next_step="Choose one of the two, or another namespace for it.",
                field="into",
            )
        return Holding(
            header=reader.header,
            manifest=reader.manifest,
            sha256=reader.sha256,
            objects=after_owners(in_order(objects)),
        )


def _taken(reader: ArchiveReader, chosen: Chosen) -> Iterator[Held]:
    count = size = 0
    for entry in reader:
        labels = entry.body["metadata"].get("labels") or {}
        if not chosen.asks_for(entry, entry.kind, labels):
            continue
        count += 1
        skipped = chosen.refused(entry) or left_out(entry.group, entry.plural, entry.body)
        packed = b"" if skipped else zlib.compress(msgspec.json.encode(entry.body), 1)
        size += len(packed)
        if count > MAX_HELD or size > MAX_HELD_BYTES:
            raise BadInput(
                f"More than {MAX_HELD:,} objects, or {MAX_HELD_BYTES // 2**20} MiB of them, are chosen.",
                next_step="Restore it in parts: choose namespaces.",
                field="namespace",
            )
        yield Held(
            group=entry.group, version=entry.version, plural=entry.plural, namespace=entry.namespace,
            name=entry.name, kind=entry.kind, skipped=skipped, packed=packed, owners=_owners(entry.body),
        )  # fmt: skip


def _owners(body: dict[str, Any]) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (str(each.get("apiVersion", "")).rpartition("/")[0], str(each.get("kind")), str(each.get("name")))
        for each in body["metadata"].get("ownerReferences") or ()
    )


def after_owners(objects: Sequence[Held]) -> list[Held]:
    """The same order, but that what is owned comes behind its owner, whose new uid it is to name."""
    places = {(each.namespace, each.group, each.kind, each.name): at for at, each in enumerate(objects)}
    place = list(range(len(objects)))
    for _ in range(MAX_OWNERS):
        moved = False
        for at, each in enumerate(objects):
            for owner in each.owners:
                behind = places.get((each.namespace, *owner), places.get(("", *owner)))
                if behind is not None and behind != at and place[at] < place[behind]:
                    place[at], moved = place[behind], True
        if not moved:
            break
    return [
        objects[at] for at in sorted(range(len(objects)), key=lambda at: (place[at], place[at] != at, at))
    ]
