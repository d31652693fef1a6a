"""Whether a cluster may be changed through this dashboard at all."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from dashboard.clusters.rules import rules_of
from dashboard.database import in_database
from dashboard.errors import ReadOnly
from dashboard.kube.config import Cluster, slug
from dashboard.models import AuditEntry, ClusterPermit


@dataclass(frozen=True, slots=True)
class Permit:
    """``ask``: read-only until somebody allows changes, once. ``off``: this installation, or this cluster in it, takes
    none. ``by`` and ``at`` are who allowed them and when, where somebody had to.
    """

    state: Literal["allowed", "ask", "off"]
    words: str
    by: str = ""
    at: datetime | None = None


async def changes_state(*, context: str, server: str, is_sandbox: bool) -> Permit:
    """Whether changes are allowed in a context at an API server. The sandbox needs no permission."""
    if settings.CLUSTER_UI_READ_ONLY or is_sandbox:
        return _permit(context, is_sandbox, None)
    permits = ClusterPermit.objects.filter(context=context, server=server).select_related("allowed_by")
    permit = await in_database(permits.first)()
    return _permit(context, is_sandbox, permit)


async def changes_states(clusters: Collection[Cluster]) -> dict[str, Permit]:
    """The same for many, by slug, with one question to the database."""
    permits = ClusterPermit.objects.select_related("allowed_by")
    known = {(each.context, each.server): each for each in await in_database(list)(permits)}
    return {
        each.slug: _permit(each.name, each.is_sandbox, known.get((each.name, each.server)))
        for each in clusters
    }


def _permit(context: str, is_sandbox: bool, permit: ClusterPermit | None) -> Permit:
    if settings.CLUSTER_UI_READ_ONLY:
        return Permit("off", "This installation only reads: CLUSTER_UI_READ_ONLY is set.")
    if rules_of(slug(context)).read_only:
        return Permit("off", f"{context} was added as a cluster that is only read.")
    if is_sandbox:
        return Permit("allowed", "The sandbox may always be changed.")
    if permit is None:
        return Permit("ask", f"{context} is read-only until you allow changes to it, once.")
    by, at = permit.allowed_by.get_username(), permit.allowed_at
    return Permit("allowed", f"{by} allowed changes on {at:%Y-%m-%d}.", by, at)


async def changes_required(cluster: Cluster) -> None:
    """Raises ReadOnly unless changes to the cluster are allowed. It is ``Transport.gate``: asked before every write."""
    permit = await changes_state(context=cluster.name, server=cluster.server, is_sandbox=cluster.is_sandbox)
    if permit.state == "off":
        raise ReadOnly(permit.words, next_step="Ask whoever runs this dashboard.")
    if permit.state == "ask":
        raise ReadOnly(permit.words, next_step="Allow changes on the page of clusters.")


async def cluster_allow_changes(*, user: User, context: str, server: str, is_sandbox: bool) -> None:
    """Allow changes to a cluster from now on; audited. Does nothing for the sandbox and where they are allowed.

    Raises ReadOnly where the installation takes none.
    """
    permit = await changes_state(context=context, server=server, is_sandbox=is_sandbox)
    if permit.state == "off":
        raise ReadOnly(permit.words, next_step="Ask whoever runs this dashboard.")
    if permit.state == "ask":
        await in_database(_allow)(user, context, server)


async def cluster_forbid_changes(*, user: User, context: str, server: str) -> bool:
    """Make a cluster read-only again, until changes are allowed anew; audited. What is under way stops before its next
    write. Gives whether changes were allowed.
    """
    return await in_database(_forbid)(user, context, server)


def _forbid(user: User, context: str, server: str) -> bool:
    with transaction.atomic():
        forgotten, _ = ClusterPermit.objects.filter(context=context, server=server).delete()
        if forgotten:
            _audit(user, context, "make-read-only", f"Read-only again at {server}.")
    return bool(forgotten)


def _allow(user: User, context: str, server: str) -> None:
    with transaction.atomic():
        _, created = ClusterPermit.objects.get_or_create(
            context=context, server=server, defaults={"allowed_by": user}
        )
        if created:
            _audit(user, context, "allow-changes", f"Changes allowed at {server}.")


def _audit(user: User, context: str, action: str, detail: str) -> None:
    AuditEntry.objects.create(
        user_name=user.get_username(),
        context=context,
        action=action,
        detail=detail,
        result=AuditEntry.Result.DONE,
    )
