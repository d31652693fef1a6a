"""Restoring from a backup: an operation of two steps, a check of every object and then the writes (docs/adr/0069).

The check tries each object by a dry run before anything is written, and refuses the restore as a whole where that was
asked for, or where an object is not as it was when it was previewed. What a step does to an object is the row's own
result; a process that comes after one that was killed looks at each object again, and finds done what is done.

The objects come from the archive, which each process reads for itself. A key that somebody typed is in the memory of the
process that got it, for this one restore, and nowhere else: once that process has ended, the restore is begun again, and
changes nothing of what it had done.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from django.db import DatabaseError, IntegrityError, transaction

from dashboard.database import database_unavailable
from dashboard.errors import (
    BadInput,
    ClusterError,
    Conflict,
    Forbidden,
    NotFound,
    TooManyRequests,
    Unavailable,
)
from dashboard.insight import Objects
from dashboard.kinds.base import GVR, Kind
from dashboard.kinds.rows import listed, plural
from dashboard.kube.transport import Transport
from dashboard.loop import off_loop
from dashboard.models import AuditEntry, Change, Operation, OperationResult
from dashboard.recovery.choice import Choice, kind_key, named
from dashboard.recovery.errors import Corrupt, Hostile
from dashboard.recovery.holding import Held, Holding, hold
from dashboard.recovery.keys import Identity
from dashboard.recovery.order import rank
from dashboard.recovery.readings import readings
from dashboard.recovery.restoring import CONFLICTS, Planned, Restoring, refusal_words
from dashboard.recovery.storage import open_archive
from dashboard.recovery.typedkeys import installed_identities

from ..database import in_database
from . import records
from . import token as tokens
from .action import Actor
from .configmap_versions import Written, versions_kept_of_many
from .confirmation import CANT_UNDO, require_reason, why_in
from .operation import OperationAction, Plan, Run, Step, iso, operation_step, passed, result_counts
from .permits import changes_required
from .problems import Unconfirmed
from .restore_addresses import with_addresses
from .restore_scaling import with_scaling
from .restore_traffic import with_traffic
from .restore_values import with_breaks
from .restored_pods import RestoredPods, lost_claims, restored_pods

SALT = "dashboard.actions.restore"
MAX_TRIED = 200  # objects that a preview tries; the check tries all of them
AT_ONCE = 8  # objects of one kind at a time
BATCH = 32  # that are recorded together
MOVE_SECONDS = 10.0
RETRY_SECONDS = 2.0
SERVED_SECONDS = 90.0  # until a kind, a namespace or a quota that was just written is there for others
MAX_KEPT = 3  # archives that a process holds for restores under way
KEPT_SECONDS = 24 * 3600.0
_NOTHING = "Nothing was written."
CHANGED = "The backup file changed since the preview."
KEY_GONE = (
    "The backup is encrypted, and its key was only in the memory of a process that has ended. Start the restore again: "
    "what was restored stays as it is."
)
ENDS = {"done": "written or equal", "failed": "failed", "left": "left as they are"}
WORDS = {"same": "no changes", "leave": "left", "skipped": "skipped", "refused": "refused", "tried": "tried"}
STATES = {"same": "done", "tried": "done", "refused": "failed"}  # of what is not written; all else is left


R = TypeVar("R")
S = TypeVar("S", bound="ArchiveShown")


async def _anybody(holding: Holding) -> None:
    """Of whoever has the archive itself, as on the command line, nothing is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreOrder:
    """What somebody wants restored: ``archive`` is its address, ``identities`` are the keys that were typed. ``allowed``
    raises for whoever may not read what is in it: it is asked before anything is tried, shown or begun. ``partly``: they
    may not read all of it, so what is wrong with an archive is told without the name of a part.
    """

    transport: Transport
    actor: Actor
    archive: str
    choice: Choice
    identities: Sequence[Identity] = field(default=(), repr=False)
    reason: str = ""
    confirm: str = ""
    allowed: Callable[[Holding], Awaitable[None]] = field(default=_anybody, repr=False)
    partly: bool = False

    @property
    def cluster(self) -> Any:
        return self.transport.cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePreview:
    """``plans`` are the objects that were tried, in the order of writing; ``more`` follow them and are tried before
    anything is written. ``skipped`` are not written, with why. ``confirm``: why the name has to be typed, or "".
    ``pods``: those that come with the workloads that were tried.
    """

    holding: Holding = field(repr=False)
    plans: Sequence[Planned] = field(repr=False)
    skipped: Sequence[Planned] = field(repr=False)
    more: int
    targets: Sequence[str]
    confirm: str
    token: str
    pods: RestoredPods = field(default=RestoredPods(), repr=False)

    @property
    def writes(self) -> int:
        """Of those that were tried."""
        return sum(each.writes for each in self.plans)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveShown:
    """The signed facts of a preview of what is done with an archive."""

    user: int
    server: str
    context: str
    archive: str
    sha256: str
    choice: str
    nonce: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown(ArchiveShown):
    """``effects`` are those of the objects that were tried; ``loses``: whether one of them loses claims."""

    effects: dict[str, str]
    loses: bool


def order_facts(order: RestoreOrder) -> dict[str, Any]:
    """What a token must have been signed for."""
    return {
        "user": order.actor.user.pk, "server": order.cluster.server, "context": order.cluster.name,
        "archive": order.archive, "choice": tokens.digest_of(order.choice.to_json()),
    }  # fmt: skip


def archive_shown(kind: type[S], order: RestoreOrder, token: str, salt: str) -> S:
    """What a preview of this order showed. Raises BadInput for a token of something else."""
    return tokens.read_as(kind, token, salt, order_facts(order))


class RestoreAction(OperationAction):
    """What every restore says of itself, whoever writes the objects; its change's result has ``namespaces``."""

    part = "change"
    verb = "create"
    kinds = frozenset()
    noun = "restore"
    planned_from = follows = frozenset[str]()

    def fits(self, kind: Kind[Any]) -> bool:
        return False  # it is offered where the backups are

    async def plan(self, change: Change, transport: Transport, objects: Objects) -> Plan:
        raise NotImplementedError("it is recorded with its steps")  # pragma: no cover

    def words(self, touched: Mapping[str, Any]) -> str:
        return ""

    def to_confirm(self, operation: Operation) -> str:
        change = operation.change
        return to_confirm(change.result["namespaces"], change.context)

    def written(self, change: Change) -> str:
        return "Preview confirmed"

    def after_words(self, change: Change) -> str:
        return f"of {self.summary(change)}"


class Restore(RestoreAction):
    """Its change's result has ``archive``, ``sha256``, ``choice``, ``namespaces`` (those that are written into),
    ``encrypted`` and ``count``. Its rows keep ``key`` (the object in the archive), ``shown`` (the effect that a preview
    showed), then ``does`` and ``effect`` as checked, ``sent`` before a write, and ``uid`` after it; ``awaits`` until its
    owners are named that were not there then.
    """

    name, title, icon = "restore", "Restore", "undo"
    left_text = "it is not restored"
    scratch = False

    def __init__(self) -> None:
        self.steps = MappingProxyType({"check": check_step, "write": write_step})

    def max_step(self, change: Change) -> timedelta:
        """As long as so many objects may take: a second each, and never less than an hour."""
        return max(super().max_step(change), timedelta(seconds=change.result["count"]))

    def summary(self, change: Change) -> str:
        kept = change.result
        where = listed(named(kept["namespaces"]), "more namespaces") or "the cluster"
        return f"{plural(kept['count'], 'object')} of {short_name(kept['archive'])} into {where}"

    def way_back(self, change: Change) -> str:
        return "A restore has no undo: what it created is in its results, and can be deleted there."


def short_name(archive: str) -> str:
    """What an archive is called: the last part of its address."""
    return archive.rstrip("/").rpartition("/")[2]


# ---- What a process holds of an archive


@dataclass(slots=True, kw_only=True)
class _Kept:
    """What this process holds for one restore: the keys that were typed for it, and the objects of its archive."""

    identities: Sequence[Identity] = field(default=(), repr=False)
    holding: Holding | None = field(default=None, repr=False)
    since: float = field(default_factory=time.monotonic)


_kept: dict[str, _Kept] = {}  # by the nonce of its change


def _keep(nonce: str) -> _Kept:
    """The objects of few archives are held at a time, as they can be read again; a key for as long as it may be used."""
    for old in [name for name, each in _kept.items() if time.monotonic() - each.since > KEPT_SECONDS]:
        del _kept[old]
    found = _kept.setdefault(nonce, _Kept())
    held = [each for each in _kept.values() if each.holding is not None and each is not found]
    for each in held[: max(0, len(held) + 1 - MAX_KEPT)]:
        each.holding = None
    return found


async def held_of(change: Change) -> Holding:
    """What a restore writes. Raises ArchiveErrors, StorageErrors, and BadInput where the archive is another one now."""
    kept = _keep(change.nonce)
    if kept.holding is None:
        if change.result["typed_key"] and not kept.identities:
            raise BadInput(KEY_GONE)
        choice = Choice.from_json(change.result["choice"])
        try:
            kept.holding = await off_loop(read_held, change.result["archive"], choice, kept.identities)
        except (
            Corrupt,
            Hostile,
        ):  # it was whole when it was previewed; whoever follows need not know its parts
            raise BadInput(CHANGED) from None
    if kept.holding.sha256 != change.result["sha256"]:
        kept.holding = None
        raise BadInput(CHANGED)
    return kept.holding


def read_held(archive: str, choice: Choice, identities: Sequence[Identity]) -> Holding:
    """Reads an archive by its address, with these keys or those of the installation. Blocks."""
    with open_archive(archive) as file:
        return hold(file, choice, identities or installed_identities())


async def read_order(order: RestoreOrder) -> Holding:
    """The same for an order, and for whoever may read what is in it: raises what its ``allowed`` does, and
    TooManyRequests where too many are being read.
    """
    given = order.archive, order.choice, order.identities
    try:
        holding = await readings.read(order.actor.user.pk, read_held, *given)
    except (Corrupt, Hostile) as error:
        if not order.partly:
            raise
        raise type(error)("Part of it is damaged or invalid.", next_step="Use another backup.") from None
    await order.allowed(holding)
    return holding


def forget(change: Change) -> None:
    """What was held for it, key and all."""
    _kept.pop(change.nonce, None)


# ---- The preview


def restoring_of(
    transport: Transport, choice: Choice, holding: Holding, *, scratch: bool = False
) -> Restoring:
    """What the objects of a restore have in common."""
    writes = [each for each in holding.objects if not each.skipped]
    into = choice.into
    made = Restoring(
        transport=transport,
        choice=choice,
        plurals=holding.plurals,
        coming=frozenset(
            into(each.name) for each in writes if (each.group, each.plural) == ("", "namespaces")
        ),
        defined=frozenset(_defined(each) for each in writes if each.plural == "customresourcedefinitions"),
        scratch=scratch,
    )
    return replace(made, brought=frozenset(made.placed(each).at for each in writes if made.writes(each)))


def _defined(held: Held) -> tuple[str, str]:
    spec = held.body.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    names = spec.get("names")
    return str(names.get("plural", "") if isinstance(names, dict) else ""), str(spec.get("group", ""))


async def planned_all(restoring: Restoring, objects: Sequence[Held]) -> list[Planned]:
    """Each tried, some at a time, in their order. Namespaces that exist take what goes into them by a dry run."""
    restoring = await with_present(restoring)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(held: Held) -> Planned:
        async with gate:
            return await restoring.plan(held)

    return list(await asyncio.gather(*map(one, objects)))


async def with_present(restoring: Restoring) -> Restoring:
    """The same, knowing which of the namespaces that it writes are there already."""
    gvr = GVR("", "v1", "namespaces", False)
    missing = set()
    for name in restoring.coming:
        try:
            await restoring.transport.request("GET", gvr, name=name)
        except NotFound:
            missing.add(name)
        except Forbidden:
            continue
    served = set()
    for plural_name, group in restoring.defined:
        try:
            name = f"{plural_name}.{group}"
            at = GVR("apiextensions.k8s.io", "v1", "customresourcedefinitions", False)
            await restoring.transport.request("GET", at, name=name)
        except NotFound:
            served.add((plural_name, group))
        except Forbidden:
            continue
    return replace(restoring, coming=frozenset(missing), defined=frozenset(served))


async def restore_preview(order: RestoreOrder) -> RestorePreview:
    """What would be done. Nothing is written. Raises ReadOnly, ArchiveErrors, StorageErrors, BadInput, and what the
    order's ``allowed`` raises.
    """
    await changes_required(order.cluster)
    holding = await read_order(order)
    restoring = restoring_of(order.transport, order.choice, holding)
    kept = [each for each in holding.objects if not each.skipped]
    out = [
        Planned(key=each.key, placed=restoring.placed(each), does="skipped", notes=(each.skipped,))
        for each in holding.objects
        if each.skipped
    ]
    plans = await with_breaks(restoring, await planned_all(restoring, kept[:MAX_TRIED]), kept)
    plans = await with_scaling(order.transport, plans)
    plans = await with_traffic(order.transport, plans)
    plans = await with_addresses(order.transport, plans)
    targets = targets_of(order.choice, kept)
    shown = Shown(
        **order_facts(order),
        sha256=holding.sha256,
        nonce=tokens.new_nonce(),
        effects={each.key: each.effect for each in plans},
        loses=bool(lost_claims(plans)),
    )
    more = len(kept) - len(plans)
    nothing = not more and not any(each.writes for each in plans)
    return RestorePreview(
        holding=holding, plans=plans, skipped=out, more=more, targets=targets, confirm=_why(order, shown),
        token="" if nothing or stops(plans, order.choice) else tokens.sign(shown, SALT),
        pods=await restored_pods(order.transport, plans),
    )  # fmt: skip


def stops(plans: Sequence[Planned], choice: Choice) -> list[Planned]:
    """The objects for which nothing at all is written."""
    return [
        each
        for each in plans
        if each.does == "refused" and each.live is not None and choice.conflict_of(each.key) == "refuse"
    ]


def targets_of(choice: Choice, objects: Sequence[Held]) -> list[str]:
    """The namespaces that are written into."""
    homes = (each.namespace or (each.name if each.plural == "namespaces" else "") for each in objects)
    return sorted({choice.into(home) for home in homes if home})


def to_confirm(targets: Sequence[str], context: str) -> str:
    """What is typed where a name has to be: the namespace, or the context for several."""
    return targets[0] if len(targets) == 1 else context


def _why(order: RestoreOrder, shown: Shown) -> str:
    """Why the name has to be typed, or ""."""
    return CANT_UNDO if shown.loses else why_in(order.cluster.name)


# ---- The apply


async def restore_begin(order: RestoreOrder, token: str, *, holder: str = "") -> Change:
    """Begins what a preview showed; the same token begins it once. Raises ReadOnly, BadInput (``token``) for a token of
    something else, Unconfirmed, and what the preview raises.
    """
    shown = archive_shown(Shown, order, token, SALT)
    if (earlier := await in_database(records.found)(shown.nonce)) is not None:
        return earlier
    await changes_required(order.cluster)
    holding = await read_order(order)
    if holding.sha256 != shown.sha256:
        raise tokens.not_shown()
    targets = targets_of(order.choice, [each for each in holding.objects if not each.skipped])
    why = _why(order, shown)
    if why and order.confirm.strip() != to_confirm(targets, order.cluster.name):
        raise Unconfirmed(f"Type {to_confirm(targets, order.cluster.name)}: {why}.", field="confirm")
    require_reason(order.cluster.name, order.reason)
    return await begin_restore(
        RESTORE, order, holding, nonce=shown.nonce, effects=shown.effects, holder=holder
    )


async def begin_restore(
    action: Restore,
    order: RestoreOrder,
    holding: Holding,
    *,
    nonce: str,
    effects: Mapping[str, str],
    steps: Sequence[Step] | None = None,
    holder: str = "",
    more: Mapping[str, Any] = MappingProxyType({}),
) -> Change:
    """Records it with its steps and rows. ``effects`` are what a preview showed; ``more`` is kept with the change."""
    restoring = restoring_of(order.transport, order.choice, holding, scratch=action.scratch)
    kept = [each for each in holding.objects if not each.skipped]
    results = (_row(restoring, each, effects) for each in kept)
    targets = targets_of(order.choice, kept)
    typed_key = bool(order.identities)
    result = {
        "archive": order.archive, "sha256": holding.sha256, "choice": order.choice.to_json(), "namespaces": targets,
        "count": len(kept), "encrypted": holding.header.secrets, "typed_key": typed_key, **more,
    }  # fmt: skip
    if steps is None:
        steps = restore_steps(len(kept))
    made = _keep(nonce)
    made.holding, made.identities = holding, order.identities
    work = in_database(record_begun)
    return await work(action, order, nonce, targets, result, list(steps), results, holder)


def restore_steps(count: int) -> list[Step]:
    """A check of that many objects, then their writes."""
    return [
        operation_step("check", f"Check {plural(count, 'object')} by a dry run"),
        operation_step("write", "Write them in order"),
    ]


def _row(restoring: Restoring, held: Held, effects: Mapping[str, str]) -> OperationResult:
    placed = restoring.placed(held)
    shown = {"shown": effects[held.key]} if held.key in effects else {}
    return OperationResult(
        plural=kind_key(held.group, held.plural), kind=held.kind, namespace=placed.namespace, name=placed.name,
        data={"key": held.key, **shown},
    )  # fmt: skip


class Begun(Protocol):
    """Who begins something about a cluster, and why."""

    @property
    def actor(self) -> Actor: ...
    @property
    def cluster(self) -> Any: ...
    @property
    def reason(self) -> str: ...


def record_begun(
    action: OperationAction,
    order: Begun,
    nonce: str,
    targets: Sequence[str],
    result: dict[str, Any],
    steps: list[Step],
    results: Iterable[OperationResult],
    holder: str,
    bounds: Mapping[str, str] = MappingProxyType({}),
    about: Mapping[str, str] = MappingProxyType({}),
) -> Change:
    """The change, the operation and the audit of what begins without a write of its own, in one transaction. ``targets``:
    the namespaces that it is about, or ``about``: another object; ``bounds``: the ``sole`` and ``place`` that it takes.
    Raises DatabaseUnavailable, and IntegrityError where another one has these: nothing was begun then.
    """
    actor = order.actor
    about = about or {
        "plural": "namespaces", "kind": "Namespace", "name": targets[0] if len(targets) == 1 else "",
    }  # fmt: skip
    try:
        with transaction.atomic():
            change = Change.objects.create(
                nonce=nonce, state=Change.State.DONE, user=actor.user, context=order.cluster.name, action=action.name,
                result=result, reason=order.reason, sign_in=actor.sign_in, **about,
            )  # fmt: skip
            held_until = datetime.now(UTC) + timedelta(seconds=15) if holder else None
            operation = Operation.objects.create(
                change=change, steps=steps, holder=holder, held_until=held_until, **bounds
            )
            rows = enumerate(results)
            while some := list(islice(rows, 500)):  # never all of 50,000 at once
                for position, each in some:
                    each.operation, each.position = operation, position
                OperationResult.objects.bulk_create([each for _, each in some])
            records.audit_step(change, actor.name, action.name, f"{action.summary(change)}: begun.")
    except IntegrityError:
        if (found := records.found(nonce)) is not None:  # the other one of two submits
            return found
        raise
    except DatabaseError as error:
        raise database_unavailable(error, done=_NOTHING) from error
    return change


# ---- Its steps


async def restoring_in(run: Run) -> tuple[Holding, Restoring]:
    """What a restore under way writes, and how."""
    holding = await held_of(run.change)
    choice = Choice.from_json(run.change.result["choice"])
    scratch = bool(getattr(run.action, "scratch", False))
    return holding, await with_present(restoring_of(run.transport, choice, holding, scratch=scratch))


async def check_step(run: Run) -> None:
    """Tries every object, and writes nothing."""
    until = time.monotonic() + MOVE_SECONDS
    holding, restoring = await restoring_in(run)
    held = holding.by_key
    while rows := await run.results("waiting", limit=BATCH, after=run.step.get("checked", -1)):
        plans = await planned_all(restoring, [held[each.data["key"]] for each in rows])
        for row, plan in zip(rows, plans, strict=True):
            _checked(row, plan)
        run.step["checked"] = rows[-1].position
        await run.save(rows)
        if time.monotonic() > until:
            return
    refusing, overtaken = await _marked(run, "refuses"), await _marked(run, "overtaken")
    run.now = datetime.now(UTC)
    if refusing:
        names = listed(refusing)
        await run.fail(
            f"{names} exist and differ, so the restore was refused, as requested. Nothing was written."
        )
    elif overtaken:
        names = listed(overtaken)
        await run.fail(f"{names}: changed since the preview. Nothing was written; preview it again.")
    else:
        writes = (await in_database(result_counts)(run.operation)).get("waiting", 0)
        await run.end("done", f"{plural(writes, 'object')} to write.")


async def _marked(run: Run, mark: str) -> list[str]:
    """The objects whose rows the check has given a mark."""
    found = run.operation.results.filter(data__has_key=mark).order_by("position").values_list("kind", "name")
    return [f"{kind} {name}" for kind, name in await in_database(list)(found)]


def _checked(row: OperationResult, plan: Planned) -> None:
    """What the check found, in its row."""
    shown = row.data.get("shown")
    row.data |= {"does": plan.does, "effect": plan.effect}
    row.text = plan.text
    if shown is not None and shown != plan.effect and plan.does != "same":
        row.data |= {"overtaken": True}
    if plan.does == "refused" and plan.live is not None and "exists and differs" in plan.text:
        row.data |= {"refuses": True}
    if plan.writes:
        return
    row.state = STATES.get(plan.does, "left")
    row.data |= {"word": WORDS[plan.does]}
    row.ended_at = datetime.now(UTC)


async def write_step(run: Run) -> None:
    """Writes kind after kind. An object that is refused stops no other; its row says why."""
    until = time.monotonic() + MOVE_SECONDS
    holding, restoring = await restoring_in(run)
    held = holding.by_key
    while True:
        rows = await run.results("running", "retrying", "waiting", limit=BATCH * 2)
        due = [each for each in rows if _due(each, datetime.now(UTC))]
        if not rows:
            break
        if not due:
            return
        _, same_rank = next(groupby(due, lambda row: _rank_of(held[row.data["key"]])))
        await _write_some(run, restoring, held, list(same_rank)[:BATCH])
        if time.monotonic() > until:
            return
    if not await _owned(run, restoring, held, until):
        return
    counts = await in_database(result_counts)(run.operation)
    text = f"{listed([f'{counts[state]} {word}' for state, word in ENDS.items() if counts.get(state)])}."
    run.now = datetime.now(UTC)
    ended = AuditEntry.Result.FAILED if counts.get("failed") else AuditEntry.Result.DONE
    told = run.entry(run.change.action, ended, f"{RESTORE.summary(run.change)}: {text}")
    await run.end("done", text, entries=[told])
    if len(run.operation.steps) == 2:
        forget(run.change)


def _rank_of(held: Held) -> tuple[int, str, str]:
    return rank(held.group, held.plural), held.group, held.plural


def _due(row: OperationResult, now: datetime) -> bool:
    return row.state != "retrying" or passed(row.data["tried"], now) >= RETRY_SECONDS


async def _write_some(
    run: Run, restoring: Restoring, held: Mapping[str, Held], rows: Sequence[OperationResult]
) -> None:
    """Takes some objects of one kind to their end."""
    before = {each.pk: each.state for each in rows}
    gate = asyncio.Semaphore(AT_ONCE)

    async def gated(work: Coroutine[Any, Any, R]) -> R:
        async with gate:
            return await work

    plans = await asyncio.gather(
        *(
            gated(restoring.plan(held[row.data["key"]], dry=False, owners="sent" not in row.data))
            for row in rows
        )
    )
    for row, plan in zip(rows, plans, strict=True):
        row.state, row.began_at = "running", row.began_at or datetime.now(UTC)
        if plan.writes:
            # Before it is sent: whoever comes after a kill finds it.
            row.data = row.data | {"sent": plan.does, **({"awaits": True} if plan.awaits else {})}
    await run.save(rows)
    work = (
        gated(_write_one(restoring, row, plan, held[row.data["key"]], again=before[row.pk] != "waiting"))
        for row, plan in zip(rows, plans, strict=True)
    )
    answers = await asyncio.gather(*work, return_exceptions=True)
    written = [each for each in answers if isinstance(each, Written)]
    if rows[0].plural == "configmaps" and written and not restoring.scratch:
        # As of every change made here; what a drill makes goes with its namespaces.
        await versions_kept_of_many(run.change, written)
    await run.record(rows)
    _raise_one(answers)


def _raise_one(answers: Iterable[object]) -> None:
    """What one of them raised that is no answer of the cluster about its object."""
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer


async def _owned(run: Run, restoring: Restoring, held: Mapping[str, Held], until: float) -> bool:
    """Names the owners that were not there yet when what they own was written; whether that is done."""
    restoring = replace(restoring, brought=frozenset())  # what is not there by now does not come

    async def one(row: OperationResult) -> None:
        each = held[row.data["key"]]
        try:
            said = await restoring.own(each, row.data["uid"])
        except (Unavailable, TooManyRequests):
            raise
        except ClusterError as error:
            row.state = "failed"
            said = f"Its owner could not be set: {refusal_words(error, secret=each.is_secret)}"
        row.text = f"{row.text} {said}".strip()
        del row.data["awaits"]

    waiting = run.operation.results.filter(state="done", data__awaits=True).order_by("position")
    while rows := await in_database(list)(waiting[:AT_ONCE]):
        answers = await asyncio.gather(*map(one, rows), return_exceptions=True)
        await run.record(rows)
        _raise_one(answers)
        if time.monotonic() > until:
            return False
    return True


async def _write_one(
    restoring: Restoring,
    row: OperationResult,
    plan: Planned,
    held: Held,
    *,
    again: bool,
    conflicts: int = 0,
) -> Written | None:
    """Gives the row its end, or leaves it to be tried again; what was written, if anything. After a conflict it is
    planned anew, as often as ``CONFLICTS`` says: it fails where more than its status is another. Raises what is no answer
    of the cluster.
    """
    plan = _of_the_cluster(plan, held, restoring)
    if not plan.writes:
        made = plan.does == "same" and again and "sent" in row.data
        row.data |= {"uid": plan.uid, "word": _word(row.data["sent"])} if made else {"word": WORDS[plan.does]}
        _end(row, STATES.get(plan.does, "left"), plan.text)
        return Written(None, plan.live, row.began_at) if made and plan.live is not None else None
    if plan.does == "update" and row.data.get("does") == "update" and plan.effect != row.data["effect"]:
        _end(row, "failed", "It changed after the check, and was left unchanged.")
        return None
    try:
        written, after = await restoring.write(plan, held)
    except Conflict as error:
        if conflicts >= CONFLICTS:
            _end(row, "failed", refusal_words(error, secret=held.is_secret))
            return None
        anew = await restoring.plan(held, dry=False)
        return await _write_one(restoring, row, anew, held, again=again, conflicts=conflicts + 1)
    except (Unavailable, TooManyRequests) as error:
        _again(row, error.message)
    except ClusterError as error:
        words = refusal_words(error, secret=held.is_secret)
        waits = isinstance(error, NotFound) or (
            isinstance(error, Forbidden) and "status unknown for quota" in words
        )
        since = row.data.setdefault("since", iso(datetime.now(UTC)))
        if waits and passed(since, datetime.now(UTC)) < SERVED_SECONDS:
            _again(row, "It waits for an object that was just created.")
        else:
            _end(row, "failed", words)
    else:
        row.data |= {"uid": after["metadata"].get("uid", ""), "word": _word(plan.does)}
        _end(row, "done", replace(written, awaits=()).text)
        return Written(plan.live, after, row.began_at)
    return None


def _of_the_cluster(plan: Planned, held: Held, restoring: Restoring) -> Planned:
    """The account that the cluster puts into each new namespace is brought to what it was."""
    default = (held.group, held.plural, held.name) == ("", "serviceaccounts", "default")
    if default and plan.does == "leave" and held.key not in restoring.choice.each:
        return replace(plan, does="update", notes=())
    return plan


def _word(does: str) -> str:
    return {"create": "created", "update": "updated"}[does]


def _again(row: OperationResult, text: str) -> None:
    row.state, row.text = "retrying", text
    row.data |= {"tried": iso(datetime.now(UTC))}


def _end(row: OperationResult, state: str, text: str) -> None:
    row.state, row.text, row.ended_at = state, text, datetime.now(UTC)


RESTORE = Restore()
