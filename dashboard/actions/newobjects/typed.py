"""What was typed into a form of a new object, read: values for the manifest, and what is wrong or missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dashboard.errors import BadInput

from ..fields import not_one_of
from .form import MAX_ROWS, Input

FREE = 1  # row to fill, below those that are


class Inputs(Protocol):
    """What is typed into: the form of a new object, or of one that is there."""

    @property
    def inputs(self) -> list[Input]: ...


class TypedRow(dict[str, Any]):
    """One row of an input, by its columns. ``place`` is what it is called among what is said."""

    place = ""


@dataclass(slots=True)
class Reading:
    """``values``: what could be read, None for all else. ``draft``: the same with what could not be read as it was typed.
    ``wrong``: place → why. ``missing``: places that must not be empty.
    """

    values: dict[str, Any] = field(default_factory=dict)
    draft: dict[str, Any] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def start(form: Inputs, filled: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """What the inputs hold before anybody typed: what the form is filled with, else what it always starts with."""
    found = {each.name: [each.value] for each in form.inputs if not each.columns and each.value}
    return found | {name: list(texts) for name, texts in filled.items()}


def rows_of(one: Input, sent: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """The rows of an input as they were sent, as many as are read; empty ones too, so that each keeps its place."""
    columns = {each.name: sent.get(f"{one.name}.{each.name}", ()) for each in one.columns}
    return [
        {each.name: _at(columns[each.name], at, each.value) for each in one.columns}
        for at in range(min(_count(one, sent), MAX_ROWS + FREE))
    ]


def _count(one: Input, sent: Mapping[str, Sequence[str]]) -> int:
    return max((len(sent.get(f"{one.name}.{each.name}", ())) for each in one.columns), default=0)


def is_empty(one: Input, row: Mapping[str, str]) -> bool:
    """Whether nobody typed into a row: what a column always starts with does not count."""
    return all(row[each.name].strip() in ("", each.value) for each in one.columns if each.typed)


def read_form(form: Inputs, sent: Mapping[str, Sequence[str]]) -> Reading:
    """Everything that was sent for a form."""
    reading = Reading()
    for one in form.inputs:
        if one.columns:
            _read_rows(reading, one, sent)
            continue
        texts = sent.get(one.name, ())
        value, draft = _read(reading, one, one.name, texts[-1] if texts else "")
        reading.values[one.name], reading.draft[one.name] = value, draft
    return reading


def _read_rows(reading: Reading, one: Input, sent: Mapping[str, Sequence[str]]) -> None:
    read: list[TypedRow] = []
    drafted: list[TypedRow] = []
    for at, row in enumerate(rows_of(one, sent)):
        if is_empty(one, row):
            continue
        place = f"{one.name}-{at}"
        pairs = {each.name: _read(reading, each, place, row[each.name]) for each in one.columns}
        for into, which in ((read, 0), (drafted, 1)):
            made = TypedRow({name: pair[which] for name, pair in pairs.items()})
            made.place = place
            into.append(made)
    if len(drafted) > MAX_ROWS or _count(one, sent) > MAX_ROWS + FREE:
        reading.wrong[one.name] = f"At most {MAX_ROWS} rows can be entered here: go on in YAML for more."
    if one.required and not drafted:
        reading.missing[one.name] = f"Enter at least one row of {one.label.lower()}."
    reading.values[one.name], reading.draft[one.name] = read, drafted


def _read(reading: Reading, one: Input, place: str, text: str) -> tuple[Any, Any]:
    """The value and what stands for it in a draft."""
    if one.input == "box":
        ticked = text.strip().lower() in ("1", "true", "on", "yes")
        return ticked, ticked
    if one.input == "choice":
        values = [value for value, _ in one.choices]
        if text and text not in values:
            reading.wrong.setdefault(place, not_one_of(one.label, text, values))
            return None, text
        chosen = text or one.value or values[0]
        return chosen, chosen
    if not (text if one.verbatim else text.strip()):
        if one.required:
            reading.missing.setdefault(place, f"{one.label} is missing.")
        return None, None
    try:
        value = one.parse(text)
    except BadInput as error:
        reading.wrong.setdefault(place, f"{error.message} {error.next_step}".strip())
        return None, text
    return value, value


def _at(texts: Sequence[str], at: int, default: str) -> str:
    return texts[at] if at < len(texts) else default
