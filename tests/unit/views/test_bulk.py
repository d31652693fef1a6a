"""An action on many objects as a script sends it: what it is told, and what is refused with which field."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import AsyncClient

from dashboard.actions.registry import action_for
from dashboard.kinds import KINDS
from dashboard.live.runtime import runtime
from dashboard.live.session import Identity
from dashboard.models import AuditEntry, Change, Operation, OperationResult
from dashboard.views import bulk, changes

from ..actions.test_bulk import Cluster, webs
from ..markup import content_of

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/c/dev/bulk/deployments/{}/?format=json"
OBJECTS = [f"shop/web-{at}" for at in range(3)]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    api = webs(3)

    async def knows(_: str) -> None:
        return None

    @asynccontextmanager
    async def listed(_: object) -> AsyncIterator[None]:
        yield

    cluster: Any = SimpleNamespace(cluster=api.cluster, kinds=KINDS, knows=knows)
    session = SimpleNamespace(
        identity=Identity("mara"), cluster=cluster, transport=api, reader=api.world, again=lambda: session
    )
    cluster.session = lambda _: session
    monkeypatch.setattr(runtime, "open", lambda _: cluster)
    monkeypatch.setattr(bulk, "listed", listed)
    monkeypatch.setattr(changes, "listed", listed)
    return api


@pytest_asyncio.fixture
async def client(api: Cluster) -> AsyncClient:
    made = AsyncClient()
    await made.aforce_login(await User.objects.acreate(username="mara"))
    return made


async def post(client: AsyncClient, action: str = "scale", **fields: Any) -> tuple[int, dict[str, Any]]:
    response = await client.post(URL.format(action), {"object": OBJECTS, "replicas": "3"} | fields)
    return response.status_code, response.json()


async def test_a_preview_lists_each_and_an_apply_begins_one_change(client: AsyncClient, api: Cluster) -> None:
    api.forbidden.add("web-2")
    status, shown = await post(client, step="preview")
    assert status == 200
    assert set(shown) == {
        "token", "headline", "effects", "notices", "diff", "kubectl", "count", "objects",
    }  # fmt: skip
    assert [(each["object"], each["state"]) for each in shown["objects"]] == [
        ("shop/web-0", "change"), ("shop/web-1", "change"), ("shop/web-2", "refused"),
    ]  # fmt: skip
    assert shown["objects"][0]["diff"] and shown["objects"][0]["kubectl"].startswith("kubectl scale")
    assert shown["objects"][2]["refusal"]["text"] == "You may not get web-2."
    assert shown["headline"].startswith("2 of 3 Deployments will be changed")
    status, made = await post(client, step="apply", token=shown["token"], confirm="3", reason="why")
    change = await Change.objects.aget()
    assert (status, made) == (200, {"change": change.pk, "url": f"/changes/{change.pk}/"})
    assert (change.action, change.reason) == ("bulk-scale", "why")


@pytest.mark.parametrize(
    ("fields", "status", "field"),
    [
        ({"replicas": "many"}, 400, "replicas"),
        ({"object": "web"}, 400, "object"),
        ({"object": []}, 400, "object"),
        ({"object": [f"shop/web-{at}" for at in range(501)]}, 400, "object"),
        ({"step": "apply", "token": "x"}, 400, "token"),
        ({"step": "undo"}, 400, "step"),
        ({"step": "apply", "confirm": "2"}, 422, "confirm"),
        ({"step": "apply", "reason": "x" * 501}, 422, "reason"),
    ],
)
async def test_what_is_wrong_is_told_with_its_field(
    client: AsyncClient, fields: dict[str, Any], status: int, field: str
) -> None:
    if fields.get("step") == "apply" and "token" not in fields:
        fields |= {"token": (await post(client))[1]["token"]}
    found, answer = await post(client, **fields)
    assert (found, answer["error"]["field"]) == (status, field), answer
    audited = [entry.action async for entry in AuditEntry.objects.all()]
    assert audited == (["bulk-scale"] if fields.get("step") == "apply" else [])


async def test_an_action_with_a_form_of_its_own_is_for_one_object_at_a_time(client: AsyncClient) -> None:
    assert not action_for("edit", KINDS["deployments"], KINDS.values()).many
    status, answer = await post(client, "edit")
    assert status == 404 and "one object at a time" in answer["error"]["text"]


async def test_an_undo_of_the_whole_lists_each_and_begins_one_change(
    client: AsyncClient, api: Cluster
) -> None:
    jon = await User.objects.aget(username="mara")
    change = await Change.objects.acreate(
        nonce="n", state="done", user=jon, context="dev", action="bulk-scale", plural="deployments",
        kind="Deployment", namespace="shop",
        result={
            "wanted": {"replicas": 3}, "gvr": ["apps", "v1", "deployments", True], "kinds": "Deployments",
            "count": 2, "namespaces": ["shop"], "confirmed": False,
        },
    )  # fmt: skip
    operation = await Operation.objects.acreate(change=change, state="done")
    for at, name in enumerate(("web-0", "web-1")):
        api.named(name)["spec"]["replicas"] = 3 if at else 5
        own = await Change.objects.acreate(
            nonce=f"n {at}", state="done", user=jon, context="dev", action="scale", plural="deployments",
            kind="Deployment", namespace="shop", name=name, uid=f"u-{name}", touched={"/spec/replicas": [1, 3]},
            inverse={"action": "scale", "input": {"replicas": 1}},
        )  # fmt: skip
        await OperationResult.objects.acreate(
            operation=operation, position=at, plural="deployments", kind="Deployment", namespace="shop", name=name,
            state="done", data={"change": own.pk},
        )  # fmt: skip
    url = f"/changes/{change.pk}/undo/?format=json"
    response = await client.post(url, {"step": "preview"})
    shown = response.json()
    assert response.status_code == 200, shown
    assert [(each["object"], each["state"]) for each in shown["objects"]] == [
        ("shop/web-1", "change"), ("shop/web-0", "refused"),
    ]  # fmt: skip
    assert "now it is 5 replicas" in shown["objects"][1]["refusal"]["text"] and shown["count"] == 2
    for fields, field in (
        ({"confirm": "1"}, "confirm"),
        ({"order": "two"}, "order"),
        ({"token": "x"}, "token"),
    ):
        wrong = await client.post(url, {"step": "apply", "token": shown["token"]} | fields)
        assert wrong.json()["error"]["field"] == field, wrong.json()
    response = await client.post(url, {"step": "apply", "token": shown["token"], "order": "one"})
    made = await Change.objects.aget(undoes=change)
    assert response.json() == {"change": made.pk, "url": f"/changes/{made.pk}/"}
    assert made.result["order"] == "one"


@pytest.mark.parametrize(
    ("objects", "title", "where"),
    [
        (["shop/web-0", "shop/web-1"], "Scale 2 Deployments in shop", "shop"),
        (["shop/web-0", "blog/web-1", "mail/web-2"], "Scale 3 Deployments in 3 namespaces", "3 namespaces"),
    ],
)
async def test_title_heading_and_breadcrumbs_say_in_which_namespaces(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch, objects: list[str], title: str, where: str
) -> None:
    titles: list[str] = []

    async def page(request: Any, cluster: Any, screen: Any, *, title: str, more: Any) -> HttpResponse:
        titles.append(title)
        return HttpResponse(content_of(screen.page, more))

    monkeypatch.setattr(bulk, "page", page)
    html = (await client.post("/c/dev/bulk/deployments/scale/", {"object": objects})).content.decode()
    assert titles == [title]
    assert re.search(rf"<h1>.*in {where}</span></h1>", html, re.DOTALL)
    crumbs = re.findall(r"<li><a href=\"([^\"]*)\">([^<]*)</a></li>", html)
    query = "?namespace=shop" if where == "shop" else ""
    assert crumbs == [
        ("/c/dev/deployments/", "Deployments"), (f"/c/dev/deployments/{query}", where),
    ]  # fmt: skip
