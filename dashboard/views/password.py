"""Signing in as a local user, by a password.

What is wrong is never said: name, password and a disabled account are answered alike and after the same time. Tries are
counted before anything is looked at: of an address, and, from browsers that have never signed in as it, of a name and of
all names together: as many names as anybody can think of are neither hashed for nor counted. A browser that has signed in
as somebody is counted for itself, so that nobody keeps them out by guessing.
"""

from __future__ import annotations

import hashlib
import secrets

from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST

from dashboard.database import in_database
from dashboard.models import AuditEntry
from dashboard.throttle import address_of, times

from .signin import begin_session, sign_in_page, sign_in_refused, way_is_on

OF_ADDRESS, ADDRESS_SECONDS = 20, 60  # tries
OF_NAME, NAME_SECONDS = 10, 900  # tries, of all browsers together that have not signed in as it
OF_STRANGERS, STRANGERS_SECONDS = 200, 60  # tries of whatever names, of all those browsers together
STRANGERS = "signin-strangers"
COOKIE, SALT, SECONDS = "cluster_ui_known", "cluster-ui: a browser that signed in", 180 * 86_400
WRONG = "The user name or password is wrong, or the account is disabled."
NAME_LETTERS = 150


@sensitive_post_parameters("password")
@sensitive_variables()
@require_POST
@never_cache
async def sign_in(request: HttpRequest) -> HttpResponse:
    if (off := way_is_on(request, "password")) is not None:
        return off
    name, password = request.POST.get("username", "").strip(), request.POST.get("password", "")
    if not name or not password or len(name) > NAME_LETTERS:
        return _again(request, name, "Enter your user name and your password.", 422)
    if await _too_many(request, name):
        await sign_in_refused("by password: too many tries")
        reason = f"Too many tries. Wait {NAME_SECONDS // 60} minutes, or ask whoever runs this dashboard for a link."
        return _again(request, name, reason, 429)
    user = await in_database(_checked)(request, name, password)
    if user is None:
        await _refused(name)
        return _again(request, name, WRONG, 403)
    response = await begin_session(request, user, way="password")
    await in_database(AuditEntry.objects.create)(
        user_name=user.get_username(), action="sign in", detail="by password", result=AuditEntry.Result.DONE
    )
    known = await in_database(_browser)(request, user.get_username())
    mark = {"user": user.pk, "browser": known or secrets.token_urlsafe(16)}
    response.set_cookie(
        COOKIE, signing.dumps(mark, salt=SALT), max_age=SECONDS, path="/login/password/", httponly=True, samesite="Lax",
        secure=bool(settings.SESSION_COOKIE_SECURE),
    )  # fmt: skip
    return response


def _checked(request: HttpRequest, name: str, password: str) -> User | None:
    """Django takes as long for a name that nobody has."""
    user = authenticate(request, username=name, password=password)
    return user if isinstance(user, User) else None


def _again(request: HttpRequest, name: str, reason: str, status: int) -> HttpResponse:
    return sign_in_page(request, way="password", reason=reason, given={"name": name}, status=status)


async def _too_many(request: HttpRequest, name: str) -> bool:
    digest = hashlib.sha256(name.casefold().encode()).hexdigest()
    if browser := await in_database(_browser)(request, name):
        return await times(f"signin-browser:{digest}:{browser}", NAME_SECONDS) > OF_NAME
    # Asked before and counted after: one address alone does not use it up, and above it no counter is made.
    if await times(STRANGERS, STRANGERS_SECONDS, count=0) >= OF_STRANGERS:
        return True
    if await times(f"signin-passwords:{address_of(request)}", ADDRESS_SECONDS) > OF_ADDRESS:
        return True
    if await times(STRANGERS, STRANGERS_SECONDS) > OF_STRANGERS:
        return True
    return await times(f"signin-name:{digest}", NAME_SECONDS) > OF_NAME


def _browser(request: HttpRequest, name: str) -> str:
    """What this browser is called if it has signed in as somebody of this name."""
    try:
        mark = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=SECONDS)
    except signing.BadSignature:
        return ""
    return str(mark["browser"]) if User.objects.filter(pk=mark["user"], username=name).exists() else ""


async def _refused(name: str) -> None:
    """A name that nobody has may be a password in the wrong field: it is not kept. What is typed anew is an entry anew,
    whether anybody has that name or not: how long the answer takes does not tell.
    """
    if await in_database(User.objects.filter(username=name).exists)():
        await sign_in_refused("by password: wrong, or the account is disabled", user_name=name, apart=name)
    else:
        await sign_in_refused("by password: unknown user name", apart=name)
