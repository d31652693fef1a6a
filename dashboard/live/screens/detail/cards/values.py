"""The values of a ConfigMap, which the view reads when somebody asks for them."""

from __future__ import annotations

from typing import Any

from dashboard.kinds.base import Detail, Kind
from dashboard.live.snapshot import Snapshot

from ..piece import Card


class ValuesCard(Card):
    main = "cards/values.html"

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural == "configmaps"

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        return Snapshot()  # read at one moment, and said to be as old as that
