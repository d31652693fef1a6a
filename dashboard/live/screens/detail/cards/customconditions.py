"""The conditions of a kind without a module here: its Table has none, so the object is read, as the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dashboard.errors import ClusterError
from dashboard.kinds.base import Condition, Detail, Kind
from dashboard.kinds.tablekinds import TableKind
from dashboard.live.snapshot import Snapshot
from dashboard.queries.objects import object_conditions

from ..piece import Card, Rereading
from .conditions import conditions_part

if TYPE_CHECKING:
    from ..screen import DetailScreen


class CustomConditionsCard(Card):
    """Whoever may list such objects and not get them sees none."""

    side = "cards/conditions.html"

    def __init__(self, screen: DetailScreen) -> None:
        super().__init__(screen)
        self._version = ""
        self._found: tuple[Condition, ...] = ()
        self._rereading = Rereading(self, self._read, lambda: self._found)

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return isinstance(kind, TableKind)

    async def prepare(self) -> None:
        try:
            await self.screen.require("get")
            await self._read()
        except ClusterError:
            self._found = ()

    async def _read(self) -> None:
        screen = self.screen
        self._version, self._found = await object_conditions(
            screen.runtime.transport, screen.kind, screen.namespace, screen.name
        )

    @property
    def key(self) -> bool:
        return bool(self._version)  # whether it may be read

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        """As last read; when the object is of another version, it is read again."""
        if self._version and obj.metadata.resource_version != self._version:
            self._rereading.soon()
        return conditions_part(self._found)

    def close(self) -> None:
        super().close()
        self._rereading.stop()
