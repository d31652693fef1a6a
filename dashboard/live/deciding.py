"""Who may say of an operation that it stops, or that what has not begun is left: whoever began it, and whoever may do the
same in the cluster (docs/adr/0064).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from dashboard.actions.action import Action, Target
from dashboard.actions.bulk import Bulk
from dashboard.actions.operations import operation_action
from dashboard.errors import Forbidden
from dashboard.models import Change
from dashboard.rights import MissingRight

from .acting import own_accounts
from .session import Sight


def hidden(change: Change) -> Forbidden:
    """For whoever may not see what a change is about: it doesn't say what that is."""
    return Forbidden(
        f"You may not see what change {change.pk} is about.",
        next_step="Ask whoever made it what that is, and which right it takes to see it.",
    )


def of_the_past(change: Change) -> Forbidden:
    """For everybody, administrators too, once all act with one account where it was made by somebody as themselves: what
    it shows of its object was for whoever the cluster let see that.
    """
    return Forbidden(
        f"Change {change.pk} was made when people acted as themselves in {change.context}. All act with one account "
        "there now, and what it shows was not for everybody.",
        next_step="Who did what and when is in the audit, for administrators and whoever did it.",
    )


async def decision_refusal(sight: Sight, change: Change) -> Forbidden | None:
    """The right that somebody lacks; None for whoever may decide, and where all act as one. Raises a ClusterError when
    the cluster can't be asked.
    """
    cluster, action = sight.cluster, operation_action(change)
    if action is None or not own_accounts(cluster.cluster.slug) or began(sight, change):
        return None
    await cluster.knows(change.plural)
    kind = cluster.kinds[change.plural]
    places: Collection[tuple[str, str]] = [(change.namespace, change.name)]
    does: Action = action
    if isinstance(action, Bulk):
        does, places = action.of, [(each, "") for each in change.result["namespaces"] or [""]]
    seen = (sight.decide("list", kind.gvr, namespace=namespace or None) for namespace, _ in places)
    if not all(await asyncio.gather(*seen)):
        return hidden(change)
    targets = [Target.of(change.context, kind, *place) for place in places]
    found = await asyncio.gather(*(_missing(sight, does, does.subject(target)) for target in targets))
    return next(filter(None, found), None)


def began(sight: Sight, change: Change) -> bool:
    """Whether it is somebody's own operation."""
    return sight.identity.user == change.user.get_username()


async def _missing(sight: Sight, action: Action, written: Target) -> MissingRight | None:
    for verb, subresource in action.rights:
        if await sight.decide(
            verb, written.gvr, namespace=written.namespace or None, name=written.name or None,
            subresource=subresource or None,
        ):  # fmt: skip
            return None
    verb, subresource = action.rights[0]
    resource = f"{written.gvr.plural}/{subresource}" if subresource else written.gvr.plural
    return MissingRight(verb, resource, namespace=written.namespace, name=written.name)
