"""Signing in by a one-time link, and out."""

from __future__ import annotations

from django.contrib.auth import alogout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from dashboard.database import in_database
from dashboard.models import AuditEntry
from dashboard.signin import LIFETIME, link_find, link_redeem

from .signin import begin_session, remembering, sign_in_page, sign_in_refused, too_many, wanted, way_is_on


@require_GET
@never_cache
async def login(request: HttpRequest) -> HttpResponse:
    """The ways to sign in. With a link's token, one button that uses the link up: looking at it, as a preview of links
    does, changes nothing."""
    token = request.GET.get("token")
    if not token:
        if (await request.auser()).is_authenticated:
            return HttpResponseRedirect(wanted(request))
        return remembering(request, sign_in_page(request))
    if (off := way_is_on(request, "link")) is not None:
        return off
    found = await in_database(link_find)(token=token)
    if found is None:
        return await _invalid(request)
    minutes = max(1, round((found.created_at + LIFETIME - timezone.now()).total_seconds() / 60))
    given = {"token": token, "user": found.user.get_username(), "minutes": minutes}
    return remembering(request, sign_in_page(request, way="link", given=given))


@require_POST
@never_cache
async def link(request: HttpRequest) -> HttpResponse:
    """Uses a link up and starts a session."""
    if (off := way_is_on(request, "link")) is not None:
        return off
    user = await in_database(link_redeem)(token=request.POST.get("token", ""))
    return await _invalid(request) if user is None else await begin_session(request, user, way="link")


async def _invalid(request: HttpRequest) -> HttpResponse:
    """What a link is answered that does not hold. One that does always signs in: 256 bits are not guessed, and nobody
    shall lock the owner out."""
    if (await request.auser()).is_authenticated:
        return HttpResponseRedirect(wanted(request))  # the link of this very session, opened again
    await sign_in_refused("the link was unknown, used or too old")
    if await too_many(request):
        reason = "Too many invalid links. Wait a minute, then use a fresh one."
        return sign_in_page(request, way="link", reason=reason, status=429)
    reason = "This link has been used, is older than 10 minutes, or does not exist."
    return sign_in_page(request, way="link", reason=reason, status=403)


@require_POST
async def logout(request: HttpRequest) -> HttpResponse:
    user = await request.auser()
    await alogout(request)
    # Afterwards: a database that cannot keep this must not keep somebody signed in.
    await in_database(AuditEntry.objects.create)(
        user_name=user.get_username(), action="sign out", result=AuditEntry.Result.DONE
    )
    return HttpResponseRedirect("/login/")
