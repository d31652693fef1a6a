"""Small tools that kind modules build their columns, cells and sort keys from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

import msgspec

from .base import Cell, Column, Found, Row, SortKey, State
from .meta import ObjectMeta

NONE = Cell("<none>")
UNSET = Cell("<unset>")
UNKNOWN = Cell("<unknown>")
AGE_HELP = "How long ago it was created."
CREATED_HELP = "When it was created."
NAME_HELP = "The name, unique within its kind and namespace."

# Names of objects that a form offers to choose from, where any other can be typed: a cluster may have any number.
OFFERED = 400

_DIGITS = re.compile("[0-9]+")
_KEY = re.compile("[^a-z0-9]+")
_DIGEST = re.compile("@([a-z0-9]+:[0-9a-f]{32,})")
_LAST = float("inf")
_NO_AGE = Cell("<unknown>")


def col(title: str, help: str, *, wide: bool = False, num: bool = False) -> Column:
    """A column before it has its place; see :func:`columns`."""
    return Column(_KEY.sub("-", title.lower()).strip("-"), title, wide, num, help, 0)


def columns(*cols: Column, taken: Iterable[str] = ()) -> tuple[Column, ...]:
    """The columns in kubectl's order, repeated keys numbered (``-2``), as are those that are ``taken``."""
    seen = dict.fromkeys(taken, 1)
    placed = []
    for order, column in enumerate(cols):
        nth = seen[column.key] = seen.get(column.key, 0) + 1
        key = column.key if nth == 1 else f"{column.key}-{nth}"
        placed.append(msgspec.structs.replace(column, key=key, order=order))
    return tuple(placed)


def age(moment: datetime | None) -> Cell:
    """The time since a moment; ``<unknown>`` without one (``translateTimestampSince`` of printers.go)."""
    return _NO_AGE if moment is None else Cell("", moment, "age")


def created_at(moment: datetime | None) -> Cell:
    """The moment itself: the "Created At" column of kinds without a printer of their own (``rest/table.go``)."""
    return Cell(f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else "0001-01-01T00:00:00Z")


COMMON = 4096  # texts that are kept


@lru_cache(maxsize=COMMON)
def common(text: str) -> Cell:
    """The cell of a text that many rows have, such as a status or the name of a node: kept once in memory."""
    return Cell(text)


def or_none(text: str | None) -> Cell:
    """The text, or ``<none>`` when there is none."""
    return Cell(text) if text else NONE


SORTED_LETTERS = 256  # longer than any name


def natural(text: str) -> str:
    """A key that sorts text as people do: ``web-2`` before ``web-10``, upper case like lower case. Of a long text, which
    may be a whole message, the beginning decides."""
    return _DIGITS.sub(_digits, text[:SORTED_LETTERS].lower())


common_key = lru_cache(maxsize=COMMON)(natural)  # of a text that many rows have: kept once in memory


def _digits(run: re.Match[str]) -> str:
    # The count of digits before the digits puts longer (greater) numbers later and still below any letter.
    number = run[0].lstrip("0") or "0"
    return f"{len(number):03}{number}"


@lru_cache(maxsize=COMMON)
def ratio_key(part: int, whole: int) -> SortKey:
    """Orders ``1/3`` before ``3/3`` before ``5/5``; nothing wanted counts as complete."""
    return (part / whole if whole else 1.0, whole)


def age_key(moment: datetime | None) -> float:
    """Orders by age, youngest first, unknown last."""
    return _LAST if moment is None else -moment.timestamp()


def make_row(
    meta: ObjectMeta,
    cells: tuple[Cell, ...],
    sort: tuple[SortKey, ...],
    state: State = "ok",
    reason: str = "",
    *,
    found_by: Iterable[Found] = (),
) -> Row:
    """A row; its search text is the lower-cased namespace, cells, reason, labels and what else it is found by."""
    words = [meta.namespace, reason]
    words += [cell.text for cell in cells if cell.text]
    words += [f"{key}={value}" for key, value in meta.labels.items()]
    words += [text for _, text in found_by if text not in words]
    search, digests = _without_digests("\n".join(words).lower())
    return Row(
        uid=meta.uid,
        namespace=meta.namespace,
        name=meta.name,
        resource_version=meta.resource_version,
        cells=cells,
        state=state,
        reason=reason,
        labels=meta.labels,
        search=search,
        sort=sort,
        codes="\n".join((meta.uid, *digests)) if digests else meta.uid,
    )


def _without_digests(text: str) -> tuple[str, tuple[str, ...]]:
    if "@" not in text:
        return text, ()
    return _DIGEST.sub("", text), tuple(sorted(set(_DIGEST.findall(text))))


def deleted_state(meta: ObjectMeta) -> tuple[State, str]:
    """State and reason of a kind that is always fine, except that it may be on its way out."""
    return ("ok", "") if meta.deletion_timestamp is None else ("info", "being deleted")


def shorten(text: str, limit: int = 100) -> str:
    """One line of at most ``limit`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip(" ,.;:") + "…"


def listed(words: Iterable[str], more: str = "more") -> str:
    """``a``, ``a and b``, ``a, b and c``, ``a, b and 4 more``."""
    names = list(words)
    if len(names) > 3:
        return f"{names[0]}, {names[1]} and {len(names) - 2} {more}"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def plural(count: int, noun: str, plural: str = "") -> str:
    """``1 pod``, ``3 pods``."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def sort_keys(cells: tuple[Cell, ...]) -> tuple[SortKey, ...]:
    """Keys for cells that sort as times, whole numbers or text."""
    return tuple(
        age_key(cell.since) if cell.form == "age" or cell is _NO_AGE else natural(cell.text) for cell in cells
    )
