"""The fields that a write changes as a JSON Patch (RFC 6902), with what they have to be before.

It needs no version of the object: whatever else is written at the same time, the API server applies it to the newest
one, and refuses it as a whole when one of these fields is another (``test``). A ``test`` for null passes where there is
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .changedfields import escaped, names_of

JSON_PATCH = "application/json-patch+json"
MAX_OPERATIONS = (
    10_000  # the API server's bound (staging/src/k8s.io/apiserver/pkg/endpoints/handlers/patch.go)
)
# What it says of a patch whose test fails, without any cause.
TEST_FAILED = "the server rejected our request due to an error in our request"

Operation = dict[str, Any]


def field_operations(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Operation]:
    """What makes ``new`` of ``old``, if the object is the same one, and the fields that differ are as in ``old``."""
    same = {"op": "test", "path": "/metadata/uid", "value": old["metadata"]["uid"]}
    return [same, *_between("", old, new)]


def merged(value: Any, patch: Any) -> Any:
    """A value with a merge patch (RFC 7386)."""
    if not isinstance(patch, Mapping):
        return patch
    made = dict(value) if isinstance(value, Mapping) else {}
    for key, given in patch.items():
        if given is None:
            made.pop(key, None)
        else:
            made[key] = merged(made.get(key), given)
    return made


def _between(path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Operation]:
    for key in [*new, *(key for key in old if key not in new)]:
        below = f"{path}/{escaped(key)}"
        if key not in new:
            yield {"op": "test", "path": below, "value": old[key]}
            yield {"op": "remove", "path": below}
        else:
            yield from _change(below, old.get(key), new[key])


def _change(path: str, old: Any, new: Any) -> Iterator[Operation]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _between(path, old, new)
    elif isinstance(old, list) and isinstance(new, list) and names_of(old) and names_of(old) == names_of(new):
        for at, (name, one, other) in enumerate(zip(names_of(old), old, new, strict=True)):
            operations = list(_change(f"{path}/{at}", one, other))
            if operations:  # the entry that is at this place has to be the one that is meant
                yield {"op": "test", "path": f"{path}/{at}/name", "value": name}
                yield from operations
    elif old != new or type(old) is not type(new):
        yield {"op": "test", "path": path, "value": old}
        yield {"op": "add", "path": path, "value": new}
