"""When Secrets were last written, and the public part of the certificates among them: read as the user, never kept.

Of all Secrets only the metadata is asked for. Those of type kubernetes.io/tls are asked for in whole, as the API server
has no way to give one key; what leaves this module is read from their certificates alone.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from dashboard.kinds.certificates import Certificate, read_certificate
from dashboard.kinds.secrets import SECRETS
from dashboard.kube.answers import reading_answers
from dashboard.kube.transport import Transport
from dashboard.loop import off_loop

from .dependents import METADATA_LIST

TLS = "kubernetes.io/tls"
PAGE, TLS_PAGE = 500, 100  # objects of one answer
MAX_SECRETS, MAX_CERTIFICATES = 5_000, 1_000
T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Written(msgspec.Struct, frozen=True, rename="camel"):
    """An entry of metadata.managedFields."""

    time: datetime | None = None
    fields_v1: msgspec.Raw = msgspec.field(name="fieldsV1", default=msgspec.Raw(b""))


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    namespace: str = ""
    creation_timestamp: datetime = _EPOCH
    labels: dict[str, str] | None = None
    managed_fields: tuple[_Written, ...] | None = None


class _Item(msgspec.Struct, frozen=True):
    metadata: _Meta
    data: dict[str, str] | None = None


class _ListMeta(msgspec.Struct, frozen=True):
    continue_: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct, frozen=True):
    metadata: _ListMeta = _ListMeta()
    items: tuple[_Item, ...] | None = None


_DECODER = msgspec.json.Decoder(_List)


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """A Secret: when it was created, and when somebody last wrote its values, as its field managers tell."""

    namespace: str
    name: str
    labels: frozenset[str]
    created: datetime
    written: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """``certificates``: by namespace and name of each Secret of type kubernetes.io/tls; None for one that can't be read.
    ``cut``: there are more than were read.
    """

    secrets: tuple[Age, ...]
    certificates: dict[tuple[str, str], Certificate | None]
    cut: bool


async def secret_ages(transport: Transport, namespaces: Iterable[str | None]) -> Ages:
    """The Secrets of these namespaces; None is all of them. Raises Forbidden and what else the API server says."""
    secrets: list[Age] = []
    certificates: dict[tuple[str, str], Certificate | None] = {}
    cut = False
    for namespace in namespaces:
        ages, more = await _read(
            transport, namespace, {"limit": str(PAGE)}, METADATA_LIST, MAX_SECRETS - len(secrets), _age
        )
        of_tls = {"limit": str(TLS_PAGE), "fieldSelector": f"type={TLS}"}
        room = MAX_CERTIFICATES - len(certificates)
        found, more_tls = await _read(transport, namespace, of_tls, "application/json", room, _certificate)
        secrets += ages
        certificates.update(found)
        cut = cut or more or more_tls
    return Ages(secrets=tuple(secrets), certificates=certificates, cut=cut)


async def _read(
    transport: Transport,
    namespace: str | None,
    query: dict[str, str],
    accept: str,
    room: int,
    made: Callable[[_Item], T],
) -> tuple[list[T], bool]:
    """What is ``made`` of each Secret, page by page as far as there is ``room``; whether there are more."""
    found: list[T] = []
    token = ""
    while len(found) < room:
        asked = {**query, **({"continue": token} if token else {})}
        response = await transport.request(
            "GET", SECRETS.gvr, namespace=namespace, query=asked, accept=accept
        )
        token, items = await off_loop(_decoded, response.body, made)
        found += items
        if not token:
            return found[:room], len(found) > room
    return found[:room], True


def _decoded(body: bytes, made: Callable[[_Item], T]) -> tuple[str, list[T]]:
    with reading_answers():
        found = _DECODER.decode(body)
    return found.metadata.continue_, [made(item) for item in found.items or ()]


def _age(item: _Item) -> Age:
    meta = item.metadata
    writes = [
        each.time for each in meta.managed_fields or () if each.time and _of_values(bytes(each.fields_v1))
    ]
    return Age(
        namespace=meta.namespace,
        name=meta.name,
        labels=frozenset(meta.labels or ()),
        created=meta.creation_timestamp,
        written=max(writes, default=meta.creation_timestamp),
    )


def _of_values(fields: bytes) -> bool:
    return b'"f:data"' in fields or b'"f:stringData"' in fields


def _certificate(item: _Item) -> tuple[tuple[str, str], Certificate | None]:
    meta = item.metadata
    try:
        pem = base64.b64decode((item.data or {}).get("tls.crt", ""))
    except binascii.Error:
        pem = b""
    return (meta.namespace, meta.name), read_certificate(pem)
