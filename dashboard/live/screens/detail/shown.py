"""What a browser showed of an object before its connection was lost: enough to lead on when that is deleted meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dashboard.kinds.meta import ObjectMeta, OwnerReference

# The request header in which a page that asks for itself anew tells of it (static/js/live.js).
HEADER = "Last-Shown"
LETTERS = 1_000
# Longer ago, too much may have happened for "replaced by".
OLDEST = timedelta(hours=1)


@dataclass(frozen=True)
class LastShown:
    """``metadata`` knows the controller, if there was one; ``at`` is when the page was last up to date."""

    metadata: ObjectMeta
    at: datetime | None


def told(obj_meta: ObjectMeta) -> str:
    """A controller in the words that ``read`` understands; "" for an object without one."""
    owner = obj_meta.controller
    return "" if owner is None else " ".join((owner.api_version, owner.kind, owner.name, owner.uid))


def read(words: str | None, namespace: str, name: str) -> LastShown | None:
    """The header's value: ``told``'s words and the seconds since. None where it makes no sense: anybody may send it."""
    parts = (words or "")[:LETTERS].split()
    if len(parts) not in (1, 5) or not parts[-1].isascii() or not parts[-1].isdigit():
        return None
    owners: tuple[OwnerReference, ...] = ()
    if len(parts) == 5:
        version, kind, owner, uid, _ = parts
        owners = (OwnerReference(kind=kind, name=owner, uid=uid, api_version=version, controller=True),)
    ago = timedelta(seconds=min(int(parts[-1]), 1e9))
    at = datetime.now(UTC) - ago if ago <= OLDEST else None
    return LastShown(ObjectMeta(name=name, namespace=namespace, owner_references=owners), at)
