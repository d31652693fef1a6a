"""The objects of one text, created together: each is tried by a dry run, then they are made one after the other.

What needs an object that the same text creates (a namespace, a kind) can't be tried before that is there: it is said so,
and tried right before it is made. The first object is a change like any other; the rest are the steps after it, each a
change with its own undo. The text itself is nowhere but in the memory of the process that got it: it may hold values of
Secrets. After that process has ended, what was not made is said, and has to be sent again (docs/adr/0047).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
from django.core import signing
from django.utils.crypto import salted_hmac

from dashboard import clock
from dashboard.errors import ClusterError, NotFound, TooManyRequests, Unavailable
from dashboard.insight import Objects
from dashboard.kinds.rows import plural
from dashboard.kube.answers import read_answer
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change, Operation, OperationResult

from ..database import in_database
from . import records
from . import token as tokens
from .action import (
    Action,
    Actor,
    Manifest,
    Order,
    Wanted,
    actor_who_made,
    pointer,
)
from .create_yaml import CREATE, CreateYaml, settled, wanted_of
from .creation_texts import KeptText, text_drop, text_keep, text_kept
from .creation_undo import NAME, PutAllBack, TakeAllBack, object_nonce, object_result, undo_plan, undo_step
from .delete import DELETED
from .documents import TextObject
from .engine import (
    change_apply,
    change_found_made,
    change_make,
    change_read,
)
from .operation import OperationAction, Plan, Run, Step, operation_step

SALT = "dashboard.actions.creation"
REST = "rest"  # in a change's result: what is created after it
SERVED_SECONDS = 60.0  # until a new kind is served
BEGUN_AFTER = timedelta(seconds=30)  # the process that has the text begins the steps until then
# By then the record of a change tells how it ended, or that nobody knows.
TOLD_AFTER = timedelta(minutes=3)
GONE = "Its text is gone (only the process that got it has it, for an hour): create it again from its YAML."


class CreateAll(CreateYaml, OperationAction):
    """Several objects: the first one is its write. ``wanted`` has the others besides: ``rest`` (plural, kind, namespace,
    name and what becomes of each), ``loses``, whether one of all loses what nothing restores, and ``text``, a digest.
    """

    name, title = NAME, "Create several objects"
    noun = "operation"
    planned_from = frozenset()
    follows = frozenset()
    by_beginner = True
    undo_operates = True
    left_text = "it is not created"

    @property
    def steps(self) -> Mapping[str, Any]:  # type: ignore[override]
        return {"create": create_step, "undo": undo_step}

    def on(self, wanted: Wanted) -> Action:
        if "restore" in wanted:
            return PutAllBack(wanted)
        return TakeAllBack(wanted) if "propagation" in wanted else CreateAll(wanted)

    @property
    def count(self) -> int:
        return len(self.wanted.get("rest", ())) + 1

    def confirmed(self, manifest: Manifest) -> bool:
        return bool(self.wanted.get("loses"))

    def intended(self) -> dict[str, Any]:
        return {REST: self.wanted["rest"]}

    def left(self, change: Change) -> None:
        text_drop(change.nonce)

    def must_follow(self, operation: Operation) -> set[str]:
        return set()

    def to_confirm(self, operation: Operation) -> str:
        count = operation.results.count()
        return str(count) if count > 1 else operation.change.name

    def written(self, change: Change) -> str:
        return CREATE.summary(change).replace(f"the {change.kind}", f"{change.kind} {change.name}")

    def summary(self, change: Change) -> str:
        said, rest = super().summary(change), len(change.result.get(REST, ()))
        return f"{said}, the first of {rest + 1} objects" if rest else said

    def max_step(self, change: Change) -> timedelta:
        return timedelta(minutes=10)

    def too_long(self, step: Step) -> str:
        return f"It took more than 10 minutes. {step['text']}".strip()

    def way_back(self, change: Change) -> str:
        if change.undoes_id is not None or not change.inverse:
            return super().way_back(change)
        return "Undo deletes what was created and puts old values back, of all objects."

    async def plan(self, change: Change, transport: Transport, objects: Objects) -> Plan:
        if change.undoes_id is not None:
            return await undo_plan(change)
        if text_kept(change.nonce) is None and clock.now() - change.created_at < BEGUN_AFTER:
            raise Unavailable("The process that received the text applies it.")
        rest = change.result[REST]
        results = [object_result(change.plural, change.kind, change.namespace, change.name, "done")]
        results[0].text, results[0].data = CREATE.summary(change), {"change": change.pk}
        results[0].began_at = results[0].ended_at = change.created_at  # it is written before the steps begin
        for plural_, kind, namespace, name, state in rest:
            made = object_result(plural_, kind, namespace, name, "done" if state == "same" else "waiting")
            made.text = "No change" if state == "same" else ""
            results.append(made)
        left = sum(each.state == "waiting" for each in results)
        return Plan(
            steps=[operation_step("create", f"Create {plural(left, 'more object')}")], results=results
        )


CREATE_ALL = CreateAll()


def text_order(
    transport: Transport,
    actor: Actor,
    one: TextObject,
    *,
    action: Action = CREATE,
    confirm: str = "",
    reason: str = "",
    **more: Any,
) -> Order:
    wanted: Wanted = {**wanted_of(one.manifest, secret=one.secret), **more}
    return Order(
        transport=transport,
        actor=actor,
        target=one.target,
        action=action.on(wanted),
        wanted=wanted,
        confirm=confirm,
        reason=reason,
    )


def first_order(
    transport: Transport,
    actor: Actor,
    objects: Sequence[TextObject],
    at: int,
    shown: Sequence[Mapping[str, Any]],
    *,
    confirm: str = "",
    reason: str = "",
) -> Order:
    """The order of the object with which several begin: it stands for all of them, as they were ``shown``."""
    rest = [
        [one.target.plural, one.target.kind, one.target.namespace, one.target.name, each["state"]]
        for n, (one, each) in enumerate(zip(objects, shown, strict=True))
        if n != at
    ]
    text = msgspec.json.encode([one.manifest for one in objects], order="sorted")
    digest = salted_hmac(SALT, text, algorithm="sha256").hexdigest()
    return text_order(
        transport,
        actor,
        objects[at],
        action=CREATE_ALL,
        confirm=confirm,
        reason=reason,
        rest=rest,
        loses=any(each.get("loses") for each in shown),
        text=digest,
    )


# ---- The apply


def sign_shown(at: int, token: str, shown: Sequence[Mapping[str, Any]]) -> str:
    return signing.dumps({"at": at, "token": token, "shown": shown}, salt=SALT, compress=True)


async def creation_apply(
    *,
    transport: Transport,
    actor: Actor,
    objects: Sequence[TextObject],
    token: str,
    confirm: str = "",
    reason: str = "",
) -> Change:
    """Creates the first object of a text as its preview showed it; the others are the steps after it. Raises what
    ``change_apply`` raises, and TextsFull: nothing was made then.
    """
    kept = tokens.unsign(token, SALT)
    at, shown = int(kept["at"]), kept["shown"]
    if len(shown) != len(objects):
        order = text_order(transport, actor, objects[0], confirm=confirm, reason=reason)
        return await change_apply(order=order, token=kept["token"])
    order = first_order(transport, actor, objects, at, shown, confirm=confirm, reason=reason)
    nonce = tokens.read(kept["token"], order).nonce
    if await in_database(Change.objects.filter(nonce=nonce).exists)():  # sent twice
        return await change_apply(order=order, token=kept["token"])
    rest = [n for n in range(len(objects)) if n != at]
    text_keep(
        nonce,
        KeptText(
            objects={place: objects[n] for place, n in enumerate(rest, start=1)},
            shown={place: shown[n] for place, n in enumerate(rest, start=1)},
            definitions={one.number: one for one in objects if one.defines},
        ),
    )
    try:
        return await change_apply(order=order, token=kept["token"])
    except ClusterError:
        if not await in_database(Change.objects.filter(nonce=nonce).exists)():
            text_drop(nonce)
        raise


async def create_step(run: Run) -> None:
    """Creates one object after the other, and stops at the first that is refused: what follows may need it."""
    text = text_kept(run.change.nonce)
    for result in await run.results("waiting", "running"):
        made = await _made_before(run, result, text)
        if made is None and text is None:
            await _failed(run, result, GONE)
            return
        if made is None and text is not None:
            made = await _create(run, result, text)
        if made is None:
            return
        result.state, result.ended_at, result.data = "done", clock.now(), {"change": made.pk}
        result.text = CREATE.summary(made)
        await run.record([result])
    await run.end("done", "")
    text_drop(run.change.nonce)


async def _made_before(run: Run, result: OperationResult, text: KeptText | None) -> Change | None:
    """The change of an object that was made before its row could say so: the process was killed, or the answer lost."""
    change = await in_database(records.found)(object_nonce(run.change, result.position))
    if change is None or change.state == Change.State.DONE:
        return change
    if text is None:
        if run.now - change.created_at < TOLD_AFTER:
            raise Unavailable(f"Whether {result.kind} {result.name} was made is looked for in the cluster.")
        return None
    order = _step_order(run, text.objects[result.position])
    recorded: Wanted = {"fresh": True} if DELETED in change.touched else {"paths": list(change.touched)}
    wanted = order.wanted | recorded
    order = replace(order, wanted=wanted, action=order.action.on(wanted))
    return change if await change_found_made(order=order, change=change) else None


async def _create(run: Run, result: OperationResult, text: KeptText) -> Change | None:
    """Creates one object; None where that has to wait, or was refused, as its row says then."""
    one = text.objects[result.position]
    if result.state == "waiting":
        result.state, result.began_at = "running", clock.now()
        await run.save([result])
    if waits := await _unserved(run, one, text):
        if (run.now - (result.began_at or run.now)).total_seconds() > SERVED_SECONDS:
            await _failed(run, result, f"{waits} It took more than {SERVED_SECONDS:.0f} s.")
        elif result.text != waits:
            result.text = waits
            await run.save([result])
        return None
    try:
        return await _make(run, result, one, text.shown[result.position])
    except (Unavailable, TooManyRequests):
        raise
    except ClusterError as error:
        await _failed(run, result, f"{error.message} {error.next_step}".strip())
        return None


def _step_order(run: Run, one: TextObject) -> Order:
    change = run.change
    actor = actor_who_made(change)
    return text_order(run.transport, actor, one, confirm=one.target.name, reason=change.reason)


async def _make(run: Run, result: OperationResult, one: TextObject, shown: Mapping[str, Any]) -> Change:
    order = _step_order(run, one)
    try:
        found = await change_read(transport=run.transport, target=one.target)
        decided = settled(order.wanted, found)
    except NotFound:
        decided = {"fresh": True}
    wanted = order.wanted | decided
    order = replace(order, wanted=wanted, action=order.action.on(wanted))
    as_shown = {fact: shown[fact] for fact in ("uid", "effect", "touched") if fact in shown}
    return await change_make(order=order, nonce=object_nonce(run.change, result.position), as_shown=as_shown)


async def _failed(run: Run, result: OperationResult, text: str) -> None:
    result.state, result.text, result.ended_at = "failed", text, clock.now()
    own = run.entry(CREATE.name, AuditEntry.Result.FAILED, text)
    await run.fail(f"{result.kind} {result.name}: {text}", results=[result], entries=[own])


async def _unserved(run: Run, one: TextObject, text: KeptText) -> str:
    """Why the kind of an object that the text defines can't be used yet; "" for one that can."""
    definition = text.definitions.get(one.defined_at)
    if definition is None:
        return ""
    found = await change_read(transport=run.transport, target=definition.target)
    conditions = {each.get("type"): each for each in pointer(found, "/status/conditions") or ()}
    for type_ in ("NamesAccepted", "Established"):
        condition = conditions.get(type_, {})
        if condition.get("status") != "True":
            why = f" {condition['message']}" if condition.get("message") else ""
            return f"{definition.target} is not established yet.{why}"
    gvr = one.target.gvr
    try:
        response = await run.transport.request("GET", f"/apis/{gvr.api_version}")
    except NotFound:
        return f"The API server does not serve {gvr.api_version} yet."
    served = read_answer(response.body, dict[str, Any]).get("resources") or ()
    if not any(each.get("name") == gvr.plural for each in served):
        return f"The API server does not serve {gvr.plural} in {gvr.api_version} yet."
    return ""
