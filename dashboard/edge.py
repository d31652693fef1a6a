"""What comes in from outside, bounded before anything is asked or kept: addresses, headers, and bodies by their route.

A body is counted while it is read, so what is too large is never held, and none is written to a disk: what Django takes
is at most what it keeps in memory. What is refused here is answered by the middleware ``refused_at_the_edge``, in words.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth import aget_user
from django.contrib.auth.models import User
from django.http import HttpRequest, parse_cookie
from django.urls import Resolver404, resolve

from .database import AWAY, database_unavailable
from .errors import (
    AddressTooLong,
    BodyTooLarge,
    BodyTooSlow,
    ClusterError,
    HeadersTooLarge,
    SignedOut,
)
from .sessionstore import SessionStore

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
V = TypeVar("V", bound=Callable[..., Any])

KIB, MIB = 2**10, 2**20
ADDRESS_BYTES = 16 * KIB  # path and query
HEADER_BYTES = 32 * KIB  # of a request, names and values
BODY_BYTES = 64 * KIB  # of every form that does not say otherwise, and of whoever has no session
# A body may take its time only as long as it comes: this long to begin with, and then at this rate on average.
PATIENCE_SECONDS, SLOWEST_BYTES = 15.0, 16 * KIB
# Whoever is refused is read from a little longer, or the answer would be lost with the connection.
LINGER_SECONDS, LINGER_BYTES = 2.0, 8 * MIB
REFUSED = "cluster_ui.refused"  # where the scope says why


def body_limit(most: int | Callable[[Mapping[str, Any]], int]) -> Callable[[V], V]:
    """Says that a view's form may be larger than most: so many bytes, as it is sent; or by what its address says."""

    def mark(view: V) -> V:
        view.body_limit = most  # type: ignore[attr-defined]
        return view

    return mark


def limit_of(path: str) -> int:
    """How many bytes a body sent to an address may have."""
    try:
        match = resolve(path)
    except Resolver404:
        return BODY_BYTES
    most = getattr(match.func, "body_limit", BODY_BYTES)
    return int(most(match.kwargs) if callable(most) else most)


class Edge:
    """The outermost application. Websockets have their own limits; only their address and headers are looked at here."""

    def __init__(self, application: App) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = head_error(scope)
        if scope["type"] == "http":
            exchange = Exchange(scope, receive, send, error)
            await self.application(scope, exchange.receive, exchange.send)
        elif error is None:
            await self.application(scope, receive, send)
        else:
            await send({"type": "websocket.close"})


def head_error(scope: Scope) -> ClusterError | None:
    """What is wrong with a request before its body."""
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > ADDRESS_BYTES:
        return AddressTooLong(
            f"An address may have {ADDRESS_BYTES:,} characters, filters and all.",
            next_step="Choose fewer namespaces or a shorter filter.",
        )
    if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADER_BYTES:
        return HeadersTooLarge(
            f"The headers of a request may have {HEADER_BYTES:,} bytes.",
            next_step="Delete this browser's cookies for this address, then load the page again.",
        )
    return None


class Exchange:
    """A request and its answer as the application has them: a body no larger than its route takes and no slower than it
    must be. Of one that is refused the application sees nothing more, but why."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, error: ClusterError | None) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._error = error
        self._began = asyncio.get_running_loop().time()
        self._size = 0
        self._read = False  # to its end, or as far as it is wanted
        self._signed_in: bool | None = None

    async def receive(self) -> Message:
        if self._read:
            # The application listens for a browser that leaves. What comes of a refused body is not for it.
            return await (asyncio.get_running_loop().create_future() if self._error else self._receive())
        if self._error is None and not self._size:
            self._error = await self._excess(announced(self._scope))
        if self._error is None:
            message = await self._next()
            if self._error is None:
                self._read = not message.get("more_body", False)
                return message
        self._read = True
        self._scope[REFUSED] = self._error
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _next(self) -> Message:
        """The next part of the body; sets the error when it is too late or too much."""
        try:
            async with asyncio.timeout_at(self._began + PATIENCE_SECONDS + self._size / SLOWEST_BYTES):
                message = await self._receive()
        except TimeoutError:
            self._error = BodyTooSlow(
                "The time for it was over before it had come; nothing was done.",
                next_step="Check the connection, then send it again.",
            )
            return {}
        self._size += len(message.get("body", b""))
        self._error = await self._excess(self._size)
        return message

    async def _excess(self, size: int) -> ClusterError | None:
        """Why a body of so many bytes is not taken."""
        if size <= BODY_BYTES:
            return None
        if size > (most := limit_of(self._scope["path"])):
            return BodyTooLarge(
                f"A request to this address may have {most // 1024:,} KiB at most. Nothing was changed.",
                next_step="Send less at a time.",
            )
        if self._signed_in is None:
            try:
                self._signed_in = await person_of(self._scope) is not None
            except AWAY as error:
                return database_unavailable(error)
        if self._signed_in:
            return None
        return SignedOut(
            f"Without signing in, a request may have {BODY_BYTES // 1024} KiB at most. Nothing was changed.",
            next_step="Sign in, then send it again.",
        )

    async def send(self, message: Message) -> None:
        if self._error is None:
            await self._send(message)
        elif message["type"] == "http.response.start":
            await self._send({**message, "headers": [*message["headers"], (b"connection", b"close")]})
        elif message.get("more_body", False):
            await self._send(message)
        else:
            await self._send({**message, "more_body": True})
            await self._linger()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _linger(self) -> None:
        """Reads on for a moment: closing a connection on what has not been read loses the answer too."""
        size, more = self._size, True
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while more and size < self._size + LINGER_BYTES:
                    message = await self._receive()
                    size += len(message.get("body", b""))
                    more = message.get("more_body", False)


def announced(scope: Scope) -> int:
    """The length that a body says it has; 0 for one that is counted as it comes."""
    length = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(length) if length.isdigit() and len(length) < 20 else 0


async def person_of(scope: Scope) -> tuple[User, SessionStore] | None:
    """Whose request or handshake it is, if its session stands: for what no middleware has to do with. Reads the database
    only where there is the cookie of a session.
    """
    sent = "; ".join(value.decode("latin1") for name, value in scope["headers"] if name == b"cookie")
    request = HttpRequest()
    request.session = session = SessionStore(parse_cookie(sent).get(settings.SESSION_COOKIE_NAME))
    user = await aget_user(request)
    return (user, session) if isinstance(user, User) else None
