"""A real API server, added while the dashboard runs: as its administrator, and by a token of few rights."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest_asyncio
import yaml

from sandbox import Sandbox
from tests.kubeconfigs import kubeconfig
from tools.server import SESSION, Server

RBAC = "/apis/rbac.authorization.k8s.io/v1"


class Person:
    """Somebody who is signed in, as a script."""

    def __init__(self, server: Server, session: aiohttp.ClientSession) -> None:
        self.server, self.session = server, session

    async def get(self, path: str) -> Any:
        async with self.session.get(path) as answer:
            assert answer.status == 200, (path, await answer.text())
            return await answer.json()

    async def post(self, path: str, **form: Any) -> Any:
        async with self.session.get("/clusters/") as page:
            token = (await page.text()).partition('"X-CSRFToken": "')[2].partition('"')[0]
        headers = {
            "X-CSRFToken": token,
            "Origin": self.server.base,
            "Referer": f"{self.server.base}/clusters/",
        }
        async with self.session.post(path, data=form, headers=headers, allow_redirects=False) as answer:
            text = await answer.text()
            assert answer.status in (200, 302), (path, text)
            return json.loads(text) if text.startswith("{") else text

    async def add(self, text: str, name: str, **rules: str) -> Any:
        told = await self.post("/clusters/add/", kubeconfig=text, step="preview", format="json")
        added = await self.post(
            "/clusters/add/", kubeconfig=text, step="apply", format="json", token=told["token"], context=name, **rules
        )  # fmt: skip
        assert added == {"added": [name]}
        return next(each for each in told["contexts"] if each["name"] == name)

    async def seen(self, name: str) -> Any:
        """The row of a cluster, once it is known how it is."""
        await self.post(f"/clusters/{name}/look/")
        row: Any = None
        try:
            async with asyncio.timeout(90):
                while row is None or row["issues"] is None or row["data"] != "live":
                    rows = (await self.get("/clusters/?format=json"))["clusters"]
                    row = next(each for each in rows if each["name"] == name)
                    await asyncio.sleep(0.5)
        except TimeoutError:
            raise AssertionError(f"it is not known how it is: {row}") from None
        return row


@pytest_asyncio.fixture
async def person(tmp_path: Path) -> AsyncIterator[Person]:
    """The owner of a dashboard that knows no cluster of its own."""
    empty = tmp_path / "none"
    empty.write_text("apiVersion: v1\nkind: Config\n")
    server = Server(tmp_path / "home", empty)
    await asyncio.to_thread(server.__enter__)
    try:
        async with aiohttp.ClientSession(
            server.base,
            cookies={SESSION: await asyncio.to_thread(server.session)},
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            headers={"Accept": "text/html"},
            timeout=aiohttp.ClientTimeout(90),
        ) as session:
            yield Person(server, session)
    finally:
        await asyncio.to_thread(server.stop)
    assert "Traceback" not in server.log.read_text()


def connection(cluster: Sandbox) -> tuple[dict[str, Any], dict[str, Any]]:
    """The cluster and user entries of the sandbox, embedded."""
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    found, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    return _embedded(found), _embedded(user)


def _embedded(entry: dict[str, Any]) -> dict[str, Any]:
    made = {}
    for key, value in entry.items():
        if key in ("certificate-authority", "client-certificate", "client-key"):
            made[f"{key}-data"] = base64.b64encode(Path(value).read_bytes()).decode()
        else:
            made[key] = value
    return made


async def test_a_cluster_is_checked_added_looked_at_used_and_removed(
    person: Person, cluster: Sandbox, namespace: str
) -> None:
    reached, user = connection(cluster)
    text = kubeconfig("second", server=reached["server"], cluster=reached, user=user)
    told = await person.add(text, "second", production="on")
    assert told["version"].startswith("v1.") and told["account"] and not told["trouble"]
    assert told["authority"].count(":") == 31 and told["certificate_expires_at"]
    (before,) = (await person.get("/clusters/?format=json"))["clusters"]
    assert before["words"] == "Not looked at" and before["issues"] is None and before["production"]
    row = await person.seen("second")
    assert row["nodes"] and row["nodes_ready"] is not None and row["version"] == told["version"]
    assert row["pods"] is not None and row["pods_running"] <= row["pods"]
    assert row["certificate"]["days"] > 0 and row["answered_at"]
    listed = await person.get(f"/c/second/namespaces/?format=json&q={namespace}")
    assert [each["name"] for each in listed["rows"]] == [namespace]
    # People act as themselves from now on: who has no account of their own there sees nothing any more.
    base = person.server.base
    async with person.session.ws_connect(f"{base}/ws/c/second/", origin=base) as socket, asyncio.timeout(60):
        changed = await person.post("/clusters/second/rules/", confirm="second", act_as="user", format="json")
        assert changed == {"changed": "second"}
        while not (message := await socket.receive()).type.name.startswith("CLOS"):
            said = message.data
        assert "You have not signed in to it" in said, said
    async with person.session.get("/c/second/namespaces/", allow_redirects=False) as answer:
        assert answer.status in (302, 401) and namespace not in await answer.text()
    removed = await person.post("/clusters/second/remove/", confirm="second", format="json")
    assert removed == {"removed": "second"}
    assert (await person.get("/clusters/?format=json"))["clusters"] == []


async def test_of_an_account_with_few_rights_only_what_it_may_see_is_counted(
    person: Person, cluster: Sandbox, namespace: str
) -> None:
    api = cluster.api()
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    api.post(accounts, {"metadata": {"name": "dev"}})
    api.post(
        f"{RBAC}/namespaces/{namespace}/rolebindings",
        {
            "metadata": {"name": "dev"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": "dev", "namespace": namespace}],
        },
    )
    asked = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": 3600},
    }
    bearer = api.post(f"{accounts}/dev/token", asked)["status"]["token"]
    reached, _ = connection(cluster)
    text = kubeconfig(
        "few", server=reached["server"], cluster=reached, user={"token": bearer}, namespace=namespace
    )
    told = await person.add(text, "few")
    assert told["account"] == f"system:serviceaccount:{namespace}:dev"
    assert told["credential_expires_at"], "the token says until when"
    row = await person.seen("few")
    assert row["nodes"] is None and row["issues"] == 0
    assert (row["state"], row["credential"]["state"]) == ("warn", "bad"), "the token is good for an hour"
    assert bearer not in person.server.log.read_text()
