"""A window of a list: filtered, sorted and cut on the server (rule 2)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import msgspec
from django.http import QueryDict

from dashboard.errors import BadInput
from dashboard.kinds.base import Cell, Column, Kind, Row
from dashboard.kinds.rows import natural
from dashboard.kinds.selectors import SelectorError, parse
from dashboard.kinds.usage import Use

from .reader import NONE_JUDGED, Judged, Namespaces, Reader

PAGE_SIZE = 100
# Worst first: what needs a person stands before what changes by itself, and what is finished comes last.
RANK = {"bad": 0, "warn": 1, "info": 2, "ok": 3, "done": 4}
DEFAULT_SORT = {"events": "last-seen"}
# A piece of a uid or digest, long enough to mean one.
_CODE = re.compile("[0-9a-f:-]{6,}|sha256:[0-9a-f]*")
# Cells that an address may ask for by the name of their column; a part of the text, in any case, is enough.
MATCHED: Mapping[str, tuple[str, ...]] = {"events": ("type", "reason", "object")}
CHIPS: Mapping[str, frozenset[str]] = {
    "need": frozenset({"bad"}),
    "look": frozenset({"warn"}),
    "changing": frozenset({"info"}),
    "fine": frozenset({"ok"}),
    "done": frozenset({"done"}),
}

# Not kubectl get's, but kubectl top's: on screen only. Their cells are no part of a Row.
CPU = Column("cpu", "CPU", wide=False, num=True, help="CPU in use now, in thousandths of a core.", order=-2)
MEMORY = Column(
    "memory", "Memory", wide=False, num=True, help="Memory in use now (the working set), in MiB.", order=-2
)
MEASURED: Mapping[str, tuple[Column, ...]] = {"pods": (CPU, MEMORY), "nodes": (CPU, MEMORY)}
Measure = Callable[[Row], Use | None]


# `kubectl get -A` has it as its first column; on screen it stands after the name.
NAMESPACE = Column(
    "namespace", "Namespace", wide=False, num=False, help="The namespace it lives in.", order=-1
)
# A label as a column, as `kubectl get -L` has it: key ``label:<key>``.
LABEL = "label:"
_LABEL_KEY = re.compile(r"([A-Za-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
LABELS = 20
MOST_COLUMNS, LONGEST_KEY = 60, 330  # of a choice that is kept; a label's key has at most 317 letters


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
            raise BadInput(f"page is {page[:20]!r}: say a number from 1.", field="page")
        state = params.get("state", "")
        if state and state not in CHIPS:
            raise BadInput(f"state is {state!r}: say one of {', '.join(CHIPS)}.", field="state")
        return cls(
            plural=plural,
            namespaces=tuple(sorted(set(params.getlist("namespace")) - {""})),
            q=params.get("q", "").strip(),
            labels=params.get("labels", "").strip(),
            sort=params.get("sort", ""),
            state=state,
            match=tuple(
                (key, text) for key in MATCHED.get(plural, ()) if (text := params.get(key, "").strip())
            ),
            page=int(page),
            columns=column_keys(params.get("columns", "")),
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
                    words = f"say a column out of {', '.join(sorted(known))}, or {LABEL}<key> for a label."
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
    reader: Reader,
    kind: Kind[Any],
    query: ListQuery,
    namespaces: Namespaces,
    *,
    judged: Judged = NONE_JUDGED,
    page_size: int | None = PAGE_SIZE,
    measure: Measure = lambda _: None,
) -> Listing:
    """The window that a query asks for, of the rows in ``namespaces`` (None: all). ``page_size`` None: every row.

    ``judged`` is as in the reader. ``measure`` gives what a row's object uses, for the sort by that.
    """
    rows = reader.rows(query.plural, namespaces, judged)
    in_scope = len(rows)
    label_error = ""
    for word in query.q.lower().split():
        rows = having(rows, word)
    if query.labels:
        try:
            selector = parse(query.labels)
        except SelectorError as error:
            label_error, rows = str(error), []  # all of them would look like an answer
        else:
            rows = [row for row in rows if selector.matches(row.labels)]
    rows = _matching(rows, kind, query)
    by_state: Counter[str] = Counter(row.state for row in rows)
    counts = {chip: sum(by_state[state] for state in states) for chip, states in CHIPS.items()}
    if query.state:
        rows = [row for row in rows if row.state in CHIPS[query.state]]
    key, reverse = sort_key(kind, query.sort, measure)
    # Two stable passes: the second key first, so that equal cells stay in the order of their names.
    rows.sort(key=_by_name)
    rows.sort(key=key, reverse=reverse)
    total = len(rows)
    if page_size is None:
        return Listing(tuple(rows), total, 1, 1, in_scope, counts, label_error)
    pages = max(1, -(-total // page_size))
    page = min(query.page, pages)
    window = tuple(rows[(page - 1) * page_size : page * page_size])
    return Listing(window, total, page, pages, in_scope, counts, label_error)


def having(rows: list[Row], word: str) -> list[Row]:
    """The rows that are found by a word (in lower case)."""
    if _CODE.fullmatch(word):
        return [row for row in rows if word in row.search or word in row.codes]
    return [row for row in rows if word in row.search]


def _matching(rows: list[Row], kind: Kind[Any], query: ListQuery) -> list[Row]:
    columns = {column.key: column.order for column in kind.columns}
    for key, text in query.match:
        at, wanted = columns[key], text.lower()
        rows = [row for row in rows if wanted in row.cells[at].text.lower()]
    return rows


def _by_name(row: Row) -> tuple[str, str]:
    return row.namespace, row.name


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


def column_keys(text: str) -> tuple[str, ...]:
    """The keys in a list with commas, each once."""
    return tuple(dict.fromkeys(key for key in text.split(",") if key))


def check_choice(keys: Sequence[str]) -> None:
    """Raises BadInput for more columns, or longer keys, than are kept."""
    if len(keys) > MOST_COLUMNS:
        raise BadInput(f"These are {len(keys)} columns: choose at most {MOST_COLUMNS}.", field="column")
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
