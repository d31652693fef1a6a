"""A list to take away: all columns for scripts, the shown ones for people, and no formula for a spreadsheet."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import cast

import pytest
from django.http import StreamingHttpResponse

from dashboard import showing
from dashboard.kinds import KINDS
from dashboard.kinds.base import Cell, Row
from dashboard.kinds.usage import Use
from dashboard.queries.lists import Listing, shown_columns
from dashboard.views import exports


async def always(*_: object) -> bool:
    return True


export = partial(exports.export, may=always)


async def text_of(answer: StreamingHttpResponse) -> str:
    pieces = cast(AsyncIterator[bytes], answer.streaming_content)
    return b"".join([piece async for piece in pieces]).decode()


CONFIGMAPS = KINDS["configmaps"]
AGE = Cell("", datetime.now(UTC) - timedelta(hours=50), "age")


def row(name: str, **labels: str) -> Row:
    cells = (Cell(name), Cell("2"), AGE)
    return Row(f"uid-{name}", "shop", name, "1", cells, "ok", "", labels, "", (name, 2, 0.0))


FOUND = Listing((row("a", app="web"), row("b")), 2, 1, 1, 2)


async def test_json_has_every_column_namespace_uid_and_the_shown_labels() -> None:
    shown = shown_columns(CONFIGMAPS, ["age", "label:app"])
    answer = json.loads(await text_of(export(CONFIGMAPS, FOUND, CONFIGMAPS.columns, shown, "json", "live")))
    assert (answer["freshness"], answer["total"]) == ("live", 2)
    assert answer["rows"][0] == {
        "name": "a", "data": "2", "age": "2d2h", "label:app": "web", "namespace": "shop", "uid": "uid-a",
    }  # fmt: skip
    assert answer["rows"][1]["label:app"] == "<none>"


async def test_json_of_the_past_names_the_moment() -> None:
    with showing.at(datetime(2026, 11, 28, 9, 42, tzinfo=UTC)):
        made = export(CONFIGMAPS, FOUND, CONFIGMAPS.columns, shown_columns(CONFIGMAPS), "json", "past")
    answer = json.loads(await text_of(made))
    assert (answer["freshness"], answer["at"]) == ("past", "2026-11-28T09:42:00Z")
    now = export(CONFIGMAPS, FOUND, CONFIGMAPS.columns, shown_columns(CONFIGMAPS), "json", "live")
    assert "at" not in json.loads(await text_of(now))


async def test_csv_and_tsv_have_what_is_shown() -> None:
    shown = shown_columns(CONFIGMAPS, ["namespace", "label:app"])
    answer = export(CONFIGMAPS, FOUND, CONFIGMAPS.columns, shown, "csv", "live")
    assert (await text_of(answer)) == "name,namespace,label:app\r\na,shop,web\r\nb,shop,<none>\r\n"
    assert answer["Content-Disposition"] == 'attachment; filename="configmaps.csv"'
    usual = export(CONFIGMAPS, FOUND, CONFIGMAPS.columns, shown_columns(CONFIGMAPS), "tsv", "live")
    assert (await text_of(usual)).splitlines()[0] == "name\tnamespace\tdata\tage"


async def test_csv_has_what_a_spreadsheet_computes_with_and_json_has_kubectls_words() -> None:
    """A pod's restarts as a number, its age as a time stamp, what it uses in cores and bytes."""
    pods, now = KINDS["pods"], datetime.now(UTC)
    known = {"name": Cell("web"), "restarts": Cell("5", now - timedelta(minutes=3), "ago")}
    known["age"] = Cell("", datetime(2026, 1, 31, 12, tzinfo=UTC), "age")
    cells = tuple(known.get(column.key, Cell("<none>")) for column in pods.columns)
    web = Row("uid-web", "shop", "web", "1", cells, "ok", "", {}, "", ())
    found = Listing((web,), 1, 1, 1, 1)
    shown = shown_columns(pods, ["restarts", "cpu", "memory", "age"], measured=True)

    def measured(row: Row) -> Use:
        assert row is web
        return Use(0.0125, 34 * 2**20)

    answer = export(pods, found, pods.columns, shown, "csv", "live", measure=measured)
    assert (await text_of(answer)).splitlines() == [
        "name,restarts,age,cpu,memory",
        "web,5,2026-01-31T12:00:00Z,0.013,35651584",
    ]
    unmeasured = export(pods, found, pods.columns, shown, "tsv", "live")
    assert (await text_of(unmeasured)).splitlines()[1] == "web\t5\t2026-01-31T12:00:00Z\t\t"
    (told,) = json.loads(await text_of(export(pods, found, pods.columns, shown, "json", "live")))["rows"]
    assert told["restarts"] == "5 (3m ago)"


@pytest.mark.parametrize("ended", [True, False])
async def test_how_long_a_job_ran_is_a_number_of_seconds(ended: bool) -> None:
    jobs, began = KINDS["jobs"], datetime.now(UTC) - timedelta(seconds=3725)
    took = Cell("62m", began, "took", began + timedelta(seconds=3725) if ended else None)
    cells = tuple(took if column.key == "duration" else Cell("x") for column in jobs.columns)
    found = Listing((Row("uid", "shop", "load", "1", cells, "done", "", {}, "", ()),), 1, 1, 1, 1)
    answer = export(jobs, found, jobs.columns, shown_columns(jobs, ["duration"]), "csv", "live")
    assert int((await text_of(answer)).splitlines()[1].split(",")[1]) in range(3725, 3785)


async def test_a_cell_that_begins_like_a_formula_is_made_text() -> None:
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
        assert (await text_of(answer)).splitlines()[1].endswith(f",{told}"), text


@pytest.mark.parametrize("form", ["json", "csv"])
async def test_many_rows_come_in_pieces(form: str) -> None:
    found = Listing(tuple(row(f"r{number}") for number in range(1300)), 1300, 1, 1, 1300)
    answer = export(CONFIGMAPS, found, CONFIGMAPS.columns, shown_columns(CONFIGMAPS), form, "live")
    pieces = [piece async for piece in cast(AsyncIterator[bytes], answer.streaming_content)]
    assert len(pieces) == 3 and max(map(len, pieces)) < 0.5 * sum(map(len, pieces))
    whole = b"".join(pieces).decode()
    count = len(json.loads(whole)["rows"]) if form == "json" else len(whole.splitlines()) - 1
    assert count == 1300


async def test_no_rows_are_a_file_too() -> None:
    nothing = Listing((), 0, 1, 1, 0)
    shown = shown_columns(CONFIGMAPS)
    answer = export(CONFIGMAPS, nothing, CONFIGMAPS.columns, shown, "json", "live", known=False)
    assert json.loads(await text_of(answer)) == {"freshness": "live", "total": None, "rows": []}
