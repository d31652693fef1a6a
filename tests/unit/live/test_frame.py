"""The frame around every page: the namespaces to choose from follow the cluster, and are bounded."""

from __future__ import annotations

import pytest
from django.http import QueryDict

from dashboard.cache.reflector import ReflectorStatus
from dashboard.live.screens import chrome
from dashboard.live.screens.chrome import ChromeScreen
from tests.unit.markup import flat

from .seen import everything, runtime, sees, session


def frame(*names: str, query: str = "") -> ChromeScreen:
    found = runtime()
    found.cache.put("namespaces", *({"metadata": {"name": name}} for name in names))
    screen = ChromeScreen(session(found), QueryDict(query))
    sees(screen, everything())
    return screen


def test_a_namespace_that_comes_or_goes_is_offered_or_not() -> None:
    screen = frame("blog", "shop")
    before = screen._namespaces()
    assert "All 2" in before["ns-summary"].html
    screen.runtime.cache.put("namespaces", {"metadata": {"name": "late"}})  # type: ignore[attr-defined]
    after = screen._namespaces()
    assert "All 3" in after["ns-summary"].html
    assert 'value="late"' in after["ns-items"].html and 'value="late"' not in before["ns-items"].html
    assert before["ns-items"].hash != after["ns-items"].hash


def test_the_chosen_ones_are_ticked_also_when_they_are_not_there() -> None:
    items = frame("blog", "shop", query="namespace=shop&namespace=gone")._namespaces()
    assert flat(items["ns-items"].html).count(" checked") == 2
    assert "2 of 3" in items["ns-summary"].html


def test_a_cluster_of_thousands_offers_some_and_every_chosen_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chrome, "MAX_NAMESPACES", 5)
    html = flat(frame(*(f"n{at}" for at in range(9)), query="namespace=n8")._namespaces()["ns-items"].html)
    assert html.count('name="namespace"') == 6
    assert 'value="n8" checked' in html
    assert "3 more are not listed here" in html and "data-more" in html


def test_a_count_from_before_the_connection_was_lost_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = frame("shop")
    assert "when last read" not in screen.snapshot().regions["nav-namespaces"].html
    lost = {"nodes": "live", "namespaces": "reconnecting"}
    monkeypatch.setattr(
        screen.runtime.cache, "status", lambda plural: ReflectorStatus(lost.get(plural, "live"))
    )
    regions = screen.snapshot().regions
    assert 'class="n old">1<span class="vh"> when last read</span>' in flat(regions["nav-namespaces"].html)
    assert "when last read" not in regions["nav-nodes"].html


def test_a_hostile_name_in_the_address_is_text() -> None:
    html = frame("shop", query='namespace="><script>')._namespaces()["ns-items"].html
    assert "<script>" not in html
