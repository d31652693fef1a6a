"""A person's word on restarts that are under way: to stop after the one that has begun, and to go on."""

from __future__ import annotations

from datetime import UTC, datetime

from asgiref.sync import sync_to_async
from django.db import transaction
from django.db.models import F

from dashboard.errors import Conflict
from dashboard.kinds.rows import plural
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change, Rotation

from .action import Actor
from .permits import changes_required
from .rotation import Step, key_of

STOP, GO_ON = "stop restarts", "resume restarts"
_LOOK = "Look at its page: it says where the restarts stand."


async def rotation_stop(*, actor: Actor, change: Change) -> None:
    """No further restart begins; one that has begun goes on in the cluster. Raises Conflict when none is under way."""
    await sync_to_async(_stop)(change, actor)


async def rotation_go_on(*, transport: Transport, actor: Actor, change: Change) -> None:
    """Goes on where the restarts stopped: one that failed is looked at again before it is restarted anew.

    Raises ReadOnly, and Conflict when nothing is stopped or a later rotation has taken its place.
    """
    await changes_required(transport.cluster)
    await sync_to_async(_go_on)(change, actor)


def may_go_on(rotation: Rotation) -> bool:
    """Whether its restarts were stopped, and the Secret has not been rotated again since."""
    if rotation.state != Rotation.State.STOPPED:
        return False
    change = rotation.change
    later = Change.objects.filter(action="rotate", context=change.context, uid=change.uid, pk__gt=change.pk)
    return not later.exists()


def stopped_by(rotation: Rotation) -> AuditEntry | None:
    """Who stopped it last, and when."""
    return AuditEntry.objects.filter(change=rotation.change_id, action=STOP).order_by("pk").last()


def _stop(change: Change, actor: Actor) -> None:
    with transaction.atomic():
        stopped = Rotation.objects.filter(change=change, state=Rotation.State.RESTARTING).update(
            state=Rotation.State.STOPPED, version=F("version") + 1, ended_at=datetime.now(UTC)
        )
        if not stopped:
            raise Conflict("Its restarts are not under way any more.", next_step=_LOOK)
        steps = Rotation.objects.get(change=change).steps
        open_ = sum(step["state"] == "waiting" for step in steps)
        _audit(
            change,
            actor,
            STOP,
            f"{plural(open_, 'restart')} not begun after the new value of {key_of(change)}.",
        )


def _go_on(change: Change, actor: Actor) -> None:
    with transaction.atomic():
        rotation = Rotation.objects.select_for_update().select_related("change").filter(change=change).first()
        if rotation is None or not may_go_on(rotation):
            raise Conflict(
                "Its restarts cannot go on: they have ended, or a later rotation took their place.",
                next_step=_LOOK,
            )
        rotation.steps = [_again(step) for step in rotation.steps]
        rotation.state, rotation.ended_at = Rotation.State.RESTARTING, None
        rotation.holder, rotation.held_until = "", None
        rotation.version += 1
        rotation.save()
        _audit(change, actor, GO_ON, f"The restarts after the new value of {key_of(change)} go on.")


def _again(step: Step) -> Step:
    """A step that failed, as it is looked at once more; one whose restart was never taken is sent anew."""
    if step["state"] != "failed":
        return step
    state = "restarting" if step["generation"] else "waiting"
    return step | {"state": state, "text": "", "ended": "", "wrong_since": "", "good_since": ""}


def _audit(change: Change, actor: Actor, action: str, detail: str) -> None:
    AuditEntry.objects.create(
        user_name=actor.name,
        context=change.context,
        action=action,
        plural=change.plural,
        namespace=change.namespace,
        name=change.name,
        detail=detail,
        result=AuditEntry.Result.DONE,
        change=change,
    )
