"""What a process holds of an archive for a restore under way: its objects, and the keys that were typed for it.

Each process reads the archive for itself. A key that somebody typed is in the memory of the process that got it, for this
one restore, and nowhere else: once that process has ended, the restore is begun again, and changes nothing of what it had
done.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from dashboard.errors import (
    BadInput,
)
from dashboard.loop import off_loop
from dashboard.models import Change
from dashboard.recovery.choice import Choice
from dashboard.recovery.errors import Corrupt, Hostile
from dashboard.recovery.holding import Holding, hold
from dashboard.recovery.keys import Identity
from dashboard.recovery.storage import open_archive
from dashboard.recovery.typedkeys import installed_identities

MAX_KEPT = 3  # archives that a process holds for restores under way
KEPT_SECONDS = 24 * 3600.0
CHANGED = "The backup file changed since the preview."
KEY_GONE = (
    "The backup is encrypted, and its key was only in the memory of a process that has ended. Start the restore again: "
    "what was restored stays as it is."
)


@dataclass(slots=True, kw_only=True)
class Kept:
    """What this process holds for one restore: the keys that were typed for it, and the objects of its archive."""

    identities: Sequence[Identity] = field(default=(), repr=False)
    holding: Holding | None = field(default=None, repr=False)
    since: float = field(default_factory=time.monotonic)


_kept: dict[str, Kept] = {}  # by the nonce of its change


def held_keep(nonce: str) -> Kept:
    """The objects of few archives are held at a time, as they can be read again; a key for as long as it may be used."""
    for old in [name for name, each in _kept.items() if time.monotonic() - each.since > KEPT_SECONDS]:
        del _kept[old]
    found = _kept.setdefault(nonce, Kept())
    held = [each for each in _kept.values() if each.holding is not None and each is not found]
    for each in held[: max(0, len(held) + 1 - MAX_KEPT)]:
        each.holding = None
    return found


async def held_of(change: Change) -> Holding:
    """What a restore writes. Raises ArchiveErrors, StorageErrors, and BadInput where the archive is another one now."""
    kept = held_keep(change.nonce)
    if kept.holding is None:
        if change.result["typed_key"] and not kept.identities:
            raise BadInput(KEY_GONE)
        choice = Choice.from_json(change.result["choice"])
        try:
            kept.holding = await off_loop(read_held, change.result["archive"], choice, kept.identities)
        except (
            Corrupt,
            Hostile,
        ):  # it was whole when it was previewed; whoever follows need not know its parts
            raise BadInput(CHANGED) from None
    if kept.holding.sha256 != change.result["sha256"]:
        kept.holding = None
        raise BadInput(CHANGED)
    return kept.holding


def read_held(archive: str, choice: Choice, identities: Sequence[Identity]) -> Holding:
    """Reads an archive by its address, with these keys or those of the installation. Blocks."""
    with open_archive(archive) as file:
        return hold(file, choice, identities or installed_identities())


def held_forget(change: Change) -> None:
    """What was held for it, key and all."""
    _kept.pop(change.nonce, None)
