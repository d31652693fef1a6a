"""An edit as YAML that changes a pod template and the number of pods says what both do."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from django.contrib.auth.models import User

from dashboard.actions.action import Actor, Order, Target
from dashboard.actions.edit_any import EDIT_ANY
from dashboard.actions.engine import change_preview
from dashboard.insight.impact import Impact, Notice, together
from dashboard.insight.words import text_of
from dashboard.kinds import KINDS

from ..insight.test_impact import SIZE, world
from ..insight.world import deployment, endpoints, service
from .server import Server

pytestmark = pytest.mark.django_db(transaction=True)

SERVED = (
    ("services", service()),
    ("endpointslices", endpoints("web", ("web-0", True), ("web-1", True), ("web-2", True))),
)


@pytest.mark.parametrize("plural", ["deployments", "replicasets"])
@pytest.mark.parametrize("image", ["", "app:2"])
@pytest.mark.parametrize("replicas", [0, 2, 3, 5])
async def test_both_are_told(plural: str, image: str, replicas: int) -> None:
    kind = KINDS[plural]
    before: dict[str, Any] = {"apiVersion": "apps/v1", "kind": kind.kind, **deployment(template=SIZE)}
    before["metadata"] |= {"uid": "u", "resourceVersion": "1"}
    typed = copy.deepcopy(before)
    typed["spec"]["replicas"] = replicas
    if image:
        typed["spec"]["template"]["spec"]["containers"][0]["image"] = image
    mara = Actor(user=await User.objects.acreate(username="mara"), name="mara")
    api: Any = Server(plural, before)
    wanted = EDIT_ANY.read({"yaml": json.dumps(typed)})
    target = Target.of("dev", kind, "shop", "web")
    order = Order(transport=api, actor=mara, target=target, action=EDIT_ANY.on(wanted), wanted=wanted)
    told = (await change_preview(order=order, objects=world(*SERVED))).told
    said = [text_of(each.text) for each in told.effects]
    rolls = plural == "deployments" and bool(image) and replicas > 0
    assert any("replaced" in each for each in said) is rolls
    if plural == "deployments":  # its pods are found by their owner
        stopped = "Service web will have no ready endpoints"
        assert (told.headline is not None and told.headline.title == stopped) is (replicas == 0)
        assert told.danger is (replicas == 0)
    assert any("ConfigMaps, Secrets and volumes stay" in each for each in said) is (replicas < 3)


def test_the_worst_headline_stands_above_and_none_is_lost() -> None:
    warns, bad, info = (Notice(state, state, "") for state in ("warn", "bad", "info"))  # type: ignore[arg-type]
    found = together([Impact(warns, (), (info,)), Impact(None, ()), Impact(bad, (), danger=True)])
    assert (found.headline, found.notices, found.danger) == (bad, (warns, info), True)
    assert together([Impact(None, ())]).headline is None
