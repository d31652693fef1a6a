"""Whoever has to sign in to a cluster is led to a way that is on, and to none that is off."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient

from dashboard.live.runtime import runtime
from dashboard.views.errors import NO_WAY_IN

from ..live.test_acting import CLUSTER

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN, ISSUER = "/login/token/?context=dev&next=%2Fc%2Fdev%2F", "/login/oidc/?next=%2Fc%2Fdev%2F"


@pytest.mark.parametrize(
    ("ways", "trusting", "login"),
    [
        (("token",), (), TOKEN),
        (("link", "oidc", "token"), ("dev",), TOKEN),
        (("oidc",), ("dev",), ISSUER),
        (("link", "oidc"), ("*",), ISSUER),
        (("oidc",), ("prod",), ""),
        (("link", "password"), ("dev",), ""),
    ],
)
async def test_a_page_leads_to_the_ways_that_are_on(
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    ways: tuple[str, ...],
    trusting: tuple[str, ...],
    login: str,
) -> None:
    settings.CLUSTER_UI_ACT_AS = {"": "installation", "dev": "user"}
    settings.CLUSTER_UI_SIGN_IN, settings.CLUSTER_UI_OIDC_CONTEXTS = ways, frozenset(trusting)
    monkeypatch.setattr(runtime, "open", lambda context: SimpleNamespace(cluster=CLUSTER, session=None))
    monkeypatch.setattr(runtime, "clusters", lambda: (CLUSTER,))
    client, mara = AsyncClient(), await User.objects.acreate(username="mara")
    await client.aforce_login(mara)

    script = await client.get("/c/dev/", headers={"accept": "application/json"})
    said = (await client.get("/c/dev/?format=json")).json()
    page = (await client.get("/c/dev/", headers={"accept": "text/html"})).content.decode()
    part = await client.get("/c/dev/", headers={"hx-request": "true"})
    assert script.status_code == part.status_code == 401
    assert part.headers.get("HX-Redirect", "") == login
    assert said.get("login", "").replace("%3Fformat%3Djson", "") == login
    assert ("Sign in to the cluster</a>" in page) == bool(login)
    assert (NO_WAY_IN in page) == (not login) == (said["next_step"] == NO_WAY_IN)
    assert ("/login/token/" in page) == ("token" in ways) and ("/login/oidc/" in page) == (login == ISSUER)
