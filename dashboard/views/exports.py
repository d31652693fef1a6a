"""A list to take away: JSON, CSV and TSV, in kubectl's words."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.http import HttpResponse

from dashboard.kinds.base import Column, Kind, cell_text
from dashboard.queries.lists import Listing, cell, label_of

_NUMBER = re.compile(r"-[0-9]+(\.[0-9]+)?")
Columns = tuple[Column, ...]
TYPES = {"csv": "text/csv; charset=utf-8", "tsv": "text/tab-separated-values; charset=utf-8"}


def export(
    kind: Kind[Any], found: Listing, columns: Columns, shown: Columns, form: str, fresh: str
) -> HttpResponse:
    """``form`` json has every column of the kind, whatever is shown, and the shown labels; csv and tsv what is shown."""
    rows = _rows(found, columns, [column for column in shown if label_of(column.key) is not None])
    if form == "json":
        answer = {"freshness": fresh, "total": found.total, "rows": list(rows)}
        return HttpResponse(msgspec.json.encode(answer), content_type="application/json")
    keys = [column.key for column in shown]
    writer = csv.writer(_Echo(), delimiter="," if form == "csv" else "\t", lineterminator="\r\n")
    lines = [writer.writerow(keys)]
    lines += (writer.writerow([_no_formula(row[key]) for key in keys]) for row in rows)
    response = HttpResponse("".join(lines), content_type=TYPES[form])
    response["Content-Disposition"] = f'attachment; filename="{kind.plural}.{form}"'
    return response


def _rows(found: Listing, columns: Columns, labels: list[Column]) -> Iterator[dict[str, str]]:
    """By column key, with ``namespace``, ``uid`` and the labels besides."""
    now = datetime.now(UTC)
    keys = [column.key for column in columns]
    for row in found.rows:
        told = {key: cell_text(each, now) for key, each in zip(keys, row.cells, strict=True)}
        for column in labels:
            told[column.key] = cell(row, column).text
        told["namespace"], told["uid"] = row.namespace, row.uid
        yield told


class _Echo:
    def write(self, value: str) -> str:
        return value


def _no_formula(text: str) -> str:
    """A spreadsheet runs a cell that begins like a formula; names and labels come from whoever may create objects."""
    begins = text.startswith(("=", "+", "-", "@", "\t", "\r")) and not _NUMBER.fullmatch(text)
    return f"'{text}" if begins else text
