"""Behind TLS: what each answer tells a browser, and what its cookies are worth to anybody else."""

from __future__ import annotations

import re
import runpy
from http.cookies import Morsel
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.http.response import HttpResponseBase
from django.test import AsyncClient, AsyncRequestFactory

import cluster_ui.settings
from dashboard.csrf import COOKIE
from dashboard.edge import REFUSED
from dashboard.errors import BodyTooLarge
from dashboard.signin import link_create
from dashboard.views.signin import WANTED

pytestmark = pytest.mark.django_db(transaction=True)

TLS = {"x-forwarded-proto": "https"}  # what ends it in front of us says so
HEADERS = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def settings_with(monkeypatch: pytest.MonkeyPatch, https: str) -> dict[str, Any]:
    monkeypatch.setenv("CLUSTER_UI_HTTPS", https)
    found = runpy.run_path(cluster_ui.settings.__file__)
    return {name: value for name, value in found.items() if name.isupper()}


@pytest.fixture(autouse=True)
def behind_tls(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """All that CLUSTER_UI_HTTPS changes."""
    plain = settings_with(monkeypatch, "")
    for name, value in settings_with(monkeypatch, "1").items():
        if value != plain[name]:
            setattr(settings, name, value)


@pytest.fixture
def client() -> AsyncClient:
    return AsyncClient(enforce_csrf_checks=True)


async def signed_in(client: AsyncClient) -> list[Morsel[str]]:
    """The cookies that it was given."""
    link = await sync_to_async(link_create)(user_name="mara")
    page = await client.get(f"{link}&next=/changes/", headers=TLS)
    form = dict(re.findall(r'name="(csrfmiddlewaretoken|token)"\s+value="([^"]+)"', page.content.decode()))
    answer = await client.post("/login/link/", form, headers=TLS | {"origin": "https://testserver"})
    assert (answer.status_code, answer["Location"]) == (302, "/changes/")
    return [each for told in (page, answer) for each in told.cookies.values() if each.value]


async def test_every_answer_keeps_to_tls_to_this_site_and_out_of_frames(client: AsyncClient) -> None:
    def keeps(answer: HttpResponseBase, status: int, path: str) -> None:
        assert answer.status_code == status, path
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, path
        assert "frame-ancestors 'none'" in answer["Content-Security-Policy"], path

    async def told(status: int, path: str, **headers: str) -> None:
        keeps(await client.get(path, headers=TLS | headers), status, path)

    await told(302, "/changes/")
    await told(401, "/changes/", accept="application/json")
    await told(403, "/login/?token=none")
    await told(400, "/login/", host="elsewhere.example")
    refused = AsyncRequestFactory().get("/login/", headers=TLS)
    refused.scope[REFUSED] = BodyTooLarge("It is 9 MiB.")
    keeps(await client.handler.get_response_async(refused), 413, "what is refused at the edge")
    await told(200, "/static/css/app.css")
    for path in ("/healthz", "/login/"):
        await told(200, path)
    await signed_in(client)
    for path in ("/changes/", "/audit/?format=csv", "/audit/?format=json", "/sessions/"):
        await told(200, path)
    await told(404, "/nowhere/")


async def test_cookies_go_over_tls_only_to_no_script_and_with_no_request_of_another_site(
    client: AsyncClient,
) -> None:
    """That of the session, which holds the secret of the forms too, and those of the way in."""
    given = await signed_in(client)
    assert {each.key for each in given} == {COOKIE, WANTED, "cluster_ui_session"}
    for each in given:
        assert (each["secure"], each["httponly"], each["samesite"]) == (True, True, "Lax"), each.key
        assert not each["domain"], each.key


async def test_what_comes_without_tls_is_sent_on_but_for_probes(client: AsyncClient) -> None:
    plain = AsyncClient()
    for path in ("/", "/changes/", "/static/css/app.css"):
        answer = await plain.get(path)
        assert (answer.status_code, answer["Location"]) == (301, f"https://testserver{path}")
        assert not answer.cookies
    answer = await plain.get("/healthz")
    assert answer.status_code == 200 and "Strict-Transport-Security" not in answer
