"""Signing in with a token of a cluster: whose it is, says the API server; who they are here, can be nobody else."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
from collections import defaultdict
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.test import AsyncClient

from dashboard.admins import administers
from dashboard.credentials import load
from dashboard.errors import NotSignedIn, Unavailable
from dashboard.kube.expiry import token_expiry
from dashboard.kube.whoami import UserInfo
from dashboard.models import AuditEntry
from dashboard.sessionstore import SessionStore
from dashboard.views import signin, signin_token, viewer
from dashboard.views.signin_token import OF_ADDRESS, user_name

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = "canary-of-a-pasted-token"
SA = "system:serviceaccount:shop:reader"


class Cluster:
    """An API server that knows one token."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.account = UserInfo(SA, ("system:serviceaccounts",))
        self.away = False

    async def whose(self, acting: Any) -> UserInfo:
        self.asked.append(acting.token)
        if self.away:
            raise Unavailable("The API server is away.")
        if acting.token != TOKEN:
            raise NotSignedIn("no")
        return self.account


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Cluster:
    settings.CLUSTER_UI_SIGN_IN = ("link", "token")
    settings.CLUSTER_UI_ACT_AS = {"": "installation", "dev": "user"}
    settings.CLUSTER_UI_ADMINS = frozenset({"owner", SA, "mara"})
    made = Cluster()
    known = [SimpleNamespace(slug=each, name=each, server=f"https://{each}") for each in ("dev", "prod")]
    runtime = SimpleNamespace(clusters=lambda: known, open=lambda _: made)
    for module in (signin, signin_token, viewer):
        monkeypatch.setattr(module, "runtime", runtime)
    caches["throttle"].clear()
    return made


async def send(client: AsyncClient, token: str = TOKEN, context: str = "dev", **more: str) -> Any:
    return await client.post("/login/token/", {"token": token, "context": context} | more)


def session_of(client: AsyncClient) -> SessionStore:
    return SessionStore(client.cookies["cluster_ui_session"].value)


async def test_a_token_signs_in_as_the_user_whom_the_cluster_knows(cluster: Cluster) -> None:
    client = AsyncClient()
    await client.get("/login/token/?context=dev&next=/c/dev/pods/")
    response = await send(client)
    assert (response.status_code, response["Location"]) == (302, "/c/dev/pods/")
    user = await User.objects.aget()
    assert user.username == f"token:dev/{SA}" and not user.has_usable_password()
    kept = await sync_to_async(load)(session_of(client), "dev")
    assert kept is not None
    assert (kept.token, kept.user, kept.context) == (TOKEN, SA, "dev")
    entry = await AuditEntry.objects.aget()
    assert (entry.user_name, entry.action, entry.context) == (user.username, "sign in", "dev")
    await send(AsyncClient())
    assert await User.objects.acount() == 1


async def test_who_is_signed_in_stays_who_they_are(cluster: Cluster) -> None:
    mara, client = await User.objects.acreate(username="mara"), AsyncClient()
    await client.aforce_login(mara)
    await send(client)
    assert await User.objects.acount() == 1
    assert await session_of(client).aget("_auth_user_id") == str(mara.pk)
    assert (await AuditEntry.objects.aget()).user_name == "mara"


@pytest.mark.parametrize(
    "name", ["owner", "mara", "oidc:mara", "group:platform", "token:dev/owner", "../owner"]
)
def test_no_cluster_can_name_a_user_who_signs_in_otherwise(cluster: Cluster, name: str) -> None:
    made = user_name("dev", name)
    assert made != name and made.startswith("token:dev/")
    assert not administers(made, [])


def test_two_accounts_never_share_a_name() -> None:
    long = "system:serviceaccount:" + "n" * 63 + ":"
    pairs = [
        ("a", "b:c"), ("a:b", "c"), ("a", "b/c"), ("a~2Fb", "c"), ("dev", long + "x" * 200), ("dev", long + "x" * 201),
        ("dev", ""), ("de", "v"),
    ]  # fmt: skip
    names = [user_name(*pair) for pair in pairs]
    assert len(set(names)) == len(pairs)
    assert all(len(name) <= 150 for name in names)


async def test_a_disabled_account_is_told_so(cluster: Cluster) -> None:
    await User.objects.acreate(username=f"token:dev/{SA}", is_active=False)
    response = await send(AsyncClient())
    assert response.status_code == 403 and "disabled" in response.content.decode()


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        ({"token": "wrong"}, 401, "was not accepted"),
        ({"token": " "}, 400, "Enter a token"),
        ({"token": "two words"}, 400, "without spaces"),
        ({"context": "prod"}, 401, "was not accepted"),
        ({"context": "nowhere"}, 401, "was not accepted"),
    ],
)
async def test_what_is_wrong_is_told_and_no_token_repeated(
    cluster: Cluster, sent: dict[str, str], status: int, words: str
) -> None:
    response = await send(AsyncClient(), **({"token": TOKEN} | sent))
    body = response.content.decode()
    assert response.status_code == status and words in body
    assert TOKEN not in body and "wrong" not in body
    assert await User.objects.acount() == 0
    script = await AsyncClient().post(
        "/login/token/", {"token": TOKEN, "context": "dev"} | sent, headers={"accept": "application/json"}
    )
    assert script.status_code == status and words in json.loads(script.content)["error"]


async def test_a_cluster_that_is_away_refuses_nobody(cluster: Cluster) -> None:
    cluster.away = True
    response = await send(AsyncClient())
    assert response.status_code == 503
    assert await AuditEntry.objects.acount() == 0


async def test_guessing_is_slowed_down_before_the_cluster_is_asked(cluster: Cluster) -> None:
    codes = [(await send(AsyncClient(), token=f"wrong{n}")).status_code for n in range(OF_ADDRESS + 3)]
    assert codes == [401] * OF_ADDRESS + [429] * 3
    assert len(cluster.asked) == OF_ADDRESS
    said = [each.detail async for each in AuditEntry.objects.filter(result="refused").order_by("pk")]
    assert (
        len(said) == 2 and "for dev: This token was not accepted" in said[0] and "Too many tokens" in said[1]
    ), "the rest is counted"


async def test_links_that_do_not_hold_stop_no_token(cluster: Cluster) -> None:
    said = {(await AsyncClient().get("/login/", {"token": "wrong"})).status_code for _ in range(12)}
    assert 429 in said
    assert (await send(AsyncClient())).status_code == 302


async def test_tokens_that_come_at_once_are_counted_and_asked_about_in_turn(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signin_token, "_turns", defaultdict(lambda: asyncio.Semaphore(signin_token.AT_ONCE)))
    monkeypatch.setattr(signin_token, "OF_ADDRESS", 8)
    asking, most, answered = 0, 0, asyncio.Event()

    async def whose(acting: Any) -> UserInfo:
        nonlocal asking, most
        asking += 1
        most = max(most, asking)
        if asking == signin_token.AT_ONCE:
            answered.set()
        await answered.wait()
        asking -= 1
        raise NotSignedIn("no")

    monkeypatch.setattr(cluster, "whose", whose)
    answers = await asyncio.gather(*(send(AsyncClient(), token=f"wrong{n}") for n in range(12)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [401] * 8 + [429] * 4
    assert most == signin_token.AT_ONCE


async def test_who_gets_no_turn_is_told_so(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signin_token, "_turns", defaultdict(lambda: asyncio.Semaphore(0)))
    monkeypatch.setattr(signin_token, "TURN_SECONDS", 0.01)
    response = await send(AsyncClient())
    assert response.status_code == 429 and "being checked" in response.content.decode()
    assert cluster.asked == []


async def test_without_the_setting_there_is_no_such_way(cluster: Cluster, settings: Any) -> None:
    settings.CLUSTER_UI_SIGN_IN = ("link",)
    assert (await AsyncClient().get("/login/token/")).status_code == 404
    assert (await send(AsyncClient())).status_code == 404
    assert cluster.asked == []


async def test_the_form_needs_its_own_page(cluster: Cluster) -> None:
    client = AsyncClient(enforce_csrf_checks=True)
    assert (await send(client)).status_code == 403
    page = (await client.get("/login/token/?context=dev")).content.decode()
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found and "prod" not in page
    assert (await send(client, csrfmiddlewaretoken=found[1])).status_code == 302


async def test_a_stranger_is_told_of_no_cluster(cluster: Cluster, settings: Any) -> None:
    """Neither by the form, nor by what is answered to a name that was guessed, nor where a cluster is."""
    settings.CLUSTER_UI_ACT_AS = {"": "user"}
    page = (await AsyncClient().get("/login/token/")).content.decode()
    assert "Name of the cluster" in page and "<select" not in page
    assert not re.search(r"\b(dev|prod)\b", page)
    guesses = [
        (await send(AsyncClient(), token="wrong", context=name))
        .content.decode()
        .replace(f'value="{name}"', "")
        for name in ("dev", "prod", "nowhere")
    ]
    assert len({re.sub(r'value="[^"]{20,}"|nonce="[^"]*"', "", each) for each in guesses}) == 1
    assert (await send(AsyncClient())).status_code == 302
    cluster.away = True
    response = await send(AsyncClient())
    assert response.status_code == 503 and "API server is away" not in response.content.decode()


async def test_a_name_that_no_cluster_has_takes_as_long_and_fails_in_the_same_ways(cluster: Cluster) -> None:
    """Also a cluster that nobody acts in as themselves: a made up token is asked about where another one would be."""
    for name in ("dev", "nowhere", "prod"):
        cluster.asked.clear()
        answer = await send(AsyncClient(), token="a.bcd.ef", context=name)
        (sent,) = cluster.asked
        assert answer.status_code == 401
        assert (sent == "a.bcd.ef") is (name == "dev")
        assert [len(part) for part in sent.split(".")] == [1, 3, 2]
    assert (await send(AsyncClient(), context="nowhere")).status_code == 401, "nor with a good token"
    cluster.away = True
    away = [await send(AsyncClient(), context=name) for name in ("dev", "nowhere")]
    assert [each.status_code for each in away] == [503, 503]


async def test_who_is_told_of_one_cluster_is_a_stranger_to_the_others(
    cluster: Cluster, settings: Any
) -> None:
    settings.CLUSTER_UI_ACT_AS = {"": "impersonate", "dev": "user"}
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate(username="jon"))
    cluster.away = True
    told = {name: (await send(client, context=name)).content.decode() for name in ("dev", "prod", "nowhere")}
    assert "API server is away" in told["dev"]
    for name in ("prod", "nowhere"):
        assert "API server is away" not in told[name] and "be checked at the moment" in told[name]


def test_the_cluster_that_is_asked_about_a_name_is_always_the_same_one(
    cluster: Cluster, settings: Any
) -> None:
    settings.CLUSTER_UI_ACT_AS = {"": "user"}
    found = [[signin_token._in_its_place(str(name)) for name in range(30)] for _ in range(2)]
    assert found[0] == found[1]
    assert {each.slug for each in found[0] if each} == {"dev", "prod"}


async def test_one_cluster_need_not_be_named(cluster: Cluster) -> None:
    page = (await AsyncClient().get("/login/token/")).content.decode()
    assert 'name="context"' not in page and not re.search(r"\bdev\b", page)
    assert (await send(AsyncClient(), context="")).status_code == 302


async def test_whoever_is_signed_in_chooses_among_those_that_they_may_know(
    cluster: Cluster, settings: Any
) -> None:
    settings.CLUSTER_UI_ACT_AS = {"": "impersonate", "dev": "user"}
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate(username="jon"))
    page = (await client.get("/login/token/?context=dev")).content.decode()
    assert '<option value="dev" selected>' in page and "prod" not in page


async def test_a_sign_in_leads_nowhere_else(cluster: Cluster) -> None:
    for target in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        await (client := AsyncClient()).get("/login/token/", {"next": target})
        assert (await send(client))["Location"] == "/"


async def test_the_token_is_nowhere_but_sealed_in_the_session(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await send(client := AsyncClient())
    await send(AsyncClient(), token="wrong-" + TOKEN)
    await client.get("/login/token/")
    kept = [str(vars(each)) for each in await sync_to_async(list)(AuditEntry.objects.all())]
    kept += [each.session_data + json.dumps(each.get_decoded()) async for each in Session.objects.all()]
    assert kept and TOKEN not in "".join(kept)
    assert TOKEN not in caplog.text


def test_when_a_token_expires_is_read_and_nothing_else_of_it_believed() -> None:
    def token(claims: Any) -> str:
        return f"a.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.c"

    assert token_expiry(token({"exp": 2_000_000_000})) == datetime.fromtimestamp(2_000_000_000, UTC)
    for odd in (
        "",
        "opaque",
        "a.b",
        "a.!!.c",
        token({}),
        token([]),
        token({"exp": "x"}),
        token({"exp": 1e30}),
    ):
        assert token_expiry(odd) is None
