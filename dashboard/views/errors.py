"""Errors as pages, fragments or JSON: what happened, and the way out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.views.decorators.csrf import requires_csrf_token

from dashboard.actions.problems import Unrecorded, Unsettled
from dashboard.errors import ClusterError, Forbidden

from .chrome import page_chrome

logger = logging.getLogger(__name__)
P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], Coroutine[Any, Any, HttpResponseBase]]


def clear_errors(view: View[P]) -> View[P]:
    """Turns the errors of the layers below into a clear answer, inside the frame of the cluster where there is one."""

    @wraps(view)
    async def wrapper(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            return await view(request, *args, **kwargs)
        except ClusterError as error:
            return await error_response(request, error, context=str(kwargs.get("context", "")))

    return wrapper


async def error_response(request: HttpRequest, error: ClusterError, *, context: str = "") -> HttpResponseBase:
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.warning("%s %s: %s", request.method, request.path, error.message)
    if request.GET.get("format", "html") != "html":
        return JsonResponse(
            {"error": error.message, "title": error.title, "next_step": error.next_step}, status=error.status
        )
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
    chrome = await page_chrome(request, context, title=error.title)
    return render(request, "pages/error.html", {"s": facts, **chrome}, status=error.status)


def _bare(request: HttpRequest, status: int, template: str) -> HttpResponse:
    return render(request, template, {}, status=status)


@requires_csrf_token
def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _bare(request, 400, "400.html")


@requires_csrf_token
def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _bare(request, 403, "403.html")


@requires_csrf_token
def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _bare(request, 404, "404.html")


@requires_csrf_token
def server_error(request: HttpRequest) -> HttpResponse:
    return _bare(request, 500, "500.html")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The page's own scripts get the token of now: somebody may have signed in again beside what was being typed. No
    other origin can read it.
    """
    response = _bare(request, 403, "403_csrf.html")
    if request.headers.get("HX-Request"):
        response["X-CSRFToken"] = get_token(request)
    return response
