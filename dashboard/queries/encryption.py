"""Whether the cluster encrypts Secrets on its disks, as far as that can be told from outside.

No API says so. But the API server counts what it turns into its stored form, and how: a number for Secrets under a
prefix such as ``k8s:enc:aescbc:v1:`` in ``apiserver_storage_transformation_operations_total`` proves that it encrypts
(with these labels since Kubernetes 1.27: staging/src/k8s.io/apiserver/pkg/storage/value/metrics.go). The other way round
nothing is proved: it counts from its start on, and a cloud's disks may be encrypted below it.
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal
from weakref import WeakKeyDictionary

from dashboard.errors import ClusterError, Forbidden
from dashboard.kube.transport import Transport

KEEP_SECONDS = 600.0
ASK_SECONDS = 3.0
_COUNTER = b"apiserver_storage_transformation_operations_total"
_LABEL = re.compile(rb'(\w+)="([^"]*)"')
_PROVIDER = re.compile(r"k8s:enc:(\w+)")


@dataclass(frozen=True, slots=True)
class Encryption:
    """``yes``: seen, with the provider's name (``aescbc``, ``kms``); ``unseen``: asked, and not seen; ``unknown``: could
    not be asked, with the reason."""

    state: Literal["yes", "unseen", "unknown"]
    provider: str = ""
    reason: str = ""


_kept: WeakKeyDictionary[Transport, tuple[float, Encryption]] = WeakKeyDictionary()


async def encryption_at_rest(transport: Transport) -> Encryption:
    """What the API server's own figures show, read as the user; the answer is kept for ten minutes."""
    now = time.monotonic()
    if (kept := _kept.get(transport)) is not None and now - kept[0] < KEEP_SECONDS:
        return kept[1]
    try:
        async with asyncio.timeout(ASK_SECONDS):
            found = await _read(transport)
    except Forbidden:
        found = Encryption(
            "unknown", reason="You may not get /metrics of the API server, which would show it."
        )
    except (ClusterError, TimeoutError):
        return Encryption("unknown", reason="The API server did not return its metrics in time.")
    _kept[transport] = (now, found)
    return found


async def _read(transport: Transport) -> Encryption:
    lines = transport.lines("/metrics", accept="text/plain", silence=ASK_SECONDS, longest=4096)
    async with aclosing(lines):
        async for line in lines:
            if line.startswith(b"# HELP ") and line[7:].split(b" ", 1)[0] > _COUNTER:
                break  # they come in the order of their names: megabytes of others follow
            if line.startswith(_COUNTER) and (provider := _provider(line)):
                return Encryption("yes", provider)
    return Encryption("unseen")


def _provider(line: bytes) -> str:
    """The provider that a line of the counter shows for stored Secrets, or ""."""
    labels = {key.decode(): value.decode("utf-8", "replace") for key, value in _LABEL.findall(line)}
    about_secrets = labels.get("resource", "secrets") == "secrets"
    if not about_secrets or labels.get("transformation_type") != "to_storage" or labels.get("status") != "OK":
        return ""
    match = _PROVIDER.match(labels.get("transformer_prefix", ""))
    return match[1] if match and not line.rstrip().endswith(b" 0") else ""
