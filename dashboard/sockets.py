"""Who may open a websocket at all, a page of this very origin, and whose it is."""

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import validate_host

from .audit.origin import SIGN_IN, Origin, coming_from, session_name
from .audit.refusals import NOBODY, Refusal, refused
from .database import AWAY, in_database
from .edge import person_of
from .sessionstore import SessionStore

SOCKET = "open live page"  # what a refused handshake is called in the audit
OTHER_ORIGIN = "It came from a page of another origin, or of none."

App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


class SameOriginOnly:
    """Refuses a handshake whose Origin is not scheme, host and port of the request itself.

    A browser sends cookies with a foreign page's websocket, and neither CORS nor SameSite stops one from a sibling
    domain or another port of the same host, so the whole origin is compared; a missing or `null` one is refused.
    """

    def __init__(self, application: App) -> None:
        self.application = application
        self.deny: App = WebsocketDenier.as_asgi()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if same_origin(scope):
            await self.application(scope, receive, send)
            return
        await handshake_refused(scope)
        await self.deny(scope, receive, send)


async def handshake_refused(scope: MutableMapping[str, Any]) -> None:
    """In the audit, under whose name a page of another origin came: a browser sends their cookie with it."""
    origin, name = Origin(address_of(scope)), NOBODY
    with suppress(*AWAY):
        if (found := await person_of(scope)) is not None:
            user, session = found
            name = user.get_username()
            origin = Origin(origin.address, session.get(SIGN_IN, ""), session_name(session.session_key))
    with coming_from(origin):
        await refused(Refusal(action=SOCKET, detail=OTHER_ORIGIN, user_name=name))


class SessionOfHandshake:
    """Gives the scope its ``session``, out of its cookies.

    Channels' own middleware also looks, at every message that is sent, whether the session has to be saved. Nothing here
    changes it, and with a thousand sockets that look was a fifth of what a message cost.
    """

    def __init__(self, application: App) -> None:
        self.application = application

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        session = SessionStore(scope["cookies"].get(settings.SESSION_COOKIE_NAME))
        await self.application({**scope, "session": session}, receive, send)


@in_database
def origin_of(scope: MutableMapping[str, Any]) -> Origin:
    """Where a socket comes from. Its session is read from the database."""
    session = scope["session"]
    return Origin(address_of(scope), session.get(SIGN_IN, ""), session_name(session.session_key))


def address_of(scope: MutableMapping[str, Any]) -> str:
    """Whose address opened a socket; "" where that is not known."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def browser_of(scope: MutableMapping[str, Any]) -> str:
    """What the browser that opened a socket calls itself; "" for one that says nothing."""
    said = (value for name, value in scope["headers"] if name.lower() == b"user-agent")
    return next(said, b"").decode("latin1")


def same_origin(scope: MutableMapping[str, Any]) -> bool:
    """Whether the handshake's Origin names the host it asks for (or one from CLUSTER_UI_ORIGINS)."""
    headers = [(name.decode("latin1").lower(), value.decode("latin1")) for name, value in scope["headers"]]
    origins = [value for name, value in headers if name == "origin"]
    hosts = [value for name, value in headers if name == "host"]
    if len(origins) != 1 or len(hosts) != 1:
        return False
    if origins[0] in settings.CSRF_TRUSTED_ORIGINS:
        return True
    try:
        origin = urlsplit(origins[0])
        host = urlsplit(f"//{hosts[0]}")
        same_port = (origin.port or _DEFAULT_PORTS[origin.scheme]) == (
            host.port or _DEFAULT_PORTS[origin.scheme]
        )
    except (ValueError, KeyError):
        return False
    return (
        same_port
        and origin.scheme == ("https" if settings.HTTPS else "http")
        and bool(host.hostname)
        and origin.hostname == host.hostname
        and validate_host(_bracketed(host.hostname or ""), settings.ALLOWED_HOSTS)
    )


_DEFAULT_PORTS = {"http": 80, "https": 443}


def _bracketed(hostname: str) -> str:
    return f"[{hostname}]" if ":" in hostname else hostname
