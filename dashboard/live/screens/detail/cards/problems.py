"""What is wrong with the object, by the rules of ``insight``, and what that rests on."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dashboard.errors import ClusterError
from dashboard.insight import Finding, findings_for, order, read_for
from dashboard.insight.finding import LogWish
from dashboard.kinds import KINDS
from dashboard.kinds.base import Detail, Kind, Ref
from dashboard.kinds.pods import PODS
from dashboard.kinds.secrets import SECRETS
from dashboard.kube.access import allowed
from dashboard.live.screens.common import object_url
from dashboard.live.screens.problems import Line, finding_rows
from dashboard.live.snapshot import Snapshot
from dashboard.queries.seen import Seen

from ..certificates import certificates
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
        self._logs: Mapping[LogWish, Sequence[Line]] = {}
        self._certificates: Sequence[Finding] = ()
        self._asked: Hashable = None
        self._may_log = self._may_read_secrets = False
        self._rereading = Rereading(self, self.prepare, lambda: (self._logs, self._certificates))

    @classmethod
    def plurals_of(cls, kind: Kind[Any]) -> frozenset[str]:
        return read_for(kind.plural) & KINDS.keys()

    @property
    def key(self) -> Hashable:
        """Whoever may read logs and certificates sees more."""
        return self._may_log, self._may_read_secrets

    def _found(self) -> list[Finding]:
        screen = self.screen
        seen = Seen(screen.runtime.reader, screen.visible)
        return findings_for(seen, screen.kind.plural, screen.namespace, screen.name, datetime.now(UTC))

    async def prepare(self) -> None:
        if not self.screen.namespace:
            return
        await self._review()
        found, obj = self._found(), self.screen.newest()
        self._asked = _asks(found, obj)
        wishes = [one.log for one in found if one.log is not None] if self._may_log else []
        self._logs = await last_lines(self.screen.runtime, wishes)
        if self._may_read_secrets:
            ref = Ref(self.screen.kind.kind, self.screen.namespace, self.screen.name, self.screen.kind.plural)
            self._certificates = await certificates(self.screen.runtime, ref, obj)

    async def _review(self) -> None:
        """Ask what may be read past the cache. While nobody answers, it stays as it was."""
        where, transport = self.screen.namespace, self.screen.runtime.transport
        with suppress(ClusterError):
            logs = await allowed(transport, "get", PODS.gvr, namespace=where, subresource="log")
            secrets = await allowed(transport, "get", SECRETS.gvr, namespace=where)
            self._may_log, self._may_read_secrets = logs.allowed, secrets.allowed
            if not self._may_read_secrets:
                self._certificates = ()

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural in KINDS  # no rule is about another

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        found = self._found()
        if _asks(found, obj) != self._asked:
            self._rereading.soon()
        every = sorted([*found, *self._certificates], key=order)
        screen = self.screen
        here = object_url(screen.runtime, screen.kind.plural, screen.namespace, screen.name)
        return Snapshot(lists={"problems": finding_rows(screen.runtime, every[:SHOWN], self._logs, here)})

    def close(self) -> None:
        super().close()
        self._rereading.stop()


def _asks(found: Sequence[Finding], obj: Any) -> Hashable:
    """What was asked for: logs, of which run, and the object's certificates as it names them."""
    logs = tuple((one.log, one.since) for one in found if one.log is not None)
    return logs, getattr(obj.spec, "tls", None) if hasattr(obj, "spec") else obj.metadata.resource_version
