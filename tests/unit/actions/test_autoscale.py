"""The words for an autoscaler's bounds, as a conflict tells them: of what differs alone."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.actions.autoscale import EDIT_AUTOSCALER, MAX, METRICS, MIN

CPU = [{"resource": {"name": "cpu", "target": {"averageUtilization": 60}}}]


@pytest.mark.parametrize(
    ("touched", "words"),
    [
        ({MIN: 2, MAX: 5, METRICS: CPU}, "2 to 5 replicas at 60 % CPU"),
        ({MIN: None, MAX: 1, METRICS: None}, "1 to 1 replica"),
        ({MAX: 5}, "at most 5 replicas"),
        ({MIN: None}, "at least 1 replica"),
        ({MIN: 2, METRICS: CPU}, "at least 2 replicas at 60 % CPU"),
        ({MAX: 5, METRICS: CPU}, "at most 5 replicas at 60 % CPU"),
        ({METRICS: CPU}, "at 60 % CPU"),
        ({METRICS: None}, "no CPU target"),
    ],
)
def test_what_differs_has_words(touched: dict[str, Any], words: str) -> None:
    assert EDIT_AUTOSCALER.words(touched) == words
