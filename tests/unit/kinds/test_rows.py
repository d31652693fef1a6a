"""Rows against the Table rows that an API server made of the same objects (see capture.py)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from dashboard.kinds import KINDS, SECTIONS, by_kind
from dashboard.kinds.base import Cell, cell_text

from .server import differences

FIXTURES = Path(__file__).parent / "fixtures"
Fixture = dict[str, Any]


@cache
def fixture(plural: str) -> Fixture:
    found: Fixture = json.loads((FIXTURES / f"{plural}.json").read_text())
    return found


CASES = [(plural, name) for plural in KINDS for name in fixture(plural)["cases"]]


@pytest.mark.parametrize(("plural", "name"), CASES)
def test_row_equals_the_servers_row(plural: str, name: str) -> None:
    kind, case = KINDS[plural], fixture(plural)["cases"][name]
    raw = json.dumps(case["object"]).encode()
    assert differences(kind, raw, case["cells"], datetime.fromisoformat(case["at"])) == []


@pytest.mark.parametrize("plural", KINDS)
def test_columns_are_those_of_the_server(plural: str) -> None:
    columns = KINDS[plural].columns
    assert [[column.title, column.wide] for column in columns] == fixture(plural)["columns"]
    assert [column.order for column in columns] == list(range(len(columns)))


@pytest.mark.parametrize(("plural", "name"), CASES)
def test_row_is_complete(plural: str, name: str) -> None:
    kind = KINDS[plural]
    row = kind.row(kind.decode_object(json.dumps(fixture(plural)["cases"][name]["object"]).encode()))
    assert row.name == name
    assert row.uid
    assert row.resource_version
    assert row.state in ("ok", "info", "warn", "bad", "done")
    assert len(row.cells) == len(row.sort) == len(kind.columns)
    assert row.search == row.search.lower()
    assert name in row.search
    assert len(row.reason) <= 200
    assert "\n" not in row.reason


@pytest.mark.parametrize("plural", KINDS)
def test_sort_keys_of_a_column_are_comparable(plural: str) -> None:
    kind = KINDS[plural]
    cases = fixture(plural)["cases"].values()
    rows = [kind.row(kind.decode_object(json.dumps(case["object"]).encode())) for case in cases]
    for index in range(len(kind.columns)):
        assert len(sorted(row.sort[index] for row in rows)) == len(rows)


@pytest.mark.parametrize(("plural", "name"), CASES)
def test_detail_is_complete(plural: str, name: str) -> None:
    kind = KINDS[plural]
    detail = kind.detail(kind.decode_object(json.dumps(fixture(plural)["cases"][name]["object"]).encode()))
    assert detail.sentence.strip()
    assert detail.facts
    for fact in detail.facts:
        assert fact.label
        assert fact.value or fact.since or fact.note, fact


@pytest.mark.parametrize("plural", KINDS)
def test_kind_is_described(plural: str) -> None:
    kind = KINDS[plural]
    keys = [column.key for column in kind.columns]
    assert kind.plural == plural
    assert by_kind(kind.kind) is kind
    assert len(set(keys)) == len(keys)
    assert kind.status_column is None or kind.status_column in keys
    assert all(column.help.endswith(".") for column in kind.columns)
    assert kind.explain.endswith(".")
    assert kind in dict(SECTIONS)[kind.section]


def test_keys_follow_the_column_names() -> None:
    assert [column.key for column in KINDS["services"].columns][2:5] == [
        "cluster-ip",
        "external-ip",
        "port-s",
    ]
    assert [column.key for column in KINDS["pods"].columns][7:] == ["nominated-node", "readiness-gates"]


def test_cells_with_a_moment_follow_the_clock() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    later = moment + timedelta(minutes=3)
    assert cell_text(Cell("5", moment, "ago"), later) == "5 (3m ago)"
    assert cell_text(Cell("", moment, "age"), later) == "3m"
    assert cell_text(Cell("5"), later) == "5"
