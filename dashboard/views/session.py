"""Signing in by a one-time link, and out."""

from __future__ import annotations

from urllib.parse import quote, unquote

from django.conf import settings
from django.contrib.auth import alogin, alogout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from dashboard.database import in_database
from dashboard.models import AuditEntry
from dashboard.signin import link_redeem, link_refused
from dashboard.throttle import times

TRIES, WINDOW = 10, 60  # wrong links from one address in so many seconds
REFUSALS, REFUSAL_WINDOW = 100, 3600  # wrong links in the audit, of all addresses together
# Where somebody wanted to go who had to sign in first; the link comes from elsewhere and does not know it.
WANTED, WANTED_SECONDS, LONGEST = "cluster_ui_next", 600, 2000


@require_GET  # a HEAD, such as a link checker sends, must not use the link up
@never_cache
async def login(request: HttpRequest) -> HttpResponse:
    """Uses up the link's token and starts a session; without a token, tells how to get a link."""
    wanted = request.GET.get("next") or unquote(request.COOKIES.get(WANTED, ""))
    following = _local(request, wanted)
    token = request.GET.get("token")
    if not token:
        if (await request.auser()).is_authenticated:
            return HttpResponseRedirect(following)
        return _remembering(following, render(request, "registration/login.html", {"reason": ""}))
    user = await in_database(link_redeem)(token=token)
    if user is None:
        if (await request.auser()).is_authenticated:
            return HttpResponseRedirect(following)  # the link of this very session, opened again
        if await _too_many(request):
            reason = "Too many invalid links. Wait a minute, then use a fresh one."
            return render(request, "registration/login.html", {"reason": reason}, status=429)
        if await times("signin-refusals", REFUSAL_WINDOW) <= REFUSALS:
            await in_database(link_refused)()
        reason = "This link has been used, is older than 10 minutes, or does not exist."
        return render(request, "registration/login.html", {"reason": reason}, status=403)
    await alogin(request, user)
    # The token leaves the address bar and the history with this redirect.
    response = HttpResponseRedirect(following)
    response.delete_cookie(WANTED, path="/login/", samesite="Lax")
    return response


def _remembering(following: str, response: HttpResponse) -> HttpResponse:
    """The answer, with where to go once signed in."""
    kept = quote(following, safe="")
    if following != "/" and len(kept) <= LONGEST:
        response.set_cookie(
            WANTED, kept, max_age=WANTED_SECONDS, path="/login/", httponly=True, samesite="Lax",
            secure=bool(settings.SESSION_COOKIE_SECURE),
        )  # fmt: skip
    return response


async def _too_many(request: HttpRequest) -> bool:
    """Counts a link that did not hold. One that holds always signs in: 256 bits are not guessed, and nobody shall
    lock the owner out."""
    return await times(f"signin-tries:{request.META.get('REMOTE_ADDR', '')}", WINDOW) > TRIES


@require_POST
async def logout(request: HttpRequest) -> HttpResponse:
    user = await request.auser()
    await alogout(request)
    # Afterwards: a database that cannot keep this must not keep somebody signed in.
    await AuditEntry.objects.acreate(
        user_name=user.get_username(), action="sign out", result=AuditEntry.Result.DONE
    )
    return HttpResponseRedirect("/login/")


def _local(request: HttpRequest, target: str) -> str:
    """The target if it is an address of ours, else the front page."""
    safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return target if safe and target.startswith("/") else "/"
