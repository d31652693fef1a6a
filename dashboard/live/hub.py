"""Coalesces changes and sends them: the first at once, the rest paced, always the latest state.

A group is everybody who looks at the same screen and may see the same. It renders once; each viewer is sent the
difference from what it was last sent. Whether they may still see it is asked for each account that looks. A viewer
that is still busy sending is not given a queue but, when done, the difference to the present.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from dashboard.errors import ClusterError, Forbidden, NotFound, Unauthenticated

from .snapshot import Have, Snapshot, frames

if TYPE_CHECKING:
    from .runtime import ClusterRuntime
    from .screen import Screen

logger = logging.getLogger(__name__)

REVIEW_SECONDS = 15.0
BREATH_SECONDS = 0.05
SAME_MOMENT_SECONDS = 0.1
SMALL = 16 * 1024  # characters of a showing that counts as half of one,
QUICK_SECONDS = 0.005  # unless it took longer than this to make
FRAMES = 64  # differences to the present that are kept for whoever needs the same one
# After these a screen cannot be shown any more; anything else (an API server that is away) passes.
FINAL = (Forbidden, NotFound, Unauthenticated)


class Timer(Protocol):
    """What is called later, unless it is cancelled."""

    def cancel(self) -> None: ...


def call_later(seconds: float, call: Callable[[], object]) -> Timer:
    """Not before the loop's next turn: events that arrived in one read of the watch make one frame."""
    loop = asyncio.get_running_loop()
    return loop.call_later(seconds, call) if seconds > 0 else loop.call_soon(call)


class Viewer:
    """One socket at one group, of one account.

    ``wake`` is called when there is something to send; ``take`` then gives it. ``gone`` is called with the reason
    when the group ends, or with "" when its rights have changed and it wants to be looked at anew.
    """

    def __init__(
        self,
        group: Group,
        account: str,
        have: Have,
        wake: Callable[[], None],
        gone: Callable[[str], None],
    ) -> None:
        self.group = group
        self.account = account
        self.wake = wake
        self.gone = gone
        self.version = 0
        self._have: Have | None = have
        self._rest: tuple[str, ...] = ()

    def take(self) -> str | None:
        """The body of the next frame on the way to the present, or None when it is there already."""
        waits = self.is_new and self.group.is_waiting
        if not self._rest and self.version != self.group.version and not waits:
            self._rest = self.group.frames(self.version, self._have) or (("",) if self.is_new else ())
            self.version, self._have = self.group.version, None
        if not self._rest:
            return None
        body, *rest = self._rest
        self._rest = tuple(rest)
        return body

    @property
    def is_new(self) -> bool:
        """Whether it has been sent nothing yet."""
        return self._have is not None

    def have(self) -> Have:
        """What this viewer was last sent."""
        return self._have if self._have is not None else self.group.past(self.version).have


class Group:
    """The viewers of one screen, its present snapshot, and when it is next made.

    ``screens``: one of each account that looks, equal when it joined; ``screen`` is the one that shows.
    """

    def __init__(self, hub: Hub, screen: Screen) -> None:
        self.hub = hub
        self.screen = screen
        self.screens: dict[str, Screen] = {}
        self.key = screen.key  # as it was joined: a review may change what the screen would be now
        self.viewers: set[Viewer] = set()
        self.version = 1
        self.snapshot = screen.snapshot()
        self._past: dict[int, Snapshot] = {1: self.snapshot}
        self._frames: dict[Hashable, tuple[str, ...]] = {}  # to the present snapshot
        self._messages: dict[tuple[int, str], tuple[float, str]] = {}  # when each was made, and its text
        self._timer: Timer | None = None
        self._catching_up: asyncio.Task[None] | None = None
        self._flushed_at = 0.0
        self._spent_until = 0.0
        self._took = 0.0  # seconds to make the last snapshot
        self._waiting_since: float | None = None
        self._review_now = asyncio.Event()
        self._closed = False
        self._lease = screen.runtime.lease(screen.plurals, beside=screen.beside)
        self._unsubscribe = screen.runtime.subscribe(screen.plurals, self.changed, self._review_now.set)
        self._review = asyncio.create_task(self._review_rights())
        screen.open(self.changed)

    def changed(self, _: Sequence[Any] = ()) -> None:
        """Something this screen may show has changed."""
        if self._waiting_since is None:
            self._waiting_since = self.hub.clock()
        if self._timer is not None or self._closed:
            return
        self._timer = self.hub.later(self._wait(), self.flush)

    def _wait(self) -> float:
        """Seconds until the next showing: one a ``pace`` in the long run, twice as many where they are small, fewer
        where they are large, after a rest a second's worth of them at once, so that a change need not wait for the one
        just before it (a token bucket)."""
        pace = self.screen.pace
        at_once = max(1, round(1 / pace)) - 1
        next_free = max(self._flushed_at + min(BREATH_SECONDS, pace), self._spent_until - at_once * pace)
        return next_free - self.hub.clock()

    @property
    def is_waiting(self) -> bool:
        """Whether something has changed since the present snapshot was made."""
        return self._waiting_since is not None

    def late(self) -> float:
        """For how many seconds a change has been waiting to be shown."""
        return 0.0 if self._waiting_since is None else self.hub.clock() - self._waiting_since

    def flush(self) -> None:
        """Make the snapshot anew and tell the viewers when it differs; where much has changed, that is taken in first."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._catching_up is not None:
            return
        if self.screen.behind():
            self._catching_up = asyncio.create_task(self._catch_up())
        else:
            self._show()

    async def _catch_up(self) -> None:
        try:
            await self.screen.catch_up()
        except Exception:
            logger.exception("catching up for %s", self.key)
        finally:
            self._catching_up = None
        if not self._closed:
            self._show()

    def _show(self) -> None:
        self._flushed_at = self.hub.clock()
        self._spent_until = max(self._spent_until, self._flushed_at) + self.screen.pace * self._worth()
        if self.screen.key != self.key:
            # Something else was decided since: what would be made of it now is not for all who look here.
            self.dismiss("")
            return
        try:
            snapshot = self.screen.snapshot()
        except ClusterError as error:
            self.dismiss(error.title)
            return
        except Exception:
            # Told as "behind" by late(), and tried again with the next change or review.
            logger.exception("showing %s", self.key)
            return
        self._took = self.hub.clock() - self._flushed_at
        self._waiting_since = None
        if snapshot.have == self.snapshot.have:
            for viewer in self.viewers:
                if viewer.is_new:
                    viewer.wake()
            return
        self.version += 1
        self.snapshot = snapshot
        self._past[self.version] = snapshot
        wanted = {viewer.version for viewer in self.viewers} | {self.version}
        self._past = {version: past for version, past in self._past.items() if version in wanted}
        self._frames.clear()
        self._messages.clear()
        for viewer in self.viewers:
            viewer.wake()

    def _worth(self) -> float:
        """How many showings the last one counts as: the frames that brought those who look to it; half of one where
        that was little, and quickly made."""
        sent = [bodies for version, bodies in self._frames.items() if isinstance(version, int)]
        if self._took < QUICK_SECONDS and all(sum(map(len, bodies)) < SMALL for bodies in sent):
            return 0.5
        return max(map(len, sent), default=1)

    def past(self, version: int) -> Snapshot:
        """The snapshot of a version that a viewer has."""
        return self._past[version]

    def frames(self, version: int, have: Have | None) -> tuple[str, ...]:
        """The differences from a version, or from what a browser says it has, to the present."""
        # Most who join have the page as it is, or as it was a moment ago, or nothing.
        key: Hashable = version if have is None else have.key
        if key not in self._frames:
            if len(self._frames) >= FRAMES:
                self._frames.clear()
            from_ = self._past[version].have if have is None else have
            self._frames[key] = frames(from_, self.snapshot)
        return self._frames[key]

    def message(self, view: int, body: str) -> str:
        """A frame as it is sent, with the clock of the server: one text for all whom it reaches at the same moment, so
        that it is also written as a message of the websocket once.
        """
        now = self.hub.clock()
        made = self._messages.get((view, body))
        if made is None or now - made[0] > SAME_MOMENT_SECONDS:
            if len(self._messages) >= FRAMES:
                self._messages.clear()
            head = f'{{"t":"frame","view":{view},"at":{self.hub.wall():.3f}'
            made = self._messages[view, body] = now, f"{head},{body}}}" if body else f"{head}}}"
        return made[1]

    async def _review_rights(self) -> None:
        """Asks anew every 15 s, and as soon as a watch changes its state, whether the screen may be shown."""
        while True:
            due = self.hub.later(REVIEW_SECONDS, self._review_now.set)
            try:
                await self._review_now.wait()
            finally:
                due.cancel()
            await self.hub.sleep(self.screen.pace)  # several watches change together
            self._review_now.clear()
            try:
                await self._review_accounts()
            except Exception:
                logger.exception("reviewing the rights of %s", self.key)
            if self._closed:
                return

    async def _review_accounts(self) -> None:
        """Each account that looks may lose the screen, or be shown another one: no other's rights speak for it."""
        account = _account_of(self.screen)
        if account not in self.screens:  # whoever it was made for has left
            account = next(iter(self.screens))
        screen = self.screens[account]
        try:
            await screen.prepare()
        except FINAL as error:
            self.dismiss(error.title, account)
            self._review_now.set()  # in the name of another one who looks, if there is one
            return
        except ClusterError:
            pass  # the badge tells that the cluster is away
        if screen.key != self.key:
            self.dismiss("")
            return
        others = {each: other for each, other in self.screens.items() if other is not screen}
        found = await asyncio.gather(
            *(other.session.follow(screen.session) for other in others.values()), return_exceptions=True
        )
        for (each, other), failed in zip(others.items(), found, strict=True):
            if isinstance(failed, ClusterError):  # no account any more
                self.dismiss(failed.title, each)
            elif failed is not None:
                raise failed
            elif other.session.decided != screen.session.decided:
                self.dismiss("", each)
        if self._closed:
            return
        if screen is not self.screen:
            self.screen.close()
            self.screen = screen
            screen.open(self.changed)
        self.changed()

    def join(self, screen: Screen, viewer: Viewer) -> None:
        self.screens.setdefault(viewer.account, screen)
        self.viewers.add(viewer)

    def leave(self, viewer: Viewer) -> None:
        self.viewers.discard(viewer)
        if any(other.account == viewer.account for other in self.viewers):
            return
        if self.screens.pop(viewer.account, None) is self.screen:
            self._review_now.set()  # another one's screen takes its place

    def dismiss(self, why: str, account: str | None = None) -> None:
        """End the group, or one account's part in it: the screen cannot be shown any more, or ("") is another one now."""
        gone = [viewer for viewer in self.viewers if account in (None, viewer.account)]
        if len(gone) == len(self.viewers):
            self.hub.drop(self)
        else:
            for viewer in gone:
                self.leave(viewer)
        for viewer in gone:
            viewer.gone(why)

    def close(self) -> None:
        self._closed = True
        if self._review is not asyncio.current_task():
            self._review.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self._catching_up is not None and self._catching_up is not asyncio.current_task():
            self._catching_up.cancel()
        self._unsubscribe()
        self._lease.release()
        self.screen.close()


class Hub:
    """The groups of one cluster. ``wall`` is the time of day, which a browser compares with its own."""

    def __init__(
        self,
        runtime: ClusterRuntime,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        later: Callable[[float, Callable[[], object]], Timer] = call_later,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.runtime = runtime
        self.clock = clock
        self.wall = wall
        self.later = later
        self.sleep = sleep
        self.groups: dict[Hashable, Group] = {}

    def look(
        self, screen: Screen, have: Have, wake: Callable[[], None], gone: Callable[[str], None]
    ) -> Viewer:
        """Join the group of a prepared screen. The caller must ``leave``."""
        group = self.groups.get(screen.key)
        if group is None:
            group = Group(self, screen)
            self.groups[group.key] = group
        viewer = Viewer(group, _account_of(screen), have, wake, gone)
        group.join(screen, viewer)
        # However many join, they cost one difference each and no showing. Where a change waits, the page that was just
        # read may be newer than the group's snapshot: the showing that comes next is then the first.
        if not group.is_waiting:
            wake()
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Twice does no harm."""
        viewer.group.leave(viewer)
        if not viewer.group.viewers:
            self.drop(viewer.group)

    def drop(self, group: Group) -> None:
        """End a group, whoever still looks."""
        if self.groups.get(group.key) is group:
            del self.groups[group.key]
            group.close()

    def close(self) -> None:
        """End every group and tell its viewers."""
        for group in list(self.groups.values()):
            group.dismiss("closed")


def _account_of(screen: Screen) -> str:
    return screen.session.identity.account
