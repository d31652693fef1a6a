"""The object as YAML, read as the user: so many lines of it at a time, and all of it as a file."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from dashboard import render
from dashboard.errors import BadInput
from dashboard.kinds.base import Detail
from dashboard.live.screens.common import fields_url
from dashboard.live.snapshot import Snapshot
from dashboard.loop import off_loop
from dashboard.queries.objects import object_yaml, object_yaml_text

from .piece import Rereading, Tab, ViewerPiece

if TYPE_CHECKING:
    from .screen import DetailScreen

MAX_LINES = (
    800  # on one page: five elements each; of the 5,000 that a page may have, 1,000 are left to its frame
)


class YamlTab(Tab, ViewerPiece):
    id = "yaml"
    title = "YAML"
    shortcut = "y"
    template = "tabs/yaml.html"

    def __init__(self, screen: DetailScreen) -> None:
        super().__init__(screen)
        self.start = _line(screen.params.get("from", "1")) - 1
        self.version = ""
        self.lines: render.Lines | None = None
        self._rereading = Rereading(self, self._read, lambda: self.version)

    @property
    def key(self) -> Hashable:
        return self.start

    async def prepare(self) -> None:
        await self.screen.require("get")
        await self._read()

    async def _read(self) -> None:
        screen = self.screen
        self.version, window = await object_yaml(
            self.session.transport, screen.kind, screen.namespace, screen.name, self.start, MAX_LINES
        )
        self.lines = await off_loop(render.yaml_rows, window)

    async def text(self) -> str:
        """All of it. Raises Forbidden, NotFound, Unavailable."""
        screen = self.screen
        await screen.require("get")
        return await object_yaml_text(self.session.transport, screen.kind, screen.namespace, screen.name)

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        if obj.metadata.resource_version != self.version:
            self._rereading.soon()
        hidden = (
            "Values are not shown, nor annotations, which may repeat values."
            if self.screen.kind.plural == "secrets"
            else ""
        )
        region = {"lines": self.lines, "hidden": hidden, "whole": self.whole, **self._others()}
        return Snapshot(regions={"yaml": render.region("yaml", region, (self.version, self.start))})

    def _others(self) -> dict[str, str]:
        """The addresses of the lines before and after these, "" where there are none."""
        lines = self.lines
        if lines is None:
            return {}
        before = min(lines.first - MAX_LINES, lines.total - MAX_LINES + 1)
        return {
            "earlier": f"{self.url}?from={max(1, before)}" if lines.first > 1 else "",
            "later": f"{self.url}?from={lines.last + 1}" if lines.last < lines.total else "",
        }

    def context(self) -> Mapping[str, Any]:
        kind = self.screen.kind
        url = fields_url(self.screen.runtime, kind.kind, kind.gvr.api_version)
        return {"yaml_file": self.whole, "fields": {"url": url, "text": f"Fields of {kind.kind}"}}

    @property
    def whole(self) -> str:
        return f"{self.url}?format=yaml"

    @property
    def url(self) -> str:
        return f"{self.screen.url}{self.id}/"

    def close(self) -> None:
        super().close()
        self._rereading.stop()

    def kubectl(self) -> list[str]:
        if (
            self.screen.kind.plural == "secrets"
        ):  # as YAML, kubectl would print the values that this page leaves out
            return ["describe", *self.screen.kubectl_name]
        return ["get", *self.screen.kubectl_name, "-o", "yaml"]


def _line(text: str) -> int:
    if not (len(text) < 9 and text.isascii() and text.isdigit() and int(text)):
        raise BadInput(f"from is {text[:20]!r}: enter a line number from 1.", field="from")
    return int(text)
