"""Whether a cluster may be changed through this dashboard at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import transaction

from dashboard.errors import ReadOnly
from dashboard.kube.config import Cluster
from dashboard.models import AuditEntry, ClusterPermit

from .action import Actor


@dataclass(frozen=True, slots=True)
class Permit:
    """``ask``: read-only until somebody allows changes, once. ``off``: this installation takes none."""

    state: Literal["allowed", "ask", "off"]
    words: str


async def changes_state(*, context: str, server: str, is_sandbox: bool) -> Permit:
    """Whether changes are allowed in a context at an API server. The sandbox needs no permission."""
    if settings.CLUSTER_UI_READ_ONLY:
        return Permit("off", "This installation only reads: CLUSTER_UI_READ_ONLY is set.")
    if is_sandbox:
        return Permit("allowed", "The sandbox may always be changed.")
    permit = await (
        ClusterPermit.objects.filter(context=context, server=server).select_related("allowed_by").afirst()
    )
    if permit is None:
        return Permit("ask", f"{context} is read-only until you allow changes to it, once.")
    return Permit("allowed", f"{permit.allowed_by} allowed changes on {permit.allowed_at:%Y-%m-%d}.")


async def changes_required(cluster: Cluster) -> None:
    """Raises ReadOnly unless changes to the cluster are allowed."""
    permit = await changes_state(context=cluster.name, server=cluster.server, is_sandbox=cluster.is_sandbox)
    if permit.state == "off":
        raise ReadOnly(permit.words, next_step="Ask whoever runs this dashboard.")
    if permit.state == "ask":
        raise ReadOnly(permit.words, next_step="Allow changes on the page of clusters.")


async def cluster_allow_changes(*, actor: Actor, cluster: Cluster) -> ClusterPermit:
    """Allow changes to a cluster from now on; audited. Raises ReadOnly where the installation takes none."""
    if settings.CLUSTER_UI_READ_ONLY:
        raise ReadOnly("This installation only reads.", next_step="Ask whoever runs this dashboard.")
    return await sync_to_async(_allow)(actor, cluster)


def _allow(actor: Actor, cluster: Cluster) -> ClusterPermit:
    with transaction.atomic():
        permit, created = ClusterPermit.objects.get_or_create(
            context=cluster.name, server=cluster.server, defaults={"allowed_by": actor.user}
        )
        if created:
            AuditEntry.objects.create(
                user_name=actor.name,
                context=cluster.name,
                action="allow-changes",
                detail=f"Changes allowed at {cluster.server}.",
                result=AuditEntry.Result.DONE,
            )
    return permit
