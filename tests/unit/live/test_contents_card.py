"""The card of what is in a namespace: counts with their states, what holds for all of it, and what is not known."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from django.http import QueryDict

from dashboard.kinds import KINDS
from dashboard.live.screens.detail import DetailScreen
from dashboard.live.screens.detail.cards.contents import ContentsCard
from dashboard.queries.access import Visible
from dashboard.queries.counts import Count
from tests.unit.insight.world import pod

from .seen import everything, nothing, runtime, sees, session


class Counted:
    """Of a custom kind there are two in shop, and five elsewhere."""

    def of(self, plural: str, namespaces: frozenset[str]) -> Count:
        return Count(2 if namespaces == {"shop"} else 5)


@pytest.fixture
def found() -> Any:
    made = runtime()
    widgets = SimpleNamespace(
        plural="widgets.example.com",
        title="Widgets",
        gvr=SimpleNamespace(namespaced=True, group="example.com"),
    )
    made.kinds = type("Kinds", (dict,), {"served": (widgets,)})(KINDS)
    made.counts = Counted()
    away = {"metadata": {"name": "other", "namespace": "away"}}
    made.cache.put("configmaps", {"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}, away)
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    made.cache.put(
        "pods", pod("web", owner=None), pod("db", owner=None, state=waiting, ready=False, restarts=9)
    )
    return made


def shown(found: Any, labels: dict[str, str] | None = None, **visible: Visible) -> str:
    one = {"metadata": {"name": "shop", "uid": "ns", "labels": labels or {}}}
    screen = DetailScreen(session(found), QueryDict(), "namespaces", "", "shop")
    sees(screen, everything(**visible))
    namespace = KINDS["namespaces"].decode_object(json.dumps(one).encode())
    detail: Any = None
    return ContentsCard(screen).show(namespace, detail).regions["contents"].html


def test_what_is_there_is_counted_and_led_to_and_nothing_of_elsewhere(found: Any) -> None:
    html = shown(found)
    assert 'href="/c/tests/configmaps/?namespace=shop">ConfigMaps <b>2</b>' in html
    assert 'href="/c/tests/widgets.example.com/?namespace=shop">Widgets <b>2</b>' in html
    assert "Services" not in html, "of what there is none, nothing is said"
    assert "Who may do what here" in html and "/c/tests/access/?namespace=shop" in html


def test_what_is_wrong_is_marked_at_its_kind_and_above(found: Any) -> None:
    html = shown(found)
    head, _, rest = html.partition("<dl")
    assert "What is wrong here" in head and "/c/tests/?namespace=shop" in head and "1" in head
    assert "critical" in rest.partition("Pods")[2].partition("</a>")[0]
    found.cache.remove("pods", "shop", "db")
    assert "What is wrong here" not in shown(found)


def test_what_holds_for_all_of_it_is_told_also_where_it_is_missing(found: Any) -> None:
    html = shown(found)
    assert "No NetworkPolicy: its pods can be reached" in " ".join(html.split())
    assert "No LimitRange" in html and "no level is enforced" in html
    found.cache.put("networkpolicies", {"metadata": {"name": "deny"}, "spec": {"podSelector": {}}})
    found.cache.put(
        "limitranges", {"metadata": {"name": "small"}, "spec": {"limits": [{"type": "Container"}]}}
    )
    html = shown(found, {"pod-security.kubernetes.io/enforce": "restricted"})
    for said in ("guards every pod", "limits each container", "restricted is enforced"):
        assert said in html


def test_what_may_not_be_listed_is_said_to_be_so_and_never_to_be_missing(found: Any) -> None:
    html = shown(found, networkpolicies=nothing("networkpolicies"), configmaps=nothing("configmaps"))
    assert "You may not list NetworkPolicies here." in html and "No NetworkPolicy" not in html
    assert (
        "Not counted, as you may not list them: " in html
        and "ConfigMaps" in html.rpartition("Not counted")[2]
    )
    assert "<b>2</b>" in html and "ConfigMaps <b>" not in html
