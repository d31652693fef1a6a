"""What a ConfigMap holds, and who wrote it: read as the user, and kept nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from dashboard.errors import NotFound
from dashboard.kinds.configmaps import CONFIGMAPS
from dashboard.kube.transport import Transport
from dashboard.models import Change

from ..database import in_database
from .action import Manifest, Target
from .configmap_values import Value, values
from .engine import change_read
from .writers import last_manager
from .writing import MANAGER


@dataclass(frozen=True, slots=True)
class Writer:
    """Who wrote the ConfigMap, or one key of it, last, and when; "" and None where nobody knows."""

    who: str
    when: datetime | None


async def configmap_values(*, transport: Transport, namespace: str, name: str) -> dict[str, Value]:
    """Every key's bytes, read as the user and kept nowhere. Raises NotFound, Forbidden, Unavailable."""
    return values(
        await change_read(
            transport=transport, target=configmap_target(transport.cluster.name, namespace, name)
        )
    )


async def configmap_contents(
    *, transport: Transport, namespace: str, name: str
) -> tuple[str, dict[str, Value]]:
    """The resourceVersion and every key's bytes, as ``configmap_values``."""
    manifest = await change_read(
        transport=transport, target=configmap_target(transport.cluster.name, namespace, name)
    )
    return manifest["metadata"]["resourceVersion"], values(manifest)


async def configmap_value(*, transport: Transport, namespace: str, name: str, key: str) -> bytes:
    """One key's exact bytes, read as the user. Raises NotFound, also for a key that is not there."""
    found = await configmap_values(transport=transport, namespace=namespace, name=name)
    if key not in found:
        raise NotFound(f"ConfigMap {name} has no key {key}.", next_step="Look at the keys it has.")
    return found[key].content


async def configmap_writer(*, transport: Transport, namespace: str, name: str) -> tuple[str, Writer]:
    """The resourceVersion and who made it. Raises NotFound, Forbidden, Unavailable."""
    target = configmap_target(transport.cluster.name, namespace, name)
    manifest = await change_read(transport=transport, target=target)
    return manifest["metadata"]["resourceVersion"], await writer_of(target, manifest)


async def writer_of(target: Target, manifest: Manifest, key: str = "") -> Writer:
    """Who wrote one key last, or any; whoever used this dashboard by name, not only by its field manager."""
    paths = [f"/{field}/{key}" for field in ("data", "binaryData")] if key else [""]
    who, when = max((last_manager(manifest, path) for path in paths), key=lambda each: bool(each[0]))
    if who and who != MANAGER:
        # "unknown" is what the API server writes for a client that does not say what it is.
        return Writer("" if who == "unknown" else who, when)
    # One that is being sent counts: the watch may tell of it before its end is recorded here.
    done = Q(uid=manifest["metadata"]["uid"], state=Change.State.DONE)
    changes = Change.objects.filter(
        done | Q(state=Change.State.SENDING),
        context=target.context,
        plural=target.plural,
        namespace=target.namespace,
        name=target.name,
    )
    if key:
        changes = changes.filter(Q(touched__has_key=paths[0]) | Q(touched__has_key=paths[1]))
    last = await in_database(changes.select_related("user").order_by("-created_at").first)()
    return Writer(last.user.get_username(), last.created_at) if last is not None else Writer(who, when)


def configmap_target(context: str, namespace: str, name: str) -> Target:
    return Target.of(context, CONFIGMAPS, namespace, name)
