"""Debug containers against a real API server: Pod Security, and the shell that waits for one."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio
from django.contrib.auth.models import User
from django.test import AsyncClient

from dashboard.insight.debugging import ENFORCE
from dashboard.kube.transport import Transport
from sandbox import Sandbox
from tests.formed import Script, open_forms

from .place import Place
from .test_shell import Here, here

__all__ = ["here"]  # a fixture

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

IMAGE, LOST = "busybox:1.37", "registry.invalid/busybox:1"


@pytest_asyncio.fixture
async def client(settings: Any) -> AsyncClient:
    settings.CLUSTER_UI_DEBUG_IMAGES = [IMAGE, LOST]
    made = AsyncClient()
    await made.aforce_login(await User.objects.acreate(username="jon"))
    return made


class Box(Place):
    reads = ("pods", "namespaces")

    async def script(self, client: AsyncClient, monkeypatch: pytest.MonkeyPatch, **typed: str) -> Script:
        open_forms(monkeypatch, self.transport, await self.objects())
        return Script(client, f"/c/tests/pods/{self.namespace}/box/debug/", typed)


async def test_it_passes_the_level_that_its_namespace_enforces_and_what_does_not_is_told(
    cluster: Sandbox,
    transport: Transport,
    namespace: str,
    client: AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    box = Box(cluster, transport, namespace)
    box.api.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": {ENFORCE: "restricted"}}})
    safe = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    spec = {"containers": [{"name": "app", "image": "a/app:1", "securityContext": safe}]}
    box.make("/api/v1/namespaces/{ns}/pods", {"metadata": {"name": "box"}, "spec": spec})
    chosen = await box.script(client, monkeypatch, target="-")
    made = await chosen.apply((await chosen.preview())["token"])
    (added,) = box.api.get(f"/api/v1/namespaces/{namespace}/pods/box")["spec"]["ephemeralContainers"]
    assert added["image"] == IMAGE and added["securityContext"]["runAsNonRoot"] is True
    general = await box.script(client, monkeypatch, target="-", profile="general")
    status, answer = await general.post(step="preview")
    assert status == 403, answer
    assert "violates PodSecurity" in answer["error"]["text"]
    undo = Script(client, f"{made['url']}undo/", {})
    status, answer = await undo.post(step="preview")
    assert status == 409 and "can't be removed" in answer["error"]["text"]


async def added(here: Here, client: AsyncClient, monkeypatch: pytest.MonkeyPatch, image: str) -> str:
    """Adds a debug container to the pod, and gives its name."""
    box = Box(here.cluster, here.transport, here.namespace)
    script = await box.script(client, monkeypatch, image=image, target="app")
    await script.apply((await script.preview())["token"])
    found = box.api.get(f"/api/v1/namespaces/{here.namespace}/pods/box")["spec"]["ephemeralContainers"]
    return str(found[-1]["name"])


async def test_a_shell_waits_for_it_and_says_what_for(
    here: Here, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = await added(here, client, monkeypatch, IMAGE)
    async with here.socket() as shell:
        heard = await shell.start(name)
        while heard["t"] == "waiting":
            assert f"{name} is starting" in heard["text"]
            heard = await shell.heard()
        assert heard == {"t": "started"}
        await shell.type(b"echo debug-$((1 + 1))\n")
        await shell.until(lambda printed: b"debug-2" in printed)


async def test_an_image_that_is_not_there_is_told_until_it_was_waited_for_long_enough(
    here: Here, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = await added(here, client, monkeypatch, LOST)
    async with here.socket() as shell:
        heard = await shell.start(name)
        while "not found" not in heard["text"]:
            assert heard["t"] == "waiting"
            heard = await shell.heard()
        monkeypatch.setattr("dashboard.actions.shell.STARTING_SECONDS", 0.0)
        await shell.tell({"t": "end"})
        heard = await shell.heard()
        assert (heard["t"], heard["text"]) == ("refused", "It was not started: the user ended it.")
    async with here.socket() as shell:
        heard = await shell.start(name)
        assert (heard["t"], heard["title"]) == ("refused", "The container did not start")
        assert f"Image {LOST} not found" in heard["text"]


async def test_a_pod_that_goes_meanwhile_is_told(
    here: Here, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = await added(here, client, monkeypatch, LOST)
    async with here.socket() as shell:
        assert (await shell.start(name))["t"] == "waiting"
        here.api.delete(f"/api/v1/namespaces/{here.namespace}/pods/box?gracePeriodSeconds=0")
        heard = await shell.heard()
        while heard["t"] == "waiting":
            heard = await shell.heard()
        assert (heard["t"], heard["title"]) == ("refused", "Not found")
        assert "look for the pod that replaced it" in heard["next"]
