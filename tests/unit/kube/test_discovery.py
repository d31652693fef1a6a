"""What an API server offers, in the form of today and in that of older servers."""

from __future__ import annotations

import json
from typing import Any

from dashboard.errors import NotFound, Unavailable
from dashboard.kinds.tablekinds import Resource
from dashboard.kube.discovery import discover
from dashboard.kube.transport import Response

ALL = ["get", "list", "watch"]


class Answers:
    """A transport that knows some paths."""

    def __init__(self, paths: dict[str, Any]) -> None:
        self.paths = paths
        self.asked: list[str] = []

    async def request(self, method: str, path: str, **_: Any) -> Response:
        self.asked.append(path)
        if path not in self.paths:
            raise NotFound(path)
        if isinstance(self.paths[path], Exception):
            raise self.paths[path]
        return Response(200, json.dumps(self.paths[path]).encode(), {})


def offered(
    plural: str, kind: str, scope: str = "Namespaced", verbs: list[str] | None = None
) -> dict[str, Any]:
    return {
        "resource": plural,
        "responseKind": {"group": "", "version": "", "kind": kind},
        "scope": scope,
        "singularResource": kind.lower(),
        "verbs": verbs or ALL,
        "shortNames": [plural[:2]],
        "subresources": [{"subresource": "status", "verbs": ["get"]}],
    }


def group(name: str, **versions: list[dict[str, Any]]) -> dict[str, Any]:
    listed = [{"version": version, "resources": resources} for version, resources in versions.items()]
    return {"metadata": {"name": name}, "versions": listed}


def aggregated(*groups: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "APIGroupDiscoveryList", "items": list(groups)}


async def found(paths: dict[str, Any]) -> dict[str, Resource]:
    return {each.key: each for each in await discover(Answers(paths))}  # type: ignore[arg-type]


async def test_all_that_can_be_listed_and_watched_in_two_answers() -> None:
    answers = Answers(
        {
            "/api": aggregated(
                group("", v1=[offered("pods", "Pod"), offered("bindings", "Binding", verbs=["create"])])
            ),
            "/apis": aggregated(group("example.com", v1=[offered("fleets", "Fleet", "Cluster")])),
        }
    )
    resources = await discover(answers)  # type: ignore[arg-type]
    assert answers.asked == ["/api", "/apis"]
    assert [each.key for each in resources] == ["pods", "fleets.example.com"]
    fleets = resources[1]
    assert fleets.gvr.path() == "/apis/example.com/v1/fleets"
    assert not fleets.gvr.namespaced
    assert (fleets.kind, fleets.singular, fleets.short_names) == ("Fleet", "fleet", ("fl",))


async def test_the_preferred_version_counts_and_what_it_lacks_comes_from_another() -> None:
    groups = group("a.io", v2=[offered("new", "New")], v1=[offered("new", "New"), offered("old", "Old")])
    resources = await found({"/api": aggregated(), "/apis": aggregated(groups)})
    assert {key: each.gvr.version for key, each in resources.items()} == {"new.a.io": "v2", "old.a.io": "v1"}


async def test_older_servers_are_asked_for_each_version() -> None:
    def plain(plural: str, kind: str, namespaced: bool = True) -> dict[str, Any]:
        return {
            "name": plural,
            "kind": kind,
            "namespaced": namespaced,
            "singularName": kind.lower(),
            "verbs": ALL,
        }

    versions = [{"version": "v1"}, {"version": "v2"}]
    resources = await found(
        {
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/api/v1": {"resources": [plain("pods", "Pod"), plain("pods/status", "Pod")]},
            "/apis": {
                "kind": "APIGroupList",
                "groups": [
                    {"name": "a.io", "versions": versions, "preferredVersion": {"version": "v2"}},
                    {"name": "gone.io", "versions": [{"version": "v1"}]},
                ],
            },
            "/apis/a.io/v1": {"resources": [plain("things", "Thing"), plain("old", "Old", namespaced=False)]},
            "/apis/a.io/v2": {"resources": [plain("things", "Thing")]},
            "/apis/gone.io/v1": Unavailable("its server is away"),
        }
    )
    versions_of = {key: (each.gvr.version, each.gvr.namespaced) for key, each in resources.items()}
    assert versions_of == {"pods": ("v1", True), "things.a.io": ("v2", True), "old.a.io": ("v1", False)}


async def test_which_kinds_have_a_scale_subresource_in_both_forms() -> None:
    rings = offered("rings", "Ring")
    rings["subresources"].append({"subresource": "scale", "verbs": ["get", "patch"]})
    today = await found(
        {"/api": aggregated(), "/apis": aggregated(group("a.io", v1=[rings, offered("old", "Old")]))}
    )
    assert {key: each.scales for key, each in today.items()} == {"rings.a.io": True, "old.a.io": False}
    before = await found(
        {
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/api/v1": {
                "resources": [
                    {"name": "replicationcontrollers", "kind": "ReplicationController", "namespaced": True, "verbs": ALL},
                    {"name": "replicationcontrollers/scale", "kind": "Scale", "namespaced": True, "verbs": ["get"]},
                    {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ALL},
                ]
            },
            "/apis": {"kind": "APIGroupList", "groups": []},
        }
    )  # fmt: skip
    assert {key: each.scales for key, each in before.items()} == {
        "replicationcontrollers": True,
        "pods": False,
    }
