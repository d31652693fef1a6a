"""OpenAPI documents are asked for when they are needed, one by one, and kept by their hash within bounds."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from dashboard.errors import Forbidden, NotFound, Unavailable
from dashboard.kube import openapi
from dashboard.kube.openapi import INDEX_SECONDS, OpenApi
from dashboard.kube.transport import Response


class ApiServer:
    """A transport with OpenAPI documents: group and version → the names of a kind's fields."""

    def __init__(self, **groups: str) -> None:
        self.groups = groups
        self.asked: list[str] = []
        self.refusal: Exception | None = None

    async def request(self, method: str, path: str, *, query: Any, largest: int, **_: Any) -> Response:
        await asyncio.sleep(0)
        assert method == "GET" and largest
        self.asked.append(path + "".join(f"?{name}={text}" for name, text in query.items()))
        if self.refusal is not None:
            raise self.refusal
        if path == "/openapi/v3":
            paths = {
                f"apis/{name}.example.com/v1": {"serverRelativeURL": f"//elsewhere/{name}?hash={digest}"}
                for name, digest in self.groups.items()
            }
            return _answer({"paths": paths})
        name = path.rpartition("/v1")[0].rpartition("/")[2].partition(".")[0]
        gvk = [{"group": f"{name}.example.com", "version": "v1", "kind": "Thing"}]
        fields = {self.groups[name]: {"type": "string"}}
        thing = {"properties": fields, "x-kubernetes-group-version-kind": gvk}
        return _answer({"components": {"schemas": {"Thing": thing}}})


def _answer(body: Any) -> Response:
    return Response(200, msgspec.json.encode(body), {})


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_document_is_read_once_for_its_hash_and_only_the_one_that_is_needed() -> None:
    api: Any = ApiServer(one="aaa", two="bbb")
    clock = Clock()
    found = OpenApi(api, clock=clock)
    both = await asyncio.gather(*(found.fields("one.example.com/v1", "Thing") for _ in range(5)))
    assert [row.name for row in both[4].explain("").rows] == ["aaa"]
    document = "/openapi/v3/apis/one.example.com/v1"
    assert api.asked == ["/openapi/v3", f"{document}?hash=aaa"], "by its name, wherever the index points"
    api.groups["one"] = "ccc"
    clock.now = INDEX_SECONDS - 1
    await found.fields("one.example.com/v1", "Thing")
    assert len(api.asked) == 2
    clock.now = INDEX_SECONDS
    again = await found.fields("one.example.com/v1", "Thing")
    assert [row.name for row in again.explain("").rows] == ["ccc"]
    assert api.asked[2:] == ["/openapi/v3", f"{document}?hash=ccc"]
    with pytest.raises(NotFound, match="describes no Other"):
        await found.fields("one.example.com/v1", "Other")
    with pytest.raises(NotFound):
        await found.fields("three.example.com/v1", "Thing")
    assert len(api.asked) == 4


async def test_the_longest_unused_go_first_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openapi, "MAX_DOCUMENTS", 2)
    api: Any = ApiServer(one="a", two="b", three="c")
    found = OpenApi(api)
    for name in ("one", "two", "one", "three", "one", "two"):
        await found.fields(f"{name}.example.com/v1", "Thing")
    names = [each.rpartition("/apis/")[2].partition(".")[0] for each in api.asked[1:]]
    assert names == ["one", "two", "three", "two"]


async def test_they_are_bounded_by_their_size_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openapi, "KEPT_BYTES", 1)
    api: Any = ApiServer(one="a", two="b")
    found = OpenApi(api)
    for name in ("one", "one", "two", "one"):
        await found.fields(f"{name}.example.com/v1", "Thing")
    assert len(api.asked) == 1 + 3, "the one in use stays"


async def test_a_refusal_is_told_and_asked_again_the_next_time() -> None:
    api: Any = ApiServer(one="a")
    found = OpenApi(api)
    api.refusal = Forbidden("You may not get /openapi/v3.")
    with pytest.raises(Forbidden):
        await found.fields("one.example.com/v1", "Thing")
    api.refusal = None
    await found.fields("one.example.com/v1", "Thing")


async def test_what_is_no_document_is_said_to_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    api: Any = ApiServer(one="a")
    found = OpenApi(api)

    async def request(*_: object, **__: object) -> Response:
        return Response(200, b"<html>", {})

    monkeypatch.setattr(api, "request", request)
    with pytest.raises(Unavailable, match="index"):
        await found.fields("one.example.com/v1", "Thing")
