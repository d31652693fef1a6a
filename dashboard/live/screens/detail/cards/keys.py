"""The keys of a ConfigMap: names and sizes."""

from __future__ import annotations

from typing import Any

from dashboard import render
from dashboard.kinds.base import Detail, Kind
from dashboard.live.snapshot import Snapshot

from ..piece import Card


class KeysCard(Card):
    main = "cards/keys.html"

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural == "configmaps"

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        keys = [{"name": key.name, "size": _size(key.size_bytes)} for key in detail.keys]
        return Snapshot(regions={"keys": render.region("keys", {"keys": keys})})


def _size(size: int | None) -> str:
    if size is None:
        return ""
    return f"{size} B" if size < 1024 else f"{size / 1024:.1f} KiB"
