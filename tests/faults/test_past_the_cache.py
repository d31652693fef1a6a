"""What is asked of the API server beside lists and watches: how full volumes are, whether Secrets are encrypted."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from dashboard.kinds.base import GVR
from dashboard.kube.access import allowed
from dashboard.kube.transport import Transport
from dashboard.queries import encryption, volumes
from dashboard.queries.encryption import encryption_at_rest
from dashboard.queries.volumes import NODES_AT_ONCE, Fill, volume_fills

from .scripted import Answer, ScriptedServer, failure

GIB = 2**30


class Permits:
    """Somebody with that connection."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def permitted(self, verb: str, gvr: GVR, **where: Any) -> Transport | None:
        may = (await allowed(self._transport, verb, gvr, **where)).allowed
        return self._transport if may else None


def summary_path(node: str) -> str:
    return f"/api/v1/nodes/{node}/proxy/stats/summary"


def kubelet(*volumes_: dict[str, Any]) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        ref = {"name": "database-0", "namespace": "shop", "uid": "u"}
        return web.json_response({"node": {}, "pods": [{"podRef": ref, "volume": list(volumes_)}]})

    return answer


def volume(name: str, used: int, capacity: int, free: int) -> dict[str, Any]:
    return {"name": name, "usedBytes": used, "capacityBytes": capacity, "availableBytes": free, "time": "t"}


async def test_a_kubelet_tells_how_full_the_volumes_of_its_pods_are(
    server: ScriptedServer, transport: Transport
) -> None:
    server.paths[summary_path("a1")] = kubelet(volume("data", 6 * GIB, 10 * GIB, 2 * GIB), {"name": "new"})
    found = await volume_fills(Permits(transport), ["a1", "a1", ""])
    assert found.of == {("shop", "database-0", "data"): Fill(6 * GIB, 10 * GIB, 2 * GIB)}
    assert found.trouble == ""
    # The file system keeps 2 GiB back: of what pods can use, 6 of 8 are used.
    assert found.of["shop", "database-0", "data"].share == 0.75


async def test_what_a_kubelet_said_is_kept_for_a_while(
    server: ScriptedServer, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.paths[summary_path("a1")] = kubelet(volume("data", 1, 2, 1))
    await volume_fills(Permits(transport), ["a1"])
    await volume_fills(Permits(transport), ["a1"])
    asked = [request for request in server.requests if request.path == summary_path("a1")]
    assert len(asked) == 1
    monkeypatch.setattr(volumes, "KEEP_SECONDS", 0.0)
    await volume_fills(Permits(transport), ["a1"])
    assert len([request for request in server.requests if request.path == summary_path("a1")]) == 2


async def test_without_the_right_no_kubelet_is_asked_and_the_right_is_named(
    server: ScriptedServer, transport: Transport
) -> None:
    server.refused.add(("nodes", ""))
    found = await volume_fills(Permits(transport), ["a1"])
    assert not found.of and "get nodes/proxy" in found.trouble
    assert not [request for request in server.requests if "proxy" in request.path]


async def test_a_silent_kubelet_does_not_hide_what_the_others_say(
    server: ScriptedServer, transport: Transport
) -> None:
    server.paths[summary_path("a1")] = kubelet(volume("data", 1, 2, 1))
    server.paths[summary_path("b1")] = failure(503, "ServiceUnavailable", "no route to host")
    found = await volume_fills(Permits(transport), ["a1", "b1"])
    assert len(found.of) == 1
    assert found.trouble.startswith("The kubelet of b1 does not report it")
    assert found.trouble.endswith("."), "and what to do"


async def test_only_so_many_nodes_are_asked_and_it_is_said(
    server: ScriptedServer, transport: Transport
) -> None:
    names = [f"n{number}" for number in range(NODES_AT_ONCE + 2)]
    for name in names:
        server.paths[summary_path(name)] = kubelet(volume("data", 1, 2, 1))
    found = await volume_fills(Permits(transport), names)
    assert found.trouble == f"Asked on {NODES_AT_ONCE} of {NODES_AT_ONCE + 2} nodes only."


def metrics(*lines: str) -> Answer:
    text = "\n".join(
        [
            "# HELP aggregator_discovery_total x",
            "aggregator_discovery_total 1",
            "# HELP apiserver_storage_transformation_operations_total x",
            "# TYPE apiserver_storage_transformation_operations_total counter",
            *lines,
            "# HELP workqueue_work_total x",
            *(f'workqueue_work_total{{n="{number}"}} 1' for number in range(1000)),
        ]
    )

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(text=text, content_type="text/plain")

    return answer


def counted(
    resource: str = "secrets",
    kind: str = "to_storage",
    prefix: str = "k8s:enc:aescbc:v1:",
    status: str = "OK",
    count: int = 3,
) -> str:
    labels = (
        f'resource="{resource}",status="{status}",transformation_type="{kind}",transformer_prefix="{prefix}"'
    )
    return f"apiserver_storage_transformation_operations_total{{{labels}}} {count}"


@pytest.mark.parametrize(
    ("lines", "state", "provider"),
    [
        ([counted()], "yes", "aescbc"),
        ([counted(prefix="k8s:enc:kms:v2:vault:")], "yes", "kms"),
        ([counted(prefix="identity"), counted()], "yes", "aescbc"),
        ([], "unseen", ""),
        ([counted(prefix="unknown")], "unseen", ""),
        ([counted(kind="from_storage")], "unseen", ""),
        ([counted(resource="configmaps")], "unseen", ""),
        ([counted(status="Internal")], "unseen", ""),
        ([counted(count=0)], "unseen", ""),
    ],
)
async def test_encryption_is_told_by_what_the_api_server_wrote(
    server: ScriptedServer, transport: Transport, lines: list[str], state: str, provider: str
) -> None:
    server.paths["/metrics"] = metrics(*lines)
    found = await encryption_at_rest(transport)
    assert (found.state, found.provider) == (state, provider)


async def test_the_answer_is_kept(server: ScriptedServer, transport: Transport) -> None:
    server.paths["/metrics"] = metrics(counted())
    await encryption_at_rest(transport)
    server.paths["/metrics"] = metrics()
    assert (await encryption_at_rest(transport)).state == "yes"


async def test_who_may_not_read_metrics_is_told_the_right(
    server: ScriptedServer, transport: Transport
) -> None:
    server.paths["/metrics"] = failure(403, "Forbidden", 'User "u" cannot get path "/metrics"')
    found = await encryption_at_rest(transport)
    assert found.state == "unknown" and "get /metrics" in found.reason


async def test_an_api_server_that_does_not_tell_is_asked_again(
    server: ScriptedServer, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encryption, "ASK_SECONDS", 0.2)
    server.paths["/metrics"] = failure(500, "InternalError")
    assert (await encryption_at_rest(transport)).state == "unknown"
    server.paths["/metrics"] = metrics(counted())
    monkeypatch.setattr(encryption, "ASK_SECONDS", 5.0)
    assert (await encryption_at_rest(transport)).state == "yes"
