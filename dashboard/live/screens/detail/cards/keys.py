"""The keys of a ConfigMap: sizes, and what they hold as far as it is short, for those who may read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dashboard import render
from dashboard.actions.configmap_reading import configmap_contents
from dashboard.actions.configmap_values import Value, size_words
from dashboard.actions.linetext import editable
from dashboard.errors import ClusterError, Forbidden
from dashboard.kinds.base import Detail, Kind
from dashboard.live.snapshot import Snapshot

from ..piece import Card, Rereading, ViewerPiece
from .part import first_of

if TYPE_CHECKING:
    from ..screen import DetailScreen

MAX_KEYS = 500
MAX_LINES = 5  # of one value
MAX_LETTERS = 300  # of one line
MAX_VALUES = 32 * 1024  # letters of all values together


class KeysCard(Card, ViewerPiece):
    """Read as the user when the page is made, and again when the ConfigMap changes; only what is shown is kept."""

    main = "cards/keys.html"

    def __init__(self, screen: DetailScreen) -> None:
        super().__init__(screen)
        self.readable = True
        self._version = ""
        self._beginnings: Mapping[str, dict[str, Any]] = {}
        self._rereading = Rereading(self, self.prepare, lambda: (self._version, self._beginnings))

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural == "configmaps"

    async def prepare(self) -> None:
        screen = self.screen
        try:
            self._version, found = await configmap_contents(
                transport=self.session.transport, namespace=screen.namespace, name=screen.name
            )
            self.readable, self._beginnings = True, beginnings(found)
        except Forbidden:
            self.readable, self._beginnings = False, {}  # sizes are all that a list tells
        except ClusterError:
            pass  # gone, or out of reach: the head and the badge say so

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        if self.readable and obj.metadata.resource_version != self._version:
            self._rereading.soon()
        shown, rest = first_of(self.screen, detail.keys, MAX_KEYS)
        keys = [
            {
                "name": key.name,
                "size": "" if key.size_bytes is None else size_words(key.size_bytes),
                **self._beginnings.get(key.name, {}),
            }
            for key in shown
        ]
        about = {"keys": keys, "values": bool(self._beginnings), **rest}
        return Snapshot(regions={"keys": render.region("keys", about)})

    def close(self) -> None:
        super().close()
        self._rereading.stop()


def beginnings(found: Mapping[str, Value]) -> dict[str, dict[str, Any]]:
    """What is shown of each value: its ``text`` and whether there is ``more``, or that it is ``binary``."""
    shown: dict[str, dict[str, Any]] = {}
    left = MAX_VALUES
    for key, value in list(found.items())[:MAX_KEYS]:
        text = editable(value.content)
        if text is None:
            shown[key] = {"binary": True}
        elif left > 0:
            lines = text[: MAX_LINES * MAX_LETTERS].splitlines()[:MAX_LINES]
            part = "\n".join(line[:MAX_LETTERS] for line in lines)
            shown[key] = {"text": part, "more": len(part) < len(text.rstrip("\r\n").replace("\r\n", "\n"))}
            left -= len(part)
    return shown
