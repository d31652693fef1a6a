"""A screen is what one address shows: the same parts fill the page and, later, the frames."""

from __future__ import annotations

import abc
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any

from dashboard.queries.access import Visible

from .session import Session, Sight
from .snapshot import Snapshot

if TYPE_CHECKING:
    from .logfeed import LogFeed, Position
    from .runtime import ClusterRuntime


class Screen(abc.ABC):
    """One address of one cluster, for a set of rights.

    Screens with equal ``key`` show the same, so a group of viewers shares one snapshot and one frame. What it shows comes
    through its ``session``, which leads to nothing that was not decided, and every decision is part of the key: its
    parts are shared by whoever has the same rights, and hold nothing of a user.
    """

    page: str  # the template of its page
    beside = False  # whether it is around what somebody looks at: its kinds are then listed after those
    partly = (
        False  # whether it shows what has been read of a long list so far, and says that the rest follows
    )
    pace = 0.25  # seconds between showings when changes never stop; the first ones after a rest are shown at once

    session: Sight

    def __init__(self, session: Session) -> None:
        self.session = session.again()

    @property
    def runtime(self) -> ClusterRuntime:
        """The cluster, for what is nobody's: its name, its kinds, what is measured."""
        return self.session.cluster

    @property
    def visible(self) -> Mapping[str, Visible]:
        """Where the kinds that it asked about may be listed."""
        return self.session.visible

    @property
    @abc.abstractmethod
    def shows(self) -> Hashable:
        """What the address asks for."""

    @property
    def key(self) -> Hashable:
        """Equal keys, equal showings: the same was asked for, and decided."""
        return (type(self).__name__, self.shows, self.session.decided)

    @property
    @abc.abstractmethod
    def plurals(self) -> frozenset[str]:
        """The kinds whose changes concern it."""

    @property
    def waits_for(self) -> frozenset[str]:
        """The kinds without whose list the first showing would say nothing."""
        return self.plurals

    @abc.abstractmethod
    async def prepare(self) -> None:
        """Ask for what cannot be had at once: access reviews, objects outside the cache. Called before the first
        snapshot and again every 15 s while somebody looks. Raises ClusterError where the screen cannot be shown."""

    async def get_ready(self) -> None:
        """All that the first snapshot needs, so that it holds nobody up."""
        await self.prepare()
        if self.session.reader.owes(self.plurals):
            await self.catch_up()

    def behind(self) -> bool:
        """Whether so much has changed that a snapshot would hold everybody up: ``catch_up`` comes first."""
        return self.session.reader.owes(self.plurals)

    async def catch_up(self) -> None:
        """Work out what the next snapshot needs, in slices or in a thread."""
        for plural in self.plurals:
            if self.session.reader.owes({plural}):
                await self.session.reader.make_rows(plural)

    @abc.abstractmethod
    def snapshot(self) -> Snapshot:
        """What it shows now, out of the cache: no waiting."""

    @abc.abstractmethod
    def context(self) -> Mapping[str, Any]:
        """The part of its page that does not change while somebody looks (``s`` in the template)."""

    def feed(self, position: Position, wake: Callable[[], None]) -> LogFeed | None:
        """Lines that one socket follows beside the snapshots, from where its browser has them; it is the socket's to
        close. The screen is prepared, and is reviewed, as for the snapshots."""
        return None

    def open(self, changed: Any) -> None:  # noqa: B027 # most screens live from the cache alone
        """The first viewer came. ``changed()`` asks for a new snapshot, for what the cache does not tell."""

    def close(self) -> None:  # noqa: B027
        """The last viewer went."""


class ViewerScreen(Screen):
    """A screen with parts of one viewer: what was read, listed or counted with that account alone."""

    session: Session

    @property
    def key(self) -> Hashable:
        return (super().key, self.session.identity.account)
