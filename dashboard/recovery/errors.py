"""What can be wrong with an archive, its key or the place where it lies. No value of an object is in these words."""

from __future__ import annotations

from dashboard.errors import BadInput, ClusterError, Unavailable

__all__ = [
    "ArchiveError", "Corrupt", "Hostile", "NotAnArchive", "SecretsNeedRecipient", "StorageError", "StorageFull",
    "TooNew", "Truncated", "WrongKey",
]  # fmt: skip


class ArchiveError(ClusterError):
    """An archive is not used: nothing of it counts. ``member`` is the part of it that this is about, or ""."""

    title = "This backup can't be used"
    status = 422

    def __init__(self, message: str, *, next_step: str = "", member: str = "") -> None:
        super().__init__(f"{legible(member)}: {message}" if member else message, next_step=next_step)
        self.member = member


class NotAnArchive(ArchiveError):
    """The file is something else."""


class Truncated(ArchiveError):
    """It ends before its manifest: making it was interrupted, or a part of the file is missing."""


class Corrupt(ArchiveError):
    """It is not what was written: a sum, a count or a piece of JSON does not hold."""


class Hostile(ArchiveError):
    """It holds what this program never writes: another path, another type of member, more than the bounds."""


class TooNew(ArchiveError):
    """Its format is of a later version of this program."""


class WrongKey(ArchiveError):
    """It is encrypted, and none of the identities at hand opens it."""

    title = "This backup can't be decrypted"


class SecretsNeedRecipient(BadInput):
    """Secrets were to be written to an archive that is not encrypted."""

    title = "Secrets need a recipient"


class StorageError(Unavailable):
    """The place of the archives does not answer, or refuses."""

    title = "The storage can't be used"


class StorageFull(StorageError):
    """There is no room left in it."""

    title = "The storage is full"
    status = 507


def legible(text: str, longest: int = 200) -> str:
    """A name out of an archive, for a sentence: no control characters, and not longer than ``longest`` characters."""
    shown = "".join(each if each.isprintable() else "�" for each in text[: longest + 1])
    return shown if len(shown) <= longest else f"{shown[:longest]}…"
