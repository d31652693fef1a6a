"""The conditions of the object's status, judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dashboard import render
from dashboard.kinds.base import Condition, Detail, Kind
from dashboard.kinds.tablekinds import TableKind
from dashboard.live.screens.common import iso
from dashboard.live.snapshot import Snapshot

from ..piece import Card
from .part import cut, first_of

if TYPE_CHECKING:
    from ..screen import DetailScreen


class ConditionsCard(Card):
    side = "cards/conditions.html"

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return not isinstance(kind, TableKind)  # a Table does not tell of them

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        return conditions_part(self.screen, detail.conditions)


def conditions_part(screen: DetailScreen, found: Sequence[Condition]) -> Snapshot:
    """The region of the card."""
    shown, rest = first_of(screen, found)
    conditions = [
        {
            "type": each.type,
            "status": each.status,
            "reason": each.reason,
            "message": cut(each.message),
            "since": iso(each.last_transition),
            "state": each.state,
        }
        for each in shown
    ]
    return Snapshot(regions={"conditions": render.region("conditions", {"conditions": conditions, **rest})})
