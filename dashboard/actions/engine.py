"""The change engine: preview (dry run, as the user) and apply (only if what is touched is still what was shown).

Status writes bump the resourceVersion of a busy object all the time, so a 409 alone is no conflict: the object is read
again, and only what the action touches decides. A dry run is of the very version that it is compared with: what
somebody else writes meanwhile is never taken for an effect of the change.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

from django.db import DatabaseError

from dashboard.errors import (
    ClusterError,
    Conflict,
    FieldConflict,
    Forbidden,
    Invalid,
    NotFound,
    ReadOnly,
    Unavailable,
)
from dashboard.insight import Notice, Objects
from dashboard.insight.managers import changes_back, creates_again
from dashboard.insight.protocols import unlisted, unread
from dashboard.kinds import KINDS
from dashboard.kinds.rows import listed
from dashboard.kube.access import allowed
from dashboard.kube.answers import read_object
from dashboard.kube.transport import Transport
from dashboard.kube.warnings import warnings_of
from dashboard.loop import off_loop
from dashboard.models import AuditEntry, Change
from dashboard.queries.frozen import Frozen
from dashboard.rights import MissingRight

from ..database import in_database
from . import records
from . import token as tokens
from .action import (
    NO_UNDO,
    Action,
    Actor,
    Description,
    DryRun,
    Field,
    Manifest,
    Order,
    OwnedFields,
    Preview,
    Target,
    Wanted,
    Write,
    absent,
    is_absent,
    is_scale,
    meta_of,
    sides,
)
from .attempts import REFUSALS
from .confirmation import check_confirmed, why_confirm
from .diff import Line, effect_digest
from .fieldpatch import TEST_FAILED, Operation
from .filledin import filled_in
from .newpods import counted_pods, with_quotas
from .permits import changes_required
from .problems import AlreadyThere, BeingDeleted, Busy, NoWayBack, StaleView, Unrecorded, Unsettled
from .templatemark import template_mark
from .writers import created_by, last_manager, setting_again
from .writing import MANAGER, change_write, write_operations

# A busy object is written a few times a second, at worst some hundred times. The first attempt asks for the very version
# that was read; the others only for the fields that are changed, so that what else is written does not matter.
ATTEMPTS = 40
JITTER_SECONDS = 0.05
# How long the second of two submits waits for the first one's end.
WAIT_SECONDS = 15.0
_FOUND = "Found in the cluster: the answer was not recorded."
UNTRIED = ""  # the effect of what could not be tried before what it needs is there

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form, before anything is typed: the object as it is, why its name has to be typed ("": it need not be), the
    ``refusal`` that says why the form cannot be used, and its inputs where it can.
    """

    manifest: Manifest = field(repr=False)
    confirm: str
    refusal: ClusterError | None
    fields: Sequence[Field] = field(default=(), repr=False)


def action_order(
    *,
    transport: Transport,
    actor: Actor,
    target: Target,
    action: Action,
    typed: Mapping[str, str],
    confirm: str = "",
    reason: str = "",
) -> Order:
    """What somebody asks for with a form. Raises BadInput for what cannot be: nothing is sent then."""
    wanted = action.read(typed)
    return Order(
        transport=transport,
        actor=actor,
        target=target,
        action=action.on(wanted),
        wanted=wanted,
        confirm=confirm,
        reason=reason,
    )


async def change_access(
    *, transport: Transport, target: Target, action: Action, manifest: Manifest | None = None
) -> None:
    """Raises ReadOnly or Forbidden, with verb and resource, when the user may not do this here; BeingDeleted when the
    object, in ``manifest``, is on its way out.
    """
    await changes_required(transport.cluster)
    verb, subresource = action.rights[0]
    if not await _any_right(transport, target, action):
        plural = action.subject(target).gvr.plural
        resource = f"{plural}/{subresource}" if subresource else plural
        raise MissingRight(verb, resource, namespace=target.namespace, name=target.name)
    if manifest is not None:
        _check_alive(target, action, manifest)


async def _any_right(transport: Transport, target: Target, action: Action) -> bool:
    written = action.subject(target)
    for verb, subresource in action.rights:
        decision = await allowed(
            transport,
            verb,
            written.gvr,
            namespace=written.namespace or None,
            name=written.name or None,
            subresource=subresource or None,
        )
        if decision.allowed:
            return True
    return False


def _check_alive(target: Target, action: Action, manifest: Manifest) -> None:
    metadata = manifest["metadata"]
    if metadata.get("deletionTimestamp") and not action.deletes:
        raise BeingDeleted(str(target), metadata.get("finalizers") or ())


async def change_form(
    *,
    transport: Transport,
    target: Target,
    action: Action,
    objects: Objects,
    manifest: Manifest | None = None,
) -> Form:
    """The form of an action; ``manifest`` is the object where it was just read. Raises NotFound, Forbidden (to read it)
    and what else the API server says.
    """
    if manifest is None:
        manifest = await _found(transport, target, action)
    refusal: ClusterError | None = None
    fields = action.fields
    try:
        await action.ready(target, manifest, objects)
        await change_access(transport=transport, target=target, action=action, manifest=manifest)
        fields = await action.fields_of(transport, target, manifest, objects)
    except (ReadOnly, Forbidden, Invalid, Conflict) as error:
        refusal = error
    confirm = why_confirm(action, target.context, manifest)
    return Form(manifest=manifest, confirm=confirm, refusal=refusal, fields=fields)


async def change_preview(*, order: Order, objects: Objects, manifest: Manifest | None = None) -> Preview:
    """Show a change: a server-side dry run, its diff, and what it touches. Nothing is changed. The object is read once,
    or not at all where it was just read (``manifest``).

    Raises ReadOnly, Forbidden, NotFound, Invalid (an admission rule refuses it) and what else the API server says.
    """
    await change_access(transport=order.transport, target=order.target, action=order.action)
    if manifest is None:
        manifest = await _read(order)
    _check_alive(order.target, order.action, manifest)
    await _check(order, manifest)
    asked, decided = order, await order.action.decide(order, manifest, objects)
    order = order_with(order, decided)
    if order.action.rights != asked.action.rights:
        await change_access(transport=order.transport, target=order.target, action=order.action)
    before, after, warnings = await _dry_run(order, manifest)
    now = datetime.now(UTC)
    dry = DryRun(
        target=order.target,
        before=before,
        after=after,
        wanted=order.wanted,
        objects=objects,
        now=now,
        warnings=warnings,
    )
    told = _with_others(order.action, dry, await _described(order.action, dry))
    told = await order.action.ask(order, told, dry)
    pods = counted_pods(order.action, dry)
    told = (await _checked_back(order, before, with_quotas(objects, pods, told))).pasteable()
    # In a thread: comparing large texts line by line would hold everybody up.
    diff = await asyncio.to_thread(order.action.diff, *order.action.shown(before, after))
    action = order.action
    effect, touched = _effect(action, before, after), action.touched(before)
    token = tokens.show(asked, before, effect, decided, touched) if diff or action.acts_unchanged else ""
    words = _diff_words(order.action.write(before, order.wanted), diff)
    sent = action.sent(before, order.wanted)
    filled = await off_loop(filled_in, sent, after, before) if sent is not None else None
    return Preview(
        before=before,
        told=told,
        diff=diff,
        diff_words=words,
        checked_at=now,
        token=token,
        confirm=why_confirm(action, order.target.context, before),
        filled=(filled,) if filled else (),
        pods=pods,
    )


async def change_apply(*, order: Order, token: str) -> Change:
    """Make the change that was shown. The same token applies once: a second submit gets the same Change.

    Raises StaleView when what it touches, or its effect, is not what was shown; ReadOnly, Forbidden, Invalid and
    others when it is refused (nothing was changed then); Unsettled when the answer was lost; Unrecorded when the
    change was made but the database failed. All but a bad token are audited.
    """
    shown = tokens.read(token, order)
    if (earlier := await in_database(records.found)(shown.nonce)) is not None:
        return await _ended(earlier)
    try:
        await changes_required(order.transport.cluster)
    except ReadOnly as error:
        await in_database(records.refuse)(order.actor, order.action.name, order.target, error, order.reason)
        raise
    # A browser that leaves, or submits twice, must not cut this in two: what is claimed is carried to its end.
    return await to_its_end(_claimed(order_with(order, shown.decided), shown))


async def change_make(*, order: Order, nonce: str, as_shown: Mapping[str, Any] | None = None) -> Change:
    """Make a change that is a step of an operation that was shown, such as a restart after a new value: it is tried by
    a dry run just before. It is made once for a ``nonce`` (at most 64 characters): whoever goes on after a process
    that was killed gets the change, or carries its record to the end. Only one process at a time may ask for the same
    one. ``as_shown`` is what a preview showed of it (``uid``, ``effect``, ``touched``): all else is a StaleView.

    Raises what the preview and the apply of a change raise; Unavailable when the answer was lost: ask again.
    """
    await change_access(transport=order.transport, target=order.target, action=order.action)
    earlier = await in_database(records.found)(nonce)
    if earlier is not None and earlier.state == Change.State.DONE:
        return earlier
    before, after, _ = await _dry_run(order)
    shown = tokens.facts(order, before, _effect(order.action, before, after), nonce)
    if as_shown is not None:
        shown = dataclasses.replace(shown, **as_shown)
    try:
        return await to_its_end(_carried_on(order, shown))
    except Unsettled as error:
        raise Unavailable(error.message, next_step=error.next_step) from error


async def change_carry(*, order: Order, shown: tokens.Shown, again: bool = False) -> Change:
    """Make a change that was shown together with others, once for its nonce: only if what it touches, and its effect,
    are still what was shown. What the preview settled is in ``order``. Only one process at a time may ask for the same
    one. ``again``: it was refused for now; as long as a dry run still is, the audit does not repeat it.

    Raises what ``change_apply`` raises, but Unavailable when the answer was lost: ask again.
    """
    await change_access(transport=order.transport, target=order.target, action=order.action)
    if again:
        await _dry_run(order)
    try:
        return await to_its_end(_carried_on(order, shown))
    except Unsettled as error:
        raise Unavailable(error.message, next_step=error.next_step) from error


async def _carried_on(order: Order, shown: tokens.Shown) -> Change:
    change, _ = await in_database(records.claim)(order, shown.nonce)
    return await _apply(order, shown, change)


async def change_read(*, transport: Transport, target: Target, source: str = "") -> Manifest:
    """The object as it is now, as the user; or a subresource (``source``) that stands for it. Raises NotFound and what
    else the API server says.
    """
    try:
        response = await transport.request(
            "GET",
            target.gvr,
            namespace=target.namespace or None,
            name=target.name,
            subresource=source or None,
        )
    except NotFound as error:
        raise NotFound(
            f"There is no {target}{target.where}.",
            next_step="It may have been deleted meanwhile: look at the list.",
        ) from error
    return read_object(response.body)


async def still_there(transport: Transport, target: Target, uid: str | None) -> bool:
    """Whether the very object of a uid is there; one of which that can't be told is."""
    try:
        found = await change_read(transport=transport, target=target)
    except NotFound:
        return False
    except ClusterError:
        return True
    return bool(found["metadata"]["uid"] == uid)


async def _read(order: Order) -> Manifest:
    return await _found(order.transport, order.target, order.action)


async def _found(transport: Transport, target: Target, action: Action) -> Manifest:
    """The same, or what stands for it where the action may create it."""
    try:
        return await change_read(transport=transport, target=target, source=action.source(target))
    except NotFound:
        if not action.creates:
            raise
        return absent(target)


async def change_stale(
    *, target: Target, action: Action, was: OwnedFields, manifest: Manifest, since: str = "since you looked"
) -> StaleView:
    """The error that says what the touched fields were and are, and who changed them."""
    now = action.touched(manifest)
    differing = [path for path in {**was, **now} if was.get(path) != now.get(path)]
    was, now = ({path: each[path] for path in differing if path in each} for each in (was, now))
    path = differing[0]
    who, when = last_manager(manifest, path)
    # Whoever used this dashboard is known by name, not only by its field manager.
    if who == MANAGER and (person := await in_database(records.last_writer)(target, _uid(manifest), path)):
        who, when = person
    by = f" by {who}" if who else ""
    was_words, now_words = action.words(was), action.words(now)
    message = f"{target} was changed{by} {since}: it was {was_words}, now it is {now_words}."
    return StaleView(message, was=was_words, now=now_words, who=who, when=when)


def order_with(order: Order, decided: Wanted) -> Order:
    """The order with what its preview settled."""
    if not decided:
        return order
    wanted = order.wanted | decided
    return dataclasses.replace(order, wanted=wanted, action=order.action.on(wanted))


async def _described(action: Action, dry: DryRun) -> Description:
    if not action.weighs:
        return action.describe(dry)
    frozen = Frozen(dry.objects, action.reads)
    return await off_loop(action.describe, dataclasses.replace(dry, objects=frozen))


def _with_others(action: Action, dry: DryRun, told: Description) -> Description:
    """With who else has a say: an admission policy makes something else of the fields that the action owns, the API
    server warns of it, or somebody will write them again.
    """
    notices, made = [], action.touched(dry.after)
    if any(made.get(path) != dry.wanted[name] for name, path in action.owns.items() if name in dry.wanted):
        title = f"An admission policy changed this to {action.words(made)}"
        notices.append(Notice("warn", title, "A mutating webhook or policy changes the request."))
    notices += (Notice("warn", "The API server warns", text) for text in dry.warnings)
    target = dry.target
    known = None
    if is_scale(dry.before):  # which has no owner
        known = dry.objects.get(target.plural, target.namespace, target.name)
    meta = meta_of(dry.before) if known is None else known.metadata
    said = creates_again if action.deletes else changes_back
    if not action.uncontested:
        notices += filter(None, (said(meta),))
        if meta.controller is None:  # whose manager is its own
            was = action.touched(dry.before)
            notices += setting_again(
                dry.before, [path for path in {**was, **made} if was.get(path) != made.get(path)]
            )
    return dataclasses.replace(told, notices=(*notices, *told.notices, *_unlisted(action, dry)))


def _unlisted(action: Action, dry: DryRun) -> Iterator[Notice]:
    """That a preview tells nothing of kinds that the account may not list, or that could not be read."""
    read, namespace = action.reads - {dry.target.plural}, dry.target.namespace
    denied = unlisted(dry.objects, read, namespace)
    away = set(unread(dry.objects, read, namespace)).difference(denied)
    for kinds, why, more in (
        (sorted(set(denied) - action.tells_unlisted), "Your account may not list {}{}", ""),
        (sorted(away), "{}{} could not be read", " Look at it again in a moment."),
    ):
        if kinds:
            titles = listed([KINDS[plural].title for plural in kinds if plural in KINDS], "more kinds")
            said = why.format(titles, " here" if namespace else " in all namespaces")
            text = f"{said}: what it does to them, and they to it, is not shown.{more}"
            yield Notice("info", "Not all of its impact is known", text)


async def _checked_back(order: Order, before: Manifest, told: Description) -> Description:
    """An undo that is promised has been tried: a policy may refuse the object as it is now, so that there is a way
    there, but none back. An action that keeps a backup tries that itself.
    """
    action = order.action
    back = action.back(before) if action.tries_back and not action.confidential else None
    if back is None:
        return told
    try:
        await _dry_run(dataclasses.replace(order, action=action.on(back), wanted=back), before)
    except (Forbidden, Invalid) as error:
        text = f"Back to how it is now, the cluster would refuse: {error.message}"
        notice = Notice("warn", "You won't be able to undo this", text)
        return dataclasses.replace(told, notices=(*told.notices, notice), undo_words=NO_UNDO, danger=True)
    except ClusterError:
        return told  # whether it would be taken is not known just now
    return told


class _Lost(Exception):
    """The request was sent, and no answer came."""

    def __init__(self, before: Manifest, after: Manifest, error: Unavailable) -> None:
        super().__init__(error.message)
        self.before, self.after, self.error = before, after, error


async def _claimed(order: Order, shown: tokens.Shown) -> Change:
    try:
        change, new = await in_database(records.claim)(order, shown.nonce)
    except NoWayBack as error:
        await in_database(records.refuse)(order.actor, order.action.name, order.target, error, order.reason)
        raise
    return await (_apply(order, shown, change) if new else _ended(change))


async def _apply(order: Order, shown: tokens.Shown, change: Change) -> Change:
    action = order.action
    try:
        before, after, action = await _send(order, shown, change)
        order = dataclasses.replace(order, action=action)
    except _Lost as lost:
        before, after = await _look_again(order, lost, change)
    except ClusterError as error:
        refused = isinstance(error, REFUSALS)
        result = AuditEntry.Result.REFUSED if refused else AuditEntry.Result.FAILED
        await in_database(records.release)(change, order.actor, error, result)
        raise
    was, made = action.touched(before), action.touched(after)
    kept = change_result(before, after) | action.remember(before, after)
    try:
        await in_database(records.finish)(change, order, before, was, made, kept, _uid(after))
    except DatabaseError as error:
        raise Unrecorded(
            f"The change WAS made: {order.target} went from {action.words(was)} to {action.words(made)}. "
            "Only its record could not be written: it is listed, and can be undone, once the database works again.",
            next_step=f"To undo it before that, set it to {action.words(was)} by hand.",
        ) from error
    await action.keep(change, before, after)
    return change


async def _send(order: Order, shown: tokens.Shown, change: Change) -> tuple[Manifest, Manifest, Action]:
    """Write with a precondition, again as long as only other parts of the object change underneath. Gives the
    object before and after, and the action on all that was changed. What is about to be written is recorded first:
    whoever finds the record without an end can tell by the object whether it was.
    """
    target, action = order.target, order.action
    for attempt in _attempts():
        # Compared before it is tried: of another object of that name the cluster would only say what does not fit.
        found = await _read(order)
        await action.free(target, found, order.undoes)
        await _unchanged(order, shown, found)
        try:
            before, after, _ = await _dry_run(order, found)
        except AlreadyThere as error:
            raise await _created_since(order) from error
        if before is not found:
            await _unchanged(order, shown, before)
        check_confirmed(order, before)
        if shown.effect != UNTRIED and _effect(action, before, after) != shown.effect:
            was, now = action.words(shown.touched), action.words(action.touched(after))
            raise StaleView(f"The result in the cluster would now be different: {now}.", was=was, now=now)
        # Read once more, so that on a busy object as little as possible comes between this and the write.
        tried, before = (before, after), await _read(order)
        await _unchanged(order, shown, before)
        await action.still(order, before)
        await in_database(records.intend)(change, order, before, action.touched(after))
        by_fields = attempt > 0 and await _says_fields(order, before)
        try:
            made = (await _request(order, before, dry=False, by_fields=by_fields)).on(action, before)
            # Where the version was the condition there is this write between these two, and nothing else; where fields
            # were, somebody else's writes may be too, and what was tried tells which part is this one's.
            return before, made, action.widened(*(tried if by_fields else (before, made)))
        except AlreadyThere as error:
            raise await _created_since(order) from error
        except Unavailable as error:
            raise _Lost(before, after, error) from error
        except _Overtaken:
            await _pause()
    raise _busy(target, before)


async def _created_since(order: Order) -> StaleView:
    """What was to be created was not there at the preview, and is now: by whom, as far as that is known."""
    written, who, when = order.action.subject(order.target), "", None
    with suppress(ClusterError):
        found = await change_read(transport=order.transport, target=written)
        who, when = last_manager(found, "")
        if who == MANAGER:
            who = await in_database(records.creator)(written, _uid(found))
    by = f" by {who}" if who else ""
    message = f"{written} was created{by} since the preview."
    return StaleView(message, was=f"no {written}", now=str(written), who=who, when=when)


async def _unchanged(order: Order, shown: tokens.Shown, manifest: Manifest) -> None:
    """Raises StaleView unless it is the same object, and what the action touches is as it was shown."""
    target, action = order.target, order.action
    if _uid(manifest) != shown.uid:
        was, now = action.words(shown.touched), action.words(action.touched(manifest))
        how = ("deleted and recreated" if _uid(manifest) else "deleted") if shown.uid else "created"
        message = f"{target} was {how} since the preview."
        raise StaleView(message, was=was, now=now)
    _check_alive(target, action, manifest)
    if action.touched(manifest) != shown.touched:
        raise await change_stale(target=target, action=action, was=shown.touched, manifest=manifest)


class _Tried(NamedTuple):
    """What the dry run of a change said: ``warnings`` without what nobody may see."""

    before: Manifest
    after: Manifest
    warnings: tuple[str, ...]


async def _dry_run(order: Order, manifest: Manifest | None = None) -> _Tried:
    """The object as it is, and as it would be: both of one version, so that they differ by this change alone.
    ``manifest`` is the object where it was just read.
    """
    for attempt in _attempts():
        before = manifest or await _read(order)
        manifest = None
        _check_alive(order.target, order.action, before)
        await _check(order, before)
        try:
            if attempt and await _says_fields(order, before):
                return await _tried_beside(order, before)
            return (await _request(order, before, dry=True)).tried(order.action, before)
        except _Overtaken:
            await _pause()
    raise _busy(order.target, before)


async def _check(order: Order, manifest: Manifest) -> None:
    """Raises what is wrong with what is wanted. Of values beside the event loop: one may be a megabyte to be parsed."""
    if order.action.confidential:
        await off_loop(order.action.check, manifest, order.wanted)
    else:
        order.action.check(manifest, order.wanted)


async def _tried_beside(order: Order, manifest: Manifest) -> _Tried:
    """The same of whatever version is there now. To read a version and then to try it may take longer than it lasts;
    done at the same moment, both mostly meet the same one. Raises _Overtaken when they do not.
    """
    answer, now = await asyncio.gather(_request(order, manifest, dry=True, by_fields=True), _read(order))
    for before in (manifest, now):
        same = before["metadata"]["resourceVersion"] == answer.body["metadata"]["resourceVersion"]
        if same and _operations(order, before) == _operations(order, manifest):
            return answer.tried(order.action, before)
    raise _Overtaken


def _operations(order: Order, manifest: Manifest) -> list[Operation] | None:
    return write_operations(order.action.write(manifest, order.wanted), manifest)


async def _says_fields(order: Order, manifest: Manifest) -> bool:
    """Whether the fields that it changes can be its condition, in place of the object's version."""
    if _operations(order, manifest) is None:
        return False
    written = order.action.subject(order.target)
    decision = await allowed(
        order.transport,
        "patch",
        written.gvr,
        namespace=written.namespace or None,
        name=written.name or None,
        subresource=order.action.write(manifest, order.wanted).subresource or None,
    )
    return decision.allowed


class _Overtaken(Exception):
    """Another write came between reading the object and writing to it."""


def _attempts() -> range:
    return range(ATTEMPTS)


async def _pause() -> None:
    """A moment before the next attempt, of no fixed length: whoever else writes may do so by the clock."""
    await asyncio.sleep(JITTER_SECONDS * random.random())


def _busy(target: Target, manifest: Manifest) -> Busy:
    return Busy(str(target), ATTEMPTS, last_manager(manifest, "")[0])


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the API server answered to what was ``wanted``, in full."""

    wanted: Wanted = field(repr=False)
    body: Manifest = field(repr=False)
    warnings: tuple[str, ...]

    def tried(self, action: Action, before: Manifest) -> _Tried:
        return _Tried(before, self.on(action, before), self.warnings)

    def on(self, action: Action, before: Manifest) -> Manifest:
        """The object ``before`` as it is by that."""
        sent = action.write(before, self.wanted).body if action.confidential else {}
        return action.after(before, {**sent, **self.body})


async def _request(order: Order, manifest: Manifest, *, dry: bool, by_fields: bool = False) -> _Answer:
    action, wanted = order.action, order.wanted
    try:
        # Keeping a backup is a write too, of which a rule of the cluster may quote the values.
        wanted = await action.supply(order, manifest, dry=dry)
        write = action.write(manifest, wanted)
        try:
            answer = await change_write(
                transport=order.transport,
                target=action.subject(order.target),
                write=write,
                manifest=manifest,
                dry=dry,
                by_fields=by_fields,
            )
        except FieldConflict:
            raise
        except Conflict as error:
            if write.creates and not is_absent(manifest):  # beside the object, one of that name exists
                raise AlreadyThere(f"{action.subject(order.target)}{order.target.where}") from error
            raise _Overtaken from error
        except Invalid as error:
            if by_fields and error.message == TEST_FAILED:
                raise _Overtaken from error
            raise
    except ClusterError as error:
        await off_loop(action.scrub, error, manifest, wanted)  # a value may be a megabyte of lines
        raise
    headers, clean = answer.response.headers, partial(_scrubbed, action, manifest, wanted)
    warned = await off_loop(warnings_of, headers, clean) if "Warning" in headers else ()
    return _Answer(wanted, answer.body, warned)


def _scrubbed(action: Action, manifest: Manifest, wanted: Wanted, said: Sequence[str]) -> list[str]:
    """What rules of the cluster say that do not refuse: they may quote the same values as a refusal. They are scrubbed as
    one, since the spellings of a large value take a second.
    """
    errors = [ClusterError(text) for text in said]
    for error, cause in pairwise(errors):
        error.__cause__ = cause
    if errors:
        action.scrub(errors[0], manifest, wanted)
    return [error.message for error in errors]


def _effect(action: Action, before: Manifest, after: Manifest) -> str:
    return effect_digest(*action.shown(before, after))


async def _look_again(order: Order, lost: _Lost, change: Change) -> tuple[Manifest, Manifest]:
    """The answer was lost: the object itself tells whether the change was made. Raises when it was not, or when
    nobody knows.
    """
    target, action = order.target, order.action
    written = action.subject(target)
    beside = written != target
    try:
        found = await change_read(transport=order.transport, target=written, source=action.source(written))
    except NotFound:
        if action.deletes:
            return lost.before, lost.after
        if beside or is_absent(lost.before):
            await in_database(records.release)(change, order.actor, lost.error, AuditEntry.Result.FAILED)
            raise lost.error from lost
        found = None
    except ClusterError:
        found = None
    if found is not None and (beside or _uid(lost.before) in (_uid(found), "")):
        if action.touched(found) == action.touched(lost.after):
            return lost.before, found
        if found["metadata"]["resourceVersion"] == lost.before["metadata"]["resourceVersion"]:
            await in_database(records.release)(change, order.actor, lost.error, AuditEntry.Result.FAILED)
            raise lost.error
    unsettled = Unsettled(
        f"The API server did not answer: whether {target} was changed is not known.",
        next_step="Look at the object, or at Changes made here, once the cluster answers again.",
    )
    await in_database(records.lose)(change, order.actor, unsettled)
    raise unsettled from lost


async def change_found_made(*, order: Order, change: Change) -> bool:
    """Whether a change was made whose process ended before it could say so: the object tells, and it is recorded then.
    ``order`` is what it was to be made by. Raises what reading the object raises.
    """
    if not change.touched:
        return False  # nothing was sent
    action, written = order.action, order.action.subject(order.target)
    itself = written == order.target
    try:
        found = await change_read(transport=order.transport, target=written, source=action.source(written))
    except NotFound:
        found = None
    if found is None or (itself and not change_is_of(change, found)):
        if action.deletes and itself:
            await in_database(records.found_done)(change, f"{order.target} is gone. {_FOUND}", {})
        return action.deletes and itself
    was, made = sides(change)
    if action.touched(found) != made:
        return False
    await change_made_after_all(change, action, found, was, made)
    return True


def change_is_of(change: Change, manifest: Manifest) -> bool:
    """Whether this is the object that a change without an end was about; of one that was not there, whether it was
    created from here: another one that came meanwhile is somebody else's.
    """
    return _uid(manifest) == change.uid if change.uid else created_by(manifest, MANAGER)


async def change_made_after_all(
    change: Change, action: Action, found: Manifest, was: OwnedFields, made: OwnedFields
) -> None:
    """Records a change that the object has, of which nobody had said that it was made."""
    detail = f"{action.words(was)} → {action.words(made)}. {_FOUND}"
    kept = change_result(found, found) | action.remember(found, found)
    await in_database(records.found_done)(change, detail, kept, _uid(found))
    await action.keep(change, None, found)


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
        again = await in_database(records.found)(change.nonce)
        if again is None:
            raise Conflict(
                "The change was rejected the first time it was sent.", next_step="Look at the preview again."
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


async def writes_ended(seconds: float) -> None:
    """Waits for the changes that are being sent, so long at most: the process is about to end."""
    if _running:
        await asyncio.wait(_running, timeout=seconds)


def change_result(before: Manifest, after: Manifest) -> dict[str, Any]:
    """What following a change needs to know: which generation it made, and who keeps the object; and which pod template
    it made.
    """
    owners = before["metadata"].get("ownerReferences") or ()
    controller = next((owner for owner in owners if owner.get("controller")), None)
    return {
        "generation": after["metadata"].get("generation"),
        "controller": {key: controller[key] for key in ("apiVersion", "kind", "name", "uid")}
        if controller
        else None,
        **template_mark(before, after),
    }


def _uid(manifest: Manifest) -> str:
    return str(manifest["metadata"]["uid"])


def _diff_words(write: Write, diff: tuple[Line, ...]) -> str:
    changed = max(sum(line.sign == "+" for line in diff), sum(line.sign == "-" for line in diff))
    lines = f"{changed} {'line' if changed == 1 else 'lines'}"
    # The server itself marks what is deleted: there is no field manager then.
    marked = write.method in ("PATCH", "PUT") or write.creates
    return f"{lines}, field manager {MANAGER}" if marked else lines
