"""The card of a ConfigMap's versions: who runs with which values."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.http import QueryDict

from dashboard.insight.keyhistory import Held, KeyHistory, Since, Write
from dashboard.live.screens.detail import DetailScreen
from dashboard.live.screens.detail.cards.versions import VersionsCard
from tests.unit.insight.world import NOW, ago, pod

from .seen import everything, runtime, sees, session

A, B = Held("a", "a"), Held("b", "b")


def edited(key: str, minutes: int) -> Write:
    at = NOW - timedelta(minutes=minutes)
    since = {key: Since(NOW - timedelta(hours=5), False)}
    return Write(at, at + timedelta(seconds=1), at, {key: A}, {key: B}, since)


HISTORY = KeyHistory(
    (edited("app.properties", 60), edited("LOG_LEVEL", 10)),
    now={"app.properties": B, "LOG_LEVEL": B},
    since={
        "app.properties": Since(NOW - timedelta(minutes=60), True),
        "LOG_LEVEL": Since(NOW - timedelta(minutes=10), True),
    },
)


def said(minutes: float) -> str:
    """Of a pod that started so long ago, and has all keys as variables."""
    found = runtime()
    made = pod("alone", owner=None, container={"envFrom": [{"configMapRef": {"name": "settings"}}]})
    made["metadata"]["creationTimestamp"] = ago(minutes=minutes)
    made["status"]["containerStatuses"][0]["state"] = {"running": {"startedAt": ago(minutes=minutes)}}
    found.cache.put("pods", made)
    screen: Any = DetailScreen(session(found), QueryDict(), "configmaps", "shop", "settings")
    sees(screen, everything())
    card = VersionsCard(screen)
    card._history = HISTORY
    (run,) = card._runs()
    return run["words"]


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (5, "runs with the present LOG_LEVEL and app.properties"),
        (30, "1 pod runs with an old LOG_LEVEL"),
        (120, "1 pod runs with an old LOG_LEVEL and app.properties"),
        (10, "which LOG_LEVEL 1 pod started with is not known"),
        (400, "which LOG_LEVEL and app.properties 1 pod started with is not known"),
    ],
)
def test_the_keys_are_named_that_its_pods_did_not_start_with_as_they_are(minutes: float, words: str) -> None:
    assert said(minutes) == words
