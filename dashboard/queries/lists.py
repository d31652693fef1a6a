"""A window of a list: filtered, sorted and cut on the server (rule 2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import msgspec
from django.http import QueryDict

from dashboard.errors import BadInput
from dashboard.kinds.base import Cell, Column, Kind, Row
from dashboard.kinds.rows import natural
from dashboard.kinds.selectors import Selector, SelectorError, parse_any
from dashboard.kinds.usage import Use

from .bounds import chosen_of, text_of, words_of
from .kindrows import MATCHED
from .reader import Namespaces
from .seenreader import SeenReader
from .selections import Selecting

PAGE_SIZE = 100
# Worst first: what needs attention stands before what is changing, and what is finished comes last.
RANK = {"bad": 0, "warn": 1, "info": 2, "ok": 3, "done": 4}
DEFAULT_SORT = {"events": "last-seen"}
# A piece of a uid or digest, long enough to mean one.
_CODE = re.compile("[0-9a-f:-]{6,}|sha256:[0-9a-f]*")
CHIPS: Mapping[str, frozenset[str]] = {
    "need": frozenset({"bad"}),
    "look": frozenset({"warn"}),
    "changing": frozenset({"info"}),
    "fine": frozenset({"ok"}),
    "done": frozenset({"done"}),
}
# What an address may ask for: those, and whatever is not healthy, which is not counted by itself.
TROUBLE = "trouble"
STATES = {**CHIPS, TROUBLE: frozenset({"bad", "warn"})}

# Not kubectl get's, but kubectl top's: on screen only. Their cells are no part of a Row.
CPU = Column("cpu", "CPU", wide=False, num=True, help="CPU in use now, in thousandths of a core.", order=-2)
MEMORY = Column(
    "memory", "Memory", wide=False, num=True, help="Memory in use now (the working set), in MiB.", order=-2
)
MEASURED: Mapping[str, tuple[Column, ...]] = {"pods": (CPU, MEMORY), "nodes": (CPU, MEMORY)}
Measure = Callable[[Row], Use | None]
# Amounts that are no plain numbers.
AMOUNTS = frozenset({"restarts", "capacity", "duration"})


# `kubectl get -A` has it as its first column; on screen it stands after the name.
NAMESPACE = Column(
    "namespace", "Namespace", wide=False, num=False, help="The namespace it lives in.", order=-1
)
# A label as a column, as `kubectl get -L` has it: key ``label:<key>``.
LABEL = "label:"
_LABEL_KEY = re.compile(r"([A-Za-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
LABELS = 20
MAX_COLUMNS, LONGEST_KEY = 60, 330  # of a choice that is kept; a label's key has at most 317 letters


@dataclass(frozen=True)
class ListQuery:
    """What a list's address asks for. Equal queries are equal views.

    ``columns``: the keys of the columns to show, in no order, instead of the usual ones; ``remembered``: the same,
    as the reader chose them some time, for an address that does not say.
    """

    plural: str
    namespaces: tuple[str, ...] = ()
    q: str = ""
    labels: str = ""
    sort: str = ""
    state: str = ""
    match: tuple[tuple[str, str], ...] = ()  # column key, text
    page: int = 1
    columns: tuple[str, ...] = ()
    remembered: tuple[str, ...] = ()

    @classmethod
    def read(cls, plural: str, params: QueryDict) -> ListQuery:
        """From an address. Raises BadInput for a page or state that cannot be; a label filter is judged later, so
        that what was typed stays on screen, and columns when they are known (see ``check``)."""
        page = params.get("page", "1")
        if not (len(page) < 7 and page.isascii() and page.isdigit() and int(page)):
            raise BadInput(f"page is {page[:20]!r}: enter a number from 1.", field="page")
        state = params.get("state", "")
        if state and state not in STATES:
            raise BadInput(f"state is {state!r}: enter one of {', '.join(STATES)}.", field="state")
        columns = column_keys(params.get("columns", ""))
        check_choice((*columns, params.get("sort", "").removeprefix("-")))
        return cls(
            plural=plural,
            namespaces=chosen_of(params, "namespace"),
            q=words_of(params, "q"),
            labels=params.get("labels", "").strip(),
            sort=params.get("sort", ""),
            state=state,
            match=tuple((key, text) for key in MATCHED.get(plural, ()) if (text := text_of(params, key))),
            page=int(page),
            columns=columns,
            remembered=column_keys(params.get("remembered", "")),
        )

    @property
    def chosen(self) -> tuple[str, ...]:
        """The columns to show; none: the usual ones."""
        return self.columns or self.remembered

    def check(self, kind: Kind[Any]) -> None:
        """Raises BadInput for a column that the kind does not have. Not for remembered ones: a custom kind may lose
        a column."""
        columns = (*kind.columns, *MEASURED.get(kind.plural, ()))
        known = {column.key for column in columns} | {"namespace"}
        for name, keys in (("sort", [self.sort.removeprefix("-")]), ("columns", list(self.columns))):
            for key in keys:
                if key and key not in known and label_of(key) is None:
                    words = f"use a column out of {', '.join(sorted(known))}, or {LABEL}<key> for a label."
                    raise BadInput(f"{name} has {key!r}: {words}", field=name)

    def url_query(self, **changes: object) -> str:
        """The query string of this view with some of it changed, in one fixed order and without what is default."""
        new = replace(self, **changes)  # type: ignore[arg-type]
        pairs: list[tuple[str, str]] = [("namespace", namespace) for namespace in new.namespaces]
        pairs += [(key, getattr(new, key)) for key in ("q", "labels", "state", "sort") if getattr(new, key)]
        pairs += new.match
        if new.columns:
            pairs.append(("columns", ",".join(new.columns)))
        if new.page > 1:
            pairs.append(("page", str(new.page)))
        return f"?{urlencode(pairs)}" if pairs else ""


@dataclass(frozen=True)
class ByUse:
    """What the objects of rows use, by one ``reading``: another one is not equal to it."""

    reading: Hashable
    use: Measure


@dataclass(frozen=True)
class Listing:
    """The answer: the rows of one page in order, and counts over all pages. ``counts`` is by chip, before the chip."""

    rows: tuple[Row, ...]
    total: int
    page: int
    pages: int
    in_scope: int
    counts: Mapping[str, int] = field(default_factory=dict)
    label_error: str = ""

    @property
    def first(self) -> int:
        """The place of the first row shown, from 1; 0 when there is none."""
        return (self.page - 1) * PAGE_SIZE + 1 if self.rows else 0

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1 if self.rows else 0


def listing(
    reader: SeenReader,
    kind: Kind[Any],
    query: ListQuery,
    namespaces: Namespaces,
    *,
    page_size: int | None = PAGE_SIZE,
    by_use: ByUse | None = None,
) -> Listing:
    """The window that a query asks for, of the rows in ``namespaces`` (None: all). ``page_size`` None: every row.

    ``by_use`` is for the sort by that.
    """
    selecting, label_error = selecting_of(kind, query, by_use)
    found = reader.select(query.plural, selecting, namespaces)
    counts = {chip: sum(found.states[state] for state in states) for chip, states in CHIPS.items()}
    rows = found.rows
    if query.state:
        rows = [row for row in rows if row.state in STATES[query.state]]
    total = len(rows)
    in_scope = reader.states(query.plural, namespaces, judged=False).total()
    if page_size is None:
        return Listing(tuple(rows), total, 1, 1, in_scope, counts, label_error)
    pages = max(1, -(-total // page_size))
    page = min(query.page, pages)
    window = tuple(rows[(page - 1) * page_size : page * page_size])
    return Listing(window, total, page, pages, in_scope, counts, label_error)


def selecting_of(kind: Kind[Any], query: ListQuery, by_use: ByUse | None = None) -> tuple[Selecting, str]:
    """Which rows a query asks for and in which order, before its window; and what is wrong with its label filter."""
    label_error = ""
    try:
        fits = _fitting(kind, query, parse_any(query.labels) if query.labels else ())
    except SelectorError as error:
        label_error, fits = str(error), _nothing  # all of them would look like an answer
    key, reverse = sort_key(kind, query.sort, by_use.use if by_use else lambda _: None)
    # What they are ordered by changes without them: that is then another order.
    wanted = (query.q, query.labels, query.match, query.sort, by_use.reading if by_use else None)
    return Selecting(wanted, fits, key, reverse), label_error


def sorts_by_use(query: ListQuery) -> bool:
    """Whether the rows are to be in the order of what is measured of them."""
    return query.sort.removeprefix("-") in {column.key for column in MEASURED.get(query.plural, ())}


def _nothing(_: Row) -> bool:
    return False


def _fitting(kind: Kind[Any], query: ListQuery, selectors: Sequence[Selector]) -> Callable[[Row], bool]:
    """Whether a row has all that is asked for, but for its state; of ``selectors``, one is enough."""
    columns = {column.key: column.order for column in kind.columns}
    words = [_finding(word, columns) for word in query.q.lower().split()]
    match = [(columns[key], text.lower()) for key, text in query.match]

    def fits(row: Row) -> bool:
        if not all(found(row) for found in words):
            return False
        if selectors and not any(selector.matches(row.labels) for selector in selectors):
            return False
        return all(text in row.cells[at].text.lower() for at, text in match)

    return fits


def _finding(word: str, columns: Mapping[str, int]) -> Callable[[Row], bool]:
    """The same for a list: a word such as ``node:worker-1`` is all of the text in a column, not a part of any."""
    key, colon, text = word.partition(":")
    if not (colon and text and key in columns):
        return finding(word)
    at = columns[key]
    return lambda row: row.cells[at].text.lower() == text


def finding(word: str) -> Callable[[Row], bool]:
    """Whether a row is found by a word (in lower case)."""
    if _CODE.fullmatch(word):
        return lambda row: word in row.search or word in row.codes
    return lambda row: word in row.search


def sort_key(kind: Kind[Any], sort: str, measure: Measure) -> tuple[Callable[[Row], Any], bool]:
    """The key function and direction for ``name`` or ``-name``; without one (or one that is no column any more), worst
    first, and Events latest first."""
    sort = sort or DEFAULT_SORT.get(kind.plural, "")
    name, reverse = sort.removeprefix("-"), sort.startswith("-")
    if name == "namespace":
        return (lambda row: natural(row.namespace)), reverse
    if (label := label_of(name)) is not None:
        return (lambda row: natural(row.labels.get(label, "\uffff"))), reverse
    if any(column.key == name for column in MEASURED.get(kind.plural, ())):
        return (lambda row: getattr(measure(row), name, -1.0)), reverse
    place = next((column.order for column in kind.columns if column.key == name), None)
    if place is not None:
        return (lambda row: row.sort[place]), reverse
    return (lambda row: RANK[row.state]), False


def greatest_first(column: Column) -> bool:
    """Whether a first click sorts down: of amounts, the greatest matter. Words begin with A, times with the latest."""
    return column.num or column.key in AMOUNTS


def column_keys(text: str) -> tuple[str, ...]:
    """The keys in a list with commas, each once."""
    return tuple(dict.fromkeys(key for key in text.split(",") if key))


def check_choice(keys: Sequence[str]) -> None:
    """Raises BadInput for more columns, or longer keys, than are kept."""
    if len(keys) > MAX_COLUMNS:
        raise BadInput(f"These are {len(keys)} columns: choose at most {MAX_COLUMNS}.", field="column")
    if any(len(key) > LONGEST_KEY for key in keys):
        raise BadInput(f"column has a key of more than {LONGEST_KEY} letters.", field="column")


def label_of(key: str) -> str | None:
    """The label that a column of this key shows; None for another column, or what cannot be a label's key."""
    label = key.removeprefix(LABEL)
    return label if label != key and _LABEL_KEY.fullmatch(label) else None


def usual_columns(kind: Kind[Any], *, namespace: bool = True) -> tuple[Column, ...]:
    """Those of ``kubectl get -o wide`` and, for a namespaced kind, its namespace."""
    if not (namespace and kind.gvr.namespaced):
        return kind.columns
    # kubectl names an Event last and what it is about first.
    at = 1 if kind.columns[0].key == "name" else 0
    return (*kind.columns[:at], NAMESPACE, *kind.columns[at:])


def measured_columns(kind: Kind[Any], columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """The columns on screen with those of ``kubectl top``, before the wide ones."""
    at = next((place for place, column in enumerate(columns) if column.wide), len(columns))
    return (*columns[:at], *MEASURED.get(kind.plural, ()), *columns[at:])


def shown_columns(
    kind: Kind[Any], chosen: Iterable[str] = (), *, namespace: bool = True, measured: bool = False
) -> tuple[Column, ...]:
    """The columns on screen: the usual ones, or the chosen ones in the same order, the labels among them last.

    The name is always there. A chosen column is shown whatever room there is. Those of ``kubectl top`` are among them
    only with ``measured``.
    """
    usual, wanted = usual_columns(kind, namespace=namespace), tuple(chosen)
    if measured:
        usual = measured_columns(kind, usual)
    if not wanted:
        return usual
    shown = [each for each in usual if each.key in wanted or each.key == "name"]
    labels = [(key, label) for key in wanted if (label := label_of(key)) is not None]
    return (
        *(msgspec.structs.replace(each, wide=False) for each in shown),
        *(_label_column(key, label) for key, label in labels[:LABELS]),
    )


def _label_column(key: str, label: str) -> Column:
    return Column(key, label.rpartition("/")[2], wide=False, num=False, help=f"The label {label}.", order=-2)


def cell(row: Row, column: Column) -> Cell:
    """A row's cell in a shown column."""
    if column.order >= 0:
        return row.cells[column.order]
    if (label := label_of(column.key)) is not None:
        return Cell(row.labels.get(label, "<none>"))
    return Cell(row.namespace)
