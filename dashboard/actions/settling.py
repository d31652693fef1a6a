"""What became of a change whose end was not recorded: its process ended, or the API server or the database was away.

What it was about to write is in its record, so the object itself tells.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from asgiref.sync import sync_to_async

from dashboard.errors import NotFound
from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport
from dashboard.models import Change

from . import records
from .action import Action, Keyed, Manifest, Target, Touched
from .engine import change_read, change_result
from .secrets import Rotate
from .undo import ACTIONS

# Its own process may still be at it: that the object has what was wanted is news only after a while, that it has not
# only once no request can be under way any more.
MADE_AFTER = timedelta(seconds=10)
NOT_MADE_AFTER = timedelta(minutes=2)
# Later than this nobody expects restarts to begin by themselves.
GIVEN_UP_AFTER = timedelta(hours=1)


async def changes_unsettled(now: datetime) -> list[Change]:
    """Changes that were about to be written, and of which nobody has said how that ended."""
    found = Change.objects.filter(
        state__in=(Change.State.SENDING, Change.State.UNKNOWN),
        created_at__gt=now - GIVEN_UP_AFTER,
        created_at__lt=now - MADE_AFTER,
    ).exclude(touched={})
    return [change async for change in found.select_related("user")]


async def change_settle(*, transport: Transport, change: Change, now: datetime) -> None:
    """Looks at the object: when it has what the change wanted, the change is recorded as made; when it still has what
    was there before, as not made. Raises what reading the object raises.
    """
    action = _action(change)
    if action is None:
        return
    try:
        found = await change_read(transport=transport, target=_target(change))
    except NotFound:
        return
    was, made = _sides(change)
    is_now = action.touched(found)
    if found["metadata"]["uid"] != change.uid or is_now not in (was, made):
        return
    if is_now == made:
        await _made(change, action, found, was, made)
    elif change.state == Change.State.SENDING and change.created_at < now - NOT_MADE_AFTER:
        detail = f"The dashboard stopped before it was sent: it is still {action.words(was)}."
        await sync_to_async(records.found_undone)(change, detail)


async def _made(change: Change, action: Action, found: Manifest, was: Touched, made: Touched) -> None:
    detail = f"{action.words(was)} → {action.words(made)}. Found in the cluster: the answer was not recorded."
    await sync_to_async(records.found_done)(change, detail, change_result(found, found))


def _action(change: Change) -> Action | None:
    """The action on just what the change wrote; None where the object cannot tell."""
    if change.action == Rotate.name:
        (path,) = change.touched
        return Rotate(str(path).removeprefix("/data/"))
    if change.inverse.get("action") != change.action:
        return None
    action = ACTIONS[change.action]
    return action.on(change.inverse["input"]) if isinstance(action, Keyed) else action


def _sides(change: Change) -> tuple[Touched, Touched]:
    """What it touches, as it was and as it was to be."""
    was, made = ({path: values[at] for path, values in change.touched.items()} for at in (0, 1))
    return was, made


def _target(change: Change) -> Target:
    return Target(
        context=change.context,
        gvr=KINDS[change.plural].gvr,
        kind=change.kind,
        namespace=change.namespace,
        name=change.name,
    )
