"""What a real API server warns of, in the previews of a change, of a creation and of a restore."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec
import pytest

from dashboard.actions.action import Actor
from dashboard.actions.creation_preview import creation_preview
from dashboard.actions.documents import read_objects
from dashboard.actions.image import IMAGE
from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport
from dashboard.recovery.choice import Choice
from dashboard.recovery.holding import Held
from dashboard.recovery.restoring import Restoring
from sandbox import Sandbox
from tests import acting

from .place import Place, until

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

SAID = 'would violate PodSecurity "restricted:latest": '
LABELS = {"app": "web"}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "app", "image": "web:1"}]}}
SPEC = {"replicas": 0, "selector": {"matchLabels": LABELS}, "template": TEMPLATE}
HEAD = {"apiVersion": "apps/v1", "kind": "Deployment"}


class Here(Place):
    reads = (*IMAGE.reads, "replicasets")


async def test_pod_security_warns_before_anything_is_written(
    cluster: Sandbox, transport: Transport, namespace: str, mara: Actor
) -> None:
    here = Here(cluster, transport, namespace)
    here.api.patch(
        f"/api/v1/namespaces/{namespace}",
        {"metadata": {"labels": {"pod-security.kubernetes.io/warn": "restricted"}}},
    )
    here.make(KINDS["deployments"].gvr.path(namespace), {**HEAD, "metadata": {"name": "web"}, "spec": SPEC})

    async def changed() -> list[str]:
        shown = await acting.preview(
            IMAGE, transport=transport, actor=mara, plural="deployments", namespace=namespace, name="web",
            objects=await here.objects(), **{"image.app": "web:2"},
        )  # fmt: skip
        return [each.text for each in shown.told.notices if each.title == "The API server warns"]

    (said,) = await until(changed)  # the label may be new to one of its caches
    assert said.startswith(SAID) and 'container "app" must set' in said

    new: dict[str, Any] = {**HEAD, "metadata": {"name": "new"}, "spec": SPEC}
    typed = read_objects(
        msgspec.json.encode(new).decode(), namespace=namespace, context=transport.cluster.name, kinds=KINDS
    )
    shown = await creation_preview(
        transport=transport, actor=mara, objects=typed, reader=await here.objects()
    )
    assert shown.preview is not None
    assert said in [each.text for each in shown.preview.told.notices if each.title == "The API server warns"]

    held = Held(
        group="apps", version="v1", plural="deployments", namespace=namespace, name="new", kind="Deployment",
        skipped="", packed=zlib.compress(msgspec.json.encode(new | {"nothing": 1})),
    )  # fmt: skip
    planned = await Restoring(transport=transport, choice=Choice(), plurals={}).plan(held)
    assert set(planned.warnings) == {said, 'unknown field "nothing"'}
    assert "new" not in [each["metadata"]["name"] for each in here.api.get(
        KINDS["deployments"].gvr.path(namespace)
    )["items"]]  # fmt: skip
