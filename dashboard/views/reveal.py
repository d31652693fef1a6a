"""One value of a Secret, in answer to a POST and nowhere else."""

from __future__ import annotations

import base64
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST

from dashboard.actions.reveals import Purpose, secret_reveal
from dashboard.errors import BadInput, ClusterError, NotFound

from .asked import refuse_the_past
from .attempts import actor_of, refusals_audited
from .errors import error_context
from .viewer import session_of

SECONDS = 30  # how long it stays on screen


@require_POST
@sensitive_variables()
async def reveal(
    request: HttpRequest, context: str, plural: str, namespace: str, name: str
) -> HttpResponseBase:
    """``key`` as a fragment, or with ``purpose=copy`` as bare text. Bytes that are no text are given in base64."""
    key = request.POST.get("key", "")
    purpose: Purpose = "copy" if request.POST.get("purpose") == "copy" else "show"
    try:
        async with refusals_audited(request):
            refuse_the_past(request)
            if plural != "secrets":
                raise NotFound("Only a Secret has values to reveal.")
            if not key:
                raise BadInput("Name the key.", field="key")
            value = await secret_reveal(
                transport=(await session_of(request, context)).transport,
                actor=actor_of(await request.auser()),
                namespace=namespace,
                name=name,
                key=key,
                purpose=purpose,
            )
    except ClusterError as error:
        facts: dict[str, Any] = {"key": key, "error": error_context(error)}
        response = render(request, "partials/revealed.html", facts, status=error.status)
    else:
        text, binary = _text(value)
        if purpose == "copy":
            response = HttpResponse(text, content_type="text/plain; charset=utf-8")
        else:
            facts = {"key": key, "text": text, "binary": binary, "bytes": len(value), "seconds": SECONDS}
            response = render(request, "partials/revealed.html", facts)
    response.headers["Cache-Control"] = "no-store, private"
    return response


def _text(value: bytes) -> tuple[str, bool]:
    """The value as text, and whether that is base64 because it is none."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode(), True
    return (base64.b64encode(value).decode(), True) if "\0" in text else (text, False)
