"""Signing in with an OpenID Connect issuer: there, and back.

What has to come back with the browser (state, nonce, PKCE verifier, where to go then) is in a signed cookie of this one
sign-in, so that nobody who only looks makes a row in the database; it is good for ten minutes and one use.
"""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET

from dashboard.admins import OF_ISSUER
from dashboard.database import in_database
from dashboard.errors import ClusterError
from dashboard.models import AuditEntry, ExternalIdentity
from dashboard.oidc import (
    Person,
    SignInRefused,
    answers_with_issuer,
    provider_name,
    sign_in_begin,
    sign_in_finish,
)
from dashboard.throttle import address_of, times

from .signin import begin_session, local, sign_in_page, sign_in_refused, too_many, wanted, way_is_on

log = logging.getLogger(__name__)

COOKIE, SALT, SECONDS, PATH = "cluster_ui_oidc_", "cluster-ui: a sign-in with an issuer", 600, "/login/oidc/"
ANSWERS, ANSWERS_SECONDS = 120, 60  # of an issuer, good or bad, that one address brings
# What an issuer answers instead of a code (RFC 6749, OpenID Connect Core), in words.
REFUSALS = {
    "access_denied": "The sign-in was cancelled, or you are not allowed to use this application.",
    "login_required": "You are not signed in there.",
    "temporarily_unavailable": "It is overloaded or being maintained.",
    "server_error": "It had an internal error.",
    "invalid_scope": "It does not know one of the scopes of CLUSTER_UI_OIDC_SCOPES.",
    "unauthorized_client": "It does not know this dashboard, or not for this way of signing in.",
    "invalid_request": "It does not accept how this dashboard asks.",
}


@require_GET
@never_cache
async def begin(request: HttpRequest) -> HttpResponse:
    """Sends the browser to the issuer."""
    if (off := way_is_on(request, "oidc")) is not None:
        return off
    try:
        begun = await sign_in_begin(redirect_uri=_redirect_uri(request))
    except ClusterError as error:
        return await _refused(request, error)
    response = HttpResponseRedirect(begun.url)
    kept = {"state": begun.state, "nonce": begun.nonce, "verifier": begun.verifier, "next": wanted(request)}
    response.set_cookie(
        _cookie(begun.state), signing.dumps(kept, salt=SALT, compress=True), max_age=SECONDS, path=PATH, httponly=True,
        samesite="Lax", secure=bool(settings.SESSION_COOKIE_SECURE),
    )  # fmt: skip
    return response


@sensitive_variables()
@require_GET
@never_cache
async def callback(request: HttpRequest) -> HttpResponse:
    """Where the issuer sends the browser back to, with a code or the reason why there is none."""
    if (off := way_is_on(request, "oidc")) is not None:
        return off
    if await times(f"oidc-answers:{address_of(request)}", ANSWERS_SECONDS) > ANSWERS:
        await sign_in_refused("by OpenID Connect: too many answers")
        return _too_often(request)
    state = request.GET.get("state", "")
    try:
        kept = await _begun(request, state)
        person = await _finished(request, kept)
        user = await in_database(user_of)(person)
        response = await begin_session(
            request, user, way="oidc", following=local(request, kept["next"]), person=person
        )
        await in_database(AuditEntry.objects.create)(
            user_name=user.get_username(), action="sign in", result=AuditEntry.Result.DONE,
            detail=f"by OpenID Connect, as {person.subject} of {person.issuer}"[:500],
        )  # fmt: skip
    except ClusterError as error:
        response = await _refused(request, error)
    response.delete_cookie(_cookie(state), path=PATH, samesite="Lax")
    return response


async def _begun(request: HttpRequest, state: str) -> dict[str, Any]:
    """What this browser was sent away with. Raises SignInRefused for a state that is not its own, or used."""
    try:
        kept: dict[str, Any] = signing.loads(
            request.COOKIES.get(_cookie(state), ""), salt=SALT, max_age=SECONDS
        )
        mine = kept["state"] == state
    except signing.BadSignature:
        mine, kept = False, {}
    if not mine or await times(f"oidc-state:{_digest(state)}", SECONDS) > 1:
        raise SignInRefused(
            "This sign-in was started in another browser, took longer than 10 minutes, or has been used already.",
            next_step="Start again here.",
        )
    if not answers_with_issuer(request.GET.get("iss")):
        raise SignInRefused("The answer came from another identity provider.", next_step="Start again here.")
    return kept


async def _finished(request: HttpRequest, kept: dict[str, Any]) -> Person:
    if code := request.GET.get("code"):
        return await sign_in_finish(
            code=code,
            nonce=kept["nonce"],
            verifier=kept["verifier"],
            redirect_uri=_redirect_uri(request),
        )
    why = REFUSALS.get(request.GET.get("error", ""), "It sent no code.")
    raise SignInRefused(
        f"{provider_name()} did not sign you in. {why}", next_step="Try again, or another way."
    )


def user_of(person: Person) -> User:
    """The user who is this person, made if there is none. Raises SignInRefused for one that was disabled.

    Who they are is the issuer's subject. A name that another subject has already gets a number: nobody becomes
    somebody else, and least of all somebody who is named in the settings, by being called alike.
    """
    known = ExternalIdentity.objects.filter(issuer=person.issuer, subject=person.subject)
    found = known.select_related("user").first()
    if found is None:
        try:
            return _user_create(person)
        except IntegrityError:  # the same person in another tab
            found = known.select_related("user").get()
    user = found.user
    if not user.is_active:
        raise SignInRefused("This account was disabled.", next_step="Ask whoever runs this dashboard.")
    if user.first_name != person.shown:
        user.first_name = person.shown
        user.save(update_fields=["first_name"])
    return user


@transaction.atomic
def _user_create(person: Person) -> User:
    name, number = f"{OF_ISSUER}{person.name}", 1
    while User.objects.filter(username=name).exists():
        number += 1
        name = f"{OF_ISSUER}{person.name} ({number})"
    user = User(username=name, first_name=person.shown)
    user.set_unusable_password()
    user.save()
    ExternalIdentity.objects.create(issuer=person.issuer, subject=person.subject, user=user)
    return user


async def _refused(request: HttpRequest, error: ClusterError) -> HttpResponse:
    failed = not isinstance(error, SignInRefused)
    await sign_in_refused(f"by OpenID Connect: {error.message}"[:500], failed=failed)
    if await too_many(request):
        return _too_often(request)
    reason = f"{error.message} {error.next_step}".strip()
    return sign_in_page(request, way="oidc", reason=reason, status=error.status)


def _too_often(request: HttpRequest) -> HttpResponse:
    reason = "Too many sign-ins from your address. Wait a minute, then start again."
    return sign_in_page(request, way="oidc", reason=reason, status=429)


def _redirect_uri(request: HttpRequest) -> str:
    return request.build_absolute_uri(reverse("login_oidc_callback"))


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _cookie(state: str) -> str:
    """Of this one sign-in, so that several tabs can have one each."""
    return f"{COOKIE}{_digest(state)[:16]}"
