"""What the stores held, as bytes, and stores made of these bytes again (docs/adr/0070).

A snapshot is all objects of one moment, in parts of some hundred; what follows it is every change, with its moment.
Objects are the typed structs of ``kinds``, encoded again: what these don't keep (values of Secrets, ConfigMaps and
variables) can't be in them. The first byte of a piece says how the rest is packed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec

from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind, Object
from dashboard.kinds.meta import decode_custom
from dashboard.kinds.sizes import Size

from .store import Store

PART = 500  # objects of a part: some milliseconds of a thread
_ZLIB = b"\x01"
_LEVEL = 6
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class KindState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was known of a kind: if ``listed``, all of it in ``scopes`` (None: everywhere); ``denied``: why nothing."""

    state: str = "starting"
    listed: bool = False
    scopes: tuple[str, ...] | None = None
    denied: str = ""


UNKNOWN = KindState()


class Head(msgspec.Struct, frozen=True):
    """A snapshot that is complete: it has all changes up to ``seq``, in ``parts``."""

    seq: int
    parts: int
    states: dict[str, KindState]


@dataclass(frozen=True, slots=True)
class Heard:
    """A change as a store told of it: ``obj`` None when it was deleted; or, with ``state``, what is known of a kind."""

    seq: int
    at: datetime
    plural: str
    namespace: str = ""
    name: str = ""
    obj: Object | None = None
    state: KindState | None = None


class _Change(msgspec.Struct, frozen=True, array_like=True):
    seq: int
    at: int  # microseconds since 1970
    plural: str
    namespace: str
    name: str
    obj: msgspec.Raw
    state: KindState | None = None


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    namespace: str
    name: str
    obj: msgspec.Raw


class _Part(msgspec.Struct, frozen=True):
    plural: str
    objects: tuple[_Kept, ...]


def _size(value: Any) -> int:
    if isinstance(value, Size):
        return int(value)
    raise TypeError(f"{type(value).__name__} is nothing that is recorded")


_ENCODER = msgspec.json.Encoder(enc_hook=_size)
_HEAD = msgspec.json.Decoder(Head)
_PART = msgspec.json.Decoder(_Part)
_CHANGES = msgspec.json.Decoder(tuple[_Change, ...])
_NONE = msgspec.Raw(b"null")


def pack_head(head: Head) -> bytes:
    return _packed(head)


def pack_part(plural: str, objects: Sequence[Object]) -> bytes:
    """Some objects of one kind."""
    kept = tuple(_Kept(obj.metadata.namespace, obj.metadata.name, _raw(obj)) for obj in objects)
    return _packed(_Part(plural, kept))


def pack_changes(heard: Sequence[Heard]) -> bytes:
    """Changes in their order."""
    return _packed(
        tuple(
            _Change(
                each.seq,
                (each.at - _EPOCH) // _MICROSECOND,
                each.plural,
                each.namespace,
                each.name,
                _NONE if each.obj is None else _raw(each.obj),
                each.state,
            )
            for each in heard
        )
    )


def _raw(obj: Object) -> msgspec.Raw:
    return msgspec.Raw(_ENCODER.encode(obj))


def _packed(found: object) -> bytes:
    return _ZLIB + zlib.compress(_ENCODER.encode(found), _LEVEL)


def unpacked(packed: bytes | memoryview) -> bytes:
    """Raises ValueError for what this version can't read."""
    packed = bytes(packed)
    if packed[:1] != _ZLIB:
        raise ValueError("This piece was recorded by a newer version.")
    return zlib.decompress(packed[1:])


def read_head(packed: bytes | memoryview) -> Head:
    return _HEAD.decode(unpacked(packed))


@dataclass(frozen=True)
class Moment:
    """What the stores held at one moment. ``unreadable``: objects of which this version makes nothing."""

    at: datetime
    stores: Mapping[str, Store[Any]]
    states: Mapping[str, KindState]
    snapshot_at: datetime
    changes: int
    unreadable: int

    @property
    def objects(self) -> int:
        return sum(map(len, self.stores.values()))


@dataclass
class Rebuilding:
    """Changes first, then parts: of what changed since the snapshot only the last version is ever decoded, and
    one part at a time is in memory as bytes. Not for the event loop.
    """

    head: Head
    snapshot_at: datetime
    at: datetime
    _states: dict[str, KindState] = field(default_factory=dict)
    _last: dict[tuple[str, str, str], msgspec.Raw] = field(default_factory=dict)
    _objects: dict[str, list[Object]] = field(default_factory=dict)
    _changes: int = 0
    _unreadable: int = 0

    def __post_init__(self) -> None:
        self._states = dict(self.head.states)

    def take_changes(self, packed: bytes | memoryview) -> None:
        """Those after the snapshot, up to the moment; pieces in their order."""
        until = (self.at - _EPOCH) // _MICROSECOND
        for each in _CHANGES.decode(unpacked(packed)):
            if each.seq <= self.head.seq or each.at > until:
                continue
            self._changes += 1
            if each.state is not None:
                self._states[each.plural] = each.state
            else:
                self._last[each.plural, each.namespace, each.name] = msgspec.Raw(bytes(each.obj))

    def take_part(self, packed: bytes | memoryview) -> None:
        part = _PART.decode(unpacked(packed))
        if part.plural in KINDS:
            kept = (
                each.obj
                for each in part.objects
                if (part.plural, each.namespace, each.name) not in self._last
            )
            self._objects.setdefault(part.plural, []).extend(self._decoded(part.plural, kept))

    def finish(self) -> Moment:
        for (plural, _, _), raw in self._last.items():
            if plural in KINDS and bytes(raw) != b"null":
                self._objects.setdefault(plural, []).extend(self._decoded(plural, (raw,)))
        stores = {}
        for plural, kind in KINDS.items():
            stores[plural] = Store(kind)
            stores[plural].replace(self._objects.pop(plural, ()), "")
        return Moment(
            self.at, stores, self._states, self.snapshot_at, self._changes, self._unreadable
        )  # fmt: skip

    def _decoded(self, plural: str, raw: Iterable[msgspec.Raw]) -> Iterator[Object]:
        decoder = _decoder(KINDS[plural])
        for each in raw:
            try:
                yield decoder.decode(each)
            except msgspec.DecodeError:  # recorded by another version of this program
                self._unreadable += 1


@cache
def _decoder(kind: Kind[Any]) -> msgspec.json.Decoder[Any]:
    """Not the kind's own: a Secret comes as a Table from an API server."""
    return msgspec.json.Decoder(kind.type, dec_hook=decode_custom)
