"""Coalesces changes and sends them: the first at once, the rest at most every 250 ms, always the latest state.

A group is everybody who looks at the same screen. It renders once; each looker is sent the difference from what it
was last sent. A looker that is still busy sending is not given a queue but, when done, the difference to the present.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

from dashboard.errors import ClusterError

from .snapshot import Have, Snapshot, difference

if TYPE_CHECKING:
    from .runtime import ClusterRuntime
    from .screen import Screen

logger = logging.getLogger(__name__)

REVIEW_SECONDS = 15.0


class Looker:
    """One socket at one group. ``wake`` is called when there is something to send; ``take`` then gives it."""

    def __init__(
        self, group: Group, have: Have, wake: Callable[[], None], gone: Callable[[str], None]
    ) -> None:
        self.group = group
        self.wake = wake
        self.gone = gone
        self.version = 0
        self._have: Have | None = have

    def take(self) -> str | None:
        """The body of the frame that brings this looker to the present, or None when it is there already."""
        if self.version == self.group.version:
            return None
        body = self.group.frame(self.version, self._have)
        first = self._have is not None
        self.version, self._have = self.group.version, None
        return body if body or first else None


class Group:
    """The lookers of one screen, its present snapshot, and when it is next made."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.lookers: set[Looker] = set()
        self.version = 1
        self.snapshot = screen.snapshot()
        self._past: dict[int, Snapshot] = {1: self.snapshot}
        self._frames: dict[tuple[int, int], str] = {}
        self._timer: asyncio.TimerHandle | asyncio.Handle | None = None
        self._flushed_at = 0.0
        self._review = asyncio.create_task(self._review_rights())
        self.lease = screen.runtime.cache.lease(screen.plurals)
        self._unsubscribe = screen.runtime.subscribe(screen.plurals, self.changed)
        screen.open(self.changed)

    def changed(self, _: Sequence[Any] = ()) -> None:
        """Something this screen may show has changed."""
        if self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        wait = self._flushed_at + self.screen.pace - time.monotonic()
        # call_soon, not now: events that arrived in one read of the watch make one frame.
        self._timer = loop.call_later(wait, self.flush) if wait > 0 else loop.call_soon(self.flush)

    def flush(self) -> None:
        """Make the snapshot anew and tell the lookers when it differs."""
        self._timer = None
        self._flushed_at = time.monotonic()
        try:
            snapshot = self.screen.snapshot()
        except ClusterError as error:
            self._dismiss(error)
            return
        if snapshot.have == self.snapshot.have:
            return
        self.version += 1
        self.snapshot = snapshot
        self._past[self.version] = snapshot
        wanted = {looker.version for looker in self.lookers} | {self.version}
        self._past = {version: past for version, past in self._past.items() if version in wanted}
        self._frames.clear()
        for looker in self.lookers:
            looker.wake()

    def frame(self, version: int, have: Have | None) -> str:
        """The difference from a version, or from what a browser says it has, to the present."""
        if have is not None:
            return difference(have, self.snapshot)
        key = (version, self.version)
        if key not in self._frames:
            self._frames[key] = difference(self._past[version].have, self.snapshot)
        return self._frames[key]

    async def _review_rights(self) -> None:
        while True:
            await asyncio.sleep(REVIEW_SECONDS)
            try:
                await self.screen.prepare()
            except ClusterError as error:
                self._dismiss(error)
                return
            except Exception:
                logger.exception("reviewing the rights of %s", self.screen.key)
                continue
            self.changed()

    def _dismiss(self, error: ClusterError) -> None:
        """The screen cannot be shown any more (a right was taken away): its lookers load the page that says so."""
        for looker in list(self.lookers):
            looker.gone(error.title)

    def close(self) -> None:
        self._review.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._unsubscribe()
        self.lease.release()
        self.screen.close()


class Hub:
    """The groups of one cluster."""

    def __init__(self, runtime: ClusterRuntime) -> None:
        self.runtime = runtime
        self.groups: dict[Hashable, Group] = {}

    def look(
        self, screen: Screen, have: Have, wake: Callable[[], None], gone: Callable[[str], None]
    ) -> Looker:
        """Join the group of a prepared screen. The caller must ``leave``."""
        group = self.groups.get(screen.key)
        if group is None:
            group = self.groups[screen.key] = Group(screen)
        looker = Looker(group, have, wake, gone)
        group.lookers.add(looker)
        # The group's snapshot may be as old as its last change allows: bring it to now before the first difference.
        group.flush()
        wake()
        return looker

    def leave(self, looker: Looker) -> None:
        group = looker.group
        group.lookers.discard(looker)
        if not group.lookers and self.groups.get(group.screen.key) is group:
            del self.groups[group.screen.key]
            group.close()

    def close(self) -> None:
        for group in self.groups.values():
            group.close()
        self.groups.clear()
