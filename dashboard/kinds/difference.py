"""What differs between two versions of an object, field by field, in the API's names.

Only fields that the typed structs keep can differ here, so no value of a Secret, a ConfigMap or a variable is ever in
it; of a ConfigMap's keys it is the size. Of a kind without a module here those are its metadata and its columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from .configmaps import Size
from .meta import Object
from .tablekinds import TableObject

# They change with every write, and say nothing that the other fields do not.
_BESIDES = frozenset(
    {"metadata.resourceVersion", "metadata.generation", "metadata.uid", "status.observedGeneration"}
)
# When a condition last turned, beside the turn itself; and readings, which are numbers for a chart.
_BESIDES_ENDS = (".lastTransitionTime", ".lastUpdateTime", ".lastProbeTime")
_BESIDES_STARTS = ("status.currentMetrics",)
_NAMED_BY = (
    "name",
    "type",
    "key",
    "uid",
    "ip",
)  # the elements of a list are known by the first of these that they have
LONGEST = 160  # characters of a value

FieldChange = tuple[str, str, str]  # path, before, after; "" where the field is not


def field_changes(old: Object, new: Object) -> list[FieldChange]:
    """The fields that differ, in the order of the structs; a list's elements go by name where they have one."""
    if isinstance(old, TableObject) and isinstance(new, TableObject):
        return [*_metadata(old, new), *_columns(old, new)]
    return [change for change in _compare("", old, new) if _tells(change[0])]


def _metadata(old: TableObject, new: TableObject) -> Iterator[FieldChange]:
    """With the generation: it is all that tells of a change of a spec that is not read."""
    for change in _compare("metadata", old.metadata, new.metadata):
        if change[0] == "metadata.generation" or _tells(change[0]):
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
            yield from _compare(f"columns[{title}]", before, after)


def _tells(path: str) -> bool:
    return not (path in _BESIDES or path.endswith(_BESIDES_ENDS) or path.startswith(_BESIDES_STARTS))


def _compare(path: str, old: Any, new: Any) -> Iterator[FieldChange]:
    if old is new or old == new:
        return
    if isinstance(old, msgspec.Struct) and type(old) is type(new):
        for field, name in zip(old.__struct_fields__, old.__struct_encode_fields__, strict=True):
            yield from _compare(f"{path}.{name}" if path else name, getattr(old, field), getattr(new, field))
        return
    before, after = _members(old), _members(new)
    if before is None or after is None:
        words = _words(old), _words(new)
        # Two values of one size, or two long ones that begin alike.
        yield (path, *words) if words[0] != words[1] else (path, words[0], f"{words[1]}, but another one")
        return
    for key in [*before, *(key for key in after if key not in before)]:
        yield from _compare(f"{path}[{key}]", before.get(key), after.get(key))


def _members(value: Any) -> dict[str, Any] | None:
    """A map's or list's members by name; None for what is neither. What is not there has none."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return {str(key): member for key, member in value.items()}
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return None
    if all(isinstance(member, str | int) for member in value):
        return {str(member): member for member in value}
    named = {_name(member, place): member for place, member in enumerate(value)}
    return named if len(named) == len(value) else {str(place): member for place, member in enumerate(value)}


def _name(member: Any, place: int) -> str:
    for field in _NAMED_BY:
        name = getattr(member, field, "")
        if isinstance(name, str) and name:
            return name
    return str(place)


def _words(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Size():
            return f"{int(value):,} bytes"
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        case msgspec.Struct():
            text = ", ".join(
                f"{name}: {words}"
                for field, name in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
                if (words := _words(getattr(value, field)))
            )
        case Mapping():
            text = ", ".join(f"{key}: {_words(member)}" for key, member in value.items())
        case str():
            text = value
        case Sequence():
            text = ", ".join(map(_words, value))
        case _:
            text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
