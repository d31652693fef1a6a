"""``?at=``: pages of a moment in the past. The address is read here, the clock set, and every link told of it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import lru_cache, wraps
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve

from dashboard import showing
from dashboard.errors import ClusterError
from dashboard.live.screens.common import iso
from dashboard.live.screens.detail.tabs import TABS

from .asked import PAST_PAGES, PRESENT_PAGES, moment_in
from .errors import error_response
from .viewer import session_of

_TAG = re.compile(r"<(?:a|form)\b[^>]*>")
_LINK = re.compile(r'\b(href|hx-get|action)="(/c/[^"#]*)((?:#[^"]*)?)"')
KEPT = ("at", "span")  # what the links of a page of the past go on with
View = Callable[..., Coroutine[Any, Any, HttpResponseBase]]


def of_the_past(view: View) -> View:
    """The view of a page that takes ``?at=``: with it, its session is of that moment, and so is its clock."""

    @wraps(view)
    async def wrapper(request: HttpRequest, /, context: str, **kwargs: Any) -> HttpResponseBase:
        try:
            at = moment_in(request.GET, datetime.now(UTC))
            if at is not None:
                # Who has no account there is told so: the record is not read for them, nor from when until when it is.
                session = await session_of(request, context)
                await session.cluster.past.at(at)
        except ClusterError as error:
            return await error_response(request, error, context=context)
        if at is None:
            return await view(request, context=context, **kwargs)
        with showing.at(at):
            response = await view(request, context=context, **kwargs)
        if isinstance(response, HttpResponse) and response.headers["Content-Type"].startswith("text/html"):
            keep = [(key, iso(at) if key == "at" else request.GET[key]) for key in KEPT if key in request.GET]
            response.content = with_moment(response.content.decode(), keep).encode()
        return response

    return wrapper


def with_moment(page: str, keep: list[tuple[str, str]]) -> str:
    """The page with links and forms that go on at the same moment, where they lead to a page that has a past, or that
    says it has none. Those with ``data-now`` or a moment of their own stay as they are.
    """
    query = QueryDict(mutable=True)
    for key, value in keep:
        query[key] = value
    words = query.urlencode(safe=":")
    inputs = "".join(
        f'<input type="hidden" name="{key}" value="{html.escape(value, quote=True)}">' for key, value in keep
    )

    def link(found: re.Match[str]) -> str:
        name, url, fragment = found.groups()
        if not _takes_moment(urlsplit(html.unescape(url)).path) or re.search(r"(?:\?|&amp;|&)at=", url):
            return found[0]
        return f'{name}="{url}{"&amp;" if "?" in url else "?"}{html.escape(words)}{fragment}"'

    def tag(found: re.Match[str]) -> str:
        text = found[0]
        if "data-now" in text:
            return text
        if not text.startswith("<form"):
            return _LINK.sub(link, text)
        leads = _LINK.search(text)
        if (
            leads is None
            or 'method="post"' in text
            or not _takes_moment(urlsplit(html.unescape(leads[2])).path)
        ):
            return text
        return text + inputs

    return _TAG.sub(tag, page)


@lru_cache(maxsize=4096)
def _takes_moment(path: str) -> bool:
    """Whether a page can be shown as it was, or says that it can't."""
    try:
        match = resolve(path)
    except Resolver404:
        return False
    if match.url_name == "detail":
        tab = TABS.get(match.kwargs.get("tab", "overview"))
        return tab is not None and tab.recorded
    return match.url_name in PAST_PAGES | PRESENT_PAGES
