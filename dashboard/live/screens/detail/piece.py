"""What an object's page is put together from. Each piece knows what it reads and shows, and nothing of the rest."""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from dashboard.errors import ClusterError
from dashboard.kinds.base import Detail, Kind
from dashboard.kube.shell import shell_line
from dashboard.live.session import Session
from dashboard.live.snapshot import Snapshot

if TYPE_CHECKING:
    from dashboard.live.logfeed import LogFeed, Position

    from .screen import DetailScreen


class Piece(abc.ABC):
    """A part of the page of one object; made anew for each screen."""

    plurals: ClassVar[frozenset[str]] = frozenset()  # see plurals_of
    recorded: ClassVar[bool] = (
        True  # whether what it shows is known of the past too: the cache alone tells it
    )

    def __init__(self, screen: DetailScreen) -> None:
        self.screen = screen
        self.changed: Callable[[], None] | None = None

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        """Whether objects of this kind have it."""
        return True

    @classmethod
    def plurals_of(cls, kind: Kind[Any]) -> frozenset[str]:
        """The kinds that it reads for an object of this kind, besides the object's own."""
        return cls.plurals

    @classmethod
    def waits_of(cls, kind: Kind[Any]) -> frozenset[str]:
        """Those of them without whose list its first showing would say nothing."""
        return cls.plurals_of(kind)

    @property
    def key(self) -> Hashable:
        """What it shows besides the object, as the address says it; part of the screen's key. What was decided is that
        anyway.
        """
        return ()

    @property
    def of_viewer(self) -> bool:
        """Whether it is, or has, a part of one viewer."""
        return isinstance(self, ViewerPiece)

    async def prepare(self) -> None:  # noqa: B027 # most pieces live from the cache alone
        """Ask for what the cache does not tell; see ``Screen.prepare``."""

    @abc.abstractmethod
    def show(self, obj: Any, detail: Detail) -> Snapshot:
        """Its regions, lists and charts now: no waiting. ``obj`` may be the last that was seen of it."""

    def context(self) -> Mapping[str, Any]:
        """What its template needs that does not change while somebody looks: members of ``s``."""
        return {}

    def open(self, changed: Callable[[], None]) -> None:
        """The first viewer came: ``changed()`` asks for a new showing."""
        self.changed = changed

    def close(self) -> None:
        """The last viewer went."""
        self.changed = None


class ViewerPiece(Piece):
    """A part of one viewer: what was read, or listed, with that account. No other account shares a page with it."""

    recorded = False

    @property
    def session(self) -> Session:
        """With the way past the cache, which no other piece has."""
        session = self.screen.session
        assert isinstance(session, Session)  # noqa: S101 # every screen has one, and shows it to nobody else
        return session


class Card(Piece):
    """A piece of the overview, with a template in its wide column, at its side, or in both."""

    main: ClassVar[str] = ""
    side: ClassVar[str] = ""
    region: ClassVar[str] = ""  # the key of its region, where the template is for several cards


class Tab(Piece):
    """A page of its own under the object's."""

    id: ClassVar[str]
    title: ClassVar[str]
    template: ClassVar[str]
    shortcut: ClassVar[str] = ""
    said: ClassVar[tuple[str, ...]] = ()  # what kubectl calls it, besides ``id``

    def feed(self, position: Position, wake: Callable[[], None]) -> LogFeed | None:
        """See ``Screen.feed``."""
        return None

    @abc.abstractmethod
    def kubectl(self) -> list[str]:
        """The words of the command that tells the same."""

    def command_line(self) -> str:
        """The command as a shell takes it."""
        return shell_line(["kubectl", *self.kubectl()])


class Watched(Protocol):
    """What is asked for a new showing while somebody looks."""

    changed: Callable[[], None] | None


class Rereading:
    """Reads something past the cache again while somebody looks: one read at a time, told of when it changed."""

    def __init__(
        self, piece: Watched, read: Callable[[], Awaitable[None]], found: Callable[[], object]
    ) -> None:
        self._piece = piece
        self._read = read
        self._found = found
        self._task: asyncio.Task[None] | None = None

    def soon(self) -> None:
        if self._piece.changed is None or (self._task is not None and not self._task.done()):
            return
        self._task = asyncio.create_task(self._again())

    async def _again(self) -> None:
        before = self._found()
        with suppress(ClusterError):  # gone, or out of reach: the badge and the head say so
            await self._read()
        if before != self._found() and self._piece.changed is not None:
            self._piece.changed()

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
