"""What runs before the restarts of a rotation: a Job of a CronJob that was chosen, mostly a suspended one, which tells
whoever checks the value, such as a database, what it is now. No restart begins before it is complete, and when it fails
none does.

Its pods read the value from the Secret, where the new one stands already; going back writes the old one and runs it
again. The name of the new Job is kept before it is sent, so sending it again makes no second one.
"""

from __future__ import annotations

import re

from dashboard.errors import BadInput, NotFound
from dashboard.insight import Objects
from dashboard.kinds.cronjobs import CRONJOBS
from dashboard.kinds.jobs import JOBS, Job, finished, judge, status_text
from dashboard.kinds.rows import plural
from dashboard.kube.access import allowed
from dashboard.kube.transport import Transport
from dashboard.models import Change, Operation
from dashboard.rights import MissingRight

from ..database import in_database
from .action import CREATED, Manifest, Order, Target, actor_who_made, typed_object
from .engine import change_make, change_read
from .operation import Run, Step, operation_step
from .rollout_steps import NOT_BEGUN
from .rotation import still_written
from .run import RUN_CRONJOB, new_name
from .standing import keys_in_words

HOOK = "hook"  # in a change's result, and what such a step does
MAX_NAME = 253
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def read_hook(typed: str) -> str:
    """The name of a CronJob, "" for none. Raises BadInput for what can be none."""
    name = typed.strip()
    if name and (len(name) > MAX_NAME or not _NAME.fullmatch(name)):
        raise BadInput("Name a CronJob, or leave it empty.", field="job")
    return name


def hooks(objects: Objects, namespace: str) -> list[str]:
    """The names of what can be chosen in a namespace: every CronJob, suspended ones too."""
    return sorted(found.metadata.name for found in objects.all("cronjobs", namespace))


async def hook_required(transport: Transport, target: Target, name: str) -> None:
    """Raises BadInput for a CronJob that is not there, MissingRight for whoever may not run it."""
    try:
        await change_read(transport=transport, target=_template(target.context, target.namespace, name))
    except NotFound as error:
        raise BadInput(f"There is no CronJob {name} in {target.namespace}.", field="job") from error
    right = await allowed(transport, "create", JOBS.gvr, namespace=target.namespace)
    if not right.allowed:
        raise MissingRight("create", "jobs", namespace=target.namespace)


def _template(context: str, namespace: str, name: str) -> Target:
    return Target.of(context, CRONJOBS, namespace, name)


async def hook_steps(change: Change) -> list[Step]:
    """The step before the restarts, if one was chosen. Taking a value back that the Job never saw needs none."""
    name = change.result.get(HOOK, "")
    if not name or not await in_database(_saw)(change.undoes):
        return []
    return [
        operation_step(
            HOOK, f"Run CronJob {name}", plural="cronjobs", kind="CronJob", name=name, job="", stamp="", variable=False,
            confirmed="", **NOT_BEGUN,
        )
    ]  # fmt: skip


def _saw(before: Change | None) -> bool:
    """Whether the Job of a rotation that is taken back was begun; without one to take back there is nothing to ask."""
    operation = None if before is None else Operation.objects.filter(change=before).first()
    if operation is None:
        return before is None
    return any(is_hook(step) and step["state"] != "waiting" for step in operation.steps)


async def hook_step(run: Run) -> None:
    """Creates the Job, and waits for its end."""
    step = run.step
    if not step["job"]:
        step["job"] = new_name(step["name"])
        await run.save()
    found = await _job(run)
    if found is not None:
        step["uid"] = found["metadata"]["uid"]
        await _look(run, typed_object("jobs", found))
    elif step["uid"]:
        await run.fail(f"Job {step['job']} was deleted before it ended.")
    else:
        await _send(run)


async def _send(run: Run) -> None:
    """Creates the Job, if its pods would read the value that was written."""
    step, change = run.step, run.change
    if await still_written(run, job="") is None:
        return
    wanted = {"created": step["job"]}
    order = Order(
        transport=run.transport,
        actor=actor_who_made(change),
        target=_template(change.context, change.namespace, step["name"]),
        action=RUN_CRONJOB.on(wanted),
        wanted=wanted,
        confirm=step["name"],  # with the rotation
        reason=change.reason,
    )
    made = await change_make(order=order, nonce=run.nonce)
    step |= {"uid": made.result[CREATED], "text": f"Job {step['job']} was created."}
    await run.save()


async def _look(run: Run, job: Job) -> None:
    step, (_, why) = run.step, judge(job)
    name = job.metadata.name
    if status_text(job) == "Complete":
        await run.end("done", f"Job {name} is complete.")
    elif finished(job):
        reason = f": {why}" if why else ""
        held = (
            f"Secret {run.change.name} holds what was written as {keys_in_words(run.change)}, and nothing was restarted "
            "with it."
        )
        text = f"Job {name} failed{reason}; its log says more. {held}"
        await run.fail(text)
    elif (text := f"Job {name}: {why or plural(job.status.active, 'active pod')}.") != step["text"]:
        step["text"] = text
        await run.save()


async def _job(run: Run) -> Manifest | None:
    """The Job as it is; None where there is none of its name."""
    change = run.change
    target = Target.of(change.context, JOBS, change.namespace, run.step["job"])
    try:
        return await change_read(transport=run.transport, target=target)
    except NotFound:
        return None


def is_hook(step: Step) -> bool:
    """Whether a step of a rotation is the one before its restarts."""
    return step.get("do") == HOOK


def hook_again() -> dict[str, str]:
    """What a step that failed forgets, when a person resumes: another Job is made."""
    return {"job": "", "uid": ""}
