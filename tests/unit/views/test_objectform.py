"""The form by which an object is edited: checks while somebody types, conflicts, refusals at their inputs."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import pytest_asyncio
from django.contrib.auth.models import User
from django.test import AsyncClient

from dashboard.actions.edit_any import packed
from dashboard.errors import FieldCause, Invalid
from tests.formed import Script, open_forms

from ..actions.server import Server
from ..insight.world import World, deployment, pod

pytestmark = pytest.mark.django_db(transaction=True)

META = {"uid": "u1", "resourceVersion": "7", "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"}
SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": META | {"name": "web"},
    "spec": {
        "type": "NodePort",
        "selector": {"app": "web"},
        "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080, "nodePort": 30080}],
    },
}
KEY = ("services", "shop", "web")


@pytest_asyncio.fixture
async def client() -> AsyncClient:
    made = AsyncClient()
    await made.aforce_login(await User.objects.acreate(username="mara"))
    return made


@pytest.fixture
def world() -> World:
    made = World(
        ("deployments", deployment("web")),
        ("pods", pod("web-1", owner=("Deployment", "web"))),
        ("pods", pod("other", labels={"app": "other"}, owner=None)),
        ("services", SERVICE),
    )
    made.reads = lambda *_: True  # type: ignore[method-assign]
    return made


@pytest.fixture
def api(world: World, monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server("services", SERVICE)
    open_forms(monkeypatch, server, world)
    return server


def script(client: AsyncClient, typed: dict[str, Any]) -> Script:
    return Script(client, "/c/dev/services/shop/web/form/", {"base": packed(SERVICE)} | typed)


async def fragment(of: Script, step: str) -> tuple[int, str]:
    answer = await of.client.post(of.url, of.typed | {"step": step}, headers={"HX-Target": "preview"})
    return answer.status_code, answer.content.decode()


async def test_what_it_would_match_and_change_is_said_without_a_request(
    client: AsyncClient, api: Server
) -> None:
    status, html = await fragment(script(client, {"selector.key": "app", "selector.value": "other"}), "check")
    assert status == 200 and html.lstrip().startswith('<div id="preview"')
    assert "It would match 1 pod" in html and "other" in html
    assert "Changes so far" in html and 'class="ins"' in html
    assert not api.gets and not api.writes


async def test_a_preview_says_whose_requests_it_takes_no_more(
    client: AsyncClient, api: Server, world: World
) -> None:
    path = {
        "path": "/",
        "pathType": "Prefix",
        "backend": {"service": {"name": "web", "port": {"number": 80}}},
    }
    rules = [{"host": "shop.example.com", "http": {"paths": [path]}}]
    world.add("ingresses", {"metadata": {"name": "shop", "namespace": "shop"}, "spec": {"rules": rules}})
    shown = await script(client, {"selector.value": "nothing", "ports.port": "81"}).preview()
    assert shown["headline"].startswith("web would match no pod")
    told = [each["text"] for each in shown["effects"]]
    assert "It stops routing to 1 pod" in told
    assert "Ingress shop routes to port 80 (http), which it no longer has" in told


async def test_what_others_changed_beside_it_stays_and_is_no_conflict(
    client: AsyncClient, api: Server
) -> None:
    typed = script(client, {"type": "ClusterIP"})
    api.objects[KEY]["spec"] |= {"sessionAffinity": "ClientIP", "selector": {"app": "web", "tier": "front"}}
    api.objects[KEY]["metadata"]["resourceVersion"] = "8"
    shown = await typed.preview()
    assert "conflict" not in shown
    await typed.apply(shown["token"])
    spec = api.objects[KEY]["spec"]
    assert (spec["type"], spec["sessionAffinity"]) == ("ClusterIP", "ClientIP")
    assert spec["selector"] == {"app": "web", "tier": "front"}


async def test_what_others_changed_of_the_same_is_said_with_what_was_typed(
    client: AsyncClient, api: Server
) -> None:
    typed = script(client, {"type": "LoadBalancer"})
    api.objects[KEY]["spec"]["type"] = "ClusterIP"
    api.objects[KEY]["metadata"]["resourceVersion"] = "8"
    shown = await typed.preview()
    assert "NodePort" in shown["conflict"]["was"] and "ClusterIP" in shown["conflict"]["now"]
    assert shown["token"]
    status, html = await fragment(typed, "preview")
    assert status == 200 and "It changed meanwhile" in html and "data-apply" in html


async def test_what_changed_since_the_preview_is_not_written(client: AsyncClient, api: Server) -> None:
    typed = script(client, {"type": "LoadBalancer"})
    token = (await typed.preview())["token"]
    api.objects[KEY]["spec"]["type"] = "ClusterIP"
    api.objects[KEY]["metadata"]["resourceVersion"] = "8"
    status, answer = await typed.post(step="apply", token=token)
    assert status == 409 and "was changed" in answer["error"]["text"] and not api.writes


async def test_of_a_deleted_object_all_that_was_typed_is_still_said(client: AsyncClient, api: Server) -> None:
    api.objects.clear()
    typed = script(client, {"selector.key": "app", "selector.value": "other"})
    status, html = await fragment(typed, "preview")
    assert status == 404 and "There is no Service web" in html and "Changes so far" in html


async def test_what_the_api_server_refuses_stands_at_its_input(
    client: AsyncClient, api: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = api.request

    async def refuse(method: str, target: Any, **given: Any) -> Any:
        if method == "PATCH":
            raise Invalid("It is refused.", causes=(FieldCause("spec.ports[0].port", "is taken"),))
        return await ask(method, target, **given)

    monkeypatch.setattr(api, "request", refuse)
    status, answer = await script(client, {"ports.port": "81"}).post(step="preview")
    assert (status, answer["error"]["field"]) == (422, "ports")
    _, html = await fragment(script(client, {"ports.port": "81"}), "preview")
    assert 'id="said-ports" data-state="bad"' in html


async def test_an_object_that_has_no_form_is_left_to_yaml(
    client: AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = copy.deepcopy(SERVICE) | {"spec": {"type": "ExternalName", "externalName": "db.example.com"}}
    server = Server("services", outside)
    open_forms(monkeypatch, server, world)
    of = Script(client, "/c/dev/services/shop/web/form/", {"type": "ClusterIP"})
    status, answer = await of.post(step="preview")
    assert status == 422 and "db.example.com" in answer["error"]["text"]
    assert answer["error"]["title"] == "It can't be edited by form" and not server.writes


async def test_the_command_is_the_patch_that_is_sent(client: AsyncClient, api: Server) -> None:
    shown = await script(client, {"type": "ClusterIP"}).preview()
    assert (
        shown["kubectl"]
        == """kubectl patch service/web -n shop --type=merge -p '{"spec":{"type":"ClusterIP"}}'"""
    )


async def test_the_form_of_a_claim_leads_to_its_expansion(
    client: AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": META | {"name": "data"},
        "spec": {},
    }
    open_forms(monkeypatch, Server("persistentvolumeclaims", claim), world)
    url = "/c/dev/persistentvolumeclaims/shop/data/form/"
    answer = await client.get(url)
    assert (answer.status_code, answer.headers["Location"]) == (302, url.replace("/form/", "/expand/"))
    status, said = await Script(client, url, {"size": "2Gi"}).post(step="preview")
    assert status == 422 and "done by Expand" in said["error"]["text"]


async def test_labels_of_a_namespace_say_which_pods_get_through_no_more(
    client: AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = {"team": "shop"}
    shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": META | {"name": "shop", "labels": labels}}
    del shop["metadata"]["namespace"]
    allow = {"from": [{"namespaceSelector": {"matchLabels": labels}}]}
    world.add(
        "networkpolicies", {"metadata": {"name": "db", "namespace": "data"}, "spec": {"ingress": [allow]}}
    )
    open_forms(monkeypatch, Server("namespaces", shop), world)
    of = Script(client, "/c/dev/namespaces/-/shop/form/", {"labels.value": "front", "security": "restricted"})
    shown = await of.preview()
    told = [each["text"] for each in shown["effects"]]
    assert told == [
        "Pod Security restricted is enforced in shop",
        "NetworkPolicy db in data no longer lets its pods through",
    ]
    twice = {"labels.key": ["team", "team"], "labels.value": ["a", "b"]}
    status, said = await Script(client, of.url, twice).post(step="preview")  # type: ignore[arg-type]
    assert (status, said["error"]["field"]) == (400, "labels-1")
