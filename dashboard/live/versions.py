"""Versions of ConfigMaps that were changed elsewhere, where a setting lets the installation's account read the values.

The watch tells that some value is another one, without the value: the ConfigMap is read then, one at a time. Those that
are not known yet are read too, or there would be nothing before their first change. See docs/adr/0051.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings

from dashboard.actions.configmap_versions import known_versions, version_found
from dashboard.actions.writing import MANAGER
from dashboard.database import AWAY, in_database
from dashboard.errors import ClusterError, Forbidden, NotFound
from dashboard.kinds.configmaps import CONFIGMAPS, ConfigMap
from dashboard.kube.answers import read_object

from .background import begin
from .session import THE_INSTALLATION

if TYPE_CHECKING:
    from .runtime import ClusterRuntime

log = logging.getLogger(__name__)

LEADER = "control-plane.alpha.kubernetes.io/leader"
ROOT_CA = "kube-root-ca.crt"
HOUR = timedelta(hours=1)
PAUSE_SECONDS = 5.0  # after a failure
AGAIN_SECONDS = 6 * 3600.0  # retention may have taken away what is still there
MAX_OBJECTS = 10_000  # whose writers are counted


def _unread_words(error: ClusterError) -> str:
    """Why what is written elsewhere is not kept, or not yet."""
    if isinstance(error, Forbidden):
        return "Changes made elsewhere are not recorded: the dashboard's own account may not get it."
    return "Changes made elsewhere are recorded once the dashboard can read it: it just failed to."


class VersionRecorder:
    """One cluster's, in one process. ``start`` it on the event loop."""

    def __init__(
        self, runtime: ClusterRuntime, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._context = runtime.cluster.name
        self._waiting: dict[str, ConfigMap] = {}
        self._wake = asyncio.Event()
        self._writes: dict[str, deque[tuple[datetime, str]]] = {}  # by uid: who wrote it within an hour
        self._leaders: set[str] = set()
        self._unread: dict[str, ClusterError] = {}  # by uid: why it could not be read
        self._undo: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to record, where the setting says so; twice does no harm."""
        if self._task is None and self.records:
            cache = self._runtime.installation.cache
            lease = cache.lease({"configmaps"}, beside=True)
            self._undo = [lease.release, cache.store("configmaps").subscribe(self._hear)]
            self._task = begin(THE_INSTALLATION, self._run(), f"versions of {self._context}")

    async def close(self) -> None:
        for undo in self._undo:
            undo()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def records(self) -> bool:
        """Whether what is written elsewhere is kept as it happens."""
        return bool(settings.CLUSTER_UI_CONFIGMAP_VERSIONS)

    def left_out(self, uid: str, namespace: str, name: str) -> str:
        """Why no versions are kept of what is written elsewhere, as a sentence; "" where they are."""
        if not self.records:
            return "Changes made elsewhere are found only with the next one made here."
        if name == ROOT_CA:
            return "Changes made elsewhere are not recorded: Kubernetes copies the same certificate into every namespace."
        if uid in self._leaders:
            return "Changes made elsewhere are not recorded: it holds a leader election lock."
        if who := self._frequent(uid):
            most = settings.CLUSTER_UI_CONFIGMAP_VERSIONS_HOURLY
            return f"Changes made elsewhere are not recorded: {who} wrote it more than {most} times within an hour."
        if (error := self._unread.get(uid)) is not None:
            return _unread_words(error)
        if self._runtime.installation.reader.knows("configmaps", namespace) is None:
            return "Changes made elsewhere are not recorded: the dashboard's own account can't list ConfigMaps here."
        return ""

    # ---- What the watch tells

    def _hear(self, deltas: Sequence[Any]) -> None:
        for delta in deltas:
            old, new = delta.old, delta.new
            if new is None:
                self._waiting.pop(old.metadata.uid, None)
                self._unread.pop(old.metadata.uid, None)
            elif old is None or (old.data, old.binary_data) != (new.data, new.binary_data):
                self._take(new, written=old is not None)

    def _take(self, found: ConfigMap, *, written: bool) -> None:
        uid = found.metadata.uid
        if found.metadata.name == ROOT_CA or uid in self._leaders:
            return
        if who := self._frequent(uid):
            if written:
                self._count(uid, who)  # it is not read, so that nobody else can be told of
            return
        self._waiting[uid] = found
        self._wake.set()

    def _count(self, uid: str, who: str) -> None:
        writes = self._writes.pop(uid, None) or deque(
            maxlen=2 * settings.CLUSTER_UI_CONFIGMAP_VERSIONS_HOURLY
        )
        writes.append((self._clock(), who))
        self._writes[uid] = writes
        if len(self._writes) > MAX_OBJECTS:
            del self._writes[next(iter(self._writes))]

    def _frequent(self, uid: str) -> str:
        """Who writes an object more often than its versions are kept, or ""."""
        since = self._clock() - HOUR
        recent = Counter(who for at, who in self._writes.get(uid, ()) if at > since)
        who, times = next(iter(recent.most_common(1)), ("", 0))
        return (who or "somebody") if times > settings.CLUSTER_UI_CONFIGMAP_VERSIONS_HOURLY else ""

    # ---- Reading and keeping

    @property
    def busy(self) -> bool:
        """Whether something waits to be read."""
        return bool(self._waiting)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        known: dict[str, str] = {}
        again = loop.time()
        while True:
            try:
                if loop.time() >= again:
                    known = await in_database(known_versions)(self._context)
                    again = loop.time() + AGAIN_SECONDS
                    self._hear_all(known)
                await self._read_waiting(known)
                self._wake.clear()
                async with asyncio.timeout_at(again):
                    await self._wake.wait()
            except TimeoutError:
                continue
            except (ClusterError, *AWAY) as error:
                log.warning("the versions of %s wait: %s", self._context, error)
                await asyncio.sleep(PAUSE_SECONDS)
            except Exception:
                log.exception("keeping the versions of %s", self._context)
                await asyncio.sleep(PAUSE_SECONDS)

    async def _read_waiting(self, known: dict[str, str]) -> None:
        """One after the other; what could not be read waits on."""
        while self._waiting:
            uid, found = next(iter(self._waiting.items()))
            version = found.metadata.resource_version
            if known.get(uid) != version:
                await self._read(found, written=uid in known)
                known[uid] = version
            if self._waiting.get(uid) is found:
                del self._waiting[uid]

    def _hear_all(self, known: dict[str, str]) -> None:
        for found in self._runtime.installation.reader.all("configmaps"):
            if found.metadata.uid not in known:
                self._take(found, written=False)

    async def _read(self, found: ConfigMap, *, written: bool) -> None:
        """Reads a ConfigMap as the installation, and keeps what it holds. What may not be read is left out. Raises what
        may be over soon.
        """
        meta = found.metadata
        try:
            answer = await self._runtime.installation.transport.request(
                "GET", CONFIGMAPS.gvr, namespace=meta.namespace, name=meta.name
            )
        except NotFound:
            self._unread.pop(meta.uid, None)
            return
        except ClusterError as error:
            self._unread[meta.uid] = error.to_keep()
            if isinstance(error, Forbidden):
                return
            self._waiting[meta.uid] = self._waiting.pop(
                meta.uid, found
            )  # the others are read before it is again
            raise
        self._unread.pop(meta.uid, None)
        manifest = read_object(answer.body)
        if LEADER in (manifest["metadata"].get("annotations") or {}):
            self._leaders.add(meta.uid)
            return
        who = await in_database(version_found)(self._context, manifest)
        if written and who != MANAGER:
            self._count(meta.uid, who)
