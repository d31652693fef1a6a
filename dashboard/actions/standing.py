"""Whether a Secret still holds what a rotation wrote: it is read again, and compared by a keyed digest.

Somebody may write another value with kubectl, or delete the Secret, while its users are restarted one after the other.
Pods that start after that have another value, or do not start at all (docs/adr/0028).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from dashboard.errors import NotFound
from dashboard.insight.environment import variable_flaw
from dashboard.kinds.rows import listed
from dashboard.kinds.secrets import SECRETS
from dashboard.kube.transport import Transport
from dashboard.models import Change

from ..database import in_database
from . import records
from .action import Target
from .backups import mark
from .engine import change_read
from .writers import last_manager
from .writing import MANAGER

How = Literal["same", "changed", "removed", "deleting", "deleted", "recreated", "unknown"]
# There is no Secret any more to go back on: the old values that were kept beside it go with it.
GONE = ("deleting", "deleted", "recreated")
SUPERSEDED = "superseded"  # in a change's result: what became of its value before its restarts had ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What became of the values. ``who`` changed ``key`` and ``when``, as far as the object tells; ``flaws``: of which
    keys no container can be given the value as a variable, and why.
    """

    how: How
    who: str = ""
    when: datetime | None = None
    key: str = ""
    flaws: Mapping[str, str] = field(default_factory=dict)

    def words(self, name: str) -> str:
        """What became of them, as a sentence."""
        key = self.key
        by = f" by {self.who}" if self.who else ""
        at = f" on {self.when.astimezone(UTC):%Y-%m-%d at %H:%M} UTC" if self.when else ""
        match self.how:
            case "changed":
                return f"{key} of Secret {name} was given another value{by}{at}."
            case "removed":
                return f"{key} was removed from Secret {name}{by}{at}."
            case "deleting":
                return f"Secret {name} is being deleted, and the old values kept beside it with it."
            case "deleted":
                return f"Secret {name} was deleted, and the old values kept beside it with it."
            case "recreated":
                return f"Secret {name} was deleted and recreated."
            case "unknown":
                return (
                    f"Secret {name} cannot be read just now: whether it still holds this value is not known."
                )
            case _:
                return ""

    def kept(self) -> dict[str, Any]:
        """For a change's result."""
        when = self.when.isoformat() if self.when else ""
        return {"how": self.how, "who": self.who, "when": when, "key": self.key}


def keys_of(change: Change) -> tuple[str, ...]:
    """The keys of the Secret that a rotation wrote."""
    return tuple(str(path).removeprefix("/data/") for path in change.touched)


def keys_in_words(change: Change) -> str:
    """The same in a sentence."""
    return listed(keys_of(change), "more keys")


def kept_standing(change: Change) -> Standing | None:
    """What became of the value of a change, when that ended its restarts."""
    kept = change.result.get(SUPERSEDED)
    if not kept:
        return None
    when = datetime.fromisoformat(kept["when"]) if kept["when"] else None
    # Without its name it was recorded when one key could be rotated at a time.
    key = kept.get("key") or keys_in_words(change)
    return Standing(how=kept["how"], who=kept["who"], when=when, key=key)


async def secret_standing(*, change: Change, transport: Transport) -> Standing:
    """Reads the Secret, as the user. Raises what the API server says, but for NotFound."""
    target = Target.of(change.context, SECRETS, change.namespace, change.name)
    try:
        found = await change_read(transport=transport, target=target)
    except NotFound:
        return Standing(how="deleted")
    uid = str(found["metadata"]["uid"])
    if uid != change.uid:
        return Standing(how="recreated")
    if found["metadata"].get("deletionTimestamp"):
        return Standing(how="deleting")
    flaws = {}
    for path, (_, made) in change.touched.items():
        key = str(path).removeprefix("/data/")
        encoded = (found.get("data") or {}).get(key)
        value = None if encoded is None else base64.b64decode(encoded)
        if value is not None and made is not None and mark(uid, key, value) == made["mark"]:
            if flaw := variable_flaw(value):
                flaws[key] = flaw
            continue
        # Of a field that nobody owns any more, nothing tells who removed it.
        who, when = last_manager(found, path)
        if who == MANAGER and (person := await in_database(records.last_writer)(target, uid, path)):
            who, when = person
        return Standing(how="removed" if value is None else "changed", who=who, when=when, key=key)
    return Standing(how="same", flaws=flaws)
