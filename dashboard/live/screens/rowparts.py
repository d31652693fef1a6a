"""Rows of tables as parts of a screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dashboard import render
from dashboard.kinds.base import Cell, Column, Kind, Row
from dashboard.live.runtime import ClusterRuntime
from dashboard.queries.lists import MEASURED, cell, label_of
from dashboard.queries.reader import JUDGED_BY

from .common import iso, name_parts, object_url
from .measured import Measured

MAX_CELL = 500  # letters: a custom column may hold whatever its object does


class RowParts:
    """The rows of one table. A row that is as it was at the last showing is the same part: a showing costs what has
    changed, not how many rows there are.
    """

    def __init__(self, runtime: ClusterRuntime, plural: str, measured: Measured) -> None:
        self._runtime = runtime
        self._plural = plural
        self._measured = measured
        self._columns: tuple[Column, ...] = ()
        self._shown: dict[str, _Shown] = {}

    def of(self, rows: Iterable[Row], columns: Sequence[Column]) -> dict[str, render.Part]:
        """The parts of the rows to show now, in order, by their elements' ids."""
        if self._columns != (columns := tuple(columns)):
            self._columns, self._shown = columns, {}
        self._shown = {row.uid: self._show(row) for row in rows}
        return {f"row-{uid}": shown.part for uid, shown in self._shown.items()}

    def _show(self, row: Row) -> _Shown:
        texts = self._measured.texts(row)
        kept = self._shown.get(row.uid)
        if kept is not None and kept.row is row and kept.texts == texts:
            return kept
        return _Shown(row, texts, row_part(self._runtime, self._plural, row, self._columns, texts))


class _Shown(NamedTuple):
    row: Row
    texts: Mapping[str, str]
    part: render.Part


def row_part(
    runtime: ClusterRuntime,
    plural: str,
    row: Row,
    columns: Sequence[Column],
    measured: Mapping[str, str] = {},
) -> render.Part:
    """A list's row. Its facts are the row itself: made once per version of the object.

    ``measured`` cells, by column, are no facts: they change all the time, and come by themselves.
    """
    labels = [row.labels.get(label) for column in columns if (label := label_of(column.key)) is not None]
    return render.table_row(
        lambda: row_context(runtime, plural, row, columns, measured),
        (row.uid, row.cells, row.state, row.reason, [column.key for column in columns], labels),
    )


def row_context(
    runtime: ClusterRuntime,
    plural: str,
    row: Row,
    columns: Sequence[Column],
    measured: Mapping[str, str] = {},
) -> dict[str, Any]:
    head, tail = name_parts(plural, row.name)
    # Where the state is judged from other objects, it stands beside the name: no cell of its own says it.
    kind = runtime.kinds[plural]
    status = None if plural in JUDGED_BY else kind.status_column
    cells = []
    for column in columns:
        quiet = column in MEASURED.get(plural, ())
        at = Cell(measured.get(column.key, "")) if quiet else cell(row, column)
        on_node = column.key == "node" and at.text != "<none>"
        cells.append(
            {
                "key": column.key,
                "text": at.text if len(at.text) <= MAX_CELL else f"{at.text[:MAX_CELL]}…",
                "form": at.form,
                "since": at.since,
                "until": at.until,
                "hint": hint(at.text) if (hint := kind.hints.get(column.key)) else "",
                "num": column.num,
                "quiet": quiet,
                "wide": column.wide,
                "kind": _cell_kind(kind, column.key, at.text, status, row.state),
                "url": object_url(runtime, "nodes", "", at.text)
                if on_node
                else _involved_url(runtime, row.namespace, at.text)
                if (plural, column.key) == ("events", "object")
                else "",
            }
        )
    return {
        "id": f"row-{row.uid}",
        "uid": row.uid,
        "namespace": row.namespace,
        "namespaced": kind.gvr.namespaced,
        "name": row.name,
        "head": head,
        "tail": tail,
        "url": object_url(runtime, plural, row.namespace, row.name),
        "state": row.state,
        "reason": row.reason,
        # Not among the facts that are hashed: it tells of them.
        "changed": iso(runtime.timeline.changed_at(row.uid)),
        "has_status": status is not None,
        "cells": cells,
    }


def _cell_kind(kind: Kind[Any], key: str, text: str, status: str | None, state: str) -> str:
    """What a cell is. A status word that means nothing here stands without a mark, unless the row has one to show."""
    if key == "name":
        return "name"
    return "status" if key == status and (state != "ok" or kind.judges(text)) else "text"


def _involved_url(runtime: ClusterRuntime, namespace: str, words: str) -> str:
    """The page of what an Event is about, out of kubectl's ``pod/web-1``; "" where this program has none."""
    kind, _, name = words.partition("/")
    found = next((each for each in runtime.kinds.values() if each.kind.lower() == kind), None)
    if found is None or not name:
        return ""
    return object_url(runtime, found.plural, namespace if found.gvr.namespaced else "", name)
