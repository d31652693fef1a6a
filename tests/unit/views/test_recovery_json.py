"""What a preview of a restore tells scripts."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from dashboard.actions.restore import RestorePreview
from dashboard.kinds import KINDS
from dashboard.recovery.choice import Choice
from dashboard.recovery.restoring import Placed, Planned
from dashboard.views.recovery import plain, restore_context


def configmap(value: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"LOG": value}}


def test_lines_of_an_object_that_differs_are_plain_json() -> None:
    placed = Placed(gvr=KINDS["configmaps"].gvr, kind="ConfigMap", namespace="shop", name="web")
    plan = Planned(key="k", placed=placed, does="update", live=configmap("info"), made=configmap("debug"))
    holding: Any = SimpleNamespace(objects=())
    found = RestorePreview(
        holding=holding, plans=[plan], skipped=(), more=0, targets=["shop"], confirm="", token="t"
    )
    order: Any = SimpleNamespace(choice=Choice(conflict="update"))
    told = json.loads(json.dumps(plain(restore_context(found, order))))
    lines = [(each["sign"], each["text"].strip()) for each in told["objects"][0]["lines"]]
    assert ("-", "LOG: info") in lines and ("+", "LOG: debug") in lines
