"""Local users: made on the command line, signed in by a password, told nothing that helps to guess."""

from __future__ import annotations

import io
import re
import sys
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.core.management import CommandError, call_command
from django.test import Client

from dashboard.live.runtime import runtime
from dashboard.models import AuditEntry
from dashboard.signin import link_create
from dashboard.throttle import times
from dashboard.views import password

pytestmark = pytest.mark.django_db(transaction=True)

GOOD, WRONG = "correct horse battery", "canary wrong password"


@pytest.fixture(autouse=True)
def ways(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "clusters", lambda: ())
    settings.CLUSTER_UI_SIGN_IN = ("password", "link")
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    for cache in ("throttle", "seen"):
        caches[cache].clear()


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(action: str, name: str = "", typed: str = "") -> str:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        said = io.StringIO()
        call_command("user", action, *([name] if name else []), stdout=said)
        return said.getvalue()

    return run


def sign_in(client: Client, name: str = "mara", typed: str = GOOD, **more: Any) -> Any:
    return client.post("/login/password/", {"username": name, "password": typed}, **more)


def test_a_user_is_made_and_signs_in(user: Any) -> None:
    user("create", "mara", f"{GOOD}\n")
    client = Client(enforce_csrf_checks=True)
    page = client.get("/login/?next=/audit/").content.decode()
    token = re.search(
        r'password/">\s*<input type="hidden" name="csrfmiddlewaretoken"\s+value="([^"]+)"', page
    )
    assert token, page
    fields = {"username": "mara", "password": GOOD, "csrfmiddlewaretoken": token[1]}
    assert Client(enforce_csrf_checks=True).post("/login/password/", fields).status_code == 403, (
        "another's form"
    )
    response = client.post("/login/password/", fields)
    assert (response.status_code, response["Location"]) == (302, "/audit/")
    done = AuditEntry.objects.latest("pk")
    assert (done.user_name, done.action, done.detail, done.result) == (
        "mara",
        "sign in",
        "by password",
        "done",
    )
    assert "mara\tenabled\tlast signed in" in user("list")


def test_nobody_has_a_password_to_begin_with() -> None:
    link_create()
    for typed in ("owner", "admin", "password", "", "!"):
        assert sign_in(Client(), "owner", typed).status_code in (403, 422)
    assert not Session.objects.exists()


@pytest.mark.parametrize("typed", ["short", "password1234", "123456789012345", ""])
def test_a_password_that_is_easily_guessed_is_refused(user: Any, typed: str) -> None:
    with pytest.raises(CommandError):
        user("create", "mara", typed)
    assert not User.objects.exists()


@pytest.mark.parametrize("name", ["oidc:anna", "group:platform", "a b", "x" * 151])
def test_no_local_user_has_the_name_of_another_kind(user: Any, name: str) -> None:
    with pytest.raises(CommandError):
        user("create", name, GOOD)


def test_a_password_is_no_argument(user: Any) -> None:
    with pytest.raises(CommandError):
        call_command("user", "create", "mara", GOOD)
    assert not User.objects.exists()


def test_what_is_wrong_is_not_told(user: Any, caplog: pytest.LogCaptureFixture) -> None:
    user("create", "mara", GOOD)
    user("create", "jon", GOOD)
    user("disable", "jon")
    User.objects.create(username="oidc:anna")
    pages = []
    for name, typed in (("mara", WRONG), ("jon", GOOD), ("jon", WRONG), ("nobody", WRONG), ("oidc:anna", "")):
        response = sign_in(Client(), name, typed or "x")
        assert response.status_code == 403
        page = response.content.decode().replace(f'value="{name}"', "")
        pages.append(re.sub(r'csrfmiddlewaretoken"\s+value="\w+"', "", page))
        assert not typed or (typed not in page and typed not in caplog.text)
    assert len(set(pages)) == 1 and password.WRONG in pages[0]
    assert WRONG not in str([vars(each) for each in AuditEntry.objects.all()])
    assert not Session.objects.exists()


def test_a_name_that_nobody_has_takes_as_long(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each refusal is one hash, whoever it is for."""
    from django.contrib.auth.hashers import MD5PasswordHasher

    user("create", "mara", GOOD)
    user("create", "jon", GOOD)
    user("disable", "jon")
    hashed: list[int] = []
    encode = MD5PasswordHasher.encode
    monkeypatch.setattr(
        MD5PasswordHasher, "encode", lambda *given, **more: (hashed.append(1), encode(*given, **more))[1]
    )
    counts = set()
    for name in ("mara", "jon", "nobody"):
        hashed.clear()
        sign_in(Client(), name, WRONG)
        counts.add(len(hashed))
    assert counts == {1}


def test_a_password_of_unknown_names_is_not_kept(user: Any) -> None:
    sign_in(Client(), WRONG, "x")
    entry = AuditEntry.objects.get()
    assert (entry.user_name, entry.result) == ("(nobody)", "refused") and WRONG not in str(vars(entry))


def test_guessing_stops_and_keeps_nobody_out_who_was_there_before(user: Any) -> None:
    user("create", "mara", GOOD)
    known = Client(REMOTE_ADDR="192.0.2.1")
    assert sign_in(known).status_code == 302
    known.post("/logout/")
    said = [
        sign_in(Client(REMOTE_ADDR=f"192.0.2.{number}"), "MARA" if number % 2 else "mara", WRONG).status_code
        for number in range(10, 30)
    ]
    assert said.count(403) <= password.OF_NAME and set(said[password.OF_NAME :]) == {429}
    assert sign_in(Client(REMOTE_ADDR="192.0.2.99")).status_code == 429, "the right one is not tried either"
    assert sign_in(known).status_code == 302, "a browser that has signed in before is counted for itself"
    owner = Client(REMOTE_ADDR="192.0.2.99")
    token = link_create(user_name="mara").partition("=")[2]
    assert owner.post("/login/link/", {"token": token}).status_code == 302, "and a link always works"


def test_one_address_does_not_try_many_names(user: Any) -> None:
    said = [sign_in(Client(), f"user-{number}", WRONG).status_code for number in range(25)]
    assert said == [403] * password.OF_ADDRESS + [429] * 5


def test_one_ipv6_network_is_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password, "OF_ADDRESS", 3)

    def said(address: str, name: str) -> int:
        return int(sign_in(Client(REMOTE_ADDR=address), name, WRONG).status_code)

    assert [said(f"2001:db8:0:1::{number}", f"n{number}") for number in range(5)] == [403] * 3 + [429] * 2
    assert said("2001:db8:0:2::1", "jon") == 403
    ways = ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1")
    assert [said(way, f"m{number}") for number, way in enumerate(ways)] == [403] * 3 + [429]


def test_many_addresses_and_names_are_limited_together(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    user("create", "mara", GOOD)
    known = Client()
    sign_in(known)
    caches["throttle"].clear()
    monkeypatch.setattr(password, "OF_STRANGERS", 5)
    hashed: list[str] = []
    checked = password._checked
    monkeypatch.setattr(password, "_checked", lambda *given: (hashed.append(given[1]), checked(*given))[1])
    said = [
        sign_in(Client(REMOTE_ADDR=f"192.0.2.{number}"), f"user-{number}", WRONG).status_code
        for number in range(9)
    ]
    assert said == [403] * 5 + [429] * 4
    assert len(hashed) == 5
    assert sign_in(known).status_code == 302, "who has signed in here before is not kept out"


def test_one_address_does_not_use_up_the_tries_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password, "OF_ADDRESS", 3)
    monkeypatch.setattr(password, "OF_STRANGERS", 5)
    for number in range(7):
        sign_in(Client(REMOTE_ADDR="192.0.2.1"), f"user-{number}", WRONG)
    assert sign_in(Client(REMOTE_ADDR="192.0.2.2"), "jon", WRONG).status_code == 403


def test_other_counters_push_none_out() -> None:
    for number in range(password.OF_NAME):
        sign_in(Client(REMOTE_ADDR=f"192.0.2.{number}"), "jon", WRONG)

    async def others() -> None:
        for number in range(2000):
            await times(f"signin-tries:{number}", 60)

    async_to_sync(others)()
    assert sign_in(Client(REMOTE_ADDR="192.0.2.99"), "jon", WRONG).status_code == 429


def test_the_mark_of_a_browser_is_for_its_own_name_and_not_forged(user: Any) -> None:
    user("create", "mara", GOOD)
    user("create", "jon", GOOD)
    client = Client()
    sign_in(client)
    mark = client.cookies[password.COOKIE]
    assert (mark["httponly"], mark["samesite"], mark["path"]) == (True, "Lax", "/login/password/")
    for _ in range(password.OF_NAME):
        sign_in(Client(REMOTE_ADDR="192.0.2.7"), "jon", WRONG)
    other = Client()
    other.cookies[password.COOKIE] = mark.value
    assert sign_in(other, "jon").status_code == 429
    other.cookies[password.COOKIE] = "forged"
    assert sign_in(other, "jon").status_code == 429


def test_a_disabled_user_loses_every_session_at_once(user: Any) -> None:
    user("create", "mara", GOOD)
    client = Client()
    sign_in(client)
    assert client.get("/sessions/").status_code == 200
    assert "1 session ended" in user("disable", "mara")
    assert client.get("/sessions/")["Location"].startswith("/login/")
    assert not Session.objects.exists()
    assert sign_in(Client()).status_code == 403
    user("enable", "mara")
    assert sign_in(Client()).status_code == 302
    said = list(AuditEntry.objects.filter(user_name="(command line)").values_list("action", "name"))
    assert said == [("create user", "mara"), ("disable user", "mara"), ("enable user", "mara")]


def test_a_new_password_ends_what_the_old_one_began(user: Any) -> None:
    user("create", "mara", GOOD)
    client = Client()
    sign_in(client)
    user("password", "mara", "another good password")
    assert client.get("/sessions/").status_code == 302
    assert sign_in(Client()).status_code == 403
    assert sign_in(Client(), typed="another good password").status_code == 302


def test_a_new_password_enables_nobody_who_is_disabled_meanwhile(
    user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    user("create", "mara", GOOD)

    def meanwhile(typed: str, of: User) -> None:
        User.objects.filter(pk=of.pk).update(is_active=False)

    monkeypatch.setattr("dashboard.accounts.validate_password", meanwhile)
    user("password", "mara", "another good password")
    assert (
        not User.objects.get().is_active
        and sign_in(Client(), typed="another good password").status_code == 403
    )


def test_what_is_missing_is_named_and_what_was_typed_stays() -> None:
    response = sign_in(Client(), "mara", "")
    assert response.status_code == 422
    assert 'value="mara"' in response.content.decode()


def test_it_is_off_unless_it_is_named(user: Any, settings: Any) -> None:
    user("create", "mara", GOOD)
    settings.CLUSTER_UI_SIGN_IN = ("link",)
    assert "password" not in Client().get("/login/").content.decode()
    assert sign_in(Client()).status_code == 404
