"""What the API server made of an object besides what was asked for: defaults, and what admission added or changed.

It is told by comparing what was sent with the answer to its dry run. Never of a Secret (``Action.sent``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .changedfields import MISSING, escaped, field_words, names_of
from .fieldwrites import writable

MAX_FIELDS = 40  # told of one object
MAX_TOGETHER = 200  # of all objects of one preview
MAX_VALUE = 80  # characters
_EMPTY: tuple[Any, ...] = (None, "", {}, [])


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledField:
    """A field and its value, as words; ``was``: what was asked for instead, "" where it was left out."""

    field: str
    value: str
    was: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledIn:
    """What was filled in of one object (``words``: which one, "" where there is only one); ``more`` are not told."""

    words: str
    fields: Sequence[FilledField]
    more: int = 0


def filled_in(
    sent: Mapping[str, Any], made: Mapping[str, Any], before: Mapping[str, Any], *, words: str = ""
) -> FilledIn | None:
    """What the API server made besides what was sent, of what was left out only what was not so before; None for nothing.
    Its own fields of metadata are none of it.
    """
    sides = (writable(dict(each)) for each in (sent, made, before))
    found = [
        FilledField(
            field=field_words(path), value=_words(value), was="" if asked is MISSING else _words(asked)
        )
        for path, asked, value in _filled("", *sides)
    ]
    if not found:
        return None
    return FilledIn(words=words, fields=found[:MAX_FIELDS], more=max(0, len(found) - MAX_FIELDS))


def bounded(found: Sequence[FilledIn]) -> tuple[FilledIn, ...]:
    """Of many objects as much as helps; of those after it only how many fields they are."""
    left, told = MAX_TOGETHER, []
    for one in found:
        shown = one.fields[:left]
        left -= len(shown)
        told.append(FilledIn(words=one.words, fields=shown, more=one.more + len(one.fields) - len(shown)))
    return tuple(told)


def _filled(path: str, sent: Any, made: Any, before: Any) -> Iterator[tuple[str, Any, Any]]:
    """(path, what was asked for or MISSING, what it is) of each field that differs; what is empty counts as left out."""
    if isinstance(made, Mapping) and (sent in (MISSING, None) or isinstance(sent, Mapping)):
        asked, there = (each if isinstance(each, Mapping) else {} for each in (sent, before))
        for key, value in made.items():
            yield from _filled(
                f"{path}/{escaped(key)}", asked.get(key, MISSING), value, there.get(key, MISSING)
            )
        for key in asked:
            if key not in made and asked[key] not in _EMPTY:
                yield f"{path}/{escaped(key)}", asked[key], None
    elif isinstance(made, list) and isinstance(sent, list) and _alike(sent, made):
        asked_of, there_of = _by_step(sent), _by_step(before) if isinstance(before, list) else {}
        for step, value in _by_step(made).items():
            there = there_of.get(step, MISSING)
            yield from _filled(f"{path}/{escaped(step)}", asked_of.get(step, MISSING), value, there)
    elif sent in (MISSING, *_EMPTY) and (made in _EMPTY or made == before):
        return
    elif made != sent:
        yield path, MISSING if sent is None else sent, made


def _alike(sent: list[Any], made: list[Any]) -> bool:
    """Whether it can be told which entry became which."""
    if names_of(sent) and names_of(made):
        return set(names_of(sent)) <= set(names_of(made))
    return len(sent) == len(made)


def _by_step(values: list[Any]) -> dict[str, Any]:
    """Entries of a list by their names, where all have one, or by their places."""
    names = names_of(values) or [str(at) for at in range(len(values))]
    return {f"[name={name}]": one for name, one in zip(names, values, strict=True)}


def _words(value: Any) -> str:
    if value is None:
        return "not set"
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}…"
