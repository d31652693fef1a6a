"""The resource metrics API, not there, not allowed, not answering, and answering nonsense."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from dashboard.errors import ClusterError, Forbidden, NotFound, Unavailable
from dashboard.kube.metrics import MetricsServer
from dashboard.kube.transport import Transport

from .scripted import Answer, ScriptedServer, failure

API = "/apis/metrics.k8s.io/v1beta1"
AT = "2026-03-01T12:00:00Z"


def listing(*items: dict[str, Any]) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"metadata": {}, "items": list(items)})

    return answer


def pod(namespace: str, name: str) -> dict[str, Any]:
    containers = [{"name": "main", "usage": {"cpu": "5m", "memory": "1Mi"}}]
    return {"metadata": {"name": name, "namespace": namespace}, "timestamp": AT, "containers": containers}


async def test_a_cluster_without_it_says_not_found(transport: Transport) -> None:
    with pytest.raises(NotFound):
        await MetricsServer(transport).nodes()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (failure(403, "Forbidden", 'nodes.metrics.k8s.io is forbidden: User "u" cannot list'), Forbidden),
        (
            failure(503, "ServiceUnavailable", "the server is currently unable to handle the request"),
            Unavailable,
        ),
    ],
)
async def test_a_refusal_and_a_failure_are_different_errors(
    server: ScriptedServer, transport: Transport, answer: Answer, error: type[ClusterError]
) -> None:
    server.paths[API] = answer
    with pytest.raises(error):
        await MetricsServer(transport).nodes()


async def test_an_answer_of_another_shape_is_told(server: ScriptedServer, transport: Transport) -> None:
    server.paths[API] = listing({"metadata": {"name": "a"}})
    with pytest.raises(Unavailable) as caught:
        await MetricsServer(transport).pods(None)
    assert "a list of metrics" in caught.value.message


async def test_pods_of_some_namespaces_are_asked_for_one_by_one(
    server: ScriptedServer, transport: Transport
) -> None:
    for namespace in ("a", "b"):
        server.paths[f"{API}/namespaces/{namespace}/pods"] = listing(pod(namespace, "web"))
    found = await MetricsServer(transport).pods(frozenset({"a", "b"}))
    assert sorted(found) == [("a", "web"), ("b", "web")]
    assert not any(request.path == f"{API}/pods" for request in server.requests)
    assert [use.total.cpu for use in found.values()] == [0.005, 0.005]
