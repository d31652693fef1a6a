"""What holds the entries of the audit together: each has the hash of the one before in its own.

The canonical form of an entry is JSON in ASCII: an object with its keys sorted, without spaces, everything beyond ASCII
as ``\\uXXXX``. It has ``v`` (1), ``id``, ``previous`` (the hash of the entry before, else 64 zeros), and ``FACTS``;
times are UTC with six digits of microseconds and ``Z``. The hash is SHA-256 of those bytes, in hex, or HMAC-SHA-256 with
the key that the entry names. docs/audit.md says the same to people: neither changes as long as entries of it are kept.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

GENESIS = "0" * 64
VERSION = 1
# The columns that are in the hash, in the order in which people read them.
FACTS = (
    "at", "user_name", "address", "sign_in", "session", "action", "context", "plural", "namespace", "name", "keys",
    "result", "detail", "reason", "change_id",
)  # fmt: skip
HELD = {"id", "previous", "key", "hash"}  # the other columns: the place in the chain
MIN_KEY_BYTES = 32

Keys = Mapping[str, bytes]  # by their names; the first one signs


class UnknownKey(Exception):
    """An entry names a key that is not at hand."""


def moment(at: datetime) -> str:
    """A time as the canonical form has it."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def canonical(number: int, previous: str, facts: Mapping[str, Any]) -> bytes:
    """The bytes that are hashed."""
    said = {name: facts[name] for name in FACTS}
    said |= {"at": moment(said["at"]), "v": VERSION, "id": number, "previous": previous}
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode("ascii")


def digest(data: bytes, key: str, keys: Keys) -> str:
    """The hash of ``data``, in hex, with the key of that name ("": without one). Raises UnknownKey."""
    if not key:
        return hashlib.sha256(data).hexdigest()
    if key not in keys:
        raise UnknownKey(key)
    return hmac.new(keys[key], data, hashlib.sha256).hexdigest()


def key_name(key: bytes) -> str:
    """What a key is called: a part of its hash, by which nobody finds the key."""
    return hashlib.sha256(b"cluster-ui audit key " + key).hexdigest()[:8]


def read_keys(text: str) -> dict[str, bytes]:
    """The keys of a file, one a line, the one that signs first. Raises ValueError in words."""
    found = [line.strip().encode() for line in text.splitlines() if line.strip()]
    if not found:
        raise ValueError("it holds no key")
    if any(len(key) < MIN_KEY_BYTES for key in found):
        raise ValueError(f"a key has at least {MIN_KEY_BYTES} characters")
    return {key_name(key): key for key in found}


def signer(keys: Keys) -> str:
    """The name of the key that signs; "" without one."""
    return next(iter(keys), "")
