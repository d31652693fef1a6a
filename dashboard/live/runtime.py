"""What one process holds open: for each cluster somebody looks at, its transport, cache, history and hub.

Everything here belongs to the one event loop that the server runs on; ``start`` and ``stop`` are called by its lifespan.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from dashboard.cache.cluster import ClusterCache, Lease
from dashboard.cache.discovery import Discovery
from dashboard.database import AWAY, in_database
from dashboard.errors import (
    ClusterError,
    Forbidden,
    NotFound,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from dashboard.kinds import KINDS
from dashboard.kinds.catalogue import DEFINITIONS, Kinds
from dashboard.kube import whoami
from dashboard.kube.acting import Acting
from dashboard.kube.config import Cluster, Contexts, Endpoint, NoKubeconfig
from dashboard.kube.expiry import certificate_expiry, credential_expiry
from dashboard.kube.metrics import MetricsServer
from dashboard.kube.prometheus import Prometheus, Target
from dashboard.kube.transport import Transport
from dashboard.queries.prometheus import PrometheusUsage
from dashboard.queries.reader import JUDGES, Reader
from dashboard.queries.seenclusters import EVER, Recognised, recognise
from dashboard.queries.seenreader import SeenReader
from dashboard.recovery.create import birth_of_cluster

from .acting import unknown_contexts
from .added import Added, AddedContexts
from .background import begin
from .history import History, Restarts
from .hourly import HourlyRecorder
from .hub import Hub
from .longer import Longer
from .recorder import RECORDED, SETTLE_SECONDS, Recorder
from .resuming import resume
from .session import THE_INSTALLATION, Account, Identity, Session
from .sightings import Sightings
from .timeline import Timeline
from .usage import Source, Usage
from .versions import VersionRecorder

if TYPE_CHECKING:
    from sandbox import Sandbox

    from .past import Pasts

log = logging.getLogger(__name__)

SYNC_SECONDS = 10.0
ASK_SECONDS, ANSWER_SECONDS = (
    10.0,
    5.0,
)  # how often many clusters are asked whether they answer, and for how long
RENEWED = (
    "exec",
    "auth-provider",
    "tokenFile",
)  # entries of a user whose credentials are short-lived, and replaced
MAX_ACCOUNTS = 500  # of a cluster, at once
ACCOUNT_IDLE_SECONDS = 120.0  # how long one outlives whoever acted as it
USER_AGENT = f"cluster-ui/{settings.VERSION}"
SWEEP_SECONDS = 5.0  # nothing may go on for 30 s with what was taken away


class Installation:
    """What the dashboard has of a cluster for itself: its account fills the cache, and nothing more. Whoever makes
    something for somebody goes through a ``Session``.
    """

    def __init__(self, cluster: Cluster, kinds: Kinds) -> None:
        self.transport = Transport(cluster, user_agent=USER_AGENT)
        self.cache = ClusterCache(
            self.transport,
            kinds=kinds,
            namespaces=settings.CLUSTER_UI_NAMESPACES,
            idle=settings.CLUSTER_UI_IDLE_SECONDS,
        )
        self.reader = Reader(self.cache)


class ClusterRuntime:
    """One cluster, open. ``installation`` is for what the dashboard does for itself; ``shown_at`` is the moment that is
    shown of it where that is in the past (``PastCluster``).
    """

    shown_at: datetime | None = None

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.kinds = Kinds()
        self.installation = Installation(cluster, self.kinds)
        self._accounts: dict[str, Account] = {}
        self.history = History(self.installation.cache)
        self.sightings = Sightings(self.installation.cache)
        self.timeline = Timeline(self)
        self.versions = VersionRecorder(self)
        self.recorder = Recorder(self)
        self.past = _pasts(self)
        self.hourly = HourlyRecorder(self)
        self.restarts = Restarts(self.installation.cache)
        target = prometheus_target(cluster)
        self.prometheus = None if target is None else Prometheus(target)
        self.usage = Usage(self.installation.cache, self._sources(), idle=settings.CLUSTER_UI_USAGE_SECONDS)
        self.longer = None if self.prometheus is None else Longer(self.prometheus, self.usage.tell)
        self.discovery = Discovery(
            self.installation.transport,
            self.kinds,
            wanted=lambda: self.installation.cache.leased(DEFINITIONS.key),
        )
        self.installation.cache.store(DEFINITIONS.key).subscribe(self.discovery.notice)
        self.discovery.on_change(self.installation.cache.offered)
        self.hub = Hub(self)
        self.version = ""
        self.answered_at: datetime | None = None
        self.trouble: ClusterError | None = None  # why it did not answer last, or refused
        self._asking: asyncio.Task[None] | None = None
        self._asked_at = float("-inf")
        self.closed = False
        self.recorded = False  # whether what happens is recorded
        self.recognised = Recognised("", "", EVER)  # of which nothing is recorded
        self.created: datetime | None = None
        self._asked_who = asyncio.Event()
        self._recognising: asyncio.Task[None] | None = None

    def is_of(self, cluster: Cluster) -> bool:
        """Whether it was opened for just this context, its credentials included, and is the cluster that it was."""
        if self.cluster != cluster or self.cluster.connection != cluster.connection:
            return False
        found = self.installation.reader.get("namespaces", "", "kube-system")
        return found is None or self.recognised.uid in ("", found.metadata.uid)

    def session(self, identity: Identity) -> Session:
        """Somebody's way to the cluster. Raises TooManyRequests where as many act there already."""
        return Session(identity, self, self.account_of(identity), SeenReader(self.installation.reader))

    def account_of(self, identity: Identity) -> Account:
        """What somebody acts as there. Raises TooManyRequests."""
        account = self._accounts.get(identity.account)
        if account is None:
            if len(self._accounts) >= MAX_ACCOUNTS:
                raise TooManyRequests(
                    f"{MAX_ACCOUNTS} accounts are in use in {self.cluster.name}.",
                    next_step="Try again in some minutes.",
                )
            account = Account(identity.account, self, self._transport_of(identity))
            self._accounts[identity.account] = account
        account.used_at = time.monotonic()
        return account

    def _transport_of(self, identity: Identity) -> Transport:
        return self.installation.transport if identity.acting is None else self._transport(identity.acting)

    def _transport(self, acting: Acting) -> Transport:
        cluster, credentials = acting.of(self.cluster, self.installation.transport.credentials)
        return Transport(cluster, user_agent=USER_AGENT, credentials=credentials)

    async def whose(self, acting: Acting) -> whoami.UserInfo:
        """Whom the cluster takes it for. Raises Unauthenticated for what it does not accept, and as ``who_am_i``."""
        transport = self._transport(acting)
        try:
            return await whoami.who_am_i(transport)
        finally:
            await transport.close()

    async def close_idle(self) -> None:
        """Ends the connections of accounts that nobody has used for a while."""
        since = time.monotonic() - ACCOUNT_IDLE_SECONDS
        for name, account in tuple(self._accounts.items()):
            if account.transport is not self.installation.transport and account.is_idle(since):
                del self._accounts[name]
                await account.close()
                await account.transport.close()

    def lease(self, plurals: Iterable[str], *, beside: bool = False) -> Lease:
        """Somebody looks at these kinds: they are watched. That alone shows nobody anything."""
        return self.installation.cache.lease(plurals, beside=beside)

    async def ready(self, plurals: Iterable[str], *, partly: bool = False) -> None:
        """Wait until the kinds have been listed (``partly``: or some of each have been), or refused, or have failed, for
        at most 10 s. Somebody looks: from now on what happens is recorded."""
        if self.closed:
            raise Unavailable(
                "The connection to the cluster is being closed.", next_step="Load the page again."
            )
        wanted = frozenset(plurals)
        await self.known()
        self.timeline.follow(wanted)
        await self.installation.cache.synced(wanted, timeout=SYNC_SECONDS, partly=partly)
        for plural in wanted & KINDS.keys():
            await self.installation.reader.make_rows(plural)

    def record(self) -> None:
        """From now on what happens is recorded, whether or not anybody looks; twice does no harm."""
        self.recorded = True
        if self._recognising is None and not self.closed:
            name = f"recognition of {self.cluster.name}"
            self._recognising = begin(THE_INSTALLATION, self._keep_recognising(), name)
        self.versions.start()
        self.discovery.start()

    async def known(self) -> None:
        """The same, and wait until it was asked which cluster it is: nothing is told of another one of that name."""
        self.record()
        await self._asked_who.wait()

    async def _keep_recognising(self) -> None:
        """Until it has answered; only then what happens there is recorded."""
        try:
            while not await self._recognised():
                self._asked_who.set()
                await asyncio.sleep(ASK_SECONDS)
        finally:
            self._asked_who.set()
        if settings.CLUSTER_UI_TIMELINE:
            self.timeline.start()
            if settings.CLUSTER_UI_REWIND:
                self.recorder.start()
            self.hourly.start()

    async def _recognised(self) -> bool:
        """Whether it has answered which cluster it is."""
        uid: str | None = None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                uid = await self.uid()
        except (TimeoutError, ClusterError) as error:
            log.info("which cluster %s is, is not known yet: %s", self.cluster.name, error)
        context, server = self.cluster.name, self.cluster.server
        try:
            found = await in_database(recognise)(context, server, uid, datetime.now(UTC))
            # Whatever had its name before it was created was another one.
            self.recognised = replace(found, since=max(found.since, self.created or EVER))
        except AWAY as error:
            log.warning("which cluster %s is, is not known yet: %s", context, error)
            return False
        except Exception:
            log.exception("recognising %s", context)
            return False
        return uid is not None

    async def recording(self) -> None:
        """Wait until what is recorded has been listed, or refused, or has failed, for at most 60 s."""
        await self.known()
        await self.installation.cache.synced(RECORDED, SETTLE_SECONDS)

    async def knows(self, plural: str) -> None:
        """Wait until it is known whether there is such a kind, for at most 10 s. At once for one with a module here."""
        if plural not in KINDS:
            await self.discovery.known(timeout=SYNC_SECONDS)
        if plural not in self.kinds:
            await self.discovery.anew(timeout=SYNC_SECONDS)

    async def probe(self) -> None:
        """Ask the API server for its version. Raises ClusterError when it does not answer."""
        try:
            told = await self.installation.transport.version()
        except ClusterError as error:
            self.trouble = error
            if isinstance(error, Forbidden | Unauthenticated):  # which is an answer
                self.answered_at = datetime.now(UTC)
            raise
        self.trouble = None
        self.version = self.installation.reader.version = str(told.get("gitVersion", ""))[:60]
        self.answered_at = datetime.now(UTC)

    async def uid(self) -> str:
        """By which clusters of one name are told apart, as in the headers of backups; "" where it may not be read."""
        uid, self.created = await birth_of_cluster(self.installation.transport)
        return uid

    def ask(self) -> asyncio.Task[None] | None:
        """Find out beside everything else whether it answers: for a page of many clusters, which waits for none. None
        where that was found out just now.
        """
        if self._asking is None and time.monotonic() - self._asked_at > ASK_SECONDS and not self.closed:
            self._asking = asyncio.create_task(self._ask())
        return self._asking

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self.probe()
        except TimeoutError:
            self.trouble = Unavailable(f"It did not answer within {ANSWER_SECONDS:.0f} s.")
        except ClusterError as error:
            self.trouble = error.to_keep()
        except Exception:
            log.exception("asking %s whether it answers", self.cluster.name)
            self.trouble = Unavailable("It could not be asked whether it answers: see the dashboard's log.")
        finally:
            self._asking, self._asked_at = None, time.monotonic()

    @property
    def watched(self) -> bool:
        """Whether somebody looks at anything of it, or did a while ago."""
        return self.installation.cache.runs

    @property
    def certificate_expires_at(self) -> datetime | None:
        """Of what the API server showed in the last handshake; None where none was made."""
        return certificate_expiry(self.installation.transport.server_certificate)

    @property
    def credential_expires_at(self) -> datetime | None:
        """Of what the context's own account showed last; None where that does not say, or is renewed by itself."""
        if any(self.cluster.connection.user.get(each) for each in RENEWED):
            return None
        return credential_expiry(self.installation.transport.shown)

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

        cache = self.installation.cache
        undo = [cache.store(plural).subscribe(changed) for plural in wanted]
        undo.append(cache.on_status(status))
        if not wanted.isdisjoint(JUDGES):
            undo.append(self.installation.reader.on_judged(lambda: changed(())))

        def unsubscribe() -> None:
            for each in undo:
                each()

        return unsubscribe

    def _sources(self) -> list[Source]:
        """Who measures what is used: the cluster's own metrics, else Prometheus where one is set."""
        sources: list[Source] = [MetricsServer(self.installation.transport)]
        if self.prometheus is not None:
            sources.append(PrometheusUsage(self.prometheus, self._node_names))
        return sources

    def _node_names(self) -> dict[str, str]:
        names: dict[str, str] = {}
        for node in self.installation.reader.all("nodes"):
            name = node.metadata.name
            names |= {name: name} | {each.address: name for each in node.status.addresses or ()}
        return names

    async def close(self) -> None:
        self.closed = True
        self._asked_who.set()
        for task in filter(None, (self._asking, self._recognising)):
            task.cancel()
        self.hub.close()
        self.history.close()
        self.sightings.close()
        await self.discovery.close()
        for account in tuple(self._accounts.values()):  # a request that still runs may bring another one
            await account.close()
        await self.timeline.close()
        await self.recorder.close()
        await self.versions.close()
        await self.hourly.close()
        self.restarts.close()
        await self.usage.close()
        if self.longer is not None:
            await self.longer.close()
        if self.prometheus is not None:
            await self.prometheus.close()
        await self.installation.cache.close()
        for transport in {self.installation.transport, *(each.transport for each in self._accounts.values())}:
            await transport.close()


class Runtime:
    """All clusters of this process."""

    def __init__(self) -> None:
        self.tried = False
        self._contexts = Contexts()
        self._added = AddedContexts()
        self._missing = False
        self._open: dict[str, ClusterRuntime] = {}
        self._kept: set[asyncio.Task[None]] = set()
        self._closing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        await self._learn()
        self.keep(self._first_attempt())
        self.keep(resume(self))
        self.keep(self._keep_sweeping())

    async def _first_attempt(self) -> None:
        """Readiness is one finished attempt to reach the cluster, whatever its end."""
        try:
            clusters = self.clusters()
            for wrong in unknown_contexts([each.slug for each in clusters]):
                log.error(wrong)
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
        while self._open:  # a request that still runs may open another one meanwhile
            _, cluster = self._open.popitem()
            await cluster.close()
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _close(self, cluster: ClusterRuntime) -> None:
        """In the background, and to its end."""
        task = asyncio.create_task(cluster.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def clusters(self) -> tuple[Cluster, ...]:
        """Every context that can be chosen, the current one first, then those that were added; while the kubeconfig is
        broken or missing, these alone. Raises BadInput for it where there are none.
        """
        try:
            configured = self.configured()
        except ClusterError:
            if added := self._added.alone():
                return added
            raise
        return self._added.beside(configured)

    def configured(self) -> tuple[Cluster, ...]:
        """The contexts that the installation was started with, without those that were added. Raises BadInput."""
        return self._contexts.load(
            environ=os.environ, sandbox_kubeconfig=sandbox_kubeconfig(), sandbox=sandbox_endpoint()
        )

    def configured_names(self) -> frozenset[str]:
        """The names of these; while they can't be read, those that were known last."""
        try:
            return frozenset(each.name for each in self.configured())
        except ClusterError:
            return self._added.shadowing

    @property
    def added(self) -> tuple[Added, ...]:
        """What administrators added, also what can't be used."""
        return self._added.all

    async def refresh(self) -> None:
        """Learn at once of contexts that were added and removed; without it, within some seconds."""
        await self._added.refresh()
        self.sweep()

    def named(self, slug: str) -> Cluster:
        """The context of a slug. Raises NotFound for one that no configuration names."""
        cluster = next((each for each in self.clusters() if each.slug == slug), None)
        if cluster is None:
            self.configured()  # one that is broken says so
            raise NotFound(
                f"No context is called {slug}.", next_step="Choose one of the clusters in the list."
            )
        return cluster

    def open(self, slug: str) -> ClusterRuntime:
        """The open cluster of a slug. Raises NotFound for a context that no configuration names."""
        # Compared anew each time: a kubeconfig edited meanwhile must not go on with its old credentials.
        cluster = self.named(slug)
        known = self._open.get(slug)
        if known is not None and known.is_of(cluster):
            return known
        if known is not None:
            self._close(known)
        self._open[slug] = ClusterRuntime(cluster)
        return self._open[slug]

    def opened_as(self, cluster: Cluster) -> ClusterRuntime | None:
        """What is open of a context, just as it is configured now."""
        known = self._open.get(cluster.slug)
        return known if known is not None and known.is_of(cluster) else None

    def sweep(self) -> None:
        """Closes what is open of contexts that are gone or configured otherwise: nothing is watched with credentials that
        were taken away, though nobody opens a page. What was recorded is recorded with those that took their place. While
        a kubeconfig cannot be read, nothing is closed; one that is missing may be just being replaced, and counts as gone
        the second time.
        """
        try:
            clusters = self._added.beside(self.configured())
        except NoKubeconfig:
            clusters, missing = self._added.alone(), True
        except ClusterError:
            # What was added does not depend on it: what of that was removed is closed all the same.
            added = {each.cluster.slug: each.cluster for each in self.added if each.cluster is not None}
            self._close_others(added, [each for each in self.opened() if each.cluster.source == "added"])
            return
        else:
            missing = False
        seen, self._missing = self._missing, missing
        if missing and not seen:
            return
        self._close_others({each.slug: each for each in clusters}, self.opened())

    def _close_others(self, configured: Mapping[str, Cluster], opened: Iterable[ClusterRuntime]) -> None:
        for known in opened:
            name = known.cluster.slug
            if name not in configured or not known.is_of(configured[name]):
                log.info(
                    "context %s is no longer configured as it was opened: closing it", known.cluster.name
                )
                del self._open[name]
                self._close(known)
                if name in configured and known.recorded:  # with the new credentials, though nobody looks
                    self._open[name] = ClusterRuntime(configured[name])
                    self._open[name].record()

    async def _learn(self) -> None:
        try:
            await self._added.refresh()
        except AWAY as error:
            log.warning("contexts that were added or removed meanwhile are not known yet: %s", error)
        except Exception:
            log.exception("asking which contexts were added")

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            await self._learn()
            try:
                self.sweep()
                for cluster in self.opened():
                    await cluster.close_idle()
            except Exception:
                log.exception("looking for what nobody uses any more")

    def opened(self) -> tuple[ClusterRuntime, ...]:
        return tuple(self._open.values())


def _pasts(cluster: ClusterRuntime) -> Pasts:
    from .past import Pasts  # which is made of this module's classes

    return Pasts(cluster)


def prometheus_target(cluster: Cluster) -> Target | None:
    """The Prometheus that the settings name for a context, or for every one."""
    urls, tokens = settings.CLUSTER_UI_PROMETHEUS_URL, settings.CLUSTER_UI_PROMETHEUS_TOKEN_FILE
    own, every = cluster.slug, ""
    url = urls.get(own) or urls.get(every)
    return Target.read(url, tokens.get(own) or tokens.get(every) or "") if url else None


def sandbox_kubeconfig() -> Path | None:
    """The kubeconfig of this installation's sandbox, when it has been started."""
    path = _sandbox().kubeconfig
    return path if path.exists() else None


def sandbox_endpoint() -> Endpoint | None:
    """What this installation's sandbox listens at, when it has been started."""
    address = _sandbox().address
    return Endpoint(*address) if address is not None else None


def _sandbox() -> Sandbox:
    from sandbox import Sandbox

    return Sandbox(settings.CLUSTER_UI_SANDBOX)


runtime = Runtime()
