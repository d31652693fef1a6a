"""Editing an object by the form that a new one is made with: what the form shows of it, and what is written back.

An ``Editing`` names the inputs of a form by which an object that is there can be changed, reads the object into them, and
writes those that were changed into it. All else of the object stays as it is (docs/adr/0063).
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dashboard.actions.action import DryRun, Manifest
from dashboard.actions.newobjects.form import Checks, Input, Look, NewObject, Section
from dashboard.actions.newobjects.typed import Reading, TypedRow, is_empty, read_form, rows_of
from dashboard.insight import Impact
from dashboard.kinds.base import Kind

Texts = Mapping[str, Sequence[str]]
Rows = Sequence[Mapping[str, str]]

NOTHING = Impact(None, ())
# Of which entry of the object a row was filled; "" for a new row.
WAS = Input(name="was", label="", input="hidden")


class Editing:
    """How objects of a kind are edited by form. Everything but ``check`` is pure."""

    form: NewObject
    names: Sequence[str]  # the inputs that are shown, of the form's
    leads_to = ""  # the action that changes all that can be changed by form; the form leads there
    reads: frozenset[str] = frozenset()  # the kinds that its impact reads, beside those of the form's checks

    @property
    def plural(self) -> str:
        return self.form.plural

    def refusal(self, manifest: Manifest) -> str:
        """Why the form can't show the object at all, as a sentence; "" where it can."""
        return ""

    def shown(self, manifest: Manifest) -> Texts:
        """What the inputs hold of the object, as if it had been typed."""
        raise NotImplementedError

    def input(self, one: Input, manifest: Manifest) -> Input | None:
        """An input of the form as this object needs it; None where the object can't be changed by it."""
        return one

    def unshown(self, manifest: Manifest) -> Sequence[str]:
        """What the form can't show of the object, a sentence each. It stays."""
        return ()

    def put(self, made: Manifest, edits: Edits) -> None:
        """Writes what was changed into the object."""
        raise NotImplementedError

    async def check(self, edits: Edits, look: Look, checks: Checks) -> None:
        """What is said of what was typed, while that is done."""
        await self.form.check(look, checks)

    def path(self, path: str, manifest: Manifest) -> str:
        """A path of the API server as it would be of a new object."""
        return path

    def impact(self, dry: DryRun) -> Impact:
        """What the change does, once it was tried; with what the checks say."""
        return NOTHING


class ObjectForm:
    """The form of one object, as that was when the form was filled (``base``)."""

    secret_names: frozenset[str] = frozenset()

    def __init__(self, editing: Editing, base: Manifest) -> None:
        self.editing, self.base = editing, base

    @property
    def plural(self) -> str:
        return self.editing.plural

    @property
    def kind(self) -> Kind[Any]:
        return self.editing.form.kind

    @cached_property
    def sections(self) -> list[Section]:
        found = []
        for section in self.editing.form.sections:
            named = [each for each in section.inputs if each.name in self.editing.names]
            inputs = [made for each in named if (made := self.editing.input(each, self.base)) is not None]
            if inputs:
                found.append(dataclasses.replace(section, inputs=tuple(map(_with_was, inputs))))
        return found

    @property
    def inputs(self) -> list[Input]:
        return [each for section in self.sections for each in section.inputs]

    @cached_property
    def shown(self) -> Texts:
        return self.editing.shown(self.base)

    def input_of(self, path: str) -> str:
        """The input that a path of the API server is about, among those that are shown."""
        found = self.editing.form.input_of(self.editing.path(path, self.base))
        return found if any(found == each.name for each in self.inputs) else ""

    def texts(self, sent: Texts) -> dict[str, Sequence[str]]:
        """What the inputs hold: what was sent, and of what was not, the object's own."""
        texts = dict(self.shown)
        for one in self.inputs:
            if one.columns:
                texts |= _columns(one, self.shown, sent)
            elif one.name in sent:
                texts[one.name] = sent[one.name]
        return texts

    def edits(self, sent: Texts) -> Edits:
        return Edits(self, self.texts(sent))

    def made(self, sent: Texts) -> Manifest:
        """The object with what was typed."""
        made = copy.deepcopy(self.base)
        if (edits := self.edits(sent)).changed:
            self.editing.put(made, edits)
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row that is filled: what its columns hold (``values``), and which of them are not as they were shown."""

    was: str
    place: str
    values: Mapping[str, Any]
    changed: frozenset[str]

    def __getitem__(self, column: str) -> Any:
        return self.values[column]


class Edits:
    """What was typed into the form of an object. What still is as it was shown is not judged: it was there."""

    def __init__(self, form: ObjectForm, texts: Texts) -> None:
        self.form, self.texts = form, texts

    @cached_property
    def changed(self) -> frozenset[str]:
        """The inputs that are not as they were shown."""
        return frozenset(each.name for each in self.form.inputs if self._differs(each))

    def _differs(self, one: Input) -> bool:
        if one.columns:
            return _filled(one, self.texts) != _filled(one, self.form.shown)
        return _last(self.texts, one.name) != _last(self.form.shown, one.name)

    @cached_property
    def reading(self) -> Reading:
        """Everything that was typed, read."""
        reading = read_form(self.form, self.texts)
        for one in self.form.inputs:
            if one.name not in self.changed:
                _accept(reading, one.name)
            if one.columns:
                kept = {row.place for row in self._typed_rows(reading, one) if not row.changed}
                for place in kept:
                    _accept(reading, place)
                drafted = {row.place: row for row in reading.draft[one.name]}
                reading.values[one.name] = [
                    drafted[row.place] if row.place in kept else row for row in reading.values[one.name]
                ]
        return reading

    def __getitem__(self, name: str) -> Any:
        """What an input holds."""
        return self.reading.draft[name]

    def rows(self, name: str) -> list[Row]:
        """The rows of an input that are filled."""
        return self._typed_rows(self.reading, self._input(name))

    def gone(self, name: str) -> frozenset[str]:
        """Of which entries of the object the rows were taken away."""
        shown = {row["was"] for row in rows_of(self._input(name), self.form.shown)}
        return frozenset(shown - {row.was for row in self.rows(name)})

    def entries(
        self, name: str, there: Iterable[Any], put: Callable[[dict[str, Any], Row], None]
    ) -> list[Any]:
        """A list of the object with what was typed: ``put`` writes a row into its entry. Entries without a row stay; new
        ones come last."""
        rows, gone, made = {row.was: row for row in self.rows(name) if row.was}, self.gone(name), []
        for at, entry in enumerate(there):
            row = rows.get(str(at))
            if row is not None and row.changed:
                entry = copy.deepcopy(entry)
                put(entry, row)
            if str(at) not in gone:
                made.append(entry)
        for row in self.rows(name):
            if not row.was:
                new: Manifest = {}
                put(new, row)
                made.append(new)
        return made

    def labels(self, name: str, there: Mapping[str, str] | None) -> dict[str, str]:
        """Labels of the object with what was typed, each in its place."""
        rows, gone = {row.was: row for row in self.rows(name) if row.was}, self.gone(name)
        made = {}
        for key, value in (there or {}).items():
            row = rows.get(key)
            if row is not None and row.changed:
                made[row["key"] or ""] = row["value"] or ""
            elif key not in gone:
                made[key] = value
        return made | {row["key"] or "": row["value"] or "" for row in self.rows(name) if not row.was}

    def changed_places(self) -> frozenset[str]:
        """Where verdicts stand of what was changed."""
        rows = (row for each in self.form.inputs if each.columns for row in self.rows(each.name))
        return self.changed | {row.place for row in rows if row.changed}

    def _input(self, name: str) -> Input:
        return next(each for each in self.form.inputs if each.name == name)

    def _typed_rows(self, reading: Reading, one: Input) -> list[Row]:
        shown = {row["was"]: row for row in rows_of(one, self.form.shown)}
        typed = {f"{one.name}-{at}": row for at, row in enumerate(rows_of(one, self.texts))}
        found = []
        for row in reading.draft[one.name]:
            text = typed[row.place]
            base = shown.pop(text["was"], None)  # each entry has one row
            changed = frozenset(key for key in text if base is None or text[key] != base[key])
            was = "" if base is None else text["was"]
            found.append(Row(was=was, place=row.place, values=row, changed=changed))
        return found


def _accept(reading: Reading, place: str) -> None:
    reading.wrong.pop(place, None)
    reading.missing.pop(place, None)


def _with_was(one: Input) -> Input:
    return dataclasses.replace(one, columns=(*one.columns, WAS)) if one.columns else one


def _last(texts: Texts, name: str) -> str:
    return (texts.get(name) or [""])[-1]


def _filled(one: Input, texts: Texts) -> Rows:
    return [row for row in rows_of(one, texts) if not is_empty(one, row)]


def _columns(one: Input, shown: Texts, sent: Texts) -> Texts:
    """The rows of an input that were sent, by column. A script need not say of which entry a row is, nor send all
    columns: a row is of the entry whose first column it has, with most else alike; without that column, of the one in
    its place.
    """
    names = [f"{one.name}.{each.name}" for each in one.columns]
    if not any(name in sent for name in names):
        return {}
    own = f"{one.name}.{WAS.name}"
    if own in sent:
        return {name: sent.get(name, ()) for name in names}
    there, made, key = rows_of(one, shown), [], one.columns[0].name
    given = [each.name for each in one.columns if f"{one.name}.{each.name}" in sent]
    for row in rows_of(one, sent):
        alike = [each for each in there if each[key] == row[key]] if key in given else there[:1]
        best = max(alike, key=lambda each: sum(each[name] == row[name] for name in given), default=None)
        if best is not None:
            there.remove(best)
            row = best | {name: row[name] for name in given}
        made.append(row)
    return {f"{one.name}.{each.name}": [row[each.name] for row in made] for each in one.columns}


def row_texts(name: str, rows: Rows) -> dict[str, list[str]]:
    """Rows of an input as a form is filled with them."""
    columns = dict.fromkeys(column for row in rows for column in row)
    return {f"{name}.{column}": [row[column] for row in rows] for column in columns}


def label_texts(name: str, labels: Mapping[str, str] | None) -> dict[str, list[str]]:
    """Labels as a form is filled with them."""
    rows = [{"key": key, "value": value, WAS.name: key} for key, value in (labels or {}).items()]
    return row_texts(name, rows)


def check_twice(checks: Checks, rows: Sequence[TypedRow], column: str, what: str) -> None:
    """Of what an object has once, no two rows may be."""
    seen: dict[Any, int] = {}
    for at, row in enumerate(rows, start=1):
        if row[column] and row[column] in seen:
            checks.at(row.place, "bad", f"Row {seen[row[column]]} has the same {what}.")
        seen.setdefault(row[column], at)
