"""Replacing an immutable Secret: what is pointed to the new one, what is refused at its input, and no value anywhere."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import pytest_asyncio
from django.contrib.auth.models import User
from django.test import AsyncClient

from dashboard.actions.replacing import content_mark
from dashboard.actions.repoint import repointed
from dashboard.insight.references import users
from dashboard.models import Change
from tests.formed import Script, open_forms

from ..actions.server import Server
from ..insight.world import World, deployment

pytestmark = pytest.mark.django_db(transaction=True)

OLD, KEPT, NEW = "old-canary-value", "kept-canary-value", "new-canary-value"
META = {"uid": "u1", "resourceVersion": "7", "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"}
ENV = [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]
INGRESS: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "shop", "namespace": "shop"},
    "spec": {"tls": [{"hosts": ["a.example.com"], "secretName": "db"}, {"secretName": "other"}]},
}


def web() -> dict[str, Any]:
    made = deployment("web")
    made["spec"]["template"]["spec"] = {"containers": [{"name": "app", "image": "web:1", "env": ENV}]}
    return made | {"apiVersion": "apps/v1", "kind": "Deployment"}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SECRET: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": META | {"name": "db", "labels": {"app": "db"}, "annotations": {"note": OLD}},
    "type": "Opaque",
    "immutable": True,
    "data": {"password": encoded(OLD), "user": encoded(KEPT)},
}


@pytest_asyncio.fixture
async def client() -> AsyncClient:
    made = AsyncClient()
    await made.aforce_login(await User.objects.acreate(username="mara"))
    return made


@pytest.fixture
def world() -> World:
    made = World(("deployments", web()), ("ingresses", INGRESS))
    made.reads = lambda *_: True  # type: ignore[method-assign]
    return made


@pytest.fixture
def api(world: World, monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server("secrets", SECRET)
    server.objects["ingresses", "shop", "shop"] = INGRESS | {
        "metadata": INGRESS["metadata"] | META | {"uid": "u2"}
    }
    server.objects["deployments", "shop", "web"] = web() | {"metadata": META | {"name": "web", "uid": "u3"}}
    open_forms(monkeypatch, server, world)
    return server


def script(client: AsyncClient, **typed: str) -> Script:
    fields = {"value.password": NEW} | {name.replace("__", "."): text for name, text in typed.items()}
    return Script(client, "/c/dev/secrets/shop/db/replace/", fields)


async def test_who_uses_it_is_pointed_to_the_new_one_ingresses_too(client: AsyncClient, api: Server) -> None:
    of = script(client)
    shown = await of.preview()
    told = {each["text"]: each["word"] for each in shown["effects"]}
    assert told["Secret db-2 is created"] == "new"
    assert told["Deployment web: env PASSWORD"] == "stage 1"
    assert told["Ingress shop: TLS of a.example.com"] == "stage 2"
    made = await of.apply(shown["token"])
    found = api.objects["secrets", "shop", "db-2"]
    assert found["data"] == {"password": encoded(NEW), "user": encoded(KEPT)}
    assert (found["type"], found["immutable"], found["metadata"]["labels"]) == ("Opaque", True, {"app": "db"})
    assert "annotations" not in found["metadata"]
    change = await Change.objects.aget(pk=made["change"])
    assert [each[:2] for each in change.result["consumers"]] == [
        ["deployments", "web"],
        ["ingresses", "shop"],
    ]
    said = repr((shown, made, vars(change)))
    for text in (OLD, KEPT, NEW):
        assert text not in said and encoded(text) not in said


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"value__password": ""}, "value"),
        ({"value__other": "x"}, "value.other"),
        ({"encoding__password": "base64"}, "value.password"),
        ({"new_name": "No name"}, "new_name"),
    ],
)
async def test_what_is_wrong_stands_at_its_input(
    client: AsyncClient, api: Server, typed: dict[str, str], field: str
) -> None:
    status, answer = await script(client, **typed).post(step="preview")
    assert (status, answer["error"]["field"]) == (400, field)
    assert NEW not in repr(answer) and not api.created


async def test_a_value_that_no_variable_can_hold_is_told(client: AsyncClient, api: Server) -> None:
    raw = base64.b64encode(b"a\0b").decode()
    shown = await script(client, value__password=raw, encoding__password="base64").preview()
    assert shown["headline"].startswith("New pods of web will not start")


async def test_values_that_somebody_wrote_since_the_preview_are_not_lost(
    client: AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server("secrets", {key: each for key, each in SECRET.items() if key != "immutable"})
    open_forms(monkeypatch, server, world)
    of = script(client)
    token = (await of.preview())["token"]
    server.objects["secrets", "shop", "db"]["data"]["user"] = encoded("theirs")
    status, answer = await of.post(step="apply", token=token)
    assert status == 409 and "given other values" in answer["error"]["text"] and not server.created


async def test_the_rotation_of_an_immutable_one_leads_to_its_replacement(
    client: AsyncClient, api: Server
) -> None:
    answer = await client.get("/c/dev/secrets/shop/db/rotate/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/c/dev/secrets/shop/db/replace/")
    rotate = Script(client, "/c/dev/secrets/shop/db/rotate/", {"key": "password", "value": NEW})
    status, said = await rotate.post(step="preview")
    assert status == 422 and "Replace it" in said["error"]["text"]


def test_an_ingress_names_a_secret_and_no_configmap(world: World) -> None:
    assert [(each.ref.kind, each.ways) for each in users(world, "shop", "Secret", "db")] == [
        ("Deployment", "env PASSWORD"), ("Ingress", "TLS of a.example.com"),
    ]  # fmt: skip
    assert users(world, "shop", "ConfigMap", "db") == ()
    assert repointed(INGRESS, "ConfigMap", "db", "db-2") is None
    wanted = repointed(INGRESS, "Secret", "db", "db-2")
    assert wanted is not None
    tls = [{"hosts": ["a.example.com"], "secretName": "db-2"}, {"secretName": "other"}]
    assert wanted["restore"] == [["/spec/tls", tls]]


def test_what_stands_for_a_secret_tells_nothing_without_the_key(settings: Any) -> None:
    first = content_mark(SECRET)
    assert first == content_mark({**SECRET}) and first != content_mark(SECRET | {"data": {}})
    settings.SECRET_KEY = "another"
    assert content_mark(SECRET) != first
