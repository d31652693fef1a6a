"""What one process holds open: for each cluster somebody looks at, its transport, cache, history and hub.

Everything here belongs to the one event loop that the server runs on; ``start`` and ``stop`` are called by its lifespan.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from dashboard.cache.cluster import ClusterCache
from dashboard.cache.discovery import Discovery
from dashboard.errors import ClusterError, NotFound
from dashboard.kinds import KINDS
from dashboard.kinds.catalogue import DEFINITIONS, Kinds
from dashboard.kube.config import Cluster, load_clusters
from dashboard.kube.metrics import MetricsServer
from dashboard.kube.prometheus import Prometheus, Target
from dashboard.kube.transport import Transport
from dashboard.queries.counts import Counts
from dashboard.queries.prometheus import PrometheusUsage
from dashboard.queries.reader import Reader
from dashboard.queries.unwatched import Unwatched

from .history import History, Restarts
from .hub import Hub
from .longer import Longer
from .timeline import Timeline
from .usage import Source, Usage

SYNC_SECONDS = 10.0


class ClusterRuntime:
    """One cluster, open."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.transport = Transport(cluster, user_agent=f"cluster-ui/{settings.VERSION}")
        self.kinds = Kinds()
        self.cache = ClusterCache(
            self.transport,
            kinds=self.kinds,
            namespaces=settings.CLUSTER_UI_NAMESPACES,
            idle=settings.CLUSTER_UI_IDLE_SECONDS,
        )
        self.reader = Reader(self.cache)
        self.history = History(self.cache)
        self.timeline = Timeline(self)
        self.restarts = Restarts(self.cache)
        target = prometheus_target(cluster)
        self.prometheus = None if target is None else Prometheus(target)
        self.usage = Usage(self.cache, self._sources(), idle=settings.CLUSTER_UI_USAGE_SECONDS)
        self.longer = None if self.prometheus is None else Longer(self.prometheus, self.usage.tell)
        self.counts = Counts(self.cache)
        self.unwatched = Unwatched(self.cache)
        self.discovery = Discovery(
            self.transport, self.kinds, wanted=lambda: self.cache.leased(DEFINITIONS.key)
        )
        self.cache.store(DEFINITIONS.key).subscribe(self.discovery.notice)
        self.discovery.on_change(self.cache.offered)
        self.hub = Hub(self)
        self.version = ""
        self.answered_at: datetime | None = None

    def is_of(self, cluster: Cluster) -> bool:
        """Whether it was opened for just this context, its credentials included."""
        return self.cluster == cluster and self.cluster.connection == cluster.connection

    async def ready(self, plurals: Iterable[str]) -> None:
        """Wait until the kinds have been listed, or refused, or have failed, for at most 10 s. Somebody looks: from
        now on what happens is recorded."""
        wanted = frozenset(plurals)
        if settings.CLUSTER_UI_TIMELINE:
            self.timeline.start()
            self.timeline.follow(wanted)
        self.discovery.start()
        await self.cache.synced(wanted, timeout=SYNC_SECONDS)

    async def knows(self, plural: str) -> None:
        """Wait until it is known whether there is such a kind, for at most 10 s. At once for one with a module here."""
        if plural not in KINDS:
            await self.discovery.known(timeout=SYNC_SECONDS)
        if plural not in self.kinds:
            await self.discovery.anew(timeout=SYNC_SECONDS)

    async def probe(self) -> None:
        """Ask the API server for its version. Raises ClusterError when it does not answer."""
        self.version = self.reader.version = str((await self.transport.version()).get("gitVersion", ""))
        self.answered_at = datetime.now(UTC)

    def subscribe(
        self,
        plurals: Iterable[str],
        changed: Callable[[Sequence[Any]], None],
        reconsider: Callable[[], None],
    ) -> Callable[[], None]:
        """Be told of every change of objects of these kinds, and (``reconsider``) of the state of their watches."""
        wanted = frozenset(plurals)

        def status(plural: str, _: object) -> None:
            if plural in wanted:
                changed(())
                reconsider()

        undo = [self.cache.store(plural).subscribe(changed) for plural in wanted]
        undo.append(self.cache.on_status(status))

        def unsubscribe() -> None:
            for each in undo:
                each()

        return unsubscribe

    def _sources(self) -> list[Source]:
        """Who measures what is used: the cluster's own metrics, else Prometheus where one is set."""
        sources: list[Source] = [MetricsServer(self.transport)]
        if self.prometheus is not None:
            sources.append(PrometheusUsage(self.prometheus, self._node_names))
        return sources

    def _node_names(self) -> dict[str, str]:
        names: dict[str, str] = {}
        for node in self.reader.all("nodes"):
            name = node.metadata.name
            names |= {name: name} | {each.address: name for each in node.status.addresses or ()}
        return names

    async def close(self) -> None:
        self.hub.close()
        self.history.close()
        await self.discovery.close()
        await self.unwatched.close()
        await self.timeline.close()
        self.restarts.close()
        await self.usage.close()
        if self.longer is not None:
            await self.longer.close()
        if self.prometheus is not None:
            await self.prometheus.close()
        await self.cache.close()
        await self.transport.close()


class Runtime:
    """All clusters of this process."""

    def __init__(self) -> None:
        self.tried = False
        self._open: dict[str, ClusterRuntime] = {}
        self._kept: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self.keep(self._first_attempt())

    async def _first_attempt(self) -> None:
        """Readiness is one finished attempt to reach the cluster, whatever its end."""
        try:
            clusters = self.clusters()
            if clusters:
                await self.open(clusters[0].slug).probe()
        except ClusterError:
            pass  # reported by /readyz and on every page of that cluster
        finally:
            self.tried = True

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something for as long as the process serves."""
        task = asyncio.create_task(work)
        self._kept.add(task)
        task.add_done_callback(self._kept.discard)

    async def stop(self) -> None:
        kept = tuple(self._kept)
        for task in kept:
            task.cancel()
        await asyncio.gather(*kept, return_exceptions=True)
        for cluster in self._open.values():
            await cluster.close()
        self._open.clear()

    def clusters(self) -> tuple[Cluster, ...]:
        """Every context that can be chosen, the current one first. Raises BadInput for a broken kubeconfig."""
        return load_clusters(environ=os.environ, sandbox_kubeconfig=sandbox_kubeconfig())

    def open(self, slug: str) -> ClusterRuntime:
        """The open cluster of a slug. Raises NotFound for a context that no configuration names."""
        # Compared anew each time: a kubeconfig edited meanwhile must not go on with its old credentials.
        cluster = next((each for each in self.clusters() if each.slug == slug), None)
        if cluster is None:
            raise NotFound(
                f"No context is called {slug}.", next_step="Choose one of the clusters in the list."
            )
        known = self._open.get(slug)
        if known is not None and known.is_of(cluster):
            return known
        if known is not None:
            self.keep(known.close())
        self._open[slug] = ClusterRuntime(cluster)
        return self._open[slug]

    def serves(self, cluster: ClusterRuntime) -> bool:
        """Whether a cluster is still configured as it was opened; yes, while a kubeconfig cannot be read."""
        try:
            return self.open(cluster.cluster.slug) is cluster
        except NotFound:
            return False
        except ClusterError:
            return True

    def opened(self) -> tuple[ClusterRuntime, ...]:
        return tuple(self._open.values())


def prometheus_target(cluster: Cluster) -> Target | None:
    """The Prometheus that the settings name for a context, or for every one."""
    urls, tokens = settings.CLUSTER_UI_PROMETHEUS_URL, settings.CLUSTER_UI_PROMETHEUS_TOKEN_FILE
    own, every = cluster.slug, ""
    url = urls.get(own) or urls.get(every)
    return Target.read(url, tokens.get(own) or tokens.get(every) or "") if url else None


def sandbox_kubeconfig() -> Path | None:
    """The kubeconfig of this installation's sandbox, when it has been started."""
    from sandbox import Sandbox

    path = Sandbox(settings.CLUSTER_UI_SANDBOX).kubeconfig
    return path if path.exists() else None


runtime = Runtime()
