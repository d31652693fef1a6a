"""The latest changes on the overview."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError
from django.http import QueryDict

from dashboard import render
from dashboard.kinds import KINDS
from dashboard.live.screens import recent, timeline_entries
from dashboard.live.screens.overview import OverviewScreen
from dashboard.live.screens.recent import once, recent_row, together, what_words
from dashboard.live.screens.timeline_entries import TimelineReader
from dashboard.queries.timeline import Timeline, TimelineEntry, TimelineQuery, Watched

from .seen import runtime, session

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
CLUSTER: Any = SimpleNamespace(kinds=KINDS, cluster=SimpleNamespace(slug="tests"))


def moment(type_: str = "changed", name: str = "web", ago: float = 0.0, **more: Any) -> TimelineEntry:
    at = NOW - timedelta(seconds=ago)
    return TimelineEntry(f"{name}-{type_}-{ago}", at, type_, "deployments", "shop", name, **more)


def scaled(**more: Any) -> TimelineEntry:
    return moment(fields=(("spec.replicas", "3", "5"),), **more)


@pytest.mark.parametrize(
    ("fields", "more", "said"),
    [
        ((("spec.replicas", "3", "5"),), 0, "scaled from 3 to 5"),
        ((("spec.template.spec.containers[a].image", "a:1", "a:2"),), 0, "updated to a:2"),
        (
            (("spec.template.spec.containers[a].env[B]", "b: 1", "b: 2"),),
            0,
            "containers[a].env[B]: b: 1 → b: 2",
        ),
        ((("data[A]", "3 bytes", "3 bytes, a different value"),), 0, "data[A] changed"),
        ((("metadata.labels[team]", "", "x"),), 0, "labels[team] set to x"),
        ((("metadata.labels[team]", "x", ""),), 0, "labels[team] removed"),
        ((("a", "1", "2"), ("b", "1", "2")), 3, "a: 1 → 2, and 4 more"),
        ((("metadata.deletionTimestamp", "", "2026-12-01T12:00:00Z"),), 0, "began to terminate"),
    ],
)
def test_the_first_field_is_told_and_how_many_there_are(fields: Any, more: int, said: str) -> None:
    assert what_words(moment(fields=fields, more=more)) == said


def test_what_is_gone_has_no_link() -> None:
    row = recent_row(CLUSTER, moment("deleted"))
    text = render.partial("change", row).html
    assert "<b>web</b>" in text and " deleted" in text and "<a " not in text
    assert (
        'href="/c/tests/deployments/shop/web/"'
        in render.partial("change", recent_row(CLUSTER, scaled())).html
    )


def test_what_was_done_here_is_told_once() -> None:
    done = moment("done", ago=10, title="mara: Scale", words="From 3 to 5 replicas", change=7)
    by_itself, other = scaled(ago=60), scaled(name="api", ago=9)
    told = once([scaled(ago=9), other, done, by_itself])
    assert told == [other, done, by_itself]
    assert what_words(done) == "mara: Scale, From 3 to 5 replicas"


def test_steps_of_an_autoscaler_are_told_as_one() -> None:
    steps = [moment(ago=n, fields=(("spec.replicas", str(before), str(after)),))
             for n, (before, after) in enumerate([(4, 5), (3, 4), (2, 3)])]  # fmt: skip
    other, done = scaled(name="api", ago=1.5), moment("done", ago=1.7, title="mara: Scale")
    one, *rest = together([steps[0], steps[1], other, done, steps[2]])
    assert (one.at, what_words(one)) == (NOW, "scaled from 2 to 5, changed 3 times")
    assert rest == [other, done]
    (back,) = together(
        [moment(fields=(("spec.replicas", "5", "4"),)), moment(ago=1, fields=(("spec.replicas", "4", "5"),))]
    )
    assert what_words(back) == "scaled from 5 to 4, changed 2 times"


def shown(found: Timeline) -> tuple[list[str], str]:
    """The rows of an overview, and what stands where there are none."""
    screen = OverviewScreen(session(runtime()), QueryDict())
    screen.recent._reader.found, screen.recent._reader.known = found, True
    return [part.html for part in screen.recent.rows().values()], screen.recent.none().html


def test_refused_attempts_are_no_changes() -> None:
    refused = moment("done", title="mara: Delete, refused", state="warn")
    rows, _ = shown(Timeline((refused, scaled(ago=5))))
    assert len(rows) == 1 and "scaled from 3 to 5" in rows[0]


def test_there_is_a_bound_to_them() -> None:
    rows, _ = shown(Timeline(tuple(scaled(name=f"web-{n}", ago=n) for n in range(recent.RECENT + 3))))
    assert len(rows) == recent.RECENT


def test_where_nothing_changed_it_is_said_since_when() -> None:
    assert "No changes recorded yet" in shown(Timeline())[1]
    assert "12:00:00" in shown(Timeline(watched=(Watched(NOW, NOW),)))[1]
    assert "11:00:00" in shown(Timeline(older=NOW - timedelta(hours=1), watched=(Watched(NOW, NOW),)))[1]


async def test_without_the_database_the_rest_of_the_page_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    found = runtime()
    found.cluster.name = "tests"
    screen = OverviewScreen(session(found), QueryDict())

    async def away() -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(screen.recent._reader, "read", away)
    await screen.recent.read()
    assert "database does not answer" in screen.recent.none().html


async def test_what_was_read_stays_while_the_database_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = runtime()
    found.cluster.name = "tests"
    reader = TimelineReader(session(found), TimelineQuery(), pace=0)
    reader.found = Timeline((scaled(),))
    told: list[None] = []
    reader._changed = lambda: told.append(None)
    answers = iter([OperationalError("database is locked"), Timeline((scaled(), scaled(ago=5)))])

    def read(*_: Any, **__: Any) -> Timeline:
        if isinstance(answer := next(answers), Exception):
            raise answer
        return answer

    monkeypatch.setattr(timeline_entries, "timeline_read", read)
    monkeypatch.setattr(timeline_entries, "in_database", sync_to_async)
    monkeypatch.setattr(timeline_entries, "own_past", lambda _: NOW)
    found.timeline = SimpleNamespace(context="tests")
    await reader._again()
    assert (len(reader.found.moments), told) == (1, []) and "database is locked" in caplog.text
    await reader._again()
    assert (len(reader.found.moments), told, reader.known) == (2, [None], True)
