"""Scaling against a real API server: what is sent, what is refused, what two people see of each other."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard.actions.action import Actor, Preview, typed_object
from dashboard.actions.problems import StaleView
from dashboard.actions.scale import SCALE
from dashboard.actions.undo import change_follow, change_undo_apply, change_undo_preview
from dashboard.errors import BadInput, Conflict, Forbidden, Invalid
from dashboard.insight.words import text_of
from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change
from sandbox import Sandbox
from sandbox.api import ApiError
from tests import acting

from .place import Place, on, rule, until

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]


class Web(Place):
    """A namespace with a Deployment "web" in it."""

    reads = (
        "deployments", "replicasets", "pods", "services", "endpointslices", "ingresses", "horizontalpodautoscalers",
        "poddisruptionbudgets", "resourcequotas", "nodes",
    )  # fmt: skip

    @property
    def web(self) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}/deployments/web"

    def get(self) -> dict[str, Any]:
        return self.api.get(self.web)

    async def settled(self, replicas: int) -> dict[str, Any]:
        """The Deployment, once all its pods are ready and its status is at rest."""

        async def check() -> dict[str, Any] | None:
            found = self.get()
            status = found.get("status", {})
            ready = status.get("readyReplicas", 0) == status.get("replicas", 0) == replicas
            noticed = status.get("observedGeneration") == found["metadata"]["generation"]
            return found if ready and noticed else None

        found = await until(check)
        while True:  # a last status write may still be on its way
            await asyncio.sleep(0.5)
            again = self.get()
            if again["metadata"]["resourceVersion"] == found["metadata"]["resourceVersion"]:
                return again
            found = again

    async def preview(self, who: Actor, replicas: str, transport: Transport | None = None) -> Preview:
        return await acting.preview(SCALE,
            transport=transport or self.transport, actor=who, namespace=self.namespace, name="web", replicas=replicas,
            objects=await self.objects(),
        )  # fmt: skip

    async def apply(
        self, who: Actor, replicas: str, token: str, transport: Transport | None = None
    ) -> Change:
        return await acting.apply(SCALE,
            transport=transport or self.transport, actor=who, namespace=self.namespace, name="web", replicas=replicas,
            token=token,
        )  # fmt: skip

    async def scale(self, who: Actor, replicas: int) -> Change:
        return await self.apply(who, str(replicas), (await self.preview(who, str(replicas))).token)


def deployment(replicas: int, labels: dict[str, str]) -> dict[str, Any]:
    container = {
        "name": "app",
        "image": "web:1",
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
    }
    return {
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


@pytest.fixture
async def place(cluster: Sandbox, transport: Transport, namespace: str) -> Web:
    here = Web(cluster, transport, namespace)
    here.make("/apis/apps/v1/namespaces/{ns}/deployments", deployment(3, {"app": "web"}))
    await here.settled(3)
    return here


async def test_preview_changes_nothing(place: Web, mara: Actor) -> None:
    before = place.get()
    shown = await place.preview(mara, "1")
    assert [line.text for line in shown.diff if line.sign in ("-", "+")] == ["  replicas: 3", "  replicas: 1"]
    assert place.get() == before


async def test_apply_is_made_recorded_and_followed_to_its_end(place: Web, mara: Actor) -> None:
    change = await place.scale(mara, 5)
    found = place.get()
    assert found["spec"]["replicas"] == 5
    owners = [
        entry["manager"]
        for entry in found["metadata"]["managedFields"]
        if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
    ]
    assert "cluster-ui" in owners
    assert (change.state, change.uid) == ("done", found["metadata"]["uid"])
    assert [entry.result async for entry in AuditEntry.objects.all()] == ["done"]

    async def done() -> bool:
        objects = await place.objects()
        return change_follow(change=change, objects=objects, now=datetime.now(UTC)).done

    assert await until(done)


async def test_two_people_who_scale_at_once_see_each_other(place: Web, mara: Actor, jon: Actor) -> None:
    token = (await place.preview(mara, "5")).token
    await place.scale(jon, 4)
    with pytest.raises(StaleView) as error:
        await place.apply(mara, "5", token)
    assert (error.value.who, error.value.was, error.value.now) == ("jon", "3 replicas", "4 replicas")
    assert place.get()["spec"]["replicas"] == 4


async def test_somebody_with_kubectl_is_named_by_field_manager_and_time(place: Web, mara: Actor) -> None:
    token = (await place.preview(mara, "5")).token
    place.api.patch(f"{place.web}?fieldManager=kubectl-edit", {"spec": {"replicas": 2}})
    with pytest.raises(StaleView) as error:
        await place.apply(mara, "5", token)
    assert error.value.who == "kubectl-edit"
    assert error.value.when is not None and abs((datetime.now(UTC) - error.value.when).total_seconds()) < 120


async def test_a_deployment_whose_status_changes_all_the_time_can_be_scaled(place: Web, mara: Actor) -> None:
    writes = 0

    async def churn() -> None:
        nonlocal writes
        while True:
            condition = {"type": "Busy", "status": "True", "message": str(writes)}
            await asyncio.to_thread(
                place.api.patch, f"{place.web}/status", {"status": {"conditions": [condition]}}
            )
            writes += 1
            await asyncio.sleep(0.02)

    busy = asyncio.create_task(churn())
    try:
        for replicas in (4, 5, 4):
            before = writes
            token = (await place.preview(mara, str(replicas))).token
            await asyncio.sleep(0.2)
            assert writes > before
            await place.apply(mara, str(replicas), token)
            assert place.get()["spec"]["replicas"] == replicas
    finally:
        busy.cancel()
    await asyncio.gather(busy, return_exceptions=True)


async def test_a_rollout_underneath_is_no_conflict(place: Web, mara: Actor) -> None:
    token = (await place.preview(mara, "5")).token
    template = {"spec": {"containers": [{"name": "app", "image": "web:2"}]}}
    merge = "application/strategic-merge-patch+json"
    place.api.patch(place.web, {"spec": {"template": template}}, content_type=merge)
    await place.apply(mara, "5", token)
    found = place.get()
    assert found["spec"]["replicas"] == 5
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "web:2"


async def test_a_double_submit_applies_once(place: Web, mara: Actor) -> None:
    token = (await place.preview(mara, "5")).token
    one, two = await asyncio.gather(place.apply(mara, "5", token), place.apply(mara, "5", token))
    generation = place.get()["metadata"]["generation"]
    three = await place.apply(mara, "5", token)
    assert one.pk == two.pk == three.pk
    assert place.get()["metadata"]["generation"] == generation == 2


async def test_bad_numbers_are_refused_and_nothing_is_sent(place: Web, mara: Actor) -> None:
    before = place.get()
    for replicas in ("-1", "1e3", "", "3.5", "99999999"):
        with pytest.raises(BadInput):
            await place.preview(mara, replicas)
    assert place.get() == before


GET = rule("apps", "deployments", "get")
MAY_SCALE = rule("apps", "deployments/scale", "patch")


async def test_without_the_right_the_form_says_which_and_nothing_is_sent(place: Web, mara: Actor) -> None:
    async with place.restricted(GET) as transport:
        objects = await place.objects()
        form = await acting.form(
            SCALE, transport=transport, namespace=place.namespace, name="web", objects=objects
        )
        assert isinstance(form.refusal, Forbidden)
        assert f"patch deployments/scale in namespace {place.namespace}" in form.refusal.message
        with pytest.raises(Forbidden):
            await place.preview(mara, "5", transport)
    assert place.get()["spec"]["replicas"] == 3


async def test_the_right_to_scale_is_enough_and_its_loss_is_refused_and_audited(
    place: Web, mara: Actor
) -> None:
    async with place.restricted(GET, MAY_SCALE) as transport:
        token = (await place.preview(mara, "5", transport)).token
        await place.apply(mara, "5", token, transport)
        token = (await place.preview(mara, "4", transport)).token
        await place.allow_only(transport, GET, refused="deployments", name="web", subresource="scale")
        with pytest.raises(Forbidden):
            await place.apply(mara, "4", token, transport)
    assert place.get()["spec"]["replicas"] == 5
    results = [entry.result async for entry in AuditEntry.objects.order_by("pk")]
    assert results == ["done", "refused"]
    assert await Change.objects.acount() == 1


async def test_a_rule_of_the_cluster_refuses_in_its_own_words_and_an_apply_is_audited(
    place: Web, mara: Actor
) -> None:
    token = (await place.preview(mara, "5")).token
    async with place.refusing(
        on("UPDATE", "apps", "deployments/scale"),
        expression="object.spec.replicas <= 4",
        message="No more than 4 on a Monday.",
        probe=lambda: place.preview(mara, "5"),
    ) as said:
        assert "No more than 4 on a Monday." in said
        with pytest.raises(Invalid, match="Monday"):
            await place.apply(mara, "5", token)
        assert (await place.scale(mara, 4)).state == "done"
    assert place.get()["spec"]["replicas"] == 4
    assert [entry.result async for entry in AuditEntry.objects.order_by("pk")] == ["refused", "done"]


async def test_what_stands_around_it_is_told(place: Web, mara: Actor) -> None:
    place.make("/api/v1/namespaces/{ns}/services", {
        "metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    })  # fmt: skip
    place.make("/apis/autoscaling/v2/namespaces/{ns}/horizontalpodautoscalers", {
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 3, "maxReplicas": 12,
        },
    })  # fmt: skip
    place.make("/api/v1/namespaces/{ns}/resourcequotas", {
        "metadata": {"name": "small"}, "spec": {"hard": {"pods": "8"}},
    })  # fmt: skip
    place.make("/apis/networking.k8s.io/v1/namespaces/{ns}/ingresses", {
        "metadata": {"name": "shop"},
        "spec": {"rules": [{"host": "shop.example", "http": {"paths": [
            {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}
        ]}}]},
    })  # fmt: skip

    async def ready() -> bool:
        objects = await place.objects()
        counted = [quota for quota in objects.all("resourcequotas") if quota.status.used.get("pods") == "3"]
        served = [one for each in objects.all("endpointslices") for one in each.endpoints or () if one.ready]
        return bool(counted) and len(served) == 3

    await until(ready)
    down = await place.preview(mara, "0")
    texts = [text_of(effect.text) for effect in down.told.effects]
    assert "Service web loses 3 of 3 endpoints" in texts
    assert "Ingress shop, at shop.example/, answers 503" in texts
    assert down.told.danger
    assert (
        down.told.headline is not None
        and down.told.headline.title == "Service web will have no ready endpoints"
    )
    assert [notice.title for notice in down.told.notices] == [
        "HorizontalPodAutoscaler web keeps 3 to 12 replicas"
    ]
    up = await place.preview(mara, "10")
    assert up.told.headline is not None
    assert up.told.headline.title == f"The quota of {place.namespace} allows 8 of 10 pods"
    objects = await place.objects()
    form = await acting.form(
        SCALE, transport=place.transport, namespace=place.namespace, name="web", objects=objects
    )
    (replicas,) = SCALE.fields
    hint = replicas.hint(typed_object("deployments", form.manifest), objects)
    assert hint == f"The quota of {place.namespace} allows 5 more pods of this size."


async def test_undo_brings_it_back_and_can_be_undone(place: Web, mara: Actor) -> None:
    change = await place.scale(mara, 5)
    objects = await place.objects()
    shown = await change_undo_preview(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, objects=objects
    )
    assert shown.conflict is None and place.get()["spec"]["replicas"] == 5
    undo = await change_undo_apply(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, token=shown.preview.token
    )
    assert place.get()["spec"]["replicas"] == 3
    again = await change_undo_preview(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=undo.pk, objects=objects
    )
    assert again.preview.told.button == "Scale web to 5"


async def test_undo_after_somebody_else_scaled_it_says_so(place: Web, mara: Actor, jon: Actor) -> None:
    change = await place.scale(mara, 5)
    await place.scale(jon, 6)
    objects = await place.objects()
    shown = await change_undo_preview(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, objects=objects
    )
    assert shown.conflict is not None
    assert (shown.conflict.who, shown.conflict.now) == ("jon", "6 replicas")


async def test_undo_after_the_object_was_made_anew_is_refused(place: Web, mara: Actor) -> None:
    change = await place.scale(mara, 5)
    place.api.delete(place.web)

    async def gone() -> bool:
        try:
            place.get()
        except ApiError as error:
            return error.status == 404
        return False

    await until(gone)
    place.make("/apis/apps/v1/namespaces/{ns}/deployments", deployment(5, {"app": "web"}))
    objects = await place.objects()
    with pytest.raises(Conflict, match="would change the new object"):
        await change_undo_preview(
            kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, objects=objects
        )
    assert place.get()["spec"]["replicas"] == 5
