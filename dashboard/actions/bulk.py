"""One action on many objects: an operation whose one step carries out what was previewed, an object after the other, some
at a time (docs/adr/0043).

Each object gets a change of its own, made by the change engine as its own preview showed it: with its own record, audit
and undo. What was changed meanwhile is not touched; its row says so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, cast

from dashboard.errors import ClusterError, TooManyRequests, Unavailable
from dashboard.kinds.base import GVR, Kind
from dashboard.kinds.rows import listed, plural
from dashboard.models import AuditEntry, Change, OperationResult

from ..database import in_database
from . import records
from . import token as tokens
from .action import Action, Order, Target, Wanted, actor_who_made
from .attempts import Attempt, attempt_refused, attempting
from .engine import change_carry, change_found_made
from .operation import OperationAction, Run, iso, passed, result_counts

BULK = "bulk-"  # before the action's name, in the record and in the audit
AT_ONCE = 10  # objects at a time
MOVE_SECONDS = 10.0  # a move takes as many as it can in this time: who began it is looked at anew with each
RETRY_SECONDS = 5.0  # between two attempts at what is refused for now
ENDS = {"done": "done", "failed": "not changed", "left": "skipped"}


class Bulk(OperationAction):
    """``of`` on many objects. Its change's result has ``wanted``, ``gvr``, ``kinds`` (the kind's name for many),
    ``count`` (of objects), ``namespaces``, and ``confirmed``: the number of objects was typed, as the name of each.
    """

    noun = "bulk change"
    planned_from = follows = frozenset[str]()
    left_text = "it stays as it is"

    def __init__(self, of: Action) -> None:
        self.of = of
        self.name, self.title, self.icon = f"{BULK}{of.name}", of.title, of.icon
        self.steps = MappingProxyType({"apply": apply_step})

    def fits(self, kind: Kind[Any]) -> bool:
        return False  # it is offered beside a list, for what was chosen there

    def summary(self, change: Change) -> str:
        """ "Scale 20 Deployments, replicas: 3"."""
        wanted = asked_words(self.of, change.result["wanted"])
        title = bulk_title(self.of, change.kind, change.result["kinds"], change.result["count"])
        return ", ".join(filter(None, (title, wanted)))

    def sentence(self, change: Change) -> str:
        return self.summary(change)

    def written(self, change: Change) -> str:
        return "Preview confirmed"

    def way_back(self, change: Change) -> str:
        return "Each object's change is undone by itself, from its row."


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
    """Carries out as much as there is time for. What a process that was killed had begun comes first."""
    until = time.monotonic() + MOVE_SECONDS
    begun = [each for each in await run.results("running", "retrying") if _due(each, run.now)]
    for at in range(0, len(begun), AT_ONCE):
        if not await _carry(run, begun[at : at + AT_ONCE]):
            return
    while waiting := await run.results("waiting", limit=AT_ONCE):
        if time.monotonic() > until or not await _carry(run, waiting):
            return
    if not await run.results("running", "retrying", limit=1):
        counts = await in_database(result_counts)(run.operation)
        text = f"{listed([f'{counts[state]} {word}' for state, word in ENDS.items() if counts.get(state)])}."
        run.now = datetime.now(UTC)
        await run.end("done", text)
        ended = AuditEntry.Result.FAILED if counts.get("failed") else AuditEntry.Result.DONE
        await run.audit(run.change.action, ended, f"{run.step['title']}: {text}")


def _due(result: OperationResult, now: datetime) -> bool:
    return result.state == "running" or passed(result.data["tried"], now) >= RETRY_SECONDS


async def _carry(run: Run, results: Sequence[OperationResult]) -> bool:
    """Takes some objects to their end; whether the cluster answered."""
    again = {each.pk for each in results if each.state == "retrying"}
    for each in results:
        each.state, each.began_at = "running", each.began_at or datetime.now(UTC)
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
    order, shown = _order(run, bulk, result), _shown(run, bulk, result)
    attempt = Attempt(
        action=bulk.of.name, context=change.context, plural=result.plural, namespace=result.namespace,
        name=result.name, reason=change.reason,
    )  # fmt: skip
    with attempting(attempt):
        try:
            made = await _made(order, shown, again=again)
        except (TooManyRequests, Unavailable) as error:
            result.state, result.text = "retrying", error.message
            result.data |= {"tried": iso(datetime.now(UTC))}
            return not isinstance(error, Unavailable)
        except ClusterError as error:
            await attempt_refused(attempt, order.actor, error)
            result.state, result.text = "failed", f"{error.message} It was left as it is."
        else:
            result.state, result.text = "done", order.action.sentence(made)
            result.data |= {"change": made.pk}
    result.ended_at = datetime.now(UTC)
    return True


async def _made(order: Order, shown: tokens.Shown, *, again: bool) -> Change:
    """The object's change. One that another process had begun is found by its nonce, and its end by the object."""
    earlier = await in_database(records.found)(shown.nonce)
    if earlier is not None and (
        earlier.state == Change.State.DONE or await change_found_made(order=order, change=earlier)
    ):
        return earlier
    return await change_carry(order=order, shown=shown, again=again)


def _order(run: Run, bulk: Bulk, result: OperationResult) -> Order:
    """What the preview of the object settled is part of what is wanted."""
    change, wanted = run.change, run.change.result["wanted"] | result.data["decided"]
    target = Target(
        context=change.context, gvr=GVR(*change.result["gvr"]), plural=result.plural, kind=result.kind,
        namespace=result.namespace, name=result.name,
    )  # fmt: skip
    return Order(
        transport=run.transport,
        actor=actor_who_made(change),
        target=target,
        action=bulk.of.on(wanted),
        wanted=wanted,
        confirm=target.name if change.result["confirmed"] else "",
        reason=change.reason,
    )


def _shown(run: Run, bulk: Bulk, result: OperationResult) -> tokens.Shown:
    """What the preview showed of the object."""
    change, kept = run.change, result.data
    return tokens.Shown(
        user=change.user_id,
        action=bulk.of.name,
        server=run.transport.cluster.server,
        context=change.context,
        plural=result.plural,
        namespace=result.namespace,
        name=result.name,
        uid=kept["uid"],
        touched=kept["touched"],
        effect=kept["effect"],
        wanted="",
        undoes=None,
        nonce=f"{change.nonce} {result.position}",
        decided=kept["decided"],
    )
