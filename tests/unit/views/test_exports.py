"""A list to take away: all columns for scripts, the shown ones for people, and no formula for a spreadsheet."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from dashboard.kinds import KINDS
from dashboard.kinds.base import Cell, Row
from dashboard.queries.lists import Listing, shown_columns
from dashboard.views.exports import export

CONFIGMAPS = KINDS["configmaps"]
AGE = Cell("", datetime.now(UTC) - timedelta(hours=50), "age")


def row(name: str, **labels: str) -> Row:
    cells = (Cell(name), Cell("2"), AGE)
    return Row(f"uid-{name}", "shop", name, "1", cells, "ok", "", labels, "", (name, 2, 0.0))


FOUND = Listing((row("a", app="web"), row("b")), 2, 1, 1, 2)


def test_json_has_every_column_namespace_uid_and_the_shown_labels() -> None:
    shown = shown_columns(CONFIGMAPS, ["age", "label:app"])
    answer = json.loads(export(CONFIGMAPS, FOUND, CONFIGMAPS.columns, shown, "json", "live").content)
    assert (answer["freshness"], answer["total"]) == ("live", 2)
    assert answer["rows"][0] == {
        "name": "a", "data": "2", "age": "2d2h", "label:app": "web", "namespace": "shop", "uid": "uid-a",
    }  # fmt: skip
    assert answer["rows"][1]["label:app"] == "<none>"


def test_csv_and_tsv_have_what_is_shown() -> None:
    shown = shown_columns(CONFIGMAPS, ["namespace", "label:app"])
    answer = export(CONFIGMAPS, FOUND, CONFIGMAPS.columns, shown, "csv", "live")
    assert answer.content.decode() == "name,namespace,label:app\r\na,shop,web\r\nb,shop,<none>\r\n"
    assert answer["Content-Disposition"] == 'attachment; filename="configmaps.csv"'
    usual = export(CONFIGMAPS, FOUND, CONFIGMAPS.columns, shown_columns(CONFIGMAPS), "tsv", "live")
    assert usual.content.decode().splitlines()[0] == "name\tnamespace\tdata\tage"


def test_a_cell_that_begins_like_a_formula_is_made_text() -> None:
    shown = shown_columns(CONFIGMAPS, ["label:app"])
    for text, told in (
        ("=1+1", "'=1+1"),
        ("-1+cmd|'/C calc'!A0", "'-1+cmd|'/C calc'!A0"),
        ("-1", "-1"),
        ("-2.5", "-2.5"),
        ("a-1", "a-1"),
    ):
        found = Listing((row("x", app=text),), 1, 1, 1, 1)
        answer = export(CONFIGMAPS, found, CONFIGMAPS.columns, shown, "csv", "live")
        assert answer.content.decode().splitlines()[1].endswith(f",{told}"), text
