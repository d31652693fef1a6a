"""One pod really runs beside the simulated nodes, and the dashboard shows what it prints: the short form of all this."""

from __future__ import annotations

import pytest

from dashboard.kube.transport import Transport
from dashboard.live.runtime import ClusterRuntime
from sandbox import Sandbox
from sandbox.node.objects import NODES
from tests.cluster.test_logs import Place, Shown

from .pods import Pods

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_pod_runs_and_its_log_is_read(cluster: Sandbox, transport: Transport, pods: Pods) -> None:
    pods.pod("web", "echo hello from $(hostname); seq 1 3; exec sleep 600")
    found = await pods.ready("web")
    assert found["spec"]["nodeName"] == "real"
    assert found["status"]["containerStatuses"][0]["containerID"].startswith("containerd://")
    runtime = ClusterRuntime(transport.cluster)
    try:
        async with Place(cluster, runtime, pods.namespace).page(plural="pods") as tab:
            shown = Shown(tab)
            await shown.until(lambda: len(shown.lines) >= 4)
            assert [text for _, _, text in shown.lines] == ["hello from web", "1", "2", "3"]
            shown.feed.close()
    finally:
        await runtime.close()


async def test_simulated_nodes_stay_simulated(cluster: Sandbox, pods: Pods) -> None:
    pods.make(
        "/api/v1/namespaces/{ns}/pods",
        {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "app", "image": "example/app:1"}]}},
    )
    found = await pods.ready("web")
    assert found["spec"]["nodeName"] != "real"
    nodes = {
        node["metadata"]["name"]: node["status"]["nodeInfo"]
        for node in pods.api.get("/api/v1/nodes")["items"]
    }
    runtimes = {name: info["containerRuntimeVersion"].partition(":")[0] for name, info in nodes.items()}
    assert len(runtimes) == 5 + len(NODES)
    for node in NODES:
        assert runtimes.pop(node) == "containerd", "kwok has taken it over"
    assert set(runtimes.values()) == {"kwok"}
