"""The audit log: who sees what, filters, pages by key, files, and its chain verified by a click."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard.audit import exporting
from dashboard.audit.guards import guards_create, guards_drop
from dashboard.models import AuditEntry
from dashboard.views import audit

pytestmark = pytest.mark.django_db(transaction=True)

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> None:
    """Without a collected folder of static files, and without a cluster: the page must stand. What is signed is kept for
    this test alone.
    """
    settings.CLUSTER_UI_AUDIT_SIGNED_FROM = tmp_path / "audit-signed-from"
    files = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": files}
    monkeypatch.setattr("dashboard.views.chrome._session", AsyncMock(return_value=None))
    caches["default"].clear()


def signed_in(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.get_or_create(username=name)[0])
    return client


@pytest.fixture
def owner() -> Client:
    return signed_in("owner")


def entry(number: int = 0, **facts: Any) -> AuditEntry:
    made = {
        "user_name": "mara", "context": "dev", "action": "scale", "plural": "deployments", "namespace": "shop",
        "name": "web", "detail": str(number), "result": "done", "at": START + timedelta(minutes=number),
    }  # fmt: skip
    return AuditEntry.objects.create(**{**made, **facts})


def details(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [shown["detail"] for shown in response.context["s"]["entries"]]


def exported(client: Client, query: str) -> list[dict[str, Any]]:
    answer = client.get(f"/audit/?{query}&format=json")

    async def all_of_it() -> bytes:
        return b"".join([piece async for piece in answer.streaming_content])

    found: list[dict[str, Any]] = json.loads(asyncio.run(all_of_it()))["entries"]
    return found


def test_administrators_see_everybody_others_themselves(owner: Client) -> None:
    entry(1, user_name="mara")
    entry(2, user_name="jon")
    assert details(owner.get("/audit/")) == ["2", "1"]
    mara = signed_in("mara")
    assert details(mara.get("/audit/")) == ["1"]
    assert details(mara.get("/audit/?user=jon")) == []
    assert mara.get("/audit/").context["s"]["choices"]["user"] == [("mara", "mara")]
    assert [each["user"] for each in exported(mara, "q=")] == ["mara"]
    assert b"Verify now" in owner.get("/audit/").content
    assert b"Verify now" not in mara.get("/audit/").content


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("user=jon", ["by jon"]),
        ("action=restart", ["restarted"]),
        ("namespace=staging", ["elsewhere"]),
        ("cluster=prod", ["in prod"]),
        ("kind=secrets", ["revealed"]),
        ("result=refused", ["refused"]),
        ("what=reveals", ["revealed"]),
        ("what=sign-ins", ["came"]),
        ("q=PAY", ["payments"]),
        ("q=certif", ["why"]),
        ("since=2026-03-01T12:07&until=2026-03-01T12:08Z", ["why"]),
        ("since=2026-03-01&until=2026-03-01T12:01", []),
        ("q=pay&user=jon", []),
        ("before=3", ["restarted", "by jon"]),
    ],
)
def test_filters_of_the_page_are_those_of_the_file(owner: Client, query: str, found: list[str]) -> None:
    entry(1, detail="by jon", user_name="jon")
    entry(2, detail="restarted", action="restart")
    entry(3, detail="elsewhere", namespace="staging")
    entry(4, detail="in prod", context="prod")
    entry(5, detail="refused", result="refused")
    entry(6, detail="payments", name="payments")
    entry(7, detail="why", reason="A new certificate")
    entry(8, detail="revealed", action="reveal", plural="secrets")
    entry(9, detail="came", action="sign in", plural="", name="", namespace="", context="")
    assert details(owner.get(f"/audit/?{query}")) == found
    if "before" not in query:
        assert [each["detail"] for each in exported(owner, query)] == found


@pytest.mark.parametrize(
    "query",
    ["result=good", "what=all", "since=yesterday", "until=2026-13-01", "before=x", "q=" + "a" * 201, "format=xml",
     "before=" + "9" * 30, "since=0001-01-01T00:00%2B14:00"],
)  # fmt: skip
def test_what_is_no_filter_is_refused_in_words(owner: Client, query: str) -> None:
    answer = owner.get(f"/audit/?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.content.decode()


def test_pages_by_key_lose_and_repeat_nothing_while_entries_come(owner: Client) -> None:
    for number in range(120):
        entry(number)
    seen: list[str] = []
    url = ""
    for page in range(3):
        answer = owner.get(f"/audit/{url}")
        seen += details(answer)
        url = answer.context["s"]["older_url"]
        entry(1000 + page)
    assert seen == [str(number) for number in reversed(range(120))] and url == ""
    assert answer.context["s"]["newest_url"] == "?"


def test_chips_count_what_they_lead_to_up_to_a_bound(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        entry(number)
    entry(5, action="reveal")
    entry(6, result="refused", user_name="jon")
    chips = {each["title"]: each for each in owner.get("/audit/?what=reveals").context["s"]["chips"]}
    counts = {title: each["count"] for title, each in chips.items()}
    assert counts == {
        "All": "6", "Changes": "4", "Reveals": "1", "Shells": "0", "Refused": "1", "Failed": "0", "Sign-ins": "0",
    }  # fmt: skip
    assert [title for title, each in chips.items() if each["current"]] == ["Reveals"]
    for title, each in chips.items():
        assert str(len(details(owner.get(f"/audit/{each['url']}")))) == counts[title], title
    monkeypatch.setattr(audit, "COUNTED", 3)
    assert owner.get("/audit/").context["s"]["chips"][0]["count"] == "3+"


def test_no_question_looks_at_all_entries(owner: Client) -> None:
    for number in range(5):
        entry(number)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        owner.get("/audit/")
    about = [each["sql"] for each in asked if "dashboard_auditentry" in each["sql"]]
    assert about and all("LIMIT" in sql for sql in about)


def test_a_row_says_everything_and_nothing_of_it_is_markup(owner: Client) -> None:
    hostile = "<script>alert(1)</script>\u202e\x1b[2J"
    made = entry(
        1, name=hostile, user_name=hostile, detail=hostile, reason=hostile, keys=["/data/" + hostile],
        address="192.0.2.1", session="abcdef", sign_in="link",
    )  # fmt: skip
    html = owner.get("/audit/").content.decode()
    assert "<script>alert" not in html and "\u202e" not in html and "\x1b" not in html
    for said in (made.hash, made.previous, "192.0.2.1", "abcdef", "/data/&lt;script"):
        assert said in html


def test_a_file_has_all_that_match_and_that_it_was_taken_is_an_entry(
    owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "SLICE", 2)
    for number in range(5):
        entry(number, name=f"=cmd|'/C calc'!A{number}", keys=["/a", "+b"], reason="@new")
    rows = exported(owner, "user=mara")
    assert [row["id"] for row in rows] == [5, 4, 3, 2, 1]
    last = AuditEntry.objects.get(pk=5)
    assert rows[0] == {
        "at": "2026-03-01T12:04:00.000000Z", "user": "mara", "action": "scale", "cluster": "dev", "kind": "deployments",
        "namespace": "shop", "name": last.name, "result": "done", "detail": "4", "reason": "@new", "change": "",
        "keys": ["/a", "+b"], "address": "", "sign_in": "", "session": "", "id": 5, "previous": last.previous,
        "key": "", "hash": last.hash,
    }  # fmt: skip
    taken = AuditEntry.objects.latest("pk")
    assert (taken.user_name, taken.action, taken.detail) == ("owner", "audit export", "JSON, user=mara.")
    answer = owner.get("/audit/?format=csv")

    async def all_of_it() -> bytes:
        return b"".join([piece async for piece in answer.streaming_content])

    lines = list(csv.reader(io.StringIO(asyncio.run(all_of_it()).decode())))
    assert len(lines) == 7, "the head, and what there was before"
    assert not any(cell.startswith(("=", "+", "-", "@")) for line in lines for cell in line)


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("who", ["mara", "rare", "nobody"])
def test_a_file_is_read_by_questions_that_look_at_so_many_entries(
    who: str, newest_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "SLICE", 4)
    monkeypatch.setattr(exporting, "WINDOW", 10)
    for number in range(45):
        entry(number, user_name="rare" if number in (3, 40) else "mara")
    own = AuditEntry.objects.filter(user_name=who)
    with CaptureQueriesContext(connection) as asked:
        slices = list(exporting.entry_slices(own, newest_first=newest_first))
    found = [each["id"] for rows in slices for each in rows]
    assert found == list(own.order_by("-pk" if newest_first else "pk").values_list("pk", flat=True))
    assert max(map(len, slices)) <= 4
    # A window that holds more than a slice is asked for again from there on.
    assert len(asked) == 2 + len(slices) <= 2 + 5 + 45 // 4
    plans = [own.filter(pk__gte=1, pk__lte=10).order_by(order).explain() for order in ("pk", "-pk")]
    if connection.vendor == "sqlite":
        assert all("PRIMARY KEY (rowid>? AND rowid<?)" in each for each in plans), plans


def test_administrators_verify_by_a_click(owner: Client) -> None:
    for number in range(3):
        entry(number)
    answer = owner.post("/audit/verify/?user=mara")
    assert (answer.status_code, answer["Location"]) == (302, "/audit/?user=mara")
    html = owner.get("/audit/").content.decode()
    assert "Hash chain verified" in html and "3 entries, none changed or missing" in html
    last = AuditEntry.objects.latest("pk")
    assert (last.action, last.result) == ("audit verify", "done")
    for statement in guards_drop(connection.vendor):
        connection.cursor().execute(statement)
    try:
        connection.cursor().execute("UPDATE dashboard_auditentry SET detail = 'other' WHERE id = 2")
    finally:
        for statement in guards_create(connection.vendor):
            connection.cursor().execute(statement)
    owner.post("/audit/verify/")
    html = owner.get("/audit/").content.decode()
    assert "Hash chain broken" in html and "Entry\n2: What it says" in html
    assert AuditEntry.objects.latest("pk").result == "failed"


def test_the_page_says_what_is_signed_of_the_chain(owner: Client, settings: Any) -> None:
    entry(1)
    settings.CLUSTER_UI_AUDIT_KEYS = {"abcd": b"k" * 32}
    owner.post("/audit/verify/")
    html = owner.get("/audit/").content.decode()
    assert "Hash chain verified" in html and "No entry is signed with the key abcd yet" in html
    owner.post("/audit/verify/")
    html = owner.get("/audit/").content.decode()
    assert "Hash chain verified" in html and "signed from entry 2 on" in html


def test_nobody_else_verifies() -> None:
    assert signed_in("mara").post("/audit/verify/").status_code == 403
    last = AuditEntry.objects.get()
    assert (last.user_name, last.action, last.result) == ("mara", "audit verify", "refused")


def test_the_time_of_a_verification_is_bounded(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    entry(1)
    monkeypatch.setattr(audit, "VERIFY_SECONDS", -1.0)
    owner.post("/audit/verify/")
    assert "took too long for a page" in owner.get("/audit/").content.decode()


def test_what_was_typed_stays_beside_what_is_wrong_with_it(owner: Client) -> None:
    entry(1)
    html = owner.get("/audit/?since=yesterday&q=web").content.decode()
    assert 'value="yesterday"' in html and 'value="web"' in html
    assert "since is &#x27;yesterday&#x27;: enter a day or a time" in html
    assert html.count('aria-invalid="true"') == 1
