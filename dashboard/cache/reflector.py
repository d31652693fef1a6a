"""Keeps one store equal to what the API server has: list, watch, and again after every kind of failure.

The semantics are client-go's (tools/cache/reflector.go), with these differences. The list is read in chunks
of the most recent state. A server that could not be reached in between, or did not answer for as long as one takes to
begin anew, is listed again even where its watch would resume: it may have come back with another history (a restored
etcd, a new sandbox), in which the old resourceVersion means nothing and a watch stays silent for ever. And every 5 to
9 minutes a second list, beside the watch, corrects what a watch has lost without a word.

Silence. The API server sends bookmarks about once a minute, except to watches of a resource that has not
changed since they began: those hear nothing, and are healthy. So a silent watch is quietly opened again
where it was; only when that does not succeed within a second does the state become ``reconnecting``.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, Literal, TypeVar

from dashboard.cache.backoff import Backoff
from dashboard.cache.store import Store, is_older
from dashboard.errors import (
    ClusterError,
    Forbidden,
    Gone,
    NotFound,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from dashboard.kinds.base import Kind, Object, Status, WatchEvent
from dashboard.kube.failures import Silence, Unreachable
from dashboard.kube.status import Asked, error_from_status
from dashboard.kube.transport import Transport
from dashboard.loop import off_loop
from dashboard.metrics import WATCH_EVENTS

__all__ = ["Reflector", "ReflectorStatus", "Timing", "Turn"]

logger = logging.getLogger(__name__)

LARGE_BYTES = 250_000  # a chunk of this size or more is decoded beside the loop

T = TypeVar("T", bound=Object)
State = Literal["starting", "live", "reconnecting", "stopped"]


@dataclass(frozen=True, slots=True)
class ReflectorStatus:
    """How fresh a copy is.

    ``since`` is in monotonic seconds; ``error`` is the last failure, unless live.
    """

    state: State
    reason: str = ""
    error: ClusterError | None = None
    since: float = 0.0


Turn = Callable[[], AbstractAsyncContextManager[Callable[[], None]]]


def _at_once() -> AbstractAsyncContextManager[Callable[[], None]]:
    """Nobody else lists."""
    return nullcontext(lambda: None)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds, and the size of a chunk."""

    chunk: int = 500
    # Above the API server's minute between bookmarks; with ``grace`` and a connection attempt still below 75.
    silence: float = 68.0
    grace: float = 1.0
    # A watch that lasted this long was a success: the next failure is the first again.
    settled: float = 5.0
    # A watch that broke goes on where it was when it is answered within this time: no API server begins in less. Above
    # the first wait after a failure.
    resumes: float = 1.0
    backoff: tuple[float, float] = (0.8, 30.0)
    refused: tuple[float, float] = (5.0, 60.0)
    watch: tuple[float, float] = (300.0, 600.0)
    resync: tuple[float, float] = (300.0, 540.0)


class Reflector(Generic[T]):
    """One list and watch, of one namespace or (None) of all; ``run()`` it as a task.

    ``on_part`` is called when a part of the first list has come that is not its last. With ``raise_forbidden`` a refusal
    ends ``run()``; otherwise it is tried again slowly, so that a right granted later is noticed.
    """

    def __init__(
        self,
        transport: Transport,
        kind: Kind[T],
        store: Store[T],
        namespace: str | None = None,
        *,
        timing: Timing = Timing(),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: Callable[[], float] = random.random,
        on_status: Callable[[ReflectorStatus], None] | None = None,
        on_part: Callable[[], None] | None = None,
        raise_forbidden: bool = False,
        turn: Turn = _at_once,
    ) -> None:
        self.namespace = namespace
        self.listed = False
        self.heard_at = 0.0  # monotonic seconds; 0 before the API server has said anything
        self._transport = transport
        self._kind = kind
        self._store = store
        self._timing = timing
        self._clock = clock
        self._sleep = sleep
        self._rng = rng
        self._on_status = on_status
        self._on_part = on_part
        self._raise_forbidden = raise_forbidden
        self._turn = turn
        self._events = WATCH_EVENTS.labels(transport.cluster.name, kind.plural)
        self._backoff = Backoff(*timing.backoff, rng)
        self._refused = Backoff(*timing.refused, rng)
        # Where to watch from; None: list first.
        self._version: str | None = None
        self._listed_at = float("-inf")
        # Of the present attempt
        self._opened_at: float | None = None
        self._answered = False
        self._asked_for = 0.0  # seconds that the watch was to last
        self._cut = False  # whether the last watch ended before its time: the API server may have ended
        self._left_at = 0.0  # when the last watch ended
        self._resync_at = float("inf")
        self._grace: asyncio.TimerHandle | None = None
        self._served = asyncio.Event()
        self._status = ReflectorStatus("starting", since=clock())

    @property
    def status(self) -> ReflectorStatus:
        """How fresh the store is."""
        return self._status

    def served(self) -> None:
        """The kind may be served again, or in another version: where that was missing, it is tried at once."""
        if isinstance(self._status.error, NotFound):
            self._refused.reset()
            self._served.set()

    async def run(self) -> None:
        """Lists and watches until cancelled (or refused, see above); every other failure is dealt with here."""
        try:
            while True:
                delay = await self._attempt()
                if delay:
                    await self._pause(delay)
        finally:
            self._cancel_grace()

    async def _pause(self, delay: float) -> None:
        """Waits before the next attempt; while the server cannot be reached, only until somebody reaches it, and while
        the kind is not served, only until it may be.

        Not so when this attempt itself had an answer before it failed: then others' answers promise nothing.
        """
        sleeping = asyncio.ensure_future(self._sleep(delay))
        self._served.clear()
        served = asyncio.ensure_future(self._served.wait())
        waiting: set[asyncio.Future[Any]] = {sleeping, served}
        if isinstance(self._status.error, Unreachable) and not self._answered:
            waiting.add(self._transport.next_answer())
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            served.cancel()

    async def _attempt(self) -> float:
        """One list (where needed) and one watch, to its end; returns the seconds to wait before the next."""
        self._opened_at = None
        self._answered = False
        try:
            if self._version is None:
                await self._list()
            await self._watch()
        except Silence as error:
            self._cut = False
            self._quietly(error.message)
            return 0.0
        except Gone as error:
            return self._expired(error)
        except (Forbidden, Unauthenticated, NotFound) as error:
            return self._stopped(error)
        except ClusterError as error:
            return self._failed(error)
        except Exception as error:  # an object that we fail to understand must not end the watch for ever
            logger.exception("an answer about %s cannot be read", self._kind.gvr.plural)
            self._version = None
            failure = Unavailable(f"An answer about {self._kind.gvr.plural} cannot be read.")
            failure.__cause__ = error
            return self._failed(failure)
        return self._ended()

    # The two requests

    async def _list(self) -> None:
        if self.listed:
            items, version = await self._read_list()
        else:
            async with self._turn() as go_on:  # somebody waits for it, or for others
                items, version = await self._read_list(partial(self._begun, go_on))
        self._store.replace(items, version, self.namespace)
        self._version = version
        self._listed_at = self._clock()
        self._cut = False
        self._plan_resync()
        self.listed = True

    def _begun(self, go_on: Callable[[], None], items: tuple[T, ...]) -> None:
        go_on()
        self._store.add(items)
        if self._on_part is not None:
            self._on_part()

    async def _read_list(
        self, progress: Callable[[tuple[T, ...]], object] | None = None
    ) -> tuple[list[T], str]:
        """All items and the list's resourceVersion; an expired continue token leads to one list in one piece."""
        items: list[T] = []
        chunk = {"limit": str(self._timing.chunk)}
        while True:
            try:
                response = await self._transport.request(
                    "GET",
                    self._kind.gvr,
                    namespace=self.namespace,
                    query={**self._kind.query, **chunk},
                    accept=self._kind.accept,
                )
            except Gone:
                if "continue" not in chunk:
                    raise
                items, chunk = [], {}
                continue
            self._heard()
            decode, body = self._kind.decode_list, response.body
            del response  # a chunk may be megabytes
            page = decode(body) if len(body) < LARGE_BYTES else await off_loop(decode, body)
            del body
            items += page.items
            if not page.continue_:
                return items, page.resource_version
            if progress is not None:
                progress(page.items)
            chunk["continue"] = page.continue_

    async def _watch(self) -> None:
        self._asked_for = self._between(*self._timing.watch)
        query = {
            **self._kind.query,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version or "",
            "timeoutSeconds": str(int(self._asked_for)),
        }
        async with self._transport.stream(
            self._kind.gvr,
            namespace=self.namespace,
            query=query,
            accept=self._kind.accept,
            silence=self._timing.silence,
        ) as batches:
            self._opened_at = self._clock()
            if self._cut and self._opened_at - self._left_at > self._timing.resumes:
                raise Gone("The API server may have started again since it was heard last.")
            self._live()
            resync = asyncio.create_task(self._resync(), name=f"resync {self._kind.gvr.plural}")
            try:
                async for lines in batches:
                    self._receive(lines)
                    if self._version is None:
                        return
            finally:
                self._left_at = self._clock()
                resync.cancel()
                await asyncio.gather(resync, return_exceptions=True)

    def _receive(self, lines: list[bytes]) -> None:
        self._heard()
        events: list[WatchEvent[T]] = []
        try:
            for line in lines:
                event = self._kind.decode_event(line)
                if event.type == "ERROR":
                    raise self._on_watch_error(event.status or Status())
                if (
                    event.type == "BOOKMARK"
                    and self._version
                    and is_older(event.resource_version, self._version)
                ):
                    self._version = (
                        None  # another history: what comes is silent about all that is older there
                    )
                    return
                events.append(event)
                # An older event, sent again, does not move the place to go on from.
                if self._version is not None and not is_older(event.resource_version, self._version):
                    self._version = event.resource_version or self._version
        finally:
            self._events.inc(len(events))
            self._store.apply_all(events)

    def _on_watch_error(self, status: Status) -> ClusterError:
        asked = Asked("watch", self._kind.gvr.plural, self.namespace or "")
        error = error_from_status(status.code, status.reason, status.message, asked)
        if not isinstance(error, TooManyRequests):
            self._version = None  # as client-go: only a server that is busy is not listed again
        return error

    async def _resync(self) -> None:
        """A list beside the watch when it is due. Its failure says nothing about the watch; it is tried again later."""
        while self._version is not None:
            await self._sleep(max(0.0, self._resync_at - self._clock()))
            try:
                await self._reconcile()
            except Exception as error:
                logger.warning("the second list of %s failed: %s", self._kind.gvr.plural, error)
            self._plan_resync()

    async def _reconcile(self) -> None:
        """The second list, corrected in the store. By itself, so that nothing holds the list until the next one."""
        began = self._version or ""
        items, version = await self._read_list()
        if is_older(version, began):
            # Another history: after its next bytes, or silence, the watch is begun from a list.
            self._store.replace(items, version, self.namespace)
            self._version = None
        else:
            self._store.reconcile(items, version, self.namespace)

    # What each outcome means

    def _ended(self) -> float:
        """The server ended the watch, as it does when its time is over; at once only when something is wrong."""
        lasted = self._clock() - (self._opened_at or self._clock())
        self._cut = lasted < 0.9 * self._asked_for
        if lasted < 1.0:
            # As client-go: listed again. A server that ends takes one more watch, and may be another one after that.
            self._version = None
            return self._failed(Unavailable("The API server ended the watch as soon as it began."))
        self._backoff.reset()
        self._quietly("The API server ended the watch.")
        return 0.0

    def _expired(self, error: Gone) -> float:
        self._version = None
        if self._clock() - self._listed_at < self._timing.settled:
            return self._failed(error)  # it was listed just now: do not do so again and again
        self._quietly(error.message)
        return 0.0

    def _failed(self, error: ClusterError) -> float:
        opened = self._opened_at
        if opened is not None:
            self._cut = True
        # As client-go: a server that is busy is not listed again. But one that ends, or begins, says that it is busy
        # too, and its etcd may be another one, or an older one, by then.
        if opened is None and (self._cut or not isinstance(error, TooManyRequests)):
            self._version = None
        elif opened is not None and self._clock() - opened >= self._timing.settled:
            self._backoff.reset()
        self._set("reconnecting", error.message, error)
        return self._backoff.next(getattr(error, "retry_after", None))

    def _stopped(self, error: ClusterError) -> float:
        self._version = None
        if self._raise_forbidden and isinstance(error, Forbidden):
            raise error
        reason = error.message
        if isinstance(error, NotFound):
            # The kind is served no more, nor is any object of it.
            self._store.replace((), "", self.namespace)
            reason = f"The API server does not serve {self._kind.plural}."
        self._set("stopped", reason, error)
        return self._refused.next()

    # The state

    def _live(self) -> None:
        self._refused.reset()
        self._set("live", "", None)

    def _quietly(self, reason: str) -> None:
        """Still live, unless the next watch takes longer than a moment to open."""
        if self._status.state == "live" and self._grace is None:
            self._grace = asyncio.get_running_loop().call_later(
                self._timing.grace, self._set, "reconnecting", reason, None
            )

    def _set(self, state: State, reason: str, error: ClusterError | None) -> None:
        self._cancel_grace()
        previous = self._status
        changed = (previous.state, previous.reason) != (state, reason)
        since = previous.since if previous.state == state else self._clock()
        kept = None if error is None else error.to_keep()
        self._status = replace(previous, state=state, reason=reason, error=kept, since=since)
        if changed and self._on_status is not None:
            self._on_status(self._status)

    def _heard(self) -> None:
        self._answered = True
        self.heard_at = self._clock()

    def _cancel_grace(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None

    def _plan_resync(self) -> None:
        self._resync_at = self._clock() + self._between(*self._timing.resync)

    def _between(self, low: float, high: float) -> float:
        return low + (high - low) * self._rng()
