"""How many objects of a kind there are, for kinds that nobody watches: a number is not worth a copy of them all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from dashboard.cache.cluster import ClusterCache
from dashboard.errors import ClusterError, Forbidden, NotFound
from dashboard.kinds.base import ListMeta
from dashboard.kube.answers import read_answer
from dashboard.kube.transport import Transport
from dashboard.rights import MissingRight

from .reader import Namespaces

KEEP_SECONDS = 20.0
STALE_SECONDS = 60.0  # an older number is none
MAX_NUMBERS = 500
AT_ONCE = 4
NAMESPACES = 50  # asked one by one at most
# Only the first object's metadata; how many follow, the server says.
ACCEPT = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"


@dataclass(frozen=True, slots=True)
class Count:
    """``total``: None while it is not known; ``denied``: they may not be listed anywhere; ``more``: there may be more,
    as not every namespace was asked, or not every one answered."""

    total: int | None = None
    denied: bool = False
    more: bool = False


class _List(msgspec.Struct, frozen=True):
    metadata: ListMeta = ListMeta()
    items: tuple[msgspec.Raw, ...] | None = None


class Counts:
    """The numbers of one cluster as they were last asked for with one account, in all or in chosen namespaces."""

    def __init__(
        self, cache: ClusterCache, transport: Transport, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cache = cache
        self._transport = transport
        self._clock = clock
        self._known: dict[tuple[str, Namespaces], tuple[float, Count]] = {}
        self._asking: set[tuple[str, Namespaces]] = set()
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._names: frozenset[str] = frozenset()
        self._callbacks: list[Callable[[], None]] = []

    def of(self, plural: str, namespaces: Namespaces) -> Count:
        """As it was last asked for, if that is not long ago."""
        asked_at, count = self._known.get((plural, self._there(namespaces)), (0.0, Count()))
        return count if self._clock() - asked_at < STALE_SECONDS else Count()

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back when a number is another than before. Returns what ends that."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback) if callback in self._callbacks else None

    async def ask(self, plurals: Iterable[str], namespaces: Namespaces) -> None:
        """Counts these kinds as the user, each at most three times a minute. Of the namespaces only those count that
        there are; of none of them nothing is asked.
        """
        if namespaces is not None:
            with suppress(ClusterError):
                self._names = frozenset(await self._cache.namespaces.names())
        there = self._there(namespaces)
        if namespaces is not None and not there:
            return
        old = [key for plural in plurals if self._is_old(key := (plural, there))]
        self._asking.update(old)
        try:
            changed = await asyncio.gather(*map(self._ask, old))
        finally:
            self._asking.difference_update(old)
        if any(changed):
            for callback in tuple(self._callbacks):
                callback()

    def _there(self, namespaces: Namespaces) -> Namespaces:
        """Those that are known, as an address may name any."""
        if namespaces is None:
            return None
        store = self._cache.store("namespaces")
        known = (name for name in namespaces if name in self._names or store.get("", name) is not None)
        return frozenset(known)

    def _is_old(self, key: tuple[str, Namespaces]) -> bool:
        if key in self._asking:
            return False
        return key not in self._known or self._clock() - self._known[key][0] >= KEEP_SECONDS

    async def _ask(self, key: tuple[str, Namespaces]) -> bool:
        """Whether the number is another now."""
        before = self.of(*key)
        try:
            count = await self._count(*key)
        except Forbidden:
            count = Count(denied=True)
        except NotFound:
            count = Count(0)
        except ClusterError:
            count = Count()
        self._keep(key, count)
        return count != before

    def _keep(self, key: tuple[str, Namespaces], count: Count) -> None:
        """The latest stand last; the oldest go."""
        self._known.pop(key, None)
        self._known[key] = (self._clock(), count)
        for old in list(self._known)[:-MAX_NUMBERS]:
            del self._known[old]

    async def _count(self, plural: str, namespaces: Namespaces) -> Count:
        namespaced = self._cache.kinds[plural].gvr.namespaced
        if namespaces is not None and namespaced:
            return await self._within(plural, namespaces)
        try:
            return Count(await self._total(plural, None))
        except Forbidden:
            if not namespaced:
                raise
            names = await self._cache.namespaces.names()
            return await self._within(plural, frozenset(names))

    async def _within(self, plural: str, namespaces: frozenset[str]) -> Count:
        """The sum over those that may be counted, of the first so many. Raises Forbidden (or what else it was) when
        none may.
        """
        if not namespaces:
            raise MissingRight("list", plural, message=f"You may not list {plural}.")
        answers = await asyncio.gather(
            *(self._total(plural, namespace) for namespace in sorted(namespaces)[:NAMESPACES]),
            return_exceptions=True,
        )
        numbers = [answer for answer in answers if isinstance(answer, int)]
        if numbers:
            unknown = any(not isinstance(answer, int | Forbidden) for answer in answers)
            return Count(sum(numbers), more=unknown or len(namespaces) > NAMESPACES)
        raise next(answer for answer in answers if isinstance(answer, BaseException))

    async def _total(self, plural: str, namespace: str | None) -> int:
        async with self._gate:
            response = await self._transport.request(
                "GET",
                self._cache.kinds[plural].gvr,
                namespace=namespace,
                query={"limit": "1"},
                accept=ACCEPT,
                timeout=10.0,
            )
        found = read_answer(response.body, _List)
        return len(found.items or ()) + (found.metadata.remaining_item_count or 0)
