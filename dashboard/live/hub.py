"""Coalesces changes and sends them: the first at once, the rest paced, always the latest state.

A group is everybody who looks at the same screen. It renders once; each looker is sent the difference from what it
was last sent. A looker that is still busy sending is not given a queue but, when done, the difference to the present.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

from dashboard.errors import ClusterError, Forbidden, NotFound, Unauthenticated

from .snapshot import Have, Snapshot, difference

if TYPE_CHECKING:
    from .runtime import ClusterRuntime
    from .screen import Screen

logger = logging.getLogger(__name__)

REVIEW_SECONDS = 15.0
BREATH_SECONDS = 0.05
# After these a screen cannot be shown any more; anything else (an API server that is away) passes.
FINAL = (Forbidden, NotFound, Unauthenticated)


class Looker:
    """One socket at one group.

    ``wake`` is called when there is something to send; ``take`` then gives it. ``gone`` is called with the reason
    when the group ends, or with "" when its rights have changed and it wants to be looked at anew.
    """

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

    def have(self) -> Have:
        """What this looker was last sent."""
        return self._have if self._have is not None else self.group.past(self.version).have


class Group:
    """The lookers of one screen, its present snapshot, and when it is next made."""

    def __init__(self, hub: Hub, screen: Screen) -> None:
        self.hub = hub
        self.screen = screen
        self.key = screen.key  # as it was joined: a review may change what the screen would be now
        self.lookers: set[Looker] = set()
        self.version = 1
        self.snapshot = screen.snapshot()
        self._past: dict[int, Snapshot] = {1: self.snapshot}
        self._frames: dict[tuple[int, int], str] = {}
        self._timer: asyncio.TimerHandle | asyncio.Handle | None = None
        self._flushed_at = 0.0
        self._spent_until = 0.0
        self._waiting_since: float | None = None
        self._review_now = asyncio.Event()
        self._closed = False
        self._lease = screen.runtime.cache.lease(screen.plurals)
        self._unsubscribe = screen.runtime.subscribe(screen.plurals, self.changed, self._review_now.set)
        self._review = asyncio.create_task(self._review_rights())
        screen.open(self.changed)

    def changed(self, _: Sequence[Any] = ()) -> None:
        """Something this screen may show has changed."""
        if self._waiting_since is None:
            self._waiting_since = time.monotonic()
        if self._timer is not None or self._closed:
            return
        loop = asyncio.get_running_loop()
        wait = self._wait()
        # call_soon, not now: events that arrived in one read of the watch make one frame.
        self._timer = loop.call_later(wait, self.flush) if wait > 0 else loop.call_soon(self.flush)

    def _wait(self) -> float:
        """Seconds until the next showing: one a ``pace`` in the long run, after a rest a second's worth of them at
        once, so that a change need not wait for the one just before it (a token bucket)."""
        pace = self.screen.pace
        at_once = max(1, round(1 / pace)) - 1
        next_free = max(self._flushed_at + min(BREATH_SECONDS, pace), self._spent_until - at_once * pace)
        return next_free - time.monotonic()

    def late(self) -> float:
        """For how many seconds a change has been waiting to be shown."""
        return 0.0 if self._waiting_since is None else time.monotonic() - self._waiting_since

    def flush(self) -> None:
        """Make the snapshot anew and tell the lookers when it differs."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._flushed_at = time.monotonic()
        self._spent_until = max(self._spent_until, self._flushed_at) + self.screen.pace
        try:
            snapshot = self.screen.snapshot()
        except ClusterError as error:
            self.dismiss(error.title)
            return
        except Exception:
            # Told as "behind" by late(), and tried again with the next change or review.
            logger.exception("showing %s", self.key)
            return
        self._waiting_since = None
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

    def past(self, version: int) -> Snapshot:
        """The snapshot of a version that a looker has."""
        return self._past[version]

    def frame(self, version: int, have: Have | None) -> str:
        """The difference from a version, or from what a browser says it has, to the present."""
        if have is not None:
            return difference(have, self.snapshot)
        key = (version, self.version)
        if key not in self._frames:
            self._frames[key] = difference(self._past[version].have, self.snapshot)
        return self._frames[key]

    async def _review_rights(self) -> None:
        """Asks anew every 15 s, and as soon as a watch changes its state, whether the screen may be shown."""
        while True:
            try:
                async with asyncio.timeout(REVIEW_SECONDS):
                    await self._review_now.wait()
                await asyncio.sleep(self.screen.pace)  # several watches change together
            except TimeoutError:
                pass
            self._review_now.clear()
            try:
                await self.screen.prepare()
            except FINAL as error:
                self.dismiss(error.title)
                return
            except ClusterError:
                pass  # the badge tells that the cluster is away
            except Exception:
                logger.exception("reviewing the rights of %s", self.key)
                continue
            if self.screen.key != self.key:
                self.dismiss("")
                return
            self.changed()

    def dismiss(self, why: str) -> None:
        """End the group: its screen cannot be shown any more, or ("") is another one now."""
        lookers = list(self.lookers)
        self.hub.drop(self)
        for looker in lookers:
            looker.gone(why)

    def close(self) -> None:
        self._closed = True
        if self._review is not asyncio.current_task():
            self._review.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._unsubscribe()
        self._lease.release()
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
            group = Group(self, screen)
            self.groups[group.key] = group
        looker = Looker(group, have, wake, gone)
        group.lookers.add(looker)
        # The group's snapshot may be as old as its last change allows: bring it to now before the first difference.
        group.flush()
        wake()
        return looker

    def leave(self, looker: Looker) -> None:
        """Twice does no harm."""
        looker.group.lookers.discard(looker)
        if not looker.group.lookers:
            self.drop(looker.group)

    def drop(self, group: Group) -> None:
        """End a group, whoever still looks."""
        if self.groups.get(group.key) is group:
            del self.groups[group.key]
            group.close()

    def close(self) -> None:
        """End every group and tell its lookers."""
        for group in list(self.groups.values()):
            group.dismiss("closed")
