"""The restarts after a new value of a Secret, one after the other: the steps of the operation that a rotation is.

``left`` is a step that is not restarted: the user may not, or it would replace no pod. ``down`` did not come up, but
had not been up before either: it stops nobody. Before each restart, and after it, the Secret is read again: what
restarts after somebody else's write has another value.

The moment of a restart is kept before it is sent and is what the annotation gets, so sending it again changes
nothing: neither a process that ends in the middle nor two that overlap restart anything twice.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from dashboard.errors import NotFound
from dashboard.insight import Objects, Workload
from dashboard.insight.restart import Outlook, restart_outlook
from dashboard.insight.secretuse import Stage, restart_stages, secret_consumers
from dashboard.kinds import KINDS
from dashboard.kube.access import allowed
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change, Operation

from ..database import in_database
from .action import Order, actor_who_made, pointer
from .engine import change_make, change_read
from .operation import End, Plan, Run, Step, iso, moment, operation_step
from .restart import RESTART, RESTARTED_AT
from .rollout_steps import NOT_BEGUN, rollout_look, step_target
from .standing import SUPERSEDED, Standing, keys_of, secret_standing

OLD, NEW = "the old value", "the new value"
KEEPS = "It keeps the old value until then."
EMPTY = "It has no pods: those that come start with the new value."


async def rotation_plan(change: Change, transport: Transport, objects: Objects) -> Plan:
    """What is restarted is what reads the keys now and is told only by a restart. Taking a value back restarts only what
    had been restarted with it: the rest never saw it.
    """
    consumers = secret_consumers(objects, change.namespace, change.name, *keys_of(change))
    stages = restart_stages(objects, consumers)
    begun = await in_database(lambda: restarted_with(change.undoes))()
    steps = [
        _step_of(stage)
        for stage in stages
        if begun is None or (stage.consumer.ref.plural, stage.consumer.ref.name) in begun
    ]
    for step in steps:
        if step["state"] != "waiting":
            continue
        gvr = KINDS[step["plural"]].gvr
        right = await allowed(transport, "patch", gvr, namespace=change.namespace, name=step["name"])
        if not right.allowed:
            step["state"] = "left"
            step["text"] = (
                f"Your account may not patch {step['plural']}: it keeps the old value until it is restarted."
            )
    return Plan(steps=steps)


async def restart_step(run: Run) -> None:
    """Restarts a workload, if that brings it the value that was written, and waits until its pods are up."""
    step, change = run.step, run.change
    if not step["stamp"]:
        found: Workload | None = run.objects.get(step["plural"], change.namespace, step["name"])
        outlook = restart_outlook(found) if found is not None else Outlook()
        if not outlook.replaces:
            await run.end(*_unneeded(outlook), began="")
            return
        step |= {"stamp": iso(run.now), "up": not outlook.down}
        await run.save()
    if not step["generation"]:
        await _send(run)
    else:
        await _follow(run)


async def _send(run: Run) -> None:
    """Makes the restart, if its pods would still get the value that was written, and start with it."""
    step = run.step
    # Where nothing was sent, as far as is known, what comes of it is told by the pods.
    standing = await still_written(run, stamp="")
    if standing is None:
        return
    reads = step[
        "variable"
    ]  # keys; True for all, in what was planned when one key could be rotated at a time
    if flawed := [key for key in standing.flaws if reads is True or (reads and key in reads)]:
        why = f"{flawed[0]} {standing.flaws[flawed[0]]}"
        await run.fail(f"It was not restarted, since its new pods would not start: {why}.")
        return
    step["generation"], step["uid"] = await _restart(run)
    step["text"] = ""
    await run.save()


async def _follow(run: Run) -> None:
    step, change, now = run.step, run.change, run.now
    verdict = await rollout_look(run, old=OLD, new=NEW)
    if verdict is None:
        return
    if verdict.state == "left":
        await run.end("left", verdict.text)
    # Its pods started since the last look: only now is it known what they read.
    elif (standing := await secret_standing(change=change, transport=run.transport)).how != "same":
        text = f"{verdict.text} Which value its new pods have is not known."
        step |= {"state": verdict.state, "text": text, "ended": iso(now)}
        await supersede(run, standing)
    elif verdict.state == "failed":
        await run.fail(verdict.text)
    else:
        await run.end("done", verdict.text, confirmed=iso(now))


def next_written(change: Change) -> datetime | None:
    """When one of its keys of the Secret got another value through the dashboard after this change, if it did."""
    later = Change.objects.filter(
        action="rotate", state=Change.State.DONE, context=change.context, uid=change.uid, pk__gt=change.pk,
        touched__has_any_keys=list(change.touched),
    )  # fmt: skip
    return later.order_by("pk").values_list("created_at", flat=True).first()


def _step(plural: str, kind: str, name: str) -> Step:
    return operation_step(
        "restart", f"Restart {kind} {name}", plural=plural, kind=kind, name=name, stamp="", variable=False,
        confirmed="", **NOT_BEGUN,
    )  # fmt: skip


def _step_of(stage: Stage) -> Step:
    ref = stage.consumer.ref
    made = _step(ref.plural, ref.kind, ref.name) | {"variable": list(stage.consumer.variables)}
    if stage.outlook.replaces:
        return made
    state, text = _unneeded(stage.outlook)
    return made | {"state": state, "text": text}


def _unneeded(outlook: Outlook) -> tuple[End, str]:
    """How a step ends that replaces no pod."""
    if outlook.held:
        return "left", f"{outlook.held} {KEEPS}"
    return "done", EMPTY


async def _restart(run: Run) -> tuple[int, str]:
    """Restarts the workload at the step's moment and gives the generation that has it, and the uid. What somebody else
    restarted later is left as it is: its pods have the new value too.
    """
    step, change, target = run.step, run.change, step_target(run)
    try:
        found = await change_read(transport=run.transport, target=target)
    except NotFound:
        return 1, ""  # explained as deleted
    at = pointer(found, RESTARTED_AT)
    if at and moment(at) >= moment(step["stamp"]):
        return int(found["metadata"]["generation"]), str(found["metadata"]["uid"])
    order = Order(
        transport=run.transport,
        actor=actor_who_made(change),
        target=target,
        action=RESTART,
        wanted={"restartedAt": step["stamp"]},
        confirm=target.name,  # with the rotation
        reason=change.reason,
    )
    made = await change_make(order=order, nonce=run.nonce)
    return int(made.result["generation"]), made.uid


async def still_written(run: Run, **waits: str) -> Standing | None:
    """The Secret with the value that was written; None where it has another one: then the step waits, with what of it
    ``waits``, and the rotation has ended.
    """
    standing = await secret_standing(change=run.change, transport=run.transport)
    if standing.how == "same":
        return standing
    run.step |= {"state": "waiting", "began": "", **waits}
    await supersede(run, standing)
    return None


async def supersede(run: Run, standing: Standing) -> None:
    """Ends the rotation, since its Secret does not hold its value any more: whoever did that decides what follows."""
    await run.close(Operation.State.STOPPED)
    await in_database(_keep_standing)(run.operation, standing)


def _keep_standing(operation: Operation, standing: Standing) -> None:
    with transaction.atomic():
        change = Change.objects.select_for_update().get(pk=operation.change_id)
        change.result = change.result | {SUPERSEDED: standing.kept()}
        change.save(update_fields=["result"])
        words = standing.words(change.name)
        AuditEntry.objects.create(
            user_name=operation.change.user.get_username(),
            context=change.context,
            action="rotate",
            plural=change.plural,
            namespace=change.namespace,
            name=change.name,
            detail=f"The restarts after the new value stopped. {words}",
            result=AuditEntry.Result.FAILED,
            reason=change.reason,
            change=change,
        )


def restarted_with(before: Change | None) -> set[tuple[str, str]] | None:
    """The workloads (plural, name) that a rotation had begun to restart: taking it back restarts just these, since the
    rest never saw the value. None where all that read the key are to be restarted: without a rotation to take back,
    and for a value that is brought back a second time, which is news to all again.
    """
    if before is None or before.undoes_id is not None:
        return None
    operation = Operation.objects.filter(change=before).first()
    if operation is None:
        return None
    begun = ("running", "done", "failed", "down")
    return {(step["plural"], step["name"]) for step in operation.steps if step["state"] in begun}
