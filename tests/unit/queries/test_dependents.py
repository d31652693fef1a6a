"""What depends on an object is asked for once, where many objects are asked about."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from dashboard.errors import Unavailable
from dashboard.insight.removal import Dependents
from dashboard.kinds import KINDS
from dashboard.kube.transport import Response
from dashboard.queries.dependents import asked_once, owned_by

from ..insight.world import World

KINDS_ASKED = {plural: KINDS[plural] for plural in ("pods", "replicasets", "secrets")}


class Api:
    """Two ReplicaSets, of which each belongs to one of two Deployments; ``fails`` is a kind that can't be listed."""

    def __init__(self, fails: str = "") -> None:
        self.asked: list[str] = []
        self.fails = fails

    async def request(self, method: str, gvr: Any, **_: Any) -> Response:
        self.asked.append(gvr.plural)
        await asyncio.sleep(0)
        if gvr.plural == self.fails:
            raise Unavailable("away")
        owners = ["a", "b"] if gvr.plural == "replicasets" else []
        items = [
            {
                "metadata": {
                    "name": f"rs-{owner}", "namespace": "shop", "uid": f"rs-{owner}",
                    "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": owner, "uid": owner}],
                }
            }
            for owner in owners
        ]  # fmt: skip
        return Response(200, json.dumps({"metadata": {}, "items": items}).encode(), {})


async def ask(api: Any, uid: str) -> Dependents:
    return await owned_by(transport=api, kinds=KINDS_ASKED, objects=World(), uid=uid, namespace="shop")


@pytest.mark.parametrize("fails", ["", "secrets"])
async def test_each_kind_is_listed_once_for_many_objects_and_each_is_told_its_own(fails: str) -> None:
    api = Api(fails)
    with asked_once():
        found = await asyncio.gather(ask(api, "a"), ask(api, "b"), ask(api, "none"))
    assert sorted(api.asked) == sorted(KINDS_ASKED)
    assert [[group.names for group in each.owned] for each in found] == [[("rs-a",)], [("rs-b",)], []]
    assert {each.unread for each in found} == {("Secrets",) if fails else ()}
    await ask(api, "a")
    assert len(api.asked) == 2 * len(KINDS_ASKED), "another preview asks anew"
