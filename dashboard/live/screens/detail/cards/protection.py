"""A Secret in plain words: what base64 is, who can read it, whether the cluster encrypts it on its disks."""

from __future__ import annotations

from typing import Any

from dashboard import render
from dashboard.kinds.base import Detail, Kind
from dashboard.live.snapshot import Snapshot
from dashboard.queries.encryption import Encryption, encryption_at_rest

from ..piece import Card, ViewerPiece


class ProtectionCard(Card, ViewerPiece):
    side = "cards/protection.html"
    encryption = Encryption("unknown")

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural == "secrets"

    async def prepare(self) -> None:
        self.encryption = await encryption_at_rest(self.session.transport)

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        facts = {
            "state": self.encryption.state,
            "provider": self.encryption.provider,
            "reason": self.encryption.reason,
            "namespace": self.screen.namespace,
        }
        return Snapshot(regions={"protection": render.region("protection", facts)})
