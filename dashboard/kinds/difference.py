"""What differs between two versions of an object, field by field, in the API's names.

Only fields that the typed structs keep can differ here, so no value of a Secret, a ConfigMap or a variable is ever in
it; of a ConfigMap's keys, and of long annotations, it is the size. Of a kind without a module here those are its metadata
and its columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from .meta import Object
from .sizes import Size
from .tablekinds import TableObject

# They change with every write, and say nothing that the other fields do not.
_BESIDES = frozenset(
    {"metadata.resourceVersion", "metadata.generation", "metadata.uid", "status.observedGeneration"}
)
# When a condition last turned, beside the turn itself; and readings, which are numbers for a chart.
_BESIDES_ENDS = (".lastTransitionTime", ".lastUpdateTime", ".lastProbeTime")
# The number of a rollout, beside the change that made it one.
ANNOTATIONS = "metadata.annotations["
_BESIDES_STARTS = ("status.currentMetrics", f"{ANNOTATIONS}deployment.kubernetes.io/")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\d{10,19}$")  # or seconds, or less, since 1970
_NAMED_BY = (
    "name",
    "type",
    "key",
    "uid",
    "ip",
)  # the elements of a list are known by the first of these that they have
DIFFERENT = ", a different value"  # after words that are those of the value before
LONGEST = 160  # characters of a value

FieldChange = tuple[str, str, str]  # path, before, after; "" where the field is not


def field_changes(old: Object, new: Object) -> list[FieldChange]:
    """The fields that differ, in the order of the structs; a list's elements go by name where they have one."""
    if isinstance(old, TableObject) and isinstance(new, TableObject):
        return [*_metadata(old, new), *_columns(old, new)]
    return [change for change in _differing("", old, new) if _tells(change)]


def _metadata(old: TableObject, new: TableObject) -> Iterator[FieldChange]:
    """With the generation: it is all that tells of a change of a spec that is not read."""
    for change in _differing("metadata", old.metadata, new.metadata):
        if change[0] == "metadata.generation" or _tells(change):
            yield change


def _columns(old: TableObject, new: TableObject) -> Iterator[FieldChange]:
    """The cells that differ, but for times, which are only as exact as they were printed. Under other columns than before
    it is not the object that has changed.
    """
    if old.header is not new.header:
        return
    header = new.header
    for title, form, before, after in zip(header.titles, header.forms, old.cells, new.cells, strict=False):
        if form != "time":
            yield from _differing(f"columns[{title}]", before, after)


def _tells(change: FieldChange) -> bool:
    path = change[0]
    if path in _BESIDES or path.endswith(_BESIDES_ENDS) or path.startswith(_BESIDES_STARTS):
        return False
    # A program tells so that it is still alive. Of a pod template, it restarts the pods.
    return not (path.startswith(ANNOTATIONS) and _MOMENT.match(change[1]) and _MOMENT.match(change[2]))


def _differing(path: str, old: Any, new: Any) -> list[FieldChange]:
    found: list[FieldChange] = []
    if old is not new and old != new:
        _compare(path, old, new, found)
    return found


def _compare(path: str, old: Any, new: Any, found: list[FieldChange]) -> None:
    """Adds what differs; ``old`` and ``new`` are not equal. What is equal is passed over without a word of it, as that
    is nearly everything: every change of every object comes through here.
    """
    if isinstance(old, msgspec.Struct) and type(old) is type(new):
        for field, name in _fields(type(old)):
            before, after = getattr(old, field), getattr(new, field)
            if before is not after and before != after:
                _compare(f"{path}.{name}" if path else name, before, after, found)
        return
    earlier, later = _members(old), _members(new)
    if earlier is None or later is None:
        words = _words(old), _words(new)
        # Two values of one size, or two long ones that begin alike.
        found.append((path, *words) if words[0] != words[1] else (path, words[0], f"{words[1]}{DIFFERENT}"))
        return
    for key in [*earlier, *(key for key in later if key not in earlier)]:
        before, after = earlier.get(key), later.get(key)
        if before is not after and before != after:
            _compare(f"{path}[{key}]", before, after, found)


@lru_cache
def _fields(type_: type[msgspec.Struct]) -> tuple[tuple[str, str], ...]:
    """A struct's fields, each with its name in the API."""
    return tuple(zip(type_.__struct_fields__, type_.__struct_encode_fields__, strict=True))


def _members(value: Any) -> dict[str, Any] | None:
    """A map's or list's members by name; None for what is neither. What is not there has none."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return {str(key): member for key, member in value.items()}
    if not isinstance(value, tuple):
        return None
    if all(isinstance(member, str | int) and not isinstance(member, Size) for member in value):
        return {str(member): member for member in value}
    named = {_name(member, place): member for place, member in enumerate(value)}
    return named if len(named) == len(value) else {str(place): member for place, member in enumerate(value)}


def _name(member: Any, place: int) -> str:
    type_: Any = type(member)  # mypy takes no class for hashable here
    for field in _naming(type_):
        name = getattr(member, field)
        if isinstance(name, str) and name:
            return name
    return str(place)


@lru_cache
def _naming(type_: type) -> tuple[str, ...]:
    """The fields of a type by which its members may be known."""
    return tuple(field for field in _NAMED_BY if field in getattr(type_, "__struct_fields__", ()))


def _words(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Size():
            return f"{int(value):,} byte{'' if value == 1 else 's'}"
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        case msgspec.Struct():
            text = ", ".join(
                f"{name}: {words}"
                for field, name in _fields(type(value))
                if (words := _words(getattr(value, field)))
            )
        case dict():
            text = ", ".join(f"{key}: {_words(member)}" for key, member in value.items())
        case tuple():
            text = ", ".join(map(_words, value))
        case _:
            text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
