"""What holds for every request: what the edge refused is answered in words, and nothing else without a session but a
fixed list."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from urllib.parse import quote

from django.conf import settings
from django.contrib.auth import SESSION_KEY, alogout
from django.contrib.auth.models import User
from django.core.exceptions import RequestAborted
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.utils.decorators import async_only_middleware

from .audit.origin import SIGN_IN, Origin, coming_from, session_name
from .database import AWAY, in_database, release_connection
from .edge import REFUSED
from .errors import ClusterError, Forbidden, NotFound, NotSignedIn, SignedOut
from .live.acting import vouched_lately
from .metrics import REQUEST_SECONDS
from .sessions import is_renewal_due, session_renewed, session_seen
from .views.errors import bare_error, not_a_form, sign_in_as_json, wants_json, wrong_method
from .views.metrics import has_token
from .views.refusals import body_refused
from .views.sending import Allowance, SentFile

Handler = Callable[[HttpRequest], Awaitable[HttpResponseBase]]

STANDS_SECONDS = 15.0  # after which a file that is being sent asks again for its session
UNCONFIRMED_SECONDS = 30.0
NO_FORMS = ("json", "yaml")  # how the types end that a script may take for what is read here
# The design's fixed list. Static files are answered before this; /metrics asks for a token of its own.
PROBES = frozenset({"/healthz", "/readyz"})
WITHOUT_SESSION = PROBES | {"/metrics"}  # whoever asks
PUBLIC = WITHOUT_SESSION | {
    "/login/",
    "/login/link/",
    "/login/oidc/",
    "/login/oidc/callback/",
    "/login/password/",
    "/login/token/",
}


@async_only_middleware
def refused_at_the_edge(get_response: Handler) -> Handler:
    """Answers a request whose body was not read to its end: no session and no view has to do with it."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        error = getattr(request, "scope", {}).get(REFUSED)
        if error is None:
            return await get_response(request)
        await body_refused(request, error)
        if isinstance(error, SignedOut) and request.headers.get("HX-Request"):
            return sign_in_first(request)  # the page keeps what was typed, and says where to sign in
        return bare_error(request, error)

    return middleware


@async_only_middleware
def timed(get_response: Handler) -> Handler:
    """How long each address takes, by its name: who asks for an address of another kind cannot make one more."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        response = await get_response(request)
        match = request.resolver_match
        view = match.view_name if match is not None else "none"
        REQUEST_SECONDS.labels(view, response.status_code).observe(time.perf_counter() - began)
        return response

    return middleware


@async_only_middleware
def without_session(get_response: Handler) -> Handler:
    """Probes and scrapes have no session even where a browser sends its cookie: reading it would need the database, and
    whether the process is there does not depend on that. Load balancers and Prometheus ask each pod by its address, which
    is no name of ours, and can give no other: a probe, and whoever has the token, need not know one.
    """

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.path in WITHOUT_SESSION:
            request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)
        if request.path in PROBES or (request.path == "/metrics" and has_token(request)):
            request.META["HTTP_HOST"] = "localhost"
        return await get_response(request)

    return middleware


@async_only_middleware
def methods_named(get_response: Handler) -> Handler:
    """Says which methods an address takes to whoever asks by another one: of itself, Django answers without a word."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        response = await get_response(request)
        if isinstance(response, HttpResponseNotAllowed):
            return wrong_method(request, response.headers["Allow"])
        return response

    return middleware


@async_only_middleware
def forms_only(get_response: Handler) -> Handler:
    """Refuses a body that is no form: its fields would count as fields that were not sent."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        kind = request.content_type or ""
        if request.method == "POST" and kind.endswith(NO_FORMS):
            return not_a_form(request, kind)
        return await get_response(request)

    return middleware


@async_only_middleware
def session_required(get_response: Handler) -> Handler:
    """Sends whoever has no session to the sign-in page; scripts get a 401 that says where that is."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        signed_in = request.path not in PUBLIC and await stands(request)
        await release_connection()  # the view may wait for a cluster
        if signed_in or request.path in PUBLIC:
            with coming_from(await _origin(request, signed_in)):
                response = await get_response(request)
            if request.path not in PUBLIC:
                response.headers.setdefault("Cache-Control", "no-store, private")
                if isinstance(response, StreamingHttpResponse):
                    key, pieces = request.session.session_key, response.streaming_content
                    may = response.may if isinstance(response, SentFile) else None
                    if isinstance(pieces, AsyncIterator):
                        response.streaming_content = while_standing(pieces, key, may)
            return response
        return sign_in_first(request)

    return middleware


async def while_standing(
    pieces: AsyncIterable[bytes], key: str | None, may: Allowance | None = None
) -> AsyncIterator[bytes]:
    """A file that is being sent, as long as the session stands that asked for it, and the rights that it was asked for
    with: whoever reads slowly would read on for hours. What has come by then ends without its end, so nobody takes it for
    the whole.
    """
    confirmed = time.monotonic()
    async for piece in pieces:
        if (since := time.monotonic() - confirmed) >= STANDS_SECONDS:
            try:
                found = await vouched_lately(key, STANDS_SECONDS / 2)
                if found is None:
                    raise RequestAborted("The session has ended.")
                if may is not None and not await may(*found):
                    raise RequestAborted("The right to it was revoked.")
            except (Forbidden, NotFound, NotSignedIn) as error:
                raise RequestAborted(error.message) from error
            except (*AWAY, ClusterError) as error:
                if since > UNCONFIRMED_SECONDS:
                    raise RequestAborted("Whether it may be sent on can't be asked.") from error
            else:
                confirmed = time.monotonic()
        yield piece


async def _origin(request: HttpRequest, signed_in: bool) -> Origin:
    """Where a request comes from. The server has taken the address from a proxy only where one is trusted."""
    address = request.META.get("REMOTE_ADDR", "")
    if not signed_in:
        return Origin(address)
    how = await in_database(request.session.get)(SIGN_IN, "")
    return Origin(address, how, session_name(request.session.session_key))


async def stands(request: HttpRequest) -> bool:
    """Whether somebody is signed in, and whoever vouches for them still does."""
    user = await request.auser()
    if not isinstance(user, User):
        return False
    await session_seen(request, user)
    if is_renewal_due(request.session):
        if not await session_renewed(request.session):
            await alogout(request)
            return False
        # What a renewal has written: a copy from before would undo it.
        request.session = type(request.session)(request.session.session_key)
        await in_database(request.session.get)(SESSION_KEY)
    return True


def sign_in_first(request: HttpRequest) -> HttpResponse:
    target = settings.LOGIN_URL
    if request.method == "GET":
        target += f"?next={quote(request.get_full_path())}"
    if request.headers.get("HX-Request"):
        response = HttpResponse(status=401)
        response.headers["HX-Redirect"] = target
        return response
    if wants_json(request):
        return sign_in_as_json(request, target)
    return HttpResponseRedirect(target)
