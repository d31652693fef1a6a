"""Everybody sees their own sessions, and ends them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.test import Client
from django.utils import timezone

from dashboard import sessions
from dashboard.live.runtime import runtime
from dashboard.models import AuditEntry, SignedIn
from dashboard.signin import link_create
from dashboard.views.sessions import browser_name

pytestmark = pytest.mark.django_db(transaction=True)

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 "
    "Edg/140.0.0.0"
)
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 "
    "Mobile/15E148 Safari/604.1"
)


@pytest.fixture(autouse=True)
def afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    caches["seen"].clear()
    monkeypatch.setattr(runtime, "clusters", lambda: ())


def signed_in(user: str = "mara", agent: str = FIREFOX, address: str = "192.0.2.1") -> Client:
    client = Client(REMOTE_ADDR=address, headers={"User-Agent": agent})
    client.post("/login/link/", {"token": link_create(user_name=user).partition("=")[2]})
    client.get("/sessions/")
    return client


def test_a_session_tells_since_when_from_where_and_how() -> None:
    client = signed_in()
    signed_in(agent=EDGE, address="2001:db8::7")
    signed_in("jon", PHONE, "198.51.100.9")
    page = client.get("/sessions/").content.decode()
    for words in ("Firefox on Linux", "Edge on Windows", "192.0.2.1", "2001:db8::7", "One-time link"):
        assert words in page, words
    assert page.count("This one") == 1
    assert "198.51.100.9" not in page and "Safari" not in page, "another person's"
    for key in Session.objects.values_list("pk", flat=True):
        assert key not in page


def test_one_or_all_others_are_ended_and_nobody_elses() -> None:
    mine, second, third, jons = signed_in(), signed_in(), signed_in(), signed_in("jon")
    number = SignedIn.objects.get(session_id=second.session.session_key).pk
    of_jon = SignedIn.objects.get(session_id=jons.session.session_key).pk
    assert mine.post("/sessions/end/", {"session": str(of_jon)}).status_code == 302
    assert jons.get("/sessions/").status_code == 200
    mine.post("/sessions/end/", {"session": str(number)})
    assert second.get("/sessions/").status_code == 302
    assert third.get("/sessions/").status_code == 200
    mine.post("/sessions/end/", {"session": "others"})
    assert third.get("/sessions/").status_code == 302
    assert mine.get("/sessions/").status_code == jons.get("/sessions/").status_code == 200
    ended = AuditEntry.objects.filter(action="end sessions").values_list("user_name", "result")
    assert list(ended) == [("mara", "done")] * 2
    for chosen in ("", "x", "-1", "9" * 30):
        assert mine.post("/sessions/end/", {"session": chosen}).status_code == 400


def test_a_session_that_asks_for_nothing_yet_is_listed_and_ended() -> None:
    mine, silent = signed_in(), Client(REMOTE_ADDR="192.0.2.9", headers={"User-Agent": EDGE})
    silent.post("/login/link/", {"token": link_create(user_name="mara").partition("=")[2]})
    page = mine.get("/sessions/").content.decode()
    assert "Edge on Windows" in page and "192.0.2.9" in page
    mine.post("/sessions/end/", {"session": "others"})
    assert Session.objects.get().pk == mine.session.session_key


def test_when_it_was_last_seen_is_written_once_a_minute() -> None:
    client = signed_in()
    long_ago = timezone.now() - timedelta(hours=1)
    SignedIn.objects.update(seen_at=long_ago)
    client.get("/sessions/")
    assert SignedIn.objects.get().seen_at == long_ago
    caches["seen"].clear()
    client.get("/sessions/")
    assert SignedIn.objects.get().seen_at > long_ago


def test_it_ends_twelve_hours_after_it_began_however_it_is_used() -> None:
    client = signed_in()
    ends = Session.objects.get().expire_date
    assert abs((ends - timezone.now()) - timedelta(hours=12)) < timedelta(minutes=1)
    client.post("/sessions/end/", {"session": "1"})  # which keeps words for the next page in it
    session = Session.objects.get()
    assert "_messages" in session.get_decoded() and session.expire_date == ends


def test_a_person_has_so_many_and_the_one_not_seen_for_longest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "A_PERSON", 3)
    first, *others = [signed_in() for _ in range(4)]
    assert first.get("/sessions/").status_code == 302
    assert [each.get("/sessions/").status_code for each in others] == [200] * 3


@pytest.mark.parametrize("address", ["", "unknown", "192.0.2.1:99"])
def test_what_is_no_address_is_not_kept_as_one(address: str) -> None:
    client = signed_in(address=address)
    assert client.get("/sessions/").status_code == 200
    assert SignedIn.objects.get().address is None


def test_it_goes_with_the_session_and_with_the_user() -> None:
    signed_in().post("/logout/")
    assert not SignedIn.objects.exists()
    signed_in()
    User.objects.all().delete()
    assert not SignedIn.objects.exists()


@pytest.mark.parametrize(
    ("agent", "name"),
    [(FIREFOX, "Firefox on Linux"), (EDGE, "Edge on Windows"), (PHONE, "Safari on iOS"), ("curl/8.5.0", "curl"),
     ("", "Unknown browser")],
)  # fmt: skip
def test_a_browser_in_words(agent: str, name: str) -> None:
    assert browser_name(agent) == name
