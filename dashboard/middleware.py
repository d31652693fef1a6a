"""What holds for every request: nothing without a session but a fixed list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import async_only_middleware

Handler = Callable[[HttpRequest], Awaitable[HttpResponseBase]]

# The design's fixed list. Static files are answered before this.
PUBLIC = frozenset({"/healthz", "/readyz", "/login/"})


@async_only_middleware
def session_required(get_response: Handler) -> Handler:
    """Sends whoever has no session to the sign-in page; scripts get a 401 that says where that is."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.path in PUBLIC or (await request.auser()).is_authenticated:
            response = await get_response(request)
            if request.path not in PUBLIC:
                response.headers.setdefault("Cache-Control", "no-store, private")
            return response
        target = settings.LOGIN_URL
        if request.method == "GET":
            target += f"?next={quote(request.get_full_path())}"
        if request.headers.get("HX-Request"):
            response = HttpResponse(status=401)
            response.headers["HX-Redirect"] = target
            return response
        if request.GET.get("format") == "json" or "text/html" not in request.headers.get(
            "Accept", "text/html"
        ):
            return JsonResponse({"error": "Sign in first.", "login": target}, status=401)
        return HttpResponseRedirect(target)

    return middleware
