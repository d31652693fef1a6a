"""What a ServiceAccount may do, by the bindings that name it or a group that it is in."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from dashboard import render
from dashboard.insight.authority import account_groups, account_name
from dashboard.kinds.base import Detail, Kind
from dashboard.kinds.rbac import allowed
from dashboard.live.screens.access.who import RBAC, authority_of, held_facts, is_closed, unreadable
from dashboard.live.snapshot import Snapshot
from dashboard.loop import off_loop

from ..piece import Card

MAX_GRANTS = 100


class AccountCard(Card):
    main = "cards/account.html"
    plurals = frozenset(RBAC)
    facts: Mapping[str, Any] = MappingProxyType({"closed": True, "grants": [], "more": 0, "unread": []})

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural == "serviceaccounts"

    async def prepare(self) -> None:
        """In a thread, and again every 15 s: a large cluster has thousands of bindings."""
        sight, screen = self.screen.session, self.screen
        if is_closed(sight):
            self.facts = type(self).facts
            return
        authority = authority_of(sight)
        user, groups = account_name(screen.namespace, screen.name), account_groups(screen.namespace)

        def work() -> dict[str, Any]:
            held = authority.held_by(user, groups)
            words = {grant: allowed(grant.rules) or "do nothing" for grant in held[:MAX_GRANTS]}
            grants = held_facts(screen.runtime, held[:MAX_GRANTS], words)
            return {"closed": False, "grants": grants, "more": max(0, len(held) - MAX_GRANTS)}

        self.facts = {**await off_loop(work), "unread": unreadable(sight)}

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        return Snapshot(regions={"account": render.region("account", dict(self.facts))})
