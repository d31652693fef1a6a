"""Which keys a ConfigMap or Secret has that a variable is to come from: a container does not start without its key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dashboard.errors import ClusterError
from dashboard.kube.transport import Transport
from dashboard.queries.secrets import secret_parts


async def keys_of(
    transport: Transport, plural: str, namespace: str, name: str, found: Any, now: datetime
) -> Sequence[str] | None:
    """The names of the keys of an object as the cache has it (``found``); those of a Secret are read as the user. None
    where they can't be known.
    """
    if plural == "configmaps":
        return list(found.sizes)
    try:
        secret = await secret_parts(transport, namespace, name, now)
    except (ClusterError, ValueError):
        return None
    return [each.name for each in secret.keys]
