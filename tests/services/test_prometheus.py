"""Debian's Prometheus scrapes a dashboard as docs/monitoring.md says, and evaluates rules and board of deploy/."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.faults.scripted import ScriptedServer, cluster_at
from tools.server import SESSION, Server, free_port

MONITORING = Path(__file__).resolve().parents[2] / "deploy/monitoring"
POD: dict[str, Any] = {
    "spec": {"containers": [{"name": "app", "image": "app:1"}]},
    "status": {"phase": "Running"},
}
# What Grafana puts in place of its variables; the scrapes of the test are a second apart.
VARIABLES = {"$context": ".*", "$__rate_interval": "10s"}


@contextmanager
def prometheus(home: Path, target: str, token: Path) -> Iterator[str]:
    """Its address, as long as it runs."""
    home.mkdir()
    scrape = {
        "job_name": "cluster-ui",
        "authorization": {"type": "Bearer", "credentials_file": str(token)},
        "static_configs": [{"targets": [target]}],
    }
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(MONITORING / "alerts.yaml")],
        "scrape_configs": [scrape],
    }
    (home / "prometheus.yml").write_text(yaml.safe_dump(config))
    address, program = f"127.0.0.1:{free_port()}", shutil.which("prometheus") or "/usr/bin/prometheus"
    words = [f"--config.file={home / 'prometheus.yml'}", f"--storage.tsdb.path={home / 'data'}"]
    with (home / "log").open("w") as log:
        running = subprocess.Popen(
            [program, *words, f"--web.listen-address={address}"], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield f"http://{address}"
    finally:
        running.terminate()
        running.wait(30)


async def asked(api: aiohttp.ClientSession, path: str, **words: str) -> dict[str, Any]:
    """The data of an answer; nothing while it starts."""
    with suppress(aiohttp.ClientConnectionError):
        async with api.get(f"/api/v1/{path}", params=words) as answer:
            if answer.status != 503:
                answer.raise_for_status()
                return (await answer.json())["data"]  # type: ignore[no-any-return]
    return {}


async def come(find: Callable[[], Awaitable[Any]]) -> Any:
    """What is found, as soon as it is something."""
    async with asyncio.timeout(60):
        while True:
            if found := await find():
                return found
            await asyncio.sleep(0.2)


async def rules(api: aiohttp.ClientSession) -> dict[str, dict[str, Any]]:
    """The alerting rules by name, once each has been evaluated."""
    groups = (await asked(api, "rules")).get("groups", ())
    found = {rule["name"]: rule for group in groups for rule in group["rules"]}
    return {} if any(rule["health"] == "unknown" for rule in found.values()) else found


async def is_up(api: aiohttp.ClientSession) -> bool:
    targets = (await asked(api, "targets")).get("activeTargets", ())
    assert not any(each["lastError"] for each in targets), targets
    return [each["health"] for each in targets] == ["up"]


async def are(api: aiohttp.ClientSession, **states: str) -> bool:
    """Whether alerts are in these states, by their names without the beginning that all have."""
    found = await rules(api)
    return bool(found) and all(found[f"ClusterUI{name}"]["state"] == state for name, state in states.items())


async def silent_panels(api: aiohttp.ClientSession) -> set[str]:
    """Those of whose queries one finds nothing."""
    board = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    silent = set()
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            query = target["expr"]
            for name, value in VARIABLES.items():
                query = query.replace(name, value)
            if not (await asked(api, "query", query=query))["result"]:
                silent.add(panel["title"])
    return silent


async def test_it_scrapes_with_the_token_and_every_rule_and_panel_says_something(tmp_path: Path) -> None:
    cluster = ScriptedServer()
    await cluster.start()
    cluster_at(tmp_path, cluster.url)
    cluster.put("web-1", "shop", plural="pods", **POD)
    token = tmp_path / "token"
    token.write_text("a token of this test")
    try:
        with (
            Server(
                tmp_path / "home", tmp_path / "kubeconfig", CLUSTER_UI_METRICS_TOKEN_FILE=str(token)
            ) as server,
            prometheus(tmp_path / "prometheus", server.base.removeprefix("http://"), token) as address,
        ):
            cookies = {SESSION: await asyncio.to_thread(server.session)}
            jar = aiohttp.CookieJar(unsafe=True)
            async with (
                aiohttp.ClientSession(server.base, cookies=cookies, cookie_jar=jar) as person,
                person.ws_connect("/ws/c/test/", headers={"Origin": server.base}) as socket,
                aiohttp.ClientSession(address) as api,
            ):
                await socket.send_json({"t": "look", "view": 1, "path": "/c/test/pods/", "have": {}})
                await come(lambda: is_up(api))
                alerts = await come(lambda: rules(api))
                assert [rule["lastError"] for rule in alerts.values() if rule["health"] != "ok"] == []
                # Of all the kinds that are recorded this API server serves a few.
                await come(lambda: are(api, StaleWatch="inactive"))
                # There is a cluster, and no backup of it; so no drill is missed either.
                await come(lambda: are(api, BackupNever="pending", DrillOld="inactive"))
                await come(lambda: told_by_all_panels(api))
                await cluster.stop()
                await come(lambda: are(api, StaleWatch="pending"))
    finally:
        await cluster.stop()


async def told_by_all_panels(api: aiohttp.ClientSession) -> bool:
    """Of actions nothing is told before one is done."""
    return await silent_panels(api) <= {"Actions by result"}
