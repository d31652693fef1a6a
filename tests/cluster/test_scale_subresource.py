"""Scaling what has no module here, by its scale subresource alone: a custom kind, and ReplicationControllers."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard.actions.action import Actor, Order, Target
from dashboard.actions.engine import action_order, change_apply, change_form, change_preview
from dashboard.actions.problems import StaleView
from dashboard.actions.scale import SCALE
from dashboard.actions.undo import change_follow, change_undo_apply, change_undo_preview
from dashboard.errors import Forbidden
from dashboard.kinds.catalogue import Kinds
from dashboard.kube.discovery import discover
from dashboard.kube.transport import Transport
from sandbox import Sandbox

from .place import Place, rule, until

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CONTROLLER = {
    "metadata": {"name": "one"},
    "spec": {
        "replicas": 2,
        "selector": {"app": "one"},
        "template": {
            "metadata": {"labels": {"app": "one"}},
            "spec": {"containers": [{"name": "app", "image": "one:1"}]},
        },
    },
}


@pytest.fixture
def group(cluster: Sandbox) -> Iterator[str]:
    """The API group of Rings, whose number of replicas stands in spec.size."""
    name, api = f"g{secrets.token_hex(4)}.example.com", cluster.api()
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"},
        },
    }
    names = {"plural": "rings", "singular": "ring", "kind": "Ring"}
    spec = {"group": name, "scope": "Namespaced", "names": names, "versions": [version]}
    api.post(DEFINITIONS, {"metadata": {"name": f"rings.{name}"}, "spec": spec})
    yield name
    api.delete(f"{DEFINITIONS}/rings.{name}")


@pytest.fixture
async def kinds(transport: Transport, group: str) -> Kinds:
    made = Kinds()

    async def served() -> bool:
        made.learn(await discover(transport))
        return f"rings.{group}" in made

    await until(served)
    return made


@pytest.fixture(params=["rings", "replicationcontrollers"])
def plural(request: pytest.FixtureRequest, transport: Transport, group: str) -> str:
    return f"rings.{group}" if request.param == "rings" else "replicationcontrollers"


def order(transport: Transport, who: Actor, target: Target, replicas: int) -> Order:
    return action_order(
        transport=transport, actor=who, target=target, action=SCALE, typed={"replicas": str(replicas)}
    )


async def test_a_kind_without_a_module_is_scaled_wherever_its_number_stands(
    cluster: Sandbox, transport: Transport, namespace: str, mara: Actor, kinds: Kinds, plural: str
) -> None:
    place, kind = Place(cluster, transport, namespace), kinds[plural]
    assert SCALE.fits(kind)
    manifest: dict[str, Any] = CONTROLLER
    if plural.startswith("rings"):
        version, name = kind.gvr.api_version, {"name": "one"}
        manifest = {"apiVersion": version, "kind": "Ring", "metadata": name, "spec": {"size": 2}}
    place.make(kind.gvr.path(namespace), manifest)
    target, objects = Target.of(transport.cluster.name, kind, namespace, "one"), await place.objects()

    form = await change_form(transport=transport, target=target, action=SCALE, objects=objects)
    assert form.refusal is None and SCALE.touched(form.manifest) == {"/spec/replicas": 2}
    asked = order(transport, mara, target, 0)
    shown = await change_preview(order=asked, objects=objects)
    assert [line.text for line in shown.diff if line.sign in ("-", "+")] == ["  replicas: 2", "  replicas: 0"]
    assert shown.told.kubectl == target.kubectl("scale", "--current-replicas=2", "--replicas=0")
    change = await change_apply(order=asked, token=shown.token)

    def size() -> int:
        found = place.api.get(kind.gvr.path(namespace, "one"))["spec"]
        return int(found["size" if plural.startswith("rings") else "replicas"])

    assert size() == 0
    again = await change_preview(order=order(transport, mara, target, 3), objects=objects)
    follow = change_follow(change=change, objects=objects, now=datetime.now(UTC))
    assert follow.headline == "one is gone", "nothing is read of it here"
    undo = await change_undo_preview(
        transport=transport, actor=mara, change_id=change.pk, objects=objects, kinds=kinds
    )
    await change_undo_apply(
        transport=transport, actor=mara, change_id=change.pk, token=undo.preview.token, kinds=kinds
    )
    assert size() == 2
    with pytest.raises(StaleView, match=r"it was 0 replicas, now it is 2 replicas"):
        await change_apply(order=order(transport, mara, target, 3), token=again.token)
    async with place.restricted(rule(kind.gvr.group, kind.gvr.plural, "get")) as reader:
        with pytest.raises(Forbidden, match=f"may not patch {kind.gvr.plural}/scale"):
            await change_preview(order=order(reader, mara, target, 1), objects=objects)
