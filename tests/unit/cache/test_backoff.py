"""Delays grow from 0.8 to 30 seconds, differ between clients, and never fall below what the server asked for."""

from __future__ import annotations

import pytest

from dashboard.cache.backoff import Backoff


def test_delays_double_up_to_the_cap_and_start_again_after_success() -> None:
    backoff = Backoff(0.8, 30.0, lambda: 1.0)
    assert [round(backoff.next(), 1) for _ in range(8)] == [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]
    backoff.reset()
    assert backoff.next() == 0.8


def test_jitter_takes_between_half_and_all() -> None:
    assert Backoff(8.0, 30.0, lambda: 0.0).next() == 4.0
    assert Backoff(8.0, 30.0, lambda: 0.5).next() == 6.0


def test_what_the_server_asked_for_is_the_least() -> None:
    assert Backoff(0.8, 30.0, lambda: 0.0).next(at_least=45.0) == 45.0
    assert Backoff(0.8, 30.0, lambda: 1.0).next(at_least=45.0) == pytest.approx(49.5)
    assert Backoff(8.0, 30.0, lambda: 1.0).next(at_least=1.0) == 8.0
