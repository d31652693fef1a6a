"""Many objects at once, against a real API server and through a dashboard of its own, as a script uses it: each object's
own end, stop and resume, and a process that is killed in the middle.
"""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml

from sandbox import Sandbox
from tools.server import ROOT, SESSION, Server

from .place import RBAC, Place, rule, until

pytestmark = pytest.mark.cluster

COUNT = 20
NAMES = [f"web-{at:02}" for at in range(COUNT)]
FORBIDDEN = "web-19"  # its account may not scale this one


class Shop(Place):
    """A namespace with Deployments, an account that may read everything and scale all but one of them, and a dashboard
    that acts as it.
    """

    session: aiohttp.ClientSession
    server: Server

    def __init__(self, cluster: Sandbox, namespace: str) -> None:
        self.cluster, self.api, self.namespace = cluster, cluster.api(), namespace
        self.apps = f"/apis/apps/v1/namespaces/{namespace}/deployments"
        for name in NAMES:
            labels = {"app": name}
            template = {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "a", "image": "web:1"}]},
            }
            spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
            self.make(self.apps, {"metadata": {"name": name}, "spec": spec})

    def kubeconfig(self, folder: Path) -> Path:
        """That of the account."""
        namespace, account = self.namespace, f"/api/v1/namespaces/{self.namespace}/serviceaccounts"
        self.make(account, {"metadata": {"name": "script"}})
        scales = rule("apps", "deployments/scale", "patch", "get") | {
            "resourceNames": sorted({*NAMES} - {FORBIDDEN})
        }
        self.make(
            f"{RBAC}/namespaces/{namespace}/roles",
            {"metadata": {"name": "script"}, "rules": [scales, rule("apps", "deployments", "delete")]},
        )
        subject = {"kind": "ServiceAccount", "name": "script", "namespace": namespace}
        group = "rbac.authorization.k8s.io"
        self.make(
            f"{RBAC}/namespaces/{namespace}/rolebindings",
            {
                "metadata": {"name": "script"}, "subjects": [subject],
                "roleRef": {"apiGroup": group, "kind": "Role", "name": "script"},
            },
        )  # fmt: skip
        self.make(
            f"{RBAC}/clusterrolebindings",
            {
                "metadata": {"name": f"reads-{namespace}"}, "subjects": [subject],
                "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "view"},
            },
        )  # fmt: skip
        token = self.api.post(f"{account}/script/token", {"spec": {"expirationSeconds": 3600}})["status"][
            "token"
        ]
        kept = yaml.safe_load(self.cluster.kubeconfig.read_text())
        kept["users"][0]["user"] = {"token": token}
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(kept))
        return path

    def replicas(self) -> dict[str, int]:
        return {
            each["metadata"]["name"]: each["spec"]["replicas"] for each in self.api.get(self.apps)["items"]
        }

    def objects(self, names: Sequence[str] = NAMES) -> list[str]:  # type: ignore[override]
        return [f"{self.namespace}/{name}" for name in names]

    async def post(self, url: str, **fields: Any) -> tuple[int, dict[str, Any]]:
        data = aiohttp.FormData()
        for name, value in fields.items():
            for each in value if isinstance(value, list) else [value]:
                data.add_field(name, str(each))
        async with self.session.post(f"{url}?format=json", data=data) as response:
            return response.status, await response.json()

    async def bulk(self, action: str, **fields: Any) -> tuple[int, dict[str, Any]]:
        return await self.post(f"/c/tests/bulk/deployments/{action}/", **fields)

    async def begun(self, replicas: int, names: Sequence[str] = NAMES, **pace: str) -> dict[str, Any]:
        """A scale of all, or some, applied."""
        asked = {"object": self.objects(names), "replicas": replicas}
        status, shown = await self.bulk("scale", **asked, step="preview")
        assert status == 200, shown
        applied = {"step": "apply", "token": shown["token"], "confirm": len(names)}
        status, made = await self.bulk("scale", **asked, **applied, **pace)
        assert status == 200, made
        return made

    async def undone(self, url: str, **given: Any) -> dict[str, Any]:
        """The undo of a change of many, applied."""
        status, shown = await self.post(f"{url}undo/", step="preview")
        assert status == 200, shown
        asked = {"step": "apply", "token": shown["token"], "confirm": shown["count"]}
        status, made = await self.post(f"{url}undo/", **asked, **given)
        assert status == 200, made
        return made

    def rolling(self) -> list[str]:
        """The Deployments whose rollout is not complete."""
        found = []
        for each in self.api.get(self.apps)["items"]:
            meta, spec, status = each["metadata"], each["spec"], each["status"]
            seen = status.get("observedGeneration", 0) >= meta["generation"]
            if not seen or status.get("availableReplicas", 0) < spec["replicas"]:
                found.append(meta["name"])
        return found

    async def state(self, url: str) -> dict[str, Any]:
        async with self.session.get(f"{url}?format=json") as response:
            return dict(await response.json())

    async def ended(self, url: str) -> dict[str, dict[str, Any]]:
        """Its results once it is done, by the objects' names."""

        async def done() -> dict[str, Any]:
            found = await self.state(url)
            return found if found["done"] else {}

        told = await until(done)
        return {each["object"].rpartition("/")[2]: each for each in told["results"]}


@pytest_asyncio.fixture
async def shop(cluster: Sandbox, namespace: str, tmp_path: Path) -> AsyncIterator[Shop]:
    made = Shop(cluster, namespace)
    server = Server(tmp_path / "home", made.kubeconfig(tmp_path))
    await asyncio.to_thread(server.__enter__)
    try:
        cookies = {SESSION: await asyncio.to_thread(server.session)}
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(server.base, cookies=cookies, cookie_jar=jar) as session:
            page = await (await session.get("/clusters/")).text()
            token = re.search(r'"X-CSRFToken": "([^"]+)"', page)
            assert token
            session.headers["X-CSRFToken"] = token[1]
            await (await session.post("/clusters/tests/allow/")).text()
            made.session, made.server = session, server
            yield made
    finally:
        await asyncio.to_thread(server.stop)
        made.api.delete(f"{RBAC}/clusterrolebindings/reads-{namespace}")


async def test_a_script_scales_one_as_the_documents_show(shop: Shop) -> None:
    async def scaled(replicas: int) -> str:
        link = await asyncio.to_thread(shop.server.signin_link)
        where = f"/c/tests/deployments/{shop.namespace}/{NAMES[0]}/scale/"
        words = (sys.executable, ROOT / "docs/examples/scale.py", link, where, str(replicas))
        done = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    said = await scaled(2)
    assert "ok: " in said and "2 pods" in said, said
    assert shop.api.get(f"{shop.apps}/{NAMES[0]}")["spec"]["replicas"] == 2
    assert "Nothing would change." in await scaled(2)
    assert "replicas" in (refused := await scaled(-1)) and "Traceback" not in refused, refused


async def test_twenty_are_scaled_and_what_cannot_be_is_told_object_by_object(shop: Shop) -> None:
    status, shown = await shop.bulk("scale", object=shop.objects(), replicas=2, step="preview")
    assert status == 200, shown
    assert (shown["count"], len(shown["objects"])) == (COUNT, COUNT)
    states = {each["object"].rpartition("/")[2]: each for each in shown["objects"]}
    assert {name for name, each in states.items() if each["state"] != "change"} == {FORBIDDEN}
    assert "may not patch deployments/scale" in states[FORBIDDEN]["refusal"]["text"]
    assert all(each["diff"] and each["kubectl"] for name, each in states.items() if name != FORBIDDEN)
    assert set(shop.replicas().values()) == {0}, "a preview writes nothing"

    shop.api.patch(f"{shop.apps}/web-03", {"spec": {"replicas": 1}})
    shop.api.delete(f"{shop.apps}/web-04")
    asked = {"object": shop.objects(), "replicas": 2, "step": "apply", "token": shown["token"]}
    status, refused = await shop.bulk("scale", **asked, confirm=COUNT - 1)
    assert (status, refused["error"]["field"]) == (422, "confirm")
    status, made = await shop.bulk("scale", **asked, confirm=COUNT, reason="load test")
    assert status == 200, made
    assert (await shop.bulk("scale", **asked, confirm=COUNT))[1] == made, "one token, one operation"
    results = await shop.ended(made["url"])
    left = {"web-03": "failed", "web-04": "failed", FORBIDDEN: "left"}
    assert {name: each["state"] for name, each in results.items()} == dict.fromkeys(NAMES, "done") | left
    assert "it was 0 replicas, now it is 1 replica" in results["web-03"]["text"]
    assert "There is no Deployment web-04" in results["web-04"]["text"]
    expected = dict.fromkeys(NAMES, 2) | {"web-03": 1, FORBIDDEN: 0}
    del expected["web-04"]
    assert shop.replicas() == expected

    # Each is a change of its own, with its own way back.
    own = f"/changes/{results['web-00']['change']}/"
    _, back = await shop.post(f"{own}undo/", step="preview")
    status, _ = await shop.post(f"{own}undo/", step="apply", token=back["token"])
    assert status == 200 and shop.replicas()["web-00"] == 0
    async with shop.session.get("/audit/?format=json") as response:
        entries = (await response.json(content_type=None))["entries"]
    assert sum(each["action"] == "scale" and each["result"] == "done" for each in entries) == COUNT - 3 + 1
    assert {each["reason"] for each in entries if each["action"] == "bulk-scale"} == {"load test", ""}


async def test_all_that_match_a_filter_are_those_that_match_at_the_preview(shop: Shop) -> None:
    chosen = {"all": "yes", "namespace": shop.namespace, "q": "web-0"}

    async def listed() -> dict[str, Any]:
        status, shown = await shop.bulk("scale", **chosen, replicas=1, step="preview")
        return shown if status == 200 and shown["count"] == 10 else {}

    shown = await until(listed)
    assert {each["object"] for each in shown["objects"]} == {*shop.objects(NAMES[:10])}
    status, made = await shop.bulk("scale", replicas=1, step="apply", token=shown["token"])
    assert status == 200, made
    await shop.ended(made["url"])
    assert shop.replicas() == {name: int(name < "web-10") for name in NAMES}


async def test_stopped_it_begins_nothing_more_and_resumed_it_comes_to_its_end(shop: Shop) -> None:
    made = await shop.begun(1)
    status, _ = await shop.post(f"{made['url']}stop/")
    if status == 200:  # else it was quicker
        stopped = await shop.state(made["url"])
        assert sum(shop.replicas().values()) < COUNT
        assert stopped["state"] == "warn" and stopped["headline"] == "The bulk change was stopped"
        status, told = await shop.post(f"{made['url']}resume/")
        assert status == 200, told
    results = await shop.ended(made["url"])
    assert {name for name, each in results.items() if each["state"] == "done"} == {*NAMES} - {FORBIDDEN}
    assert sum(shop.replicas().values()) == COUNT - 1


async def test_killed_in_the_middle_the_next_process_ends_it_and_nothing_twice(shop: Shop) -> None:
    made = await shop.begun(1)

    async def some() -> bool:
        return any(shop.replicas().values())

    await until(some)
    await asyncio.to_thread(shop.server.stop, signal.SIGKILL)
    await asyncio.to_thread(shop.server.start)
    results = await shop.ended(made["url"])
    assert {name for name, each in results.items() if each["state"] == "done"} == {*NAMES} - {FORBIDDEN}
    assert shop.replicas() == {name: int(name != FORBIDDEN) for name in NAMES}
    generations = {
        each["metadata"]["name"]: each["metadata"]["generation"] for each in shop.api.get(shop.apps)["items"]
    }
    assert {generations[name] for name in {*NAMES} - {FORBIDDEN}} == {2}, "each was written once"
    assert len({each["change"] for each in results.values() if each["state"] == "done"}) == COUNT - 1


async def test_one_at_a_time_each_settles_before_the_next_also_when_the_server_is_killed(shop: Shop) -> None:
    names = NAMES[:6]
    made = await shop.begun(1, names, order="one")
    at_once = []

    async def half() -> bool:
        at_once.append(shop.rolling())
        return sum(shop.replicas().values()) >= 3

    await until(half)
    await asyncio.to_thread(shop.server.stop, signal.SIGKILL)
    await asyncio.to_thread(shop.server.start)

    async def done() -> dict[str, Any]:
        at_once.append(shop.rolling())
        found = await shop.state(made["url"])
        return found if found["done"] else {}

    told = await until(done)
    assert max(map(len, at_once)) <= 1, at_once
    assert [each["state"] for each in told["results"]] == ["done"] * 6, told
    assert shop.replicas() == {name: int(name in names) for name in NAMES} and shop.rolling() == []
    written = {
        each["metadata"]["name"]: each["metadata"]["generation"] for each in shop.api.get(shop.apps)["items"]
    }
    assert {written[name] for name in names} == {2}, "each was written once"


async def test_one_at_a_time_stops_at_the_first_that_does_not_come_up_and_goes_on_when_resumed(
    shop: Shop,
) -> None:
    quota = f"/api/v1/namespaces/{shop.namespace}/resourcequotas"
    shop.make(quota, {"metadata": {"name": "two"}, "spec": {"hard": {"pods": "2"}}})
    names = NAMES[:4]
    made = await shop.begun(1, names, order="one", each_timeout="5m")
    results = await shop.ended(made["url"])
    states = [results[name]["state"] for name in names]
    assert states == ["done", "done", "failed", "waiting"], results
    assert "exceeded quota" in results["web-02"]["text"]
    told = await shop.state(made["url"])
    assert told["state"] == "bad" and told["headline"] == "Scale 4 Deployments: failed"
    assert told["steps"][-1]["state"] == "failed" and told["undo_url"]
    assert shop.replicas()["web-03"] == 0, "nothing more begins"

    shop.api.patch(f"{quota}/two", {"spec": {"hard": {"pods": "9"}}})
    status, _ = await shop.post(f"{made['url']}resume/")
    assert status == 200
    results = await shop.ended(made["url"])
    assert [results[name]["state"] for name in names] == ["done"] * 4, results
    assert shop.rolling() == []


async def test_the_whole_is_undone_newest_first_but_for_what_was_changed_since(shop: Shop) -> None:
    made = await shop.begun(1)
    await shop.ended(made["url"])
    shop.api.patch(f"{shop.apps}/web-03", {"spec": {"replicas": 3}})
    shop.api.delete(f"{shop.apps}/web-04")
    status, shown = await shop.post(f"{made['url']}undo/", step="preview")
    assert status == 200, shown
    states = {each["object"].rpartition("/")[2]: each for each in shown["objects"]}
    assert set(states) == {*NAMES} - {FORBIDDEN}, "what was not changed is not undone"
    assert {name for name, each in states.items() if each["state"] == "refused"} == {"web-03", "web-04"}
    assert "it was 1 replica, now it is 3 replicas" in states["web-03"]["refusal"]["text"]
    assert "There is no Deployment web-04" in states["web-04"]["refusal"]["text"]
    assert all(each["diff"] and each["kubectl"] for each in states.values() if each["state"] == "change")
    numbers = [each["undoes"] for each in shown["objects"]]
    assert numbers == sorted(numbers, reverse=True)
    status, refused = await shop.post(f"{made['url']}undo/", step="apply", token=shown["token"], confirm=1)
    assert (status, refused["error"]["field"]) == (422, "confirm")

    undone = await shop.undone(made["url"], reason="too many")

    async def some() -> bool:
        return list(shop.replicas().values()).count(0) > 3

    await until(some)
    await asyncio.to_thread(shop.server.stop, signal.SIGKILL)
    await asyncio.to_thread(shop.server.start)
    results = await shop.ended(undone["url"])
    expected = dict.fromkeys(NAMES, "done") | {"web-03": "left", "web-04": "left"}
    assert {name: each["state"] for name, each in results.items()} == {
        name: state for name, state in expected.items() if name != FORBIDDEN
    }
    replicas = {name: 3 if name == "web-03" else 0 for name in NAMES if name != "web-04"}
    assert shop.replicas() == replicas
    written = {
        each["metadata"]["name"]: each["metadata"]["generation"] for each in shop.api.get(shop.apps)["items"]
    }
    back = {*NAMES} - {FORBIDDEN, "web-03", "web-04"}
    assert {written[name] for name in back} == {3}, "each was set back once"
    status, again = await shop.post(f"{made['url']}undo/", step="preview")
    assert status == 409 and again["error"]["text"].startswith("Undone by ")
    async with shop.session.get("/audit/?format=json") as response:
        entries = (await response.json(content_type=None))["entries"]
    undos = [each for each in entries if each["action"] == "scale" and "Undo of change" in each["detail"]]
    assert len(undos) == len(back) and {each["reason"] for each in undos} == {"too many"}
