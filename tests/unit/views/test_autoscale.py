"""Autoscaling a workload that has an autoscaler already edits that one."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient

from dashboard.models import Change
from tests.formed import Script, open_forms

from ..actions.server import Server
from ..insight.world import World
from .test_every_action import AUTOSCALER, BOUNDS, WEB

pytestmark = pytest.mark.django_db(transaction=True)

META = {"namespace": "shop", "uid": "u1", "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"}
MEMORY = {"type": "Resource", "resource": {"name": "memory", "target": {"type": "Utilization"}}}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Server:
    workload = WEB | {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": WEB["metadata"] | META}
    scaler = AUTOSCALER | {
        "metadata": {"name": "mine", **META, "uid": "u2"},
        "spec": AUTOSCALER["spec"] | {"metrics": [MEMORY]},
    }
    server = Server("deployments", workload)
    server.objects["horizontalpodautoscalers", "shop", "mine"] = scaler
    world = World(("deployments", workload), ("horizontalpodautoscalers", scaler))
    world.reads = lambda *_: True  # type: ignore[method-assign]
    screens = open_forms(monkeypatch, server, world)
    # Only the screen's own session, once it is prepared, tells what may be listed.
    before = SimpleNamespace(**vars(screens) | {"reader": World()})
    monkeypatch.setattr(screens.cluster, "session", lambda _: before)
    return server


async def test_a_workload_that_has_one_has_that_one_edited(api: Server) -> None:
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate(username="mara"))
    url = "/c/dev/deployments/shop/web/autoscale/"
    form = await client.get(url)
    assert form.status_code == 302
    assert form.headers["Location"] == "/c/dev/horizontalpodautoscalers/shop/mine/autoscale/"
    script = Script(client, url, BOUNDS)
    await script.apply((await script.preview())["token"])
    change = await Change.objects.aget()
    assert (change.plural, change.name, api.created) == ("horizontalpodautoscalers", "mine", [])
    spec = api.objects["horizontalpodautoscalers", "shop", "mine"]["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"], len(spec["metrics"])) == (2, 5, 2)
    assert (
        spec["metrics"][0] == MEMORY and spec["metrics"][1]["resource"]["target"]["averageUtilization"] == 60
    )


async def test_what_a_controller_keeps_is_not_autoscaled(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d", "controller": True}
    meta = {"name": "web-1", **META, "ownerReferences": [owner]}
    owned = WEB | {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta}
    server = Server("replicasets", owned)
    open_forms(monkeypatch, server, World(("replicasets", owned)))
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate(username="mara"))
    status, answer = await Script(client, "/c/dev/replicasets/shop/web-1/autoscale/", BOUNDS).post(
        step="preview"
    )
    assert status == 422 and "Deployment web keeps the number of replicas" in answer["error"]["text"]
