"""What workloads had better request, from what their containers used.

The rule is the Vertical Pod Autoscaler's target, in short: the 90th percentile of what is used, and 15 % more
(kubernetes/autoscaler, vertical-pod-autoscaler/docs/flags.md: target-cpu-percentile, target-memory-percentile,
recommendation-margin-fraction). Of memory the peak counts in place of the percentile: a container that gets less CPU
than it wants is slow, one that gets less memory is killed. Each figure is that of the workload's busiest pod.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

SHARE, MARGIN = 0.9, 1.15
LEAST_SECONDS, LEAST_POINTS = 900.0, 20  # of history, before anything is suggested
# What is suggested at least, in whole steps: less is not worth a request of its own.
STEP = {"cpu": 0.005, "memory": 2**20 * 8}
SMALLEST = {"cpu": 0.01, "memory": 2**20 * 16}
UNIT = {"cpu": 0.001, "memory": 2.0**20}  # of the quantity that is written
WORTH = 0.2  # a suggestion that is closer to the request than this share of it is not told

Point = tuple[float, tuple[float | None, ...]]


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of what the busiest pod used in a span of so many seconds: half of the time at most ``half``, 90 % of it at most
    ``most``, and the peak. Cores, or bytes.
    """

    half: float
    most: float
    peak: float
    span: float


@dataclass(frozen=True, slots=True)
class Suggestion:
    """``now`` is what the container requests, 0 for nothing; ``then`` what is suggested, both cores or bytes."""

    resource: str
    used: Percentiles
    now: float
    then: float

    @property
    def quantity(self) -> str:
        """As a manifest has it."""
        return f"{round(self.then / UNIT[self.resource])}{'m' if self.resource == 'cpu' else 'Mi'}"


def percentiles(points: Sequence[Point], column: int) -> Percentiles | None:
    """None where the history is too short to suggest anything from it."""
    known = [(at, value) for at, values in points if (value := values[column]) is not None]
    span = known[-1][0] - known[0][0] if known else 0.0
    if span < LEAST_SECONDS or len(known) < LEAST_POINTS:
        return None
    values = sorted(value for _, value in known)
    return Percentiles(_at(values, 0.5), _at(values, SHARE), values[-1], span)


def suggestion(resource: str, used: Percentiles, now: float, limit: float | None = None) -> Suggestion | None:
    """None where what is requested suits what is used. No more than the container's ``limit``, over which the API server
    takes no request.
    """
    base = used.most if resource == "cpu" else used.peak
    step = STEP[resource]
    then = max(SMALLEST[resource], math.ceil(round(base * MARGIN / step, 6)) * step)
    if limit is not None and then > limit:
        then = math.floor(round(limit / UNIT[resource], 6)) * UNIT[resource]
    if not then:
        return None
    if now and abs(then - now) < WORTH * max(now, then):
        return None
    return Suggestion(resource, used, now, then)


def _at(values: Sequence[float], share: float) -> float:
    """The smallest value that is no less than that share of them."""
    return values[max(0, math.ceil(share * len(values)) - 1)]
