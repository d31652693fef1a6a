"""Every kind's rows against the Table of a real API server, for objects of many shapes and for what the cluster makes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind, ListPage, WatchEvent
from tests.unit.kinds.capture import place, remove
from tests.unit.kinds.server import TABLE, Server, compare_table
from tests.unit.kinds.shapes import SHAPES, thing

pytestmark = pytest.mark.cluster


@pytest.fixture
def server(kubeconfig: Path) -> Iterator[Server]:
    with Server(kubeconfig) as server:
        yield server


@pytest.mark.parametrize("plural", KINDS)
def test_rows_of_many_shapes_equal_the_servers(plural: str, server: Server, namespace: str) -> None:
    kind = KINDS[plural]
    wrong = []
    for manifest in SHAPES[plural]():
        try:
            wrong += compare_table(kind, place(server, kind, manifest, namespace))
        finally:
            remove(server, kind, manifest["metadata"]["name"], namespace)
    assert wrong == []


def listed(server: Server, kind: Kind[Any]) -> ListPage[Any]:
    return kind.decode_list(
        server.request("GET", kind.gvr.path(), accept=kind.accept, query=dict(kind.query))
    )


@pytest.mark.parametrize("plural", KINDS)
def test_lists_equal_the_servers(plural: str, server: Server) -> None:
    """What comes or goes between two of them, as other tests' namespaces do, is in the list before or in that after."""
    kind = KINDS[plural]
    before = listed(server, kind)
    table = server.table(kind.gvr.path(), objects=kind.query.get("includeObject", "Object"))
    assert compare_table(kind, table) == []
    page = listed(server, kind)
    names = {row["object"]["metadata"]["name"] for row in table["rows"] or ()}
    assert {item.metadata.name for item in (*before.items, *page.items)} >= names
    assert page.resource_version


def test_lists_come_in_chunks(server: Server, namespace: str) -> None:
    for plural in ("configmaps", "secrets"):
        kind = KINDS[plural]
        for number in range(3):
            manifest = thing("v1", kind.kind, f"chunk-{number}")
            server.request("POST", kind.gvr.path(namespace), manifest)
        query = dict(kind.query) | {"limit": "2"}
        first = kind.decode_list(
            server.request("GET", kind.gvr.path(namespace), accept=kind.accept, query=query)
        )
        assert len(first.items) == 2
        assert first.continue_
        assert first.remaining is None or first.remaining >= 1
        query["continue"] = first.continue_
        rest = kind.decode_list(
            server.request("GET", kind.gvr.path(namespace), accept=kind.accept, query=query)
        )
        assert {item.metadata.name for item in (*first.items, *rest.items)} >= {
            f"chunk-{n}" for n in range(3)
        }
        assert not rest.continue_


@pytest.mark.parametrize("plural", ["configmaps", "secrets"])
def test_watches_decode(plural: str, server: Server, namespace: str) -> None:
    kind = KINDS[plural]
    path = kind.gvr.path(namespace)
    start = kind.decode_list(server.request("GET", path, accept=kind.accept, query=dict(kind.query)))
    server.request("POST", path, thing("v1", kind.kind, "watched", data={"a": "eA=="}))
    merge = "application/merge-patch+json"
    server.request("PATCH", f"{path}/watched", {"data": {"b": "eA=="}}, content_type=merge)
    server.delete(f"{path}/watched")
    query = dict(kind.query) | {"watch": "1", "timeoutSeconds": "1", "allowWatchBookmarks": "true"}
    query["resourceVersion"] = start.resource_version
    lines = server.request("GET", path, accept=kind.accept, query=query).splitlines()
    events: list[WatchEvent[Any]] = [kind.decode_event(line) for line in lines]
    seen = [event for event in events if event.object and event.object.metadata.name == "watched"]
    assert [event.type for event in seen] == ["ADDED", "MODIFIED", "DELETED"]
    assert [kind.row(event.object).cells[-2].text for event in seen] == ["1", "2", "2"]
    versions = [int(event.resource_version) for event in seen]
    assert versions == sorted(set(versions))


@pytest.mark.parametrize("plural", ["configmaps", "secrets"])
def test_bookmarks_decode(plural: str, server: Server, namespace: str) -> None:
    kind = KINDS[plural]
    # A watch that begins with the whole list sends a bookmark when the list is complete.
    query = dict(kind.query) | {"watch": "1", "timeoutSeconds": "1", "allowWatchBookmarks": "true"}
    query |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    lines = server.request("GET", kind.gvr.path(namespace), accept=kind.accept, query=query).splitlines()
    events: list[WatchEvent[Any]] = [kind.decode_event(line) for line in lines]
    bookmarks = [event for event in events if event.type == "BOOKMARK"]
    assert bookmarks
    assert all(event.object is None and int(event.resource_version) > 0 for event in bookmarks)


def test_secret_values_are_never_received(server: Server, namespace: str) -> None:
    kind = KINDS["secrets"]
    server.request(
        "POST", kind.gvr.path(namespace), thing("v1", "Secret", "quiet", stringData={"k": "hunter2"})
    )
    path = kind.gvr.path(namespace)
    answer = server.request("GET", path, accept=kind.accept, query=dict(kind.query))
    assert json.loads(answer)["kind"] == "Table"
    assert kind.accept == TABLE
    assert b"hunter2" not in answer
    assert b"aHVudGVyMg" not in answer
