"""What is refused before any view: in the audit, and no more of it than its bound, however much is sent."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import caches
from django.db import OperationalError

from dashboard.audit import refusals as module
from dashboard.audit.origin import Origin, coming_from
from dashboard.audit.refusals import Refusal, Refusals
from dashboard.models import AuditEntry

pytestmark = pytest.mark.django_db(transaction=True)

LINK = Refusal(action="sign in", detail="the link was unknown")


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> Refusals:
    caches["throttle"].clear()
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: 6000.0))
    return Refusals()


@pytest.fixture
def send(noted: Refusals) -> Callable[..., None]:
    def one(address: str = "192.0.2.1", refusal: Refusal = LINK, session: str = "", times: int = 1) -> None:
        with coming_from(Origin(address, "link" if session else "", session)):
            for _ in range(times):
                noted.note(refusal)

    return one


def said() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.order_by("pk").values_list("address", "detail"))


def test_the_first_is_told_at_once_and_the_others_when_the_minute_is_over(
    noted: Refusals, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(times=42)
    send("192.0.2.2")
    assert said() == [("192.0.2.1", LINK.detail), ("192.0.2.2", LINK.detail)]
    noted.tell(6059)
    assert len(said()) == 2, "the minute is not over"
    noted.tell(6060)
    noted.tell(6061)
    assert said()[2:] == [("192.0.2.1", f"41 more times within a minute: {LINK.detail}")]
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: 6061.0))
    send(times=2)
    noted.tell(6120)
    assert said()[3:] == [
        ("192.0.2.1", LINK.detail),
        ("192.0.2.1", f"1 more time within a minute: {LINK.detail}"),
    ]
    assert {*AuditEntry.objects.values_list("user_name", "action", "result")} == {
        ("(nobody)", "sign in", "refused")
    }
    assert not noted.counted


def test_reasons_people_and_networks_are_told_apart(send: Any) -> None:
    send()
    send(refusal=Refusal(action="sign in", detail="another reason"))
    send(refusal=Refusal(action="sign in", detail=LINK.detail, user_name="mara"))
    send(refusal=Refusal(action="sign in", detail=LINK.detail, apart="canary"))
    send("2001:db8:0:1::1")
    send("2001:db8:0:1::2")
    assert len(said()) == 5, "an IPv6 network of 64 bits is one address"
    assert "canary" not in str([vars(each) for each in AuditEntry.objects.all()])


def test_strangers_fill_neither_the_audit_nor_the_cache(
    noted: Refusals, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STRANGERS", 5)
    made: list[str] = []
    count = module.counted

    def counting(name: str, seconds: int, *, count_of: Any = count, **more: int) -> int:
        made.append(name)
        return int(count_of(name, seconds, **more))

    monkeypatch.setattr(module, "counted", counting)
    for number in range(200):
        send(f"192.0.2.{number}")
    assert len({name for name in made if name.startswith("refusal:")}) == 5 + 1
    assert len(noted.counted) == 6
    words = "more than 5 in an hour of people who are not signed in: these are only counted"
    assert said()[5:] == [("", words)]
    send("198.51.100.1", Refusal(action="scale", detail="no token", user_name="mara"), session="abcd")
    assert said()[6:] == [("198.51.100.1", "no token")], "who is signed in is told all the same"
    noted.tell(math.inf)
    assert said()[7:] == [("", f"194 more times within an hour: {words}")]


def test_a_database_that_is_away_keeps_nobody_from_their_refusal(
    send: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(**facts: object) -> None:
        raise OperationalError("locked")

    monkeypatch.setattr(AuditEntry.objects, "create", away)
    send()
    assert "a refusal was not recorded: sign in" in caplog.text
