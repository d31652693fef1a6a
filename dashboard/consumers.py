"""The websocket of a page: says what it looks at, is kept up to date."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Coroutine
from typing import Any, cast

from asgiref.sync import sync_to_async
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.core.exceptions import SuspiciousOperation
from django.db import DatabaseError
from django.utils.crypto import constant_time_compare

from dashboard.errors import ClusterError, NotFound
from dashboard.live.hub import Looker
from dashboard.live.logfeed import LogFeed, Position, read_position
from dashboard.live.runtime import ClusterRuntime, runtime
from dashboard.live.screens import Screen, chrome_screen, plural_of, screen_for
from dashboard.live.snapshot import Have

logger = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
SESSION_SECONDS = 15.0
MESSAGE_BYTES = 262_144

# Close codes: the first three are ours and the browser's script knows them; the others are the protocol's.
SIGNED_OUT, GONE, STALLED = 4401, 4410, 4408
FAILED, RESTARTED, LATER = 1011, 1012, 1013
UNCONFIRMED_SECONDS = 30.0  # a session that could not be asked for so long counts as ended


class LiveConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One socket: at most one page and the frame around it."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.view = 0
        self.path = ""
        self.lookers: list[Looker] = []
        self.feed: LogFeed | None = None
        self.paused = False
        self.tasks: set[asyncio.Task[None]] = set()
        self.wake = asyncio.Event()
        self.looking = asyncio.Lock()
        try:
            await super().__call__(scope, receive, send)
        finally:
            # However it ends: Channels calls disconnect() only when the browser said goodbye.
            self.stop_looking()
            for task in tuple(self.tasks):
                task.cancel()

    async def connect(self) -> None:
        # Accepted and then closed with a code: a refused handshake would tell the script nothing.
        await self.accept()
        if not await self.signed_in():
            await self.bye("signed-out", SIGNED_OUT)
            return
        try:
            self.cluster: ClusterRuntime = runtime.open(self.scope["url_route"]["kwargs"]["context"])
        except NotFound:
            await self.bye("gone", GONE)
            return
        except ClusterError:  # a kubeconfig that is just being written
            await self.close(LATER)
            return
        self.spawn(self.keep_sending())
        self.spawn(self.keep_checking())

    async def disconnect(self, code: int) -> None:
        raise StopConsumer

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data is None or len(text_data) > MESSAGE_BYTES:
            return
        try:
            message = json.loads(text_data)
            match message:
                case {"t": "look", "view": int(view), "path": str(path), **rest}:
                    self.paused = False
                    have = rest.get("have")
                    lines = read_position(have.get("log") if isinstance(have, dict) else None)
                    await self.look(view, path, Have.read(have), lines)
                case {"t": "pause"}:
                    # Until the next look, which says up to where the browser has the lines.
                    self.paused = True
                    self.stop_following()
        except (ValueError, RecursionError, SuspiciousOperation):
            return  # no message of ours: broken JSON, an address that is none
        except Exception:
            logger.exception("a look of a browser")
            await self.close(FAILED)

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
                page, chrome = screen_for(self.cluster, path), chrome_screen(self.cluster, path)
                screens: list[Screen] = [page, chrome] if page is not None else [chrome]
                with self.cluster.cache.lease(screens[0].plurals):
                    await self.cluster.ready(screens[0].waits_for)
                    await asyncio.gather(*(each.prepare() for each in screens))
                    for each in screens:
                        self.lookers.append(self.cluster.hub.look(each, have, self.wake.set, self.gone))
                    if not self.paused:
                        self.feed = screens[0].feed(lines, self.wake.set)
            except ClusterError as error:
                self.stop_looking()
                await self.reload(error.title)

    def stop_following(self) -> None:
        if self.feed is not None:
            self.feed.close()
        self.feed = None

    def stop_looking(self) -> None:
        self.stop_following()
        lookers, self.lookers = self.lookers, []
        for looker in lookers:
            self.cluster.hub.leave(looker)

    def gone(self, why: str) -> None:
        """A group that this socket looked at has ended."""
        if why:
            self.stop_following()  # at once: the right to what it reads may be what has gone
        if why == "closed":
            # The cluster's configuration changed: a new socket finds the new one.
            self.spawn(self.close(RESTARTED))
        elif why:
            self.spawn(self.reload(why))
        else:
            # Rights have changed, so another group's snapshot is the right one. Both screens were told; once is enough.
            if not any(task.get_name() == "look anew" for task in self.tasks):
                self.spawn(self.look_anew(), name="look anew")

    async def look_anew(self) -> None:
        await asyncio.sleep(0)  # the other screen's group may be ending too
        have = Have()
        for looker in self.lookers:
            have = have.with_other(looker.have())
        await self.look(self.view, self.path, have)

    async def reload(self, why: str) -> None:
        """The page as it stands cannot be kept up to date: the browser asks for it anew and is told why there."""
        await self.say(json.dumps({"t": "reload", "view": self.view, "why": why}))

    async def keep_sending(self) -> None:
        """Sends what is new; while one send is under way, later states replace each other."""
        while True:
            try:
                async with asyncio.timeout(BEAT_SECONDS):
                    await self.wake.wait()
            except TimeoutError:
                late = max((looker.group.late() for looker in self.lookers), default=0.0)
                await self.say(f'{{"t":"beat","at":{time.time():.3f},"late":{late:.1f}}}')
                continue
            self.wake.clear()
            if self.paused:
                continue
            for looker in tuple(self.lookers):
                body = looker.take()
                if body is not None:
                    head = f'{{"t":"frame","view":{self.view},"at":{time.time():.3f}'
                    await self.say(f"{head},{body}}}" if body else f"{head}}}")
            lines = self.feed.take() if self.feed is not None else None
            if lines is not None:
                await self.say(f'{{"t":"log","view":{self.view},"at":{time.time():.3f},{lines}}}')

    async def say(self, text: str) -> None:
        await self.send(text_data=text)

    async def keep_checking(self) -> None:
        """A stream must outlive neither its session nor its cluster's configuration."""
        confirmed = time.monotonic()
        while True:
            await asyncio.sleep(SESSION_SECONDS)
            try:
                signed_in = await self.signed_in()
            except DatabaseError:
                logger.exception("asking for a session")
                if time.monotonic() - confirmed > UNCONFIRMED_SECONDS:
                    await self.close(LATER)
                    return
                continue
            confirmed = time.monotonic()
            if not signed_in:
                await self.bye("signed-out", SIGNED_OUT)
                return
            if not runtime.serves(self.cluster):
                await self.close(RESTARTED)
                return

    def spawn(self, work: Coroutine[Any, Any, None], name: str | None = None) -> None:
        """Run something beside the socket; if it fails, the socket must not go on as if nothing were."""

        async def watched() -> None:
            try:
                await work
            except (OSError, RuntimeError):
                return  # the socket closed under it: uvicorn says so with a plain OSError of its own
            except Exception:
                logger.exception("a socket's %s", name or work.__name__)
                await self.close(FAILED)

        task = asyncio.create_task(watched(), name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def bye(self, why: str, code: int) -> None:
        await self.send(text_data=json.dumps({"t": "bye", "why": why}))
        await self.close(code)

    @sync_to_async
    def signed_in(self) -> bool:
        """Whether the session still stands, asked of the database: the scope's copy is as old as the handshake."""
        session_key = self.scope["session"].session_key
        if not session_key:
            return False
        session = type(self.scope["session"]._wrapped)(session_key)
        user = get_user_model().objects.filter(pk=session.get(SESSION_KEY), is_active=True).first()
        if user is None:
            return False
        given = cast(Any, session.get(HASH_SESSION_KEY, ""))
        return constant_time_compare(given, user.get_session_auth_hash())
