"""The object as YAML, read as the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dashboard import render
from dashboard.kinds.base import Detail
from dashboard.live.snapshot import Snapshot
from dashboard.queries.objects import object_yaml

from .piece import Rereading, Tab

if TYPE_CHECKING:
    from .screen import DetailScreen


class YamlTab(Tab):
    id = "yaml"
    title = "YAML"
    shortcut = "y"
    template = "tabs/yaml.html"

    def __init__(self, screen: DetailScreen) -> None:
        super().__init__(screen)
        self.version, self.text = "", ""
        self._rereading = Rereading(self, self._read, lambda: (self.version, self.text))

    async def prepare(self) -> None:
        await self.screen.require("get")
        await self._read()

    async def _read(self) -> None:
        screen = self.screen
        self.version, self.text = await object_yaml(
            screen.runtime.transport, screen.kind, screen.namespace, screen.name
        )

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        if obj.metadata.resource_version != self.version:
            self._rereading.soon()
        hidden = (
            "The values are left out, and annotations too: they may repeat values."
            if self.screen.kind.plural == "secrets"
            else ""
        )
        facts = (self.version, self.text)
        region = render.region("yaml", {"lines": render.LazyLines(self.text), "hidden": hidden}, facts)
        return Snapshot(regions={"yaml": region})

    def close(self) -> None:
        super().close()
        self._rereading.stop()

    def kubectl(self) -> list[str]:
        return ["get", *self.screen.kubectl_name, "-o", "yaml"]
