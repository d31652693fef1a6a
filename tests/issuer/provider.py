"""The provider's process: a Django project of one file."""

from __future__ import annotations

import json
import os
import ssl
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings

FACTS = json.loads(os.environ["ISSUER"])
HOME = Path(FACTS["home"])

settings.configure(
    SECRET_KEY="tests",
    ALLOWED_HOSTS=["localhost", FACTS["address"]],
    ROOT_URLCONF=__name__,
    SECURE_PROXY_SSL_HEADER=("HTTP_X_TLS", "on"),
    INSTALLED_APPS=[
        "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "oauth2_provider",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3", "NAME": str(HOME / "issuer.sqlite3"), "OPTIONS": {"timeout": 20},
        }
    },
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    LOGIN_URL="/sign-in/",
    SESSION_COOKIE_NAME="issuer_session",
    USE_TZ=True,
    MIGRATION_MODULES=dict.fromkeys(("auth", "contenttypes", "sessions", "oauth2_provider")),
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    OAUTH2_PROVIDER={
        "OIDC_ENABLED": True,
        "OIDC_ISS_ENDPOINT": FACTS["url"],
        "OIDC_RSA_PRIVATE_KEY": (HOME / "signing.pem").read_text(),
        "OAUTH2_VALIDATOR_CLASS": f"{__name__}.Claims",
        "SCOPES": {"openid": "", "profile": "", "email": ""},
        "PKCE_REQUIRED": True,
        "ID_TOKEN_EXPIRE_SECONDS": FACTS["lifetime"],
        "ACCESS_TOKEN_EXPIRE_SECONDS": FACTS["lifetime"],
        "ALLOWED_REDIRECT_URI_SCHEMES": ["http", "https"],
    },
)  # fmt: skip
django.setup()

from django.contrib.auth import authenticate, login  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect  # noqa: E402
from django.urls import include, path  # noqa: E402
from oauth2_provider.models import get_application_model  # noqa: E402
from oauth2_provider.oauth2_validators import OAuth2Validator  # noqa: E402

FORM = """<!DOCTYPE html><title>Provider</title><form method="post"><label>User<input name="user"></label>
<label>Password<input name="password" type="password"></label><button>Sign in there</button></form>"""


class Claims(OAuth2Validator):  # type: ignore[misc]
    oidc_claim_scope = None

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        name = request.user.username
        return {"preferred_username": name, "name": name.title(), "groups": FACTS["people"][name]}


def sign_in(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        user = authenticate(request, username=request.POST["user"], password=request.POST["password"])
        if user is not None:
            login(request, user)
            return HttpResponseRedirect(request.GET["next"])
    return HttpResponse(FORM)


urlpatterns = [
    path("sign-in/", sign_in),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
]


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def get_environ(self) -> dict[str, Any]:
        return super().get_environ() | {"wsgi.url_scheme": "https", "HTTP_X_TLS": "on"}


def main() -> None:
    from django.core.wsgi import get_wsgi_application

    call_command("migrate", run_syncdb=True, verbosity=0)
    if not User.objects.exists():
        for name in FACTS["people"]:
            User.objects.create_user(name, password=FACTS["password"])
        get_application_model().objects.create(
            name="Cluster UI",
            client_id=FACTS["client"],
            client_secret=FACTS["secret"],
            client_type="confidential",
            authorization_grant_type="authorization-code",
            redirect_uris=" ".join(FACTS["redirect_uris"]),
            skip_authorization=True,
            algorithm="RS256",
        )
    server = make_server(
        FACTS["address"], FACTS["port"], get_wsgi_application(), server_class=Server, handler_class=Quiet
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(HOME / "server.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
