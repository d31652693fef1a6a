"""What taking a change back is: by which action, of which object. ``named`` finds an action by its name and the plural of
a kind: it is given, as the registry holds actions that need all this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dashboard.kinds.base import Kind
from dashboard.kube.transport import Transport
from dashboard.models import Change

from .action import Action, Actor, Order, Target, change_target

Named = Callable[[str, str], Action]


async def undo_order(
    named: Named, transport: Transport, actor: Actor, change: Change, kinds: Mapping[str, Kind[Any]]
) -> Order:
    """To take a change back that has a way back. Raises NotFound for a kind that the cluster does not offer any more."""
    return Order(
        transport=transport,
        actor=actor,
        target=_target(named, change, kinds),
        action=await undo_action(named, change).undoing(change),
        wanted=change.inverse["input"],
        undoes=change.pk,
    )


def undo_action(named: Named, change: Change) -> Action:
    """The action that takes a change back."""
    created = named(change.action, change.plural).creation(change)
    plural = change.plural if created is None else created.plural
    return named(change.inverse["action"], plural).on(change.inverse["input"])


def _target(named: Named, change: Change, kinds: Mapping[str, Kind[Any]]) -> Target:
    """The object that was changed, or the one that was created beside it."""
    created = named(change.action, change.plural).creation(change)
    if created is None:
        return change_target(change, kinds)
    return Target.of(change.context, kinds[created.plural], created.namespace, created.name)
