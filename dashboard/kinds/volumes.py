"""What claims, volumes and storage classes share."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from .meta import ObjectMeta, Struct
from .quantity import QuantityError, parse

_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}

MODES_HELP = "RWO: one node writes, RWX: many, ROX: many read, RWOP: a single pod writes."


class StorageAnnotations(Struct, frozen=True, gc=False):
    """The storage class in its older place, which still goes first."""

    storage_class: str | None = msgspec.field(name="volume.beta.kubernetes.io/storage-class", default=None)


class StorageMeta(ObjectMeta, frozen=True, gc=False):
    """metadata of claims and volumes."""

    annotations: StorageAnnotations | None = None


def storage_class(meta: StorageMeta, named: str | None) -> str:
    """The storage class, or "" (``GetPersistentVolumeClaimClass``)."""
    older = meta.annotations.storage_class if meta.annotations else None
    return older if older is not None else named or ""


def access_modes(modes: tuple[str, ...] | None) -> str:
    """Access modes in short (``GetAccessModesAsString``)."""
    return ",".join(short for mode, short in _MODES.items() if mode in (modes or ()))


def size_key(quantity: str) -> Decimal:
    """Orders sizes; what is no size comes first."""
    try:
        return parse(quantity)
    except QuantityError:
        return Decimal(-1)
