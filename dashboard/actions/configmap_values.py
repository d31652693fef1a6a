"""The values of a ConfigMap as bytes, by the API server's own rules for keys and size."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dashboard.errors import BadInput
from dashboard.insight.environment import Content, variable_flaw
from dashboard.kinds.rows import plural

from .action import Manifest

Field = Literal["data", "binaryData"]
FIELDS: tuple[Field, ...] = ("data", "binaryData")

# MaxSecretSize, which ValidateConfigMap compares with the bytes of all values together; names of keys do not count.
MAX_BYTES = 1024 * 1024
# IsConfigMapKey of k8s.io/apimachinery/pkg/util/validation.
MAX_KEY_LETTERS = 253
_KEY = re.compile(r"[-._a-zA-Z0-9]+")


@dataclass(frozen=True, slots=True)
class Value:
    """One key's bytes and where they are kept: text in ``data``, anything else in ``binaryData``."""

    field: Field
    content: bytes


def values(manifest: Manifest) -> dict[str, Value]:
    """Every key's value, exactly, in the order of their names."""
    text = {key: Value("data", content.encode()) for key, content in (manifest.get("data") or {}).items()}
    binary = {
        key: Value("binaryData", base64.b64decode(content))
        for key, content in (manifest.get("binaryData") or {}).items()
    }
    return dict(sorted((text | binary).items()))


def content_of(there: Mapping[str, Value]) -> Content:
    """What variables can be made of."""
    text = {key: value.content for key, value in there.items() if value.field == "data"}
    unfit = {key: flaw for key, content in text.items() if (flaw := variable_flaw(content))}
    return Content(frozenset(text), frozenset(there) - frozenset(text), unfit)


def digest(content: bytes | None) -> str:
    """What stands for a value: equal for equal bytes; "" for a key that is not there."""
    return "" if content is None else hashlib.sha256(content).hexdigest()


def field_for(content: bytes, field: Field | None) -> Field:
    """Where a value goes: binary stays binary, text stays text unless it is not UTF-8 any more; ``field`` is where it
    was, None for a new key. The rule of ``kubectl create configmap --from-file``.
    """
    if field == "binaryData":
        return "binaryData"
    try:
        content.decode()
    except UnicodeDecodeError:
        return "binaryData"
    return "data"


def check_key(name: str, field: str) -> None:
    """Raises BadInput, for the input ``field``, when the API server would not take this name for a key."""
    wrong = ""
    if not name:
        wrong = "A key needs a name."
    elif len(name) > MAX_KEY_LETTERS:
        wrong = f"The name of the key {name[:30]}… has {len(name)} letters: at most {MAX_KEY_LETTERS} are allowed."
    elif not _KEY.fullmatch(name):
        wrong = f"“{name}” cannot name a key: only letters A–Z, digits, “-”, “_” and “.” can be in it."
    elif name == "." or name.startswith(".."):
        wrong = f"“{name}” cannot name a key: as a file, it would point outside its directory."
    if wrong:
        raise BadInput(wrong, next_step="Give it another name; nothing was sent.", field=field)


def check_size(contents: Mapping[str, bytes]) -> None:
    """Raises BadInput when all values together are more than the API server keeps in one ConfigMap."""
    total = sum(len(content) for content in contents.values())
    if total <= MAX_BYTES:
        return
    largest = max(contents, key=lambda key: len(contents[key]))
    raise BadInput(
        f"All keys together hold {total:,} bytes, {total - MAX_BYTES:,} more than the {MAX_BYTES:,} that fit "
        f"into a ConfigMap; the largest is {largest} with {len(contents[largest]):,}.",
        next_step="Remove some data, or keep large files in a volume; nothing was sent.",
        field=largest,
    )


def size_words(count: int) -> str:
    """``24 bytes``, ``2.5 KiB``."""
    return plural(count, "byte") if count < 1024 else f"{count / 1024:.1f} KiB"
