"""Which namespaces there are, for accounts that may not read the whole cluster at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec

from dashboard.errors import Forbidden
from dashboard.kinds.base import GVR
from dashboard.kube.answers import read_answer
from dashboard.kube.transport import Transport

__all__ = ["Namespaces"]

NAMESPACES = GVR("", "v1", "namespaces", namespaced=False)
# Only names are wanted, not whole objects.
ACCEPT = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
KEEP_SECONDS = 30.0


class _Named(msgspec.Struct, frozen=True):
    name: str


class _Item(msgspec.Struct, frozen=True):
    metadata: _Named


class _ListMeta(msgspec.Struct, frozen=True):
    continue_: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct, frozen=True):
    metadata: _ListMeta = _ListMeta()
    items: list[_Item] | None = None


class Namespaces:
    """The names that the account can list; where it cannot, those of the settings, or the context's own."""

    def __init__(
        self,
        transport: Transport,
        fallback: tuple[str, ...],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        own = transport.cluster.namespace
        self._fallback = fallback or ((own,) if own else ())
        self._transport = transport
        self._clock = clock
        self._names: tuple[str, ...] = ()
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()

    async def names(self) -> tuple[str, ...]:
        """In order; asked for at most twice a minute. Raises ClusterError when that fails."""
        async with self._lock:
            now = self._clock()
            if now - self._read_at >= KEEP_SECONDS:
                try:
                    self._names = tuple(sorted(await self._listed()))
                except Forbidden:
                    self._names = self._fallback
                self._read_at = now
            return self._names

    async def _listed(self) -> list[str]:
        names: list[str] = []
        query = {"limit": "500"}
        while True:
            response = await self._transport.request("GET", NAMESPACES, query=query, accept=ACCEPT)
            page = read_answer(response.body, _List)
            names += (item.metadata.name for item in page.items or ())
            if not page.metadata.continue_:
                return names
            query["continue"] = page.metadata.continue_
