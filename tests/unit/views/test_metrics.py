"""Figures for Prometheus: with the token, or from this machine itself, and for nobody else."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient, AsyncRequestFactory

from dashboard.database import in_database
from dashboard.live.runtime import Runtime
from dashboard.metrics import LOOP_LAG
from dashboard.models import Backup, Change, Operation, SeenCluster
from dashboard.views.metrics import metrics

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ALERTS = Path(__file__).parents[3] / "deploy/monitoring/alerts.yaml"
HERE, OUTSIDE = "127.0.0.1", "10.1.2.3"


class From(AsyncClient):
    """Asks from an address."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address

    def _base_scope(self, **request: Any) -> dict[str, Any]:
        return {**super()._base_scope(**request), "client": (self.address, 4711)}


async def status(address: str, headers: dict[str, str] | None = None) -> int:
    answer = await From(address).get("/metrics", headers=headers or {})
    return int(answer.status_code)


async def test_the_figures_are_there_for_this_machine() -> None:
    LOOP_LAG.observe(0.2)
    answer = await From(HERE).get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    text = answer.content.decode()
    assert "cluster_ui_loop_lag_seconds_bucket" in text and "cluster_ui_loop_longest_lag_seconds" in text
    assert await status("::1") == 200


@pytest.mark.django_db(transaction=True)
async def test_the_last_good_backup_of_each_cluster_and_what_failed_since() -> None:
    def make() -> None:
        for number, (context, state, more) in enumerate(
            (
                ("prod", "verified", {"objects_count": 7, "size_bytes": 70}),
                ("prod", "verified", {"objects_count": 9, "gone_at": NOW}),
                ("prod", "partial", {"objects_count": 3}),
                ("prod", "verified", {"objects_count": 2, "namespaces": ["shop"]}),
                ("prod", "failed", {}),
                ("prod", "failed", {"namespaces": ["shop"]}),
                ("prod", "failed", {"namespaces": ["shop"], "labels": "app=web"}),
                ("prod", "verified", {"objects_count": 2, "namespaces": ["shop"]}),
                ("dev", "failed", {}),
                ("moved", "verified", {"objects_count": 5, "cluster_uid": "former"}),
                ("moved", "failed", {}),
                ("back", "verified", {"objects_count": 4, "cluster_uid": "mine"}),
                ("back", "verified", {"objects_count": 5, "cluster_uid": "other"}),
            )
        ):
            at = NOW + timedelta(minutes=number)
            Backup.objects.create(
                context=context, state=state, by="x", url="", began_at=at, ended_at=at, verified_at=at, **more
            )

        for context, uid in (("moved", "new"), ("back", "mine")):
            SeenCluster.objects.create(
                context=context, uid=uid, server="", records=context, since=NOW + timedelta(days=1)
            )

    await in_database(make)()
    said = (await From(HERE).get("/metrics")).content.decode()
    assert 'cluster_ui_backup_last_good_objects{context="prod"} 7.0' in said
    last = said.partition('cluster_ui_backup_last_good_timestamp_seconds{context="prod"} ')[2].split()[0]
    assert float(last) == NOW.timestamp()
    assert 'cluster_ui_backup_failed{context="prod"} 2.0' in said
    assert 'cluster_ui_backup_failed{context="dev"} 1.0' in said
    assert 'cluster_ui_backup_last_good_objects{context="dev"}' not in said
    assert 'cluster_ui_backup_last_good_objects{context="moved"}' not in said, (
        "of the cluster that had its name"
    )
    assert 'cluster_ui_backup_failed{context="moved"} 0.0' in said
    assert 'cluster_ui_backup_last_good_objects{context="back"} 4.0' in said


@pytest.mark.django_db(transaction=True)
async def test_the_last_drill_that_passed_and_clusters_that_were_never_backed_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Runtime, "configured_names", lambda _: frozenset({"new", "moved"}))

    def drill(context: str, day: int, **compared: Any) -> None:
        at, user = NOW + timedelta(days=day), User.objects.get_or_create(username="mara")[0]
        change = Change.objects.create(
            user=user, context=context, action="drill", nonce=f"{context}-{day}", created_at=at
        )
        steps = [{"do": "make", "state": "done"}, {"do": "compare", "state": "done", "failed": 0} | compared]
        Operation.objects.create(change=change, steps=steps, created_at=at)

    def make() -> None:
        for context in ("prod", "dev"):
            Backup.objects.create(
                context=context, state="verified", by="x", url="", began_at=NOW, ended_at=NOW
            )
        drill("prod", 1)
        drill("prod", 2)
        drill("prod", 3, failed=1)
        drill("prod", 4, state="failed")
        drill("dev", 1, failed=2)
        drill("moved", 1)  # before the name led to this cluster
        SeenCluster.objects.create(
            context="moved", uid="new", server="", records="moved", since=NOW + timedelta(days=2)
        )

    await in_database(make)()
    said = (await From(HERE).get("/metrics")).content.decode()
    passed = {
        line.partition("}")[0].partition('"')[2].rstrip('"'): float(line.rpartition(" ")[2])
        for line in said.splitlines()
        if line.startswith("cluster_ui_drill_last_passed_timestamp_seconds{")
    }
    assert passed == {"prod": (NOW + timedelta(days=2)).timestamp()}
    for context in ("new", "moved"):
        assert f'cluster_ui_backup_failed{{context="{context}"}} 0.0' in said
        assert f'cluster_ui_backup_last_good_timestamp_seconds{{context="{context}"}}' not in said


async def test_a_cluster_that_velero_backs_up_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The alert of a cluster that was never backed up leaves it out."""
    opened = [
        SimpleNamespace(cluster=SimpleNamespace(name=name), kinds=dict.fromkeys(kinds))
        for name, kinds in (("prod", ("pods", "backups.velero.io")), ("dev", ("pods",)))
    ]
    known = SimpleNamespace(opened=lambda: tuple(opened), configured_names=frozenset, added=())
    monkeypatch.setattr("dashboard.views.metrics.runtime", known)
    said = (await From(HERE).get("/metrics")).content.decode()
    assert [line for line in said.splitlines() if line.startswith("cluster_ui_velero{")] == [
        'cluster_ui_velero{context="prod"} 1.0'
    ]
    (rule,) = re.findall(r"ClusterUIBackupNever\n +expr: (.*)", ALERTS.read_text())
    assert rule.endswith(" unless on (context) max by (context) (max_over_time(cluster_ui_velero[7d]))")


PROXIES = (
    "Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Ssl",
    "X-Forwarded-Server", "X-Forwarded-Prefix", "X-Original-Forwarded-For", "X-Real-IP", "X-Client-IP", "Client-IP",
    "X-Cluster-Client-IP", "True-Client-IP", "CF-Connecting-IP", "CF-Ray", "Fastly-Client-IP", "Fly-Client-IP",
    "X-Envoy-External-Address", "X-Azure-ClientIP", "X-Appengine-User-IP", "X-Amzn-Trace-Id", "X-ProxyUser-Ip",
    "WL-Proxy-Client-IP", "X-Request-Id", "X-Some-Proxy-Of-Tomorrow", "Front-End-Https", "CDN-Loop", "Max-Forwards",
)  # fmt: skip


@pytest.mark.parametrize("header", PROXIES)
async def test_what_a_proxy_hands_on_does_not_come_from_here(header: str) -> None:
    assert await status(HERE, {header: "127.0.0.1"}) == 401


async def test_a_scraper_and_a_browser_of_this_machine_are_answered() -> None:
    prometheus = {
        "Accept": "text/plain;version=0.0.4;q=0.3,*/*;q=0.2", "Accept-Encoding": "gzip", "User-Agent": "Prometheus/3.5.0",
        "X-Prometheus-Scrape-Timeout-Seconds": "10",
    }  # fmt: skip
    browser = {
        "User-Agent": "Mozilla/5.0", "Accept": "text/html", "Accept-Language": "de", "Sec-Fetch-Site": "none",
        "Sec-CH-UA": '"Chromium"', "Upgrade-Insecure-Requests": "1", "Cookie": "a=b", "DNT": "1",
    }  # fmt: skip
    assert await status(HERE, prometheus) == 200
    assert await status(HERE, browser) == 200


async def test_others_need_the_token(settings: Any, tmp_path: Path) -> None:
    assert await status(OUTSIDE) == 401
    assert await status(OUTSIDE, {"Authorization": "Bearer "}) == 401
    file = tmp_path / "token"
    settings.CLUSTER_UI_METRICS_TOKEN_FILE = str(file)
    assert await status(OUTSIDE, {"Authorization": "Bearer x"}) == 401  # no such file
    file.write_text("")
    assert await status(OUTSIDE, {"Authorization": "Bearer "}) == 401
    file.write_text("s3cret\n")
    assert await status(OUTSIDE, {"Authorization": "Bearer s3cret"}) == 200
    assert await status(OUTSIDE, {"Authorization": "bearer s3cret"}) == 200
    assert await status(OUTSIDE, {"Authorization": "Basic s3cret"}) == 401
    assert await status(OUTSIDE, {"Authorization": "Bearer s3cre"}) == 401
    assert await status(OUTSIDE) == 401


async def test_behind_tls_this_machine_needs_it_too(settings: Any) -> None:
    settings.HTTPS = True
    assert await status(HERE) == 401


async def test_prometheus_asks_a_pod_by_its_address(settings: Any, tmp_path: Path) -> None:
    """A ServiceMonitor, or the pods of docs/monitoring.md; it can't be told to send another name."""
    file = tmp_path / "token"
    file.write_text("s3cret\n")
    settings.CLUSTER_UI_METRICS_TOKEN_FILE = str(file)
    client, address = AsyncClient(), {"Host": "10.244.0.7:8000"}
    assert (
        await client.get("/metrics", headers=address | {"Authorization": "Bearer s3cret"})
    ).status_code == 200
    assert (
        await client.get("/metrics", headers=address | {"Authorization": "Bearer wrong"})
    ).status_code == 400
    assert (await client.get("/metrics", headers=address)).status_code == 400
    assert (
        await client.get("/login/", headers=address | {"Authorization": "Bearer s3cret"})
    ).status_code == 400


async def test_another_name_for_this_machine_is_refused() -> None:
    request = AsyncRequestFactory().get("/metrics", headers={"Host": "rebound.example"})
    assert (await metrics(request)).status_code == 400
