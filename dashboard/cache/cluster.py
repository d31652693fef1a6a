"""Everything this process keeps of one cluster. Reflectors run while somebody looks, and a while after."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import Any

from dashboard.cache.feed import Feed, Review
from dashboard.cache.namespaces import Namespaces
from dashboard.cache.reflector import ReflectorStatus, Timing
from dashboard.cache.store import Store
from dashboard.cache.turns import BESIDE, LAST, LOOKED_AT, Turns
from dashboard.errors import Forbidden
from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind
from dashboard.kube.transport import Transport

__all__ = ["ClusterCache", "Lease"]

logger = logging.getLogger(__name__)

StatusCallback = Callable[[str, ReflectorStatus], None]


class Lease:
    """Somebody looks at these kinds, until ``release()`` (or the end of a ``with``); ``beside``: at something else,
    beside which they are shown, counted or recorded.
    """

    def __init__(
        self, plurals: frozenset[str], release: Callable[[frozenset[str], bool], None], *, beside: bool
    ) -> None:
        self.plurals = plurals
        self.beside = beside
        self._release: Callable[[frozenset[str], bool], None] | None = release

    def release(self) -> None:
        """Nobody looks any more; once is enough, and more does no harm."""
        release, self._release = self._release, None
        if release is not None:
            release(self.plurals, self.beside)

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class ClusterCache:
    """The stores of one cluster, by plural (the keys of ``kinds``, to which more may come).

    ``namespaces``: where to look when the account may list neither a kind in the whole cluster nor the
    namespaces. ``idle``: how long reflectors outlive their last lease, in seconds. Use it on one event loop.
    """

    def __init__(
        self,
        transport: Transport,
        kinds: Mapping[str, Kind[Any]] = KINDS,
        *,
        namespaces: tuple[str, ...] = (),
        idle: float = 300.0,
        timing: Timing = Timing(),  # noqa: B008 frozen
        review: Review = Review(),  # noqa: B008 frozen
    ) -> None:
        self.transport = transport
        self.kinds = kinds
        self.namespaces = Namespaces(transport, namespaces)
        self._idle = idle
        self._timing = timing
        self._review = review
        self._feeds: dict[str, Feed] = {}
        self._leases: Counter[str] = Counter()
        self._looked_at: Counter[str] = Counter()
        self._turns = Turns()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._callbacks: list[StatusCallback] = []
        self._closed = False

    def lease(self, plurals: Iterable[str], *, beside: bool = False) -> Lease:
        """Starts what does not run yet, at once. Of what has to be listed first, that comes before what is only leased
        ``beside``. Raises KeyError for an unknown plural.
        """
        wanted = frozenset(plurals)
        for feed in [self._feed(plural) for plural in wanted]:
            if not self._closed:
                feed.start()
        for plural in wanted:
            self._leases[plural] += 1
            self._looked_at[plural] += not beside
            if timer := self._timers.pop(plural, None):
                timer.cancel()
        return Lease(wanted, self._release, beside=beside)

    async def synced(
        self,
        plurals: Iterable[str],
        timeout: float,  # noqa: ASYNC109 part of the promise
        *,
        partly: bool = False,
    ) -> None:
        """Waits until each has been listed once (``partly``: or a part of it has been), or was refused or failed; at most
        ``timeout`` seconds.

        Never raises for any of that: ``status()`` and ``denied()`` tell. Hold a lease on them.
        """
        feeds = map(self._feed, set(plurals))
        waiting = [asyncio.create_task((feed.begun if partly else feed.settled).wait()) for feed in feeds]
        if not waiting:
            return
        try:
            await asyncio.wait(waiting, timeout=timeout)
        finally:
            for task in waiting:
                task.cancel()

    def leased(self, plural: str) -> bool:
        """Whether somebody looks at it."""
        return self._leases[plural] > 0

    def offered(self) -> None:
        """Other kinds, or other versions of them, are offered than before: what was missing is tried again at once."""
        for feed in self._feeds.values():
            feed.served()

    @property
    def runs(self) -> bool:
        """Whether somebody looks at anything of it, or did a while ago."""
        return any(feed.runs for feed in self._feeds.values())

    @property
    def running(self) -> tuple[str, ...]:
        """The kinds that are watched, or tried to be."""
        return tuple(plural for plural, feed in self._feeds.items() if feed.runs)

    @property
    def waiting_lists(self) -> int:
        """How many kinds wait for their turn to be listed."""
        return self._turns.waiting

    def watches(self, plural: str) -> bool:
        """Whether its store is kept up to date just now, be it for somebody who has just left."""
        feed = self._feeds.get(plural)
        return feed is not None and feed.status.state == "live"

    def begun(self, plural: str) -> bool:
        """Whether some of it has been listed, or it was refused or failed: before that, ``scopes()`` says nothing."""
        return self._feed(plural).begun.is_set()

    def listed(self, plural: str) -> bool:
        """Whether the store holds all there is of a kind where it may be read, as of its last list. An empty store
        of a kind that was never listed says nothing."""
        return self._feed(plural).listed

    def knows(self, plural: str, namespace: str) -> bool | None:
        """Whether the store holds what there is of a kind in a namespace: not before it has been listed there once;
        None where the account may not list it.
        """
        return self._feed(plural).knows(namespace)

    def store(self, plural: str) -> Store[Any]:
        """The same store for ever; empty while nobody holds a lease."""
        return self._feed(plural).store

    def status(self, plural: str) -> ReflectorStatus:
        """How fresh the store is, over all its scopes; stopped only when all of them are."""
        return self._feed(plural).status

    def heard_at(self, plural: str) -> float:
        """Monotonic seconds when the API server last said anything about a kind; 0 for never."""
        return self._feed(plural).heard_at

    def denied(self, plural: str) -> Forbidden | None:
        """The refusal, when nothing of this kind may be read anywhere."""
        error = self._feed(plural).status.error
        return error if isinstance(error, Forbidden) else None

    def scopes(self, plural: str) -> frozenset[str] | None:
        """The namespaces that are read; None: the whole cluster."""
        return self._feed(plural).scopes

    def on_status(self, callback: StatusCallback) -> Callable[[], None]:
        """Calls back with plural and status when state or reason change. Returns what ends that."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback) if callback in self._callbacks else None

    async def close(self) -> None:
        """Stops everything; the transport stays open."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for feed in self._feeds.values():
            feed.stop()
        await asyncio.gather(*(feed.ended() for feed in self._feeds.values()))

    def _feed(self, plural: str) -> Feed:
        feed = self._feeds.get(plural)
        if feed is None:
            feed = self._feeds[plural] = Feed(
                self.transport,
                self.kinds[plural],
                self.namespaces,
                timing=self._timing,
                review=self._review,
                on_status=self._tell,
                turn=partial(self._turns.turn, partial(self._urgency, plural)),
            )
        return feed

    def _urgency(self, plural: str) -> int:
        """How soon a kind is to be listed. What has happened is the longest list, and the one that can wait."""
        if self._looked_at[plural] > 0:
            return LOOKED_AT
        return LAST if plural == "events" else BESIDE

    def _release(self, plurals: frozenset[str], beside: bool) -> None:
        for plural in plurals:
            self._leases[plural] -= 1
            self._looked_at[plural] -= not beside
            if self._leases[plural] == 0 and not self._closed:
                loop = asyncio.get_running_loop()
                self._timers[plural] = loop.call_later(self._idle, self._stop, plural)

    def _stop(self, plural: str) -> None:
        del self._timers[plural]
        self._feeds[plural].stop()

    def _tell(self, plural: str, status: ReflectorStatus) -> None:
        for callback in tuple(self._callbacks):
            try:
                callback(plural, status)
            except Exception:  # one reader's fault must not stop the watch for all
                logger.exception("a subscriber of the status of %s failed", plural)
