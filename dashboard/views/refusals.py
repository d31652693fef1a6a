"""What no view gets to see: forms of another origin or without the token of a page, and bodies that are not taken. Who
tried what is in the audit, by the address alone: nothing of what was sent is read.
"""

from __future__ import annotations

from contextlib import suppress

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.urls import Resolver404, ResolverMatch, resolve

from dashboard.audit.origin import SIGN_IN, Origin, coming_from, session_name
from dashboard.audit.refusals import Refusal, refusals, refused
from dashboard.database import AWAY
from dashboard.edge import person_of
from dashboard.errors import ClusterError

from .attempts import AT_ONCE, context_named

OTHER_ORIGIN = "The form came from a page of another origin, or of none."
NO_TOKEN = "The form has no token of a page of this session."  # noqa: S105 # words
_SPOKEN = {"logout": "sign out"} | dict.fromkeys(("login_link", "login_password", "login_token"), "sign in")
SAFE = ("GET", "HEAD", "OPTIONS")


def form_refused(request: HttpRequest, reason: str) -> None:
    """``reason``: Django's words, which begin with what is wrong."""
    why = OTHER_ORIGIN if reason.startswith(("Origin", "Referer")) else NO_TOKEN
    user = request.user
    if isinstance(user, User):
        refusals.note(_tried(request.resolver_match, why, user))
    else:  # of somebody unknown, not even which object it was
        refusals.note(Refusal(action="sign in", detail=why))


async def body_refused(request: HttpRequest, error: ClusterError) -> None:
    """Of somebody who is signed in: what strangers send is answered, and forgotten."""
    if request.method in SAFE:
        return
    with suppress(*AWAY):
        if (found := await person_of(request.scope)) is None:  # type: ignore[attr-defined] # of ASGI's requests
            return
        user, session = found
        match = None
        with suppress(Resolver404):
            match = resolve(request.path_info)
        where = (
            request.META.get("REMOTE_ADDR", ""),
            session.get(SIGN_IN, ""),
            session_name(session.session_key),
        )
        with coming_from(Origin(*where)):
            await refused(_tried(match, error.message, user))


def _tried(match: ResolverMatch | None, why: str, user: User) -> Refusal:
    name = (match.url_name if match else None) or "send"
    where = {key: str(value) for key, value in match.kwargs.items()} if match else {}
    return Refusal(
        action=where.get("action") or AT_ONCE.get(name) or _SPOKEN.get(name) or name.replace("_", " "),
        detail=why,
        user_name=user.get_username(),
        context=context_named(where.get("context", "")),
        plural=where.get("plural", ""),
        namespace=where.get("namespace", ""),
        name=where.get("name", ""),
    )
