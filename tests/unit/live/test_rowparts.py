"""The rows of a table: what has not changed is neither hashed nor rendered anew."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dashboard import render
from dashboard.kinds import KINDS
from dashboard.kinds.base import Row
from dashboard.live.screens.rowparts import RowParts
from dashboard.queries.lists import measured_columns

from .seen import runtime

COLUMNS = KINDS["pods"].columns


class Uses:
    """What is measured of pods, by name."""

    def __init__(self) -> None:
        self.cpu: dict[str, str] = {}

    def texts(self, row: Row) -> dict[str, str]:
        return {"cpu": self.cpu.get(row.name, "1m"), "memory": "1Mi"}


class Table:
    """Three pods in a table, and how often one was hashed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runtime = runtime()
        self.runtime.timeline = SimpleNamespace(changed_at=lambda uid: None)
        self.uses: Any = Uses()
        self.rows = RowParts(self.runtime, "pods", self.uses)
        self.hashed = 0
        hash_of = render.facts_hash

        def counted(facts: object) -> str:
            self.hashed += 1
            return hash_of(facts)

        monkeypatch.setattr(render, "facts_hash", counted)
        for name in ("a", "b", "c"):
            self.put(name)

    def put(self, name: str, phase: str = "Running") -> None:
        manifest = {"metadata": {"name": name}, "spec": {}, "status": {"phase": phase}}
        self.runtime.cache.put("pods", manifest)

    def show(self, columns: Any = COLUMNS) -> dict[str, render.Part]:
        rows = sorted(self.runtime.reader.rows("pods"), key=lambda row: row.name)
        self.hashed = 0
        return self.rows.of(rows, columns)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    return Table(monkeypatch)


def test_a_showing_costs_the_rows_that_have_changed(table: Table) -> None:
    before = table.show()
    assert (list(before), table.hashed) == (["row-pods-a", "row-pods-b", "row-pods-c"], 3)
    again = table.show()
    assert table.hashed == 0
    assert all(again[key] is part for key, part in before.items())
    table.put("b", "Failed")
    after = table.show()
    assert table.hashed == 1
    assert after["row-pods-b"].hash != before["row-pods-b"].hash
    assert "Failed" in after["row-pods-b"].html
    assert after["row-pods-a"] is before["row-pods-a"]


def test_a_row_whose_measures_have_changed_is_sent_with_them_to_who_has_it_not(table: Table) -> None:
    columns = measured_columns(KINDS["pods"], COLUMNS)
    before = table.show(columns)["row-pods-a"]
    assert ">1m<" in before.html
    table.uses.cpu["a"] = "7m"
    after = table.show(columns)["row-pods-a"]
    assert after.hash == before.hash
    assert ">7m<" in after.html


def test_other_columns_are_other_rows(table: Table) -> None:
    before = table.show()
    after = table.show(COLUMNS[:2])
    assert table.hashed == 3
    assert after["row-pods-a"].hash != before["row-pods-a"].hash
    assert after["row-pods-a"].html.count("data-col") == 2


def test_what_nobody_is_sent_is_not_rendered(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> str:
        raise AssertionError("nobody asked")

    monkeypatch.setattr(render, "row_html", never)
    assert len(table.show()) == 3
