"""One preview of an action on many objects, and its apply, which begins the operation (docs/adr/0043); and what their
undo (``bulk_undo``) has in common with that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dashboard.errors import BadInput, ClusterError, Conflict, Unavailable
from dashboard.insight import Effect, Notice, Objects
from dashboard.insight.impact import EffectState
from dashboard.insight.newpods import quotas_together
from dashboard.insight.words import bold, parts, text_of
from dashboard.kinds.base import Kind
from dashboard.kinds.rows import listed, plural
from dashboard.kube.transport import Transport
from dashboard.models import Change
from dashboard.queries.dependents import asked_once

from ..database import in_database
from . import records
from . import token as tokens
from .action import NO_UNDO, Action, Actor, Order, Preview, Target, Wanted
from .bulk import Bulk, bulk_title, kept_of
from .bulk_begin import Begun, begun_record, begun_shown, begun_token, counted
from .bulk_pace import USUAL, Pace
from .confirmation import CANT_UNDO, require_reason
from .engine import change_preview, order_with
from .permits import changes_required
from .registry import action_named

MAX_OBJECTS = 500
AT_ONCE = 10  # objects that are previewed at a time
PREVIEW_SECONDS = 25.0  # a browser waits for 30
MAX_TOLD = 8  # effects and notices that are summed up; every object has its own besides
_WORST: Mapping[EffectState, int] = {"bad": 0, "warn": 1, "info": 2, "ok": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPreview:
    """The preview of one object, or why it has none. ``shown`` is None where nothing is to be changed."""

    target: Target
    preview: Preview | None = None
    refusal: ClusterError | None = None
    shown: tokens.Shown | None = None
    confirm: str = ""  # why its name would have to be typed
    undoable: bool = True  # whether all that it changes has a way back
    undoes: int | None = None  # the change that it takes back

    @property
    def state(self) -> str:
        """``change``, ``same`` (there is nothing to do) or ``refused``."""
        return "refused" if self.refusal else "change" if self.shown else "same"

    @property
    def name(self) -> str:
        return f"{self.target.namespace or '-'}/{self.target.name}"

    @property
    def worst(self) -> EffectState:
        """The worst that its own preview says."""
        if self.preview is None:
            return "bad"
        told = self.preview.told
        said: list[EffectState] = [each.state for each in (told.headline, *told.notices) if each is not None]
        return min(said, key=_WORST.__getitem__, default="ok")

    @property
    def words(self) -> str:
        """What its own preview says first, and the titles of the rest."""
        if self.preview is None:
            return ""
        told = self.preview.told
        first = [f"{told.headline.title}.", told.headline.text] if told.headline else []
        first = first or [f"{text_of(each.text)}." for each in told.effects[:1]]
        return " ".join(filter(None, (*first, *(f"{each.title}." for each in told.notices))))


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkPreview:
    """``each`` in the order in which they were chosen; ``ranked``: those that are skipped first, then the worst.
    ``token`` is "" where no object would be changed; ``confirm`` is why the number of objects has to be typed.
    """

    each: tuple[ObjectPreview, ...]
    ranked: tuple[ObjectPreview, ...]
    headline: Notice
    effects: tuple[Effect, ...]
    notices: tuple[Notice, ...]
    button: str
    undo_words: str
    danger: bool
    confirm: str
    checked_at: datetime
    token: str

    @property
    def kubectl(self) -> str:
        """A command a line."""
        told = [one.preview.told for one in self.each if one.preview and one.shown]
        return "\n".join(each.kubectl for each in told if each.kubectl)

    @property
    def kubectl_note(self) -> str:
        """What the commands need, or why some objects have none; each once."""
        told = [one.preview.told for one in self.each if one.preview and one.shown]
        return " ".join(dict.fromkeys(each.kubectl_note for each in told if each.kubectl_note))


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkOrder:
    """What somebody asks for, of many objects. ``targets`` may be skipped of an apply: the preview knows them."""

    transport: Transport
    actor: Actor
    kind: Kind[Any]
    action: Action
    targets: Sequence[Target]
    typed: Mapping[str, str] = field(repr=False)


def bulk_targets(context: str, kind: Kind[Any], names: Iterable[str]) -> list[Target]:
    """The objects of these names, ``<namespace>/<name>`` or ``-/<name>``, each once. Raises BadInput for what is no name
    of an object of the kind, and for more objects than are taken at once.
    """
    targets = {name: _target(context, kind, name) for name in names}
    if len(targets) > MAX_OBJECTS:
        raise BadInput(
            f"These are {len(targets):,} objects: at most {MAX_OBJECTS} can be changed at once.",
            next_step="Narrow the filter, or choose fewer.",
            field="object",
        )
    return list(targets.values())


def _target(context: str, kind: Kind[Any], text: str) -> Target:
    namespace, _, name = text.partition("/")
    if not (namespace and name) or "/" in name or (namespace == "-") is kind.gvr.namespaced:
        wanted = "<namespace>/<name>" if kind.gvr.namespaced else "-/<name>"
        raise BadInput(f"object is {text[:80]!r}: a {kind.kind} is {wanted}.", field="object")
    return Target.of(context, kind, namespace, name)


# ---- Preview


async def bulk_preview(*, order: BulkOrder, objects: Objects) -> BulkPreview:
    """Shows what an action would do to each object, and to all. Nothing is changed.

    Raises ReadOnly, and BadInput for what cannot be typed or chosen. What rules out one object is told of that one.
    """
    wanted = order.action.read(order.typed)
    await changes_required(order.transport.cluster)
    if not order.targets:
        raise BadInput("Choose at least one object.", field="object")
    with asked_once():
        each = await previewed(
            order.targets, lambda at: _one(_order_of(order, order.targets[at], wanted), objects)
        )
    return summed(_begun(order, wanted), CHANGED, each, objects)


async def previewed(
    targets: Sequence[Target],
    one: Callable[[int], Coroutine[Any, Any, ObjectPreview]],
    otherwise: str = "Choose fewer objects at once.",
) -> tuple[ObjectPreview, ...]:
    """The preview of each, by its place; some at a time. An object whose turn did not come in time is refused, and
    ``otherwise`` says what to do.
    """
    turns = asyncio.Semaphore(AT_ONCE)

    async def turn(at: int) -> ObjectPreview:
        async with turns:
            return await one(at)

    tasks = [asyncio.create_task(turn(at)) for at in range(len(targets))]
    try:
        await asyncio.wait(tasks, timeout=PREVIEW_SECONDS)
    finally:
        for task in tasks:
            task.cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    late = Unavailable(f"Its preview was not ready after {PREVIEW_SECONDS:.0f} s.", next_step=otherwise)
    made = []
    for target, each in zip(targets, found, strict=True):
        if isinstance(each, BaseException) and not isinstance(each, asyncio.CancelledError):
            raise each
        made.append(each if isinstance(each, ObjectPreview) else ObjectPreview(target=target, refusal=late))
    return tuple(made)


async def _one(order: Order, objects: Objects) -> ObjectPreview:
    target, action = order.target, order.action
    try:
        about = action.instead(target, objects)
        if about != target:
            raise Conflict(
                f"{about} is what has to be changed for it.", next_step="Change that one by itself."
            )
        preview = await change_preview(order=order, objects=objects)
    except ClusterError as error:
        return ObjectPreview(target=target, refusal=error)
    return object_preview(order, preview)


def object_preview(order: Order, preview: Preview, *, undoes: int | None = None) -> ObjectPreview:
    """What a preview of one object says; ``undoes`` is the change that it takes back."""
    shown = tokens.read(preview.token, order) if preview.token else None
    action = order_with(order, shown.decided).action if shown else order.action
    promised = preview.told.undo_words != NO_UNDO and preview.confirm != CANT_UNDO
    return ObjectPreview(
        target=order.target,
        preview=preview,
        shown=shown,
        confirm=preview.confirm,
        undoable=promised and action.back(preview.before) is not None,
        undoes=undoes,
    )


def _order_of(order: BulkOrder, target: Target, wanted: Wanted) -> Order:
    action = order.action.on(wanted)
    return Order(transport=order.transport, actor=order.actor, target=target, action=action, wanted=wanted)


# ---- What is said of all


@dataclass(frozen=True, slots=True)
class Summing:
    """The words of what a preview sums up."""

    done: str  # after "3 Deployments"
    none: str  # after "No Deployment"
    refused: str  # after "2 objects"
    undo: str


CHANGED = Summing(
    done="will be changed",
    none="would be changed",
    refused="can't be changed: skipped",
    undo="Each object's change can be undone by itself, and all of them together.",
)


def summed(begun: Begun, words: Summing, each: tuple[ObjectPreview, ...], objects: Objects) -> BulkPreview:
    """The preview of all, and its token."""
    changed = [one for one in each if one.shown]
    confirm = next((one.confirm for one in changed if one.confirm), "")
    told = [one.preview.told for one in changed if one.preview]
    ranked = sorted(each, key=lambda one: (one.refusal is None, one.shown is None, _WORST[one.worst]))
    title = bulk_title(begun.bulk.of, begun.kind, begun.kinds, len(changed))
    pods = [made for one in changed if one.preview for made in one.preview.pods]
    together = tuple(quotas_together(objects, pods))
    return BulkPreview(
        each=each,
        ranked=tuple(ranked),
        headline=_headline(begun, words, each, together),
        effects=tuple(_effects(ranked))[:MAX_TOLD],
        notices=(*together, *_notices(each))[:MAX_TOLD],
        button=title if begun.undoes is None else f"Undo: {title[:1].lower()}{title[1:]}",
        undo_words=_undo_words(words, changed),
        danger=any(one.danger for one in told),
        confirm=confirm,
        checked_at=datetime.now(UTC),
        token=begun_token(begun, _kept(each), confirm) if changed else "",
    )


def _undo_words(words: Summing, changed: Sequence[ObjectPreview]) -> str:
    """What all say alike, or whose undo is not promised."""
    said = {one.preview.told.undo_words for one in changed if one.preview}
    flawed = [one.target.name for one in changed if not one.undoable]
    if len(said) == 1:
        return said.pop()
    if not flawed:
        return words.undo
    if len(flawed) == len(changed):
        return NO_UNDO
    return f"What is done to {listed(flawed, 'more objects')} can't be undone; all else can."


def _kept(each: Sequence[ObjectPreview]) -> list[list[Any]]:
    """What a token keeps of each."""
    return [
        [
            one.target.namespace,
            one.target.name,
            ({**kept_of(one.shown)} if one.shown else {}) | ({"undoes": one.undoes} if one.undoes else {})
            or None,
            one.refusal.message if one.refusal else "",
        ]
        for one in each
    ]


def _headline(
    begun: Begun, words: Summing, each: Sequence[ObjectPreview], together: Sequence[Notice]
) -> Notice:
    """How many of them are changed, and what becomes of the others."""
    states = [one.state for one in each]
    changed, refused, same = (states.count(state) for state in ("change", "refused", "same"))
    worst = [one for one in each if one.shown and one.worst in ("bad", "warn")]
    of = f"{changed} of {len(each)}" if changed < len(each) else str(changed)
    noun = begun.kind if len(each) == 1 else begun.kinds
    said = [
        f"Look at {_names(worst)} first." if worst else "",
        f"{plural(refused, 'object')} {words.refused}." if refused else "",
        f"{plural(same, 'object')} {'is' if same == 1 else 'are'} like that already." if same else "",
    ]
    state: EffectState = "warn" if worst or refused or together else "info"
    if any(one.worst == "bad" for one in worst) or refused == len(each):
        state = "bad"
    title = f"{of} {noun} {words.done}" if changed else f"No {begun.kind} {words.none}"
    return Notice(state, title, " ".join(filter(None, said)))


def _names(each: Iterable[ObjectPreview]) -> str:
    return listed(one.target.name for one in each)


def _effects(each: Sequence[ObjectPreview]) -> list[Effect]:
    """What is refused, then the consequences that matter, worst first."""
    found = []
    for one in each:
        told = one.preview.told.headline if one.preview and one.shown else None
        name = parts(bold(one.target.name), one.target.where)
        if one.refusal is not None:
            found.append(Effect("bad", "lock", name, one.refusal.message, "skipped", one.target.ref))
        elif told is not None and told.state in ("bad", "warn"):
            found.append(Effect(told.state, told.state, name, one.words, "", one.target.ref))
    return found


def _notices(each: Sequence[ObjectPreview]) -> list[Notice]:
    """What is said of several objects alike is said once, with their names."""
    alike: dict[tuple[EffectState, str, str], list[ObjectPreview]] = {}
    for one in each:
        for notice in one.preview.told.notices if one.preview and one.shown else ():
            alike.setdefault((notice.state, notice.title, notice.text), []).append(one)
    found = [
        Notice(state, title, f"{_names(of)}: {text}" if text else f"{_names(of)}.")
        for (state, title, text), of in alike.items()
        if state in ("bad", "warn")
    ]
    found.sort(key=lambda notice: _WORST[notice.state])
    return found


# ---- Apply


async def bulk_apply(
    *, order: BulkOrder, token: str, confirm: str, reason: str, pace: Pace = USUAL
) -> Change:
    """Begins to carry out what was shown: the change of an operation, with a result for each object. The same token
    begins it once.

    Raises BadInput for a token of something else, Uncounted unless the number of objects was typed where that has to be,
    ReadOnly, and DatabaseUnavailable when nothing can be recorded.
    """
    begun = _begun(order, order.action.read(order.typed))
    shown = begun_shown(begun, token, order.targets)
    if (earlier := await in_database(records.found)(shown.nonce)) is not None:
        return earlier
    await changes_required(order.transport.cluster)
    confirmed = counted(shown, confirm)
    require_reason(order.transport.cluster.name, reason)
    return await in_database(begun_record)(begun, shown, pace=pace, confirmed=confirmed, reason=reason)


def _begun(order: BulkOrder, wanted: Wanted) -> Begun:
    kind, gvr = order.kind, order.kind.gvr
    return Begun(
        transport=order.transport,
        actor=order.actor,
        bulk=Bulk(order.action, action_named),
        plural=kind.plural,
        kind=kind.kind,
        kinds=kind.title,
        gvr=(gvr.group, gvr.version, gvr.plural, gvr.namespaced),
        wanted=wanted,
    )
