"""Nothing without a session but the fixed list; links that sign in once; sockets of this origin only."""

from __future__ import annotations

import hashlib
import math
import re
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test import AsyncClient, Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from django.utils.encoding import iri_to_uri

from dashboard.audit.origin import SIGN_IN, Origin, session_name
from dashboard.audit.refusals import refusals
from dashboard.models import AuditEntry, SigninLink
from dashboard.sessionstore import SessionStore
from dashboard.signin import link_create, link_redeem
from dashboard.sockets import origin_of, same_origin

pytestmark = pytest.mark.django_db(transaction=True)

PUBLIC = {
    "healthz",
    "readyz",
    "metrics",
    "login",
    "login_link",
    "login_oidc",
    "login_oidc_callback",
    "login_password",
    "login_token",
}
VALUES = {
    "context": "sandbox",
    "kind": "deployments",
    "plural": "pods",
    "namespace": "shop",
    "name": "web",
    "tab": "yaml",
    "action": "scale",
    "change": "1",
    "mapping": "1",
    "group": "-",
}


@pytest.fixture(autouse=True)
def within_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused is counted by the minute: a test that is in two of them would count it apart."""
    moment = time.time()
    monkeypatch.setattr("dashboard.audit.refusals.time", SimpleNamespace(time=lambda: moment))


def patterns(resolver: URLResolver | None = None) -> list[URLPattern]:
    found: list[URLPattern] = []
    for each in (resolver or get_resolver()).url_patterns:
        found += patterns(each) if isinstance(each, URLResolver) else [each]
    return found


def addresses() -> list[str]:
    """One address for every URL pattern that is not public."""
    made = []
    for each in patterns():
        if each.name in PUBLIC:
            continue
        route = str(each.pattern)
        for key, value in VALUES.items():
            route = re.sub(rf"<(\w+:)?{key}>", value, route)
        assert "<" not in route, f"say a value for {route}"
        made.append(f"/{route}")
    return made


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "head", "options"])
async def test_every_route_and_verb_without_a_session_leads_to_the_sign_in_or_a_401(method: str) -> None:
    client = AsyncClient()
    for address in addresses():
        response = await getattr(client, method)(address, headers={"accept": "text/html"})
        assert response.status_code == 302, (method, address)
        assert response["Location"].startswith("/login/"), (method, address)
        script = await getattr(client, method)(address, headers={"accept": "application/json"})
        assert script.status_code == 401, (method, address)
        fragment = await getattr(client, method)(address, headers={"hx-request": "true"})
        assert fragment.status_code == 401, (method, address)
        assert fragment["HX-Redirect"].startswith("/login/")


async def test_a_script_without_a_session_is_told_so_as_of_every_refusal_of_that_address() -> None:
    client = AsyncClient()
    changing = await client.post("/c/dev/pods/shop/web/delete/?format=json", {"step": "preview"})
    assert changing.status_code == 401
    assert changing.json()["error"].keys() == {"title", "text", "field"}
    reading = (await client.get("/c/dev/pods/?format=json")).json()
    assert (reading["title"], reading["login"]) == (
        "You are not signed in",
        "/login/?next=/c/dev/pods/%3Fformat%3Djson",
    )


async def test_the_public_pages_carry_the_policy_and_no_cluster() -> None:
    for address in ("/healthz", "/login/"):
        response = await AsyncClient().get(address)
        assert response.status_code == 200
        policy = response["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "script-src 'self'" in policy


@pytest.mark.parametrize("method", ["get", "head", "post"])
async def test_probes_and_scrapes_ask_for_no_session(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    def away(self: SessionStore) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(SessionStore, "load", away)
    for address in ("/healthz", "/readyz", "/metrics"):
        client = AsyncClient(enforce_csrf_checks=True)
        client.cookies["cluster_ui_session"] = "k" * 32
        response = await getattr(client, method)(address)
        assert response.status_code == 403 if method == "post" else "html" not in response["Content-Type"]
        if address == "/healthz" and method != "post":
            assert response.status_code == 200


async def test_a_load_balancer_probes_a_pod_by_its_address() -> None:
    """It can't be told to send another name; what is no probe answers to names that it knows."""
    address = {"Host": "10.0.3.17:8000"}
    assert (await AsyncClient().get("/healthz", headers=address)).status_code == 200
    assert (await AsyncClient().get("/readyz", headers=address)).status_code != 400
    for path in ("/login/", "/healthz/", "/static/x"):
        assert (await AsyncClient().get(path, headers=address)).status_code == 400, path


def use(client: Client, path: str = "") -> Any:
    """Opens a link and presses its button, as a browser does."""
    page = client.get(path or link_create())
    hidden = dict(re.findall(r'name="(csrfmiddlewaretoken|token)"\s+value="([^"]+)"', page.content.decode()))
    return client.post("/login/link/", hidden)


def test_a_link_signs_in_once_and_says_so_in_the_audit() -> None:
    path = link_create(user_name="mara")
    first = Client(enforce_csrf_checks=True)
    assert use(first, path).status_code == 302
    assert first.session["_auth_user_id"] == str(User.objects.get(username="mara").pk)
    again = Client().get(path)
    assert again.status_code == 403
    assert "has been used" in again.content.decode()
    assert Client().post("/login/link/", {"token": path.partition("=")[2]}).status_code == 403
    said = AuditEntry.objects.order_by("pk").values_list("action", "result")
    assert list(said) == [("sign in", "done"), ("sign in", "refused")]
    refusals.tell(math.inf)
    assert "1 more time within a minute" in AuditEntry.objects.latest("pk").detail


@pytest.mark.parametrize("method", ["get", "head", "options", "put"])
def test_nothing_but_the_button_uses_a_link_up(method: str) -> None:
    path = link_create(user_name="mara")
    for address in (path, path.replace("/login/", "/login/link/")):
        getattr(Client(), method)(address)
    page = Client().get(path)
    assert "signs in <b>mara</b> once" in page.content.decode() and "no-store" in page["Cache-Control"]
    assert not Session.objects.exists() and not AuditEntry.objects.exists()
    assert use(Client(), path).status_code == 302


def test_a_page_of_another_site_signs_nobody_in() -> None:
    """A stranger's link in somebody's browser would let them work as the stranger."""
    token = link_create(user_name="mara").partition("=")[2]
    for headers in ({}, {"origin": "https://evil.example"}, {"origin": "null"}):
        client = Client(enforce_csrf_checks=True)
        assert client.post("/login/link/", {"token": token}, headers=headers).status_code == 403
        page = client.get(f"/login/?token={token}")
        (secret,) = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.content.decode())
        other = Client(enforce_csrf_checks=True)
        fields = {"token": token, "csrfmiddlewaretoken": secret}
        assert other.post("/login/link/", fields, headers=headers).status_code == 403
    assert not Session.objects.exists() and not AuditEntry.objects.exclude(result="refused").exists()
    assert SigninLink.objects.get().used_at is None


def test_a_sign_in_changes_the_key_of_the_session() -> None:
    client = Client()
    use(client)
    fixed = client.cookies["cluster_ui_session"].value
    use(client, link_create(user_name="jon"))
    assert client.cookies["cluster_ui_session"].value != fixed
    assert not Session.objects.filter(pk=fixed).exists()
    forged = Client()
    forged.cookies["cluster_ui_session"] = "k" * 32
    use(forged)
    assert forged.cookies["cluster_ui_session"].value != "k" * 32


def test_a_way_that_is_off_is_not_offered_and_does_not_work(settings: Any) -> None:
    settings.CLUSTER_UI_SIGN_IN = ()
    path = link_create()
    assert "signin_link" not in Client().get("/login/").content.decode()
    assert Client().get(path).status_code == 404
    assert Client().post("/login/link/", {"token": path.partition("=")[2]}).status_code == 404
    assert not Session.objects.exists()


def test_who_had_to_sign_in_first_gets_to_where_they_wanted() -> None:
    wanted = "/c/sandbox/pods/?namespace=shop&labels=app in (a,b);x&q=é"
    client = Client()
    client.get("/login/", {"next": wanted})
    signed_in = use(client, link_create(user_name="mara"))
    assert signed_in["Location"] == iri_to_uri(wanted)
    assert client.cookies["cluster_ui_next"].value == "", "it is used once"
    stranger = Client()
    stranger.get("/login/", {"next": "//evil.example/"})
    assert use(stranger, link_create(user_name="jon"))["Location"] == "/"
    forged = Client()
    forged.cookies["cluster_ui_next"] = "https%3A%2F%2Fevil.example%2F"
    assert use(forged, link_create(user_name="jon"))["Location"] == "/"


def test_signing_out_is_in_the_audit() -> None:
    client = Client()
    use(client, link_create(user_name="mara"))
    assert client.post("/logout/").status_code == 302
    last = AuditEntry.objects.latest("pk")
    assert (last.user_name, last.action, last.result) == ("mara", "sign out", "done")
    client.post("/logout/")
    assert AuditEntry.objects.latest("pk").pk == last.pk, "nobody cannot sign out"


def test_a_link_is_too_old_after_ten_minutes() -> None:
    token = link_create().partition("token=")[2]
    SigninLink.objects.update(created_at=timezone.now() - timedelta(minutes=10, seconds=1))
    assert link_redeem(token=token) is None


@pytest.mark.parametrize("name", ["oidc:anna", "group:platform", "token:dev/mara", "mara jon", ""])
def test_a_link_is_for_a_local_user_alone(name: str) -> None:
    with pytest.raises(CommandError, match="--user"):
        call_command("signin_link", user=name)
    assert not User.objects.exists()


def test_no_link_is_printed_that_would_not_work(settings: Any) -> None:
    settings.CLUSTER_UI_SIGN_IN = ("oidc",)
    with pytest.raises(CommandError, match="CLUSTER_UI_SIGN_IN"):
        call_command("signin_link")


def test_a_command_says_in_words_that_the_database_has_no_tables() -> None:
    there, elsewhere = SigninLink._meta.db_table, "elsewhere"

    def rename(old: str, new: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")

    rename(there, elsewhere)
    try:
        with pytest.raises(CommandError, match="has no such tables: it is another one, or manage"):
            call_command("signin_link")
    finally:
        rename(elsewhere, there)


def test_the_token_itself_is_not_kept() -> None:
    token = link_create().partition("token=")[2]
    link = SigninLink.objects.get()
    assert token not in str(vars(link))


def test_guessing_is_slowed_down() -> None:
    client = Client(REMOTE_ADDR="192.0.2.77")
    codes = [client.get("/login/?token=wrong").status_code for _ in range(12)]
    assert codes[:10] == [403] * 10
    assert codes[10:] == [429] * 2
    assert use(client).status_code == 302, "nobody locks the owner out"


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"]
)
def test_a_sign_in_leads_nowhere_else(target: str) -> None:
    client = Client()
    client.get("/login/", {"next": target})
    response = use(client)
    assert response.status_code == 302
    assert response["Location"] == "/"


def test_nothing_is_posted_without_a_token_of_this_session_or_from_another_origin() -> None:
    client = Client(enforce_csrf_checks=True)
    use(client)
    every = [*addresses(), "/login/link/", "/login/token/", "/login/password/"]
    token = str(client.get("/sessions/").context["csrf_token"])
    stranger = str(Client().get("/login/").context["csrf_token"])
    for address in every:
        assert client.post(address).status_code == 403, address
        assert client.post(address, {"csrfmiddlewaretoken": stranger}).status_code == 403, address
        for origin in ("https://evil.example", "null", "http://testserver:8001", "http://sub.testserver"):
            given = {"csrfmiddlewaretoken": token}
            assert client.post(address, given, headers={"origin": origin}).status_code == 403, (
                address,
                origin,
            )
    given = {"csrfmiddlewaretoken": token}
    assert client.post("/sessions/end/", given, headers={"origin": "http://testserver"}).status_code != 403


def scope(origin: str | None, host: str = "127.0.0.1:8000") -> dict[str, Any]:
    headers = [(b"host", host.encode())]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    return {"type": "websocket", "headers": headers}


def test_a_socket_opens_for_its_own_origin_alone() -> None:
    assert same_origin(scope("http://127.0.0.1:8000"))
    for foreign in (
        None,
        "null",
        "",
        "http://evil.example",
        "http://127.0.0.1:8001",  # a sibling port on the same host: cookies do not tell ports apart
        "https://127.0.0.1:8000",
        "http://localhost:8000",
        "http://127.0.0.1:8000.evil.example",
        "http://user@127.0.0.1:8000@evil.example",
        "http://127.0.0.1:port",
    ):
        assert not same_origin(scope(foreign)), foreign
    assert not same_origin(scope("http://evil.example", host="evil.example")), (
        "a rebound name is no host of ours"
    )


def test_an_entry_says_from_where_and_in_which_session() -> None:
    client = Client(REMOTE_ADDR="192.0.2.9")
    client.post("/login/link/", {"token": link_create().partition("token=")[2]})
    key = client.session.session_key
    client.post("/logout/", headers={"x-forwarded-for": "198.51.100.1"})
    came, went = AuditEntry.objects.order_by("pk")
    assert (came.address, went.address) == ("192.0.2.9", "192.0.2.9"), "a header is only somebody's words"
    assert (went.action, went.sign_in) == ("sign out", "link")
    assert went.session == hashlib.sha256(key.encode()).hexdigest()[:16]


@pytest.mark.django_db(transaction=True)
async def test_a_socket_says_from_where_by_its_session_as_the_database_has_it() -> None:
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate(username="mara"))
    session = await client.asession()
    await session.aset(SIGN_IN, "link")
    await session.asave()
    key = session.session_key
    socket = {"client": ("192.0.2.8", 1), "session": type(session)(key), "headers": []}
    assert await origin_of(socket) == Origin("192.0.2.8", "link", session_name(key))


def test_an_audit_entry_is_only_ever_added() -> None:
    entry = AuditEntry.objects.create(user_name="mara", action="scale", result="done")
    entry.detail = "other"
    with pytest.raises(TypeError):
        entry.save()
    with pytest.raises(TypeError):
        entry.delete()
    with pytest.raises(TypeError):
        AuditEntry.objects.update(detail="other")
    with pytest.raises(TypeError):
        AuditEntry.objects.all().delete()


def test_a_page_older_than_the_session_gets_the_token_of_now() -> None:
    """Somebody who signed in again in another tab can send what was typed before."""
    client = Client(enforce_csrf_checks=True)
    use(client)
    refused = client.post("/logout/", headers={"hx-request": "true"})
    assert refused.status_code == 403
    token = refused["X-CSRFToken"]
    assert client.post("/logout/", {"csrfmiddlewaretoken": token}).status_code == 302
    use(client)
    assert "X-CSRFToken" not in client.post("/logout/"), "a form of another site is no script of ours"


def test_nobody_without_a_session_makes_one_or_writes_more_audit_than_its_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dashboard.audit.refusals.STRANGERS", 15)
    forged = {"cookie": "cluster_ui_session=x"}
    for method in ("get", "post"):
        for address in ("/healthz", "/login/", "/login/link/", "/nowhere/"):
            for headers in (
                {},
                {"hx-request": "true"},
                {"accept": "application/json"},
                forged,
            ):
                getattr(Client(enforce_csrf_checks=True), method)(address, headers=headers)
    assert Session.objects.count() == 0
    for number in range(60):
        Client(REMOTE_ADDR=f"192.0.2.{number // 2}").get("/login/", {"token": f"wrong-{number}"})
    # One from each address, and so many of all together; then one that the others are only counted.
    assert AuditEntry.objects.filter(result="refused").count() == 16


def test_too_many_wrong_links_of_one_address_are_counted_in_the_audit() -> None:
    said = [Client().get("/login/", {"token": "wrong"}).status_code for _ in range(25)]
    assert said == [403] * 10 + [429] * 15
    assert AuditEntry.objects.count() == 1
    refusals.tell(math.inf)
    assert AuditEntry.objects.count() == 2 and "24 more times" in AuditEntry.objects.latest("pk").detail
    assert use(Client()).status_code == 302, "a link that holds always signs in"
