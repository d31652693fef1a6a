"""What becomes of a ConfigMap's new values in a container that runs: the dashboard's previews promise it."""

from __future__ import annotations

import pytest

from dashboard.actions.action import Actor
from dashboard.actions.restart import RESTART
from tests import acting

from .pods import Pods

pytestmark = pytest.mark.django_db(transaction=True)
SEEN_SECONDS = 120.0  # a kubelet writes anew within a minute and a half, by its own clock


async def test_a_file_changes_in_about_a_minute_and_a_variable_with_a_restart(
    pods: Pods, mara: Actor
) -> None:
    pods.configmap(colour="green")
    reference = {"configMapKeyRef": {"name": "settings", "key": "colour"}}
    pods.deployment(
        "exec sleep 600",
        env=[{"name": "COLOUR", "valueFrom": reference}],
        volumeMounts=[
            {"name": "settings", "mountPath": "/settings"},
            {"name": "settings", "mountPath": "/one", "subPath": "colour"},
        ],
        volumes=[{"name": "settings", "configMap": {"name": "settings"}}],
    )
    show = "echo file $(cat /settings/colour), sub-path $(cat /one), variable $COLOUR"
    first = await pods.only()
    name = first["metadata"]["name"]
    await pods.prints(name, show, "file green, sub-path green, variable green")
    pods.api.patch(pods.path("configmaps", "settings"), {"data": {"colour": "blue"}})
    await pods.prints(name, show, "file blue, sub-path green, variable green", SEEN_SECONDS)
    target = {"transport": pods.transport, "actor": mara, "plural": "deployments", "name": "web"}
    target |= {"namespace": pods.namespace, "objects": await pods.objects()}
    preview = await acting.preview(RESTART, **target)
    assert preview.token
    await acting.apply(RESTART, token=preview.token, **{k: v for k, v in target.items() if k != "objects"})
    second = await pods.only(besides=first["metadata"]["uid"])
    await pods.prints(second["metadata"]["name"], show, "file blue, sub-path blue, variable blue")
