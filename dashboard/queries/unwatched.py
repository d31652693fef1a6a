"""Objects of kinds that nobody watches, for a search: lists taken when somebody searches, and kept for a short while.

A cluster may offer hundreds of such kinds, most of them empty. A watch of each would be a connection for ever; a list of
each takes the API server some milliseconds, and only while somebody searches.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from dashboard.cache.cluster import ClusterCache
from dashboard.errors import ClusterError, Forbidden, NotFound
from dashboard.kinds.base import Column, Kind, Row
from dashboard.kube.access import KEEP_SECONDS as PROVED_SECONDS
from dashboard.kube.access import Rules, allowed, rules_in
from dashboard.kube.transport import Transport

__all__ = ["Listing", "Unwatched"]

KEEP_SECONDS = 60.0
RETRY_SECONDS = 15.0  # what could not be listed is tried again after this
FORGET_SECONDS = 120.0  # after the last search
AT_ONCE = 8
OF_A_GROUP = 2  # at once: an API that is slow holds up nobody but itself
LIST_SECONDS = 5.0
ROWS = 500  # of a kind
ALL_ROWS = 10_000  # some 20 MB
NAMESPACES = 50  # looked at one by one
PARTS = 1000  # lists of single namespaces in one reading


@dataclass(frozen=True)
class Listing:
    """What was found of a kind.

    ``scopes``: the namespaces it was listed in, None for all; ``columns``: those its rows are told in; ``made_by``: the
    rows by the uid of each owner; ``more``: there are others, which were not read; ``trouble``: why nothing was.
    """

    at: float
    scopes: frozenset[str] | None = None
    rows: tuple[Row, ...] = ()
    columns: tuple[Column, ...] = ()
    made_by: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    more: bool = False
    trouble: ClusterError | None = None

    @property
    def denied(self) -> bool:
        return isinstance(self.trouble, Forbidden)


class Unwatched:
    """One cluster's, as one account lists them, in one process; use it on one event loop."""

    def __init__(
        self, cache: ClusterCache, transport: Transport, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cache = cache
        self._transport = transport
        self._clock = clock
        self._kept: dict[str, Listing] = {}
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._group_gates: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(OF_A_GROUP))
        self._rules: dict[str, tuple[float, Rules]] = {}
        self._rules_lock = asyncio.Lock()
        self._parts = 0
        self._callbacks: list[Callable[[], None]] = []
        self._forget: asyncio.TimerHandle | None = None

    def of(self, plural: str) -> Listing | None:
        """As it was last read; None while it is being read for the first time, or under other columns."""
        found = self._kept.get(plural)
        if found is None or (found.rows and found.columns is not self._cache.kinds[plural].columns):
            return None
        return found

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back when a kind was read. Returns what ends that."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback) if callback in self._callbacks else None

    async def ask(self, plurals: Iterable[str], patience: float) -> None:
        """Reads those that were not read lately, and waits ``patience`` seconds for them at most; what was read before is
        looked at again, for whether the user may still list it.
        """
        wanted = list(plurals)
        self._forget_later()
        await self._review([plural for plural in wanted if plural in self._kept])
        if not self._reading:
            self._parts = 0
        for plural in wanted:
            if plural not in self._reading and self._is_old(plural):
                task = asyncio.create_task(self._read(plural), name=f"list {plural}")
                self._reading[plural] = task
        tasks = [self._reading[plural] for plural in wanted if plural in self._reading]
        if tasks and patience > 0:
            await asyncio.wait(tasks, timeout=patience)

    async def close(self) -> None:
        """Reads no more."""
        if self._forget is not None:
            self._forget.cancel()
        tasks = list(self._reading.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _is_old(self, plural: str) -> bool:
        found = self.of(plural)
        if found is None:
            return True
        keep = RETRY_SECONDS if found.trouble is not None and not found.denied else KEEP_SECONDS
        return self._clock() - found.at >= keep

    def _forget_later(self) -> None:
        if self._forget is not None:
            self._forget.cancel()
        self._forget = asyncio.get_running_loop().call_later(FORGET_SECONDS, self._kept.clear)

    # ---- Rights

    async def _review(self, plurals: Collection[str]) -> None:
        """A list proves the right to it for as long as an access review does; then it is asked for."""
        now = self._clock()
        due = [
            plural
            for plural in plurals
            if self._kept[plural].rows and now - self._kept[plural].at >= PROVED_SECONDS
        ]
        answers = await asyncio.gather(*map(self._may_still, due))
        for plural, may in zip(due, answers, strict=True):
            if not may:
                self._kept.pop(plural, None)

    async def _may_still(self, plural: str) -> bool:
        kind, listing = self._cache.kinds[plural], self._kept[plural]
        scopes = [None] if listing.scopes is None else sorted(listing.scopes)
        for namespace in scopes:
            try:
                async with self._gate:
                    decision = await allowed(self._transport, "list", kind.gvr, namespace=namespace)
            except ClusterError as error:
                # An API server that is away can answer no review, nor can it take a right away.
                return not isinstance(error, Forbidden)
            if not decision.allowed:
                return False
        return True

    async def _listable(self, kind: Kind[Any]) -> list[str]:
        """The namespaces in which the account may list a kind that it may not list in all."""
        names = (await self._cache.namespaces.names())[:NAMESPACES]
        async with self._rules_lock:
            now = self._clock()
            old = [
                name
                for name in names
                if name not in self._rules or now - self._rules[name][0] >= KEEP_SECONDS
            ]
            answers = await asyncio.gather(*(self._rules_in(name) for name in old))
            self._rules |= {name: (now, rules) for name, rules in zip(old, answers, strict=True)}
        return [name for name in names if self._rules[name][1].may("list", kind.gvr)]

    async def _rules_in(self, namespace: str) -> Rules:
        async with self._gate:
            return await rules_in(self._transport, namespace)

    # ---- Lists

    async def _read(self, plural: str) -> None:
        kind = self._cache.kinds[plural]
        try:
            async with self._group_gates[kind.gvr.group]:
                listing = await self._listed(kind)
        except NotFound:
            listing = Listing(self._clock())  # not served any more: discovery will tell
        except ClusterError as error:
            listing = Listing(self._clock(), trouble=error)
        except ValueError:  # no Table, from an aggregated API that knows none
            listing = Listing(self._clock(), trouble=ClusterError(f"The answer for {plural} cannot be read."))
        finally:
            del self._reading[plural]
        self._kept[plural] = self._fitted(plural, listing)
        for callback in tuple(self._callbacks):
            callback()

    def _fitted(self, plural: str, listing: Listing) -> Listing:
        """As many of the rows as there is room for."""
        room = ALL_ROWS - sum(len(each.rows) for other, each in self._kept.items() if other != plural)
        if len(listing.rows) <= room:
            return listing
        return replace(listing, rows=listing.rows[: max(0, room)], more=True)

    async def _listed(self, kind: Kind[Any]) -> Listing:
        try:
            return await self._part(kind, None)
        except Forbidden as refusal:
            names = await self._listable(kind) if kind.gvr.namespaced else []
            listing = await self._in_each(kind, names)
            if listing.scopes:
                return listing
            raise refusal

    async def _in_each(self, kind: Kind[Any], names: list[str]) -> Listing:
        """One listing of several namespaces; those that refuse are not in its scopes."""
        asked = names[: max(0, PARTS - self._parts)]
        self._parts += len(asked)
        parts = []
        for name in asked:
            with suppress(Forbidden):
                parts.append(await self._part(kind, name))
        rows = tuple(row for part in parts for row in part.rows)[:ROWS]
        made_by: dict[str, tuple[Row, ...]] = {}
        for part in parts:
            for uid, made in part.made_by.items():  # an owner without a namespace may have made some in each
                made_by[uid] = (*made_by.get(uid, ()), *made)
        more = len(asked) < len(names) or any(part.more for part in parts)
        scopes = frozenset(name for part in parts for name in part.scopes or ())
        more |= sum(len(part.rows) for part in parts) > ROWS
        return Listing(self._clock(), scopes, rows, kind.columns, made_by, more)

    async def _part(self, kind: Kind[Any], namespace: str | None) -> Listing:
        async with self._gate:
            response = await self._transport.request(
                "GET",
                kind.gvr,
                namespace=namespace,
                query={**kind.query, "limit": str(ROWS)},
                accept=kind.accept,
                timeout=LIST_SECONDS,
            )
        page = kind.decode_list(response.body)
        rows = tuple(map(kind.row, page.items))
        made_by: dict[str, tuple[Row, ...]] = {}
        for obj, row in zip(page.items, rows, strict=True):
            for owner in obj.metadata.owner_references or ():
                made_by[owner.uid] = (*made_by.get(owner.uid, ()), row)
        scopes = None if namespace is None else frozenset({namespace})
        return Listing(self._clock(), scopes, rows, kind.columns, made_by, bool(page.continue_))
