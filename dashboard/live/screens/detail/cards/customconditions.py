"""The conditions of a kind without a module here: its Table has none, so the object is read, as the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dashboard.kinds.base import Detail, Kind
from dashboard.kinds.tablekinds import TableKind
from dashboard.live.snapshot import Snapshot

from ..piece import Card
from .conditions import conditions_part

if TYPE_CHECKING:
    from ..screen import DetailScreen


class CustomConditionsCard(Card):
    """Whoever may list such objects and not get them sees none."""

    side = "cards/conditions.html"

    def __init__(self, screen: DetailScreen) -> None:
        super().__init__(screen)
        self._rereading = screen.telling.rereading(self)

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return isinstance(kind, TableKind)

    async def prepare(self) -> None:
        await self.screen.telling.prepare()

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        """As last read; when the object is of another version, it is read again."""
        if self.screen.telling.behind(obj.metadata.resource_version):
            self._rereading.soon()
        return conditions_part(self.screen, self.screen.telling.told.conditions)

    def close(self) -> None:
        super().close()
        self._rereading.stop()
