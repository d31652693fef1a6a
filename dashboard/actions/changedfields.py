"""Which fields differ between two objects, as JSON Pointers, and setting them.

An entry of a list goes by its ``name``, where all have one: ``/spec/template/spec/containers/[name=web]/image``. So two
people may change two containers, and one that came in between shifts nothing. All other lists are one value.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

MAX_FIELDS = 200  # more are told by the part of the object that they are in
_NAMED = re.compile(r"\[name=(.*)\]", re.DOTALL)


class _Missing:
    """Not there, which is not null."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = _Missing()


def changed_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The fields in which ``new`` differs, in its order; of more than help, the parts that they are in."""
    found = list(_changed("", old, new))
    if len(found) <= MAX_FIELDS:
        return found
    # Of metadata some is not shown: only what was changed of it is written.
    return list(dict.fromkeys(p if p.startswith("/metadata/") else "/".join(p.split("/")[:2]) for p in found))


def _changed(path: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*new, *(key for key in old if key not in new)]:
            below = f"{path}/{escaped(key)}"
            if key in old and key in new:
                yield from _changed(below, old[key], new[key])
            else:
                yield below
    elif (
        isinstance(old, list)
        and isinstance(new, list)
        and (names := names_of(old))
        and names == names_of(new)
    ):
        for name, one, other in zip(names, old, new, strict=True):
            yield from _changed(f"{path}/{escaped(f'[name={name}]')}", one, other)
    elif old != new or type(old) is not type(new):
        yield path


def names_of(values: list[Any]) -> list[str]:
    """The names of all, each once; none where one has no name."""
    named = (one.get("name") for one in values if isinstance(one, Mapping))
    names = [name for name in named if isinstance(name, str)]
    if len(names) != len(values):
        return []
    return names if len(set(names)) == len(names) else []


def value_at(value: Any, path: str) -> Any:
    """The value of a field, or MISSING."""
    for step in steps_of(path):
        if isinstance(value, Mapping):
            value = value.get(step, MISSING)
        elif isinstance(value, list):
            value = _entry(value, step)
        else:
            return MISSING
    return value


def with_values(manifest: Mapping[str, Any], values: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """A copy with these fields set; MISSING removes one. A field in an entry of a list that is not there (any more) is
    left out.
    """
    made: dict[str, Any] = copy.deepcopy(dict(manifest))
    for path, value in values:
        *above, last = steps_of(path)
        at: Any = made
        for step in above:
            at = at.setdefault(step, {}) if isinstance(at, dict) else _entry(at, step)
            if not isinstance(at, dict | list):
                break
        if not isinstance(at, dict):
            continue
        if value is MISSING:
            at.pop(last, None)
        else:
            at[last] = copy.deepcopy(value)
    return made


def merge_between(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch (RFC 7386) that makes ``new`` of ``old``."""
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old or old[key] != value:
            both = isinstance(value, Mapping) and isinstance(old.get(key), Mapping)
            patch[key] = merge_between(old[key], value) if both else value
    return patch


def _entry(values: Any, step: str) -> Any:
    if not isinstance(values, list) or (named := _NAMED.fullmatch(step)) is None:
        return MISSING
    return next((one for one in values if isinstance(one, Mapping) and one.get("name") == named[1]), MISSING)


def escaped(step: str) -> str:
    """A step of a JSON Pointer."""
    return step.replace("~", "~0").replace("/", "~1")


def steps_of(path: str) -> list[str]:
    """The steps of a JSON Pointer."""
    return [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]


def field_words(path: str) -> str:
    """A field as people write it: ``spec.template.spec.containers[web].image``."""
    said = ""
    for step in steps_of(path):
        if named := _NAMED.fullmatch(step):
            said += f"[{named[1]}]"
        else:
            said += f"[{step}]" if "." in step or "/" in step else f".{step}"
    return said.removeprefix(".")
