"""The past is what the lists were, cell by cell, over some busy rounds and exactly at quiet moments, and what map and
overview were; who sees one namespace sees it alone then too.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlencode

import pytest

from dashboard.kinds import KINDS
from sandbox import Sandbox
from tools.server import Server

from .people import GROUP, Person
from .place import RBAC, until

pytestmark = pytest.mark.cluster

ROUNDS = 3
# Ages go on between two looks: that they count up to the moment is shown by tests/unit/views/test_moment.py.
DURATION = re.compile(r"\b(\d+[smhdy])+\b")
Rows = dict[str, dict[str, str]]
Read = TypeVar("Read")
# Of a page: addresses, which have their moment; what is now beside what was; and what is measured, which is not recorded.
BESIDE = re.compile(
    r'\s(?:href|data-h)="(?!#)[^"]*"|<span\s+class="now-v">.*?</span>|<svg\s+class="spark.*?</svg>| · [^<]* used',
    re.DOTALL,
)
BOXES = re.compile(r'<ol id="map-apps".*?</tbody>', re.DOTALL)
TILES = re.compile(r'<section[^>]*id="tiles".*?</section>', re.DOTALL)
QUIET_SECONDS = 120.0
PAST = "2020-01-01T00:00:00Z"


def stamp() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


@pytest.fixture
async def owner(cluster: Sandbox, tmp_path: Any) -> AsyncIterator[Person]:
    with Server(tmp_path / "home", cluster.kubeconfig, CLUSTER_UI_ACT_AS="impersonate") as server:
        made = Person(server)
        await made.begin()
        mapped = {
            "subject": "user",
            "context": "tests",
            "user": "kubernetes-admin",
            "groups": "kubeadm:cluster-admins",
        }
        # The dashboard refuses system:masters: the owner gets a role of their own.
        api = cluster.api()
        name = f"rewind-{secrets.token_hex(3)}"
        api.post(f"{RBAC}/clusterrolebindings", {
            "metadata": {"name": name}, "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "User", "name": name, "apiGroup": GROUP}],
        })  # fmt: skip
        assert (await made.post("/people/", **(mapped | {"name": "owner", "user": name, "groups": ""})))[
            0
        ] == 302
        yield made
        await made.client.close()
        api.delete(f"{RBAC}/clusterrolebindings/{name}")


async def rows(person: Person, plural: str, at: str = "") -> Rows:
    query = urlencode({"format": "json"} | ({"at": at} if at else {}))
    answer = await person.json(f"/c/tests/{plural}/?{query}")
    assert answer["freshness"] == ("past" if at else "live"), (plural, answer["freshness"])
    return {row["uid"]: {key: DURATION.sub("T", text) for key, text in row.items()} for row in answer["rows"]}


async def drawn(person: Person, path: str, part: re.Pattern[str], at: str = "") -> str:
    """A part of a page, without what differs between the present and the past by itself."""
    status, page = await person.get(f"/c/tests/{path}?{urlencode({'at': at} if at else {})}")
    assert (status, "You are looking at the past" in page) == (200, bool(at)), path
    [found] = part.findall(page)
    return DURATION.sub("T", " ".join(BESIDE.sub("", found).split()))


def versions(cluster: Sandbox, plurals: Iterable[str]) -> dict[str, str]:
    """Of every object of some kinds, by its uid."""
    return {
        each["metadata"]["uid"]: each["metadata"]["resourceVersion"]
        for plural in plurals
        for each in cluster.api().get(KINDS[plural].gvr.path())["items"]
    }


async def at_rest(
    cluster: Sandbox, plurals: Iterable[str], read: Callable[[str], Awaitable[Read]]
) -> tuple[Read, Read]:
    """What is read now, and of that moment, when nothing of these kinds changed around it."""

    async def quiet() -> tuple[str, Read] | None:
        known, before = versions(cluster, plurals), await read("")
        at = stamp()
        return (at, before) if (await read(""), versions(cluster, plurals)) == (before, known) else None

    at, now = await until(quiet, QUIET_SECONDS)
    return now, await read(at)


def deployment(name: str, replicas: int, image: str = "web:1") -> dict[str, Any]:
    labels = {"app": name}
    spec = {"containers": [{"name": "c", "image": image, "env": [{"name": "A", "value": "CANARY"}]}]}
    return {
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                 "template": {"metadata": {"labels": labels}, "spec": spec}},
    }  # fmt: skip


async def test_every_list_is_as_it_was_then_cell_by_cell(cluster: Sandbox, owner: Person) -> None:
    api, there = cluster.api(), f"busy-{secrets.token_hex(3)}"
    api.post("/api/v1/namespaces", {"metadata": {"name": there}})
    apps = f"/apis/apps/v1/namespaces/{there}/deployments"
    seen: list[tuple[str, str, dict[str, Rows]]] = []
    try:
        assert (await owner.get("/c/tests/"))[0] == 200

        async def recorded() -> bool:
            return (await owner.get(f"/c/tests/pods/?{urlencode({'format': 'json', 'at': stamp()})}"))[
                0
            ] == 200

        await until(recorded, 60)
        for turn in range(ROUNDS):
            api.post(apps, deployment(f"web-{turn}", 3))
            api.post(
                f"/api/v1/namespaces/{there}/configmaps",
                {"metadata": {"name": f"c-{turn}"}, "data": {"k": "CANARY"}},
            )
            if turn:
                api.delete(f"/api/v1/namespaces/{there}/configmaps/c-{turn - 1}")
                api.delete(f"{apps}/web-{turn - 1}")
            before = stamp()
            found = {plural: await rows(owner, plural) for plural in sorted(KINDS)}
            seen.append((before, stamp(), found))
        # What was seen between two moments was so at one of them, or changes twice within a second.
        for before, after, found in seen:
            for plural, then in found.items():
                first, last = await rows(owner, plural, before), await rows(owner, plural, after)
                assert first.keys() & last.keys() <= then.keys() <= first.keys() | last.keys(), plural
                for uid, row in then.items():
                    for key, text in row.items():
                        known = {each[uid][key] for each in (first, last) if uid in each}
                        assert text in known or _moving(plural), (plural, row["name"], key, text, known)
        for plural in sorted(KINDS):
            now, past = await at_rest(cluster, [plural], partial(rows, owner, plural))
            assert past == now, plural
        for path, part in (("map/", BOXES), ("", TILES)):
            drawn_now, drawn_then = await at_rest(cluster, sorted(KINDS), partial(drawn, owner, path, part))
            assert drawn_then == drawn_now, path
        quiet = stamp()
        page = (await owner.get(f"/c/tests/pods/?{urlencode({'at': quiet, 'namespace': there})}"))[1]
        assert "You are looking at the past" in page
        assert 'data-ws=""' in page
        assert "CANARY" not in page
        for path in (
            "",
            "map/",
            f"deployments/{there}/web-{ROUNDS - 1}/",
            f"deployments/{there}/web-{ROUNDS - 1}/events/",
        ):
            status, page = await owner.get(f"/c/tests/{path}?{urlencode({'at': quiet})}")
            assert (status, "You are looking at the past" in page) == (200, True), path
            assert "Scale…" not in page, path
        gone = f"/c/tests/deployments/{there}/web-0/"
        assert (await owner.get(gone))[0] in (200, 404)
        assert (await owner.get(f"{gone}?{urlencode({'at': seen[0][1]})}"))[0] == 200
        assert (await owner.get(f"{gone}yaml/?{urlencode({'at': quiet})}"))[0] == 404
        await _nobody_sees_more(cluster, owner, there, quiet)
    finally:
        api.delete(f"/api/v1/namespaces/{there}")


def _moving(plural: str) -> bool:
    """What nodes and their pods report all the time may have changed twice meanwhile: it is compared when it rests."""
    return plural in ("events", "pods", "replicasets", "deployments", "endpointslices", "nodes")


async def _nobody_sees_more(cluster: Sandbox, owner: Person, there: str, at: str) -> None:
    api, user = cluster.api(), f"viewer-{secrets.token_hex(3)}"
    rules = [
        {"apiGroups": ["", "apps"], "resources": ["pods", "deployments"], "verbs": ["list", "watch", "get"]}
    ]
    api.post(f"{RBAC}/namespaces/{there}/roles", {"metadata": {"name": "see"}, "rules": rules})
    api.post(f"{RBAC}/namespaces/{there}/rolebindings", {
        "metadata": {"name": "see"}, "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": "see"},
        "subjects": [{"kind": "User", "name": user, "apiGroup": GROUP}],
    })  # fmt: skip
    mara = Person(owner.server)
    try:
        await mara.begin("mara")
        mapped = {"subject": "user", "name": "mara", "context": "tests", "user": user}
        assert (await owner.post("/people/", **mapped))[0] == 302
        found = await rows(mara, "pods", at)
        assert {row["namespace"] for row in found.values()} == {there}
        every = await rows(owner, "pods", at)
        assert found == {uid: row for uid, row in every.items() if row["namespace"] == there}
        query = urlencode({"at": at, "format": "json"})
        for path in ("configmaps/", "secrets/", "nodes/", "pods/?namespace=kube-system&"):
            status, _ = await mara.get(f"/c/tests/{path}{'' if '?' in path else '?'}{query}")
            assert status == 403, path
        status, page = await mara.get(f"/c/tests/?{urlencode({'at': at})}")
        assert status == 200
        assert "kube-system" not in page
        assert "worker-" not in page
    finally:
        await mara.client.close()


async def test_what_is_no_moment_or_was_not_kept_is_said(owner: Person) -> None:
    future = (datetime.now(UTC) + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    for path in ("", "pods/", "pods/default/none/", "map/"):
        for at in ("nonsense", "2026-11-28", future):
            status, page = await owner.get(f"/c/tests/{path}?{urlencode({'at': at})}")
            assert status == 400, (path, at)
            assert "RFC 3339" in page or "in the future" in page
        status, page = await owner.get(f"/c/tests/{path}?{urlencode({'at': PAST})}")
        assert (status, "Not kept" in page) == (404, True), path
        assert "As it is now" in page
        status, text = await owner.get(f"/c/tests/{path}?{urlencode({'at': PAST, 'format': 'json'})}")
        assert (status, json.loads(text)["title"]) == (404, "Not kept")
    await asyncio.sleep(0)
