"""Restoring from a backup: an operation of two steps, a check of every object and then the writes (docs/adr/0069).

What a preview showed is signed, and begun as it was shown. Its steps are in restore_steps.py, what a process holds of the
archive in restore_held.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any, TypeVar

from dashboard.insight import Objects
from dashboard.kinds.base import Kind
from dashboard.kinds.rows import plural
from dashboard.kube.transport import Transport
from dashboard.models import Change, Operation, OperationResult
from dashboard.recovery.choice import Choice, kind_key
from dashboard.recovery.errors import Corrupt, Hostile
from dashboard.recovery.holding import Held, Holding
from dashboard.recovery.keys import Identity
from dashboard.recovery.readings import readings
from dashboard.recovery.restoring import Planned, Restoring

from ..database import in_database
from . import records
from . import token as tokens
from .action import Actor
from .begun import record_begun
from .confirmation import CANT_UNDO, require_reason, why_in
from .operation import OperationAction, Plan, Step, operation_step
from .permits import changes_required
from .problems import Unconfirmed
from .restore_addresses import with_addresses
from .restore_held import held_keep, read_held
from .restore_scaling import with_scaling
from .restore_steps import check_step, planned_all, restore_summary, restoring_of, write_step
from .restore_traffic import with_traffic
from .restore_values import with_breaks
from .restored_pods import RestoredPods, lost_claims, restored_pods

SALT = "dashboard.actions.restore"
MAX_TRIED = 200  # objects that a preview tries; the check tries all of them

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
        return restore_summary(change)

    def way_back(self, change: Change) -> str:
        return "A restore has no undo: what it created is in its results, and can be deleted there."


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


# ---- The preview


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
    made = held_keep(nonce)
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


RESTORE = Restore()
