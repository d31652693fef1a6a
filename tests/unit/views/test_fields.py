"""The address of the fields of kinds: what it answers as JSON, how much at most, and where a wrong path leads."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient

from dashboard.errors import Forbidden
from dashboard.kinds import KINDS
from dashboard.kinds.fieldschema import Schemas
from dashboard.live.runtime import runtime

pytestmark = pytest.mark.django_db(transaction=True)

LONG = {f"f{n:03}": {"type": "string", "description": f"{n:03} {'word ' * 1000}"} for n in range(400)}
THING = {
    "type": "object",
    "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Thing"}],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {"size": {"type": "string", "enum": ["s", "l"], "description": "<b>How large</b>"}},
        },
        "long": {"type": "object", "properties": LONG},
    },
}
SCHEMAS = Schemas(msgspec.json.encode({"components": {"schemas": {"Thing": THING}}}))
THINGS = "/c/dev/fields/Thing/"


class OpenApi:
    refusal: Exception | None = None

    async def fields(self, api_version: str, kind: str) -> Any:
        if self.refusal is not None:
            raise self.refusal
        assert (api_version, kind) == ("example.com/v1", "Thing")
        return SCHEMAS.fields(("example.com", "v1", "Thing"))


@pytest.fixture
def openapi(monkeypatch: pytest.MonkeyPatch) -> OpenApi:
    found = OpenApi()
    cluster: Any = SimpleNamespace(cluster=SimpleNamespace(slug="dev", name="dev"), kinds=KINDS)
    cluster.session = lambda _: SimpleNamespace(cluster=cluster, openapi=found)
    monkeypatch.setattr(runtime, "open", lambda _: cluster)
    return found


@pytest.fixture
async def asks(async_client: AsyncClient, openapi: OpenApi) -> Any:
    await async_client.aforce_login(await User.objects.acreate(username="mara"))

    async def ask(**query: str) -> Any:
        return await async_client.get(THINGS, {"apiVersion": "example.com/v1", "format": "json", **query})

    return ask


async def test_a_field_is_told_in_the_words_of_its_api_as_text(asks: Any) -> None:
    answer = await asks(path="spec.size")
    assert answer.json()["field"] == {
        "path": "spec.size", "type": "string", "required": True, "values": ["s", "l"], "default": "", "format": "",
        "description": "<b>How large</b>", "fields": [], "left_out": 0,
    }  # fmt: skip
    assert answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "private, max-age=300" and "Cookie" in answer["Vary"]


async def test_levels_are_told_without_descriptions(asks: Any) -> None:
    levels = (await asks(levels="1")).json()["levels"]
    assert levels["spec"] == {
        "fields": {"size": {"type": "string", "forms": ["string"], "required": True, "values": ["s", "l"]}}
    }
    assert "How large" not in str(levels)


async def test_no_answer_is_larger_than_64_kib(asks: Any) -> None:
    answer = await asks(path="long")
    assert len(answer.content) <= 64 * 1024
    told = answer.json()["field"]
    assert len(told["fields"]) + told["left_out"] == len(LONG)
    assert len((await asks(levels="1", path="long")).content) <= 64 * 1024


async def test_a_wrong_path_is_a_404_that_names_the_right_one(asks: Any) -> None:
    answer = await asks(path="spec.siz")
    assert answer.status_code == 404
    assert "spec.size" in answer.json()["next_step"]
    assert answer["Cache-Control"] == "no-store, private"


async def test_what_makes_no_sense_is_refused(asks: Any) -> None:
    assert (await asks(path="spec..size")).status_code == 400
    assert (await asks(format="xml")).status_code == 400


async def test_a_refusal_of_the_api_server_is_told(asks: Any, openapi: OpenApi) -> None:
    openapi.refusal = Forbidden("You may not get /openapi/v3.")
    assert (await asks()).status_code == 403
