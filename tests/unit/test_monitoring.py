"""The figures for Prometheus, and what is made of them: each that is named is there, with the labels it is asked by."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from django.test import AsyncClient
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.parser import text_string_to_metric_families

from dashboard import metrics
from dashboard.database import in_database
from dashboard.kinds import KINDS
from dashboard.live import figures
from dashboard.live.runtime import ClusterRuntime
from dashboard.metrics import MAX_WORDS, bounded
from dashboard.models import Backup
from tests.faults.scripted import cluster_at

ROOT = Path(__file__).resolve().parent.parent.parent
MONITORING = ROOT / "deploy/monitoring"
NAMED = re.compile(r"\b(?:cluster_ui|process)_\w+")
# Labels that a scrape adds, and that of a histogram's buckets.
SCRAPED = frozenset({"instance", "job", "le"})

pytestmark = pytest.mark.django_db(transaction=True)


class Opened:
    """A runtime with one cluster."""

    def __init__(self, cluster: ClusterRuntime) -> None:
        self.cluster = cluster

    def opened(self) -> tuple[ClusterRuntime, ...]:
        return (self.cluster,)


def a_failed_and_a_good_backup() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    for state in ("verified", "failed"):
        Backup.objects.create(
            context="test", state=state, by="x", url="", began_at=at, ended_at=at, verified_at=at
        )


@pytest.fixture
async def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """The labels of every figure in the output of /metrics, by the names that PromQL knows; one cluster is watched."""
    cluster = ClusterRuntime(cluster_at(tmp_path, "http://127.0.0.1:1"))
    monkeypatch.setattr(figures, "runtime", Opened(cluster))
    await in_database(a_failed_and_a_good_backup)()
    with cluster.lease(["pods"]):
        metrics.WATCH_EVENTS.labels("test", "pods").inc()
        metrics.API_REQUESTS.labels("test", "list", 200).inc()
        metrics.ACTIONS.labels("scale", "done").inc()
        metrics.REQUEST_SECONDS.labels("home", 200).observe(0.1)
        answer = await AsyncClient().get("/metrics", headers={"Accept": CONTENT_TYPE_LATEST})
    await cluster.close()
    assert answer.status_code == 200
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(answer.content.decode()):
        if family.type == "gauge":  # also one that nothing was said of yet
            found.setdefault(family.name, set())
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression of the rules and of the dashboard, with where it stands."""
    for group in yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    board = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


async def test_every_figure_that_is_named_is_there_with_its_labels(told: dict[str, set[str]]) -> None:
    places = dict(expressions())
    assert len(places) > 20
    for place, expression in expressions():
        names = NAMED.findall(expression)
        assert names and set(names) <= told.keys(), (place, expression)
        labels = set().union(*(told[name] for name in names)) | SCRAPED
        asked = {
            word.strip() for words in re.findall(r"\bby \(([^)]*)\)", expression) for word in words.split(",")
        } | set(re.findall(r"[{,]\s*(\w+)\s*=", expression))
        assert asked <= labels, (place, asked - labels)
        for pair in ("()", "{}", "[]"):
            assert expression.count(pair[0]) == expression.count(pair[1]), (place, expression)
        if "_total" in expression or "_bucket" in expression or "_count" in expression:
            assert re.search(r"\b(?:rate|increase)\(", expression), (
                place,
                "a counter says something by its rate",
            )


async def test_the_page_about_them_names_each_of_ours(told: dict[str, set[str]]) -> None:
    text = (ROOT / "docs/monitoring.md").read_text()
    ours = {name for name in told if name.startswith("cluster_ui_") and not name.endswith("_created")}
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in ours}
    assert {name for name in families if f"`{name}`" not in text} == set()
    assert set(NAMED.findall(text)) - {"cluster_ui_"} <= families | told.keys()


def test_each_alert_says_what_is_wrong_and_what_to_do() -> None:
    for group in yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]:
        names = [rule["alert"] for rule in group["rules"]]
        assert len(names) == len(set(names))
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("warning", "critical")
            assert len(rule["annotations"]["description"]) > 40 and rule["annotations"]["summary"]


def test_panels_do_not_lie_on_one_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads((MONITORING / "grafana-dashboard.json").read_text())["panels"]:
        at: dict[str, Any] = panel["gridPos"]
        cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
        assert not cells & taken and max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells


def test_what_somebody_may_choose_makes_no_more_labels_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_words", set())
    words = {bounded(f"word {number}") for number in range(MAX_WORDS + 100)}
    assert len(words) == MAX_WORDS + 1 and "other" in words
    assert bounded("word 1") == "word 1"


def test_the_size_of_an_object_is_that_of_all_it_holds() -> None:
    pod = {"metadata": {"name": "web", "labels": {"a": "x" * 10_000}}, "spec": {"nodeName": "y" * 5_000}}
    small = msgspec.convert({"metadata": {"name": "web"}, "spec": {}}, KINDS["pods"].type)
    large = msgspec.convert(pod, KINDS["pods"].type)
    grown = figures.size_of(large) - figures.size_of(small)
    assert 15_000 < grown < 17_000
    assert figures.size_of([large, large]) < figures.size_of(large) + 200, "what is there twice counts once"
