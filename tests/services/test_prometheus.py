"""Debian's Prometheus scrapes a dashboard as docs/monitoring.md says, and evaluates rules and board of deploy/."""

from __future__ import annotations

import asyncio
import json
import re
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


# Each minute, of what is wrong and of what is as it should be: in "ill" and "prod", in "well" and "calm".
SERIES = {
    'cluster_ui_watch_live{instance="ill", context="prod", kind="pods"}': "0x120",
    'cluster_ui_watch_live{instance="well", context="calm", kind="pods"}': "1x120",
    'cluster_ui_watch_lag_seconds{instance="ill", context="prod", kind="pods"}': "12x120",
    'cluster_ui_watch_lag_seconds{instance="well", context="calm", kind="pods"}': "0.1x120",
    'cluster_ui_loop_lag_seconds_bucket{instance="ill", le="0.25"}': "0x120",
    'cluster_ui_loop_lag_seconds_bucket{instance="ill", le="1"}': "0+60x120",
    'cluster_ui_loop_lag_seconds_bucket{instance="ill", le="+Inf"}': "0+60x120",
    'cluster_ui_loop_lag_seconds_bucket{instance="well", le="0.25"}': "0+60x120",
    'cluster_ui_loop_lag_seconds_bucket{instance="well", le="+Inf"}': "0+60x120",
    'cluster_ui_request_seconds_bucket{instance="ill", view="home", code="500", le="1"}': "0x120",
    'cluster_ui_request_seconds_bucket{instance="ill", view="home", code="500", le="2.5"}': "0+60x120",
    'cluster_ui_request_seconds_bucket{instance="ill", view="home", code="500", le="+Inf"}': "0+60x120",
    'cluster_ui_request_seconds_bucket{instance="well", view="home", code="200", le="1"}': "0+60x120",
    'cluster_ui_request_seconds_bucket{instance="well", view="home", code="200", le="+Inf"}': "0+60x120",
    'cluster_ui_request_seconds_count{instance="ill", view="home", code="500"}': "0+60x120",
    'cluster_ui_request_seconds_count{instance="well", view="home", code="200"}': "0+60x120",
    'cluster_ui_queue_length{instance="ill", queue="database"}': "3x120",
    'cluster_ui_queue_length{instance="well", queue="database"}': "0x120",
    'cluster_ui_actions_total{instance="ill", action="scale", result="failed"}': "0x115 7x10",
    'cluster_ui_actions_total{instance="well", action="scale", result="done"}': "0+9x120",
    'cluster_ui_backup_last_good_timestamp_seconds{context="prod"}': "-200000x120",
    'cluster_ui_backup_last_good_timestamp_seconds{context="calm"}': "7000x120",
    'cluster_ui_backup_failed{context="prod"}': "2x120",
    'cluster_ui_backup_failed{context="calm"}': "0x120",
    'cluster_ui_backup_failed{context="never"}': "0x120",
    'cluster_ui_backup_failed{context="elsewhere"}': "0x120",
    'cluster_ui_velero{context="elsewhere"}': "1x120",
    'cluster_ui_drill_last_passed_timestamp_seconds{context="prod"}': "-4000000x120",
    'cluster_ui_drill_last_passed_timestamp_seconds{context="calm"}': "7000x120",
    'cluster_ui_clock_ahead_seconds{instance="ill"}': "-45x120",
    'cluster_ui_clock_ahead_seconds{instance="well"}': "1x120",
    'process_resident_memory_bytes{instance="ill", job="cluster-ui"}': "950000000x120",
    'process_resident_memory_bytes{instance="well", job="cluster-ui"}': "300000000x120",
}
# Of each alert that is to fire: its labels, and how its value reads.
FIRING: dict[str, tuple[dict[str, str], str]] = {
    "ClusterUIStaleWatch": ({"instance": "ill", "context": "prod", "kind": "pods"}, ""),
    "ClusterUIPagesLate": ({"instance": "ill", "context": "prod"}, "12s"),
    "ClusterUILoopHeld": ({"instance": "ill"}, "992.5ms"),
    "ClusterUISlowPages": ({"instance": "ill"}, "2.425s"),
    "ClusterUIServerErrors": ({"instance": "ill"}, ""),
    "ClusterUIDatabaseBusy": ({"instance": "ill"}, ""),
    "ClusterUIActionsFail": ({"action": "scale"}, "7"),
    "ClusterUIBackupOld": ({"context": "prod"}, "2d 9h 33m 50s"),
    "ClusterUIBackupNever": ({"context": "never"}, ""),
    "ClusterUIDrillOld": ({"context": "prod"}, ""),
    "ClusterUIBackupFailed": ({"context": "prod"}, "2"),
    "ClusterUIClockWrong": ({"instance": "ill"}, "45s"),
    "ClusterUIMemory": ({"instance": "ill", "job": "cluster-ui"}, "906Mi"),
}


def written(template: str, labels: dict[str, str], value: str) -> str:
    """What Prometheus makes of an annotation."""
    text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels[found[1]], template)
    return re.sub(r"\{\{ \$value[^}]*\}\}", value, text)


def test_each_alert_fires_when_it_should_and_only_then(tmp_path: Path) -> None:
    """By promtool, with its labels and words: of every pair of series the one that is wrong."""
    rules = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"][0]["rules"]
    tests = []
    for rule in rules:
        labels, value = FIRING[rule["alert"]]
        words = {name: written(text, labels, value) for name, text in rule["annotations"].items()}
        expected = {"exp_labels": labels | rule["labels"], "exp_annotations": words}
        tests.append({"eval_time": "2h30s", "alertname": rule["alert"], "exp_alerts": [expected]})
    series = [{"series": name, "values": values} for name, values in SERIES.items()]
    content = {
        "rule_files": [str(MONITORING / "alerts.yaml")],
        "evaluation_interval": "30s",  # between two scrapes, as it is in life: increases are no whole numbers then
        "tests": [{"interval": "1m", "input_series": series, "alert_rule_test": tests}],
    }
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(content))
    program = shutil.which("promtool") or "/usr/bin/promtool"
    done = subprocess.run([program, "test", "rules", tmp_path / "tests.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(tests) == len(FIRING)


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
