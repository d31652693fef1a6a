"""What takes minutes: an operation, which is a change and the named steps that follow its write (docs/adr/0040).

A step is an async function on a ``Run``, called once a move until it has ended its step. It is recorded before and
after, so any process goes on after one that was killed: the function is then called again with what was recorded last,
so whatever it sends has to come to the same when it is sent twice.

A step is ``waiting``, then ``running``, then ``done``, ``failed`` (which stops the operation), ``left`` or ``down``
(which stop nobody). A step about one object is its own result; a step about many has a row for each, its
``OperationResult``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from django.db import transaction
from django.db.models import Count, F, Q

from dashboard import clock
from dashboard.errors import ClusterError, Conflict, TooManyRequests, Unavailable
from dashboard.insight import Objects
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change, Operation, OperationResult

from ..database import in_database
from .action import FOLLOWED_FOR, Action, Manifest, Order, Target, Wanted
from .problems import UnderWay

Step = dict[str, Any]  # plain JSON: see ``operation_step``
End = Literal["done", "failed", "left", "down"]
StepFunction = Callable[["Run"], Awaitable[None]]

ENDED: tuple[End, ...] = ("done", "failed", "left", "down")


def operation_step(do: str, title: str, **kept: Any) -> Step:
    """A step that waits. ``do`` names its function in the action's ``steps``; ``kept`` is what that needs; a step
    about one object has its ``plural``, ``kind`` and ``name``.
    """
    return {
        "do": do, "title": title, "state": "waiting", "text": "", "since": "", "began": "", "ended": "", **kept,
    }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What follows a write: its steps, and the objects of those about many, in the order in which they are taken."""

    steps: Sequence[Step]
    results: Iterable[OperationResult] = ()


class OperationAction(Action):
    """An action whose write is followed by steps."""

    noun: str  # what is stopped and resumed: "restarts"
    steps: Mapping[str, StepFunction]
    planned_from: frozenset[str]  # the kinds that ``plan`` reads
    must_know: frozenset[str] = frozenset()  # those of them without which nothing begins
    follows: frozenset[str]  # the kinds that its steps, and its page, read
    by_beginner = False  # whether only the process that begins its steps has what they need
    undo_operates = False  # whether steps follow its undo too
    left_text = ""  # what becomes of a step that a person leaves, after "mara left it"
    many = False  # it takes its time for one object
    alone = False  # whether an object has one of these at a time: then ``under_way`` says so

    async def plan(self, change: Change, transport: Transport, objects: Objects) -> Plan:
        """The steps that follow a change that has been written. May be called again when a process was killed."""
        raise NotImplementedError

    def under_way(self, target: Target, earlier: Change) -> UnderWay:
        """What the next one is refused with while an earlier one goes on."""
        raise NotImplementedError

    async def free(self, target: Target, manifest: Manifest, undoes: int | None) -> None:
        if not self.alone:
            return
        earlier = await in_database(unfinished_of)(self.name, target.context, manifest["metadata"]["uid"])
        if earlier is not None and earlier.pk != undoes:
            raise self.under_way(target, earlier)

    async def ready(self, target: Target, manifest: Manifest, objects: Objects) -> None:
        await self.free(target, manifest, None)

    async def supply(self, order: Order, manifest: Manifest, *, dry: bool) -> Wanted:
        await self.free(order.target, manifest, order.undoes)
        return order.wanted

    async def begun(self, change: Change, transport: Transport) -> None:
        """Called once its steps are recorded."""

    def max_step(self, change: Change) -> timedelta:
        """How long a step may take before it fails."""
        return FOLLOWED_FOR

    def too_long(self, step: Step) -> str:
        """Why a step fails that took longer."""
        return f"It took more than an hour. {step['text']}".strip()

    def failed(self, step: Step, text: str) -> tuple[End, str]:
        """How a step ends that went wrong, and its words; only ``failed`` stops the operation."""
        return "failed", text

    def again(self, step: Step) -> Step:
        """A step that failed, when a person resumes the operation; what has not ended gets its time again."""
        if step["state"] != "failed":
            return step | {"since": ""}
        return step | {"state": "waiting", "text": "", "ended": "", "since": ""}

    def resumable(self, change: Change) -> bool:
        """Whether an operation that was stopped may go on; reads the database."""
        return not Change.objects.filter(undoes=change.pk).exists()

    def to_confirm(self, operation: Operation) -> str:
        """What is typed in a production context before it goes on; reads the database."""
        return operation.change.name

    def resuming(self, operation: Operation) -> None:
        """Called before it is kept that it goes on, in the same transaction: what it has alone (``sole``, ``place``) it
        takes again. Raises where it can't.
        """

    def resumed(self, change: Change) -> None:
        """Called in the transaction that resumes it."""

    def left(self, change: Change) -> None:
        """Called in the transaction in which a person leaves what has not begun."""

    def watched(self, operation: Operation) -> frozenset[str]:
        """The kinds that its steps read."""
        return self.follows

    def must_follow(self, operation: Operation) -> set[str]:
        """The kinds without a sight of which it waits: what its steps are about would look deleted."""
        return {step["plural"] for step in operation.steps if "plural" in step}

    def written(self, change: Change) -> str:
        """What its write did, as the title of a step: "Cordon worker-1"."""
        raise NotImplementedError

    def after_words(self, change: Change) -> str:
        """What the steps follow, for the audit: "after the new value of password"."""
        return ""


class Lost(Exception):
    """Another process has the operation now, or it was stopped."""


@dataclass(slots=True, kw_only=True)
class Run:
    """One move of one step, by the process that has the operation. ``transport`` and ``objects`` are of who started it.
    Each method that records something raises Lost when another process has it, or a person stopped it: nothing was
    recorded then. What is told in the audit (``entries``) is recorded with it or not at all: a process that is killed
    in between leaves nothing untold, and whoever goes on tells nothing twice.
    """

    operation: Operation
    action: OperationAction
    step: Step
    holder: str
    transport: Transport
    objects: Objects
    now: datetime

    @property
    def change(self) -> Change:
        return self.operation.change

    @property
    def nonce(self) -> str:
        """Names what this step sends, since it began last: see ``change_make``."""
        at = self.operation.steps.index(self.step)
        return f"operation {self.operation.pk} {at} {self.step['began']}"

    async def save(self, results: Sequence[OperationResult] = (), entries: Sequence[AuditEntry] = ()) -> None:
        """Records the step as it is, and these results."""
        await in_database(_write)(self.operation, self.holder, results, entries)

    async def record(self, results: Sequence[OperationResult], entries: Sequence[AuditEntry] = ()) -> None:
        """Records what became of objects that something was sent for: also where a person stopped it meanwhile, which
        raises Lost all the same.
        """
        await in_database(_record)(self.operation, self.holder, results, entries)

    async def end(
        self,
        state: End,
        text: str,
        *,
        results: Sequence[OperationResult] = (),
        entries: Sequence[AuditEntry] = (),
        **kept: Any,
    ) -> None:
        """Ends the step without ado; ``kept`` stays in it."""
        self.step |= {"state": state, "text": text, "ended": iso(self.now), **kept}
        await self.save(results, entries)

    async def fail(
        self, text: str, *, results: Sequence[OperationResult] = (), entries: Sequence[AuditEntry] = ()
    ) -> None:
        """Ends the step as one that went wrong: that stops the operation, unless the action knows better."""
        state, text = self.action.failed(self.step, text)
        self.step |= {"state": state, "text": text, "ended": iso(self.now)}
        if state == "failed":
            self.operation.state, self.operation.ended_at = Operation.State.STOPPED, clock.now()
        own = self.entry(self.change.action, AuditEntry.Result.FAILED, f"{self.step['title']}: {text}")
        await self.save(results, (*entries, own))

    async def close(self, state: Operation.State) -> None:
        """Ends the operation, or stops it until a person decides."""
        self.operation.state, self.operation.ended_at = state, clock.now()
        await self.save()

    async def results(self, *states: str, limit: int | None = None, after: int = -1) -> list[OperationResult]:
        """The results in these states, or all, in their order; those behind a position."""
        found = self.operation.results.filter(position__gt=after).order_by("position")
        if states:
            found = found.filter(state__in=states)
        return await in_database(list)(found if limit is None else found[:limit])

    def entry(self, action: str, result: AuditEntry.Result, detail: str) -> AuditEntry:
        """An entry about the step's object, or about what was changed; it is to be recorded."""
        change, step = self.change, self.step
        about = step if "plural" in step else {"plural": change.plural, "name": change.name}
        return AuditEntry(
            user_name=change.user.get_username(),
            context=change.context,
            action=action,
            plural=about["plural"],
            namespace=change.namespace,
            name=about["name"],
            detail=detail,
            result=result,
            reason=change.reason,
            change=change,
        )


async def operation_advance(
    *,
    operation: Operation,
    action: OperationAction,
    holder: str,
    transport: Transport,
    objects: Objects,
    now: datetime,
) -> None:
    """Moves an operation on by one move, if there is one to make now. ``objects`` are of its cluster.

    Raises Lost when another process moves it, or somebody stopped it meanwhile; errors of the cluster that may pass
    are left for the next move.
    """
    step = next((step for step in operation.steps if step["state"] not in ENDED), {})
    run = Run(
        operation=operation, action=action, step=step, holder=holder, transport=transport, objects=objects, now=now
    )  # fmt: skip
    if not step:
        await run.close(Operation.State.DONE)
        return
    # Since when it is this step's turn: a person who resumes later gives it as long again.
    step["since"] = step["since"] or iso(now)
    if passed(step["since"], now) >= action.max_step(operation.change).total_seconds():
        await run.fail(action.too_long(step))
        return
    try:
        if step["state"] == "waiting":
            step |= {"state": "running", "began": iso(now), "text": ""}
            await run.save()
        await action.steps[step["do"]](run)
    except (Conflict, Unavailable, TooManyRequests) as error:
        if step["text"] != error.message:
            step["text"] = error.message  # the next move tries again
            await run.save()
    except ClusterError as error:
        await run.fail(error.message)


def unfinished_of(action: str, context: str, uid: str) -> Change | None:
    """The change of that action whose steps have not ended, or not begun, on an object, if there is one."""
    unfinished = Q(operation__state=Operation.State.RUNNING) | Q(
        operation__isnull=True, state=Change.State.DONE
    )
    return (
        Change.objects.select_related("user")
        .filter(unfinished, action=action, context=context, uid=uid)
        .order_by("pk")
        .last()
    )


def result_counts(operation: Operation) -> dict[str, int]:
    """How many results are in each state."""
    counted = operation.results.order_by().values_list("state").annotate(Count("pk"))
    return dict(counted)


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """The moment that a text says; the earliest one there is for what says none: somebody's own word."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def passed(since: str, now: datetime) -> float:
    """Seconds since then; 0 for no moment."""
    return (now - moment(since)).total_seconds() if since else 0.0


def _write(
    operation: Operation, holder: str, results: Sequence[OperationResult], entries: Sequence[AuditEntry]
) -> None:
    with transaction.atomic():
        mine = Operation.objects.filter(
            pk=operation.pk, holder=holder, version=operation.version, state=Operation.State.RUNNING
        )
        if not mine.update(
            steps=operation.steps,
            state=operation.state,
            ended_at=operation.ended_at,
            version=F("version") + 1,
        ):
            raise Lost
        _update(results)
        _tell(entries)
    operation.version += 1


def _record(
    operation: Operation, holder: str, results: Sequence[OperationResult], entries: Sequence[AuditEntry]
) -> None:
    with transaction.atomic():
        mine = Operation.objects.select_for_update().filter(pk=operation.pk, holder=holder).first()
        if mine is None:
            raise Lost
        _update(results)
        Operation.objects.filter(pk=operation.pk).update(version=F("version") + 1)
        _tell(entries)
    if mine.state != Operation.State.RUNNING or mine.version != operation.version:
        raise Lost
    operation.version += 1


def _tell(entries: Sequence[AuditEntry]) -> None:
    """The last thing that a transaction does: others wait for the end of the chain."""
    if entries:
        AuditEntry.objects.bulk_create(entries)


def _update(results: Sequence[OperationResult]) -> None:
    """In one statement of values: the cases that ``bulk_update`` writes take ten times as long."""
    if results:
        OperationResult.objects.bulk_create(
            results,
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["state", "text", "data", "began_at", "ended_at"],
        )
