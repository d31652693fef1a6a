"""Kinds without a module here: what the server's Table says, told in its words, sorted, judged and kept ticking."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from dashboard.kinds.base import GVR, Row, State, cell_text
from dashboard.kinds.tablekinds import Resource, TableKind, TableObject

NOW = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
NAME = {"name": "Name", "type": "string", "format": "name"}
AGE = {"name": "Age", "type": "date"}


def gizmos(now: datetime = NOW) -> TableKind:
    resource = Resource(GVR("example.com", "v1", "gizmos"), "Gizmo", "gizmo", ("gz",))
    return TableKind.of(resource, clock=lambda: now)


def column(name: str, type: str = "string", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type, **more}


def one(cells: list[Any], **meta: Any) -> dict[str, Any]:
    made = {"name": "a", "namespace": "shop", "uid": "u", "resourceVersion": "5"} | meta
    return {"cells": cells, "object": {"metadata": made}}


def table(columns: list[dict[str, Any]] | None, *rows: dict[str, Any]) -> bytes:
    return json.dumps(
        {
            "kind": "Table",
            "metadata": {"resourceVersion": "9"},
            "columnDefinitions": columns,
            "rows": list(rows),
        }
    ).encode()


def read(kind: TableKind, columns: list[dict[str, Any]], *rows: dict[str, Any]) -> list[TableObject]:
    return list(kind.decode_list(table(columns, *rows)).items)


def row(columns: list[dict[str, Any]], *cells: Any, **meta: Any) -> Row:
    kind = gizmos()
    return kind.row(read(kind, columns, one(list(cells), **meta))[0])


def test_a_resource_has_an_address_and_a_title_of_its_own() -> None:
    kind = gizmos()
    assert (kind.plural, kind.title, kind.singular) == ("gizmos.example.com", "Gizmos", "Gizmo")
    titles = {
        "networkpolicies": "NetworkPolicy",
        "gatewayclasses": "GatewayClass",
        "data": "Datum",
        "x": "Other",
    }
    made = [Resource(GVR("g", "v1", plural), kind).title for plural, kind in titles.items()]
    assert made == ["NetworkPolicies", "GatewayClasses", "Data", "Other"]
    assert Resource(GVR("", "v1", "podtemplates"), "PodTemplate").key == "podtemplates"


def test_columns_keep_the_servers_words_and_priority_and_get_keys_by_the_contract() -> None:
    kind = gizmos()
    words = ["Ready To Use", "Size (GB)", "size gb", "Namespace", "UID", "Name", "%"]
    read(kind, [NAME, *(column(name) for name in words[:-1]), column("%", priority=1, description="Share.")])
    assert [each.title for each in kind.columns] == ["Name", *words]
    assert [each.key for each in kind.columns] == [
        "name", "ready-to-use", "size-gb", "size-gb-2", "namespace-2", "uid-2", "name-2", "column",
    ]  # fmt: skip
    assert [each.key for each in kind.columns if each.wide] == ["column"]
    assert kind.columns[-1].help == "Share."


def test_a_path_is_no_explanation() -> None:
    kind = gizmos()
    said = "Custom resource definition column (in JSONPath format): .spec.size"
    read(kind, [NAME, column("Size", description=said)])
    assert kind.columns[1].help == ""


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("words", "words"),
        (3, "3"),
        (True, "true"),
        (False, "false"),
        (None, ""),
        (2.5, "2.5"),
        (-0.5, "-0.5"),
        (0.0001, "0.0001"),
        (1e-7, "1e-07"),
        (1e6, "1e+06"),
        (1234567.5, "1.2345675e+06"),
        (123456.0, "123456"),
    ],
)
def test_cells_are_written_as_kubectl_writes_them(cell: Any, text: str) -> None:
    assert row([NAME, column("X")], "a", cell).cells[1].text == text


def test_an_age_is_the_moment_of_creation_and_another_time_as_near_as_it_was_printed() -> None:
    created = NOW - timedelta(days=5, hours=3, minutes=20)
    columns = [NAME, column("Last Run", "date"), AGE]
    found = row(columns, "a", "2m5s", "5d3h", creationTimestamp=created.isoformat())
    assert found.cells[1].since == NOW - timedelta(seconds=125)
    assert found.cells[2].since == created
    assert [cell_text(cell, NOW) for cell in found.cells] == ["a", "2m5s", "5d3h"]
    assert cell_text(found.cells[2], NOW + timedelta(minutes=45)) == "5d4h"


@pytest.mark.parametrize("text", ["<unknown>", "<invalid>", "2026-07-01T10:00:00Z", ""])
def test_a_time_that_is_no_duration_stays_as_it_is(text: str) -> None:
    assert row([NAME, column("When", "date")], "a", text).cells[1].text == text


def test_kubernetes_own_kinds_print_their_age_as_text_and_it_ticks_too() -> None:
    created = NOW - timedelta(minutes=30)
    found = row([NAME, column("Age")], "a", "30m", creationTimestamp=created.isoformat())
    assert found.cells[1].since == created


@pytest.mark.parametrize(
    "description",
    ["Custom resource definition column (in JSONPath format): .spec.age", "How old the gadget is"],
)
def test_a_custom_column_called_age_is_the_text_that_it_is(description: str) -> None:
    created = NOW - timedelta(minutes=30)
    text = {**column("Age"), "description": description}
    found = row([NAME, text], "a", "5m", creationTimestamp=created.isoformat())
    assert (found.cells[1].text, found.cells[1].since) == ("5m", None)
    theirs = {
        **column("Age"),
        "description": "CreationTimestamp is a timestamp representing the server time when …",
    }
    assert row([NAME, theirs], "a", "30m", creationTimestamp=created.isoformat()).cells[1].since == created
    kind = gizmos()
    (obj,) = read(kind, [NAME, text], one(["a", "5m"]))
    assert ("Age", "5m") in {(fact.label, fact.value) for fact in kind.detail(obj).facts}


def test_a_duration_in_a_column_of_text_is_no_moment() -> None:
    assert row([NAME, column("Timeout")], "a", "30s").cells[1].since is None


@pytest.mark.parametrize(
    ("type", "cells"),
    [
        ("integer", [-1, 2, 10, None]),
        ("number", [0.5, 2, 10.25, None]),
        ("string", ["500Mi", "9Gi", "10Gi", "1Ti", None]),
        ("string", ["100m", "1", "1500m", "2"]),
        ("string", ["0/3", "1/3", "3/3"]),
        ("string", ["1.9", "1.10", "2.0"]),
        ("string", ["web-2", "web-10", ""]),
        ("date", ["10s", "5m", "3d", "<unknown>", None]),
    ],
)
def test_columns_sort_as_kubernetes_counts_and_what_is_missing_comes_last(
    type: str, cells: list[Any]
) -> None:
    kind = gizmos()
    rows = [
        kind.row(each)
        for each in read(kind, [NAME, column("X", type)], *(one(["a", cell]) for cell in cells))
    ]
    ordered = sorted([*rows[1:], *rows[:1]], key=lambda each: each.sort[1])
    assert [each.cells for each in ordered] == [each.cells for each in rows]


@pytest.mark.parametrize(
    ("columns", "cells", "state"),
    [
        (["Ready"], ["True"], "ok"),
        (["Ready"], ["true"], "ok"),
        (["Ready"], ["False"], "warn"),
        (["Ready"], ["Unknown"], "info"),
        (["Ready"], [""], "info"),
        (["Ready"], ["<none>"], "info"),
        (["Ready", "Phase"], ["", "Failed"], "bad"),
        (["Ready", "Phase"], ["", "Running"], "ok"),
        (["Phase"], [""], "ok"),
        (["Ready"], ["1/2"], "warn"),
        (["Ready"], ["2/2"], "ok"),
        (["Ready"], ["2"], "ok"),
        (["ReadyToUse"], ["false"], "info"),
        (["Available"], ["False (MissingEndpoints)"], "warn"),
        (["Phase"], ["Failed"], "bad"),
        (["Phase"], ["Pending"], "info"),
        (["Phase"], ["In Progress"], "info"),
        (["Phase"], ["Completed"], "done"),
        (["Phase"], ["Sideways"], "ok"),
        (["Status"], ["Certificate is up to date"], "ok"),
        (["Sync Status", "Health Status"], ["OutOfSync", "Healthy"], "warn"),
        (["Sync Status", "Health Status"], ["Synced", "Degraded"], "warn"),
        (["Available", "Progressing", "Degraded"], ["True", "False", "False"], "ok"),
        (["Available", "Progressing", "Degraded"], ["True", "True", "False"], "info"),
        (["Available", "Progressing", "Degraded"], ["True", "False", "True"], "warn"),
        (["Suspended", "Enabled", "Failed Jobs"], ["True", "False", "3"], "ok"),
    ],
)
def test_only_words_that_mean_the_same_everywhere_are_judged(
    columns: list[str], cells: list[str], state: State
) -> None:
    assert row([NAME, *map(column, columns)], "a", *cells).state == state


def test_what_is_being_deleted_is_changing() -> None:
    found = row([NAME, column("Ready")], "a", "True", deletionTimestamp=NOW.isoformat())
    assert (found.state, found.reason) == ("info", "being deleted")


def test_what_its_controller_has_not_reported_is_not_known() -> None:
    found = row([NAME, column("Ready")], "a", "")
    assert (found.state, found.reason) == ("info", "Ready is not reported")


def test_the_reason_beside_a_state_is_what_no_column_shows() -> None:
    hidden = [NAME, column("Ready"), column("Status", priority=1)]
    assert row(hidden, "a", "False", "Waiting for a volume").reason == "Waiting for a volume"
    assert row([NAME, column("Ready"), column("Status")], "a", "False", "Waiting for a volume").reason == ""


def test_a_word_without_meaning_stands_without_a_mark() -> None:
    kind = gizmos()
    read(kind, [NAME, column("Phase")])
    assert kind.status_column == "phase"
    assert kind.judges("Active")
    assert not kind.judges("Sideways")
    read(kind, [NAME, column("Flavour")])
    assert kind.status_column is None


def test_a_page_tells_the_columns_the_labels_and_why_it_is_not_fine() -> None:
    kind = gizmos()
    columns = [NAME, column("Ready"), column("Status"), column("Size", "integer"), AGE]
    obj = read(kind, columns, one(["a", "False", "No room", None, "5m"], labels={"app": "web", "tier": "x"}))[
        0
    ]
    detail = kind.detail(obj)
    assert detail.sentence == "Gizmo of the API example.com/v1 – No room."
    facts = {fact.label: fact.value for fact in detail.facts}
    assert facts == {"Ready": "False", "Status": "No room", "Labels": "app=web,tier=x", "Namespace": "shop"}


def test_only_the_first_event_of_a_watch_has_columns() -> None:
    kind = gizmos()
    first = kind.decode_object(table([NAME, column("Size", "integer")], one(["a", 1])))
    second = kind.decode_object(table(None, one(["a", 2], resourceVersion="6")))
    assert [kind.row(each).cells[1].text for each in (first, second)] == ["1", "2"]
    assert first.header is second.header


def test_an_object_read_under_other_columns_is_told_anew_and_meanwhile_by_those_it_knew() -> None:
    kind = gizmos()
    columns = [NAME, column("Size", "integer"), column("Colour")]
    old = read(kind, columns, one(["a", 1, "red"]))[0]
    same = read(kind, columns, one(["a", 1, "red"]))[0]
    assert kind.unchanged(old, same)
    new = read(kind, [NAME, column("Colour"), column("Weight")], one(["a", "red", "7"]))[0]
    assert not kind.unchanged(old, new)
    assert [cell.text for cell in kind.row(old).cells] == ["a", "red", ""]
    assert [cell.text for cell in kind.row(new).cells] == ["a", "red", "7"]


def test_before_the_first_answer_there_are_a_name_and_an_age() -> None:
    assert [each.key for each in gizmos().columns] == ["name", "age"]


def test_an_event_without_a_row_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        gizmos().decode_object(table([NAME]))


def test_fewer_cells_than_columns_leave_blanks() -> None:
    assert [cell.text for cell in row([NAME, column("X"), column("Y")], "a").cells] == ["a", "", ""]


@pytest.mark.parametrize(
    "cell",
    [
        "9" * 400 + "/1", "1" * 5000 + "/1", "1" * 200_000 + "x", "1" * 400, "9" * 30 + "y", "9" * 5000 + "d",
        int("9" * 400), "1/" + "9" * 5000, "1e99",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [("Ready", "string"), ("Since", "date"), ("Size", "integer")])
def test_whatever_a_column_is_given_its_list_is_shown(kind: tuple[str, str], cell: Any) -> None:
    """Its text was taken for a number that no float holds, or tried as one for as long as its length cubed."""
    name, type_ = kind
    found = row([NAME, column(name, type_)], "a", cell)
    assert cell_text(found.cells[1], NOW) == str(cell)
    assert sorted([*found.sort, (0, 1.0), (1, "z")])
