"""One kind's store and its reflectors: one for the cluster, or one for each namespace that may be read."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

from dashboard.cache.namespaces import Namespaces
from dashboard.cache.reflector import Reflector, ReflectorStatus, State, Timing, Turn
from dashboard.cache.store import Store
from dashboard.errors import ClusterError, Forbidden
from dashboard.kinds.base import Kind
from dashboard.kube.access import allowed
from dashboard.kube.transport import Transport

__all__ = ["Feed", "Review"]

# Of several reflectors, the first of these states speaks for all.
_SPEAKS_FIRST: tuple[State, ...] = ("reconnecting", "starting", "live", "stopped")


@dataclass(frozen=True, slots=True)
class Review:
    """How rights are looked at where the whole cluster may not be read; in seconds."""

    every: float = 60.0
    # While the cluster cannot be asked about them.
    retry: float = 5.0
    # Questions at once.
    at_once: int = 8
    # Namespaces watched at most: each is a connection of its own, for each kind.
    namespaces: int = 50


class Feed:
    """What the cache holds for one kind; ``start()`` and ``stop()`` it on the event loop."""

    def __init__(
        self,
        transport: Transport,
        kind: Kind[Any],
        namespaces: Namespaces,
        *,
        timing: Timing,
        review: Review,
        on_status: Callable[[str, ReflectorStatus], None],
        turn: Turn,
    ) -> None:
        self.kind = kind
        self.store: Store[Any] = Store(kind)
        # Set while there is something to show: a part of a list, a list or a failure.
        self.begun = asyncio.Event()
        # Set while there is a list or a failure to show, of every scope.
        self.settled = asyncio.Event()
        self.refused: Forbidden | None = None
        self._transport = transport
        self._namespaces = namespaces
        self._timing = timing
        self._review = review
        self._on_status = on_status
        self._turn = turn
        self._reflectors: dict[str | None, Reflector[Any]] = {}
        self._failure: ClusterError | None = None
        self._left_out = 0
        self._told = ReflectorStatus("starting")
        self._task: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None

    @property
    def scopes(self) -> frozenset[str] | None:
        """The namespaces that are watched, or None for the whole cluster."""
        if self.refused is None and (not self._reflectors or None in self._reflectors):
            return None
        return frozenset(namespace for namespace in self._reflectors if namespace is not None)

    @property
    def status(self) -> ReflectorStatus:
        """Of all reflectors together."""
        statuses = [reflector.status for reflector in self._reflectors.values()]
        if not statuses:
            return self._without_reflectors()
        if len(statuses) == 1 and not self._left_out:
            return statuses[0]
        speaker = min(statuses, key=lambda status: _SPEAKS_FIRST.index(status.state))
        reason = speaker.reason
        if self._left_out and not reason:
            reason = f"{self._left_out} more namespaces are not watched: {self._review.namespaces} at most."
        return replace(speaker, reason=reason)

    @property
    def heard_at(self) -> float:
        """Monotonic seconds when the API server last said anything about the kind; 0 for never."""
        return max((reflector.heard_at for reflector in self._reflectors.values()), default=0.0)

    @property
    def listed(self) -> bool:
        """Whether all of its scopes have been read to their end at least once, however long ago."""
        reflectors = self._reflectors.values()
        return bool(reflectors) and all(reflector.listed for reflector in reflectors)

    def knows(self, namespace: str) -> bool | None:
        """Whether the store holds what there is in a namespace, as of its last list; None where that may not be read."""
        reflector = self._reflectors.get(None) or self._reflectors.get(namespace)
        if reflector is not None:
            return reflector.listed
        return None if self.settled.is_set() and self._failure is None else False

    def served(self) -> None:
        """The kind may be served again, or in another version."""
        for reflector in self._reflectors.values():
            reflector.served()

    @property
    def runs(self) -> bool:
        """Whether it was started, however it is."""
        return self._task is not None

    def start(self) -> None:
        """Starts, unless it runs; needs a running loop."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(self._ending), name=f"feed {self.kind.gvr.plural}")

    def stop(self) -> None:
        """Ends the reflectors and empties the store, soon; it may be started again at once."""
        if self._task is not None:
            self._task.cancel()
            self._ending, self._task = self._task, None
            self.begun.clear()
            self.settled.clear()

    async def ended(self) -> None:
        """Waits for what ``stop()`` began."""
        if self._ending is not None:
            await asyncio.gather(self._ending, return_exceptions=True)

    def _without_reflectors(self) -> ReflectorStatus:
        if self.refused is not None:
            return ReflectorStatus("stopped", self.refused.message, self.refused)
        if self._failure is not None:
            return ReflectorStatus("reconnecting", self._failure.message, self._failure)
        return ReflectorStatus("starting")

    async def _run(self, previous: asyncio.Task[None] | None) -> None:
        if previous is not None:
            await asyncio.gather(previous, return_exceptions=True)
        try:
            while True:
                refused = await self._reflect(None)
                await self._reflect_namespaces(refused)
        finally:
            self.store.replace((), "")
            self._told = ReflectorStatus("starting")

    async def _reflect(self, namespace: str | None) -> Forbidden:
        """Keeps one scope of the store, until it is refused."""
        reflector = Reflector(
            self._transport,
            self.kind,
            self.store,
            namespace,
            timing=self._timing,
            on_status=lambda _: self._changed(),
            on_part=self.begun.set,
            turn=self._turn,
            raise_forbidden=self.kind.gvr.namespaced,
        )
        self._reflectors[namespace] = reflector
        try:
            await reflector.run()
        except Forbidden as error:
            return error
        finally:
            del self._reflectors[namespace]
        raise AssertionError("a reflector ends only when it is refused or cancelled")

    async def _reflect_namespaces(self, refused: Forbidden) -> None:
        """Keeps one reflector for each readable namespace, until the whole cluster may be read."""
        tasks: dict[str, asyncio.Task[Forbidden]] = {}
        try:
            while True:
                delay = self._review.every
                try:
                    readable = await self._readable()
                except ClusterError as error:
                    self._failure = error
                    delay = self._review.retry
                else:
                    self._failure = None
                    self.refused = None if readable else refused
                    await self._adjust(tasks, readable)
                self._changed()
                await asyncio.sleep(delay)
                with contextlib.suppress(ClusterError):
                    if await self._may_read(None):
                        return
        finally:
            self.refused = self._failure = None
            self._left_out = 0
            await _cancel(tasks.values())

    async def _adjust(self, tasks: dict[str, asyncio.Task[Forbidden]], readable: tuple[str, ...]) -> None:
        gone = [namespace for namespace, task in tasks.items() if namespace not in readable or task.done()]
        await _cancel([tasks.pop(namespace) for namespace in gone])
        for namespace in self.store.namespaces() - set(readable):
            self.store.replace((), "", namespace)
        for namespace in readable:
            if namespace not in tasks:
                tasks[namespace] = asyncio.create_task(
                    self._reflect(namespace), name=f"feed {self.kind.gvr.plural} in {namespace}"
                )

    async def _readable(self) -> tuple[str, ...]:
        names = await self._namespaces.names()
        gate = asyncio.Semaphore(self._review.at_once)

        async def readable(namespace: str) -> bool:
            async with gate:
                return await self._may_read(namespace)

        answers = await asyncio.gather(*map(readable, names))
        found = [name for name, answer in zip(names, answers, strict=True) if answer]
        self._left_out = max(0, len(found) - self._review.namespaces)
        return tuple(found[: self._review.namespaces])

    async def _may_read(self, namespace: str | None) -> bool:
        for verb in ("list", "watch"):
            if not (await allowed(self._transport, verb, self.kind.gvr, namespace=namespace)).allowed:
                return False
        return True

    def _changed(self) -> None:
        status = self.status
        if status.state != "starting":
            self.begun.set()
            self.settled.set()
        if (status.state, status.reason) != (self._told.state, self._told.reason):
            self._told = status
            self._on_status(self.kind.plural, status)


async def _cancel(tasks: Collection[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
