"""The comparison of two revisions as a script asks for it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient

from tests.formed import open_forms

from ..actions.server import Server
from ..insight.world import World, deployment
from .test_every_action import revision

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/c/dev/deployments/shop/web/rollback/?format=json"


async def test_two_revisions_are_compared_and_wrong_ones_are_told_with_their_field(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = deployment("web")
    made["metadata"] |= {"namespace": "shop", "uid": "u1", "resourceVersion": "7"}
    server, world = Server("deployments", made), World()
    server.lists = {"replicasets": [revision(1, "web:1"), revision(2, "web:2")]}
    server.may = False  # to change it
    open_forms(monkeypatch, server, world)
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate(username="mara"))

    async def get(query: str) -> tuple[int, dict[str, Any]]:
        response = await client.get(URL + query)
        return response.status_code, response.json()

    status, told = await get("&from=1&to=2")
    assert (status, told["from"], told["to"]) == (200, 1, 2)
    assert [(line["sign"], line["text"].strip()) for line in told["diff"] if line["sign"] in ("+", "-")] == [
        ("-", "image: web:1"), ("+", "image: web:2"),
    ]  # fmt: skip
    assert (await get("&from=2"))[1]["to"] == 1
    for query, field in (("&from=7&to=2", "from"), ("&from=1&to=two", "to")):
        status, told = await get(query)
        assert (status, told["error"]["field"]) == (400, field), told
    assert "has no revision 7: 2 and 1 are kept" in (await get("&from=7&to=2"))[1]["error"]["text"]
