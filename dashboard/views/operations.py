"""Operations: begun after a change, followed on a page, stopped and resumed by a click."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from dashboard.actions.action import Actor
from dashboard.actions.confirmation import why_in
from dashboard.actions.operations import (
    operation_action,
    operation_leave,
    operation_replace,
    operation_resume,
    operation_stop,
    resume_name,
)
from dashboard.errors import BadInput, ClusterError
from dashboard.kube.config import slug
from dashboard.live.deciding import decision_refusal
from dashboard.live.operations import operation_start, operations
from dashboard.live.screens import operation_screen
from dashboard.live.screens.change import change_of
from dashboard.live.session import Session
from dashboard.loop import off_loop
from dashboard.models import Change

from ..database import in_database
from .attempts import actor_of, consent_parts, reason_of, refusals_audited
from .errors import asks_json, clear_errors
from .pages import page
from .viewer import session_of

log = logging.getLogger(__name__)


async def begun(session: Session, change: Change) -> Change:
    """The change, with the steps begun that follow it, if any do. What fails here is begun in the background a little
    later.
    """
    if operation_action(change) is None:
        await in_database(operation_replace)(change)
        return change
    try:
        await operation_start(session, change)
    except ClusterError as error:
        log.warning("the steps after %s begin later: %s", change, error.message)
    except Exception:
        # It is written: whoever wrote it must get to the page that follows it.
        log.exception("the steps after %s begin later", change)
    operations.wake()
    return change


@require_safe
@clear_errors
async def operation(request: HttpRequest, change: int, action: str) -> HttpResponseBase:
    """Following an operation."""
    made = await change_of(change)
    session = await session_of(request, slug(made.context))
    return await _page(request, session, made, action)


async def _page(
    request: HttpRequest,
    session: Session,
    made: Change,
    action: str,
    wrong: Mapping[str, str] = MappingProxyType({}),
) -> HttpResponse:
    screen = operation_screen(session, request.GET, made.pk, action)
    asked = await _asked(request, made, wrong)
    return await page(request, session.cluster, screen, title=action.capitalize(), more=asked)


async def _asked(request: HttpRequest, change: Change, wrong: Mapping[str, str]) -> dict[str, Any]:
    """The inputs of what resuming asks for in a production context."""
    if not (why := why_in(change.context)):
        return {}
    named = await in_database(resume_name)(change)
    return {
        "form": {"consent": consent_parts(change.context, request.POST, why=why, name=named), "errors": wrong}
    }


@require_POST
@clear_errors
async def stop(request: HttpRequest, change: int) -> HttpResponseBase:
    """No further step of an operation begins."""
    made = await change_of(change)
    await operation_stop(actor=await _decider(request, made), change=made)
    return _decided(request, made)


@require_POST
@clear_errors
async def resume(request: HttpRequest, change: int) -> HttpResponseBase:
    """An operation goes on where it stopped. ``confirm`` and ``reason`` as every apply takes them in a production
    context.
    """
    made = await change_of(change)
    await _decider(request, made)
    session = await session_of(request, slug(made.context))
    actor = actor_of(await request.auser(), session)
    try:
        async with refusals_audited(request):
            await operation_resume(
                transport=session.transport,
                actor=actor,
                change=made,
                confirm=request.POST.get("confirm", ""),
                reason=await off_loop(reason_of, request),
            )
    except BadInput as error:
        if error.field not in ("confirm", "reason") or asks_json(request) or "HX-Target" in request.headers:
            raise
        response = await _page(request, session, made, made.action, {error.field: error.message})
        response.status_code = error.status
        return response
    operations.wake()
    return _decided(request, made)


@require_POST
@clear_errors
async def leave(request: HttpRequest, change: int) -> HttpResponseBase:
    """What an operation that came to a halt has not begun stays as it is."""
    made = await change_of(change)
    await operation_leave(actor=await _decider(request, made), change=made)
    return _decided(request, made)


async def _decider(request: HttpRequest, change: Change) -> Actor:
    """Who asks, if they may decide about an operation. Whoever began it may while the cluster is away, too."""
    user = await request.auser()
    if user.pk != change.user_id:
        session = await session_of(request, slug(change.context))
        if (refusal := await decision_refusal(session, change)) is not None:
            raise refusal
    return actor_of(user)


def _decided(request: HttpRequest, change: Change) -> HttpResponseBase:
    """Back to where an operation is followed; for a script, as an apply answers."""
    if asks_json(request):
        return JsonResponse({"change": change.pk, "url": reverse("change", args=[change.pk])})
    return HttpResponseRedirect(reverse("change", args=[change.pk]))
