"""Owners, the object, and what it made, as steps from left to right."""

from __future__ import annotations

from typing import Any

from dashboard import render
from dashboard.kinds.base import Detail
from dashboard.live.screens.common import ref_url
from dashboard.live.snapshot import Snapshot
from dashboard.queries.relations import children, owners

from ..piece import Card


class BelongsCard(Card):
    main = "cards/belongs.html"
    plurals = frozenset({"deployments", "replicasets"})

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        return Snapshot(regions={"belongs": render.region("belongs", {"chain": self._chain(obj)})})

    def _chain(self, obj: Any) -> list[dict[str, Any]]:
        """The steps; none when it stands alone."""
        runtime, kind = self.screen.runtime, self.screen.kind
        above: list[dict[str, Any]] = [
            {"kind": ref.kind, "name": ref.name, "url": ref_url(runtime, ref), "note": "", "state": "ok"}
            for ref in owners(runtime.reader, obj)
        ]
        below = [
            {
                "kind": ref.kind,
                "name": ref.name,
                "url": ref_url(runtime, ref),
                "note": row.reason,
                "state": row.state,
            }
            for ref, row in children(runtime.reader, kind.plural, obj)
        ]
        if not above and not below:
            return []
        here: dict[str, Any] = {"kind": kind.kind, "name": self.screen.name, "here": True}
        steps = [
            {"caption": "Belongs to" if at == 0 else "which made", "items": [item]}
            for at, item in enumerate(above)
        ]
        steps.append({"caption": "which made" if above else "This", "items": [here]})
        if below:
            steps.append({"caption": "which made", "items": below})
        return steps
