"""The steps of a replacement: who uses the old ConfigMap or Secret is pointed to the new one, one after the other, each
followed until its pods are up; an undo does the same the other way round, then deletes the new one if nothing uses it.

What is written is kept in the step before it is sent, and found again by the change that it makes: neither a process that
ends in the middle nor two that overlap write anything twice.
"""

from __future__ import annotations

import json
from typing import Any

from dashboard.errors import NotFound
from dashboard.insight.protocols import unlisted, unread
from dashboard.insight.references import INGRESSES, READ, READ_OF, ROLLED, Kind, names, still_running, users
from dashboard.insight.restart import restart_outlook
from dashboard.kinds import KINDS
from dashboard.kinds.rows import listed
from dashboard.models import Change, Operation

from ..database import in_database
from . import records
from .action import Manifest, Order, Target, actor_who_made
from .backups import mark
from .configmap_values import digest
from .delete_any import DELETE_ANY
from .engine import change_found_made, change_make, change_read
from .operation import End, Run
from .repoint import REPOINT, repointed
from .rollout_steps import FOLLOWED, rollout_look, step_target

# In a change's result: the new one's name, its uid and what stands for its content as it was made, and who is pointed to
# it, each [plural, name, uid].
MADE, MADE_UID, MADE_CONTENT, CONSUMERS = "made", "made_uid", "made_content", "consumers"
FOLLOWS = FOLLOWED | READ | {"configmaps"}


def kind_of(change: Change) -> Kind:
    """What is replaced."""
    return "Secret" if change.plural == "secrets" else "ConfigMap"


def names_of(change: Change) -> tuple[str, str]:
    """From which one a change points those that use it, to which."""
    made = str(change.result.get(MADE, ""))
    return (made, change.name) if change.undoes_id else (change.name, made)


async def repoint_step(run: Run) -> None:
    """Points one to the other, and waits until its pods are up."""
    step = run.step
    if not step["generation"] and not await _send(run):
        return
    if step["plural"] == INGRESSES:
        await run.end("done", f"It shows the certificate in {names_of(run.change)[1]}.")
    elif step["plural"] not in ROLLED:
        await run.end("done", f"Its next run uses {names_of(run.change)[1]}.")
    else:
        await _follow(run)


async def _send(run: Run) -> bool:
    """Writes the new name; whether there is a rollout to follow. What was settled before a process ended is settled
    anew unless it was written: the workload, or the new one, may be another by now.
    """
    made = await _made_earlier(run)
    if made is None:
        settled = await _settled(run)
        if settled is None:
            return False
        made = await change_make(order=_order(run), nonce=run.nonce, as_shown=settled)
    run.step |= {"generation": int(made.result["generation"]), "uid": made.uid, "text": ""}
    await run.save()
    return True


async def _made_earlier(run: Run) -> Change | None:
    """The change that the step made before its process could say so, if it did."""
    earlier = await in_database(records.found)(run.nonce)
    if earlier is None:
        return None
    if earlier.state != Change.State.DONE and not await change_found_made(order=_order(run), change=earlier):
        return None
    return await in_database(Change.objects.get)(pk=earlier.pk)


def _order(run: Run) -> Order:
    target, sent = step_target(run), run.step["sent"]
    return Order(
        transport=run.transport,
        actor=actor_who_made(run.change),
        target=target,
        action=REPOINT.on(sent),
        wanted=sent,
        confirm=target.name,  # with the replacement
        reason=run.change.reason,
    )


async def _settled(run: Run) -> dict[str, Any] | None:
    """Keeps in the step what is to be written, and gives what that is about to change: the lists that it writes go as
    a whole, and nothing that somebody adds to one in between may be lost. None where the step ends without a write.
    """
    try:
        manifest = await change_read(transport=run.transport, target=step_target(run))
    except NotFound:
        await run.end("left", "It was deleted meanwhile.")
        return None
    if (ended := _settle_wanted(run, manifest)) is not None:
        await run.end(*ended)
        return None
    if flaw := await _flaw(run):
        await run.fail(flaw)
        return None
    await run.save()
    return {"uid": manifest["metadata"]["uid"], "touched": REPOINT.on(run.step["sent"]).touched(manifest)}


def _settle_wanted(run: Run, manifest: Manifest) -> tuple[End, str] | None:
    """Keeps in the step what is to be written; how the step ends where nothing is."""
    step, (old, new), kind = run.step, names_of(run.change), kind_of(run.change)
    if step["uid"] and manifest["metadata"]["uid"] != step["uid"]:
        return (
            "left",
            f"It was deleted and recreated meanwhile: what it uses is left as it is. It was to use {new}.",
        )
    wanted = repointed(manifest, kind, old, new)
    if wanted is None:
        if repointed(manifest, kind, new, old) is not None:
            return "done", f"It uses {new} already."
        return "left", f"It was changed meanwhile: it does not use {old} any more."
    workload = run.objects.get(step["plural"], run.change.namespace, step["name"])
    up = workload is None or step["plural"] not in ROLLED or not restart_outlook(workload).down
    step |= {"sent": wanted, "uid": manifest["metadata"]["uid"], "up": up}
    return None


async def _flaw(run: Run) -> str:
    """Why nothing is pointed to it any more, or ""."""
    change, (_, new) = run.change, names_of(run.change)
    uid = change.uid if change.undoes_id else change.result.get(MADE_UID)
    target = _target(run, new)
    try:
        found = await change_read(transport=run.transport, target=target)
    except NotFound:
        return f"{target} was deleted meanwhile: nothing else is pointed to it."
    if found["metadata"]["uid"] != uid:
        return f"{target} was deleted and recreated meanwhile: look at what it holds now."
    return ""


async def _follow(run: Run) -> None:
    step, (old, new), kind = run.step, names_of(run.change), kind_of(run.change)
    verdict = await rollout_look(run, old=f"what {old} holds", new=f"what {new} holds")
    if verdict is None:
        return
    if verdict.recreated is not None:
        await run.end(*_of_recreated(verdict.recreated, kind, old, new))
        return
    found = run.objects.get(step["plural"], run.change.namespace, step["name"])
    if verdict.state == "failed":
        await run.fail(verdict.text)
    elif verdict.state == "done" and found is not None and not names(step["plural"], found, kind, new):
        await run.end("left", f"{verdict.text} But it was changed meanwhile: it does not use {new} any more.")
    else:
        await run.end(verdict.state, verdict.text)  # type: ignore[arg-type] # it has ended


def _of_recreated(manifest: Manifest, kind: Kind, old: str, new: str) -> tuple[End, str]:
    """How a step ends whose workload is another object by now, which names what its own manifest says."""
    if repointed(manifest, kind, old, new) is not None:
        return "left", f"It was deleted and recreated meanwhile: it uses {old}. It was to use {new}."
    if repointed(manifest, kind, new, old) is not None:
        return "done", f"It was deleted and recreated meanwhile: it uses {new}."
    return "left", f"It was deleted and recreated meanwhile: it uses neither {old} nor {new}."


async def remove_step(run: Run) -> None:
    """Deletes the one that was made, if it is as it was made and nothing uses it."""
    step, change = run.step, run.change
    before = await in_database(Change.objects.get)(undone_by=change)
    target = _target(run, step["name"])
    try:
        found = await change_read(transport=run.transport, target=target)
    except NotFound:
        await run.end("done", "It is gone.")
        return
    if found["metadata"]["uid"] != before.result.get(MADE_UID):
        await run.end("left", "It was deleted and recreated meanwhile: it was not deleted.")
        return
    if content_mark(found) != before.result.get(MADE_CONTENT):
        await run.end("left", "It was changed since: it was not deleted.")
        return
    if unknown := unlisted(run.objects, READ_OF[kind_of(change)], change.namespace):
        text = f"Your account may not list {listed(unknown)} here: whether something uses it is not known."
        await run.end("left", f"{text} It was not deleted.")
        return
    if unread(run.objects, READ_OF[kind_of(change)], change.namespace):
        return  # what may use it is not read yet, or again: asked when it is
    if used := users_of(run.objects, change.namespace, kind_of(change), step["name"]):
        await run.end("left", f"It is still used by {listed(used)}: it was not deleted.")
        return
    wanted = {"propagation": "Background"}
    order = Order(
        transport=run.transport,
        actor=actor_who_made(run.change),
        target=target,
        action=DELETE_ANY,
        wanted=wanted,
        confirm=target.name,
        reason=change.reason,
    )
    await change_make(order=order, nonce=run.nonce)
    await run.end("done", "Nothing used it any more.")


def content_mark(manifest: Manifest) -> str:
    """What stands for the content: equal for equal values under equal keys, and as immutable. Of a Secret it tells
    nothing to whoever does not have this installation's key.
    """
    content = [manifest.get("data") or {}, manifest.get("binaryData") or {}, bool(manifest.get("immutable"))]
    text = json.dumps(content, sort_keys=True).encode()
    if manifest.get("kind") == "Secret":
        return mark(manifest["metadata"]["uid"], "", text)
    return digest(text)


def users_of(objects: Any, namespace: str, kind: Kind, name: str) -> list[str]:
    """Who uses it, and which pods run with it besides, in words."""
    found = [f"{each.ref.kind} {each.ref.name}" for each in users(objects, namespace, kind, name)]
    return found or [f"Pod {each}" for each in still_running(objects, namespace, kind, name)]


def pointed(change: int | None) -> list[list[str]]:
    """Whom a replacement has begun to point to the new one, the latest first: those go back."""
    operation = Operation.objects.filter(change=change).first()
    if operation is None:
        return []
    begun = [step for step in operation.steps if step["do"] == "repoint" and step["sent"]]
    return [[step["plural"], step["name"], step["uid"]] for step in reversed(begun)]


def _target(run: Run, name: str) -> Target:
    return Target.of(run.change.context, KINDS[run.change.plural], run.change.namespace, name)
