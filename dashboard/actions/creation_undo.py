"""The undo of all objects that one text created: each is looked at again, and what somebody has changed since stays."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Literal

from dashboard import clock
from dashboard.errors import ClusterError, NotFound, TooManyRequests, Unavailable
from dashboard.insight import Effect, Notice, Objects
from dashboard.insight.words import bold, parts
from dashboard.kinds import KINDS
from dashboard.kinds.rows import listed, plural
from dashboard.models import Change, OperationResult
from dashboard.queries.seenreader import SeenReader

from ..database import in_database
from . import records
from .action import (
    Action,
    Description,
    DryRun,
    Manifest,
    Order,
    Target,
    Wanted,
    actor_who_made,
    sides,
)
from .create_yaml import CREATE, PutBack, TakeBack
from .creation_texts import text_drop
from .delete import DELETED
from .engine import (
    change_make,
    change_read,
)
from .operation import Plan, Run, operation_step

NAME = "create-all"  # the action, and its undo
LOSING = "losing"  # in what is wanted, as decided: with which objects data is lost
SENT_WITHIN = timedelta(seconds=30)  # what was not even recorded by then was not sent


def object_result(plural_: str, kind: str, namespace: str, name: str, state: str) -> OperationResult:
    return OperationResult(plural=plural_, kind=kind, namespace=namespace, name=name, state=state)


class _All(Action):
    """The undo of several objects, with the changes of the ``others`` that were begun to be made."""

    name = NAME
    wanted: Wanted
    others: Sequence[Change] = ()
    losing: Sequence[
        str
    ] = ()  # those of the others with which more is lost than an undo brings back, in words

    async def undoing(self, change: Change) -> Action:
        made = copy.copy(self)
        made.others = [each for _, each in await _begun_with(change) if each is not None]
        return made

    async def decide(self, order: Order, manifest: Manifest, objects: Objects) -> Wanted:
        """Besides: what is lost with the others."""
        found = [each for each in self.others if await _loses(order, each, objects)]
        more = {LOSING: [f"{each.kind} {each.name}" for each in found]} if found else {}
        return await super().decide(order, manifest, objects) | more

    def on(self, wanted: Wanted) -> Action:
        made = copy.copy(self)
        made.wanted, made.losing = wanted, wanted.get(LOSING, ())
        return made

    @property
    def count(self) -> int:
        return len(self.others) + 1

    def confirmed(self, manifest: Manifest) -> bool:
        return super().confirmed(manifest) or bool(self.losing)

    async def ask(self, order: Order, told: Description, dry: DryRun) -> Description:
        told = _with_others(await super().ask(order, told, dry), self.others)
        if not self.losing:
            return told
        text = f"What is lost with {listed(self.losing, 'more objects')} can't be restored."
        return replace(told, notices=(Notice("bad", "Data is deleted", text), *told.notices), danger=True)


class PutAllBack(_All, PutBack):
    """Of which the first one was there."""


class TakeAllBack(_All, TakeBack):
    """Of which the first one was created."""


def object_nonce(change: Change, position: int) -> str:
    """Names the change of one object, whoever makes it, and however often that is tried."""
    return f"{change.nonce} {position}"


async def _begun_with(change: Change) -> list[tuple[OperationResult, Change | None]]:
    """What else was begun to be made after a change, the last one first: each result with its own change, which is None
    as long as that is not recorded. A row does not know it where its process was killed.
    """
    rows = OperationResult.objects.filter(operation__change=change, position__gt=0).order_by("-position")
    named = {object_nonce(change, row.position): row for row in await in_database(list)(rows)}
    found = await in_database(list)(Change.objects.filter(nonce__in=named))
    made = {each.nonce: each for each in found}
    return [(row, made.get(nonce)) for nonce, row in named.items() if nonce in made or row.state == "running"]


async def _loses(order: Order, change: Change, objects: Objects) -> bool:
    """Whether more is lost with the undo of one of the others than its own undo brings back."""
    kinds = objects.kinds if isinstance(objects, SeenReader) else KINDS
    if change.state != Change.State.DONE or not change.inverse or change.plural not in kinds:
        return False
    target = Target.of(change.context, kinds[change.plural], change.namespace, change.name)
    try:
        found = await change_read(transport=order.transport, target=target)
    except NotFound:
        return False
    if found["metadata"]["uid"] != change.uid:
        return False  # it stays
    wanted = change.inverse["input"]
    own = replace(order, target=target, wanted=wanted, action=CREATE.on(wanted))
    decided = await own.action.decide(own, found, objects)
    return own.action.on(wanted | decided).confirmed(found)


def _with_others(told: Description, others: Sequence[Change]) -> Description:
    """With what the undo of the other objects does."""
    effects = []
    for change in others:
        does = " gets its old values back"
        if change.state != Change.State.DONE:
            does = " is undone too, if it turns out to have been made"
        elif not change.inverse:
            does = " stays as it is: its undo is not possible"
        elif DELETED in change.touched:
            does = " is deleted"
        where = f"in namespace {change.namespace}" if change.namespace else "cluster-scoped"
        state: Literal["info", "warn"] = "info" if change.inverse else "warn"
        effects.append(Effect(state, "undo", parts(f"{change.kind} ", bold(change.name), does), where))
    if not others:
        return told
    return replace(
        told,
        effects=(*effects, *told.effects),
        button=f"Undo {plural(len(others) + 1, 'object')}",
        kubectl="",
        kubectl_note="No command: each object is looked at again before it is undone.",
    )


async def undo_plan(change: Change) -> Plan:
    """The other objects, the last one first."""
    results = [object_result(change.plural, change.kind, change.namespace, change.name, "done")]
    results[0].text, results[0].data = CREATE.summary(change), {"change": change.pk}
    created = await in_database(Change.objects.get)(undone_by=change)
    text_drop(created.nonce)
    others = await _begun_with(created)
    for each, _ in others:
        one = object_result(each.plural, each.kind, each.namespace, each.name, "waiting")
        one.data = {"undoes": object_nonce(created, each.position)}
        results.append(one)
    steps = [operation_step("undo", f"Undo {plural(len(others), 'more object')}")] if others else []
    return Plan(steps=steps, results=results)


async def undo_step(run: Run) -> None:
    """Takes back one object after the other: what somebody has changed since stays, and none needs another one's end."""
    for result in await run.results("waiting", "running"):
        if result.state == "waiting":
            result.state, result.began_at = "running", clock.now()
            await run.save([result])
        made = await in_database(records.found)(result.data["undoes"])
        try:
            result.state, result.text, change = await _take_back(run, result, made)
        except (Unavailable, TooManyRequests):
            raise
        except ClusterError as error:
            result.state, result.text, change = "failed", f"{error.message} {error.next_step}".strip(), None
        if change is not None:
            result.data = result.data | {"change": change.pk}
        result.ended_at = clock.now()
        await run.record([result])
    if failed := await run.results("failed"):
        await run.fail(f"{plural(len(failed), 'object')} could not be undone.")
    else:
        await run.end("done", "")


async def _take_back(
    run: Run, result: OperationResult, made: Change | None
) -> tuple[str, str, Change | None]:
    """How the undo of one object ends: state, words and its own change. Raises Unavailable while it may be under way to
    be made still.
    """
    what = f"{result.kind} {result.name}"
    if made is None:
        if run.now - run.change.created_at < SENT_WITHIN:
            raise Unavailable(f"Whether {what} is still being made is not known yet.")
        return "done", "It was not made", None
    if made.state == Change.State.SENDING:
        raise Unavailable(f"Whether {what} was made is looked for in the cluster.")
    if made.state == Change.State.UNKNOWN:
        return "left", "Whether it was made is not known: look at it.", None
    if await in_database(Change.objects.filter(undoes=made).exists)() and not await _mine(run, result):
        return "done", "Undone already", None
    if not made.inverse:
        return "left", CREATE.way_back(made), None
    kinds = run.objects.kinds if isinstance(run.objects, SeenReader) else KINDS
    if made.plural not in kinds:
        return "left", f"The API server offers no kind {made.plural} any more.", None
    wanted = made.inverse["input"]
    order = Order(
        transport=run.transport,
        actor=actor_who_made(run.change),
        target=Target.of(made.context, kinds[made.plural], made.namespace, made.name),
        action=CREATE.on(wanted),
        wanted=wanted,
        undoes=made.pk,
        confirm=made.name,
        reason=run.change.reason,
    )
    try:
        found = await change_read(transport=run.transport, target=order.target)
    except NotFound:
        return "done", "It is gone already", None
    if found["metadata"]["uid"] != made.uid:
        return "left", "It was deleted and recreated since: it stays as it is.", None
    if order.action.deletes and found["metadata"].get("deletionTimestamp"):
        return "done", "It is being deleted already", None
    if order.action.touched(found) != sides(made)[1]:
        return "left", "It was changed since: undo it by itself.", None
    change = await change_make(order=order, nonce=object_nonce(run.change, result.position))
    return "done", CREATE.summary(change), change


async def _mine(run: Run, result: OperationResult) -> bool:
    """Whether this very step has begun the undo, before its process ended."""
    return await in_database(Change.objects.filter(nonce=object_nonce(run.change, result.position)).exists)()
