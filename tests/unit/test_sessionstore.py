"""Requests of one session at once: none undoes what another has saved, and none brings a session back that is over."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.models import Session
from django.test import AsyncClient, Client
from django.utils import timezone

import dashboard
from dashboard.credentials import ClusterCredential, load, store
from dashboard.sessions import sessions_end
from dashboard.sessionstore import SessionStore
from dashboard.signin import link_create

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key() -> str:
    made = SessionStore()
    made.update({"kept": 1, "nested": {"a": [1]}, "going": "x"})
    made.save()
    assert made.session_key is not None
    return made.session_key


def read(key: str) -> SessionStore:
    """As a request has it that looked at its session."""
    found = SessionStore(key)
    found.get("kept")
    return found


def kept(key: str) -> dict[str, object]:
    return dict(SessionStore(key).items())


def test_each_keeps_what_the_other_changed(key: str) -> None:
    one, other = read(key), read(key)
    one["one"], other["other"] = 1, 2
    one.save()
    other["nested"]["a"].append(2)
    other.save()
    assert kept(key) == {"kept": 1, "nested": {"a": [1, 2]}, "going": "x", "one": 1, "other": 2}
    assert other["one"] == 1, "and knows of it from then on"
    one["kept"] = 3
    one.save()
    assert kept(key)["other"] == 2 and kept(key)["kept"] == 3


def test_what_one_takes_out_stays_out(key: str) -> None:
    one, other = read(key), read(key)
    del one["going"]
    one.save()
    other["other"] = 2
    other.save()
    assert kept(key) == {"kept": 1, "nested": {"a": [1]}, "other": 2}


def test_what_both_change_is_what_was_saved_last(key: str) -> None:
    one, other = read(key), read(key)
    one["kept"], other["kept"] = 2, 3
    other.save()
    one.save()
    assert kept(key)["kept"] == 2
    one["more"] = 1
    other["kept"] = 4
    other.save()
    one.save()
    assert kept(key)["kept"] == 4, "what was saved is not changed any more"


def test_what_one_sets_back_counts_as_set(key: str) -> None:
    for again in (lambda one: one.__setitem__("kept", 1), lambda one: one.update({"kept": 1})):
        one, other = read(key), read(key)
        other["kept"] = 2
        other.save()
        again(one)
        one.save()
        assert kept(key)["kept"] == 1
    one = read(key)
    one["kept"] = True
    one.save()
    assert kept(key)["kept"] is True
    one["nested"]["a"][0] = True
    one.save()
    assert repr(kept(key)["nested"]) == "{'a': [True]}"
    one, other = read(key), read(key)
    other["kept"] = 3
    other.save()
    one.setdefault("kept", 1)
    one.save()
    assert kept(key)["kept"] == 3, "what was there already was not set"


async def test_the_same_holds_for_what_is_set_on_the_event_loop(key: str) -> None:
    for again in (lambda one: one.aset("kept", 1), lambda one: one.aupdate({"kept": 1})):
        one, other = SessionStore(key), SessionStore(key)
        assert await one.aget("kept") is not None and await other.aget("kept") is not None
        await other.aset("kept", 2)
        await other.asave()
        await again(one)
        await one.asave()
        assert await SessionStore(key).aget("kept") == 1


def test_tokens_of_two_clusters_are_kept_beside_each_other(key: str) -> None:
    one, other = read(key), read(key)
    store(one, ClusterCredential(kind="oidc", token="renewed"))
    store(other, ClusterCredential(kind="token", token="of-dev", context="dev"))
    one.save()
    other.save()
    found = {context: load(SessionStore(key), context) for context in ("", "dev")}
    assert {context: each and each.token for context, each in found.items()} == {
        "": "renewed",
        "dev": "of-dev",
    }


def test_a_session_that_is_over_is_not_brought_back(key: str) -> None:
    late, over, again = read(key), read(key), read(key)
    over.flush()
    late["late"] = 1
    with pytest.raises(UpdateError):
        late.save()
    assert not Session.objects.exists()
    again["again"] = 1
    again.cycle_key()
    assert again.session_key != key and kept(str(again.session_key)) == {"again": 1}, "nothing of the old one"


def test_an_expired_session_is_not_brought_back(key: str) -> None:
    late = read(key)
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    late["late"] = 1
    with pytest.raises(UpdateError):
        late.save()
    assert "late" not in Session.objects.get().get_decoded()


def test_a_new_key_takes_along_what_was_saved_meanwhile(key: str) -> None:
    one, other = read(key), read(key)
    other["other"] = 2
    other.save()
    one.cycle_key()
    assert one.session_key != key and kept(str(one.session_key))["other"] == 2
    assert not Session.objects.filter(pk=key).exists()


def test_an_emptied_session_is_empty(key: str) -> None:
    one = SessionStore(key)
    one.clear()
    one["new"] = 1
    one.save()
    assert kept(key) == {"new": 1}


async def test_it_does_the_same_from_the_event_loop(key: str) -> None:
    one, other = SessionStore(key), SessionStore(key)
    await one.aset("one", 1)
    await other.aset("other", 2)
    await one.asave()
    await other.asave()
    await one.acycle_key()
    found = SessionStore(one.session_key)
    assert (await found.aget("one"), await found.aget("other")) == (1, 2)
    fresh = SessionStore()
    await fresh.aset("a", 1)
    await fresh.asave()
    assert await SessionStore(fresh.session_key).aget("a") == 1


def test_who_signs_out_meanwhile_reads_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other request has ended the session, and this one has something to keep in it."""
    client = Client(raise_request_exception=False)
    client.post("/login/link/", {"token": link_create(user_name="mara").partition("=")[2]})

    def signed_out(user: User, **which: object) -> int:
        sessions_end(user)
        return 1

    monkeypatch.setattr("dashboard.views.sessions.sessions_end", signed_out)
    page = client.post("/sessions/end/", {"session": "others"}, headers={"accept": "text/html"})
    assert page.status_code == 401 and "signed out meanwhile" in page.content.decode()
    assert not Session.objects.exists()


async def test_an_open_page_is_led_to_the_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    client, mara = AsyncClient(raise_request_exception=False), await User.objects.acreate(username="mara")
    await client.aforce_login(mara)

    def signed_out(user: User, **which: object) -> int:
        Session.objects.all().delete()
        return 1

    monkeypatch.setattr("dashboard.views.sessions.sessions_end", signed_out)
    answer = await client.post("/sessions/end/", {"session": "others"}, headers={"hx-request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (401, "/login/")


def test_nothing_reads_sessions_in_another_way() -> None:
    root = Path(dashboard.__file__).parent
    others = [
        path.name
        for path in root.rglob("*.py")
        if "sessions.backends.db" in (text := path.read_text()) or "sessions.backends import db" in text
    ]
    assert others == ["sessionstore.py"]
