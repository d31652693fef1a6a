"""Figures that are kept each hour, so that pages can tell where something is going: quotas, volumes, and scores.

They are read with the installation's account; what of them a viewer sees is decided where they are shown. Several server
processes keep one row an hour together: whoever is first writes it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from dashboard.database import AWAY, in_database
from dashboard.errors import ClusterError
from dashboard.insight.capacity import amounts
from dashboard.insight.losing.effects import PLURALS
from dashboard.insight.losing.report import REPORTED, preparedness
from dashboard.kinds import KINDS
from dashboard.loop import off_loop
from dashboard.models import HourlyFigures
from dashboard.queries.frozen import Frozen
from dashboard.queries.volumes import claim_fills

from .background import begin
from .retention import HOURLY_DAYS, SCORE_DAYS
from .session import THE_INSTALLATION

if TYPE_CHECKING:
    from .runtime import ClusterRuntime

log = logging.getLogger(__name__)

What = HourlyFigures.What
Row = tuple[float, dict[str, Any]]  # Unix time in seconds, values
Series = Mapping[str, list[tuple[float, float]]]

MAX_SERIES = 500  # of each kind of figures; docs/limits.md
SYNC_SECONDS, AGAIN_SECONDS = 60.0, 60.0
READ = frozenset({*PLURALS, *REPORTED, "resourcequotas"})


class HourlyRecorder:
    """One cluster's, in one process. ``start`` it on the event loop."""

    def __init__(
        self, runtime: ClusterRuntime, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._runtime, self._clock = runtime, clock
        self._rows: dict[str, list[Row]] = {}
        self._series: dict[str, Series] = {}
        self._task: asyncio.Task[None] | None = None
        self.volumes_refused = ""  # why it is not known how full volumes are

    @property
    def _context(self) -> str:
        return self._runtime.recognised.records

    def start(self) -> None:
        """Begin to record; twice does no harm."""
        if self._task is None:
            self._task = begin(THE_INSTALLATION, self._run(), f"hourly figures of {self._context}")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # ---- What is known

    def rows(self, what: str) -> Sequence[Row]:
        """The rows of one kind of figures, the oldest first."""
        return self._rows.get(what, ())

    def series(self, what: str) -> Series:
        """Of quotas and volumes, the figures by what each is of; never changed once it was given."""
        return self._series.get(what, {})

    def _take(self, rows: dict[str, list[Row]]) -> None:
        self._rows = rows
        self._series = {what: series_of(rows.get(what, ())) for what in (What.QUOTAS, What.VOLUMES)}

    # ---- Recording

    async def _run(self) -> None:
        cache = self._runtime.installation.cache
        with cache.lease(READ, beside=True):
            await cache.synced(READ, SYNC_SECONDS)
            self._take(await in_database(_kept)(self._context, self._clock()))
            while True:
                try:
                    await self.record()
                    now = self._clock()
                    await asyncio.sleep((_hour(now) + timedelta(hours=1) - now).total_seconds())
                except (ClusterError, *AWAY) as error:
                    log.warning("the hourly figures of %s wait: %s", self._context, error)
                    await asyncio.sleep(AGAIN_SECONDS)
                except Exception:
                    log.exception("keeping the hourly figures of %s", self._context)
                    await asyncio.sleep(AGAIN_SECONDS)

    async def record(self) -> None:
        """Keeps this hour's figures, of those that nobody has kept yet."""
        now = self._clock()
        hour = _hour(now)
        had = {what for what, rows in self._rows.items() if rows and rows[-1][0] >= hour.timestamp()}
        found: dict[str, dict[str, Any]] = {}
        if What.QUOTAS not in had:
            found[What.QUOTAS] = self._quotas()
        if What.SCORES not in had:
            objects = Frozen(self._runtime.installation.reader, READ & KINDS.keys())
            found[What.SCORES] = await off_loop(_scores, objects, now)
        if What.VOLUMES not in had:
            found[What.VOLUMES] = await self._volumes()
        self._take(await in_database(_keep)(self._context, hour, found, now))

    def _quotas(self) -> dict[str, Any]:
        """How much of each limit is used, by namespace/quota/resource."""
        found: dict[str, Any] = {}
        for quota in self._runtime.installation.reader.all("resourcequotas"):
            meta, used = quota.metadata, amounts(quota.status.used)
            for resource, hard in sorted(amounts(quota.status.hard).items()):
                if hard and len(found) < MAX_SERIES:
                    amount = float(used.get(resource, 0))
                    found[f"{meta.namespace}/{meta.name}/{resource}"] = amount
        return found

    async def _volumes(self) -> dict[str, Any]:
        """How much is in each claim's volume, and how much can be, in bytes, by namespace/claim."""
        try:
            fills, self.volumes_refused = await claim_fills(
                self._runtime.installation.transport,
                self._runtime.prometheus,
                self._runtime.installation.reader.all("pods"),
            )
        except ClusterError as error:
            self.volumes_refused = error.message
            return {}
        fullest = sorted(fills.items(), key=lambda one: -one[1].share)[:MAX_SERIES]
        return {
            f"{namespace}/{claim}": [fill.used, fill.used + fill.free] for (namespace, claim), fill in fullest
        }


def series_of(rows: Sequence[Row]) -> Series:
    """Rows of figures by what each is of, the oldest first. What is kept with a size, as of volumes, as its part of the
    newest one: a volume that was expanded is less full by that, but does not grow any slower.
    """
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    sizes: dict[str, float] = {}
    for at, values in rows:
        for key, value in values.items():
            if isinstance(value, list):
                if key not in sizes:
                    found[key].clear()  # once only parts were kept, of whatever size
                value, sizes[key] = value
            found[key].append((at, float(value)))
    for key, size in sizes.items():
        found[key] = [(at, value / size if size else 0.0) for at, value in found[key]]
    return dict(found)


def _hour(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0)


def _scores(objects: Frozen, now: datetime) -> dict[str, Any]:
    """By namespace: the sum of the scores of its workloads, and how many they are."""
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for each in preparedness(objects, now):
        if each.ref.namespace in found or len(found) < MAX_SERIES:
            both = found[each.ref.namespace]
            both[0] += each.score
            both[1] += 1
    return dict(found)


def _keep(
    context: str, hour: datetime, found: Mapping[str, dict[str, Any]], now: datetime
) -> dict[str, list[Row]]:
    rows = [HourlyFigures(context=context, at=hour, what=what, values=each) for what, each in found.items()]
    HourlyFigures.objects.bulk_create(rows, ignore_conflicts=True)
    return _kept(context, now)


def _kept(context: str, now: datetime) -> dict[str, list[Row]]:
    """Of scores older than the others are kept, those of each day's first hour."""
    since = now - timedelta(days=HOURLY_DAYS)
    found: dict[str, list[Row]] = defaultdict(list)
    rows = HourlyFigures.objects.filter(context=context, at__gte=now - timedelta(days=SCORE_DAYS))
    for what, at, values in rows.order_by("at").values_list("what", "at", "values"):
        if at >= since or what == What.SCORES:
            found[what].append((at.timestamp(), values))
    return found
