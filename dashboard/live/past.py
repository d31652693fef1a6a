"""A cluster as it was: the same screens and queries over what was recorded, with the rights of today (docs/adr/0070).

Nothing here leads to the API server but reviews: whoever looks sees of the past what they may see of the present.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from dashboard.cache.cluster import ClusterCache, Lease
from dashboard.cache.recording import UNKNOWN, KindState, Moment
from dashboard.cache.reflector import ReflectorStatus
from dashboard.cache.store import Store
from dashboard.database import in_database
from dashboard.errors import Forbidden, NotKept
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR
from dashboard.kube.transport import Transport
from dashboard.queries.reader import Reader
from dashboard.queries.recordings import Known, known, moment_read
from dashboard.queries.seenreader import SeenReader

from .history import History, Restarts
from .runtime import ClusterRuntime, Installation
from .session import Identity, Session
from .sightings import Sightings
from .timeline import Timeline
from .usage import Usage

MOMENTS, OBJECTS = 4, 150_000  # of a cluster that are kept at once; the one looked at last always is
STATES = frozenset({"starting", "live", "reconnecting", "stopped"})


class PastCache(ClusterCache):
    """What the stores held at a moment. Nothing fills it, and nothing of it changes."""

    def __init__(self, live: ClusterCache, moment: Moment) -> None:
        super().__init__(live.transport, live.kinds)
        self._moment = moment
        self._empty: dict[str, Store[Any]] = {}

    def lease(self, plurals: Iterable[str], *, beside: bool = False) -> Lease:
        return Lease(frozenset(plurals), lambda *_, **__: None, beside=beside)

    async def synced(
        self,
        plurals: Iterable[str],
        timeout: float,  # noqa: ASYNC109 as ClusterCache.synced
        *,
        partly: bool = False,
    ) -> None:
        """All of it is there."""

    def leased(self, plural: str) -> bool:
        return False

    def watches(self, plural: str) -> bool:
        return self._state(plural).state == "live"

    def begun(self, plural: str) -> bool:
        return True

    def listed(self, plural: str) -> bool:
        return self._state(plural).listed

    def knows(self, plural: str, namespace: str) -> bool | None:
        scopes = self.scopes(plural)
        return self.listed(plural) if scopes is None or namespace in scopes else None

    def store(self, plural: str) -> Store[Any]:
        found = self._moment.stores.get(plural)
        return self._empty.setdefault(plural, Store(self.kinds[plural])) if found is None else found

    def status(self, plural: str) -> ReflectorStatus:
        state = self._state(plural).state
        return ReflectorStatus("live" if state == "live" else "reconnecting")

    def denied(self, plural: str) -> Forbidden | None:
        if plural not in self._moment.stores:
            return Forbidden(f"{self.kinds[plural].title} are not recorded.", verb="list", resource=plural)
        reason = self._state(plural).denied
        return Forbidden(reason, verb="list", resource=plural) if reason else None

    def scopes(self, plural: str) -> frozenset[str] | None:
        scopes = self._state(plural).scopes
        return None if scopes is None else frozenset(scopes)

    def _state(self, plural: str) -> KindState:
        return self._moment.states.get(plural, UNKNOWN)


class PastInstallation(Installation):
    """The cache alone: there is no way from it to the API server of now."""

    def __init__(self, cache: PastCache) -> None:
        self.transport: Transport = cache.transport
        self.cache = cache
        self.reader = Reader(cache)


class Unmeasured(Usage):
    """Nothing that was measured is recorded."""

    def touch(self) -> None:
        """Nothing is measured."""


class PastSession(Session):
    """Somebody's rights of today, and nothing past the record."""

    @property
    def transport(self) -> Transport:
        raise NotKept(
            "This was not recorded: it is read from the API server, which only knows it as it is now."
        )

    async def permitted(
        self,
        verb: str,
        gvr: GVR,
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
    ) -> Transport | None:
        """What leads past the record is not to be had, whatever may be done now."""
        return None


class PastCluster(ClusterRuntime):
    """An open cluster at a moment: what is read of it was recorded; what is measured or asked for is not there."""

    def __init__(self, live: ClusterRuntime, moment: Moment) -> None:
        self.shown_at = moment.at
        self.moment = moment
        self.live = live
        self.cluster, self.recognised = live.cluster, live.recognised
        self.kinds = live.kinds
        cache = PastCache(live.installation.cache, moment)
        self.installation = PastInstallation(cache)
        self.history, self.restarts, self.sightings = History(cache), Restarts(cache), Sightings(cache)
        self.timeline, self.usage = Timeline(self), Unmeasured(cache, ())
        self.versions, self.discovery, self.hub = live.versions, live.discovery, live.hub
        self.recorder, self.past = live.recorder, live.past
        self.prometheus = self.longer = None
        self.version = ""
        self.closed = False

    def session(self, identity: Identity) -> Session:
        return PastSession(
            identity, self, self.live.account_of(identity), SeenReader(self.installation.reader)
        )

    async def knows(self, plural: str) -> None:
        await self.live.knows(plural)

    def lease(self, plurals: Iterable[str], *, beside: bool = False) -> Lease:
        return self.installation.cache.lease(plurals, beside=beside)

    async def ready(self, plurals: Iterable[str], *, partly: bool = False) -> None:
        for plural in frozenset(plurals) & KINDS.keys():
            await self.installation.reader.make_rows(plural)

    async def known(self) -> None:
        """Which cluster it was is known since it is recorded."""

    async def probe(self) -> None:
        """Whether it answered then is not known."""

    def subscribe(
        self,
        plurals: Iterable[str],
        changed: Callable[[Sequence[Any]], None],
        reconsider: Callable[[], None],
    ) -> Callable[[], None]:
        return lambda: None

    async def close(self) -> None:
        """There is nothing to close."""


class Pasts:
    """The moments of a cluster that somebody looks at, or did just now: a few are kept."""

    def __init__(self, live: ClusterRuntime) -> None:
        self._live = live
        self._kept: dict[datetime, PastCluster] = {}
        self._reading = asyncio.Lock()  # one at a time: each takes a thread for a second, and memory

    async def known(self) -> Known:
        """From when until when there is a record."""
        await self._live.known()
        return await in_database(known)(self._live.recognised.records)

    async def at(self, moment: datetime) -> PastCluster:
        """The cluster as it was. Raises NotKept for what was not recorded, or is kept no more."""
        async with self._reading:
            found = self._kept.pop(moment, None)
            if found is None:
                await self._live.known()
                await self._live.recorder.flush()
                read = await in_database(moment_read)(self._live.recognised.records, moment)
                if read is None:
                    raise not_kept(moment, await self.known())
                found = PastCluster(self._live, read)
            self._kept[moment] = found
            while len(self._kept) > MOMENTS or self._too_many():
                del self._kept[next(iter(self._kept))]
        return found

    def _too_many(self) -> bool:
        return len(self._kept) > 1 and sum(each.moment.objects for each in self._kept.values()) > OBJECTS


def not_kept(moment: datetime, found: Known) -> NotKept:
    """Why there is no page for a moment, in words."""
    if found.since is None or found.until is None:
        return NotKept(
            "Nothing has been recorded of this cluster yet.",
            next_step="The record begins with the first page of the cluster that somebody opens, unless "
            "CLUSTER_UI_REWIND=0 turns it off.",
        )
    if moment < found.since:
        return NotKept(
            f"The record goes back to {_words(found.since)}.", moments=(None, found.since)
        )  # what was before it was not recorded, or is kept no more
    before, after = found.nearest(moment)
    if after is None:
        return NotKept(
            f"The record ends at {_words(found.until)}: the dashboard did not watch this cluster after that, or has not "
            "written it yet.",
            moments=(before, None),
        )
    return NotKept(
        f"Nothing was recorded between {_words(before or found.since)} and {_words(after)}: the dashboard did not watch "
        "this cluster.",
        moments=(before, after),
    )


def _words(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
