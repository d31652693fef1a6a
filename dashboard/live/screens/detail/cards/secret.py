"""What the page of a Secret says besides the Table: its keys with sizes, and its public parts. Never a value."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dashboard import render
from dashboard.errors import ClusterError, Forbidden, NotFound
from dashboard.kinds.base import Detail, Kind
from dashboard.live.screens.common import iso, object_url
from dashboard.live.snapshot import Snapshot
from dashboard.queries.keys import KeyWindow
from dashboard.queries.secrets import SecretParts, secret_parts

from ..piece import Card, Rereading, ViewerPiece

if TYPE_CHECKING:
    from ..screen import DetailScreen


class SecretCard(Card, ViewerPiece):
    """Read as the user when the page is made, and again when the Secret changes; whoever may only list Secrets sees
    that the rest needs the right to get them.
    """

    main = "cards/secret_keys.html"
    side = "cards/secret_what.html"

    def __init__(self, screen: DetailScreen) -> None:
        super().__init__(screen)
        self.readable = True
        self._parts: SecretParts | None = None
        self._trouble = ""
        # Each key is the way to its value, which no other page has: all of them can be got to.
        self._asked = {name: screen.params.get(name, "") for name in ("q", "page")}
        self._rereading = Rereading(self, self.prepare, lambda: self._parts)

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural == "secrets"

    @property
    def key(self) -> Hashable:
        return tuple(self._asked.values())

    async def prepare(self) -> None:
        screen = self.screen
        try:
            self._parts = await secret_parts(
                self.session.transport, screen.namespace, screen.name, datetime.now(UTC)
            )
            self.readable, self._trouble = True, ""
        except Forbidden as error:
            self.readable, self._parts, self._trouble = (
                False,
                None,
                f"{error.message} {error.next_step}".strip(),
            )
        except NotFound:
            self._trouble = ""  # the head says that it is gone
        except ClusterError as error:
            self._trouble = error.message

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        """As last read; when the object is of another version, it is read again."""
        parts = self._parts
        if self.readable and (parts is None or parts.resource_version != obj.metadata.resource_version):
            self._rereading.soon()
        found = {key.name: key for key in (parts.keys if parts else ())}
        window = KeyWindow.of(found, self._asked)
        keys = [
            {"name": key.name, "size": _bytes(key.size), "what": key.what}
            for key in (found[name] for name in window.names)
        ]
        shown = {
            "keys": keys,
            "w": window,
            "url": self.screen.url,
            "reveal_url": object_url(
                self.screen.runtime, "secrets", self.screen.namespace, self.screen.name, "reveal"
            ),
            "trouble": self._trouble,
        }
        facts: list[dict[str, Any]] = [
            {"label": fact.label, "value": fact.value, "state": fact.state, "until": iso(fact.until)}
            for fact in (parts.facts if parts else ())
        ]
        regions = {
            "keys": render.region("secret_keys", shown),
            "secret-what": render.region(
                "secret_what", {"facts": facts, "fixed": parts.fixed if parts else ""}
            ),
        }
        return Snapshot(regions=regions)

    def close(self) -> None:
        super().close()
        self._rereading.stop()


def _bytes(size: int) -> str:
    return f"{size:,} byte{'' if size == 1 else 's'}"
