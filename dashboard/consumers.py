"""The websocket of a page: says what it looks at, is kept up to date."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any, cast

from asgiref.sync import sync_to_async
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.utils.crypto import constant_time_compare

from dashboard.errors import ClusterError
from dashboard.live.hub import Looker
from dashboard.live.runtime import ClusterRuntime, runtime
from dashboard.live.screens import Screen, chrome_screen, screen_for
from dashboard.live.snapshot import Have

logger = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
SESSION_SECONDS = 15.0
STALLED_SECONDS = 25.0
MESSAGE_BYTES = 262_144

# Close codes of our own; the browser's script knows them.
SIGNED_OUT, GONE, STALLED = 4401, 4410, 4408


class LiveConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One socket: at most one page and the frame around it."""

    async def connect(self) -> None:
        self.view = 0
        self.lookers: list[Looker] = []
        self.paused = False
        self.tasks: list[asyncio.Task[None]] = []
        self.wake = asyncio.Event()
        self.sent_at = time.monotonic()
        self.looking = asyncio.Lock()
        if not await self.signed_in():
            # Accepted and then closed with a code: a refused handshake would tell the script nothing.
            await self.accept()
            await self.bye("signed-out", SIGNED_OUT)
            return
        try:
            self.cluster: ClusterRuntime = runtime.open(self.scope["url_route"]["kwargs"]["context"])
        except ClusterError:
            await self.accept()
            await self.bye("gone", GONE)
            return
        await self.accept()
        self.tasks = [asyncio.create_task(self.keep_sending()), asyncio.create_task(self.keep_checking())]

    async def disconnect(self, code: int) -> None:
        for task in self.tasks:
            task.cancel()
        self.stop_looking()
        raise StopConsumer

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data is None or len(text_data) > MESSAGE_BYTES:
            return
        try:
            message = json.loads(text_data)
        except ValueError:
            return
        match message:
            case {"t": "look", "view": int(view), "path": str(path), **rest}:
                await self.look(view, path, Have.read(rest.get("have")))
            case {"t": "pause"}:
                self.paused = True
            case {"t": "resume"}:
                self.paused = False
                self.wake.set()

    async def look(self, view: int, path: str, have: Have) -> None:
        """Look at another address. Its first frame says what has changed since the browser's showing of it."""
        async with self.looking:
            self.stop_looking()
            self.view = view
            self.paused = False
            try:
                # The page before the frame around it: its first frame is what says that all is well again.
                page, chrome = screen_for(self.cluster, path), chrome_screen(self.cluster, path)
                screens: list[Screen] = [page, chrome] if page is not None else [chrome]
                with self.cluster.cache.lease(screens[0].plurals):
                    await self.cluster.ready(screens[0].waits_for)
                    await asyncio.gather(*(each.prepare() for each in screens))
                    self.lookers = [
                        self.cluster.hub.look(each, have, self.wake.set, self.gone) for each in screens
                    ]
            except ClusterError as error:
                self.stop_looking()
                await self.reload(error.title)

    def stop_looking(self) -> None:
        for looker in self.lookers:
            self.cluster.hub.leave(looker)
        self.lookers = []

    def gone(self, why: str) -> None:
        self.tasks.append(asyncio.create_task(self.reload(why)))

    async def reload(self, why: str) -> None:
        """The page as it stands cannot be kept up to date: the browser asks for it anew and is told why there."""
        await self.say(json.dumps({"t": "reload", "view": self.view, "why": why}))

    async def keep_sending(self) -> None:
        """Sends what is new; while one send is under way, later states replace each other."""
        try:
            while True:
                try:
                    await asyncio.wait_for(self.wake.wait(), BEAT_SECONDS)
                except TimeoutError:
                    await self.say(f'{{"t":"beat","at":{time.time():.3f}}}')
                    continue
                self.wake.clear()
                if self.paused:
                    continue
                for looker in self.lookers:
                    body = looker.take()
                    if body is not None:
                        head = f'{{"t":"frame","view":{self.view},"at":{time.time():.3f}'
                        await self.say(f"{head},{body}}}" if body else f"{head}}}")
        except TimeoutError:
            await self.close(STALLED)
        except (ConnectionError, RuntimeError):
            return  # the socket closed under us; disconnect() clears up

    async def say(self, text: str) -> None:
        await asyncio.wait_for(self.send(text_data=text), STALLED_SECONDS)
        self.sent_at = time.monotonic()

    async def keep_checking(self) -> None:
        """A stream must not outlive its session."""
        while True:
            await asyncio.sleep(SESSION_SECONDS)
            if not await self.signed_in():
                await self.bye("signed-out", SIGNED_OUT)
                return

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
