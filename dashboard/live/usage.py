"""What a cluster's nodes and pods use, sampled every 15 s into an hour's history.

Sampling goes on while somebody looks at any page of the cluster and for an hour after: whoever comes back within
the time that the history covers finds it whole. Usage is read with the transport's account; what of it a user sees is
decided where it is shown (:mod:`dashboard.queries.usage`).
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from dashboard.cache.cluster import ClusterCache
from dashboard.errors import ClusterError, Forbidden, NotFound
from dashboard.insight.usage import RESOURCES, NodeTally, Sizes, Sum, Tally, Workload
from dashboard.kinds.usage import NodeUse, PodUse
from dashboard.kube.failures import Unreachable
from dashboard.loop import Breath
from dashboard.queries.reader import Reader

from .background import begin
from .rings import Clock, Rings
from .session import THE_INSTALLATION

logger = logging.getLogger(__name__)

EVERY_SECONDS = 15.0
# A cluster without metrics, or without the right to them, is asked less often.
REFUSED_SECONDS = 60.0
SYNC_SECONDS = 10.0
# Figures older than that are told as stale: metrics-server measures each minute at the latest.
STALE_SECONDS = 180.0
JOINED = frozenset({"pods", "nodes", "replicasets", "jobs"})
# Series at most; a pod's, or a container's, takes 2 kB, all others' 6 kB.
MAX_PODS, MAX_OTHERS = 5000, 2500
LOOK_EVERY = 50  # pods, at the clock
REST_SECONDS = 0.02  # between two slices of adding pods up, for which nobody waits

# Columns of the series. Those of pods are the first two only.
USED_CPU, USED_MEMORY, REQUESTED_CPU, REQUESTED_MEMORY, LIMIT_CPU, LIMIT_MEMORY, OF_CPU, OF_MEMORY = range(8)
ALL_NODES = ""  # the key of all nodes together

State = Literal[
    "starting", "ok", "late", "missing", "forbidden", "unavailable", "unreachable", "waiting", "stale"
]
K = TypeVar("K")
U = TypeVar("U", NodeUse, PodUse)


class Source(Protocol):
    """Who measures. Raises ClusterErrors."""

    name: str

    async def nodes(self) -> Mapping[str, NodeUse]: ...
    async def pods(self, namespaces: frozenset[str] | None) -> Mapping[tuple[str, str], PodUse]: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """How the latest measuring ended. ``source`` names who was asked; ``measured_at`` is 0.0 without a measure.

    late: the latest measuring failed, and figures of the last three minutes are shown;
    missing: the cluster serves no metrics; forbidden: the account may not list them; unavailable: they are served
    by something that does not answer; unreachable: the cluster itself is away; waiting: there are none yet; stale:
    the newest are older than three minutes.
    """

    state: State = "starting"
    source: str = ""
    error: ClusterError | None = None
    measured_at: float = 0.0


class Usage:
    """One cluster's. ``sources`` are asked in order: the next one where the one before has nothing.

    ``idle``: how long sampling outlives the last ``touch()``, in seconds. ``clock`` tells the time of day, which samples
    carry; ``steady`` never jumps, and paces them. Use it on one event loop.
    """

    def __init__(
        self,
        cache: ClusterCache,
        sources: Sequence[Source],
        *,
        idle: float = 3600.0,
        every: float = EVERY_SECONDS,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._cache = cache
        self._reader = Reader(cache)
        self._sources = sources
        self._idle = idle
        self._every = every
        self._clock = clock
        self._steady = steady
        self._sleep = sleep
        self._sizes = Sizes()
        self._task: asyncio.Task[None] | None = None
        self._looked_at = float("-inf")
        self._callbacks: list[Callable[[], None]] = []
        self._first = asyncio.Event()
        self.nodes = self.pods = Reading()
        self._of_nodes: Mapping[str, NodeUse] = {}
        self._of_pods: Mapping[tuple[str, str], PodUse] = {}
        self.tally = Tally(self._reader, self._sizes)
        self.ticks = Clock()
        self.of_nodes: Rings[str] = Rings(self.ticks, 8, MAX_OTHERS)
        self.of_namespaces: Rings[str] = Rings(self.ticks, 6, MAX_OTHERS)
        self.of_workloads: Rings[Workload] = Rings(self.ticks, 6, MAX_OTHERS)
        self.of_pods: Rings[str] = Rings(self.ticks, 2, MAX_PODS)
        # Of a workload's container, what the busiest pod uses.
        self.of_containers: Rings[tuple[Workload, str]] = Rings(self.ticks, 2, MAX_PODS)

    def touch(self) -> None:
        """Somebody looks now: sampling starts, unless it goes on already. Needs a running loop."""
        self._looked_at = self._clock()
        if self._task is None or self._task.done():
            self._task = begin(THE_INSTALLATION, self._run(), "usage")

    async def first(self, timeout: float) -> None:  # noqa: ASYNC109 as ClusterCache.synced
        """Waits for the first sample of a run, whatever its end; at most ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._first.wait()
        except TimeoutError:
            return

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back after each sample. Returns what ends that."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback) if callback in self._callbacks else None

    def tell(self) -> None:
        """Something that is shown beside usage is new."""
        for callback in tuple(self._callbacks):
            callback()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            with self._cache.lease(JOINED, beside=True):
                await self._cache.synced(JOINED, SYNC_SECONDS)
                while self._clock() - self._looked_at < self._idle:
                    began = self._steady()
                    try:
                        await self.sample()
                    except Exception:  # the next one may succeed
                        logger.exception("sampling usage")
                    await self._sleep(max(0.0, self._pause - (self._steady() - began)))
        finally:
            self._first.clear()

    @property
    def _pause(self) -> float:
        refused = {self.nodes.state, self.pods.state} <= {"missing", "forbidden"}
        return REFUSED_SECONDS if refused else self._every

    async def sample(self) -> None:
        """Measures once, adds up and remembers."""
        scopes = self._cache.scopes("pods")
        of_nodes, of_pods = await asyncio.gather(
            _measure(self._sources, lambda source: source.nodes(), self._clock),
            _measure(self._sources, lambda source: source.pods(scopes), self._clock),
        )
        measured = bool(of_nodes[1] or of_pods[1])
        self.nodes, self._of_nodes = self._or_last(of_nodes, (self.nodes, self._of_nodes))
        self.pods, self._of_pods = self._or_last(of_pods, (self.pods, self._of_pods))
        self.tally = await self._tallied(self._of_nodes, self._of_pods)
        if measured:
            self._remember()
        self._first.set()
        self.tell()

    def _or_last(
        self, now: tuple[Reading, Mapping[K, U]], last: tuple[Reading, Mapping[K, U]]
    ) -> tuple[Reading, Mapping[K, U]]:
        """What was measured, or what was measured last: one answer that fails to come makes no figure wrong. Not so
        where metrics are served or allowed no more."""
        (reading, _), (before, figures) = now, last
        age = self._clock() - before.measured_at
        if reading.state not in ("unavailable", "unreachable") or not figures or age > STALE_SECONDS:
            return now
        return Reading("late", before.source, reading.error, before.measured_at), figures

    async def _tallied(self, nodes: Mapping[str, NodeUse], pods: Mapping[tuple[str, str], PodUse]) -> Tally:
        tally = Tally(self._reader, self._sizes)
        breath = Breath(rest=REST_SECONDS)
        for place, pod in enumerate(self._reader.all("pods")):
            tally.add(pod, pods.get((pod.metadata.namespace, pod.metadata.name)))
            if place % LOOK_EVERY == 0:
                await breath.take()
        tally.settle(self._reader.all("nodes"), nodes)
        return tally

    def _remember(self) -> None:
        tally = self.tally
        self.ticks.tick(self._clock())
        by_node = {name: _node_values(each) for name, each in tally.nodes.items()}
        if by_node:
            by_node[ALL_NODES] = tuple(map(_known_sum, zip(*by_node.values(), strict=True)))
        self.of_nodes.put(by_node)
        self.of_namespaces.put({name: _values(each) for name, each in tally.namespaces.items()})
        self.of_workloads.put({key: _values(each) for key, each in tally.workloads.items()})
        self.of_pods.put(tally.pods, lambda use: use.total)
        self.of_containers.put(tally.busiest)

    @property
    def size_bytes(self) -> int:
        """What the history's values take in memory."""
        every = (self.of_nodes, self.of_namespaces, self.of_workloads, self.of_pods, self.of_containers)
        return sum(rings.size_bytes for rings in every)


def _values(each: Sum) -> tuple[float, ...]:
    used = [each.used(resource) for resource in RESOURCES]
    return (
        *(math.nan if one is None else one for one in used),
        each.cpu.requested,
        each.memory.requested,
        each.cpu.limit,
        each.memory.limit,
    )


def _known_sum(column: tuple[float, ...]) -> float:
    known = [each for each in column if not math.isnan(each)]
    return sum(known) if known else math.nan


def _node_values(node: NodeTally) -> tuple[float, ...]:
    used = node.use or (math.nan, math.nan)
    asked = node.asked
    return (
        *used,
        asked.cpu.requested,
        asked.memory.requested,
        asked.cpu.limit,
        asked.memory.limit,
        node.of.get("cpu", math.nan),
        node.of.get("memory", math.nan),
    )


async def _measure(
    sources: Sequence[Source],
    ask: Callable[[Source], Awaitable[Mapping[K, U]]],
    clock: Callable[[], float],
) -> tuple[Reading, Mapping[K, U]]:
    """The measures of the first source that has some; else how the first one's failure reads."""
    readings: list[Reading] = []
    for source in sources:
        try:
            found = await ask(source)
        except ClusterError as error:
            readings.append(Reading(_state(error), source.name, error.to_keep()))
            continue
        if found:
            at = max(each.at for each in found.values())
            stale = clock() - at > STALE_SECONDS
            return Reading("stale" if stale else "ok", source.name, None, at), found
        readings.append(Reading("waiting", source.name))
    return (readings[-1] if len(readings) == 1 else _worth_telling(readings)), {}


def _worth_telling(readings: Sequence[Reading]) -> Reading:
    """Of several failures: where nothing is installed in the first place, the second is what somebody set up."""
    return next((one for one in readings if one.state != "missing"), readings[0] if readings else Reading())


def _state(error: ClusterError) -> State:
    match error:
        case NotFound():
            return "missing"
        case Forbidden():
            return "forbidden"
        case Unreachable():
            return "unreachable"
        case _:
            return "unavailable"
