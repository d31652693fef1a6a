"""The overview's head of problems: how many are shown, and how many not."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.http import QueryDict

from dashboard import render
from dashboard.kinds import KINDS
from dashboard.live.screens import overview
from dashboard.live.screens.overview import OverviewScreen
from dashboard.recovery.shelf import Shelf

from . import test_unknown
from .seen import runtime, session


def head(address: str, count: int, shown: int) -> str:
    screen = OverviewScreen(session(runtime()), QueryDict(address))
    return render.region("problems_head", screen._problems_head(count, shown)).html


def test_more_problems_than_a_page_has_are_counted() -> None:
    all_of_them = head("problems=all", 250, 200)
    assert "the 200 worst; 50 more not shown" in all_of_them and "Show all" not in all_of_them
    assert "Show all 250" in head("", 250, 6)
    assert "more not shown" not in head("", 250, 6)


def test_the_overview_of_the_past_does_not_tell_how_old_the_last_backup_is_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shelf = Shelf(configured=True, read_at=datetime.now(UTC))
    monkeypatch.setattr(overview, "shelves", SimpleNamespace(soon=lambda: shelf))
    screen = OverviewScreen(session(runtime()), QueryDict())
    screen.runtime.shown_at = None
    told = screen._backup()
    assert told is not None and told["words"] == "Never backed up"
    screen.runtime.shown_at = datetime.now(UTC)
    assert screen._backup() is None


def test_the_number_of_issues_stands_on_the_page_once() -> None:
    found = test_unknown.cluster(live=frozenset(KINDS))
    waiting = {"name": "app", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 4}
    for number in range(7):
        found.cache.put(
            "pods",
            {
                "metadata": {"name": f"job-{number}"},
                "spec": {"containers": [{"name": "app", "image": f"app-{number}"}]},
                "status": {"phase": "Running", "containerStatuses": [waiting]},
            },
        )
    screen = test_unknown.overview(found)
    screen._wrong = screen._problems(screen.session.reader)
    assert len(screen._wrong) == 7
    text = re.sub(r"<[^>]+>", " ", test_unknown.html(screen))
    assert re.findall(r"\b7 (?!critical)(\w+)", text) == ["issues"], "besides how bad they are"
