"""Values that a change's record keeps to say what it did: short ones of ConfigMaps that look like no secret.

See docs/adr/0023.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .configmap_values import Value
from .linetext import editable

MAX_LETTERS = 40
MAX_VALUES = 20  # of one change
_NAMED = re.compile(
    r"passw|passphrase|pwd|secret|token|credential|private|auth|apikey|cert|salt|signature|session|cookie|dsn"
    r"|(?:^|[^a-z])(?:key|pass|pin|hash|jwt)(?:$|[^a-z])",
    re.IGNORECASE,
)
# A URL with a user in it, the beginning of a PEM block, or a long run of what no word is made of.
_LOOKS = re.compile(
    r"://[^/\s]*@|-----BEGIN|(?=[A-Za-z0-9+/_=-]*[0-9])(?=[A-Za-z0-9+/_=-]*[A-Za-z])[A-Za-z0-9+/_=-]{20,}"
)

ShortValues = dict[str, list[str | None]]  # key → value before and after, None where it is not there


def short_values(was: Mapping[str, Value], made: Mapping[str, Value]) -> ShortValues:
    """The changed keys of which both sides may be kept."""
    found: ShortValues = {}
    for key in sorted({*was, *made}):
        if was.get(key) == made.get(key) or _NAMED.search(_words(key)):
            continue
        pair = [_short(side.get(key)) for side in (was, made)]
        if all(known for known, _ in pair):
            found[key] = [text for _, text in pair]
            if len(found) == MAX_VALUES:
                break
    return found


def _words(key: str) -> str:
    """The key with its humps taken apart: ``apiKey`` names a key, ``monkey`` does not."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", key)


def _short(value: Value | None) -> tuple[bool, str | None]:
    """Whether a value may be kept, and its text."""
    if value is None:
        return True, None
    if len(value.content) > 4 * MAX_LETTERS or (text := editable(value.content)) is None:
        return False, None
    text = text.removesuffix("\n")
    return len(text) <= MAX_LETTERS and text.isprintable() and not _LOOKS.search(text), text
