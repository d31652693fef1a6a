"""Series of measures: bounds in length, number and memory; gaps; what has ended makes way."""

from __future__ import annotations

import math
import sys

from dashboard.live.rings import SAMPLES, Clock, Rings, summed


def filled(samples: int = 4, limit: int = 100) -> tuple[Clock, Rings[str]]:
    clock = Clock(samples)
    return clock, Rings(clock, 2, limit)


def put(clock: Clock, rings: Rings[str], **samples: tuple[float, float]) -> None:
    clock.tick(float(clock.count * 15))
    rings.put(samples)


def test_only_the_latest_samples_are_kept() -> None:
    clock, rings = filled(samples=3)
    for number in range(10):
        put(clock, rings, a=(float(number), 0.0))
    assert [(at, values[0]) for at, values in rings.points("a")] == [(105, 7), (120, 8), (135, 9)]
    assert clock.since == 105


def test_what_was_not_measured_is_a_gap_not_a_nought() -> None:
    clock, rings = filled()
    put(clock, rings, a=(1.0, 1.0))
    put(clock, rings)
    put(clock, rings, a=(3.0, math.nan))
    assert rings.points("a") == [(0, (1, 1)), (15, (None, None)), (30, (3, None))]


def test_values_are_asked_only_of_what_is_kept() -> None:
    """Of ten thousands of pods most are not: what they use would be added up for nothing at each sample."""
    clock, rings = filled(limit=3)
    asked: list[str] = []

    def values(name: str) -> tuple[float, float]:
        asked.append(name)
        return (1.0, 1.0)

    for _ in range(2):
        clock.tick(0.0)
        rings.put({name: name for name in "abcdefgh"}, values)
    assert asked == ["a", "b", "c"] * 2 and rings.full


def test_a_series_that_begins_late_has_no_points_before() -> None:
    clock, rings = filled()
    put(clock, rings, a=(1.0, 1.0))
    put(clock, rings, a=(1.0, 1.0), b=(2.0, 2.0))
    assert rings.points("b") == [(15, (2, 2))]


def test_a_series_that_has_ended_goes_when_its_time_is_over() -> None:
    clock, rings = filled(samples=3)
    put(clock, rings, gone=(1.0, 1.0))
    for _ in range(2):
        put(clock, rings, a=(1.0, 1.0))
    assert rings.points("gone") == [(0, (1, 1))]
    put(clock, rings, a=(1.0, 1.0))
    assert rings.keys() == ("a",)


def test_after_a_pause_what_is_older_than_an_hour_is_gone() -> None:
    clock, rings = filled(samples=240)
    put(clock, rings, a=(1.0, 1.0))
    clock.tick(15.0 + 3600)
    rings.put({"a": (2.0, 2.0)})
    assert rings.points("a") == [(3615, (2, 2))]
    assert clock.since == 3615


def test_one_that_comes_back_after_longer_than_that_begins_anew() -> None:
    clock, rings = filled(samples=3)
    put(clock, rings, a=(1.0, 1.0))
    for _ in range(5):
        put(clock, rings, b=(1.0, 1.0))
    put(clock, rings, a=(9.0, 9.0))
    assert rings.points("a") == [(90, (9, 9))]


def test_there_are_never_more_series_than_allowed() -> None:
    clock, rings = filled(limit=2)
    put(clock, rings, a=(1.0, 1.0), b=(1.0, 1.0))
    put(clock, rings, a=(1.0, 1.0), b=(1.0, 1.0), c=(1.0, 1.0))
    assert set(rings.keys()) == {"a", "b"}
    assert rings.full
    put(clock, rings, b=(1.0, 1.0), c=(1.0, 1.0))
    assert set(rings.keys()) == {"b", "c"}, "the one that has ended makes way"
    assert not rings.full


def test_a_thousand_pods_take_little_memory_for_an_hour() -> None:
    clock: Clock = Clock()
    rings: Rings[str] = Rings(clock, 2, 5000)
    names = [f"uid-{number}" for number in range(1000)]
    sample = dict.fromkeys(names, (0.1, 1e8))
    for number in range(SAMPLES + 60):
        clock.tick(number * 15.0)
        rings.put(sample)
    assert rings.size_bytes == 1000 * SAMPLES * 2 * 4
    held = sum(sys.getsizeof(each) + sys.getsizeof(each.values) for each in rings._series.values())
    assert held < 1000 * 2500, "with what Python needs for it, 2.5 kB a pod at most"


def test_a_sum_counts_what_was_measured() -> None:
    clock, rings = filled()
    put(clock, rings, a=(1.0, math.nan))
    put(clock, rings, a=(1.0, 1.0), b=(2.0, 2.0))
    assert summed([rings.points("a"), rings.points("b")]) == [(0, (1, None)), (15, (3, 3))]
