"""HumanDuration, at the boundaries of every rule of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dashboard.kinds.duration import day_and_time, human_duration, long_span

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-2, "<invalid>"),
        (-1.999, "0s"),
        (-1, "0s"),
        (-0.5, "0s"),
        (0, "0s"),
        (0.999, "0s"),
        (1, "1s"),
        (119.999, "119s"),
        (2 * MINUTE, "2m"),
        (2 * MINUTE + 1, "2m1s"),
        (10 * MINUTE - 1, "9m59s"),
        (10 * MINUTE, "10m"),
        (10 * MINUTE + 59, "10m"),
        (3 * HOUR - 1, "179m"),
        (3 * HOUR, "3h"),
        (3 * HOUR + 4 * MINUTE, "3h4m"),
        (8 * HOUR - 1, "7h59m"),
        (8 * HOUR, "8h"),
        (2 * DAY - 1, "47h"),
        (2 * DAY, "2d"),
        (2 * DAY + 5 * HOUR, "2d5h"),
        (8 * DAY - 1, "7d23h"),
        (8 * DAY, "8d"),
        (34 * DAY, "34d"),
        (2 * YEAR - 1, "729d"),
        (2 * YEAR, "2y"),
        (2 * YEAR + DAY, "2y1d"),
        (8 * YEAR - 1, "7y364d"),
        (8 * YEAR, "8y"),
        (100 * YEAR, "100y"),
        (1000 * YEAR, "292y"),  # a Go duration ends there
    ],
)
def test_rule_boundaries(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


@pytest.mark.parametrize(
    ("days", "words"),
    [(0, "less than a day"), (1, "1 day"), (729, "729 days"), (730, "2 years"), (36_499, "99 years")],
)
def test_what_is_years_away_is_told_in_years(days: int, words: str) -> None:
    assert long_span(days) == words


def test_a_day_is_not_padded() -> None:
    assert day_and_time(datetime(2026, 12, 1, 0, 38, tzinfo=UTC)) == "Tue 1 Dec 2026, 00:38 UTC"
