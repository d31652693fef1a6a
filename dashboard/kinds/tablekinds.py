"""Kinds that have no module here: custom ones, and the rest of Kubernetes. Columns and cells are the API server's.

What the server prints is kept as it is, with two exceptions. A time that it prints as "5m" is turned back into a
moment, so that it ticks: for the age exactly, for other times within a unit of what was printed. And a cell that is
no text is written as kubectl writes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal

import msgspec

from .base import GVR, Cell, Column, Detail, Fact, Kind, ListPage, Row, SortKey
from .duration import parse_duration
from .facts import page
from .meta import Object
from .quantity import QuantityError, parse_quantity
from .rows import age, age_key, col, columns, make_row, natural
from .table import METADATA, TABLE, ColumnDefinition, TableRow, read_table, single_row
from .tablestates import Judge

Form = Literal["text", "number", "time"]
# Of so many letters that each is a number that a float can hold, whatever a column is given.
_NUMBER_LETTERS = 40
_BEYOND_NUMBERS = 10**_NUMBER_LETTERS
_RATIO = re.compile(r"(\d+)/(\d+)")
_QUANTITY = re.compile(r"[+-]?\d+|[+-]?\d*\.?\d+(?:[KMGTPE]i|[numkMGTPE])")
_OF_CREATION = re.compile(r"$|CreationTimestamp\b")
_SLACK = 2.0  # seconds: the answer was on its way, and clocks differ
_BEYOND = (2, "")  # sorts after every other key of its column


class Resource(msgspec.Struct, frozen=True):
    """A resource that an API server offers, as its discovery tells."""

    gvr: GVR
    kind: str
    singular: str = ""
    short_names: tuple[str, ...] = ()
    scales: bool = False  # it has a scale subresource

    @property
    def key(self) -> str:
        """``<plural>.<group>``, or the plural in the core group: its part of an address."""
        return f"{self.gvr.plural}.{self.gvr.group}" if self.gvr.group else self.gvr.plural

    @property
    def title(self) -> str:
        """The plural with the kind's capitals: ``networkpolicies`` of ``NetworkPolicy`` → ``NetworkPolicies``."""
        alike = 0
        for one, other in zip(self.kind.lower(), self.gvr.plural, strict=False):
            if one != other:
                break
            alike += 1
        return (self.kind[:alike] + self.gvr.plural[alike:]) if alike else self.kind


class Header:
    """The columns of a Table: equal definitions are one object."""

    def __init__(self, definitions: tuple[ColumnDefinition, ...]) -> None:
        named = [_column(each) for each in definitions]
        self.columns = columns(*named, taken=("namespace", "uid"))
        self.forms = tuple(map(_form, definitions))
        self.places = {column.key: column.order for column in self.columns}
        self.titles = tuple(column.title for column in self.columns)
        self.judge = Judge.of(self.columns)

    @property
    def status_column(self) -> str | None:
        """The key of the column that says how the object is."""
        return None if self.judge.status is None else self.columns[self.judge.status].key


def _column(definition: ColumnDefinition) -> Column:
    # The server describes a column without words of its own by its path alone.
    own = (
        ""
        if definition.description.startswith("Custom resource definition column")
        else definition.description
    )
    made = col(
        definition.name, own, wide=definition.priority > 0, num=definition.type in ("integer", "number")
    )
    # The cell that names the object, whatever it is called; and a name without any letter or digit.
    key = "name" if definition.format == "name" else made.key or "column"
    return msgspec.structs.replace(made, key=key)


def _form(definition: ColumnDefinition) -> Form:
    # Kubernetes' own kinds print their age as text, and describe it as the time of creation; a custom column of that name
    # is what its path says, and the server describes each of those somehow.
    if definition.type == "date" or (definition.name == "Age" and _OF_CREATION.match(definition.description)):
        return "time"
    return "number" if definition.type in ("integer", "number") else "text"


header_of = lru_cache(maxsize=512)(Header)
# Before the first answer, and where there never is one.
UNKNOWN = header_of((ColumnDefinition("Name", "string", "name"), ColumnDefinition("Age", "date")))


class TableObject(Object, frozen=True, gc=False):
    """One row of a Table. A cell is text, a number, a truth, a moment (of a time that was printed), or None."""

    header: Header
    cells: tuple[Any, ...]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(kw_only=True, eq=False)
class TableKind(Kind[TableObject]):
    """A kind whose columns are those of the last Table that was read, and may change with the next.

    ``clock``: when a Table is read, for the times in it.
    """

    clock: Callable[[], datetime] = _now
    header: Header = UNKNOWN
    row: Callable[[TableObject], Row] = field(init=False)
    detail: Callable[[TableObject], Detail] = field(init=False)

    def __post_init__(self) -> None:
        self.row = lambda obj: _row(self.header, obj)
        self.detail = lambda obj: _detail(self, obj)

    @classmethod
    def of(cls, resource: Resource, clock: Callable[[], datetime] = _now) -> TableKind:
        """A kind for what discovery tells."""
        group = resource.gvr.group or "Kubernetes itself"
        return cls(
            gvr=resource.gvr,
            kind=resource.kind,
            title=resource.title,
            singular=resource.kind,
            section="",
            type=TableObject,
            columns=UNKNOWN.columns,
            accept=TABLE,
            query=METADATA,
            explain=f"{resource.kind} is a kind of the API {group}. It is shown with the columns that this API defines.",
            short_names=(resource.singular, *resource.short_names),
            scales=resource.scales,
            clock=clock,
        )

    def adopt(self, other: TableKind) -> bool:
        """Takes over what discovery tells now of the same resource; whether that differs."""
        names = ("gvr", "kind", "title", "singular", "explain", "short_names", "scales")
        differs = any(getattr(self, name) != getattr(other, name) for name in names)
        for name in names:
            setattr(self, name, getattr(other, name))
        return differs

    @property
    def plural(self) -> str:
        """``<plural>.<group>``, or the plural in the core group."""
        return f"{self.gvr.plural}.{self.gvr.group}" if self.gvr.group else self.gvr.plural

    @property
    def discovered(self) -> bool:
        return True

    def unchanged(self, old: TableObject, new: TableObject) -> bool:
        """The same version under other columns is told anew. Cells say how long ago things were: they tell nothing."""
        return old.header is new.header and old.metadata == new.metadata

    def judges(self, word: str) -> bool:
        return self.header.judge.knows(word)

    def decode_list(self, raw: bytes) -> ListPage[TableObject]:
        """A Table answer to a list."""
        table = read_table(raw)
        if table.column_definitions is None:  # an aggregated API server need not know this form
            raise msgspec.ValidationError("the answer is not a Table")
        self._learn(table.column_definitions)
        meta, now = table.metadata, self.clock()
        items = tuple(_object(self.header, row, now) for row in table.rows or ())
        return ListPage(items, meta.resource_version, meta.continue_, meta.remaining_item_count)

    def decode_object(self, raw: bytes | msgspec.Raw) -> TableObject:
        """A Table of one row: the answer to a get, or the object of a watch event."""
        table = read_table(raw)
        self._learn(table.column_definitions)
        return _object(self.header, single_row(table), self.clock())

    def _learn(self, definitions: tuple[ColumnDefinition, ...] | None) -> None:
        if definitions:
            self.header = header_of(definitions)
            self.columns = self.header.columns
            self.status_column = self.header.status_column


def _object(header: Header, row: TableRow, now: datetime) -> TableObject:
    meta = row.object.metadata
    cells = tuple(
        _moment(cell, meta.creation_timestamp, now) if form == "time" and isinstance(cell, str) else cell
        for form, cell in zip(header.forms, row.cells, strict=False)
    )
    return TableObject(metadata=meta, header=header, cells=cells)


def _moment(text: str, created: datetime | None, now: datetime) -> str | datetime:
    """When it was, of a time printed as "5m"; the text where it is anything else."""
    gone = parse_duration(text)
    if gone is None:
        return text
    seconds, unit = gone
    if created is not None and seconds - _SLACK <= (now - created).total_seconds() < seconds + unit + _SLACK:
        return created
    return now - timedelta(seconds=seconds)


def _row(header: Header, obj: TableObject) -> Row:
    """The row under the kind's present columns; an object that was read under others has only those it knew."""
    values = obj.cells
    if obj.header is not header:
        known = {key: obj.cells[at] for key, at in obj.header.places.items() if at < len(obj.cells)}
        values = tuple(known.get(column.key) for column in header.columns)
    values += (None,) * (len(header.columns) - len(values))
    cells = tuple(map(_cell, values))
    words = [cell.text for cell in cells]
    state, reason = header.judge.state(words), header.judge.reason(words, header.titles, beside=True)
    if obj.metadata.deletion_timestamp is not None and state not in ("bad", "warn"):
        state, reason = "info", "being deleted"
    return make_row(obj.metadata, cells, tuple(map(_sort_key, header.forms, values)), state, reason)


def _cell(value: Any) -> Cell:
    return age(value) if isinstance(value, datetime) else Cell(_text(value))


def _text(value: Any) -> str:
    """A cell as kubectl prints it, by Go's ``fmt.Sprint``."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return _float(value)
        case _:
            return str(value)


def _float(value: float) -> str:
    """Go's ``%v``: the fewest digits, with an exponent below 1e-4 and from 1e6 on (``fmt.Sprint``)."""
    exact = Decimal(repr(value)).normalize()
    if -4 <= exact.adjusted() < 6:
        return f"{exact:f}"
    first, *rest = map(str, exact.as_tuple().digits)
    tail = f".{''.join(rest)}" if rest else ""
    return f"{'-' if value < 0 else ''}{first}{tail}e{exact.adjusted():+03d}"


def _sort_key(form: Form, value: Any) -> SortKey:
    """Times by age, numbers, ratios and quantities by their amount, before text; what is not there comes last."""
    if form == "time":
        return (0, age_key(value)) if isinstance(value, datetime) else (1, str(value)) if value else _BEYOND
    if value is None or value == "":
        return _BEYOND
    if isinstance(value, int | float) and abs(value) < _BEYOND_NUMBERS:
        return (0, float(value))
    return _text_key(str(value))


@lru_cache(maxsize=4096)
def _text_key(text: str) -> SortKey:
    if len(text) > _NUMBER_LETTERS:
        return (1, natural(text))
    if ratio := _RATIO.fullmatch(text):
        return (0, int(ratio[1]) / (int(ratio[2]) or 1))
    # A decimal without a suffix is rather a version: 1.10 comes after 1.9.
    if _QUANTITY.fullmatch(text):
        try:
            return (0, float(parse_quantity(text).value))
        except QuantityError:
            pass
    return (1, natural(text))


def _detail(kind: TableKind, obj: TableObject) -> Detail:
    """The facts of its page: its columns besides those that the page has anyway, and its labels."""
    row = kind.row(obj)
    facts = [
        Fact(column.title, cell.text, since=cell.since)
        for column, cell in zip(kind.columns, row.cells, strict=True)
        if column.key != "name" and (column.key != "age" or cell.form != "age")
    ]
    facts.append(Fact("Labels", ",".join(f"{key}={value}" for key, value in obj.metadata.labels.items())))
    why = kind.header.judge.reason([cell.text for cell in row.cells], kind.header.titles)
    return page(
        obj.metadata, f"{kind.kind} of the API {kind.gvr.api_version}", facts, reason=why or row.reason
    )
