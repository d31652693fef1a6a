"""A ConfigMap's values, to read and to download."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from dashboard.actions.configmap_reading import configmap_target, configmap_value, configmap_values
from dashboard.actions.configmap_values import Value, size_words
from dashboard.actions.linetext import editable
from dashboard.actions.versions import VERSIONS, version_diff
from dashboard.errors import NotFound
from dashboard.live.screens.common import object_url
from dashboard.live.screens.detail import DetailScreen
from dashboard.loop import off_loop
from dashboard.queries.keys import KeyWindow

from .errors import clear_errors
from .offers import page_actions
from .pages import page
from .viewer import session_of

MAX_SHOWN = 64 * 1024  # characters of a value on its page; all of it is a download away
MAX_SHOWN_TOGETHER = 192 * 1024  # of all values of a page


@require_safe
@clear_errors
async def values(
    request: HttpRequest, context: str, plural: str, namespace: str, name: str
) -> HttpResponseBase:
    """The keys with their texts, read as the user at this moment; of many, those found by ``q`` on page ``page``."""
    session = await session_of(request, context)
    cluster = session.cluster
    _only_configmaps(plural)
    found = await configmap_values(transport=session.transport, namespace=namespace, name=name)
    window = KeyWindow.of(found, request.GET)
    url = object_url(cluster, plural, namespace, name)
    screen = DetailScreen(session, request.GET, plural, namespace, name)
    return await page(
        request,
        cluster,
        screen,
        title=f"{name} · ConfigMap",
        more={
            "contents": await off_loop(_contents, {key: found[key] for key in window.names}, url),
            "window": window,
        },
        prepared=lambda: page_actions(screen),
    )


@require_safe
@clear_errors
async def value(
    request: HttpRequest, context: str, plural: str, namespace: str, name: str
) -> HttpResponseBase:
    """``?key=``: one key's exact bytes, as a file."""
    session = await session_of(request, context)
    _only_configmaps(plural)
    key = request.GET.get("key", "")
    content = await configmap_value(transport=session.transport, namespace=namespace, name=name, key=key)
    # Never shown by the browser itself: what it holds is somebody else's, and would run as ours.
    response = HttpResponse(content, content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="{key}"'
    response["Cache-Control"] = "no-store"
    return response


@require_safe
@clear_errors
async def version(
    request: HttpRequest, context: str, plural: str, namespace: str, name: str
) -> HttpResponseBase:
    """``?number=``: what a version changed, on the ConfigMap's page."""
    session = await session_of(request, context)
    cluster = session.cluster
    _only_configmaps(plural)
    number = VERSIONS.read({"version": request.GET.get("number", "")})["version"]
    lines, first = await version_diff(
        transport=session.transport,
        target=configmap_target(cluster.cluster.name, namespace, name),
        number=number or 0,
    )
    screen = DetailScreen(session, request.GET, plural, namespace, name)
    return await page(
        request,
        cluster,
        screen,
        title=f"{name} · ConfigMap",
        more={"compared": {"number": number, "first": first, "lines": lines}},
        prepared=lambda: page_actions(screen),
    )


def _only_configmaps(plural: str) -> None:
    if plural != "configmaps":
        raise NotFound("Only a ConfigMap's values are shown like this.")


def _contents(found: Mapping[str, Value], url: str) -> list[dict[str, Any]]:
    """Keys with their texts, each as far as a page holds it; "" with ``cut`` where those before it fill the page."""
    contents = []
    left = MAX_SHOWN_TOGETHER
    for key, value in found.items():
        text = editable(value.content)
        shown = None if text is None else text[: min(MAX_SHOWN, left)]
        left -= len(shown or "")
        contents.append(
            {
                "key": key,
                "size": size_words(len(value.content)),
                "text": shown,
                "cut": text is not None and shown != text,
                "url": f"{url}value/?{urlencode({'key': key})}",
            }
        )
    return contents
