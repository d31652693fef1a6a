"""The conditions of the object's status, judged."""

from __future__ import annotations

from typing import Any

from dashboard import render
from dashboard.kinds.base import Detail
from dashboard.live.screens.common import iso
from dashboard.live.snapshot import Snapshot

from ..piece import Card


class ConditionsCard(Card):
    side = "cards/conditions.html"

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        conditions = [
            {
                "type": each.type,
                "status": each.status,
                "reason": each.reason,
                "message": each.message,
                "since": iso(each.last_transition),
                "state": each.state,
            }
            for each in detail.conditions
        ]
        return Snapshot(regions={"conditions": render.region("conditions", {"conditions": conditions})})
