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
    """The names of the keys that variables are read from, of an object as the cache has it (``found``); those of a Secret
    are read as the user. None where they can't be known.
    """
    if plural == "configmaps":
        return sorted(found.data or ())  # the kubelet reads no binaryData (makeEnvironmentVariables)
    try:
        secret = await secret_parts(transport, namespace, name, now)
    except (ClusterError, ValueError):
        return None
    return [each.name for each in secret.keys]


def no_key_words(title: str, found: Any, key: str) -> str:
    """That a ConfigMap or Secret (``found``) has no such key for a variable, without the end of the sentence."""
    named = f"{title} {found.metadata.name}"
    if key in (getattr(found, "binary_data", None) or ()):
        return f"{named} has {key} in binaryData, where no variable is read from"
    return f"{named} has no key {key}"
