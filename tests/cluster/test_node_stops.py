"""A node that really stops, compared with what was foretold: pods, Services, budgets."""

from __future__ import annotations

import os
import secrets
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard.insight.losing import consequences, read_loss
from dashboard.insight.pod_health import is_ready
from dashboard.insight.survey import Survey
from dashboard.kube.transport import Transport
from dashboard.queries.frozen import Frozen
from sandbox import Sandbox
from sandbox.api import Api
from tests.nodes import make_node, spec_for

from .test_whatif import listed, until

pytestmark = pytest.mark.cluster

ZONE = "topology.kubernetes.io/zone"
SOON = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1}
    for key in ("unreachable", "not-ready")
]
GRACE_SECONDS = 100  # kwok reports each node every 45 to 75 seconds


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A cluster of its own, which takes a silent node for lost within a minute."""
    home = tmp_path_factory.mktemp("stops")
    sandbox = Sandbox(f"cluster-ui-stops-{os.getpid()}", home, context="tests", node_grace=GRACE_SECONDS)
    try:
        sandbox.up(samples=False)
        yield sandbox
    finally:
        sandbox.destroy()


@pytest.fixture
def api(cluster: Sandbox) -> Api:
    return cluster.api()


class Kubelets:
    """What goes on on the nodes that are left once kwok, which speaks for all of them, has stopped: heartbeats, and pods
    that start.
    """

    def __init__(self, api: Api, namespace: str, lost: str) -> None:
        self.api, self.namespace = api, namespace
        every = [each["metadata"]["name"] for each in api.get("/api/v1/nodes")["items"]]
        self.names = [name for name in every if name != lost]

    def beat(self) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now}
        for name in self.names:
            self.api.patch(f"/api/v1/nodes/{name}/status", {"status": {"conditions": [ready]}})
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        for pod in self.api.get(path)["items"]:
            if pod["status"]["phase"] == "Pending" and pod["spec"].get("nodeName") in self.names:
                ip = f"10.199.{secrets.randbelow(250)}.{1 + secrets.randbelow(250)}"
                conditions = [{"type": each, "status": "True"} for each in ("PodScheduled", "Ready")]
                status = {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "conditions": conditions}
                self.api.patch(f"{path}/{pod['metadata']['name']}/status", {"status": status})


def deploy(api: Api, namespace: str, name: str, replicas: int, spec: dict[str, Any]) -> None:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": spec}
    body = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    api.post(f"/apis/apps/v1/namespaces/{namespace}/deployments", {"metadata": {"name": name}, "spec": body})


def asking(cpu: str) -> list[dict[str, Any]]:
    return [{"name": "app", "image": "app:1", "resources": {"requests": {"cpu": cpu}}}]


async def test_pods_services_and_budgets_fare_as_foretold(
    cluster: Sandbox, api: Api, transport: Transport, namespace: str
) -> None:
    lost = make_node(api, namespace)
    others = [make_node(api, namespace) for _ in range(2)]
    for place, name in enumerate((lost, *others)):
        api.patch(f"/api/v1/nodes/{name}", {"metadata": {"labels": {ZONE: "ab"[min(place, 1)]}}})

    async def ready() -> bool:
        """Whether the scheduler may use all of them: a new node is tainted until it is Ready."""
        taints = [
            each for name in (lost, *others) for each in api.get(f"/api/v1/nodes/{name}")["spec"]["taints"]
        ]
        return not any(each["key"].startswith("node.kubernetes.io/") for each in taints)

    await until(ready)
    there: dict[str, Any] = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{
        "weight": 100, "preference": {"matchExpressions": [
            {"key": "kubernetes.io/hostname", "operator": "In", "values": [lost]},
        ]},
    }]}}  # fmt: skip
    mine = spec_for(namespace)["tolerations"]
    soon: dict[str, Any] = {"tolerations": [*mine, *SOON], "affinity": there}
    for name in others:
        api.post(f"/api/v1/namespaces/{namespace}/pods", {
            "metadata": {"name": f"full-{name}"}, "spec": spec_for(namespace, name, containers=asking("5")),
        })  # fmt: skip
    spread: dict[str, Any] = {
        "topologyKey": "kubernetes.io/hostname",
        "maxSkew": 1,
        "whenUnsatisfiable": "DoNotSchedule",
    }
    spread["labelSelector"] = {"matchLabels": {"app": "spread"}}
    # Stays on the lost node for minutes: that is when users notice.
    deploy(api, namespace, "api", 2, spec_for(namespace, affinity=there))
    deploy(api, namespace, "moves", 2, spec_for(namespace, containers=asking("1"), **soon))
    deploy(api, namespace, "big", 1, spec_for(namespace, containers=asking("4"), **soon))
    deploy(
        api,
        namespace,
        "spread",
        3,
        spec_for(namespace, topologySpreadConstraints=[spread], **soon | {"affinity": None}),
    )
    stateful = spec_for(namespace, **soon)
    template = {"metadata": {"labels": {"app": "db"}}, "spec": stateful}
    api.post(f"/apis/apps/v1/namespaces/{namespace}/statefulsets", {
        "metadata": {"name": "db"},
        "spec": {"replicas": 1, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}}, "template": template},
    })  # fmt: skip
    api.post(f"/api/v1/namespaces/{namespace}/pods", {
        "metadata": {"name": "bare"},
        "spec": spec_for(namespace, lost, tolerations=[*mine, *SOON]),
    })  # fmt: skip
    for name in ("api", "spread"):
        body = {"selector": {"app": name}, "ports": [{"port": 80}]}
        api.post(f"/api/v1/namespaces/{namespace}/services", {"metadata": {"name": name}, "spec": body})
    budget = {"minAvailable": 1, "selector": {"matchLabels": {"app": "api"}}}
    api.post(
        f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets",
        {"metadata": {"name": "api"}, "spec": budget},
    )

    async def settled() -> Frozen | None:
        found = await listed(transport)
        pods = [pod for pod in found.all("pods", namespace) if is_ready(pod)]
        healthy = [one.status.current_healthy for one in found.all("poddisruptionbudgets", namespace)]
        survey = Survey(found, datetime.now(UTC))
        ends = {each.metadata.name: len(survey.endpoints(each)) for each in found.all("services", namespace)}
        return found if len(pods) == 12 and healthy == [2] and ends == {"api": 2, "spread": 3} else None

    before = await until(settled)
    told = consequences(before, [read_loss(f"node/{lost}")], datetime.now(UTC))
    as_zone = consequences(before, [read_loss("zone/a")], datetime.now(UTC))
    mine_told = [each for each in told.pods if each.pod.metadata.namespace == namespace]
    fates = Counter((each.pod.metadata.labels.get("app", "bare"), each.fate) for each in mine_told)
    assert fates == {
        ("api", "moves"): 2, ("moves", "moves"): 2, ("big", "pending"): 1, ("spread", "pending"): 1,
        ("db", "pending"): 1, ("bare", "lost"): 1,
    }  # fmt: skip
    assert [each.fate for each in as_zone.pods] == [each.fate for each in told.pods]

    kwok = cluster.pids()["kwok-controller"]
    assert kwok is not None
    os.kill(kwok, signal.SIGSTOP)
    kubelets = Kubelets(api, namespace, lost)

    async def gone() -> Frozen | None:
        """The node stopped: its pods are not ready any more, and those that leave at once have left."""
        kubelets.beat()
        found = await listed(transport)
        pods = found.all("pods", namespace)
        left = [pod for pod in pods if pod.spec.node_name == lost]
        silent = not any(is_ready(pod) for pod in left)
        moved = [
            pod
            for pod in pods
            if pod.metadata.labels.get("app") == "moves" and pod.spec.node_name in others and is_ready(pod)
        ]
        ending = [
            pod
            for pod in left
            if pod.metadata.deletion_timestamp is not None and pod.metadata.labels.get("app") != "api"
        ]
        bare = found.get("pods", namespace, "bare")
        over = bare is None or bare.metadata.deletion_timestamp is not None
        survey = Survey(found, datetime.now(UTC))
        counts = {
            each.metadata.name: len(survey.endpoints(each)) for each in found.all("services", namespace)
        }
        healthy = [one.status.current_healthy for one in found.all("poddisruptionbudgets", namespace)]
        as_told = counts == {
            each.ref.name: each.after for each in told.services if each.ref.namespace == namespace
        }
        broken = healthy == [each.after for each in told.budgets if each.ref.namespace == namespace]
        return found if silent and len(moved) == 2 and over and ending and as_told and broken else None

    after = await until(gone)
    unplaced = Counter(
        pod.metadata.labels["app"] for pod in after.all("pods", namespace) if not pod.spec.node_name
    )
    assert unplaced == {"big": 1, "spread": 1}, "they wait for a node, as foretold"
    assert [each.broken for each in told.budgets if each.ref.namespace == namespace] == [True]
    db = after.get("pods", namespace, "db-0")
    assert db is not None and db.spec.node_name == lost, "a StatefulSet's pod is not recreated"
