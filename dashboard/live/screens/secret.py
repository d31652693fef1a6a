"""What the page of a Secret says besides the Table: its keys with sizes, and its public parts. Never a value."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dashboard import render
from dashboard.errors import ClusterError, Forbidden, NotFound
from dashboard.queries.secrets import SecretParts, secret_parts

from .common import iso, object_url

if TYPE_CHECKING:
    from .detail import DetailScreen


class SecretCard:
    """Read as the user when the page is made, and again when the Secret changes; whoever may only list Secrets sees
    that the rest needs the right to get them.
    """

    def __init__(self, screen: DetailScreen) -> None:
        self.screen = screen
        self.readable = True
        self.changed: Callable[[], None] | None = None
        self._parts: SecretParts | None = None
        self._trouble = ""
        self._reading: asyncio.Task[None] | None = None

    async def read(self) -> None:
        screen = self.screen
        try:
            self._parts = await secret_parts(
                screen.runtime.transport, screen.namespace, screen.name, datetime.now(UTC)
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

    def regions(self, resource_version: str) -> dict[str, render.Part]:
        """The regions, as last read; when the object is of another version, it is read again."""
        parts = self._parts
        if self.readable and (parts is None or parts.resource_version != resource_version):
            self._read_later()
        url = object_url(self.screen.runtime, "secrets", self.screen.namespace, self.screen.name, "reveal")
        keys = [
            {"name": key.name, "size": _bytes(key.size), "what": key.what}
            for key in (parts.keys if parts else ())
        ]
        facts: list[dict[str, Any]] = [
            {"label": fact.label, "value": fact.value, "state": fact.state, "until": iso(fact.until)}
            for fact in (parts.facts if parts else ())
        ]
        return {
            "keys": render.region("secret_keys", {"keys": keys, "url": url, "trouble": self._trouble}),
            "secret-what": render.region(
                "secret_what", {"facts": facts, "fixed": parts.fixed if parts else ""}
            ),
        }

    def _read_later(self) -> None:
        if self.changed is None or (self._reading is not None and not self._reading.done()):
            return

        async def read() -> None:
            with suppress(ClusterError):
                before = self._parts
                await self.read()
                if before != self._parts and self.changed is not None:
                    self.changed()

        self._reading = asyncio.create_task(read())

    def close(self) -> None:
        self.changed = None
        if self._reading is not None:
            self._reading.cancel()


def _bytes(size: int) -> str:
    return f"{size:,} byte{'' if size == 1 else 's'}"
