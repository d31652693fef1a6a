"""Contexts added and removed on the page of clusters, by administrators alone; credentials never come back."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import QueryDict
from django.test import AsyncClient
from django.utils import timezone

from dashboard.actions.confirmation import is_production
from dashboard.clusters.keeping import added_clusters, cluster_add, cluster_remove, cluster_rules_change
from dashboard.clusters.rules import Rules, past_holds, rules_hold
from dashboard.database import in_database
from dashboard.errors import Forbidden
from dashboard.kube import addresses
from dashboard.kube.kubeconfig_text import MAX_BYTES, cluster_of, read_kubeconfig
from dashboard.live.acting import mode_of, own_past
from dashboard.live.runtime import runtime
from dashboard.live.screens.change import change_of
from dashboard.live.screens.postmortem import PostmortemScreen
from dashboard.live.screens.recovery import _operations
from dashboard.live.session import Identity, Session
from dashboard.models import AddedCluster, AuditEntry, Change, Operation
from dashboard.queries.access import Visible
from dashboard.queries.recordings import Span
from dashboard.queries.timeline import TimelineQuery, timeline_read
from dashboard.views import chrome
from dashboard.views.changelist import told_to
from tests.kubeconfigs import TOKEN, kubeconfig

pytestmark = pytest.mark.django_db(transaction=True)
NOWHERE = "https://127.0.0.1:1"  # nothing listens there


@pytest_asyncio.fixture(autouse=True)
async def contexts(monkeypatch: pytest.MonkeyPatch, settings: Any) -> AsyncIterator[None]:
    async def nowhere(*_: Any) -> None:
        return None

    settings.CLUSTER_UI_ADMINS = frozenset({"anna"})
    monkeypatch.setattr(runtime, "configured", lambda: ())
    monkeypatch.setattr(chrome, "_session", nowhere)
    yield
    await in_database(AddedCluster.objects.all().delete)()
    await runtime.refresh()
    await runtime.stop()
    rules_hold({})
    past_holds({})


async def client(name: str) -> AsyncClient:
    made = AsyncClient()
    user, _ = await User.objects.aget_or_create(username=name)
    await made.aforce_login(user)
    return made


async def preview(anna: AsyncClient, text: str, **more: Any) -> dict[str, Any]:
    answer = await anna.post(
        "/clusters/add/", {"kubeconfig": text, "step": "preview", "format": "json", **more}
    )
    assert answer.status_code == 200, answer.content
    assert TOKEN not in answer.content.decode()
    told: dict[str, Any] = answer.json()
    return told


async def add(anna: AsyncClient, text: str, *names: str, **more: Any) -> Any:
    told = await preview(anna, text)
    form = {"kubeconfig": text, "step": "apply", "format": "json", "token": told["token"], "context": names}
    return await anna.post("/clusters/add/", form | more)


async def test_a_kubeconfig_is_previewed_and_what_was_chosen_is_added_with_its_rules() -> None:
    anna, text = await client("anna"), kubeconfig("dev", "a/b", server=NOWHERE)
    told = await preview(anna, text)
    dev, other = told["contexts"]
    assert (dev["name"], dev["server"], dev["credential"]) == ("dev", NOWHERE, "token")
    assert "refused" in dev["trouble"] and dev["refused"] == "" and other["slug"] == "a~2Fb"
    answer = await add(anna, text, "a/b", **{"act_as.a~2Fb": "user", "production.a~2Fb": "on"})
    assert answer.json() == {"added": ["a/b"]}
    (kept,) = await in_database(added_clusters)()
    assert (kept.name, kept.rules, kept.by) == ("a/b", Rules("user", production=True), "anna")
    assert [each.name for each in runtime.clusters()] == ["a/b"], "this process knows at once"
    page = (await anna.get("/clusters/")).content.decode()
    assert "added here by anna" in page and "their own token; production" in page and TOKEN not in page
    entry = await AuditEntry.objects.aget(action="add cluster")
    assert (entry.user_name, entry.context) == ("anna", "a/b") and NOWHERE in entry.detail


async def test_a_page_without_scripts_does_the_same_and_sends_nothing_of_the_kubeconfig_back() -> None:
    anna = await client("anna")
    file = SimpleUploadedFile("config", kubeconfig("dev", server=NOWHERE).encode())
    answer = await anna.post("/clusters/add/", {"file": file, "step": "preview", "read_only.dev": "on"})
    page = answer.content.decode()
    assert answer.status_code == 200 and NOWHERE in page and TOKEN not in page and "<h1>Add clusters" in page
    assert re.search(r'name="read_only\.dev"\s+checked', page), "what was chosen stays"
    token = re.search(r'name="token"\s+value="(\w+)"', page)
    assert token is not None
    file = SimpleUploadedFile("config", kubeconfig("dev", server=NOWHERE).encode())
    form = {"file": file, "step": "apply", "token": token[1], "context": "dev", "read_only.dev": "on"}
    answer = await anna.post("/clusters/add/", form)
    assert answer.status_code == 302 and answer["Location"] == "/clusters/"
    page = (await anna.get("/clusters/")).content.decode()
    assert "dev is added." in page and "added as a cluster that is only read" in page


async def test_what_was_not_previewed_is_not_added() -> None:
    anna, text = await client("anna"), kubeconfig("dev", server=NOWHERE)
    token = (await preview(anna, text))["token"]
    other = kubeconfig("dev", server="https://127.0.0.1:2")
    form = {"kubeconfig": other, "step": "apply", "format": "json", "token": token, "context": "dev"}
    answer = await anna.post("/clusters/add/", form)
    assert answer.status_code == 409 and "previewed" in answer.json()["error"]["text"]
    answer = await anna.post("/clusters/add/", form | {"kubeconfig": text, "context": "nope"})
    assert answer.status_code == 400 and answer.json()["error"]["field"] == "context"
    assert not await AddedCluster.objects.aexists()


async def test_what_is_refused_is_told_by_its_field_beside_the_form() -> None:
    anna = await client("anna")
    text = kubeconfig("dev", user={"exec": {"command": TOKEN}}, server=NOWHERE)
    (told,) = (await preview(anna, text))["contexts"]
    assert told["refused_field"] == "users[dev].exec" and "exec is refused" in told["refused"]
    answer = await add(anna, text, "dev")
    assert answer.status_code == 400 and answer.json()["error"]["field"] == "users[dev].exec"
    hx = {"hx-request": "true", "hx-target": "preview"}
    for wrong, words in (("a: &x 1", "alias"), ("", "Paste a kubeconfig")):
        form = {"kubeconfig": wrong, "step": "preview"}
        answer = await anna.post("/clusters/add/", form, headers=hx)
        assert answer.status_code == 400 and words in answer.content.decode()
        assert 'id="preview"' in answer.content.decode()
    await add(anna, kubeconfig("dev", server=NOWHERE), "dev")
    answer = await anna.post(
        "/clusters/add/", {"kubeconfig": kubeconfig("dev", server=NOWHERE), "step": "apply", "context": "dev"}, headers=hx
    )  # fmt: skip
    page = answer.content.decode()
    assert answer.status_code == 409 and "Nothing was added" in page and "is called dev already" in page


async def test_the_dashboards_own_address_is_refused(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    anna = await client("anna")
    monkeypatch.setattr(addresses, "OWN_PORTS", {8000})
    (told,) = (await preview(anna, kubeconfig("dev", server="https://localhost:8000")))["contexts"]
    assert "this dashboard itself" in told["refused"]
    settings.ALLOWED_HOSTS = ["testserver", "dash.test"]
    (told,) = (await preview(anna, kubeconfig("dev", server="https://dash.test")))["contexts"]
    assert "name of this dashboard" in told["refused"]


async def test_what_is_too_large_is_refused() -> None:
    anna = await client("anna")
    answer = await anna.post(
        "/clusters/add/", {"kubeconfig": "x" * (MAX_BYTES + 1), "step": "preview", "format": "json"}
    )
    assert answer.status_code == 400 and "KiB" in answer.json()["error"]["text"]


async def test_a_context_is_removed_when_its_name_is_typed() -> None:
    anna = await client("anna")
    await add(anna, kubeconfig("dev", server=NOWHERE), "dev")
    answer = await anna.post("/clusters/dev/remove/", {"confirm": "prod", "format": "json"})
    assert answer.status_code == 422 and answer.json()["error"]["field"] == "confirm"
    answer = await anna.post("/clusters/dev/remove/", {"confirm": "dev", "format": "json"})
    assert answer.json() == {"removed": "dev"} and runtime.clusters() == ()
    assert (await anna.post("/clusters/dev/remove/", {"confirm": "dev"})).status_code == 404
    assert await AuditEntry.objects.filter(action="remove cluster", result="done").acount() == 1


async def test_one_whose_key_is_lost_is_told_and_can_be_removed(settings: Any) -> None:
    anna = await client("anna")
    await add(anna, kubeconfig("dev", server=NOWHERE), "dev")
    settings.SECRET_KEY_FALLBACKS = []
    await in_database(AddedCluster.objects.update)(sealed="gAAAAAnonsense")
    runtime._added._version = None
    await runtime.refresh()
    anna = await client("anna")
    page = (await anna.get("/clusters/")).content.decode()
    assert "CLUSTER_UI_SECRET_KEY_FALLBACKS" in page and "Can’t be used" in re.sub(r"\s+", " ", page)
    assert (await anna.post("/clusters/dev/remove/", {"confirm": "dev"})).status_code == 302


async def test_who_is_no_administrator_is_refused_in_words() -> None:
    mara = await client("mara")
    text = kubeconfig("dev", server=NOWHERE)
    for address, form in (
        ("/clusters/add/", {"kubeconfig": text, "step": "preview"}),
        ("/clusters/add/", {"kubeconfig": text, "step": "apply"}),
        ("/clusters/dev/rules/", {"confirm": "dev", "act_as": "installation"}),
        ("/clusters/dev/remove/", {"confirm": "dev"}),
    ):
        answer = await mara.post(address, form)
        assert answer.status_code == 403 and "Only administrators" in answer.content.decode()
        assert TOKEN not in answer.content.decode()
    assert not await AddedCluster.objects.aexists()
    kept = [(each.action, each.context, each.result) async for each in AuditEntry.objects.order_by("pk")]
    assert list(dict.fromkeys(kept)) == [
        ("add cluster", "", "refused"),
        ("change rules of cluster", "dev", "refused"),
        ("remove cluster", "dev", "refused"),
    ]


async def test_that_somebody_else_only_previews_is_in_the_audit_too() -> None:
    mara = await client("mara")
    form = {"kubeconfig": kubeconfig("dev", server=NOWHERE), "step": "preview"}
    assert (await mara.post("/clusters/add/", form)).status_code == 403
    entry = await AuditEntry.objects.aget()
    assert (entry.user_name, entry.action, entry.result) == ("mara", "add cluster", "refused")
    assert TOKEN not in repr(vars(entry))


async def test_the_rules_of_a_context_are_changed_and_what_is_open_of_it_stays_open() -> None:
    anna = await client("anna")
    await add(anna, kubeconfig("dev", server=NOWHERE), "dev")
    opened = runtime.open("dev")
    page = (await anna.get("/clusters/")).content.decode()
    assert 'action="/clusters/dev/rules/"' in page
    form = {"act_as": "impersonate", "production": "on", "reason": "people come", "format": "json"}
    answer = await anna.post("/clusters/dev/rules/", form)
    assert answer.status_code == 422 and answer.json()["error"]["field"] == "confirm"
    answer = await anna.post("/clusters/dev/rules/", form | {"confirm": "dev"})
    assert answer.json() == {"changed": "dev"}
    assert mode_of("dev") == "impersonate" and is_production("dev"), "this process knows at once"
    assert runtime.open("dev") is opened, "watches go on: the credentials are the same"
    entry = await AuditEntry.objects.aget(action="change rules of cluster", result="done")
    assert (entry.user_name, entry.context, entry.reason) == ("anna", "dev", "people come")
    assert "people act as impersonate, production; before: people act as installation" in entry.detail
    for wrong, status in (({"act_as": "root"}, 400), ({"act_as": "impersonate", "production": "on"}, 409)):
        answer = await anna.post("/clusters/dev/rules/", wrong | {"confirm": "dev", "format": "json"})
        assert answer.status_code == status, answer.content
    answer = await anna.post("/clusters/no/rules/", form | {"confirm": "no"})
    assert answer.status_code == 404
    (kept,) = await in_database(added_clusters)()
    assert (kept.by, kept.rules) == ("anna", Rules("impersonate", production=True))


def every_row() -> str:
    with connection.cursor() as cursor:
        found = ""
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            found += repr(cursor.fetchall())
    return found


async def test_no_credential_is_found_in_the_database_a_page_the_log_or_an_error(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    anna, text = await client("anna"), kubeconfig("dev", server=NOWHERE)
    await add(anna, text, "dev")
    await anna.post("/clusters/dev/look/")
    every = await in_database(every_row)()
    said = [every, caplog.text, "".join(capfd.readouterr())]
    for address in ("/clusters/", "/clusters/?format=json", "/audit/", "/changes/", "/c/dev/"):
        said += [(await anna.get(address)).content.decode()]
    assert "dev" in every and all(TOKEN not in each for each in said)


@pytest.mark.parametrize("later", ["added", "changed", "configured", "nothing"])
async def test_what_people_did_as_themselves_is_told_to_nobody_else_whatever_is_called_so_later(
    monkeypatch: pytest.MonkeyPatch, settings: Any, later: str
) -> None:
    settings.CLUSTER_UI_ACT_AS = {"": "installation"}
    (offered,) = read_kubeconfig(kubeconfig("prod", server=NOWHERE))
    await in_database(cluster_add)(by="anna", offered=offered, rules=Rules("impersonate"), taken=())
    carol = await User.objects.acreate(username="carol")

    async def done(name: str, ago: timedelta) -> Change:
        made = await Change.objects.acreate(
            user=carol, context="prod", action="scale", plural="deployments", kind="Deployment", namespace="hr",
            name=name, uid=name, nonce=name, created_at=timezone.now() + ago,
        )  # fmt: skip
        await AuditEntry.objects.acreate(
            user_name="carol", context="prod", action="scale", plural="deployments", namespace="hr", name=name,
            change=made, result="done", at=timezone.now() + ago,
        )  # fmt: skip
        return made

    async def drilled(ago: timedelta) -> Change:
        made = await Change.objects.acreate(
            user=carol, context="prod", action="drill", plural="namespaces", kind="Namespace", nonce=f"drill {ago}",
            created_at=timezone.now() + ago, result={"archive": "prod_hr"},
        )  # fmt: skip
        await Operation.objects.acreate(change=made)
        return made

    change = await done("salaries", timedelta())
    await drilled(timedelta())
    await runtime.refresh()
    if later == "changed":
        await in_database(cluster_rules_change)(by="anna", name="prod", rules=Rules("installation"))
    else:
        await in_database(cluster_remove)(by="anna", name="prod")
    if later == "added":
        await in_database(cluster_add)(by="anna", offered=offered, rules=Rules("installation"), taken=())
    elif later == "configured":
        own = cluster_of(offered, "")
        monkeypatch.setattr(runtime, "configured", lambda: (own,))
    await runtime.refresh()
    sessions = {} if later == "nothing" else {"prod": runtime.open("prod").session(Identity("bob"))}

    async def everything(session: Any = None, *_: Any) -> Any:
        seen = {"deployments": Visible()}
        if session is not None:
            session.reader.visible = seen
        return seen

    monkeypatch.setattr(Session, "review", everything)
    afterwards, drill = await done("web", timedelta(hours=1)), await drilled(timedelta(hours=1))
    for user, told in (("bob", {"web"}), ("carol", {"web", "salaries"})):
        found = AuditEntry.objects.filter(await told_to(user, sessions, False), change__isnull=False)
        assert {each.name async for each in found} == told
    moments = await in_database(timeline_read)(
        "prod", TimelineQuery(type="here"), await everything(), done_after=own_past("prod")
    )
    assert [each.name for each in moments.moments] == ["web"]
    for mine in sessions.values():
        screen = PostmortemScreen(mine, QueryDict())
        screen.span = Span(change.created_at - timedelta(hours=1), timezone.now() + timedelta(hours=2))
        await screen.prepare()
        assert [each.name for each in screen.found.entries] == ["web"]
    drills, _, under_way = await in_database(_operations)("prod", change.created_at - timedelta(hours=1))
    assert {each.change_id for each in (*drills, *under_way)} == {drill.pk}
    with pytest.raises(Forbidden, match="when people acted as themselves in prod") as told:
        await change_of(change.pk)
    assert "audit" in told.value.next_step and "salaries" not in told.value.message
    assert await change_of(afterwards.pk) == afterwards
