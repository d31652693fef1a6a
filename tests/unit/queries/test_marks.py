"""The marks on the line of the past: what somebody changed and rolled out, and when problems began and ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dashboard.models import TimelineEvent
from dashboard.queries import marks
from dashboard.queries.access import Visible
from dashboard.queries.marks import Mark, change_words, marks_read, problem_marks
from dashboard.queries.problemspans import Wrong
from tests.unit.live.seen import everything, nothing

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
IMAGE = ["spec.template.spec.containers[web].image", "shop/web:1", "shop/web:2"]


def at(minute: float) -> datetime:
    return NOW + timedelta(minutes=minute)


def event(minute: float, type_: str, plural: str, name: str, *fields: list[str], **more: Any) -> None:
    about = {"context": "prod", "namespace": "shop"} | more
    TimelineEvent.objects.create(
        key=f"{plural}-{name}-{minute}", at=at(minute), type=type_, plural=plural, name=name,
        what={"fields": fields}, **about,
    )  # fmt: skip


def told(until: float = 60, **less: Visible) -> list[tuple[str, str, str]]:
    return [
        (each.sort, each.name, each.words) for each in marks_read("prod", NOW, at(until), everything(**less))
    ]


@pytest.mark.django_db
def test_what_somebody_asked_for_is_marked_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    event(5, "changed", "deployments", "web", IMAGE)
    event(1, "added", "configmaps", "settings")
    event(9, "deleted", "configmaps", "ledger", namespace="bank")
    event(2, "changed", "deployments", "scaled", ["spec.replicas", "2", "3"])
    # Neither what a controller did, nor reports, nor another cluster, nor another time.
    event(3, "changed", "pods", "web-1", ["metadata.labels[a]", "1", "2"], owner_plural="deployments")
    event(4, "changed", "pods", "web-1", ["status.phase", "Pending", "Running"], notable=False)
    event(3, "event", "pods", "web-2")
    event(3, "added", "configmaps", "elsewhere", context="dev")
    event(0, "added", "configmaps", "before")
    event(61, "added", "configmaps", "after")
    whole = [
        ("change", "settings", "created"), ("change", "scaled", "scaled from 2 to 3"),
        ("deployment", "web", "updated to web:2"), ("change", "ledger", "deleted"),
    ]  # fmt: skip
    assert told() == whole
    assert told(5) == whole[:3]
    assert told(configmaps=Visible(frozenset({"shop"}))) == whole[:3]
    assert told(configmaps=nothing("configmaps")) == whole[1:3]
    monkeypatch.setattr(marks, "MAX_MARKS", 2)
    assert told() == whole[2:], "the newest"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ([["spec.replicas", "", "0"]], "scaled from 1 to 0"),
        ([["spec.replicas", "3", ""]], "scaled from 3 to 1"),
        ([["spec.template.metadata.annotations[a]", "", "1"]], "rolled out"),
        ([["metadata.labels[a]", "1", "2"]], "changed: metadata.labels[a]"),
        ([["spec.a", "1", "2"], ["spec.b", "1", "2"], ["spec.c", "1", "2"]], "changed: spec.a and 2 more"),
        ([["spec.a", "1", "2"], IMAGE], "updated to web:2"),
        ([["spec.template.spec.containers[b].image", "b:1", ""]], "rolled out"),
        ([["spec.template.metadata.annotations[kubectl.kubernetes.io/restartedAt]", "", "now"]], "restarted"),
        ([], "changed"),
    ],
)
def test_a_change_is_told_as_one_says_it(fields: list[list[str]], words: str) -> None:
    assert change_words(fields) == words


def test_a_problem_is_marked_where_it_began_and_where_it_ended() -> None:
    def wrong(since: float, until: float | None, text: str = "It fails.") -> Wrong:
        return Wrong(at(since), None if until is None else at(until), "bad", "pods", "shop", "web", text)

    about = "pods", "shop", "web"
    assert problem_marks([wrong(5, 10)], NOW, at(60)) == [
        Mark(at(5), "problem", *about, "It fails."), Mark(at(10), "resolved", *about, "is well again"),
    ]  # fmt: skip
    assert [each.sort for each in problem_marks([wrong(-5, 10), wrong(5, 70)], NOW, at(60))] == [
        "resolved",
        "problem",
    ]
    assert problem_marks([wrong(-5, 70), wrong(-5, None)], NOW, at(60)) == []
    assert [each.words for each in problem_marks([wrong(5, None, "")], NOW, at(60))] == ["has a problem"]
