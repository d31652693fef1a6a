"""Every way to write to a cluster, walked with the gate shut: nothing in the namespace changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from dashboard.actions import engine
from dashboard.actions.action import Actor
from dashboard.actions.backups import KEPT, backups_prune
from dashboard.actions.configmap_editing import configmap_edit_apply, configmap_edit_preview
from dashboard.actions.configmap_plan import Draft, Row
from dashboard.actions.delete import DELETE
from dashboard.actions.operation import operation_advance
from dashboard.actions.operations import operation_begin, operations_claim
from dashboard.actions.pause import PAUSE
from dashboard.actions.restart import RESTART
from dashboard.actions.rotate import ROTATE
from dashboard.actions.scale import SCALE
from dashboard.actions.undo import change_undo_apply, change_undo_preview
from dashboard.errors import ReadOnly
from dashboard.insight.secretuse import READ
from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport
from dashboard.models import Change, Operation
from sandbox import Sandbox
from tests import acting

from .place import Place, until

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

SHUT = ["read-only installation", "context that is not allowed"]


class Here(Place):
    reads = READ | {"pods", "replicasets", "services", "horizontalpodautoscalers", "poddisruptionbudgets"}

    def written(self) -> dict[str, Any]:
        """What people write here: specs by their generation, contents, and who was deleted."""
        core, apps = f"/api/v1/namespaces/{self.namespace}", f"/apis/apps/v1/namespaces/{self.namespace}"
        found: dict[str, Any] = {}
        for path in (f"{core}/secrets", f"{core}/configmaps", f"{apps}/deployments", f"{core}/pods"):
            for item in self.api.get(path)["items"]:
                meta = item["metadata"]
                found[f"{path}/{meta['name']}"] = (
                    meta["uid"], meta.get("generation"), item.get("data"), meta.get("deletionTimestamp"),
                )  # fmt: skip
        return found


@pytest.fixture
async def place(cluster: Sandbox, transport: Transport, namespace: str) -> Here:
    here = Here(cluster, transport, namespace)
    here.make(
        "/api/v1/namespaces/{ns}/secrets", {"metadata": {"name": "database"}, "stringData": {"p": "old"}}
    )
    here.make("/api/v1/namespaces/{ns}/configmaps", {"metadata": {"name": "settings"}, "data": {"a": "1"}})
    env = [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "database", "key": "p"}}}]
    labels = {"app": "web"}
    spec = {"containers": [{"name": "app", "image": "web:1", "env": env}]}
    template = {"metadata": {"labels": labels}, "spec": spec}
    here.make(
        "/apis/apps/v1/namespaces/{ns}/deployments",
        {"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": labels}, "template": template}},
    )

    async def up() -> bool:
        found = here.api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/web")
        return bool(found.get("status", {}).get("readyReplicas") == 1)

    await until(up)
    return here


@pytest.mark.parametrize("why", SHUT)
async def test_no_way_to_write_leads_past_the_gate(
    place: Here, mara: Actor, settings: Any, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    where: dict[str, Any] = {"transport": place.transport, "actor": mara, "namespace": place.namespace}
    seen = {"objects": await place.objects()}
    objects: Any = seen["objects"]
    (pod,) = objects.all("pods")
    row = Row(id="new", name="b", text="2", upload=None, delete=False)
    draft = Draft((row,), {}, frozenset())
    scale = {**where, "name": "web", "replicas": "2"}
    restart = {**where, "plural": "deployments", "name": "web"}
    delete = {**where, "name": pod.metadata.name}
    rotate: dict[str, Any] = {**where, "name": "database", "key": "p", "value": "new"}
    edit: dict[str, Any] = {**where, "name": "settings", "draft": draft}

    # While it may be changed: a preview of everything, a change to undo, old backups.
    made = await acting.apply(
        SCALE,
        **{**scale, "replicas": "3"},
        token=(await acting.preview(SCALE, **{**scale, "replicas": "3"}, **seen)).token,
    )
    undo = {"transport": place.transport, "actor": mara, "change_id": made.pk}
    previews = {
        "undo": (await change_undo_preview(kinds=KINDS, **undo, **seen)).preview.token,
        "scale": (await acting.preview(SCALE, **scale, **seen)).token,
        "restart": (await acting.preview(RESTART, **restart, **seen)).token,
        "pause": (await acting.preview(PAUSE, **restart, **seen)).token,
        "delete": (await acting.preview(DELETE, **delete, **seen)).token,
    }
    edited = (await configmap_edit_preview(**edit, **seen)).preview
    assert edited is not None
    for at in range(KEPT + 2):
        value = {**rotate, "value": f"value-{at}"}
        last = await acting.apply(
            ROTATE, **value, token=(await acting.preview(ROTATE, **value, **seen)).token
        )
        await Operation.objects.acreate(change=last, state=Operation.State.DONE)
    previews["rotate"] = (await acting.preview(ROTATE, **rotate, **seen)).token

    # Shut, at the transport alone: what asks sooner is not needed for it.
    async def not_asked(_: object) -> None:
        return

    monkeypatch.setattr(engine, "changes_required", not_asked)
    if why == SHUT[0]:
        settings.CLUSTER_UI_READ_ONLY = True
    else:
        place.transport.cluster = dataclasses.replace(place.transport.cluster, is_sandbox=False)
    before = place.written()
    ways: dict[str, Callable[[], Awaitable[Change]]] = {
        "scale": lambda: acting.apply(SCALE, **scale, token=previews["scale"]),
        "restart": lambda: acting.apply(RESTART, **restart, token=previews["restart"]),
        "pause": lambda: acting.apply(PAUSE, **restart, token=previews["pause"]),
        "delete": lambda: acting.apply(DELETE, **delete, confirm=pod.metadata.name, token=previews["delete"]),
        "edit": lambda: configmap_edit_apply(**edit, **seen, token=edited.token, restart=["deployments/web"]),
        "rotate": lambda: acting.apply(ROTATE, **rotate, token=previews["rotate"]),
        "undo": lambda: change_undo_apply(kinds=KINDS, **undo, token=previews["undo"]),
    }
    for way in ways.values():
        with pytest.raises(ReadOnly):
            await way()
    await backups_prune(change=last, transport=place.transport)
    await Operation.objects.filter(change=last).adelete()
    begun = await operation_begin(action=ROTATE, change=last, transport=place.transport, objects=objects)
    assert [step["name"] for step in begun.steps] == ["web"]
    (rotation,) = await sync_to_async(operations_claim)("me", datetime.now(UTC))
    await operation_advance(
        action=ROTATE,
        operation=rotation,
        holder="me",
        transport=place.transport,
        objects=objects,
        now=datetime.now(UTC),
    )
    assert (await Operation.objects.aget(change=last)).state == Operation.State.STOPPED
    where_to = {"namespace": place.namespace, "name": pod.metadata.name, "subresource": "eviction"}
    with pytest.raises(ReadOnly):
        await place.transport.request("POST", KINDS["pods"].gvr, **where_to, body=b"{}")
    assert place.written() == before
