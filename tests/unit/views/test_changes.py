"""The list of what was done: order, filters, pages, and the way back of each."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.actions.registry import change_title
from dashboard.audit import exporting
from dashboard.models import AuditEntry, Change

pytestmark = pytest.mark.django_db(transaction=True)

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def person() -> User:
    return User.objects.create(username="mara")


@pytest.fixture
def signed_in(client: Client, person: User, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Client:
    # Pages name their static files with hashes, which only a collected folder has.
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    # No cluster is configured: the page must stand without one.
    monkeypatch.setattr("dashboard.views.chrome._session", AsyncMock(return_value=None))
    settings.CLUSTER_UI_ADMINS = frozenset({person.username})
    client.force_login(person)
    return client


def entry(number: int = 0, **facts: Any) -> AuditEntry:
    made = {
        "user_name": "mara", "context": "dev", "action": "scale", "plural": "deployments", "namespace": "shop",
        "name": "web", "detail": "", "result": "done", "at": START + timedelta(minutes=number),
    }  # fmt: skip
    return AuditEntry.objects.create(**{**made, **facts})


def change(person: User, nonce: str, **facts: Any) -> Change:
    made = {
        "nonce": nonce, "user": person, "context": "dev", "action": "scale", "plural": "deployments",
        "kind": "Deployment", "namespace": "shop", "name": "web", "uid": "u", "state": "done",
        "inverse": {"action": "scale", "input": {"replicas": 1}},
    }  # fmt: skip
    return Change.objects.create(**{**made, **facts})


def details(response: Any) -> list[str]:
    return [shown["detail"] for shown in response.context["s"]["entries"]]


def test_newest_first(signed_in: Client) -> None:
    for number, detail in enumerate(["first", "second", "third"]):
        entry(number, detail=detail)
    assert details(signed_in.get("/changes/")) == ["third", "second", "first"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("user=jon", ["by jon"]),
        ("action=restart", ["restarted"]),
        ("namespace=staging", ["elsewhere"]),
        ("cluster=prod", ["in prod"]),
        ("result=refused", ["refused"]),
        ("q=PAY", ["payments"]),
        ("q=pay&user=jon", []),
        ("user=jon&action=scale&page=7", ["by jon"]),
    ],
)
def test_filters(signed_in: Client, query: str, found: list[str]) -> None:
    entry(1, detail="by jon", user_name="jon")
    entry(2, detail="restarted", action="restart")
    entry(3, detail="elsewhere", namespace="staging")
    entry(4, detail="in prod", context="prod")
    entry(5, detail="refused", result="refused")
    entry(6, detail="payments", name="payments")
    assert details(signed_in.get(f"/changes/?{query}")) == found


def test_a_file_has_all_that_match_with_their_reasons(
    signed_in: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "SLICE", 2)
    for number in range(5):
        entry(number, detail=f"=sum({number})", reason="new, certificate", user_name="jon")
    entry(6, detail="by mara")
    answer = signed_in.get("/changes/?user=jon&format=json&page=2")
    entries = json.loads(streamed(answer))["entries"]
    assert [one["detail"] for one in entries] == [f"=sum({number})" for number in (4, 3, 2, 1, 0)]
    assert entries[0] | {"at": ""} == {
        "at": "", "user": "jon", "action": "scale", "cluster": "dev", "kind": "deployments", "namespace": "shop",
        "name": "web", "result": "done", "detail": "=sum(4)", "reason": "new, certificate", "change": "",
    }  # fmt: skip
    answer = signed_in.get("/changes/?user=jon&format=csv")
    rows = list(csv.DictReader(io.StringIO(streamed(answer))))
    assert len(rows) == 5 and rows[0]["reason"] == "new, certificate" and rows[0]["detail"] == "'=sum(4)"
    assert json.loads(streamed(signed_in.get("/changes/?user=eve&format=json"))) == {"entries": []}
    assert signed_in.get("/changes/?format=xml").status_code == 400


def streamed(answer: Any) -> str:
    async def all_of_it() -> bytes:
        return b"".join([piece async for piece in answer.streaming_content])

    return asyncio.run(all_of_it()).decode()


@pytest.mark.parametrize("form", ["html", "json", "csv"])
def test_what_others_did_beside_changes_is_for_administrators(
    signed_in: Client, person: User, settings: Any, form: str
) -> None:
    entry(1, detail="jon scaled", user_name="jon", change=change(person, "jon"))
    entry(2, detail="jon was refused", user_name="jon", result="refused")
    entry(3, detail="jon revealed", user_name="jon", action="reveal", plural="secrets", keys=["password"])
    entry(4, detail="jon signed in", user_name="jon", action="sign in", context="", plural="", name="")
    entry(5, detail="mara revealed", action="reveal", plural="secrets")

    def told(query: str = "") -> list[str]:
        answer = signed_in.get(f"/changes/?format={form}{query}")
        page = answer.content.decode() if form == "html" else streamed(answer)
        words = ("jon scaled", "jon was refused", "jon revealed", "jon signed in", "mara revealed")
        return [word for word in words if word in page]

    assert told() == ["jon scaled", "jon was refused", "jon revealed", "mara revealed"], "no sign-ins"
    settings.CLUSTER_UI_ADMINS = frozenset()
    assert told() == ["jon scaled", "mara revealed"]
    assert told("&user=jon&action=reveal") == []


def test_pages_keep_the_filter(signed_in: Client) -> None:
    for number in range(120):
        entry(number, detail=str(number), user_name="jon" if number % 2 else "mara")
    first = signed_in.get("/changes/?user=jon")
    assert details(first)[0] == "119" and len(details(first)) == 50
    older = first.context["s"]["pager"]["next_url"]
    second = signed_in.get(f"/changes/{older}")
    assert len(details(second)) == 10 and {shown["user"] for shown in second.context["s"]["entries"]} == {
        "jon"
    }


def test_only_what_can_be_taken_back_offers_it(signed_in: Client, person: User) -> None:
    entry(1, change=change(person, "open"))
    entry(2, change=change(person, "gone", action="delete", inverse={}))
    entry(3, change=change(person, "lost", state="unknown"))
    taken = change(person, "taken")
    later = change(person, "later", undoes=taken)
    entry(4, change=taken)
    entry(5, result="refused")
    shown = signed_in.get("/changes/").context["s"]["entries"]
    undo = [bool(one["undo_url"]) for one in shown]
    assert undo == [False, False, False, False, True]
    assert shown[1]["undone_url"] == f"/changes/{later.pk}/"


def test_names_are_escaped(signed_in: Client) -> None:
    entry(detail="<script>alert(1)</script>", user_name="<b>jon")
    html = signed_in.get("/changes/").content.decode()
    assert "<script>alert" not in html and "<b>jon" not in html


def test_nobody_without_a_session_sees_it(client: Client) -> None:
    assert client.get("/changes/").status_code == 302


def test_an_eviction_of_a_drain_is_told_as_such_and_only_the_drain_is_undone(
    signed_in: Client, person: User
) -> None:
    drain = change(person, "n1", action="drain", plural="nodes", kind="Node", namespace="", name="node-1")
    entry(1, action="drain", plural="nodes", namespace="", name="node-1", change=drain)
    entry(2, action="evict", plural="pods", name="db-2", change=drain)
    evicted, drained = signed_in.get("/changes/").context["s"]["entries"]
    assert (evicted["action"], evicted["object"], evicted["undo_url"]) == ("Evict", "Pod db-2", "")
    assert (drained["action"], drained["object"]) == ("Drain", "Node node-1") and drained["undo_url"]


def test_a_change_of_many_names_how_many_not_its_namespace_as_a_name(signed_in: Client, person: User) -> None:
    many = change(person, "n1", action="bulk-restart", name="", result={"count": 3, "kinds": "Deployments"})
    entry(1, action="bulk-restart", name="", change=many)
    (shown,) = signed_in.get("/changes/").context["s"]["entries"]
    assert (shown["action"], shown["object"], shown["namespace"]) == ("Restart", "3 Deployments in shop", "")


@pytest.mark.parametrize(
    ("action", "undoes", "title"),
    [("image", False, "Set image"), ("rollback", False, "Roll back"), ("image", True, "Undo: set image")],
)
def test_a_changes_title_is_that_of_its_form(person: User, action: str, undoes: bool, title: str) -> None:
    other = change(person, "n0") if undoes else None
    assert change_title(change(person, "n1", action=action, undoes=other)) == title


def test_what_was_done_is_called_and_chosen_as_its_form_is(signed_in: Client, person: User) -> None:
    made = change(person, "of-the-image", action="image")
    entry(1, action="image", change=made)
    entry(2, action="image", change=change(person, "undo", action="image", undoes=made))
    for at, action in enumerate(("bulk-image", "create-all", "form", "allow-changes"), 3):
        entry(at, action=action)
    shown = signed_in.get("/changes/")
    assert [each["action"] for each in shown.context["s"]["entries"]] == [
        "Allow changes", "Edit by form", "Create several objects", "Set image, many objects",
        "Undo: set image", "Set image",
    ]  # fmt: skip
    assert ("image", "Set image") in shown.context["s"]["choices"]["action"]
    assert '<option value="image">Set image</option>' in shown.content.decode()
    narrowed = signed_in.get("/changes/?action=image")
    assert len(narrowed.context["s"]["entries"]) == 2
    assert re.search(r'<option value="image"\s+selected>', narrowed.content.decode())
    assert (
        '<option value="bulk-image">Set image, many objects</option>'
        in signed_in.get("/audit/").content.decode()
    )
