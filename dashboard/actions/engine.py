"""The change engine: preview (dry run, as the user) and apply (only if what is touched is still what was shown).

Status writes bump the resourceVersion of a busy object all the time, so a 409 alone is no conflict: the object is read
again, and only what the action touches decides.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from asgiref.sync import sync_to_async
from django.db import DatabaseError

from dashboard.errors import (
    BadInput,
    ClusterError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Protected,
    ReadOnly,
    Unauthenticated,
    Unavailable,
)  # fmt: skip
from dashboard.insight import Objects
from dashboard.kube.access import allowed
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change

from . import records
from . import token as tokens
from .action import Action, Confidential, Differs, Manifest, Order, Preview, Target, Touched, Write
from .diff import Line, diff_lines, effect_digest
from .permits import changes_required
from .problems import NoWayBack, StaleView, Unrecorded, Unsettled
from .writers import last_manager

MANAGER = "cluster-ui"
# A busy object is written a few times a second, in a rollout some dozen times; read and write take milliseconds.
ATTEMPTS = 20
JITTER_SECONDS = 0.1
# How long the second of two submits waits for the first one's end.
WAIT_SECONDS = 15.0
# Errors that say the cluster (or this dashboard) decided against it; others say that something broke.
_REFUSALS = (BadInput, Conflict, Forbidden, Invalid, NotFound, Protected, ReadOnly, Unauthenticated)

R = TypeVar("R")


async def change_access(*, transport: Transport, target: Target, action: Action) -> None:
    """Raises ReadOnly or Forbidden, with verb and resource, when the user may not do this here."""
    await changes_required(transport.cluster)
    decision = await allowed(
        transport,
        action.verb,
        target.gvr,
        namespace=target.namespace,
        name=target.name,
        subresource=action.subresource or None,
    )
    if not decision.allowed:
        resource = f"{target.plural}/{action.subresource}" if action.subresource else target.plural
        what = f"{action.verb} {resource} in namespace {target.namespace}"
        raise Forbidden(
            f"Your account may not {what}.",
            next_step=f"Ask whoever manages access to allow: {what}.",
            verb=action.verb,
            resource=resource,
            namespace=target.namespace,
            name=target.name,
        )


async def change_preview(*, order: Order, objects: Objects) -> Preview:
    """Show a change: a server-side dry run, its diff, and what it touches. Nothing is changed.

    Raises ReadOnly, Forbidden, NotFound, Invalid (an admission rule refuses it) and what else the API server says.
    """
    await change_access(transport=order.transport, target=order.target, action=order.action)
    before, after = await _dry_run(order)
    now = datetime.now(UTC)
    told = order.action.tell(order.target, before, after, order.wanted, objects, now)
    compare = order.action.diff if isinstance(order.action, Differs) else diff_lines
    # In a thread: comparing large texts line by line would hold everybody up.
    diff = await asyncio.to_thread(compare, *_comparable(order.action, before, after))
    token = tokens.show(order, before, _effect(order.action, before, after)) if diff else ""
    words = _diff_words(order.action.write(before, order.wanted), diff)
    return Preview(told=told, diff=diff, diff_words=words, checked_at=now, token=token)


async def change_apply(*, order: Order, token: str) -> Change:
    """Make the change that was shown. The same token applies once: a second submit gets the same Change.

    Raises StaleView when what it touches, or its effect, is not what was shown; ReadOnly, Forbidden, Invalid and
    others when it is refused (nothing was changed then); Unsettled when the answer was lost; Unrecorded when the
    change was made but the database failed. All but a bad token are audited.
    """
    shown = tokens.read(token, order)
    if (earlier := await sync_to_async(records.found)(shown.nonce)) is not None:
        return await _ended(earlier)
    try:
        await changes_required(order.transport.cluster)
    except ReadOnly as error:
        await sync_to_async(records.refuse)(order.actor, order.action.name, order.target, error)
        raise
    try:
        change, new = await sync_to_async(records.claim)(order, shown.nonce)
    except NoWayBack as error:
        await sync_to_async(records.refuse)(order.actor, order.action.name, order.target, error)
        raise
    if not new:
        return await _ended(change)
    # A browser that leaves must not cut this in two.
    return await to_its_end(_apply(order, shown, change))


async def change_read(*, transport: Transport, target: Target) -> Manifest:
    """The object as it is now, as the user. Raises NotFound and what else the API server says."""
    try:
        response = await transport.request("GET", target.gvr, namespace=target.namespace, name=target.name)
    except NotFound as error:
        raise NotFound(
            f"There is no {target} in namespace {target.namespace}.",
            next_step="It may have been deleted meanwhile: look at the list.",
        ) from error
    return msgspec.json.decode(response.body, type=dict[str, Any])


async def change_stale(
    *, target: Target, action: Action, was: Touched, manifest: Manifest, since: str = "since you looked"
) -> StaleView:
    """The error that says what the touched fields were and are, and who changed them."""
    now = action.touched(manifest)
    differing = [path for path in {**was, **now} if was.get(path) != now.get(path)]
    was, now = ({path: each[path] for path in differing if path in each} for each in (was, now))
    path = differing[0]
    who, when = last_manager(manifest, path)
    # Whoever used this dashboard is known by name, not only by its field manager.
    if who == MANAGER and (person := await sync_to_async(records.last_writer)(target, _uid(manifest), path)):
        who, when = person
    by = f" by {who}" if who else ""
    was_words, now_words = action.words(was), action.words(now)
    message = f"{target} was changed{by} {since}: it was {was_words}, now it is {now_words}."
    return StaleView(message, was=was_words, now=now_words, who=who, when=when)


class _Lost(Exception):
    """The request was sent, and no answer came."""

    def __init__(self, before: Manifest, after: Manifest, error: Unavailable) -> None:
        super().__init__(error.message)
        self.before, self.after, self.error = before, after, error


async def _apply(order: Order, shown: tokens.Shown, change: Change) -> Change:
    action = order.action
    try:
        before, after = await _send(order, shown)
    except _Lost as lost:
        before, after = await _look_again(order, lost, change)
    except ClusterError as error:
        refused = isinstance(error, _REFUSALS)
        result = AuditEntry.Result.REFUSED if refused else AuditEntry.Result.FAILED
        await sync_to_async(records.release)(change, order.actor, error, result)
        raise
    was, made = action.touched(before), action.touched(after)
    try:
        await sync_to_async(records.finish)(change, order, before, was, made, _result(before, after))
    except DatabaseError as error:
        raise Unrecorded(
            f"The change WAS made: {order.target} went from {action.words(was)} to {action.words(made)}. "
            "Only its record could not be written, so it is not listed and cannot be undone from here.",
            next_step=f"To take it back, bring it to {action.words(was)} by hand.",
        ) from error
    return change


async def _send(order: Order, shown: tokens.Shown) -> tuple[Manifest, Manifest]:
    """Write with a precondition, again as long as only other parts of the object change underneath. Gives the
    object before and after.
    """
    target, action = order.target, order.action
    for attempt in range(1, ATTEMPTS + 1):
        before, after = await _dry_run(order)
        await _unchanged(order, shown, before)
        if _effect(action, before, after) != shown.effect:
            was, now = action.words(shown.touched), action.words(action.touched(after))
            raise StaleView(f"The cluster would now make something else of it: {now}.", was=was, now=now)
        # Read once more, so that on a busy object as little as possible comes between this and the write.
        before = await change_read(transport=order.transport, target=target)
        await _unchanged(order, shown, before)
        try:
            return before, action.after(before, await _request(order, before, dry=False))
        except Unavailable as error:
            raise _Lost(before, after, error) from error
        except Conflict as conflict:
            await _pause(attempt, conflict)
    raise AssertionError("unreachable")


async def _unchanged(order: Order, shown: tokens.Shown, manifest: Manifest) -> None:
    """Raises StaleView unless it is the same object, and what the action touches is as it was shown."""
    target, action = order.target, order.action
    if _uid(manifest) != shown.uid:
        was, now = action.words(shown.touched), action.words(action.touched(manifest))
        message = f"{target} was deleted and created again since you looked: this is another object."
        raise StaleView(message, was=was, now=now)
    if action.touched(manifest) != shown.touched:
        raise await change_stale(target=target, action=action, was=shown.touched, manifest=manifest)


async def _dry_run(order: Order) -> tuple[Manifest, Manifest]:
    """The object as it is, and as it would be."""
    before = await change_read(transport=order.transport, target=order.target)
    return before, order.action.after(before, await _request(order, before, dry=True))


async def _pause(attempt: int, conflict: Conflict) -> None:
    """A moment before the next attempt; the conflict itself after the last one."""
    if attempt == ATTEMPTS:
        raise conflict
    await asyncio.sleep(JITTER_SECONDS * random.random())


async def _request(order: Order, manifest: Manifest, *, dry: bool) -> Manifest:
    action = order.action
    if not isinstance(action, Confidential):
        return await _sent(order, action.write(manifest, order.wanted), manifest, dry=dry)
    wanted = await action.supply(order, manifest, dry=dry)
    write = action.write(manifest, wanted)
    try:
        return {**write.body, **await _sent(order, write, manifest, dry=dry)}
    except ClusterError as error:
        action.scrub(error, manifest, wanted)
        raise


def _comparable(action: Action, before: Manifest, after: Manifest) -> tuple[Manifest, Manifest]:
    return action.shown(before, after) if isinstance(action, Confidential) else (before, after)


def _effect(action: Action, before: Manifest, after: Manifest) -> str:
    return effect_digest(*_comparable(action, before, after))


async def _sent(order: Order, write: Write, manifest: Manifest, *, dry: bool) -> Manifest:
    target = order.target
    # Bound to this object and, when it is meant, to this version of it: a dry run writes nothing that could be lost.
    precondition = {"uid": _uid(manifest)}
    if not dry:
        precondition["resourceVersion"] = manifest["metadata"]["resourceVersion"]
    body = dict(write.body)
    query = {"fieldManager": MANAGER} if write.method in ("PATCH", "PUT") else {}
    if write.method == "DELETE":
        # The options in a DELETE's body are all that counts: beside it the query is not read.
        body |= {"preconditions": precondition, **({"dryRun": ["All"]} if dry else {})}
    elif write.method == "POST":
        body["deleteOptions"] = {**body.get("deleteOptions", {}), "preconditions": precondition}
    else:
        body["metadata"] = {**body.get("metadata", {}), **precondition}
    if dry and write.method != "DELETE":
        query["dryRun"] = "All"
    response = await order.transport.request(
        write.method,
        target.gvr,
        namespace=target.namespace,
        name=target.name,
        subresource=write.subresource or None,
        query=query,
        body=msgspec.json.encode(body),
        content_type=write.content_type,
        accept=write.accept,
    )
    return msgspec.json.decode(response.body, type=dict[str, Any])


async def _look_again(order: Order, lost: _Lost, change: Change) -> tuple[Manifest, Manifest]:
    """The answer was lost: the object itself tells whether the change was made. Raises when it was not, or when
    nobody knows.
    """
    target, action = order.target, order.action
    try:
        found = await change_read(transport=order.transport, target=target)
    except NotFound:
        if action.write(lost.before, order.wanted).method in ("DELETE", "POST"):
            return lost.before, lost.after
        found = None
    except ClusterError:
        found = None
    if found is not None and _uid(found) == _uid(lost.before):
        if action.touched(found) == action.touched(lost.after):
            return lost.before, found
        if found["metadata"]["resourceVersion"] == lost.before["metadata"]["resourceVersion"]:
            await sync_to_async(records.release)(change, order.actor, lost.error, AuditEntry.Result.FAILED)
            raise lost.error
    unsettled = Unsettled(
        f"The API server did not answer: whether {target} was changed is not known.",
        next_step="Look at the object once the cluster answers again.",
    )
    await sync_to_async(records.lose)(change, order.actor, unsettled)
    raise unsettled from lost


async def _ended(change: Change) -> Change:
    """The first submit's change, once it has ended."""
    loop = asyncio.get_running_loop()
    until = loop.time() + WAIT_SECONDS
    while change.state == Change.State.SENDING:
        if loop.time() > until:
            raise Conflict(
                "This change is being applied already.",
                next_step="Look at the object, or at Changes made here.",
            )
        await asyncio.sleep(0.1)
        again = await sync_to_async(records.found)(change.nonce)
        if again is None:
            raise Conflict(
                "The change was refused when it was sent first.", next_step="Look at the preview again."
            )
        change = again
    return change


_running: set[asyncio.Task[Any]] = set()


async def to_its_end(work: Coroutine[Any, Any, R]) -> R:
    """Wait for work that goes on when the waiting is given up."""
    task = asyncio.create_task(work)
    _running.add(task)  # a task that nobody holds may be collected
    task.add_done_callback(_running.discard)
    return await asyncio.shield(task)


def _result(before: Manifest, after: Manifest) -> dict[str, Any]:
    """What following a change needs to know: which generation it made, and who keeps the object."""
    owners = before["metadata"].get("ownerReferences") or ()
    controller = next((owner for owner in owners if owner.get("controller")), None)
    return {
        "generation": after["metadata"].get("generation"),
        "controller": {key: controller[key] for key in ("kind", "name", "uid")} if controller else None,
    }


def _uid(manifest: Manifest) -> str:
    return str(manifest["metadata"]["uid"])


def _diff_words(write: Write, diff: tuple[Line, ...]) -> str:
    changed = max(sum(line.sign == "+" for line in diff), sum(line.sign == "-" for line in diff))
    lines = f"{changed} {'line' if changed == 1 else 'lines'}"
    # The server itself marks what is deleted: there is no field manager then.
    return f"{lines}, field manager {MANAGER}" if write.method in ("PATCH", "PUT") else lines
