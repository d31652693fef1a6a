"""The figures of this process for Prometheus that are looked up when it asks: nothing counts them meanwhile.

What they cost grows with the kinds that are watched and the pages that are open, never with the objects.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dashboard.cache.store import Store
from dashboard.database import waiting_for_connections
from dashboard.errors import NotFound
from dashboard.loop import waiting_work
from dashboard.metrics import MESSAGES

from .operations import operations
from .runtime import ClusterRuntime, runtime

SAMPLE = 10  # objects of a kind whose size is looked at
MEASURED_SECONDS = 300.0  # how long that is taken for the size of all of them


class Figures(Collector):
    """Asked on the event loop alone, which owns what it reads."""

    def __init__(self) -> None:
        self._sizes: dict[tuple[str, str], tuple[float, float]] = {}  # when it was measured, bytes an object

    def describe(self) -> Iterable[Metric]:
        return ()  # nothing is looked up before somebody asks

    def collect(self) -> Iterator[Metric]:
        clusters = runtime.opened()
        yield from self._watches(clusters)
        pages = GaugeMetricFamily(
            "cluster_ui_pages", "Pages, and parts of pages, that are kept up to date.", labels=["context"]
        )
        shown = GaugeMetricFamily(
            "cluster_ui_shown", "Of these, how many are different: each is made once.", labels=["context"]
        )
        for cluster in clusters:
            groups = cluster.hub.groups.values()
            pages.add_metric([cluster.cluster.name], sum(len(group.viewers) for group in groups))
            shown.add_metric([cluster.cluster.name], len(groups))
        yield pages
        yield shown
        yield CounterMetricFamily(
            "cluster_ui_messages", "Messages to browsers by their websockets.", MESSAGES.value
        )
        yield self._queues(clusters)
        yield GaugeMetricFamily(
            "cluster_ui_operations_moved", "Unfinished operations that this process moves.", operations.moved
        )

    def _watches(self, clusters: Iterable[ClusterRuntime]) -> Iterator[Metric]:
        labels = ["context", "kind"]
        live = GaugeMetricFamily(
            "cluster_ui_watch_live",
            "1 for a watch that is live, else 0; none where the API server does not serve the kind.",
            labels=labels,
        )
        age = GaugeMetricFamily(
            "cluster_ui_watch_age_seconds",
            "How long a watch has said nothing. A healthy one speaks once a minute, or not at all while nothing changes.",
            labels=labels,
        )
        lag = GaugeMetricFamily(
            "cluster_ui_watch_lag_seconds",
            "How long the oldest change of a kind has been waiting to be shown on a page that is open.",
            labels=labels,
        )
        objects = GaugeMetricFamily("cluster_ui_cached_objects", "Objects in the cache.", labels=labels)
        size = GaugeMetricFamily(
            "cluster_ui_cached_bytes",
            "Memory of these objects, by the size of some of them, without rows and indexes made of them.",
            labels=labels,
        )
        for cluster in clusters:
            name, cache = cluster.cluster.name, cluster.installation.cache
            late: dict[str, float] = {}
            for group in cluster.hub.groups.values():
                waits = group.late()
                late |= {plural: waits for plural in group.screen.plurals if waits > late.get(plural, 0.0)}
            for plural in cache.running:
                status, store, labelled = cache.status(plural), cache.store(plural), [name, plural]
                count = len(store)
                if not isinstance(
                    status.error, NotFound
                ):  # what is not served is not followed, and nothing is wrong
                    live.add_metric(labelled, status.state == "live")
                if heard := cache.heard_at(plural) or status.since:  # 0 before it was begun
                    age.add_metric(labelled, time.monotonic() - heard)
                lag.add_metric(labelled, late.get(plural, 0.0))
                objects.add_metric(labelled, count)
                size.add_metric(labelled, count * self._size(name, plural, store))
        yield from (live, age, lag, objects, size)

    def _size(self, context: str, plural: str, store: Store[Any]) -> float:
        """Bytes of one object, as the mean of some."""
        now, known = time.monotonic(), self._sizes.get((context, plural))
        if known is None or now - known[0] > MEASURED_SECONDS or not known[1]:
            some = store.some(SAMPLE)
            known = now, sum(map(size_of, some)) / len(some) if some else 0.0
            self._sizes[context, plural] = known
        return known[1]

    def _queues(self, clusters: Iterable[ClusterRuntime]) -> Metric:
        family = GaugeMetricFamily(
            "cluster_ui_queue_length",
            "What waits: calls for a thread, questions for a connection to the database, kinds for their turn to be "
            "listed, entries of the timeline to be written.",
            labels=["queue"],
        )
        family.add_metric(["threads"], waiting_work())
        family.add_metric(["database"], waiting_for_connections())
        family.add_metric(["lists"], sum(each.installation.cache.waiting_lists for each in clusters))
        family.add_metric(["timeline"], sum(each.timeline.waiting for each in clusters))
        return family


def size_of(value: Any) -> int:
    """Bytes of a value with all that it holds; what it holds twice counts once."""
    seen: set[int] = set()
    rest, total = [value], 0
    while rest:
        one = rest.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        total += sys.getsizeof(one)
        if isinstance(one, msgspec.Struct):
            rest += [getattr(one, name) for name in one.__struct_fields__]
        elif isinstance(one, dict):
            rest += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple | set | frozenset):
            rest += one
    return total
