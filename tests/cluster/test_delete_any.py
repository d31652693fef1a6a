"""Deleting objects of any kind on a real API server: what goes with them, and creating them again."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from dashboard.actions.action import Actor, Order, Target
from dashboard.actions.delete_any import DELETE_ANY
from dashboard.actions.engine import change_apply, change_preview
from dashboard.actions.undo import change_undo_apply, change_undo_preview
from dashboard.insight.words import text_of
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR
from dashboard.kinds.catalogue import DEFINITIONS
from dashboard.kinds.tablekinds import Resource, TableKind
from dashboard.kube.transport import Transport
from dashboard.models import Change
from sandbox import Sandbox

from .place import Place, until

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]


class Here(Place):
    reads = DELETE_ANY.reads

    def order(self, who: Actor, target: Target, propagation: str = "Background", confirm: str = "") -> Order:
        wanted = {"propagation": propagation}
        return Order(
            transport=self.transport,
            actor=who,
            target=target,
            action=DELETE_ANY,
            wanted=wanted,
            confirm=confirm,
        )

    def target(self, plural: str, name: str) -> Target:
        kind = KINDS[plural]
        return Target.of("tests", kind, self.namespace if kind.gvr.namespaced else "", name)

    async def effects(self, order: Order) -> str:
        shown = await change_preview(order=order, objects=await self.objects())
        return "\n".join(f"{text_of(each.text)} [{each.word}] {each.note}" for each in shown.told.effects)

    async def delete(self, order: Order) -> Change:
        shown = await change_preview(order=order, objects=await self.objects())
        return await change_apply(order=order, token=shown.token)


@pytest.fixture
def here(cluster: Sandbox, transport: Transport, namespace: str) -> Here:
    return Here(cluster, transport, namespace)


LABELS = {"app": "web"}


async def test_what_a_deployment_owns_is_told_and_a_service_gets_its_address_back(
    here: Here, mara: Actor
) -> None:
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    web = {"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": LABELS}, "template": template}}
    here.make("/apis/apps/v1/namespaces/{ns}/deployments", web)
    order = here.order(mara, here.target("deployments", "web"))

    async def told() -> bool:
        effects = await here.effects(order)
        return "1 ReplicaSet [deleted]" in effects and "1 Pod [deleted]" in effects

    await until(told)
    assert "1 Pod [stays]" in await here.effects(here.order(mara, order.target, "Orphan"))

    path = f"/api/v1/namespaces/{here.namespace}/services"
    here.api.post(path, {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}})
    address = here.api.get(f"{path}/web")["spec"]["clusterIP"]
    deleted = await here.delete(here.order(mara, here.target("services", "web")))
    undo = {"transport": here.transport, "actor": mara, "change_id": deleted.pk, "kinds": KINDS}
    shown = await change_undo_preview(objects=await here.objects(), **undo)
    await change_undo_apply(token=shown.preview.token, **undo)
    assert here.api.get(f"{path}/web")["spec"]["clusterIP"] == address

    # The address is somebody else's by the time of the undo.
    deleted = await here.delete(here.order(mara, here.target("services", "web")))
    here.api.post(
        path, {"metadata": {"name": "other"}, "spec": {"clusterIP": address, "ports": [{"port": 80}]}}
    )
    undo["change_id"] = deleted.pk
    shown = await change_undo_preview(objects=await here.objects(), **undo)
    assert [each.title for each in shown.preview.told.notices] == ["It gets other addresses"]
    await change_undo_apply(token=shown.preview.token, **undo)
    assert here.api.get(f"{path}/web")["spec"]["clusterIP"] not in (address, "", None)


async def test_a_namespace_and_a_custom_kind_tell_what_they_hold(here: Here, mara: Actor) -> None:
    here.make("/api/v1/namespaces/{ns}/configmaps", {"metadata": {"name": "one"}})
    here.make(
        "/api/v1/namespaces/{ns}/secrets", {"metadata": {"name": "two"}, "stringData": {"a": "canary-7391"}}
    )
    told = await here.effects(here.order(mara, here.target("namespaces", here.namespace)))
    assert "2 ConfigMaps [deleted]" in told and "1 Secret [deleted] two" in told and "canary" not in told

    group = f"x{secrets.token_hex(4)}.example.com"
    names = {"plural": "rings", "kind": "Ring", "singular": "ring", "listKind": "RingList"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    spec = {"group": group, "names": names, "scope": "Cluster", "versions": [version]}
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    here.api.post(path, {"metadata": {"name": f"rings.{group}"}, "spec": spec})
    rings = Resource(GVR(group, "v1", "rings", namespaced=False), "Ring", "ring")
    try:

        async def served() -> Any:
            try:
                return here.api.post(f"/apis/{group}/v1/rings", {
                    "apiVersion": f"{group}/v1", "kind": "Ring", "metadata": {"name": "one"}, "size": 3,
                })  # fmt: skip
            except Exception:
                return None

        await until(served)
        definition = Target.of("tests", TableKind.of(DEFINITIONS), "", f"rings.{group}")
        shown = await change_preview(order=here.order(mara, definition), objects=await here.objects())
        assert shown.told.headline is not None
        assert shown.told.headline.title == "1 Ring is deleted with it"

        # A cluster-scoped custom object, deleted and created again.
        kind = TableKind.of(rings)
        ring = Target.of("tests", kind, "", "one")
        deleted = await here.delete(here.order(mara, ring))
        undo = {
            "transport": here.transport, "actor": mara, "change_id": deleted.pk, "kinds": {rings.key: kind},
        }  # fmt: skip
        back = await change_undo_preview(objects=await here.objects(), **undo)
        made = await change_undo_apply(token=back.preview.token, **undo)
        again = here.api.get(f"/apis/{group}/v1/rings/one")
        assert again["size"] == 3 and made.uid == again["metadata"]["uid"] != deleted.uid
    finally:
        here.api.delete(f"{path}/rings.{group}")
