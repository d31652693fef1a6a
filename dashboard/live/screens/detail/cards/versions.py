"""The versions of a ConfigMap that are kept, for those who may get it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError

from dashboard import render
from dashboard.actions.configmap_reading import configmap_target
from dashboard.actions.configmap_values import size_words
from dashboard.actions.configmap_versions import versions_of
from dashboard.actions.engine import change_read
from dashboard.actions.restart import RESTART
from dashboard.actions.version_history import version_history
from dashboard.actions.versions import VERSIONS, keys_words
from dashboard.database import in_database
from dashboard.errors import ClusterError
from dashboard.insight.configmapuse import READ, RESTARTABLE, Consumer, Started, consumers, started_with
from dashboard.insight.keyhistory import KeyHistory
from dashboard.kinds.base import Detail, Kind
from dashboard.kinds.configmaps import CONFIGMAPS
from dashboard.kinds.rows import listed, plural
from dashboard.live.screens.common import iso, object_url
from dashboard.live.snapshot import Snapshot
from dashboard.models import ConfigMapVersion

from ..piece import Card, Rereading, ViewerPiece

if TYPE_CHECKING:
    from ..screen import DetailScreen

SETTLE_SECONDS = 1.0  # the watch tells of a change before its version is written


class VersionsCard(Card, ViewerPiece):
    """Read when the page is made, and again after the ConfigMap changed. Which keys differ is told only to who may get
    the ConfigMap, as their values are.
    """

    main = "cards/versions.html"
    plurals = READ

    def __init__(self, screen: DetailScreen) -> None:
        super().__init__(screen)
        self._rows: Sequence[ConfigMapVersion] = ()
        self._history = KeyHistory()
        self._read_at = ""  # the resourceVersion that was there
        self._rereading = Rereading(self, self._read_again, lambda: [one.pk for one in self._rows])

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural == "configmaps"

    async def prepare(self) -> None:
        screen = self.screen
        found = self.session.reader.get("configmaps", screen.namespace, screen.name)
        where = {"namespace": screen.namespace, "name": screen.name}
        if found is None or not await self.session.may("get", CONFIGMAPS.gvr, **where):
            self._rows, self._history = (), KeyHistory()
            return
        self._read_at = found.metadata.resource_version
        with suppress(DatabaseError):  # what was read before stays
            self._rows = await in_database(versions_of)(screen.runtime.cluster.name, found.metadata.uid)
            self._history = await self._read_history() if len(self._rows) > 1 else KeyHistory()

    async def _read_history(self) -> KeyHistory:
        """While the ConfigMap can't be read, nothing is known of who runs with what."""
        context = self.screen.runtime.cluster.name
        target = configmap_target(context, self.screen.namespace, self.screen.name)
        try:
            manifest = await change_read(transport=self.session.transport, target=target)
        except ClusterError:
            return KeyHistory()
        return await in_database(version_history)(context, manifest)

    async def _read_again(self) -> None:
        await asyncio.sleep(SETTLE_SECONDS)
        await self.prepare()

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        if obj.metadata.resource_version != self._read_at:
            self._rereading.soon()
        url = self.screen.url
        rows = [
            {
                "number": one.number,
                "at": iso(one.at),
                "by": one.by or "unknown",
                "elsewhere": one.change_id is None,
                "reason": one.reason,
                "keys": keys_words(one),
                "size": size_words(one.size_bytes),
                "diff_url": f"{url}version/?number={one.number}",
                "restore_url": f"{url}{VERSIONS.name}/?version={one.number}",
            }
            for one in self._rows
        ]
        meta, recorder = obj.metadata, self.screen.runtime.versions
        # Where nothing is kept but of changes made here, a page of an object without any has nothing to say of it.
        said = bool(rows) or recorder.records
        left_out = recorder.left_out(meta.uid, meta.namespace, meta.name) if said else ""
        shown = {"rows": rows, "left_out": left_out, "runs": self._runs()}
        return Snapshot(regions={"versions": render.region("versions", shown)})

    def _runs(self) -> list[dict[str, str]]:
        """Who runs with values that were replaced, and of whom that can't be told."""
        screen, history = self.screen, self._history
        if history.now is None:
            return []
        keys = {key for write in history.writes for key in write.made}
        reader = self.session.reader
        started = started_with(reader, screen.namespace, screen.name, keys, history)
        return [
            self._run(each, started, keys)
            for each in consumers(reader, screen.namespace, screen.name)
            if each.touched(keys)
        ]

    def _run(self, consumer: Consumer, started: Started, keys: set[str]) -> dict[str, str]:
        """Of the changed keys, those are named with which its pods did not start as they are now."""
        ref = consumer.ref
        stale, unknown = started.stale.get(ref, 0), started.unknown.get(ref, 0)
        named = sorted({key for use in consumer.touched(keys) for key in use.keys or keys} & keys)
        state, words = "ok", f"runs with the present {listed(named)}"
        if stale:
            state, words = (
                "warn",
                f"{plural(stale, 'pod runs', 'pods run')} with an old {listed(sorted(started.stale_keys[ref]))}",
            )
        elif unknown:
            count, named = plural(unknown, "pod"), sorted(started.unknown_keys[ref])
            state, words = "info", f"which {listed(named)} {count} started with is not known"
        elif not consumer.needs_restart(keys):
            words = "files in its volumes follow by themselves"
        url = object_url(self.screen.runtime, ref.plural, ref.namespace, ref.name)
        restart = bool(stale or unknown) and ref.plural in RESTARTABLE
        return {
            "kind": ref.kind,
            "name": ref.name,
            "url": url,
            "state": state,
            "words": words,
            "restart_url": f"{url}{RESTART.name}/" if restart else "",
        }

    def close(self) -> None:
        super().close()
        self._rereading.stop()
