"""Signing in with an issuer: whom it vouches for is let in, nobody by what it did not say to this browser."""

from __future__ import annotations

import asyncio
import time
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import msgspec
import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.core.management import call_command
from django.test import AsyncClient

from dashboard import oidc, sessions
from dashboard.admins import GROUPS, administers
from dashboard.credentials import KEPT_AS, PURPOSE, load
from dashboard.models import AuditEntry, SignedIn
from dashboard.sealing import seal
from dashboard.views import oidc as oidc_views

from ..issuer import ANOTHER, CLIENT, HMAC, ISSUER, SECRET, ScriptedIssuer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def issuer(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScriptedIssuer:
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}\n")
    settings.CLUSTER_UI_SIGN_IN = ("oidc", "link")
    settings.CLUSTER_UI_OIDC_ISSUER, settings.CLUSTER_UI_OIDC_CLIENT_ID = ISSUER, CLIENT
    settings.CLUSTER_UI_OIDC_CLIENT_SECRET_FILE = str(secret)
    made = ScriptedIssuer()
    monkeypatch.setattr(oidc.Issuer, "client_cls", made.client())
    monkeypatch.setattr(oidc, "_known", [])
    for cache in ("throttle", "seen"):
        caches[cache].clear()
    return made


async def away(client: AsyncClient, issuer: ScriptedIssuer, **asked: str) -> dict[str, str]:
    """What the issuer is asked for a browser."""
    response = await client.get("/login/oidc/", asked)
    assert response.status_code == 302, response.content.decode()
    assert response["Location"].startswith(f"{ISSUER}/authorize?")
    sent = {name: values[0] for name, values in parse_qs(urlsplit(response["Location"]).query).items()}
    issuer.challenge = sent["code_challenge"]
    issuer.claims.setdefault("nonce", sent["nonce"])
    return sent


async def back(client: AsyncClient, sent: dict[str, str], **answer: str) -> Any:
    given = {"code": "c", "state": sent["state"]} | answer
    return await client.get("/login/oidc/callback/", {name: value for name, value in given.items() if value})


async def read(client: AsyncClient) -> Any:
    session = await client.asession()
    await session.aget(GROUPS)
    return session


async def sign_in(client: AsyncClient, issuer: ScriptedIssuer, **asked: str) -> Any:
    return await back(client, await away(client, issuer, **asked))


async def test_whom_the_issuer_vouches_for_is_signed_in_and_gets_to_where_they_wanted(
    issuer: ScriptedIssuer,
) -> None:
    client = AsyncClient()
    sent = await away(client, issuer, next="/changes/?q=a")
    assert sent["redirect_uri"] == "http://testserver/login/oidc/callback/"
    assert (sent["code_challenge_method"], sent["scope"]) == ("S256", "openid profile email")
    assert not await Session.objects.aexists(), "who only looks makes no row"
    response = await back(client, sent)
    assert (response.status_code, response["Location"]) == (302, "/changes/?q=a")
    user = await User.objects.select_related("external_identity").aget()
    assert (user.username, user.first_name, user.has_usable_password()) == ("oidc:anna", "Anna Berg", False)
    assert (user.external_identity.issuer, user.external_identity.subject) == (ISSUER, "7")
    session = await read(client)
    assert session[GROUPS] == ["dev", "platform"]
    kept = await asyncio.to_thread(load, session)
    assert kept is not None and (kept.kind, kept.refresh_token) == ("oidc", "canary-refresh-1")
    entry = await AuditEntry.objects.aget()
    assert (entry.user_name, entry.action, entry.result) == ("oidc:anna", "sign in", "done")
    row = await Session.objects.aget()
    for canary in ("canary-refresh-1", "canary-access", kept.token, SECRET):
        assert canary not in str(row.get_decoded()) + entry.detail + response.content.decode()


async def test_the_list_of_users_says_by_which_subject_to_name_them(issuer: ScriptedIssuer) -> None:
    await sign_in(AsyncClient(), issuer)
    out = StringIO()
    await asyncio.to_thread(call_command, "user", "list", stdout=out)
    (line,) = out.getvalue().splitlines()
    assert line.startswith("oidc:anna\t") and line.endswith("\toidc-sub:7")


async def test_the_same_subject_is_the_same_user_whatever_they_are_called(issuer: ScriptedIssuer) -> None:
    await sign_in(AsyncClient(), issuer)
    issuer.claims = {"preferred_username": "owner", "name": "Owner"}
    await sign_in(AsyncClient(), issuer)
    user = await User.objects.aget()
    assert (user.username, user.first_name) == ("oidc:anna", "Owner")


@pytest.mark.parametrize("name", ["owner", "mara", "oidc:anna", "group:platform"])
async def test_nobody_becomes_somebody_else_by_being_called_alike(
    issuer: ScriptedIssuer, settings: Any, name: str
) -> None:
    settings.CLUSTER_UI_ADMINS = frozenset({"mara", "oidc:anna", "group:platform"})
    for each in ("owner", "mara"):
        await User.objects.acreate(username=each)
    await sign_in(AsyncClient(), issuer)
    issuer.claims = {"sub": "8", "groups": [], "preferred_username": "anna" if ":" in name else name}
    client = AsyncClient()
    assert (await sign_in(client, issuer)).status_code == 302
    user = await User.objects.aget(external_identity__subject="8")
    assert user.username == ("oidc:anna (2)" if ":" in name else f"oidc:{name}")
    assert not administers(user.username, (await read(client))[GROUPS])


@pytest.mark.parametrize("name", ["ma\u00adra\u200b", " mara", "mara\n", "a" * 121])
async def test_a_name_that_only_looks_like_another_signs_nobody_in(issuer: ScriptedIssuer, name: str) -> None:
    issuer.claims = {"preferred_username": name}
    response = await sign_in(AsyncClient(), issuer)
    assert response.status_code == 403 and "name for you" in response.content.decode()
    assert not await User.objects.aexists()


FAULTS: dict[str, dict[str, Any]] = {
    "another issuer": {"claims": {"iss": "https://evil.example"}},
    "no issuer": {"claims": {"iss": None}},
    "another audience": {"claims": {"aud": "grafana"}},
    "several audiences, none of them ours": {"claims": {"aud": ["grafana", "argocd"], "azp": CLIENT}},
    "another party": {"claims": {"azp": "grafana"}},
    "another nonce": {"claims": {"nonce": "another"}},
    "no nonce": {"claims": {"nonce": None}},
    "expired": {"claims": {"exp": time.time() - 3600}},
    "expired by more than clocks differ": {"claims": {"exp": time.time() - 65}},
    "from the future": {"claims": {"iat": time.time() + 3600}},
    "not yet valid": {"claims": {"nbf": time.time() + 3600}},
    "no subject": {"claims": {"sub": None}},
    "no expiry": {"claims": {"exp": None}},
    "no name": {"claims": {"preferred_username": None}},
    "a name that is no text": {"claims": {"preferred_username": {"canary": 1}}},
    "another key": {"key": ANOTHER},
    "no signature": {"header": {"alg": "none"}},
    "a signature with the client's own secret": {"header": {"alg": "HS256"}, "key": HMAC},
    "no ID token": {"answer": {"id_token": None}},
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_the_issuer_did_not_say_to_this_browser_signs_nobody_in(
    issuer: ScriptedIssuer, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = AsyncClient()
    sent = await away(client, issuer)
    for name, value in FAULTS[fault].items():
        setattr(issuer, name, getattr(issuer, name) | value if isinstance(value, dict) else value)
    if "id_token" in issuer.answer:
        issuer.token = dict  # type: ignore[method-assign]
    response = await back(client, sent)
    text = response.content.decode()
    assert response.status_code == 403, text
    assert 'role="alert"' in text and "Continue with sso.example" in text, "words, and a way out"
    assert not await User.objects.aexists() and not await Session.objects.aexists()
    assert [each.result async for each in AuditEntry.objects.all()] == ["refused"]
    assert "canary" not in text + caplog.text


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
async def test_clocks_may_differ_a_little(issuer: ScriptedIssuer, claim: str) -> None:
    issuer.claims = {claim: int(time.time()) + (-30 if claim == "exp" else 30)}
    response = await sign_in(AsyncClient(), issuer)
    assert response.status_code == 302


def broken(request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ConnectError("refused")


@pytest.mark.parametrize("what", ["openid-configuration", "token", "keys"])
@pytest.mark.parametrize(
    "fail",
    [
        broken,
        lambda _: httpx2.Response(500, text="canary"),
        lambda _: httpx2.Response(200, text="canary: no JSON"),
        lambda _: httpx2.Response(200, json=["canary"]),
    ],
    ids=["away", "broken", "no JSON", "no object"],
)
async def test_an_issuer_that_is_away_or_broken_is_told_in_words(
    issuer: ScriptedIssuer, what: str, fail: Any, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.fail[what] = fail
    client = AsyncClient()
    response = await client.get("/login/oidc/")
    if what != "openid-configuration":
        sent = parse_qs(urlsplit(response["Location"]).query)
        response = await back(client, {"state": sent["state"][0]})
    text = response.content.decode()
    assert response.status_code in (403, 503), text
    assert 'role="alert"' in text and "canary" not in text + caplog.text
    assert not await Session.objects.aexists()
    issuer.fail.clear()
    assert (await sign_in(AsyncClient(), issuer)).status_code == 302, "it is asked anew"


async def test_a_silent_issuer_is_not_waited_for_long(
    issuer: ScriptedIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(self: Any) -> None:
        await asyncio.sleep(3600)

    monkeypatch.setattr(oidc, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(oidc.Issuer, "load_server_metadata", silent)
    response = await AsyncClient().get("/login/oidc/")
    assert response.status_code == 503 and "no answer within" in response.content.decode()


async def test_an_issuer_of_another_name_is_not_believed(issuer: ScriptedIssuer) -> None:
    issuer.metadata = {"issuer": "https://evil.example"}
    response = await AsyncClient().get("/login/oidc/")
    assert response.status_code == 403 and "CLUSTER_UI_OIDC_ISSUER" in response.content.decode()


async def test_an_answer_is_used_once_by_the_browser_that_asked(issuer: ScriptedIssuer) -> None:
    client, another = AsyncClient(), AsyncClient()
    sent = await away(client, issuer)
    cookies = client.cookies.copy()
    assert (await back(another, sent)).status_code == 403, "a stranger's answer in another browser"
    assert (await back(client, {"state": "x"})).status_code == 403
    assert (await back(client, sent, iss="https://evil.example")).status_code == 403, (
        "another issuer's answer"
    )
    client.cookies = cookies.copy()
    sent = await away(client, issuer)
    cookies = client.cookies.copy()
    issuer.claims["nonce"] = sent["nonce"]
    assert (await back(client, sent)).status_code == 302
    asked = len(issuer.asked)
    client.cookies = cookies
    assert (await back(client, sent)).status_code == 403, "a replayed answer, cookie and all"
    assert len(issuer.asked) == asked, "of which the issuer is not even asked"
    assert await Session.objects.acount() == 1


async def test_two_tabs_sign_in_beside_each_other(issuer: ScriptedIssuer) -> None:
    client = AsyncClient()
    first = await away(client, issuer, next="/changes/")
    second = await away(client, issuer, next="/audit/")
    for sent, wanted in ((second, "/audit/"), (first, "/changes/")):
        issuer.claims["nonce"], issuer.challenge = sent["nonce"], sent["code_challenge"]
        assert (await back(client, sent))["Location"] == wanted


@pytest.mark.parametrize("error", ["access_denied", "server_error", "<script>alert(1)</script>", ""])
async def test_who_cancels_there_reads_so_here(issuer: ScriptedIssuer, error: str) -> None:
    client = AsyncClient()
    sent = await away(client, issuer)
    response = await back(client, sent, code="", error=error, error_description="<b>canary</b>")
    text = response.content.decode()
    assert response.status_code == 403 and "did not sign you in" in text
    assert "canary" not in text and "<script>alert" not in text


async def test_an_email_address_that_nobody_verified_is_no_name(
    issuer: ScriptedIssuer, settings: Any
) -> None:
    settings.CLUSTER_UI_OIDC_USERNAME_CLAIM = "email"
    issuer.claims = {"email": "owner@example.com", "email_verified": False}
    assert (await sign_in(AsyncClient(), issuer)).status_code == 403
    issuer.claims = {"email": "owner@example.com", "email_verified": True}
    assert (await sign_in(AsyncClient(), issuer)).status_code == 302


async def test_a_disabled_user_is_not_let_in_by_the_issuer(issuer: ScriptedIssuer) -> None:
    client = AsyncClient()
    await sign_in(client, issuer)
    await User.objects.aupdate(is_active=False)
    assert (await client.get("/audit/", headers={"accept": "application/json"})).status_code == 401
    issuer.claims = {}
    assert (await sign_in(AsyncClient(), issuer)).status_code == 403


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:1"]
)
async def test_the_way_back_leads_nowhere_else(issuer: ScriptedIssuer, target: str) -> None:
    assert (await sign_in(AsyncClient(), issuer, next=target))["Location"] == "/"


@pytest.mark.parametrize("https", [True, False])
async def test_the_cookie_of_a_sign_in_is_for_it_alone(
    issuer: ScriptedIssuer, settings: Any, https: bool
) -> None:
    settings.SESSION_COOKIE_SECURE = https
    client = AsyncClient()
    await away(client, issuer)
    (cookie,) = (each for name, each in client.cookies.items() if name.startswith("cluster_ui_oidc_"))
    assert (cookie["httponly"], bool(cookie["secure"]), cookie["samesite"]) == (True, https, "Lax")
    assert (cookie["path"], cookie["max-age"]) == ("/login/oidc/", 600)


# --- As long as the issuer vouches ---


async def ask(client: AsyncClient) -> int:
    response = await client.get("/audit/?format=json", headers={"accept": "application/json"})
    return int(response.status_code)


async def soon_over(client: AsyncClient, seconds: float) -> None:
    """As if so much of the issuer's word were left."""
    session = await read(client)
    session[sessions.UNTIL], session[sessions.RENEW] = time.time() + seconds, time.time() - 1
    await session.asave()


def refreshes(issuer: ScriptedIssuer) -> int:
    return sum(body.get("grant_type") == "refresh_token" for _, body in issuer.asked)


async def test_tokens_are_renewed_before_they_expire_once_for_all_who_ask(issuer: ScriptedIssuer) -> None:
    client = AsyncClient()
    await sign_in(client, issuer)
    assert await ask(client) == 200 and refreshes(issuer) == 0
    await soon_over(client, 30)
    issuer.answer = {"refresh_token": "canary-refresh-2"}
    issuer.claims = {"groups": ["dev"]}
    assert await asyncio.gather(*(ask(client) for _ in range(8))) == [200] * 8
    assert refreshes(issuer) == 1
    session = await read(client)
    assert session[GROUPS] == ["dev"], "a group that was left counts no more"
    kept = await asyncio.to_thread(load, session)
    assert kept is not None and kept.refresh_token == "canary-refresh-2"


async def asking(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> tuple[asyncio.Task[int], asyncio.Event]:
    """A page whose renewal the issuer has begun to answer, and what lets it answer."""
    asked, answered, refresh = asyncio.Event(), asyncio.Event(), sessions.refresh

    async def slow(**about: str) -> Any:
        asked.set()
        await answered.wait()
        return await refresh(**about)

    monkeypatch.setattr(sessions, "refresh", slow)
    task = asyncio.create_task(ask(client))
    await asked.wait()
    return task, answered


async def test_a_browser_that_leaves_takes_no_renewed_token_with_it(
    issuer: ScriptedIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = AsyncClient()
    await sign_in(client, issuer)
    await ask(client)
    await soon_over(client, 30)
    issuer.answer = {"refresh_token": "canary-refresh-2"}
    task, answered = await asking(client, monkeypatch)
    task.cancel()
    assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
    answered.set()
    await asyncio.gather(*sessions._renewals)
    kept = await asyncio.to_thread(load, await read(client))
    assert kept is not None and kept.refresh_token == "canary-refresh-2"


async def test_who_signs_out_while_the_issuer_is_asked_stays_out(
    issuer: ScriptedIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = AsyncClient()
    await sign_in(client, issuer)
    await ask(client)
    await soon_over(client, 30)
    task, answered = await asking(client, monkeypatch)
    await Session.objects.all().adelete()
    answered.set()
    assert await task == 401
    assert not await Session.objects.aexists()


@pytest.mark.parametrize(
    ("answer", "claims"),
    [
        (lambda _: httpx2.Response(400, json={"error": "invalid_grant", "error_description": "canary"}), {}),
        (None, {"sub": "8"}),
        (None, {"aud": "grafana"}),
    ],
    ids=["revoked", "somebody else", "another audience"],
)
async def test_who_is_not_vouched_for_any_more_signs_in_again(
    issuer: ScriptedIssuer, answer: Any, claims: dict[str, Any]
) -> None:
    client = AsyncClient()
    await sign_in(client, issuer)
    await ask(client)
    await soon_over(client, 30)
    issuer.claims = claims
    if answer is not None:
        issuer.fail["token"] = answer
    response = await client.get("/changes/?q=a", headers={"accept": "text/html"})
    assert response["Location"] == "/login/?next=/changes/%3Fq%3Da"
    assert not await Session.objects.aexists()
    last = await AuditEntry.objects.alatest("pk")
    assert (last.user_name, last.action, last.result) == ("oidc:anna", "session ended", "refused")
    assert "canary" not in last.detail


async def test_an_issuer_that_is_away_ends_a_session_only_when_its_word_does(issuer: ScriptedIssuer) -> None:
    client = AsyncClient()
    await sign_in(client, issuer)
    await ask(client)
    await soon_over(client, 30)
    issuer.fail["token"] = broken
    assert await ask(client) == 200
    assert await ask(client) == 200 and refreshes(issuer) == 1, "it is not asked with each page"
    await soon_over(client, -1)
    await SignedIn.objects.aupdate(renewing_until=None)
    assert await ask(client) == 401


async def test_a_session_that_another_version_began_goes_on(issuer: ScriptedIssuer) -> None:
    """It may lack what this version keeps of sessions, and hold what only a later one does."""
    client = AsyncClient()
    await sign_in(client, issuer)
    session = await read(client)
    await session.apop(sessions.SUBJECT)
    await session.apop(sessions.RENEW)
    kept = await asyncio.to_thread(load, session)
    assert kept is not None
    told = msgspec.to_builtins(kept)
    older = {key: told[key] for key in ("kind", "token", "refresh_token")} | {"of_a_later_version": [1]}
    await session.aset(KEPT_AS, seal(PURPOSE, msgspec.json.encode(older)))
    await session.asave()
    assert await ask(client) == 200 and refreshes(issuer) == 1
    session = await read(client)
    assert session[sessions.SUBJECT] and session[sessions.RENEW] > time.time(), (
        "from now on as this one keeps it"
    )
    assert await ask(client) == 200 and refreshes(issuer) == 1


async def test_without_a_refresh_token_a_session_ends_with_the_issuers_word(issuer: ScriptedIssuer) -> None:
    issuer.answer = {}
    issuer.lifetime = 600
    client = AsyncClient()
    await sign_in(client, issuer)
    assert await ask(client) == 200
    row = await Session.objects.aget()
    assert abs(row.expire_date.timestamp() - time.time() - 600) < 30
    await soon_over(client, -1)
    assert await ask(client) == 401


async def test_answers_of_one_address_are_counted_before_anything_is_kept_of_them(
    issuer: ScriptedIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc_views, "ANSWERS", 2)
    counted: list[str] = []
    times = oidc_views.times

    async def counting(name: str, seconds: int, **more: int) -> int:
        counted.append(name.partition(":")[0])
        return await times(name, seconds, **more)

    monkeypatch.setattr(oidc_views, "times", counting)
    for _ in range(2):
        assert (await sign_in(AsyncClient(), issuer)).status_code == 302
        issuer.claims.pop("nonce")
    response = await sign_in(AsyncClient(), issuer)
    assert response.status_code == 429 and "Wait a minute" in response.content.decode()
    assert counted.count("oidc-state") == 2
