"""What only the object itself tells, of a kind without a module here: read as the user, once for all cards."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dashboard.errors import ClusterError
from dashboard.queries.objects import ObjectDetails, object_details

from .piece import Piece, Rereading

if TYPE_CHECKING:
    from .screen import DetailScreen

NOTHING = ObjectDetails("", (), ())


class Telling:
    """Whoever may list such objects and not get them is told nothing more."""

    def __init__(self, screen: DetailScreen) -> None:
        self.told = NOTHING
        self._screen = screen
        self._lock = asyncio.Lock()

    async def prepare(self) -> None:
        """Asks for the right anew, and reads what has not been read yet."""
        try:
            await self.read()
        except ClusterError:
            self.told = NOTHING

    async def read(self) -> None:
        """The present version, for who may get it. Raises NotFound, Forbidden, Unavailable."""
        screen = self._screen
        async with self._lock:
            transport = await screen.session.permitted(
                "get", screen.kind.gvr, namespace=screen.namespace or None, name=screen.name
            )
            if transport is None:
                self.told = NOTHING
            elif self.told.version != screen.newest().metadata.resource_version:
                self.told = await object_details(transport, screen.kind, screen.namespace, screen.name)

    @property
    def readable(self) -> bool:
        """Whether it could be read."""
        return bool(self.told.version)

    def rereading(self, piece: Piece) -> Rereading:
        """For a card that shows it: reads on while somebody looks."""
        return Rereading(piece, self.read, lambda: self.told)

    def behind(self, version: str) -> bool:
        """Whether what was read is of another version of the object."""
        return self.readable and self.told.version != version
