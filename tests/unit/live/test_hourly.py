"""Figures that are kept each hour: once, whoever writes them, and what trends are made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from dashboard.errors import Forbidden
from dashboard.live.hourly import HourlyRecorder, series_of
from dashboard.models import HourlyFigures
from dashboard.queries.seenclusters import EVER, Recognised
from dashboard.queries.volumes import claim_fills

from ..insight.world import deployment, pod
from .seen import runtime

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 3, 1, 12, 20, tzinfo=UTC)


class Kubelets:
    """A transport that tells how full a volume is, or may not."""

    def __init__(self, refusal: Forbidden | None = None) -> None:
        self.refusal = refusal

    async def request(self, *_: Any, **__: Any) -> Any:
        if self.refusal is not None:
            raise self.refusal
        body = (
            b'{"pods": [{"podRef": {"name": "web-1", "namespace": "shop"}, "volume": ['
            b'{"name": "v", "usedBytes": 30, "capacityBytes": 100, "availableBytes": 70}]}]}'
        )
        return SimpleNamespace(body=body)


def quota(used: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "small", "namespace": "shop"},
        "spec": {"hard": {"pods": "10", "requests.cpu": "0"}},
        "status": {"hard": {"pods": "10", "requests.cpu": "0"}, "used": {"pods": used}},
    }


def cluster(transport: Any = None) -> Any:
    found = runtime()
    found.cluster = SimpleNamespace(name="dev", slug="dev")
    found.recognised = Recognised("", "dev", EVER)
    found.installation.transport = transport or Kubelets()
    found.prometheus = None
    made = pod()
    made["spec"]["volumes"] = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    found.cache.put("pods", made)
    found.cache.put("deployments", deployment(replicas=1))
    found.cache.put("resourcequotas", quota("4"))
    return found


async def test_each_hour_has_one_row_of_each_kind_whoever_writes_it() -> None:
    found, at = cluster(), NOW
    one, other = (HourlyRecorder(found, clock=lambda: at) for _ in range(2))
    await one.record()
    found.cache.put("resourcequotas", quota("5"))
    await other.record()
    assert await sync_to_async(HourlyFigures.objects.count)() == 3
    assert other.series("quotas") == {"shop/small/pods": [(NOW.timestamp() - 1200, 4.0)]}
    at += timedelta(hours=1)
    await one.record()
    assert [value for _, value in one.series("quotas")["shop/small/pods"]] == [4.0, 5.0]
    assert one.series("volumes")["shop/data"][0][1] == 0.3
    (_, scores), *_ = one.rows("scores")
    assert scores["shop"][1] == 1 and 0 < scores["shop"][0] < 100


def test_a_volume_that_was_expanded_is_less_full_and_grows_as_before() -> None:
    rows: list[Any] = [(float(n), {"shop/data": [10 + n, 100 if n < 3 else 200]}) for n in range(6)]
    assert series_of(rows)["shop/data"] == [(float(n), (10 + n) / 200) for n in range(6)]
    old: list[Any] = [(-1.0, {"shop/data": 0.09, "shop/other": 0.5}), *rows]
    assert series_of(old) == {**series_of(rows), "shop/other": [(-1.0, 0.5)]}
    assert series_of([(0.0, {"shop/data": [0, 0]})]) == {"shop/data": [(0.0, 0.0)]}


async def test_that_volumes_may_not_be_asked_for_is_kept_as_a_reason() -> None:
    recorder = HourlyRecorder(cluster(Kubelets(Forbidden("You may not get nodes/proxy."))), clock=lambda: NOW)
    await recorder.record()
    assert recorder.volumes_refused == "The kubelet of node-1 does not tell: You may not get nodes/proxy."
    assert recorder.series("volumes") == {}


async def test_prometheus_is_asked_before_any_kubelet() -> None:
    class Prometheus:
        target = SimpleNamespace(labels={"cluster": "dev"})

        async def query(self, promql: str) -> Any:
            assert 'cluster="dev"' in promql
            value = {"used": 60.0, "capacity": 100.0, "available": 20.0}[
                promql.split("stats_")[1].split("_")[0]
            ]
            labels = {"namespace": "shop", "persistentvolumeclaim": "data"}
            return SimpleNamespace(series=[SimpleNamespace(labels=labels, points=((0.0, value),))])

    fills, why = await claim_fills(Kubelets(Forbidden("no")), Prometheus(), ())  # type: ignore[arg-type]
    assert (fills["shop", "data"].share, why) == (0.75, "")
