"""As whom people act, said by administrators and by nobody else."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.test import AsyncClient

from dashboard.admins import GROUPS
from dashboard.errors import NoAccount
from dashboard.kube.acting import Impersonation
from dashboard.live.acting import identity_in
from dashboard.models import AccountMapping, AuditEntry
from dashboard.sessionstore import SessionStore
from dashboard.views import chrome, people, viewer

pytestmark = pytest.mark.django_db(transaction=True)

DEV: Any = SimpleNamespace(slug="dev", name="dev")
PROD: Any = SimpleNamespace(slug="prod", name="prod")


@pytest.fixture(autouse=True)
def contexts(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.CLUSTER_UI_ACT_AS = {"": "impersonate"}
    settings.CLUSTER_UI_ADMINS = frozenset({"anna", "group:platform"})
    runtime = SimpleNamespace(clusters=lambda: [DEV, PROD], opened=lambda: ())

    async def nowhere(*_: Any) -> None:
        return None

    monkeypatch.setattr(people, "runtime", runtime)
    monkeypatch.setattr(viewer, "runtime", runtime)
    monkeypatch.setattr(chrome, "_session", nowhere)


async def client(name: str) -> AsyncClient:
    made = AsyncClient()
    user, _ = await User.objects.aget_or_create(username=name)
    await made.aforce_login(user)
    return made


def session(*groups: str) -> SessionStore:
    made = SessionStore()
    made[GROUPS] = list(groups)
    return made


def given(**facts: str) -> dict[str, str]:
    return {
        "subject": "user",
        "name": "mara",
        "context": "dev",
        "user": "mara@k8s",
        "groups": "ops, dev",
    } | facts


async def test_an_administrator_says_as_whom_somebody_acts(settings: Any) -> None:
    anna, _ = await client("anna"), await client("mara")
    assert (await anna.post("/people/", given(extra="scope=read\nscope=write"))).status_code == 302
    identity = await sync_to_async(identity_in)(DEV, "mara", session())
    assert identity.acting == Impersonation("mara@k8s", ("dev", "ops"), (("scope", ("read", "write")),))
    with pytest.raises(NoAccount) as refused:
        await sync_to_async(identity_in)(PROD, "mara", session())
    assert "anna" in refused.value.next_step
    page = (await anna.get("/people/")).content.decode()
    assert "mara@k8s" in page and "group ops" in page
    entry = await AuditEntry.objects.aget()
    assert (entry.user_name, entry.action, entry.name) == ("anna", "map account", "mara")
    assert "mara@k8s" in entry.detail and "ops" in entry.detail
    number = (await AccountMapping.objects.aget()).pk
    assert (await anna.post(f"/people/{number}/remove/")).status_code == 302
    assert (await anna.post(f"/people/{number}/remove/")).status_code == 404
    results = [each.result async for each in AuditEntry.objects.order_by("pk")]
    assert results == ["done", "done", "refused"]


@pytest.mark.parametrize(("name", "led"), [("anna", True), ("mara", False), ("group:platform", False)])
async def test_the_menu_leads_there_whom_it_lets_in(name: str, led: bool) -> None:
    person = await client(name)
    page = (await person.get("/sessions/")).content.decode()
    assert ('<a href="/people/">' in page) == led and '<a href="/sessions/">' in page
    assert ((await person.get("/people/")).status_code == 200) == led


async def test_who_is_no_administrator_is_refused_in_words() -> None:
    await AccountMapping.objects.acreate(subject="user", name="mara", cluster_user="admin")
    for name in ("mara", "token:dev/anna", "group:platform"):
        person = await client(name)
        for method, address in (("get", "/people/"), ("post", "/people/"), ("post", "/people/1/remove/")):
            response = await getattr(person, method)(address, given() if method == "post" else None)
            assert response.status_code == 403, (name, address)
            assert "Only administrators" in response.content.decode()
    assert await AccountMapping.objects.acount() == 1
    kept = {(each.user_name, each.action, each.result) async for each in AuditEntry.objects.all()}
    assert kept >= {("mara", "map account", "refused"), ("mara", "unmap account", "refused")}, (
        "looked at, too"
    )


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"groups": "system:masters"}, "Nobody is impersonated as a member of system:masters"),
        ({"user": ""}, "can&#x27;t be impersonated"),
        ({"name": ""}, "Enter the name"),
        ({"name": "oidc:jon"}, "No user of this dashboard is called oidc:jon"),
        ({"subject": "robot"}, "a user or a group"),
        ({"context": "nowhere"}, "Choose one of the contexts"),
        ({"extra": "no value"}, "lines such as"),
    ],
)
async def test_what_is_wrong_is_told_and_what_was_typed_stays(wrong: dict[str, str], words: str) -> None:
    await client("mara")
    response = await (await client("anna")).post("/people/", given(**wrong))
    page = response.content.decode()
    assert response.status_code == 400 and words in page
    assert 'value="mara"' in page or "name" in wrong
    script = await (await client("anna")).post("/people/", given(**wrong) | {"format": "json"})
    assert script.status_code == 400 and json.loads(script.content)["error"]
    assert not await AccountMapping.objects.aexists()
    gone = await (await client("anna")).post("/people/77/remove/", {"format": "json"})
    assert gone.status_code == 404
    kept = [(each.action, each.result) async for each in AuditEntry.objects.order_by("pk")]
    assert kept == [("map account", "refused")] * 2 + [("unmap account", "refused")]


def say(subject: str, name: str, user: str, context: str = "", *groups: str) -> None:
    AccountMapping.objects.create(
        subject=subject, name=name, cluster_user=user, context=context, cluster_groups=list(groups)
    )


def test_what_is_said_of_the_person_and_the_context_comes_first() -> None:
    def who(cluster: Any, *groups: str) -> Any:
        return identity_in(cluster, "mara", session(*groups)).acting

    say("group", "ops", "operator", "", "ops")
    assert who(DEV, "ops") == Impersonation("operator", ("ops",))
    say("group", "more", "operator", "", "more")
    assert who(DEV, "ops", "more") == Impersonation("operator", ("more", "ops"))
    say("group", "ops", "dev-operator", "dev")
    assert who(DEV, "ops", "more") == Impersonation("dev-operator")
    say("user", "mara", "mara")
    assert who(DEV, "ops") == Impersonation("mara")
    say("user", "mara", "mara-in-dev", "dev")
    assert who(DEV) == Impersonation("mara-in-dev")
    assert who(PROD) == Impersonation("mara")


def test_groups_that_say_different_users_say_none() -> None:
    say("group", "ops", "operator")
    say("group", "dev", "developer")
    with pytest.raises(NoAccount, match="different users"):
        identity_in(DEV, "mara", session("ops", "dev"))
    with pytest.raises(NoAccount, match="not mapped to a user"):
        identity_in(DEV, "mara", session("other"))
    with pytest.raises(NoAccount):
        identity_in(DEV, "ops", session())


def test_what_is_in_the_database_is_checked_again_when_it_is_used() -> None:
    say("user", "mara", "mara", "", "system:masters")
    with pytest.raises(NoAccount, match="system:masters"):
        identity_in(DEV, "mara", session())


def test_groups_that_add_up_to_too_many_say_whom_to_ask() -> None:
    say("group", "ops", "operator", "", *(f"ops-{number}" for number in range(30)))
    say("group", "dev", "operator", "", *(f"dev-{number}" for number in range(30)))
    assert identity_in(DEV, "mara", session("ops")).acting is not None
    with pytest.raises(NoAccount, match="50 groups") as refused:
        identity_in(DEV, "mara", session("ops", "dev"))
    assert "anna" in refused.value.next_step


def test_another_mapping_is_another_account() -> None:
    say("user", "mara", "shared", "", "a")
    say("user", "jon", "shared", "", "a")
    one = identity_in(DEV, "mara", session())
    assert identity_in(DEV, "jon", session()).account == one.account
    AccountMapping.objects.filter(name="mara").update(cluster_groups=["a", "b"])
    assert identity_in(DEV, "mara", session()).account != one.account


async def test_somebody_unmapped_sees_whom_to_ask_and_nothing_else() -> None:
    mara = await client("mara")
    for address in ("/clusters/", "/changes/", "/audit/", "/changes/?format=json"):
        response = await mara.get(address)
        assert response.status_code == 403, address
        assert "anna" in response.content.decode(), address
    assert (await (await client("anna")).get("/people/")).status_code == 200
