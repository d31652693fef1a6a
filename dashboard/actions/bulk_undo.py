"""The undo of a change of many objects: a preview of the way back of each object that it changed, the newest change
first, and its apply, which begins an operation as the change itself did (docs/adr/0062).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from dashboard import clock
from dashboard.database import in_database
from dashboard.errors import ClusterError, Conflict
from dashboard.insight import Objects
from dashboard.kinds.base import GVR, Kind
from dashboard.kube.transport import Transport
from dashboard.models import Change, Operation, OperationResult
from dashboard.queries.dependents import asked_once

from . import records
from . import token as tokens
from .action import Actor, Target
from .bulk import Bulk, made_changes, nonce_of
from .bulk_begin import Begun, begun_record, begun_shown, counted
from .bulk_pace import USUAL, Pace
from .bulk_preview import BulkPreview, ObjectPreview, Summing, object_preview, previewed, summed
from .confirmation import require_reason
from .permits import changes_required
from .problems import NoWayBack
from .registry import action_of
from .undo import change_undo_preview, change_undo_state

SENT_WITHIN = timedelta(seconds=30)  # what was begun to be sent before a stop has its record by then
BY_ITSELF = "Undo it by itself, from its own change."
UNDONE = Summing(
    done="will be set back",
    none="can be set back",
    refused="can't be undone: skipped",
    undo="The undo can be undone as well.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkUndo:
    """Who takes back which change of many. ``kinds`` are those that the cluster offers."""

    transport: Transport
    actor: Actor
    change: Change
    kinds: Mapping[str, Kind[Any]]


async def bulk_undo_preview(*, undo: BulkUndo, objects: Objects) -> BulkPreview:
    """What taking it back would do to each object that it changed. Nothing is changed. An object that was changed since,
    or that has no way back, is refused, with why.

    Raises ReadOnly, and NoWayBack where it can't be undone as a whole: it is under way, undone, or changed nothing.
    """
    await changes_required(undo.transport.cluster)
    state = await change_undo_state(change=undo.change)
    if not state.possible:
        raise NoWayBack(state.words)
    made = await in_database(_made)(undo.change)
    targets = [_target(undo.change, row) for row, _ in made]
    with asked_once():
        each = await previewed(targets, lambda at: _one(undo, targets[at], made[at][1], objects), BY_ITSELF)
    return summed(_begun(undo), UNDONE, each, objects)


async def bulk_undo_apply(
    *, undo: BulkUndo, token: str, confirm: str, reason: str, pace: Pace = USUAL
) -> Change:
    """Begins to take it back as its preview showed, the newest change first. The same token begins it once.

    Raises what ``bulk_apply`` raises; NoWayBack when it is undone; BadInput (``token``) when it has changed more since
    the preview.
    """
    begun = _begun(undo)
    shown = begun_shown(begun, token)
    if (earlier := await in_database(records.found)(shown.nonce)) is not None:
        return earlier
    await changes_required(undo.transport.cluster)
    confirmed = counted(shown, confirm)
    require_reason(undo.change.context, reason)
    previewed_ids = [kept["undoes"] for _, _, kept, _ in shown.objects]

    def check() -> None:
        # Whoever resumes it takes the same lock: either it goes on, or it is taken back.
        Operation.objects.select_for_update().get(change=undo.change)
        if [each.pk for _, each in _made(undo.change)] != previewed_ids:
            raise tokens.not_shown()

    return await in_database(begun_record)(
        begun, shown, pace=pace, confirmed=confirmed, reason=reason, check=check
    )


def _made(change: Change) -> list[tuple[OperationResult, Change]]:
    """What it did. Raises NoWayBack while it may be doing more."""
    operation = Operation.objects.get(change=change)
    if operation.state == Operation.State.RUNNING:
        raise NoWayBack("It is under way.", next_step="Stop it first, then undo what it did.")
    sent = operation.results.filter(state="running", began_at__gt=clock.now() - SENT_WITHIN)
    unsaid = [nonce_of(change, row) for row in sent if "change" not in row.data]
    if unsaid:
        raise NoWayBack(
            "What it sent last has not come to its end yet.", next_step="Look again in half a minute."
        )
    return made_changes(change)


def _target(change: Change, row: OperationResult) -> Target:
    return Target(
        context=change.context,
        gvr=GVR(*change.result["gvr"]),
        plural=row.plural,
        kind=row.kind,
        namespace=row.namespace,
        name=row.name,
    )


async def _one(undo: BulkUndo, target: Target, change: Change, objects: Objects) -> ObjectPreview:
    try:
        found = await change_undo_preview(
            transport=undo.transport,
            actor=undo.actor,
            change_id=change.pk,
            objects=objects,
            kinds=undo.kinds,
        )
        if found.conflict is not None:
            raise Conflict(found.conflict.message, next_step=BY_ITSELF)
    except ClusterError as error:
        return ObjectPreview(target=target, refusal=error, undoes=change.pk)
    return object_preview(found.order, found.preview, undoes=change.pk)


def _begun(undo: BulkUndo) -> Begun:
    change = undo.change
    facts: Sequence[Any] = change.result["gvr"]
    return Begun(
        transport=undo.transport,
        actor=undo.actor,
        bulk=cast(Bulk, action_of(change)),
        plural=change.plural,
        kind=change.kind,
        kinds=change.result["kinds"],
        gvr=facts,
        wanted=change.result["wanted"],
        undoes=change,
    )
