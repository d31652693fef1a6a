"""The fields of kinds, asked for as the user: one OpenAPI v3 document for a group and version, when it is needed.

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-v3: ``/openapi/v3`` names the documents, each with a
hash of what it holds; what was read once is kept by that.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from dashboard.errors import NotFound, Unavailable
from dashboard.kinds.fieldschema import Fields, Schemas, UnreadableSchema
from dashboard.kube.transport import Transport
from dashboard.loop import off_loop

__all__ = ["OpenApi"]

INDEX_SECONDS = (
    60.0  # in which the index is not asked for again: so long a new definition's fields may be the old ones
)
ANSWER_SECONDS = 15.0
INDEX_BYTES, DOCUMENT_BYTES = 4 * 2**20, 16 * 2**20
MAX_DOCUMENTS, KEPT_BYTES = 32, 32 * 2**20  # of an account


class _Entry(msgspec.Struct, frozen=True):
    serverRelativeURL: str = ""


class _Index(msgspec.Struct, frozen=True):
    paths: dict[str, _Entry] = {}


class OpenApi:
    """The documents of one cluster, as one account gets them. Use it on one event loop."""

    def __init__(self, transport: Transport, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport
        self._clock = clock
        self._paths: Mapping[str, _Entry] = {}
        self._asked = -INDEX_SECONDS
        self._kept: OrderedDict[tuple[str, str], Schemas] = OrderedDict()
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def fields(self, api_version: str, kind: str) -> Fields:
        """The fields of a kind. Raises NotFound where the API server describes none of that name, and what else it says;
        Unavailable for a document that can't be read.
        """
        group, _, version = api_version.rpartition("/")
        key = f"apis/{group}/{version}" if group else f"api/{version}"
        schemas = await self._schemas(key)
        found = schemas.fields((group, version, kind)) if schemas is not None else None
        if found is None:
            raise NotFound(
                f"The API server describes no {kind[:100]} in {api_version[:100]}.",
                next_step="Look at apiVersion and kind.",
            )
        return found

    async def _schemas(self, key: str) -> Schemas | None:
        entry = (await self._index()).get(key)
        if entry is None:
            return None
        digest = "".join(parse_qs(urlsplit(entry.serverRelativeURL).query).get("hash", [])[:1])
        async with self._locks[key]:
            kept = self._kept.get((key, digest))
            if kept is None:
                # By the name, not by the address that the index gives: it leads nowhere else.
                body = await self._get(f"/openapi/v3/{quote(key)}", DOCUMENT_BYTES, {"hash": digest})
                kept = await _read(body)
                self._keep((key, digest), kept)
        self._kept.move_to_end((key, digest))
        return kept

    def _keep(self, name: tuple[str, str], schemas: Schemas) -> None:
        for other in [each for each in self._kept if each[0] == name[0]]:
            del self._kept[other]  # of the same group and version, as it was before
        self._kept[name] = schemas
        while len(self._kept) > 1 and (
            len(self._kept) > MAX_DOCUMENTS or sum(each.size for each in self._kept.values()) > KEPT_BYTES
        ):
            self._kept.popitem(last=False)

    async def _index(self) -> Mapping[str, _Entry]:
        async with self._locks[""]:
            if self._clock() - self._asked >= INDEX_SECONDS:
                body = await self._get("/openapi/v3", INDEX_BYTES, {})
                try:
                    self._paths = (await off_loop(msgspec.json.decode, body, type=_Index)).paths
                except (msgspec.DecodeError, RecursionError) as error:
                    raise Unavailable("The API server's index of OpenAPI documents can't be read.") from error
                self._asked = self._clock()
                for gone in self._locks.keys() - self._paths.keys() - {""}:
                    del self._locks[gone]
        return self._paths

    async def _get(self, path: str, largest: int, query: Mapping[str, str]) -> bytes:
        answer = await self._transport.request(
            "GET", path, query=query, timeout=ANSWER_SECONDS, largest=largest
        )
        return answer.body


async def _read(body: bytes) -> Schemas:
    try:
        return await off_loop(Schemas, body)
    except UnreadableSchema as error:
        raise Unavailable(f"The fields can't be read: {error}") from error
