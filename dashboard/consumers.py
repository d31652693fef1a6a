"""The websocket of a page: says what it looks at, is kept up to date."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import msgspec
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.core.exceptions import SuspiciousOperation
from uvicorn.protocols.utils import ClientDisconnected

from dashboard.audit.origin import set_origin
from dashboard.audit.refusals import Refusal, refused
from dashboard.database import AWAY
from dashboard.errors import ClusterError, Forbidden, NotFound, Unauthenticated
from dashboard.live.acting import identity_of, vouched, vouched_lately
from dashboard.live.hub import Viewer
from dashboard.live.logfeed import LogFeed, Position, read_position
from dashboard.live.runtime import ClusterRuntime, runtime
from dashboard.live.screens import Screen, chrome_screens, plural_of, screen_for
from dashboard.live.session import Identity, Session
from dashboard.live.snapshot import MAX_FRAME, Have
from dashboard.metrics import MESSAGES, OPEN_SOCKETS, SLOWED, TOO_LARGE
from dashboard.rates import SOCKETS, SessionRates, rates_of
from dashboard.sessions import socket_seen
from dashboard.sessionstore import SessionStore
from dashboard.sockets import SOCKET, address_of, browser_of, origin_of

logger = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
SESSION_SECONDS = 15.0
MESSAGE_BYTES = 262_144
MAX_VIEW = 2**53  # the largest whole number of a browser

# Close codes: the first three are ours and the browser's script knows them; the others are the protocol's.
SIGNED_OUT, GONE, STALLED = 4401, 4410, 4408
FAILED, RESTARTED, LATER = 1011, 1012, 1013
TOO_MANY = 4429
NO_ACCOUNT = 4403
PATH_LETTERS = 16_384  # as long as an address of a request may be
NO_WAY = (Forbidden, Unauthenticated)
UNCONFIRMED_SECONDS = 30.0  # a session that could not be asked for so long counts as ended


class SessionConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """A socket of somebody who is signed in, to one cluster. It outlives neither the session nor the cluster's
    configuration.
    """

    rates: SessionRates | None = None  # once it is known whose socket it is

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        try:
            await super().__call__(scope, receive, send)
        finally:
            # However it ends: Channels calls disconnect() only when the browser said goodbye.
            await self.ended()
            for task in tuple(self.tasks):
                task.cancel()
            if self.rates is not None:
                self.rates.leave()
                OPEN_SOCKETS.dec()

    async def connect(self) -> None:
        # Accepted and then closed with a code: a refused handshake would tell the script nothing.
        await self.accept()
        try:
            found = await self.signed_in()
            if found is None:
                await self.bye("signed-out", SIGNED_OUT)
                return
            set_origin(await origin_of(self.scope))
            self.cluster: ClusterRuntime = runtime.open(self.scope["url_route"]["kwargs"]["context"])
            self.session: Session = self.cluster.session(await identity_of(self.cluster.cluster, *found))
        except AWAY as error:
            await self.later(error)
            return
        except NotFound:
            await self.bye("gone", GONE)
            return
        except NO_WAY as error:
            await self.bye(error.message, NO_ACCOUNT)
            return
        except ClusterError:  # a kubeconfig that is just being written
            await self.close(LATER)
            return
        rates = rates_of(self.scope["session"].session_key)
        if not rates.enter():
            SLOWED.inc()
            await self.refused(f"{SOCKETS} pages are open in this session.")
            await self.bye(f"{SOCKETS} pages are open. Close some, then reload this one.", TOO_MANY)
            return
        self.rates = rates
        OPEN_SOCKETS.inc()
        self.spawn(self.keep_checking())
        self.begun()

    def begun(self) -> None:
        """It is known who this is, and where."""

    async def ended(self) -> None:
        """The socket is gone, however it went."""

    async def disconnect(self, code: int) -> None:
        raise StopConsumer

    async def leave(self) -> None:
        """The cluster was closed: its context is no longer configured, or in another way, which a new socket finds."""
        try:
            runtime.named(self.cluster.cluster.slug)
        except NotFound:
            await self.bye("gone", GONE)
        except ClusterError:  # a kubeconfig that is just being written
            await self.close(LATER)
        else:
            await self.close(RESTARTED)

    async def keep_checking(self) -> None:
        """A stream must outlive neither its session nor its cluster's configuration."""
        confirmed = time.monotonic()
        while True:
            await asyncio.sleep(SESSION_SECONDS)
            try:
                identity = await self.identity(SESSION_SECONDS / 2)
            except NO_WAY as error:
                await self.bye(error.message, NO_ACCOUNT)
                return
            except AWAY as error:
                logger.warning("asking for a session: %s", error)
                if time.monotonic() - confirmed > UNCONFIRMED_SECONDS:
                    await self.close(LATER)
                    return
                continue
            confirmed = time.monotonic()
            before = self.session.identity
            if identity is None or identity.user != before.user:
                await self.bye("signed-out", SIGNED_OUT)
                return
            try:
                if identity.account != before.account:
                    await self.acts_otherwise(identity)
            except NO_WAY as error:
                await self.bye(error.message, NO_ACCOUNT)
                return
            except ClusterError:  # as when it begins: a new socket finds what there is then
                await self.close(LATER)
                return
            if self.cluster.closed:  # one that looks at nothing is not told of it
                await self.leave()
                return

    def spawn(self, work: Coroutine[Any, Any, None], name: str | None = None) -> asyncio.Task[None]:
        """Run something beside the socket; if it fails, the socket must not go on as if nothing were."""

        async def watched() -> None:
            try:
                await work
            except (OSError, RuntimeError):
                return  # the socket closed under it: uvicorn says so with a plain OSError of its own
            except AWAY as error:
                await self.later(error)
            except Exception:
                logger.exception("a socket's %s", name or work.__name__)
                await self.close(FAILED)

        task = asyncio.create_task(watched(), name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def later(self, error: Exception) -> None:
        """The dashboard's own database does not answer: the browser tries again."""
        logger.warning("a socket: %s", error)
        await self.close(LATER)

    async def say(self, text: str) -> None:
        await self.send(text_data=text)

    async def send(self, *given: Any, **named: Any) -> None:
        """A browser that has gone meanwhile is no fault: the end of its socket is told by itself."""
        with suppress(ClientDisconnected):
            await super().send(*given, **named)

    async def refused(self, why: str, action: str = SOCKET) -> None:
        """In the audit; bounded, as whoever is refused comes again."""
        who, where = self.session.identity.user, self.cluster.cluster.name
        await refused(Refusal(action=action, detail=why, user_name=who, context=where))

    async def bye(self, why: str, code: int) -> None:
        await self.say(json.dumps({"t": "bye", "why": why}))
        await self.close(code)

    async def acts_otherwise(self, identity: Identity) -> None:
        """Somebody acts as another account now: another token, another user or groups."""
        self.session = self.cluster.session(identity)

    async def signed_in(self, age: float = 0.0) -> tuple[str, SessionStore] | None:
        """Whose session it is, if it still stands and who vouches for it still does, by a word at most ``age`` seconds
        old. Asked of the database, as the scope's copy is as old as the handshake, and of the issuer, as a page that is
        open asks nothing else.
        """
        key = self.scope["session"].session_key
        found = await (vouched_lately(key, age) if age else vouched(key))
        if found is None:
            return None
        user, session = found
        await socket_seen(session, user, address=address_of(self.scope), browser=browser_of(self.scope))
        return user.get_username(), session

    async def identity(self, age: float) -> Identity | None:
        """Who this is in the cluster, as of so many seconds ago at most; None for a session that is over. Raises
        NotSignedIn or Forbidden for somebody without an account there.
        """
        found = await self.signed_in(age)
        return None if found is None else await identity_of(self.cluster.cluster, *found)


class LiveConsumer(SessionConsumer):
    """One socket: at most one page and the frame around it."""

    postponed: tuple[int, str, Have, Position] | None = None  # the latest look that came too soon

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.view = 0
        self.path = ""
        self.viewers: list[Viewer] = []
        self.feed: LogFeed | None = None
        self.paused = False
        self.wake = asyncio.Event()
        self.looking = asyncio.Lock()
        self.said_at = time.monotonic()
        await super().__call__(scope, receive, send)

    def begun(self) -> None:
        self.spawn(self.keep_sending())
        self.spawn(self.keep_beating())

    async def ended(self) -> None:
        self.stop_looking()

    async def acts_otherwise(self, identity: Identity) -> None:
        await super().acts_otherwise(identity)
        await self.look_anew()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data is None or len(text_data) > MESSAGE_BYTES:
            return
        if self.rates is not None and self.rates.messages.take():
            SLOWED.inc()
            await self.refused("Its browser sent more messages than are accepted.")
            await self.bye("This browser sends too many messages. Reload the page.", TOO_MANY)
            return
        try:
            # Stricter than json.loads(): no halves of surrogate pairs, no numbers of a thousand digits.
            message = msgspec.json.decode(text_data)
            match message:
                case {"t": "look", "view": int(view), "path": str(path), **rest} if abs(view) <= MAX_VIEW:
                    self.paused = False
                    have = rest.get("have")
                    lines = read_position(have.get("log") if isinstance(have, dict) else None)
                    await self.look_in_turn((view, path, Have.read(have), lines))
                case {"t": "pause"}:
                    # Until the next look, which says up to where the browser has the lines.
                    self.paused, self.postponed = True, None
                    self.stop_following()
        except (ValueError, RecursionError, SuspiciousOperation):
            return  # no message of ours: broken JSON, an address that is none
        except AWAY as error:
            await self.later(error)
        except Exception:
            logger.exception("a look of a browser")
            await self.close(FAILED)

    async def look_in_turn(self, look: tuple[int, str, Have, Position]) -> None:
        """At once, or as soon as the session's rate allows; of several that wait, the latest."""
        if len(look[1]) > PATH_LETTERS:
            raise ValueError("an address that no page has")
        if self.postponed is not None:
            self.postponed = look
        elif self.rates is not None and (wait := self.rates.looks.take()):
            SLOWED.inc()
            self.postponed = look
            why = "pages are opened faster than they can be shown: the latest is shown in a moment"
            await self.say(json.dumps({"t": "slow", "view": look[0], "why": why}))
            self.spawn(self.look_later(wait), name="look later")
        else:
            await self.look(*look)

    async def look_later(self, wait: float) -> None:
        while wait:
            await asyncio.sleep(wait)
            wait = self.rates.looks.take() if self.rates is not None else 0.0
        look, self.postponed = self.postponed, None
        if look is not None:
            await self.look(*look)

    async def look(self, view: int, path: str, have: Have, lines: Position | None = None) -> None:
        """Look at another address. Its first frame says what has changed since the browser's showing of it; ``lines``
        is up to where the browser has what it follows (None: as far as they were sent)."""
        async with self.looking:
            if lines is None:
                lines = self.feed.position() if self.feed is not None else {}
            self.stop_looking()
            self.view, self.path = view, path
            try:
                await self.cluster.knows(plural_of(path))
                # The page before the frame around it: its first frame is what says that all is well again.
                page, chrome = screen_for(self.session, path), chrome_screens(self.session, path)
                screens: list[Screen] = [page, *chrome] if page is not None else [*chrome]
                with self.cluster.lease(screens[0].plurals):
                    await self.cluster.ready(screens[0].waits_for, partly=screens[0].partly)
                    await asyncio.gather(*(each.get_ready() for each in screens))
                    if self.cluster.closed:
                        self.spawn(self.leave())
                        return
                    for each in screens:
                        self.viewers.append(self.cluster.hub.look(each, have, self.wake.set, self.gone))
                    if not self.paused:
                        self.feed = screens[0].feed(lines, self.wake.set)
            except ClusterError as error:
                self.stop_looking()
                if self.cluster.closed:
                    self.spawn(self.leave())
                else:
                    await self.reload(error.title)

    def stop_following(self) -> None:
        if self.feed is not None:
            self.feed.close()
        self.feed = None

    def stop_looking(self) -> None:
        self.stop_following()
        viewers, self.viewers = self.viewers, []
        for viewer in viewers:
            self.cluster.hub.leave(viewer)

    def gone(self, why: str) -> None:
        """A group that this socket looked at has ended."""
        if why:
            self.stop_following()  # at once: the right to what it reads may be what has gone
        if why == "closed":
            self.spawn(self.leave())
        elif why:
            self.spawn(self.reload(why))
        else:
            # Rights have changed, so another group's snapshot is the right one. Both screens were told; once is enough.
            if not any(task.get_name() == "look again" for task in self.tasks):
                self.spawn(self.look_anew(), name="look again")

    async def look_anew(self) -> None:
        await asyncio.sleep(0)  # the other screen's group may be ending too
        have = Have()
        for viewer in self.viewers:
            have = have.with_other(viewer.have())
        await self.look(self.view, self.path, have)

    async def reload(self, why: str) -> None:
        """The page as it stands cannot be kept up to date: the browser asks for it anew and is told why there."""
        await self.say(json.dumps({"t": "reload", "view": self.view, "why": why}))

    async def keep_sending(self) -> None:
        """Sends what is new, or a beat when it has been quiet; while one send is under way, later states replace each
        other."""
        while True:
            await self.wake.wait()
            self.wake.clear()
            if not self.paused:
                await self.send_new()
            if self.quiet_until() <= time.monotonic():
                late = max((viewer.group.late() for viewer in self.viewers), default=0.0)
                await self.say(f'{{"t":"beat","at":{time.time():.3f},"late":{late:.1f}}}')

    async def send_new(self) -> None:
        for viewer in tuple(self.viewers):
            # A look at another address may come while a frame is being sent.
            while viewer in self.viewers and (body := viewer.take()) is not None:
                await self.say(viewer.group.message(self.view, body))
        lines = self.feed.take() if self.feed is not None else None
        if lines is not None:
            await self.say(f'{{"t":"log","view":{self.view},"at":{time.time():.3f},{lines}}}')

    def quiet_until(self) -> float:
        """When a browser that was told nothing since wants to hear that the server lives."""
        return self.said_at + BEAT_SECONDS

    async def keep_beating(self) -> None:
        """Wakes the sender when it has been quiet: one timer that is seldom set costs less than one for each message."""
        while True:
            wait = self.quiet_until() - time.monotonic()
            if wait <= 0:
                self.wake.set()
            await asyncio.sleep(wait if wait > 0 else BEAT_SECONDS)

    async def say(self, text: str) -> None:
        """The one place where messages are sent. One that is too large is a fault of ours; the page is asked for anew."""
        if len(text) > MAX_FRAME // 4 and (size := len(text.encode())) > MAX_FRAME:
            logger.error("a message of %d bytes was not sent: %s", size, text[:12])
            TOO_LARGE.inc()
            text = json.dumps({"t": "reload", "view": self.view, "why": "This is too much for one message."})
        self.said_at = time.monotonic()
        MESSAGES.value += 1
        await self.send(text_data=text)
