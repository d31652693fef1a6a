"""Django's protection of forms, also for the forms by which somebody signs in.

The secret is in the session (``CSRF_USE_SESSIONS``), and whoever has none gets no row in the database for looking at the
sign-in page: theirs is in a cookie of its own, until they have signed in.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.csrf import CSRF_SECRET_LENGTH, CsrfViewMiddleware
from django.utils.cache import patch_vary_headers

COOKIE, PATH, SECONDS = "cluster_ui_signin", "/login/", 12 * 3600


class CsrfMiddleware(CsrfViewMiddleware):
    """What a session has counts; without a session, what the browser kept of the sign-in page."""

    def _get_secret(self, request: HttpRequest) -> str | None:
        secret: str | None = super()._get_secret(request)  # type: ignore[misc] # the stubs leave it out
        if request.session.session_key is not None:
            return secret
        kept = request.COOKIES.get(COOKIE, "")
        return kept if len(kept) == CSRF_SECRET_LENGTH and kept.isalnum() else None

    def _set_csrf_cookie(self, request: HttpRequest, response: HttpResponseBase) -> None:
        if request.session.session_key is not None:
            super()._set_csrf_cookie(request, response)  # type: ignore[misc]
            return
        response.set_cookie(
            COOKIE, request.META["CSRF_COOKIE"], max_age=SECONDS, path=PATH, httponly=True,
            secure=bool(settings.CSRF_COOKIE_SECURE), samesite="Lax",
        )  # fmt: skip
        patch_vary_headers(response, ("Cookie",))
