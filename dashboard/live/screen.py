"""A screen is what one address shows: the same parts fill the page and, later, the frames."""

from __future__ import annotations

import abc
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any

from .snapshot import Snapshot

if TYPE_CHECKING:
    from .logfeed import LogFeed, Position
    from .runtime import ClusterRuntime


class Screen(abc.ABC):
    """One address of one cluster, for a set of rights.

    Screens with equal ``key`` show the same, so a group of lookers shares one snapshot and one frame. A screen's
    parts therefore hold nothing of a user or a session.
    """

    page: str  # the template of its page
    pace = 0.25  # seconds between showings when changes never stop; the first ones after a rest are shown at once

    def __init__(self, runtime: ClusterRuntime) -> None:
        self.runtime = runtime

    @property
    @abc.abstractmethod
    def key(self) -> Hashable:
        """What this screen shows: equal keys, equal showings."""

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
        """The first looker came. ``changed()`` asks for a new snapshot, for what the cache does not tell."""

    def close(self) -> None:  # noqa: B027
        """The last looker went."""
