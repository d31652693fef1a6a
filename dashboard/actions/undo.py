"""Following a change and taking it back. An undo is itself a change: previewed, applied, followed, undoable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from dashboard.errors import NotFound
from dashboard.insight import Objects
from dashboard.insight.keyhistory import KeyHistory
from dashboard.insight.protocols import unread
from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind
from dashboard.kube.transport import Transport
from dashboard.models import Change

from ..database import in_database
from . import records
from .action import CREATED, Actor, Order, Preview, Progress, change_target
from .confirmation import confirmation
from .edit import Edit
from .engine import change_apply, change_preview, change_read, change_stale
from .problems import NoWayBack, StaleView
from .registry import action_named, action_of
from .undoing import undo_action, undo_order


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoState:
    """``possible`` as far as the records tell; ``words`` say how, or why not; ``undone_by`` is the change that did."""

    possible: bool
    words: str
    undone_by: Change | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoPreview:
    """The way back, from how things are now, and the ``order`` that was previewed. ``conflict`` says that somebody
    changed it since: to go on is then a decision of its own. ``why`` something has to be typed ("": it need not be), and
    what that is (``confirm``).
    """

    change: Change
    order: Order
    preview: Preview
    conflict: StaleView | None
    why: str
    confirm: str


def change_follow(
    *, change: Change, objects: Objects, now: datetime, history: KeyHistory | None = None
) -> Progress:
    """How far an applied change has come; ``history`` of an edit's keys: see ``edit_history``."""
    action = action_of(change)
    there = objects.get(change.plural, change.namespace, change.name) is not None
    if not there and change.plural in KINDS and unread(objects, {change.plural}, change.namespace):
        title = KINDS[change.plural].title
        text = f"{title} could not be read, or are still being read: whether {change.name} is there is not known."
        return Progress(
            state="info", headline=f"How far {change.name} is is not known", text=text, percent=None
        )
    if isinstance(action, Edit):
        return action.follow(change, objects, now, history)
    return action.follow(change, objects, now)


async def change_undo_state(*, change: Change) -> UndoState:
    """Whether a change can be taken back."""
    later = await in_database(Change.objects.filter(undoes=change).select_related("user").first)()
    if later is not None:
        how = "Undone" if later.state == Change.State.DONE else "An undo was sent, its result is not known:"
        words = f"{how} by {later.user.get_username()} on {later.created_at:%Y-%m-%d at %H:%M} UTC."
        return UndoState(possible=False, words=words, undone_by=later)
    if change.state != Change.State.DONE:
        return UndoState(
            possible=False, words="Whether it was made is not known, so it can't be undone from here."
        )
    if (whole := await in_database(action_of(change).undone_whole)(change)) is not None:
        return UndoState(possible=whole[0], words=whole[1])
    if not change.inverse:
        return UndoState(possible=False, words=way_back(change) or "It cannot be undone.")
    if special := way_back(change):
        return UndoState(possible=True, words=special)
    action = undo_action(action_named, change)
    was = {path: values[0] for path, values in change.touched.items()}
    return UndoState(possible=True, words=f"Undo sets it back to {action.words(was)}.")


def way_back(change: Change) -> str:
    """What the action itself says about undoing, "" when it says nothing special."""
    return action_of(change).way_back(change)


async def change_undo_preview(
    *, transport: Transport, actor: Actor, change_id: int, objects: Objects, kinds: Mapping[str, Kind[Any]]
) -> UndoPreview:
    """What undoing would do. Raises NoWayBack when it is undone already or the object is another one now, NotFound
    when the change or the object is gone; else as ``change_preview``.
    """
    change = await _change(change_id, transport)
    state = await change_undo_state(change=change)
    if not state.possible:
        later = "Open it under Changes made here." if state.undone_by else ""
        raise NoWayBack(state.words, next_step=later)
    order = await undo_order(action_named, transport, actor, change, kinds)
    target, action = order.target, order.action
    if action.creates:
        again = await change_preview(order=order, objects=objects)
        return _previewed(order, change, again, None)
    manifest = await change_read(transport=transport, target=target, source=action.source(target))
    if manifest["metadata"]["uid"] != change.result.get(CREATED, change.uid):
        raise NoWayBack(
            f"{target} was deleted and recreated since: undo would change the new object.",
            next_step="Change the new one directly.",
        )
    made = {path: values[1] for path, values in change.touched.items()}
    conflict = None
    if action.touched(manifest) != made:
        conflict = await change_stale(
            target=target, action=action, was=made, manifest=manifest, since="since that change"
        )
    preview = await change_preview(order=order, objects=objects, manifest=manifest)
    return _previewed(order, change, preview, conflict)


def _previewed(order: Order, change: Change, preview: Preview, conflict: StaleView | None) -> UndoPreview:
    return UndoPreview(
        change=change,
        order=order,
        preview=preview,
        conflict=conflict,
        why=preview.confirm,
        confirm=confirmation(order),
    )


async def change_undo_apply(
    *,
    transport: Transport,
    actor: Actor,
    change_id: int,
    token: str,
    kinds: Mapping[str, Kind[Any]],
    confirm: str = "",
    reason: str = "",
) -> Change:
    """Take a change back as its preview showed; errors as of ``change_apply``, and NoWayBack when it is undone."""
    change = await _change(change_id, transport)
    if change.state != Change.State.DONE or not change.inverse:
        refusal = NoWayBack((await change_undo_state(change=change)).words)
        target = change_target(change, kinds)
        await in_database(records.refuse)(actor, change.action, target, refusal, reason)
        raise refusal
    order = await undo_order(action_named, transport, actor, change, kinds)
    return await change_apply(order=replace(order, confirm=confirm, reason=reason), token=token)


async def changes_settle(*, older: timedelta = timedelta(minutes=2)) -> int:
    """Say of changes that a crash cut in two that their end is not known; how many there were."""
    return await in_database(records.settle)(older)


async def _change(change_id: int, transport: Transport) -> Change:
    change = await in_database(Change.objects.select_related("user").filter(pk=change_id).first)()
    if change is None or change.context != transport.cluster.name:
        raise NotFound("There is no such change.")
    return change
