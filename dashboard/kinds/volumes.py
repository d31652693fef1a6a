"""What claims, volumes and storage classes share."""

from __future__ import annotations

from decimal import Decimal

from .meta import ObjectMeta
from .quantity import QuantityError, parse

_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}

MODES_HELP = "RWO: one node writes, RWX: many, ROX: many read, RWOP: a single pod writes."


def storage_class(meta: ObjectMeta, named: str | None) -> str:
    """The storage class, or "" (``GetPersistentVolumeClaimClass``)."""
    older = meta.note("volume.beta.kubernetes.io/storage-class")  # which still goes first
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
