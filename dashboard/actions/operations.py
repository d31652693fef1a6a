"""The operations in the database: begun once, held by one process at a time, stopped and resumed by a person.

One whose dashboard did not run, or whose cluster was away, for more than an hour is set aside: nobody expects it to go
on by itself any more, and a person decides. Two on one object never move at once: the later one waits for the earlier
one's end.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from dashboard import clock
from dashboard.errors import Conflict, Forbidden
from dashboard.insight import Objects
from dashboard.kinds.rows import plural
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change, Operation, OperationResult

from ..database import in_database
from .action import Actor
from .confirmation import check_resumed
from .operation import OperationAction, Plan
from .permits import changes_required
from .records import audit_step
from .registry import ACTIONS, action_of

# How long a process holds an operation without a word; it claims it again every second.
LEASE_SECONDS = 15.0
GIVEN_UP_AFTER = timedelta(hours=1)
HALTED = "More than an hour passed in which the dashboard did not run or the cluster could not be reached"
SERVER = "Cluster UI"  # whom the audit names where no person did it
STOP, RESUME, LEAVE, ASIDE = "stop", "resume", "leave", "aside"  # in the audit: "stop restarts"
_LOOK = "Look at its page: it says where it stands."


def operation_action(change: Change) -> OperationAction | None:
    """The declaration of a change that is an operation; None for every other change."""
    try:
        action = action_of(change)
    except KeyError:  # of another version of the dashboard
        return None
    if not isinstance(action, OperationAction) or (change.undoes_id and not action.undo_operates):
        return None
    return action


def required_action(operation: Operation) -> OperationAction:
    """The declaration of an operation. Raises Conflict for one that this version of the dashboard doesn't know."""
    action = operation_action(operation.change)
    if action is None:
        raise Conflict(f"This version of Cluster UI can't go on with {operation.change.action}.")
    return action


# ---- Who moves which


async def operation_begin(
    *, change: Change, action: OperationAction, transport: Transport, objects: Objects, holder: str = ""
) -> Operation:
    """The operation of a change that was written, made if there is none yet. It ends that of the change that this one
    undoes. ``holder`` has it from the start.
    """
    if (found := await in_database(_operation_of)(change)) is not None:
        return found
    await in_database(operation_replace)(change)
    plan = await action.plan(change, transport, objects)
    return await in_database(_make)(change, action, plan, holder)


def operations_claim(holder: str, now: datetime, *, change: int | None = None) -> list[Operation]:
    """The unfinished operations that this process has from now on; nobody else moves them for LEASE_SECONDS. With
    ``change`` that of one change alone.
    """
    free = Q(holder__in=(holder, "")) | Q(held_until__isnull=True) | Q(held_until__lt=now)
    unfinished = Operation.objects.filter(state=Operation.State.RUNNING)
    if change is not None:
        unfinished = unfinished.filter(change=change)
    until = now + timedelta(seconds=LEASE_SECONDS)
    first = unfinished.filter(free).exclude(
        Exists(_earlier(OuterRef("pk"), OuterRef("change__context"), OuterRef("change__uid")))
    )
    # One statement a row: of two processes that see it free, the second one's condition no longer holds.
    claimed = [
        pk
        for pk in list(first.values_list("pk", flat=True))
        if unfinished.filter(free, pk=pk).update(holder=holder, held_until=until)
    ]
    return list(Operation.objects.select_related("change", "change__user").filter(pk__in=claimed))


def operations_release(holder: str) -> None:
    """A process that ends in order gives its operations to whoever comes next at once."""
    Operation.objects.filter(holder=holder).update(holder="")


def operations_missing() -> list[Change]:
    """Changes that were written and whose steps were not begun: the process ended in between."""
    every = [each for each in ACTIONS if isinstance(each, OperationAction)]
    undone_too = [each.name for each in every if each.undo_operates]
    written = Change.objects.filter(
        Q(undoes__isnull=True) | Q(action__in=undone_too),
        action__in=[each.name for each in every], state=Change.State.DONE, operation__isnull=True,
    )  # fmt: skip
    return list(written.select_related("user", "undoes"))


def operation_waits(operation: Operation, why: str) -> None:
    """Keeps why an operation doesn't move just now; "" for one that does."""
    if operation.waits != why:
        Operation.objects.filter(pk=operation.pk).update(waits=why)
        operation.waits = why


def waits_for(operation: Operation) -> int | None:
    """The change whose steps have to end before those of this operation begin, if there is one."""
    change = operation.change
    found = _earlier(operation.pk, change.context, change.uid).order_by("-pk").first()
    return found.change_id if found is not None else None


def _earlier(pk: Any, context: Any, uid: Any) -> QuerySet[Operation]:
    """The unfinished operations on the same object that were begun before."""
    same = Operation.objects.filter(
        state=Operation.State.RUNNING, pk__lt=pk, change__context=context, change__uid=uid
    )
    return same.exclude(change__uid="")


def _operation_of(change: Change) -> Operation | None:
    return Operation.objects.filter(change=change).first()


def _make(change: Change, action: OperationAction, plan: Plan, holder: str) -> Operation:
    held_until = clock.now() + timedelta(seconds=LEASE_SECONDS) if holder else None
    with transaction.atomic():
        found, new = Operation.objects.get_or_create(
            change=change, defaults={"steps": list(plan.steps), "holder": holder, "held_until": held_until}
        )
        if new:
            results = list(plan.results)
            for position, result in enumerate(results):
                result.operation, result.position = found, position
            OperationResult.objects.bulk_create(results, batch_size=500)
        if new and is_overdue(change):
            operation_set_aside(found, action)
            found.refresh_from_db()
    return found


def operation_replace(change: Change) -> None:
    """Ends the operation that this change takes back, if it takes one back."""
    if change.undoes_id is not None:
        Operation.objects.filter(change=change.undoes_id, state=Operation.State.RUNNING).update(
            state=Operation.State.REPLACED, version=F("version") + 1, ended_at=clock.now()
        )


# ---- A person's word


async def operation_stop(*, actor: Actor, change: Change) -> None:
    """No further step begins; what was sent goes on in the cluster. Raises Conflict when nothing is under way."""
    await in_database(_stop)(change, actor)


async def operation_resume(
    *, transport: Transport, actor: Actor, change: Change, confirm: str = "", reason: str = ""
) -> None:
    """Goes on where it stopped: a step that failed is looked at again first. It writes, so in a production context it
    takes what every write takes there.

    Raises ReadOnly, Unconfirmed, Unreasoned, Forbidden for one that acts with an account of somebody else, Conflict when
    nothing is stopped or something else has taken its place, and what its action's ``resuming`` does.
    """
    if change.sign_in and actor.user != change.user:
        who = change.user.get_username()
        raise Forbidden(
            f"It acts as {who}, who started it.", next_step=f"Ask {who} to resume it, or leave it as it is."
        )
    await changes_required(transport.cluster)
    try:
        await in_database(_resume)(change, actor, confirm, reason)
    except IntegrityError:  # another one took its place at the same moment
        raise Conflict("Another one began meanwhile.", next_step="Try again.") from None


async def operation_leave(*, actor: Actor, change: Change) -> None:
    """What has not begun stays as it is. Raises Conflict when the operation is not stopped."""
    await in_database(_leave)(change, actor)


def may_resume(operation: Operation) -> bool:
    """Whether it was stopped, and nothing has taken its place since."""
    action = operation_action(operation.change)
    stopped = operation.state == Operation.State.STOPPED
    return stopped and action is not None and action.resumable(operation.change)


def stopped_by(operation: Operation) -> AuditEntry | None:
    """Who stopped it last, and when."""
    stops = AuditEntry.objects.filter(change=operation.change_id, action__startswith=f"{STOP} ")
    return stops.order_by("pk").last()


def _stop(change: Change, actor: Actor) -> None:
    with transaction.atomic():
        stopped = Operation.objects.filter(change=change, state=Operation.State.RUNNING).update(
            state=Operation.State.STOPPED, version=F("version") + 1, ended_at=clock.now()
        )
        action = operation_action(change)
        if not stopped or action is None:
            raise Conflict("It is not under way any more.", next_step=_LOOK)
        detail = f"{_not_begun(Operation.objects.get(change=change))} {action.after_words(change)}"
        audit_step(change, actor.name, f"{STOP} {action.noun}", f"{detail.strip()}.")


def resume_name(change: Change) -> str:
    """What is typed to resume it, in a production context; "" for what is no operation here."""
    operation = Operation.objects.filter(change=change).select_related("change").first()
    action = operation_action(change)
    return "" if operation is None or action is None else action.to_confirm(operation)


def _resume(change: Change, actor: Actor, confirm: str, reason: str) -> None:
    with transaction.atomic():
        operation = (
            Operation.objects.select_for_update().select_related("change").filter(change=change).first()
        )
        if operation is None or not may_resume(operation):
            raise Conflict(
                "It can't be resumed: it has ended, or something later took its place.",
                next_step=_LOOK,
            )
        action = required_action(operation)
        check_resumed(change.context, action.to_confirm(operation), confirm, reason)
        action.resuming(operation)
        operation.steps = [action.again(step) for step in operation.steps]
        operation.results.filter(state="failed").update(state="waiting", text="", ended_at=None)
        operation.state, operation.ended_at, operation.waits = Operation.State.RUNNING, None, ""
        operation.held_until = clock.now()  # attended to just now
        if action.by_beginner:  # whoever has what its steps need comes first
            operation.held_until += timedelta(seconds=LEASE_SECONDS)
        else:
            operation.holder = ""
        operation.version += 1
        operation.save()
        if actor.sign_in:  # from now on with the account of this session
            Change.objects.filter(pk=change.pk).update(sign_in=actor.sign_in)
        action.resumed(operation.change)
        detail = f"The {action.noun} {action.after_words(change)}".strip()
        audit_step(change, actor.name, f"{RESUME} {action.noun}", f"{detail}: resumed.", reason)


def _leave(change: Change, actor: Actor) -> None:
    with transaction.atomic():
        operation = (
            Operation.objects.select_for_update().select_related("change").filter(change=change).first()
        )
        if operation is None or operation.state != Operation.State.STOPPED:
            raise Conflict("It is not stopped any more.", next_step=_LOOK)
        action = required_action(operation)
        detail = f"{_not_begun(operation)}."
        text = ": ".join(filter(None, (f"{actor.name} left it", action.left_text)))
        for step in operation.steps:
            if step["state"] == "waiting":
                step |= {"state": "left", "text": f"{text}."}
        operation.results.filter(state="waiting").update(state="left", text=f"{text}.")
        operation.state = Operation.State.DONE
        operation.version += 1
        operation.save()
        action.left(operation.change)
        audit_step(change, actor.name, f"{LEAVE} {action.noun}", detail)


def _not_begun(operation: Operation) -> str:
    """What has not begun, in words: of objects where its steps are about many, else of steps."""
    waiting = operation.results.filter(state="waiting").count()
    if waiting:
        return f"{plural(waiting, 'object')} not started"
    return f"{plural(sum(step['state'] == 'waiting' for step in operation.steps), 'step')} not started"


# ---- What nobody expects any more


def is_overdue(change: Change) -> bool:
    """Whether nobody expects any more that its steps begin by themselves."""
    return clock.now() - change.created_at > GIVEN_UP_AFTER


def operations_set_aside(now: datetime) -> None:
    """Stops every operation that no process has moved for so long."""
    attended = Coalesce("held_until", "change__created_at")
    running = Operation.objects.filter(state=Operation.State.RUNNING).select_related("change")
    for operation in running.alias(at=attended).filter(at__lt=now - GIVEN_UP_AFTER):
        action = operation_action(operation.change)
        if action is not None:
            operation_set_aside(operation, action)


def operation_set_aside(operation: Operation, action: OperationAction, why: str = HALTED) -> None:
    """Stops an operation until somebody decides; audited. Does nothing to one that was moved or stopped meanwhile."""
    with transaction.atomic():
        same = Operation.objects.filter(
            pk=operation.pk, state=Operation.State.RUNNING, held_until=operation.held_until
        )
        if same.update(
            state=Operation.State.STOPPED, version=F("version") + 1, ended_at=clock.now(), holder="",
            waits=why,
        ):  # fmt: skip
            detail = f"{why}: {_not_begun(operation)}."
            audit_step(operation.change, SERVER, f"set {action.noun} {ASIDE}", detail)


def is_set_aside(operation: Operation) -> bool:
    """Whether it waits for somebody's decision because it came to a halt, and was not stopped by anybody."""
    if operation.state != Operation.State.STOPPED:
        return False
    said = (
        Q(action__startswith=f"{STOP} ")
        | Q(action__startswith=f"{RESUME} ")
        | Q(action__endswith=f" {ASIDE}")
    )
    last = AuditEntry.objects.filter(said, change=operation.change_id).order_by("pk").last()
    return last is not None and last.action.endswith(f" {ASIDE}")
