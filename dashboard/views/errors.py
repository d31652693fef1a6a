"""Errors as pages, fragments or JSON: what happened, and the way out."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.sessions.exceptions import SessionInterrupted
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import Resolver404, resolve, reverse

from dashboard.actions.problems import Unrecorded, Unsettled
from dashboard.credentials import is_shown_issuers
from dashboard.database import AWAY, database_unavailable
from dashboard.errors import ClusterError, Forbidden, Invalid, NotFound, NotKept, NotSignedIn
from dashboard.live.screens.common import iso
from dashboard.live.screens.rewind import Moments

from .asked import refuse_the_past
from .attempts import refusals_audited
from .chrome import page_chrome
from .refusals import form_refused

logger = logging.getLogger(__name__)
P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], Coroutine[Any, Any, HttpResponseBase]]


def clear_errors(view: View[P]) -> View[P]:
    """Turns the errors of the layers below into a clear answer, inside the frame of the cluster where there is one."""

    @wraps(view)
    async def wrapper(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            refuse_the_past(request)
            async with refusals_audited(request):
                return await view(request, *args, **kwargs)
        except ClusterError as error:
            return await error_response(request, error, context=str(kwargs.get("context", "")))

    return wrapper


async def error_response(request: HttpRequest, error: ClusterError, *, context: str = "") -> HttpResponseBase:
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.warning("%s %s: %s", request.method, request.path, error.message)
    login = ""
    if isinstance(error, NotSignedIn) and context:
        login = sign_in_url(request, context)
        error = error if login else NotSignedIn(error.message, next_step=NO_WAY_IN)
    if request.GET.get("format", "html") != "html" or asks_json(request):
        return _json(request, error, login)
    if login and request.headers.get("HX-Request"):
        # As of a session that has ended: to where one signs in, unless something is typed on the page.
        return HttpResponse(status=error.status, headers={"HX-Redirect": login})
    if request.headers.get("HX-Target") == "preview":
        # Beside a form, whatever it is: what was typed there stays.
        sent = isinstance(error, Unsettled | Unrecorded)
        kept = "" if sent else "Nothing was written, and this form stays as it is."
        said = {"title": error.title, "text": " ".join(filter(None, (error.message, error.next_step, kept)))}
        return render(request, "partials/preview.html", {"s": {"error": said}}, status=error.status)
    facts: dict[str, Any] = {
        "status": error.status,
        "title": error.title,
        "message": error.message,
        "next_step": error.next_step,
    }
    if isinstance(error, Forbidden):
        facts |= {"verb": error.verb, "resource": error.resource, "namespace": error.namespace}
    if isinstance(error, NotFound):
        facts["links"] = error.links
    if isinstance(error, NotKept):
        facts["links"] = _known_moments(request, error)
    if login:
        facts["links"] = [{"text": "Sign in to the cluster", "url": login}]
    chrome = await page_chrome(request, context, title=error.title)
    return render(request, "pages/error.html", {"s": facts, **chrome}, status=error.status)


def _known_moments(request: HttpRequest, error: NotKept) -> list[dict[str, str]]:
    """The page at the nearest moments that are known, and now."""
    moments = Moments(request.path, request.GET)
    links = [
        {"text": f"{words} {moment:%Y-%m-%d %H:%M:%S} UTC", "url": moments.at(moment)}
        for words, moment in zip(("Before it:", "After it:"), error.moments, strict=True)
        if moment is not None
    ]
    return [*links, {"text": "As it is now", "url": moments.now}]


def _nearest(error: NotKept) -> str:
    """The same for a script, as a sentence; "" where none is known."""
    known = [f"at={iso(moment)}" for moment in error.moments if moment is not None]
    return (
        f"The nearest that {'is' if len(known) == 1 else 'are'} known: {' and '.join(known)}."
        if known
        else ""
    )


def bare_error(request: HttpRequest, error: ClusterError) -> HttpResponse:
    """An error as an answer that needs nothing: no session, no cluster, no database."""
    if wants_json(request):
        return _json(request, error)
    words = {"title": error.title, "text": f"{error.message} {error.next_step}".strip()}
    if request.headers.get("HX-Target") == "preview":
        return render(request, "partials/preview.html", {"s": {"error": words}}, status=error.status)
    return render(request, "bare_error.html", words, status=error.status)


def wants_json(request: HttpRequest) -> bool:
    """Whether a script asks, not a browser that shows pages."""
    if request.GET.get("format", "html") != "html":
        return True
    return not request.headers.get("HX-Request") and "text/html" not in request.headers.get(
        "Accept", "text/html"
    )


def asks_json(request: HttpRequest) -> bool:
    """Whether a script asks for a step of a change: by the address or in what it sends."""
    if request.GET.get("format") == "json":
        return True
    try:
        return request.method == "POST" and request.POST.get("format") == "json"
    except SuspiciousOperation:  # a form over one of Django's limits, which nothing has read
        return False


# The routes whose answers as JSON are those of a change: see "Public contract".
OF_CHANGES = frozenset(
    {
        "action",
        "backup",
        "bulk",
        "cluster_add",
        "cluster_remove",
        "cluster_rules",
        "create",
        "create_form",
        "drill",
        "restore",
        "undo",
        "change",
        "operation_stop",
        "operation_resume",
        "operation_leave",
    }
)


def _json(request: HttpRequest, error: ClusterError, login: str = "") -> JsonResponse:
    """``login``: where one signs in to the cluster first."""
    more = {"login": login} if login else {}
    if _route(request) in OF_CHANGES:
        return JsonResponse({"error": error_context(error), **more}, status=error.status)
    step = error.next_step
    if isinstance(error, NotKept):
        step = " ".join(filter(None, (step, _nearest(error))))
    facts = {"error": error.message, "title": error.title, "next_step": step, **more}
    return JsonResponse(facts, status=error.status)


def _route(request: HttpRequest) -> str | None:
    """The name of what the address leads to, also where nothing has looked that up yet."""
    with suppress(Resolver404):
        return (request.resolver_match or resolve(request.path_info)).url_name
    return None


NO_WAY_IN = (
    "No way of signing in to it is enabled here (CLUSTER_UI_SIGN_IN): ask whoever runs this dashboard."
)


def sign_in_url(request: HttpRequest, context: str) -> str:
    """Where one signs in to a cluster, on the way back to what was asked for: the form for tokens, which shows every way
    that is on, else the issuer, where the cluster is shown its token; "" where neither is on.
    """
    back = request.get_full_path() if request.method == "GET" else request.headers.get("HX-Current-URL", "/")
    if "token" in settings.CLUSTER_UI_SIGN_IN:
        return f"{reverse('login_token')}?{urlencode({'context': context, 'next': back})}"
    if "oidc" in settings.CLUSTER_UI_SIGN_IN and is_shown_issuers(context):
        return f"{reverse('login_oidc')}?{urlencode({'next': back})}"
    return ""


def error_context(error: ClusterError) -> dict[str, str]:
    """An error beside a form, or for a script: what was refused, by whom as far as it is known, and the way out.
    ``field`` is the input at fault.
    """
    text = error.message
    if isinstance(error, Invalid):
        text += "".join(
            f" {cause.field}: {cause.message}" for cause in error.causes if cause.message not in text
        )
    return {"title": error.title, "text": f"{text} {error.next_step}".strip(), "field": error.field}


class NoSuchPage(ClusterError):
    title = "There is no page at this address"
    status = 404


class FormExpired(ClusterError):
    title = "The form has expired"
    status = 403


class WrongMethod(ClusterError):
    title = "This address is not for that method"
    status = 405


def _bare(
    request: HttpRequest, status: int, template: str, error: ClusterError | None = None
) -> HttpResponse:
    """What is refused before any view is asked; ``error`` says it to a script."""
    if error is not None and asks_json(request):
        return _json(request, error)
    return render(request, template, {}, status=status)


def wrong_method(request: HttpRequest, allowed: str) -> HttpResponse:
    """In the place of Django's own answer, which has no words."""
    said = f"It takes {allowed or 'no method'}, not {request.method}. Nothing was done."
    step = "What can be asked and sent, and at which address, stands in docs/scripts.md."
    response = bare_error(request, WrongMethod(said, next_step=step))
    response.headers["Allow"] = allowed
    return response


class NotAForm(ClusterError):
    title = "This is not a form"
    status = 415


def not_a_form(request: HttpRequest, kind: str) -> HttpResponse:
    """``kind``: what it says that it is. For a script that sends JSON: what it gets is JSON, what it sends is not."""
    said = f"Fields are read from a form, not from {kind[:60]}. Nothing was done."
    step = "Send them as application/x-www-form-urlencoded, as docs/scripts.md shows."
    return bare_error(request, NotAForm(said, next_step=step))


class SignInFirst(ClusterError):
    title = "You are not signed in"
    status = 401


def sign_in_as_json(request: HttpRequest, login: str) -> JsonResponse:
    """For a script, in the place of the way to ``login``."""
    step = "Sign in with a browser, and send its session's cookie."
    return _json(request, SignInFirst("There is no session.", next_step=step), login)


class FormTooLarge(ClusterError):
    title = "This form is too large"
    status = 413


# What Django refuses before any view is asked: which limit it is, and what to do.
_OVER: dict[type[Exception], tuple[str, str]] = {
    TooManyFieldsSent: (
        f"A form may hold {settings.DATA_UPLOAD_MAX_NUMBER_FIELDS:,} fields; this one holds more.",
        "Send only what changes, or save some of it first. Nothing was written.",
    ),
    TooManyFilesSent: (
        f"A form may bring {settings.DATA_UPLOAD_MAX_NUMBER_FILES:,} files; this one brings more.",
        "Upload some of them first. Nothing was written.",
    ),
    RequestDataTooBig: (
        f"A form may hold {settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 2**20} MiB; this one holds more.",
        "Send only what changes, or upload large texts as files. Nothing was written.",
    ),
}


class SessionOver(ClusterError):
    title = "You were signed out meanwhile"
    status = 401


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if isinstance(exception, SessionInterrupted):  # by another request, while this one ran
        return _session_over(request)
    over = _OVER.get(type(exception)) if exception is not None else None
    if over is None:
        return _bare(request, 400, "400.html")
    return bare_error(request, FormTooLarge(over[0], next_step=over[1]))


def _session_over(request: HttpRequest) -> HttpResponse:
    error = SessionOver(
        "Your session ended while this was being answered, so the answer is not shown. What you asked for may be done.",
        next_step="Sign in again, then look under Changes.",
    )
    response = bare_error(request, error)
    if request.headers.get("HX-Request"):
        response.headers["HX-Redirect"] = settings.LOGIN_URL
    return response


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _bare(request, 403, "403.html")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    error = NoSuchPage(f"Nothing is at {request.path}.", next_step="Check how it is spelled.")
    return _bare(request, 404, "404.html", error)


def server_error(request: HttpRequest) -> HttpResponse:
    """What no layer expected; of a database that does not answer, which may happen in every one of them, in words."""
    error = sys.exc_info()[1]
    if isinstance(error, AWAY):
        away = database_unavailable(error)
        logger.warning("%s %s: %s %s", request.method, request.path, away.message, error)
        response = bare_error(request, away)
        response.headers["Retry-After"] = "5"
        response._has_been_logged = True  # type: ignore[attr-defined] # Django would add its traceback
        return response
    return _bare(request, 500, "500.html")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The page's own scripts get the token of now: somebody may have signed in again beside what was being typed. No
    other origin can read it.
    """
    form_refused(request, reason)
    error = FormExpired(
        "Nothing was changed: the form's token (X-CSRFToken) is missing, or not of this session.",
        next_step="Read it again from a page (csrfmiddlewaretoken), and send it with the same session.",
    )
    response = _bare(request, 403, "403_csrf.html", error)
    # Of somebody without a session there is nothing to renew, and asking for a token would make one.
    if request.headers.get("HX-Request") and request.user.is_authenticated:
        response["X-CSRFToken"] = get_token(request)
    return response
