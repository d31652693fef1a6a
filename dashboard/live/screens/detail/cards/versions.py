"""The versions of a ConfigMap that are kept, for those who may get it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.db import DatabaseError

from dashboard import render
from dashboard.actions.configmap_values import size_words
from dashboard.actions.configmap_versions import versions_of
from dashboard.actions.versions import VERSIONS, keys_words
from dashboard.kinds.base import Detail, Kind
from dashboard.kinds.configmaps import CONFIGMAPS
from dashboard.live.screens.common import iso
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

    def __init__(self, screen: DetailScreen) -> None:
        super().__init__(screen)
        self._rows: Sequence[ConfigMapVersion] = ()
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
            self._rows = ()
            return
        self._read_at = found.metadata.resource_version
        with suppress(DatabaseError):  # what was read before stays
            self._rows = await sync_to_async(versions_of)(screen.runtime.cluster.name, found.metadata.uid)

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
        left_out = self.screen.runtime.versions.left_out(obj.metadata.uid, obj.metadata.name)
        return Snapshot(regions={"versions": render.region("versions", {"rows": rows, "left_out": left_out})})

    def close(self) -> None:
        super().close()
        self._rereading.stop()
