"""The tables of the object's kind, such as the rules of a Role."""

from __future__ import annotations

from typing import Any

from dashboard import render
from dashboard.kinds.base import Detail, Table
from dashboard.live.snapshot import Snapshot

from ..piece import Card
from .part import cut, first_of, url_of


class TablesCard(Card):
    main = "cards/tables.html"

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        tables = [self._table(each) for each in detail.tables]
        return Snapshot(regions={"tables": render.region("tables", {"tables": tables})})

    def _table(self, table: Table) -> dict[str, Any]:
        heads = [head.lower() for head in table.columns]
        shown, rest = first_of(self.screen, table.rows)
        rows = [
            [
                {
                    "text": cut(entry.text),
                    "note": cut(entry.note),
                    "url": url_of(self.screen, entry.link),
                    "head": head,
                }
                for head, entry in zip(heads, row, strict=True)
            ]
            for row in shown
        ]
        region = {"title": table.title, "columns": list(table.columns), "rows": rows, "empty": table.empty}
        return region | rest
