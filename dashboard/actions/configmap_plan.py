"""What a person's edit of a ConfigMap comes to, beside what the ConfigMap holds by now. Pure.

Each key has three states: as the form was filled (base), as it is now (theirs), as the person wants it (mine). Keys
that only one side changed merge; a key that both changed, each in another way, is for the person to decide.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from dashboard.errors import BadInput

from .action import Wanted
from .configmap_values import Field, Value, check_key, check_size, digest, field_for
from .linetext import editable, normal, restore

Side = Literal["mine", "theirs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One key as the form brings it back. ``id`` is its number in the names of inputs.

    ``was`` is its name when the form was filled, "" for a new one; ``base`` the digest of its value then, ``field``
    where that was kept, ``content`` the value itself, which untouched keys need not bring along. ``name`` None: as it
    was. ``text`` None: the text field was not touched, or there is none.
    """

    id: str
    was: str = ""
    base: str = ""
    field: Field | None = None
    content: bytes | None = None
    name: str | None = None
    delete: bool = False
    text: str | None = None
    upload: bytes | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person decided for a key that both sides changed; ``seen`` is the digest of the other side's value."""

    side: Side
    seen: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A form as it came back. ``anyway``: keys to be saved although their text is not what their name says.

    ``known`` are all keys that there were when the form was filled, each with the beginning of its value's digest:
    the rows are then only those that were touched. None: nothing is known of keys without a row.
    """

    rows: tuple[Row, ...]
    choices: Mapping[str, Choice] = field(default_factory=dict)
    anyway: frozenset[str] = frozenset()
    known: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Clash:
    """A key that both sides changed; None where it is not there. ``base`` is None too when it is not known. ``renamed``
    is the name that mine gives it, or "".
    """

    key: str
    base: bytes | None
    theirs: bytes | None
    mine: bytes | None
    row: str
    renamed: str = ""


@dataclass(frozen=True, slots=True)
class Merged:
    """A key that only somebody else changed meanwhile."""

    key: str
    how: Literal["changed", "added", "removed"]


@dataclass(frozen=True, slots=True)
class Plan:
    """``mine``: what will be written, by key (None: removed); ``result``: all that is there then; ``clashes`` must be
    decided before anything is.
    """

    mine: Mapping[str, Value | None]
    result: Mapping[str, Value]
    fields: Mapping[str, frozenset[Field]]  # where each is now, and was when the form was filled
    clashes: tuple[Clash, ...]
    merged: tuple[Merged, ...]

    @property
    def wanted(self) -> Wanted:
        """The change as the action wants it: field → key → base64, or None to remove."""
        made: dict[str, dict[str, str | None]] = {}
        for key, value in self.mine.items():
            for was in self.fields.get(key, ()):
                if value is None or value.field != was:
                    made.setdefault(was, {})[key] = None
            if value is not None:
                made.setdefault(value.field, {})[key] = base64.b64encode(value.content).decode()
        return made


@dataclass(frozen=True, slots=True)
class _Op:
    row: Row
    value: Value | None
    pair: str = ""  # the other key of a renaming: one does not go without the other
    along: bool = False  # the old name of a renaming that takes the value along as it is now


def plan(draft: Draft, now: Mapping[str, Value]) -> Plan:
    """The plan. Raises BadInput, with the input's name, for names and sizes that cannot be."""
    base = {row.was: row.base for row in draft.rows if row.was}
    known = {row.was: row.content for row in draft.rows if row.was}
    ops = _ops(draft, now)
    clashes = []
    for key, op in list(ops.items()):
        theirs = now[key].content if key in now else None
        mine = op.value.content if op.value else None
        if op.along or digest(theirs) in (base.get(key, ""), digest(mine)):
            continue
        choice = draft.choices.get(key)
        if choice is None or choice.seen != digest(theirs):
            renamed = op.pair if op.value is None else ""
            clashes.append(Clash(key, known.get(key), theirs, mine, op.row.id, renamed))
        elif choice.side == "theirs":
            ops.pop(key, None)
            ops.pop(op.pair, None)
    clashes = [clash for clash in clashes if clash.key in ops]
    result = dict(now)
    for key, op in ops.items():
        result.pop(key, None)
        if op.value is not None:
            result[key] = op.value
    if ops:
        check_size({key: value.content for key, value in result.items()})
    # Also where a key was when the form was filled, so that a second submit of the same form wants the same.
    fields: dict[str, set[Field]] = {key: {now[key].field} for key in ops if key in now}
    for row in draft.rows:
        if row.was in ops and row.field:
            fields.setdefault(row.was, set()).add(row.field)
    kept = {key for key, op in ops.items() if not op.along}
    return Plan(
        {key: op.value for key, op in ops.items()},
        result,
        {key: frozenset(found) for key, found in fields.items()},
        tuple(clashes),
        _merged(draft.known, base, now, kept),
    )


def _ops(draft: Draft, now: Mapping[str, Value]) -> dict[str, _Op]:
    """What the rows change, by key. A key that is taken away and given anew is given."""
    rows = draft.rows
    others = {*(draft.known or ())} - {row.was for row in rows}
    removed: dict[str, _Op] = {}
    given: dict[str, _Op] = {}
    names: dict[str, Row] = {}
    for row in rows:
        if row.delete or _is_blank(row):
            if row.was:
                removed[row.was] = _Op(row, None)
            continue
        name = row.was if row.name is None else row.name
        if name != row.was or not name:
            check_key(name, f"n{row.id}")
        if name in names or (name in others and name in now):
            raise BadInput(
                f"Two keys are called {name}.", next_step="Give one another name; nothing was sent.", field=f"n{row.id}"
            )  # fmt: skip
        names[name] = row
        content = _content(row, now)
        if name != row.was:
            if row.was:
                removed[row.was] = _Op(row, None, pair=name, along=content is None)
                content = _moved(row, now) if content is None else content
            given[name] = _Op(row, Value(field_for(content or b"", row.field), content or b""), pair=row.was)
        elif content is not None:
            given[name] = _Op(row, Value(field_for(content, row.field), content))
    ops = {**removed, **given}
    return {key: replace(op, pair=op.pair if op.pair in ops else "") for key, op in sorted(ops.items())}


def _is_blank(row: Row) -> bool:
    """A new row that nobody filled."""
    return not row.was and not row.name and not row.text and row.upload is None


def _content(row: Row, now: Mapping[str, Value]) -> bytes | None:
    """The new bytes of a row, None when they stay as they are."""
    if row.upload is not None:
        made = row.upload
    elif not row.was:
        made = normal(row.text or "").encode()
    elif row.text is None:
        return None
    else:
        text = editable(_known(row, now))
        if text is None:
            raise BadInput(f"{row.was} is not text: upload a file in its place.", field=f"t{row.id}")
        made = restore(text, row.text).encode()
    return None if row.was and digest(made) == row.base else made


def _moved(row: Row, now: Mapping[str, Value]) -> bytes:
    """What a renaming takes along: the value as it is now, whoever wrote it; under the new name it is there already
    when the same form comes a second time.
    """
    for name in (row.was, row.name or ""):
        if name in now:
            return now[name].content
    return _known(row, now)


def _known(row: Row, now: Mapping[str, Value]) -> bytes:
    """The value that the form was filled with: as it brings it along, else as it still is under either name."""
    if row.content is not None:
        return row.content
    for name in (row.was, row.name or ""):
        if name in now and digest(now[name].content) == row.base:
            return now[name].content
    raise BadInput(
        f"{row.was} was changed meanwhile, and the form no longer has its value.",
        next_step="Download the current version, then reopen the form.",
        field=f"n{row.id}",
    )


def _merged(
    known: Mapping[str, str] | None, base: Mapping[str, str], now: Mapping[str, Value], mine: Collection[str]
) -> tuple[Merged, ...]:
    # Without a word on what else there was, a key without a row may have been there all the time.
    added = set() if known is None else set(now)
    base = {**(known or {}), **base}
    merged = []
    for key in sorted({*base, *added} - set(mine)):
        there = digest(now[key].content) if key in now else ""
        was = base.get(key, "")
        if not (was and there.startswith(was)) and there != was:
            how = "removed" if not there else "changed" if key in base else "added"
            merged.append(Merged(key, how))  # type: ignore[arg-type] # one of the three words
    return tuple(merged)
