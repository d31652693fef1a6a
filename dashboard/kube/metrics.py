"""What the resource metrics API (metrics.k8s.io, as a rule metrics-server) measures now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import msgspec

from dashboard.errors import Unavailable
from dashboard.kinds.base import GVR
from dashboard.kinds.usage import (
    NODE_METRICS,
    POD_METRICS,
    NodeUse,
    PodUse,
    decode_node_metrics,
    decode_pod_metrics,
)
from dashboard.kube.transport import Transport
from dashboard.loop import off_loop

__all__ = ["MetricsServer"]

T = TypeVar("T")

ASK_SECONDS = 10.0


class MetricsServer:
    """Asked with the transport's account.

    Every read raises a ClusterError: NotFound where the cluster serves no such API, Unavailable where it is
    registered and does not answer, Forbidden where the account may not list it.
    """

    name = "metrics-server"

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def nodes(self) -> dict[str, NodeUse]:
        """What each node uses."""
        raw = await self._list(NODE_METRICS, None)
        return await _decoded(decode_node_metrics, raw)

    async def pods(self, namespaces: frozenset[str] | None) -> dict[tuple[str, str], PodUse]:
        """What the pods of these namespaces (None: all) use, by namespace and name."""
        scopes = [None] if namespaces is None else sorted(namespaces)
        found: dict[tuple[str, str], PodUse] = {}
        for raw in await asyncio.gather(*(self._list(POD_METRICS, scope) for scope in scopes)):
            found |= await _decoded(decode_pod_metrics, raw)
        return found

    async def _list(self, gvr: GVR, namespace: str | None) -> bytes:
        response = await self._transport.request("GET", gvr, namespace=namespace, timeout=ASK_SECONDS)
        return response.body


async def _decoded(decode: Callable[[bytes], T], raw: bytes) -> T:
    """In a thread: of 10,000 pods it takes a tenth of a second."""
    try:
        return await off_loop(decode, raw)
    except msgspec.DecodeError as error:
        raise Unavailable(
            "metrics.k8s.io did not answer with a list of metrics.", next_step="Look at metrics-server's log."
        ) from error
