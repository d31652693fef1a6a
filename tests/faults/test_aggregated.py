"""An aggregated API server that is away: its kinds stay known and say so, and nobody who looks at others notices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from dashboard.cache.cluster import ClusterCache
from dashboard.kinds.base import GVR
from dashboard.kube.discovery import discover
from dashboard.kube.transport import Transport

from .conftest import FAST
from .scripted import THING, Answer, ScriptedServer, copied, failure, thing_kind, until

GROUP, VERSION = "metrics.example", "v1"
GADGETS = GVR(GROUP, VERSION, "gadgets")
VERBS = ["list", "watch"]
AWAY = failure(503, "ServiceUnavailable", "the server is currently unable to handle the request")


def answers(body: dict[str, Any]) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=json.dumps(body).encode(), content_type="application/json")

    return answer


def in_one(freshness: str, *names: str) -> Answer:
    """The aggregated form."""
    resources = [
        {"resource": name, "responseKind": {"kind": "Gadget"}, "scope": "Namespaced", "verbs": VERBS}
        for name in names
    ]
    version = {"version": VERSION, "resources": resources, "freshness": freshness}
    items = [{"metadata": {"name": GROUP}, "versions": [version]}] if freshness else []
    return answers({"kind": "APIGroupDiscoveryList", "items": items})


def one_by_one(server: ScriptedServer, *names: str) -> None:
    """The older form: the groups, and an answer for each version."""
    resources = [{"name": name, "kind": "Gadget", "namespaced": True, "verbs": VERBS} for name in names]
    server.paths.clear()
    server.paths[f"/apis/{GROUP}/{VERSION}"] = answers({"resources": resources})
    server.paths["/apis"] = answers(
        {"kind": "APIGroupList", "groups": [{"name": GROUP, "versions": [{"version": VERSION}]}]}
    )
    server.paths["/api"] = answers({"kind": "APIVersions", "versions": []})


@pytest.mark.parametrize("form", ["in one", "one by one"])
async def test_its_kinds_stay_known_until_they_are_gone(
    server: ScriptedServer, transport: Transport, form: str
) -> None:
    empty = answers({"kind": "APIGroupDiscoveryList", "items": []})
    if form == "in one":
        server.paths |= {"/apis": in_one("Current", "gadgets"), "/api": empty}
    else:
        one_by_one(server, "gadgets")
    known = await discover(transport)
    assert [each.gvr for each in known] == [GADGETS]
    if form == "in one":  # as after a restart of the API server, which has nothing to tell of it then
        server.paths["/apis"] = in_one("Stale")
    else:
        server.paths[f"/apis/{GROUP}/{VERSION}"] = AWAY
    assert await discover(transport) == (), "of what was never known nothing can be said"
    assert await discover(transport, known) == known
    if form == "in one":
        server.paths["/apis"] = in_one("")
    else:
        one_by_one(server)
    assert await discover(transport, known) == (), "nobody offers it any more"


async def test_who_looks_at_other_kinds_notices_nothing(
    server: ScriptedServer, transport: Transport, tmp_path: Path
) -> None:
    """Its lists fail for as long as it is away, and are exact when it is back; the others are live all along."""
    gadgets = thing_kind("gadgets")
    object.__setattr__(gadgets, "gvr", GADGETS)
    address = f"/apis/{GROUP}/{VERSION}/"
    server.served.add(f"/apis/{GROUP}/{VERSION}")
    cache = ClusterCache(transport, {"things": THING, "gadgets": gadgets}, timing=FAST)
    states: list[tuple[str, str]] = []
    cache.on_status(lambda plural, status: states.append((plural, status.state)))
    server.put("one")
    server.put("goes", plural="gadgets")
    try:
        with cache.lease(["things", "gadgets"]):
            for plural in ("things", "gadgets"):
                await until(lambda plural=plural: cache.status(plural).state == "live", plural)  # type: ignore[misc]
            server.paths[address] = AWAY
            for watcher in [each for each in server._watchers if each.plural == "gadgets"]:
                watcher.lines.put_nowait(None)
            await until(lambda: "unable to handle" in cache.status("gadgets").reason, "told")
            assert cache.status("gadgets").state == "reconnecting"
            assert copied(cache.store("gadgets").values()) == server.state("gadgets"), "as it was last known"
            server.delete("goes", plural="gadgets")
            server.put("new", plural="gadgets")
            server.put("two")
            await until(
                lambda: copied(cache.store("things").values()) == server.state("things"), "the others go on"
            )
            del server.paths[address]
            await until(
                lambda: (
                    cache.status("gadgets").state == "live"
                    and copied(cache.store("gadgets").values()) == server.state("gadgets")
                ),
                "exact again",
            )
        assert [state for plural, state in states if plural == "things"] == ["live"]
    finally:
        await cache.close()
