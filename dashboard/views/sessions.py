"""One's own sessions: since when, from where, how; and their end, one by one or all at once."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from dashboard.database import in_database
from dashboard.errors import BadInput
from dashboard.kinds.rows import plural
from dashboard.models import AuditEntry, SignedIn
from dashboard.sessions import sessions_end, sessions_of

from .attempts import actor_of
from .chrome import page_chrome
from .errors import clear_errors

WAYS = {"link": "One-time link", "oidc": "Single sign-on", "password": "Password", "token": "Token"}
# In this order: each names itself after those whose engine it has.
BROWSERS = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
SYSTEMS = {
    "Windows": "Windows", "Android": "Android", "iPhone": "iOS", "iPad": "iPadOS", "Mac OS X": "macOS", "Linux": "Linux",
}  # fmt: skip


@require_safe
@clear_errors
async def sessions(request: HttpRequest) -> HttpResponseBase:
    found = await in_database(sessions_of)(actor_of(await request.auser()).user)
    facts = {"sessions": [_entry(each, request.session.session_key) for each in found]}
    chrome = await page_chrome(request, request.GET.get("from", ""), title="Your sessions")
    return render(request, "pages/sessions.html", {"s": facts, **chrome})


@require_POST
@clear_errors
async def end(request: HttpRequest) -> HttpResponseBase:
    """``session``: its number, or ``others``: all but this one."""
    chosen = request.POST.get("session", "")
    which = int(chosen) if chosen.isdecimal() and len(chosen) < 18 else None
    if which is None and chosen != "others":
        raise BadInput("Choose a session of the list.", field="session")
    count = await in_database(_end)(
        actor_of(await request.auser()).user, which, request.session.session_key or ""
    )
    messages.success(
        request, f"{plural(count, 'session')} ended." if count else "That session had ended already."
    )
    return HttpResponseRedirect(reverse("sessions"))


def _end(user: User, which: int | None, but: str) -> int:
    count = sessions_end(user, which=which, but=but)
    if count:
        AuditEntry.objects.create(
            user_name=user.get_username(),
            action="end sessions",
            detail=f"{plural(count, 'session')} ended from another one",
            result=AuditEntry.Result.DONE,
        )
    return count


def _entry(signed_in: SignedIn, mine: str | None) -> dict[str, Any]:
    return {
        "id": signed_in.pk,
        "current": signed_in.session_id == mine,
        "browser": browser_name(signed_in.browser),
        "address": signed_in.address or "",
        "way": WAYS.get(signed_in.way, ""),
        "began": signed_in.began_at,
        "seen": signed_in.seen_at,
    }


def browser_name(agent: str) -> str:
    """What a browser says of itself, in two words: ``Firefox on Linux``."""
    browser = next((name for sign, name in BROWSERS.items() if sign in agent), "")
    system = next((name for sign, name in SYSTEMS.items() if sign in agent), "")
    if browser:
        return f"{browser} on {system}" if system else browser
    return agent.partition("/")[0][:40] or "Unknown browser"
