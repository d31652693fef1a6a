"""An action as its form carries it out: what is typed is given by its fields' names."""

from __future__ import annotations

from typing import Any

from dashboard.actions.action import Action, Actor, Order, Preview, Target
from dashboard.actions.engine import Form, action_order, change_apply, change_form, change_preview
from dashboard.insight import Objects
from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport
from dashboard.models import Change


def _target(transport: Transport, action: Action, plural: str, namespace: str, name: str) -> Target:
    """``plural`` may be left out of an action on one kind."""
    kind = KINDS[plural] if plural else next(filter(action.fits, (KINDS["deployments"], *KINDS.values())))
    return Target.of(transport.cluster.name, kind, namespace, name)


def order(
    action: Action,
    *,
    transport: Transport,
    actor: Actor,
    plural: str = "",
    namespace: str,
    name: str,
    confirm: str = "",
    **typed: Any,
) -> Order:
    return action_order(
        transport=transport,
        actor=actor,
        target=_target(transport, action, plural, namespace, name),
        action=action,
        typed=typed,
        confirm=confirm,
    )


async def preview(action: Action, *, objects: Objects, **what: Any) -> Preview:
    return await change_preview(order=order(action, **what), objects=objects)


async def apply(action: Action, *, token: str, **what: Any) -> Change:
    return await change_apply(order=order(action, **what), token=token)


async def form(
    action: Action, *, transport: Transport, plural: str = "", namespace: str, name: str, objects: Objects
) -> Form:
    target = _target(transport, action, plural, namespace, name)
    return await change_form(transport=transport, target=target, action=action, objects=objects)
