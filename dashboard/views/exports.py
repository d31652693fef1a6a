"""A list to take away: JSON in kubectl's words, CSV and TSV in what a spreadsheet computes with."""

from __future__ import annotations

import csv
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime
from itertools import chain, islice
from typing import Any

import msgspec

from dashboard import showing
from dashboard.kinds.base import Column, Kind, Row, cell_text, cell_value
from dashboard.kinds.legible import legible
from dashboard.live.screens.common import iso
from dashboard.loop import off_loop
from dashboard.queries.lists import MEASURED, Listing, Measure, cell, label_of

from .sending import Allowance, SentFile

# With the wide forms that some spreadsheets take for the same.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"-[0-9]+(\.[0-9]+)?")
Columns = tuple[Column, ...]
TYPES = {"csv": "text/csv; charset=utf-8", "tsv": "text/tab-separated-values; charset=utf-8"}


ROWS = 500  # made at a time, in some milliseconds


def export(
    kind: Kind[Any],
    found: Listing,
    columns: Columns,
    shown: Columns,
    form: str,
    fresh: str,
    *,
    known: bool = True,
    measure: Measure = lambda _: None,
    may: Allowance,
) -> SentFile:
    """``form`` json has every column of the kind, whatever is shown, and the shown labels; csv and tsv what is shown,
    with times as time stamps (UTC), durations in seconds, CPU in cores and memory in bytes. Of what is not known to its
    end there is no total. It is made while it is read: whatever the number of rows, some hundred are held as text.
    ``may``: whether it may be sent on.
    """
    now = showing.now()
    if form == "json":
        head: dict[str, Any] = {"freshness": fresh}
        if (moment := showing.moment()) is not None:
            head["at"] = iso(moment)
        head["total"] = found.total if known else None
        labels = [column for column in shown if label_of(column.key) is not None]
        pieces = _json(head, _rows(found, columns, labels, now))
        return SentFile(_in_a_thread(pieces), may=may, content_type="application/json")
    keys = [column.key for column in shown]
    lines = table_lines(chain([keys], _values(kind, found.rows, shown, measure, now)), form)
    response = SentFile(_in_a_thread(lines), may=may, content_type=TYPES[form])
    response["Content-Disposition"] = f'attachment; filename="{kind.plural}.{form}"'
    return response


def table_lines(rows: Iterable[Iterable[str]], form: str) -> Iterator[bytes]:
    """The lines of a CSV or TSV file, in which nothing is a formula."""
    writer = csv.writer(_Echo(), delimiter="," if form == "csv" else "\t", lineterminator="\r\n")
    for row in rows:
        yield writer.writerow([_no_formula(legible(text)) for text in row]).encode()


async def _in_a_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """So many at a time: pages and frames go on meanwhile."""
    while piece := await off_loop(_joined, pieces):
        yield piece


def _joined(pieces: Iterator[bytes]) -> bytes:
    return b"".join(islice(pieces, ROWS))


def _json(head: dict[str, Any], rows: Iterable[dict[str, str]]) -> Iterator[bytes]:
    yield msgspec.json.encode(head)[:-1] + b',"rows":['
    comma = b""
    for row in rows:
        yield comma + msgspec.json.encode(row)
        comma = b","
    yield b"]}"


def _rows(found: Listing, columns: Columns, labels: list[Column], now: datetime) -> Iterator[dict[str, str]]:
    """By column key, with ``namespace``, ``uid`` and the labels besides."""
    keys = [column.key for column in columns]
    for row in found.rows:
        told = {key: cell_text(each, now) for key, each in zip(keys, row.cells, strict=True)}
        for column in labels:
            told[column.key] = cell(row, column).text
        told["namespace"], told["uid"] = row.namespace, row.uid
        yield told


def _values(
    kind: Kind[Any], rows: Iterable[Row], shown: Columns, measure: Measure, now: datetime
) -> Iterator[list[str]]:
    measured = MEASURED.get(kind.plural, ())
    for row in rows:
        use = measure(row) if measured else None
        uses = {} if use is None else {"cpu": f"{use.cpu:.3f}", "memory": f"{use.memory:.0f}"}
        yield [
            uses.get(column.key, "") if column in measured else cell_value(cell(row, column), now)
            for column in shown
        ]


class _Echo:
    def write(self, value: str) -> str:
        return value


def _no_formula(text: str) -> str:
    """A spreadsheet runs a cell that begins like a formula; names and labels come from whoever may create objects."""
    begins = text.startswith(_FORMULAS) and not _NUMBER.fullmatch(text)
    return f"'{text}" if begins else text
