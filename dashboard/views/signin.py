"""The page on which somebody signs in, whichever way, and what every way ends with: a session of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from django.conf import settings
from django.contrib.auth import alogin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme

from dashboard.audit.refusals import NOBODY, Refusal, refused
from dashboard.errors import ClusterError, NotFound
from dashboard.kube.config import Cluster
from dashboard.live.acting import own_accounts
from dashboard.live.runtime import runtime
from dashboard.oidc import Person, provider_name
from dashboard.sessions import session_begun, session_describe, session_vouch
from dashboard.throttle import address_of, times

from .errors import bare_error

TRIES, WINDOW = 10, 60  # what did not hold, from one address in so many seconds
# Where somebody wanted to go who had to sign in first; a link, or the issuer, leads back without knowing it.
WANTED, WANTED_SECONDS, LONGEST = "cluster_ui_next", 600, 2000


@dataclass(frozen=True)
class Way:
    """A way of signing in, as the page shows it; its form is ``templates/signin/<name>.html``."""

    name: str
    title: str
    about: str
    icon: str


# In the order in which they are shown; those that CLUSTER_UI_SIGN_IN names.
WAYS = (
    Way("password", "User name and password", "local account", "user"),
    Way("link", "One-time link", "from manage.py signin_link", "mail"),
    Way("token", "Token", "of a user or ServiceAccount of a cluster", "lock"),
)


def sign_in_page(
    request: HttpRequest,
    *,
    way: str = "",
    reason: str = "",
    status: int = 200,
    given: Mapping[str, Any] | None = None,
    clusters: Sequence[Cluster] = (),
) -> HttpResponse:
    """The page with every way that is on. ``way``: the one that is open, why it did not work, what its form has.
    ``clusters``: those to choose from, which no stranger is told.
    """
    ways = [each for each in WAYS if each.name in settings.CLUSTER_UI_SIGN_IN]
    opened = way or (ways[0].name if len(ways) == 1 else "")
    facts = {
        "host": request.get_host(),
        "ways": [
            {
                "name": each.name,
                "title": each.title,
                "about": each.about,
                "icon": each.icon,
                "open": each.name == opened,
            }
            for each in ways
        ],
        "provider": provider_name() if "oidc" in settings.CLUSTER_UI_SIGN_IN else "",
        "way": opened,
        "reason": reason,
        "given": given or {},
        "clusters": clusters,
        "asked": min(len(token_clusters()), 2),
        "hours": settings.SESSION_COOKIE_AGE // 3600,
    }
    return render(request, "registration/login.html", facts, status=status)


def token_clusters() -> list[Cluster]:
    """Where a token signs in: the contexts in which nobody acts as the installation; none while they cannot be read."""
    try:
        return [each for each in runtime.clusters() if own_accounts(each.slug)]
    except ClusterError:
        return []


def way_is_on(request: HttpRequest, way: str) -> HttpResponse | None:
    """The answer to whoever asks for a way of signing in that is off here; None for one that is on."""
    if way in settings.CLUSTER_UI_SIGN_IN:
        return None
    off = NotFound(
        "This way of signing in is not enabled here.",
        next_step="Open the sign-in page: it shows the ways that are enabled.",
    )
    return bare_error(request, off)


async def begin_session(
    request: HttpRequest, user: User, *, way: str, following: str = "", person: Person | None = None
) -> HttpResponse:
    """Starts the session of somebody who is known now, under a new key, and leads to where they wanted to go. ``way`` is
    how they signed in, ``person`` whom an issuer vouches for.
    """
    response = led_on(request, following)
    await alogin(request, user)
    session_describe(request.session, way)
    if person is not None:
        session_vouch(request.session, person)
    await session_begun(request, user)
    return response


def led_on(request: HttpRequest, following: str = "") -> HttpResponse:
    """To where somebody wanted to go. What was in the address, such as a token, leaves the history with this redirect."""
    response = HttpResponseRedirect(following or wanted(request))
    response.delete_cookie(WANTED, path="/login/", samesite="Lax")
    return response


def wanted(request: HttpRequest) -> str:
    """Where somebody wants to go once signed in."""
    return local(request, request.GET.get("next") or unquote(request.COOKIES.get(WANTED, "")))


def local(request: HttpRequest, target: str) -> str:
    """An address of ours, else the front page."""
    safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return target if safe and target.startswith("/") else "/"


def remembering(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The answer, with where to go once signed in."""
    following = wanted(request)
    kept = quote(following, safe="")
    if following != "/" and len(kept) <= LONGEST:
        response.set_cookie(
            WANTED, kept, max_age=WANTED_SECONDS, path="/login/", httponly=True, samesite="Lax",
            secure=bool(settings.SESSION_COOKIE_SECURE),
        )  # fmt: skip
    return response


async def too_many(request: HttpRequest) -> bool:
    """Counts what did not hold, by the address that it came from."""
    return await times(f"signin-tries:{address_of(request)}", WINDOW) > TRIES


async def sign_in_refused(
    detail: str, *, user_name: str = NOBODY, failed: bool = False, apart: str = ""
) -> None:
    """Puts into the audit that somebody did not get in, and how; bounded, as anybody can try."""
    facts = Refusal(action="sign in", detail=detail, user_name=user_name, failed=failed, apart=apart)
    await refused(facts)
