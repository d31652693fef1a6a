"""Usage against a real metrics-server: the same figures as the raw API's, and nobody sees more than kubectl top shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from dashboard.cache.cluster import ClusterCache
from dashboard.kinds.base import GVR
from dashboard.kinds.quantity import parse
from dashboard.kube.access import allowed
from dashboard.kube.config import load_clusters
from dashboard.kube.metrics import MetricsServer
from dashboard.kube.transport import Transport
from dashboard.live.usage import ALL_NODES, Usage
from dashboard.queries.access import Visible
from dashboard.queries.usage import usage_rights
from sandbox import Sandbox
from sandbox.api import Api

pytestmark = pytest.mark.cluster

METRICS = "/apis/metrics.k8s.io/v1beta1"
MIB = 2**20


def transport_of(kubeconfig: Path) -> Transport:
    context = load_clusters(environ={"KUBECONFIG": str(kubeconfig)}, sandbox_kubeconfig=None)[0]
    return Transport(context, user_agent="cluster-ui/test")


class Asker:
    """Somebody with that connection."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def may(self, verb: str, gvr: GVR, *, namespace: str | None = None) -> bool:
        return (await allowed(self._transport, verb, gvr, namespace=namespace)).allowed


@pytest_asyncio.fixture
async def transport(kubeconfig: Path) -> AsyncIterator[Transport]:
    made = transport_of(kubeconfig)
    yield made
    await made.close()


@pytest_asyncio.fixture
async def usage(transport: Transport) -> AsyncIterator[Usage]:
    cache = ClusterCache(transport)
    made = Usage(cache, [MetricsServer(transport)])
    yield made
    await made.close()
    await cache.close()


def deployment(api: Api, namespace: str) -> None:
    """Two pods that use what their annotations say."""
    labels = {"app": "measured"}
    annotations = {"sandbox.cluster-ui.dev/cpu": "120m", "sandbox.cluster-ui.dev/memory": "80Mi"}
    resources = {"requests": {"cpu": "200m", "memory": "100Mi"}, "limits": {"memory": "160Mi"}}
    container = {"name": "main", "image": "example/app:1", "resources": resources}
    api.post(
        f"/apis/apps/v1/namespaces/{namespace}/deployments",
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "measured"},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels, "annotations": annotations},
                    "spec": {"containers": [container]},
                },
            },
        },
    )


async def measured(api: Api, namespace: str) -> None:
    """Waits for metrics-server: it needs two looks at a pod."""
    async with asyncio.timeout(240):
        while True:
            found = await asyncio.to_thread(api.get, f"{METRICS}/namespaces/{namespace}/pods")
            if len([each for each in found["items"] if each["containers"]]) == 2:
                return
            await asyncio.sleep(2)


def raw_use(item: dict[str, Any]) -> tuple[float, float]:
    usages = [each["usage"] for each in item["containers"]] if "containers" in item else [item["usage"]]
    return (
        sum(float(parse(each["cpu"])) for each in usages),
        sum(float(parse(each["memory"])) for each in usages),
    )


async def test_every_figure_is_the_raw_apis(cluster: Sandbox, namespace: str, usage: Usage) -> None:
    api = cluster.api()
    await asyncio.to_thread(deployment, api, namespace)
    await measured(api, namespace)
    usage.touch()
    await usage.first(60)
    # metrics-server measures anew every 15 s: a sample and a raw answer are compared when they are of one measuring.
    async with asyncio.timeout(120):
        while True:
            await usage.sample()
            pods = (await asyncio.to_thread(api.get, f"{METRICS}/namespaces/{namespace}/pods"))["items"]
            nodes = (await asyncio.to_thread(api.get, f"{METRICS}/nodes"))["items"]
            objects = (await asyncio.to_thread(api.get, f"/api/v1/namespaces/{namespace}/pods"))["items"]
            uids = {each["metadata"]["name"]: each["metadata"]["uid"] for each in objects}
            kept = {
                each["metadata"]["name"]: usage.tally.pods.get(uids[each["metadata"]["name"]])
                for each in pods
            }
            answered = (usage.nodes.state, usage.pods.state) == ("ok", "ok")
            if (
                answered
                and all(
                    each is not None and each.total == pytest.approx(raw_use(item))
                    for item in pods
                    for each in [kept[item["metadata"]["name"]]]
                )
                and all(
                    usage.tally.nodes[item["metadata"]["name"]].use == pytest.approx(raw_use(item))
                    for item in nodes
                )
            ):
                break
            await asyncio.sleep(1)
    assert len(pods) == 2 and nodes
    total = usage.tally.workloads["deployments", namespace, "measured"]
    assert (total.pods, total.measured) == (2, 2)
    assert (total.cpu.requested, total.memory.requested, total.memory.limit) == (0.4, 200 * MIB, 320 * MIB)
    assert total.cpu.unlimited == 2
    assert total.cpu.used == pytest.approx(sum(raw_use(item)[0] for item in pods))
    assert usage.of_workloads.points(("deployments", namespace, "measured"))[-1][1][0] == pytest.approx(
        total.cpu.used, rel=1e-6
    )
    assert usage.of_nodes.points(ALL_NODES)[-1][1][0] == pytest.approx(
        sum(raw_use(item)[0] for item in nodes), rel=1e-6
    )


class Account:
    """A service account and its rights."""

    def __init__(self, cluster: Sandbox, namespace: str) -> None:
        self.api = cluster.api()
        self.cluster = cluster
        self.namespace = namespace
        self.api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "viewer"}})

    def grant(self, name: str, group: str) -> None:
        rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.namespace}"
        rule = {"apiGroups": [group], "resources": ["pods"], "verbs": ["list", "watch"]}
        self.api.post(f"{rbac}/roles", {"metadata": {"name": name}, "rules": [rule]})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        subject = {"kind": "ServiceAccount", "name": "viewer", "namespace": self.namespace}
        self.api.post(
            f"{rbac}/rolebindings", {"metadata": {"name": name}, "subjects": [subject], "roleRef": role}
        )

    def kubeconfig(self, path: Path) -> Path:
        accounts = f"/api/v1/namespaces/{self.namespace}/serviceaccounts"
        token = self.api.post(f"{accounts}/viewer/token", {"spec": {}})["status"]["token"]
        config = yaml.safe_load(self.cluster.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": token}
        path.write_text(yaml.safe_dump(config))
        return path


async def test_the_right_to_list_pods_is_not_the_right_to_see_what_they_use(
    cluster: Sandbox, namespace: str, tmp_path: Path
) -> None:
    account = Account(cluster, namespace)
    account.grant("pods", "")
    visible = Visible(frozenset({namespace}))
    transport = transport_of(account.kubeconfig(tmp_path / "config"))
    rights = await usage_rights(Asker(transport), pods=visible)
    assert rights.pods.denied is not None
    assert rights.pods.denied.resource == "pods.metrics.k8s.io"
    assert not rights.sees_pods_in(namespace)
    await transport.close()

    account.grant("metrics", "metrics.k8s.io")
    again = transport_of(tmp_path / "config")  # answers are kept for seconds, for each transport
    async with asyncio.timeout(30):
        while not (await usage_rights(Asker(again), pods=visible)).sees_pods_in(namespace):
            await again.close()
            again = transport_of(tmp_path / "config")
    assert not (await usage_rights(Asker(again), pods=visible)).sees_pods_in("kube-system")
    await again.close()


async def test_an_account_of_one_namespace_samples_that_one(
    cluster: Sandbox, namespace: str, tmp_path: Path
) -> None:
    account = Account(cluster, namespace)
    account.grant("pods", "")
    account.grant("metrics", "metrics.k8s.io")
    transport = transport_of(account.kubeconfig(tmp_path / "config"))
    cache = ClusterCache(transport, namespaces=(namespace,))
    usage = Usage(cache, [MetricsServer(transport)])
    with cache.lease({"pods"}):
        await cache.synced({"pods"}, timeout=60)
        await usage.sample()
        assert usage.nodes.state == "forbidden"
        assert usage.pods.state == "waiting", "it may be asked, and there are none"
    await usage.close()
    await cache.close()
    await transport.close()
