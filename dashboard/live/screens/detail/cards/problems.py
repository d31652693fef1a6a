"""What is wrong with the object, by the rules of ``insight``, and what that rests on."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

from dashboard import showing
from dashboard.insight import Finding, findings_for, order, read_for
from dashboard.kinds import KINDS
from dashboard.kinds.base import Detail, Kind, Ref
from dashboard.kinds.pods import PODS
from dashboard.kinds.secrets import SECRETS
from dashboard.live.screens.common import object_url
from dashboard.live.screens.problems import Logs, finding_rows
from dashboard.live.snapshot import Snapshot
from dashboard.loop import off_loop
from dashboard.queries.frozen import Frozen

from ..certificates import certificate_problems
from ..lastlines import last_lines
from ..piece import Card, Rereading

if TYPE_CHECKING:
    from ..screen import DetailScreen

SHOWN = 12


class ProblemsCard(Card):
    """The rules read the cache. What it does not hold, logs and certificates, is read as the user when the page is
    made and when what asks for it changes.
    """

    main = "cards/problems.html"

    def __init__(self, screen: DetailScreen) -> None:
        super().__init__(screen)
        self._logs: Logs = {}
        self._certificates: Sequence[Finding] = ()
        self._asked: Hashable = None
        self._may_log = self._may_read_secrets = False
        self._rereading = Rereading(self, self.prepare, lambda: (self._logs, self._certificates))
        self._found: Sequence[Finding] = ()
        self._judged_at = 0.0
        self._judging = Rereading(self, self._judge, lambda: self._found)

    @classmethod
    def plurals_of(cls, kind: Kind[Any]) -> frozenset[str]:
        return read_for(kind.plural)

    @classmethod
    def waits_of(cls, kind: Kind[Any]) -> frozenset[str]:
        return read_for(kind.plural) & KINDS.keys()

    async def _judge(self) -> None:
        """By the rules, in a thread: thousands of failing pods take their time."""
        screen, kind = self.screen, self.screen.kind
        self._judged_at = self._changed_at()
        objects = Frozen(screen.session.reader, screen.visible)
        self._found = await off_loop(
            findings_for, objects, kind.plural, screen.namespace, screen.name, showing.now(),
            group=kind.gvr.group, kind=kind.kind,
        )  # fmt: skip

    def _changed_at(self) -> float:
        return self.screen.session.reader.changed_at(self.screen.visible)

    async def prepare(self) -> None:
        await self._judge()
        if not self.screen.namespace:
            return
        await self._review()
        found, obj = self._found, self.screen.newest()
        self._asked = _asks(found, obj)
        wishes = [one.log for one in found if one.log is not None] if self._may_log else []
        self._logs = await last_lines(self.screen.session, wishes, self._logs)
        if self._may_read_secrets:
            ref = Ref(self.screen.kind.kind, self.screen.namespace, self.screen.name, self.screen.kind.plural)
            self._certificates = await certificate_problems(self.screen.session, ref, obj)

    async def _review(self) -> None:
        """Ask what may be read past the cache. While nobody answers, it stays as it was."""
        where, session = self.screen.namespace, self.screen.session
        self._may_log, self._may_read_secrets = await asyncio.gather(
            session.may("get", PODS.gvr, namespace=where, subresource="log"),
            session.may("get", SECRETS.gvr, namespace=where),
        )
        if not self._may_read_secrets:
            self._certificates = ()

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        found = self._found
        if self._changed_at() != self._judged_at:
            self._judging.soon()
        if _asks(found, obj) != self._asked:
            self._rereading.soon()
        every = sorted([*found, *self._certificates], key=order)
        screen = self.screen
        here = object_url(screen.runtime, screen.kind.plural, screen.namespace, screen.name)
        return Snapshot(lists={"problems": finding_rows(screen.runtime, every[:SHOWN], self._logs, here)})

    def close(self) -> None:
        super().close()
        self._rereading.stop()
        self._judging.stop()


def _asks(found: Sequence[Finding], obj: Any) -> Hashable:
    """What was asked for: logs, of which run, and the object's certificates as it names them."""
    logs = tuple((one.log, one.log.ended) for one in found if one.log is not None)
    return logs, getattr(obj.spec, "tls", None) if hasattr(obj, "spec") else obj.metadata.resource_version
