"""Which requests try to do something, and what: their refusals are audited (docs/adr/0021)."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import zip_longest
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest

from dashboard.actions.action import Actor
from dashboard.actions.attempts import Attempt, attempt_refused, attempting, current_attempt
from dashboard.actions.bulk import BULK
from dashboard.actions.confirmation import CANT_UNDO, read_reason, why_in
from dashboard.actions.create_yaml import CREATE
from dashboard.actions.documents import secret_values
from dashboard.actions.newobjects.configmaps import lines_of
from dashboard.actions.newobjects.registry import known_names, secret_names
from dashboard.actions.operations import LEAVE, RESUME, STOP, operation_action
from dashboard.actions.problems import BadReason
from dashboard.database import in_database
from dashboard.errors import BadInput, ClusterError
from dashboard.insight.secretrules import KNOWN_KEYS
from dashboard.kube.config import unslug
from dashboard.kube.hiding import hide_values
from dashboard.live.session import Session
from dashboard.loop import off_loop
from dashboard.models import Change

# The routes by which something is done: in steps, of which only the last one does it, or at once.
IN_STEPS = frozenset({"action", "backup", "bulk", "create", "create_form", "drill", "restore", "undo"})
AT_ONCE = {
    "allow_changes": "allow-changes",
    "forbid_changes": "make-read-only",
    "reveal": "reveal",
    "operation_leave": LEAVE,
    "operation_resume": RESUME,
    "operation_stop": STOP,
}


SECRET_LETTERS = 6  # a shorter value stands in many a sentence


@asynccontextmanager
async def refusals_audited(request: HttpRequest) -> AsyncIterator[None]:
    """What a request tries to do here and is refused gets into the audit, once, wherever it is raised."""
    attempt = current_attempt() or await _attempt(request)
    if attempt is None:
        yield
        return
    with attempting(attempt):
        try:
            yield
        except ClusterError as error:
            await off_loop(_hide_typed, request, error)
            await attempt_refused(attempt, actor_of(await request.auser()), error)
            raise
        except SuspiciousOperation:  # a form over one of Django's limits, which nothing has read
            over = BadInput("The form is larger than can be processed.")
            await attempt_refused(attempt, actor_of(await request.auser()), over)
            raise


async def _attempt(request: HttpRequest) -> Attempt | None:
    """What a request tries to do; None where it only shows something."""
    match = request.resolver_match
    if request.method != "POST" or match is None or match.url_name is None:
        return None
    action = AT_ONCE.get(match.url_name, "")
    if not action and match.url_name in IN_STEPS and _applies(request):
        action = str(match.kwargs.get("action", match.url_name))
        if match.url_name == "bulk":
            action = f"{BULK}{action}"
        elif match.url_name == "create_form":
            action = CREATE.name
    if not action:
        return None
    where = {key: str(value) for key, value in match.kwargs.items()}
    reason = await off_loop(_reason, request)
    if "change" in where:
        return await _of_change(action, int(where["change"]), reason)
    return Attempt(
        action=action,
        context=context_named(where.get("context", "")),
        plural=where.get("plural", ""),
        namespace=where.get("namespace", ""),
        name=where.get("name", ""),
        reason=reason,
    )


def consent_parts(
    context: str, sent: Mapping[str, Any], *, why: str, name: str, spare: bool = False
) -> dict[str, Any]:
    """What forms/consent.html wants: ``why`` and what is to be typed to confirm, and what was typed so far. ``spare``:
    where it need not be, a preview may ask for it yet.
    """
    return {
        "why": why or (CANT_UNDO if spare else ""),
        "spare": spare and not why,
        "name": name,
        "confirm": str(sent.get("confirm", "")),
        "reason": str(sent.get("reason", "")),
        "asked": why_in(context),
    }


def reason_of(request: HttpRequest) -> str:
    """Why somebody does what a request asks for. Raises BadReason for what cannot be kept, where everybody reads it: too
    much, or the new value of a Secret.
    """
    reason = read_reason(str(request.POST.get("reason", "")))
    if any(len(value) >= SECRET_LETTERS and value in reason for value in _values(request, secret=True)):
        raise BadReason(
            "The reason holds the new value: whoever may see the change would read it.", field="reason"
        )
    return reason


def _reason(request: HttpRequest) -> str:
    """The same for the audit of a refusal; "" where that is what is refused."""
    try:
        return reason_of(request)
    except (BadReason, SuspiciousOperation):
        return ""


def _applies(request: HttpRequest) -> bool:
    try:
        return request.POST.get("step") == "apply"
    except SuspiciousOperation:
        return True  # who knows


def _hide_typed(request: HttpRequest, error: ClusterError) -> None:
    """Takes what was typed as a Secret's value out of an error, whoever repeated it."""
    typed = _values(request)
    hide_values(error, [base64.b64encode(text.encode("utf-8", "replace")).decode() for text in typed])


def _values(request: HttpRequest, *, secret: bool = False) -> list[str]:
    """What was typed as a Secret's value, in a field of its own, in one of a form of a new object, or as YAML.
    ``secret``: without what anybody may know, such as a user's name.
    """
    match = request.resolver_match
    plural = str(match.kwargs.get("plural", "")) if match and match.url_name == "create_form" else ""
    names, left_out = secret_names(plural) | {"value"}, known_names(plural) if secret else ()
    typed = []
    for name, texts in request.POST.lists():
        if name not in left_out and (name in names or name.startswith("value.")):
            # Beside a row's value stands its key, and beside a single one too.
            keys = request.POST.getlist(f"{name.removesuffix('value')}key") if name.endswith("value") else []
            typed += [
                lines_of(str(text))
                for text, key in zip_longest(texts, keys[: len(texts)], fillvalue="")
                if not secret or str(key).strip() not in KNOWN_KEYS
            ]
    text = str(request.POST.get("yaml", ""))
    if "Secret" not in text:
        return typed
    return [*typed, *secret_values(text, KNOWN_KEYS if secret else ())]


def actor_of(user: User | AnonymousUser, session: Session | None = None) -> Actor:
    """Who acts, and with what in the cluster of the session. The middleware let nobody in who is not signed in."""
    if not isinstance(user, User):
        raise TypeError("A change needs somebody who is signed in.")
    sign_in = session.identity.sign_in if session is not None else ""
    return Actor(user=user, name=user.get_username(), sign_in=sign_in)


async def _of_change(action: str, pk: int, reason: str) -> Attempt:
    change = await in_database(Change.objects.filter(pk=pk).first)()
    if change is None:
        return Attempt(action=action, context="", name=f"change {pk}", reason=reason)
    operated = operation_action(change)
    if action == "undo":
        action = change.action
    elif operated is not None:
        action = f"{action} {operated.noun}"
    return Attempt(
        action=action,
        context=change.context,
        plural=change.plural,
        namespace=change.namespace,
        name=change.name,
        reason=reason,
    )


def context_named(slug: str) -> str:
    try:
        return unslug(slug)
    except BadInput:
        return slug
