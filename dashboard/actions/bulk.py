"""One action on many objects: an operation whose one step carries out what was previewed, some at a time, or one at a
time, each followed until it has settled (docs/adr/0043). Its undo is the same for what it made (docs/adr/0062).

Each object gets a change of its own, made by the change engine as its own preview showed it: with its own record, audit
and undo. What was changed meanwhile is not touched; its row says so.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, cast

from dashboard import clock
from dashboard.errors import ClusterError, TooManyRequests, Unavailable
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR, Kind
from dashboard.kinds.rows import listed, plural
from dashboard.models import AuditEntry, Change, Operation, OperationResult
from dashboard.queries.seenreader import SeenReader

from ..database import in_database
from . import records
from . import token as tokens
from .action import Action, Order, Target, Wanted, actor_who_made
from .attempts import Attempt, attempt_refused, attempting
from .bulk_pace import AT_A_TIME, ORDERS, settle
from .confirmation import confirmation
from .engine import change_carry, change_found_made, order_with
from .operation import OperationAction, Run, Step, iso, passed, result_counts
from .undoing import Named, undo_order

BULK = "bulk-"  # before the action's name, in the record and in the audit
AT_ONCE = 10  # objects at a time
MOVE_SECONDS = 10.0  # a move takes as many as it can in this time: who began it is looked at anew with each
RETRY_SECONDS = 5.0  # between two attempts at what is refused for now
SLACK_SECONDS = 60.0  # for an object, besides the time in which it has to settle
FOLLOWED = frozenset(
    {"pods", "replicasets"}
)  # what a change of a workload is followed by, beside the workload
ENDS = {"done": "done", "failed": "not changed", "left": "skipped"}


class Bulk(OperationAction):
    """``of`` on many objects. Its change's result has ``wanted``, ``gvr``, ``kinds`` (the kind's name for many),
    ``count`` (of objects), ``namespaces``, ``order`` and ``timeout`` (see ``bulk_pace``), and ``confirmed``: the number
    of objects was typed, as the name of each. The rows of an undo keep the change that each takes back (``undoes``).
    """

    noun = "bulk change"
    planned_from = follows = frozenset[str]()
    undo_operates = True
    left_text = "it stays as it is"

    def __init__(self, of: Action, named: Named) -> None:
        self.of, self.named = of, named
        self.name, self.title, self.icon = f"{BULK}{of.name}", of.title, of.icon
        self.steps = MappingProxyType({"apply": apply_step, "one": one_step})

    def fits(self, kind: Kind[Any]) -> bool:
        return False  # it is offered beside a list, for what was chosen there

    def watched(self, operation: Operation) -> frozenset[str]:
        """Only what is followed until it has settled has to be seen."""
        change = operation.change
        return self.followed_by(change) if at_a_time(change) else frozenset()

    def followed_by(self, change: Change) -> frozenset[str]:
        """The kinds by which the changes of its objects are followed."""
        return FOLLOWED | self.of.follows | {change.plural}

    def max_step(self, change: Change) -> timedelta:
        if not at_a_time(change):
            return super().max_step(change)
        seconds: float = (change.result["timeout"] + SLACK_SECONDS) * change.result["count"]
        return timedelta(seconds=seconds)

    def too_long(self, step: Step) -> str:
        return (
            super().too_long(step) if step["do"] == "apply" else f"It took too long. {step['text']}".strip()
        )

    def to_confirm(self, operation: Operation) -> str:
        return str(operation.change.result["count"])

    def summary(self, change: Change) -> str:
        """ "Scale 20 Deployments, replicas: 3, one at a time"."""
        wanted = asked_words(self.of, change.result["wanted"])
        title = bulk_title(self.of, change.kind, change.result["kinds"], change.result["count"])
        pace = dict(ORDERS)[change.result["order"]].lower() if at_a_time(change) else ""
        return ", ".join(filter(None, (title, wanted, pace)))

    def sentence(self, change: Change) -> str:
        return self.summary(change)

    def written(self, change: Change) -> str:
        return "Preview confirmed"

    def undone_whole(self, change: Change) -> tuple[bool, str]:
        operation = Operation.objects.filter(change=change).first()
        if operation is None or operation.state == Operation.State.RUNNING:
            return False, "While it is under way it can't be undone as a whole: stop it first."
        made = [bool(each.inverse) for _, each in made_changes(change)]
        if not made:
            return False, "It changed nothing, so there is nothing to undo."
        if not any(made):
            return False, "Nothing of it can be undone: the change of each object says why."
        words = f"Undo restores what it changed of {plural(sum(made), 'object')}, the newest change first."
        return True, words if all(made) else f"{words} The rest of it can't be undone."


def at_a_time(change: Change) -> int:
    """How many objects are followed until they have settled, before further ones begin; 0: all are written, and each is
    followed on its own page.
    """
    return AT_A_TIME.get(change.result.get("order", ""), 0)


def made_changes(change: Change) -> list[tuple[OperationResult, Change]]:
    """What a bulk change did, the newest first: each row with its object's change. Where a process was killed, or an
    answer did not come, the row does not know it: then the change is found by its nonce.
    """
    rows = list(OperationResult.objects.filter(operation__change=change))
    own = Change.objects.in_bulk([row.data["change"] for row in rows if "change" in row.data])
    unsaid = {nonce_of(change, row): row for row in rows if "change" not in row.data}
    found = [(row, own[row.data["change"]]) for row in rows if row.data.get("change") in own]
    found += [(unsaid[each.nonce], each) for each in Change.objects.filter(nonce__in=unsaid)]
    return sorted(found, key=lambda each: each[1].pk, reverse=True)


def nonce_of(change: Change, result: OperationResult) -> str:
    """Names the change of one object, whoever makes it."""
    return f"{change.nonce} {result.position}"


def bulk_title(action: Action, singular: str, plurals: str, count: int) -> str:
    """ "Scale 20 Deployments"."""
    return f"{action.title} {plural(count, singular, plurals)}"


def asked_words(action: Action, wanted: Wanted) -> str:
    """What was typed, in words: "replicas: 3"."""
    given = ((field.label, wanted.get(field.name)) for field in action.fields)
    return ", ".join(
        f"{label[:1].lower()}{label[1:]}: {value}" for label, value in given if value is not None
    )


def typed_again(action: Action, wanted: Wanted) -> dict[str, str]:
    """What was typed, for a form that starts with it."""
    given = {field.name: wanted.get(field.name) for field in action.fields}
    return {name: str(value) for name, value in given.items() if value is not None}


def kept_of(shown: tokens.Shown) -> dict[str, Any]:
    """What a row keeps of the preview of its object."""
    return {"uid": shown.uid, "touched": shown.touched, "effect": shown.effect, "decided": shown.decided}


# ---- Its step


async def apply_step(run: Run) -> None:
    """Carries out as much as there is time for. What a process that was killed had begun comes first. An undo goes back
    step by step: what was changed last is undone first.
    """
    until = time.monotonic() + MOVE_SECONDS
    at_once = 1 if run.change.undoes_id else AT_ONCE
    begun = [each for each in await run.results("running", "retrying") if _due(each, run.now)]
    for at in range(0, len(begun), at_once):
        if not await _carry(run, begun[at : at + at_once]):
            return
    while waiting := await run.results("waiting", limit=at_once):
        if time.monotonic() > until or not await _carry(run, waiting):
            return
    if not await run.results("running", "retrying", limit=1):
        await _end(run, ENDS)


async def one_step(run: Run) -> None:
    """One object after the other, or three at once: a further one starts when one before has settled. The first that
    fails stops it, though what has started goes on in the cluster; when a person resumes, that one is looked at once
    more, and stops nobody again.
    """
    until, at_once = time.monotonic() + MOVE_SECONDS, at_a_time(run.change)
    while True:
        found = await run.results("running", "retrying", limit=at_once)
        if len(found) < at_once:
            found += await run.results("waiting", limit=at_once - len(found))
        if not found:
            await _end(run, ENDS | {"failed": "failed"})
            return
        goes_on = False
        for each in found:
            goes_on |= await _one(run, each)
            if run.step["state"] == "failed":
                return
        if not goes_on or time.monotonic() > until:
            return


async def _one(run: Run, result: OperationResult) -> bool:
    """Takes one object as far as it comes now; whether the next one may begin."""
    data, timeout = result.data, run.change.result["timeout"]
    if result.state == "waiting":  # for the first time, or again after it failed
        data |= {"since": iso(clock.now()), "wrong_since": ""}
    if "change" in data:
        if result.state == "waiting":
            result.state = "running"
            await run.save([result])
    elif result.state == "retrying" and passed(data["since"], run.now) >= timeout:
        result.state, result.ended_at = "failed", clock.now()
        result.text = f"It was not taken within {timeout} s: {result.text}"
        await run.record([result])
    elif not _due(result, run.now):
        return False
    else:
        await _carry(run, [result])
    if result.state == "running":
        await settle(run, result, cast(Bulk, run.action).named, timeout)
    if result.state != "failed":
        return result.state == "done"
    if data.get("stopped"):
        return True
    data |= {"stopped": True}
    await run.save([result])
    await run.fail(f"{result.name}: {result.text}")
    return False


async def _end(run: Run, words: dict[str, str]) -> None:
    counts = await in_database(result_counts)(run.operation)
    text = f"{listed([f'{counts[state]} {word}' for state, word in words.items() if counts.get(state)])}."
    run.now = clock.now()
    ended = AuditEntry.Result.FAILED if counts.get("failed") else AuditEntry.Result.DONE
    told = run.entry(run.change.action, ended, f"{run.step['title']}: {text}")
    await run.end("done", text, entries=[told])


def _due(result: OperationResult, now: datetime) -> bool:
    return result.state in ("running", "waiting") or passed(result.data["tried"], now) >= RETRY_SECONDS


async def _carry(run: Run, results: Sequence[OperationResult]) -> bool:
    """Takes some objects to their end; whether the cluster answered."""
    again = {each.pk for each in results if each.state == "retrying"}
    for each in results:
        each.state, each.began_at = "running", each.began_at or clock.now()
    await run.save(results)
    work = (_carry_one(run, each, again=each.pk in again) for each in results)
    # All of them come to their end, whatever goes wrong with one: no later move may meet them under way.
    answers = await asyncio.gather(*work, return_exceptions=True)
    await run.record(results)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return all(answers)


async def _carry_one(run: Run, result: OperationResult, *, again: bool) -> bool:
    """Gives the result its end; whether the cluster answered."""
    change, bulk = run.change, cast(Bulk, run.action)
    attempt = Attempt(
        action=bulk.of.name, context=change.context, plural=result.plural, namespace=result.namespace,
        name=result.name, reason=change.reason,
    )  # fmt: skip
    with attempting(attempt):
        try:
            order = await _order(run, bulk, result)
            attempt.action = order.action.name
            made = await _made(order, _shown(run, order, result), again=again)
        except (TooManyRequests, Unavailable) as error:
            result.state, result.text = "retrying", error.message
            result.data |= {"tried": iso(clock.now())}
            return not isinstance(error, Unavailable)
        except ClusterError as error:
            await attempt_refused(attempt, actor_who_made(change), error)
            result.state, result.text = "failed", f"{error.message} It was left as it is."
        else:
            result.text = order.action.sentence(made)
            result.data |= {"change": made.pk}
            if at_a_time(change):
                result.data |= {"since": iso(clock.now())}
                return True  # it has to settle yet
            result.state = "done"
    result.ended_at = clock.now()
    return True


async def _made(order: Order, shown: tokens.Shown, *, again: bool) -> Change:
    """The object's change. One that another process had begun is found by its nonce, and its end by the object."""
    earlier = await in_database(records.found)(shown.nonce)
    if earlier is not None and (
        earlier.state == Change.State.DONE or await change_found_made(order=order, change=earlier)
    ):
        return earlier
    return await change_carry(order=order, shown=shown, again=again)


async def _order(run: Run, bulk: Bulk, result: OperationResult) -> Order:
    """What the preview of the object settled is part of what is wanted."""
    change = run.change
    actor = actor_who_made(change)
    if "undoes" in result.data:
        undone = await in_database(Change.objects.select_related("user").get)(pk=result.data["undoes"])
        kinds = run.objects.kinds if isinstance(run.objects, SeenReader) else KINDS
        order = await undo_order(bulk.named, run.transport, actor, undone, kinds)
    else:
        target = Target(
            context=change.context, gvr=GVR(*change.result["gvr"]), plural=result.plural, kind=result.kind,
            namespace=result.namespace, name=result.name,
        )  # fmt: skip
        wanted = change.result["wanted"]
        order = Order(
            transport=run.transport, actor=actor, target=target, action=bulk.of.on(wanted), wanted=wanted
        )
    order = order_with(order, result.data["decided"])
    confirm = confirmation(order) if change.result["confirmed"] else ""
    return dataclasses.replace(order, confirm=confirm, reason=change.reason)


def _shown(run: Run, order: Order, result: OperationResult) -> tokens.Shown:
    """What the preview showed of the object."""
    change, kept = run.change, result.data
    return tokens.Shown(
        user=change.user_id,
        action=order.action.name,
        server=run.transport.cluster.server,
        context=change.context,
        plural=order.target.plural,
        namespace=order.target.namespace,
        name=order.target.name,
        uid=kept["uid"],
        touched=kept["touched"],
        effect=kept["effect"],
        wanted="",
        undoes=order.undoes,
        nonce=nonce_of(change, result),
        decided=kept["decided"],
    )
