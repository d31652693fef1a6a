"""Following a change and taking it back. An undo is itself a change: previewed, applied, followed, undoable."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from asgiref.sync import sync_to_async

from dashboard.errors import NotFound
from dashboard.insight import Objects
from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport
from dashboard.models import Change

from . import records
from .action import Action, Actor, Keyed, Order, Preview, Progress, Target, TellsWayBack
from .configmaps import EDIT
from .deployments import SCALE
from .engine import change_apply, change_preview, change_read, change_stale
from .pods import DELETE, EVICT
from .problems import NoWayBack, StaleView
from .restarts import RESTART
from .secrets import ROTATE

ACTIONS: dict[str, Action] = {action.name: action for action in (SCALE, RESTART, ROTATE, EDIT, DELETE, EVICT)}


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoState:
    """``possible`` as far as the records tell; ``words`` say how, or why not; ``undone_by`` is the change that did."""

    possible: bool
    words: str
    undone_by: Change | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoPreview:
    """The way back, from how things are now. ``conflict`` says that somebody changed it since: to go on is then a
    decision of its own.
    """

    change: Change
    preview: Preview
    conflict: StaleView | None


def change_follow(*, change: Change, objects: Objects, now: datetime) -> Progress:
    """How far an applied change has come."""
    return ACTIONS[change.action].follow(change, objects, now)


async def change_undo_state(*, change: Change) -> UndoState:
    """Whether a change can be taken back."""
    later = await Change.objects.filter(undoes=change).select_related("user").afirst()
    if later is not None:
        how = "Undone" if later.state == Change.State.DONE else "An undo was sent, its end is not known:"
        words = f"{how} by {later.user.get_username()} on {later.created_at:%Y-%m-%d at %H:%M} UTC."
        return UndoState(possible=False, words=words, undone_by=later)
    if change.state != Change.State.DONE:
        return UndoState(
            possible=False, words="Whether it was made is not known, so it cannot be undone from here."
        )
    if not change.inverse:
        return UndoState(possible=False, words=way_back(change) or "It cannot be undone.")
    if special := way_back(change):
        return UndoState(possible=True, words=special)
    action = _back(change)
    was = {path: values[0] for path, values in change.touched.items()}
    return UndoState(possible=True, words=f"It can be taken back to {action.words(was)}.")


def way_back(change: Change) -> str:
    """What the action itself says about undoing, "" when it says nothing special."""
    action = ACTIONS[change.action]
    return action.way_back(change) if isinstance(action, TellsWayBack) else ""


async def change_undo_preview(
    *, transport: Transport, actor: Actor, change_id: int, objects: Objects
) -> UndoPreview:
    """What undoing would do. Raises NoWayBack when it is undone already or the object is another one now, NotFound
    when the change or the object is gone; else as ``change_preview``.
    """
    change = await _change(change_id, transport)
    state = await change_undo_state(change=change)
    if not state.possible:
        later = "Open it under Changes made here." if state.undone_by else ""
        raise NoWayBack(state.words, next_step=later)
    order = _order(transport, actor, change)
    target, action = order.target, order.action
    manifest = await change_read(transport=transport, target=target)
    if manifest["metadata"]["uid"] != change.uid:
        raise NoWayBack(
            f"{target} was deleted and created again since: undoing the change would change another object.",
            next_step="Change the new one directly.",
        )
    made = {path: values[1] for path, values in change.touched.items()}
    conflict = None
    if action.touched(manifest) != made:
        conflict = await change_stale(
            target=target, action=action, was=made, manifest=manifest, since="since that change"
        )
    preview = await change_preview(order=order, objects=objects)
    return UndoPreview(change=change, preview=preview, conflict=conflict)


async def change_undo_apply(*, transport: Transport, actor: Actor, change_id: int, token: str) -> Change:
    """Take a change back as its preview showed; errors as of ``change_apply``, and NoWayBack when it is undone."""
    change = await _change(change_id, transport)
    if change.state != Change.State.DONE or not change.inverse:
        refusal = NoWayBack((await change_undo_state(change=change)).words)
        await sync_to_async(records.refuse)(actor, change.action, _target(change), refusal)
        raise refusal
    return await change_apply(order=_order(transport, actor, change), token=token)


async def changes_settle(*, older: timedelta = timedelta(minutes=2)) -> int:
    """Say of changes that a crash cut in two that their end is not known; how many there were."""
    return await sync_to_async(records.settle)(older)


async def _change(change_id: int, transport: Transport) -> Change:
    change = await Change.objects.select_related("user").filter(pk=change_id).afirst()
    if change is None or change.context != transport.cluster.name:
        raise NotFound("There is no such change.")
    return change


def _target(change: Change) -> Target:
    return Target(
        context=change.context,
        gvr=KINDS[change.plural].gvr,
        kind=change.kind,
        namespace=change.namespace,
        name=change.name,
    )


def _order(transport: Transport, actor: Actor, change: Change) -> Order:
    return Order(
        transport=transport,
        actor=actor,
        target=_target(change),
        action=_back(change),
        wanted=change.inverse["input"],
        undoes=change.pk,
    )


def _back(change: Change) -> Action:
    """The action that takes a change back."""
    action = ACTIONS[change.inverse["action"]]
    return action.on(change.inverse["input"]) if isinstance(action, Keyed) else action
