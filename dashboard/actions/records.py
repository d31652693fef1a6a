"""What the database keeps of a change: the intent before anything is sent, then the result, and the audit.

Each function is one short synchronous transaction, called through ``in_database``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Q

from dashboard import clock
from dashboard.database import database_unavailable
from dashboard.errors import ClusterError
from dashboard.models import AuditEntry, Change

from .action import CREATED, Action, Actor, Manifest, Order, OwnedFields, Target
from .attempts import attempt_audited
from .problems import NoWayBack

log = logging.getLogger(__name__)

R = TypeVar("R")

TRIES = 3
PAUSE_SECONDS = 0.2
_NOT_SENT = "Nothing was sent: the change can't be recorded."


def claim(order: Order, nonce: str) -> tuple[Change, bool]:
    """The row of this change, and whether it is new. The nonce is unique, so of two submits one makes it.

    Raises NoWayBack when the change to undo is undone already, DatabaseUnavailable when nothing can be recorded: then
    nothing may be sent.
    """
    target = order.target
    try:
        with transaction.atomic():
            made = Change.objects.create(
                nonce=nonce,
                user=order.actor.user,
                context=target.context,
                action=order.action.name,
                plural=target.plural,
                kind=target.kind,
                namespace=target.namespace,
                name=target.name,
                undoes_id=order.undoes,
                reason=order.reason,
                sign_in=order.actor.sign_in,
                result=order.action.intended(),
                created_at=clock.now(),
            )
            return made, True
    except IntegrityError as error:
        if (found := Change.objects.filter(nonce=nonce).first()) is not None:
            return found, False
        raise NoWayBack(
            "That change is already undone.", next_step="Open it under Changes made here."
        ) from error
    except DatabaseError as error:
        raise database_unavailable(error, done=_NOT_SENT) from error


def found(nonce: str) -> Change | None:
    """The change made from a preview, if there is one."""
    return Change.objects.filter(nonce=nonce).first()


def intend(change: Change, order: Order, before: Manifest, made: OwnedFields) -> None:
    """What is about to be written to the object ``before``. Raises DatabaseUnavailable when that cannot be recorded: then
    nothing may be sent.
    """
    known = (change.uid, change.touched, change.inverse)
    _describe(change, order.action, before, order.action.touched(before), made)
    if known == (change.uid, change.touched, change.inverse):
        return  # a further attempt at the same
    try:
        change.save(update_fields=["uid", "touched", "inverse"])
    except DatabaseError as error:
        raise database_unavailable(error, done=_NOT_SENT) from error


def finish(
    change: Change,
    order: Order,
    before: Manifest,
    was: OwnedFields,
    made: OwnedFields,
    result: dict[str, Any] | None = None,
    uid: str = "",
) -> None:
    """The change was made to the object ``before``. Raises DatabaseError when that cannot be recorded, after
    trying again.

    ``result`` is what following it needs to know of the object besides, ``uid`` that of one that was created.
    """
    action = order.action
    change.state = Change.State.DONE
    _describe(change, action, before, was, made)
    change.uid = change.uid or uid
    change.result = change.result | (result or {})
    detail = action.summary(change)
    _again(lambda: _done(change, order.actor.name, detail))


def found_done(change: Change, detail: str, result: dict[str, Any], uid: str = "") -> bool:
    """The object tells that a change without an end was made; whether that is news. ``uid`` is that of one that was
    created.
    """
    change.uid = change.uid or uid
    change.state = Change.State.DONE
    change.result = change.result | result
    return _done(change, change.user.get_username(), detail)


def found_undone(change: Change, detail: str) -> None:
    """The object tells that a change whose process has ended was not made: only the audit keeps it."""
    with transaction.atomic():
        gone, _ = Change.objects.filter(pk=change.pk, state=Change.State.SENDING).delete()
        if gone:
            _entry(change, change.user.get_username(), AuditEntry.Result.FAILED, detail, None)


def _describe(change: Change, action: Action, before: Manifest, was: OwnedFields, made: OwnedFields) -> None:
    change.uid = before["metadata"]["uid"]
    change.touched = {path: [was.get(path), made.get(path)] for path in {**was, **made}}
    back = action.back(before)
    change.inverse = {} if back is None else {"action": action.undone_by or action.name, "input": back}


def _done(change: Change, who: str, detail: str) -> bool:
    """Its end and the audit of it, written once, whoever finds out first."""
    with transaction.atomic():
        unsaid = Change.objects.filter(pk=change.pk).exclude(state=Change.State.DONE)
        if not unsaid.update(state=Change.State.DONE):
            return False
        change.save()
        _entry(change, who, AuditEntry.Result.DONE, detail, change)
        return True


def release(change: Change, actor: Actor, error: ClusterError, result: AuditEntry.Result) -> None:
    """The change was not made: only the audit keeps it, and the same preview may be applied again."""

    def write() -> None:
        with transaction.atomic():
            Change.objects.filter(pk=change.pk).delete()
            _entry(change, actor.name, result, error.message, None)

    try:
        _again(write)
    except DatabaseError:
        # The refusal itself is what the person must read; settle() finds the row later.
        log.exception("the end of a change was not recorded: %s by %s: %s", change, actor.name, error.message)


def lose(change: Change, actor: Actor, error: ClusterError) -> None:
    """The answer was lost: the row stays, and says that nobody knows."""

    def write() -> None:
        with transaction.atomic():
            change.state = Change.State.UNKNOWN
            change.save()
            _entry(change, actor.name, AuditEntry.Result.UNKNOWN, error.message, change)

    try:
        _again(write)
    except DatabaseError:
        log.exception("the end of a change was not recorded: %s by %s: %s", change, actor.name, error.message)


def refuse(actor: Actor, action: str, target: Target, error: ClusterError, reason: str = "") -> None:
    """A refusal before anything was begun; ``reason`` is why it was tried."""
    AuditEntry.objects.create(
        user_name=actor.name,
        context=target.context,
        action=action,
        plural=target.plural,
        namespace=target.namespace,
        name=target.name,
        detail=error.message,
        result=AuditEntry.Result.REFUSED,
        reason=reason,
    )
    attempt_audited()


def settle(older: timedelta) -> int:
    """Changes whose process ended between sending and recording are marked unknown, and audited; how many.

    Called at start-up and from time to time, so that a crash does not leave a change unsaid.
    """
    lost = Change.objects.filter(state=Change.State.SENDING, created_at__lt=clock.now() - older)
    count = 0
    for change in lost.select_related("user"):
        with transaction.atomic():
            if Change.objects.filter(pk=change.pk, state=Change.State.SENDING).update(
                state=Change.State.UNKNOWN
            ):
                detail = "The dashboard stopped before the answer was recorded: look at the object."
                AuditEntry.objects.create(
                    **_about(change),
                    user_name=change.user.get_username(),
                    result=AuditEntry.Result.UNKNOWN,
                    detail=detail,
                    change=change,
                )
                count += 1
    return count


def last_writer(target: Target, uid: str, path: str) -> tuple[str, datetime] | None:
    """Who changed a field of the object through this dashboard last, and when."""
    changes = Change.objects.filter(
        context=target.context, uid=uid, state=Change.State.DONE, touched__has_key=path
    )
    last = changes.select_related("user").order_by("-created_at").first()
    return (last.user.get_username(), last.created_at) if last is not None else None


def creator(target: Target, uid: str) -> str:
    """Who created an object through this dashboard, beside another one or by itself; "" where nobody did."""
    made = Change.objects.filter(context=target.context, state=Change.State.DONE).filter(
        Q(uid=uid, action__in=("create", "create-all")) | Q(**{f"result__{CREATED}": uid})
    )
    first = made.select_related("user").order_by("created_at").first()
    return first.user.get_username() if first is not None else ""


def entry_words(change: Change, words: str) -> str:
    """The words of an entry about a change; an undo is told as one."""
    return f"Undo of change {change.undoes_id}: {words[:1].lower()}{words[1:]}" if change.undoes_id else words


def undo_words(change: Change, title: str) -> str:
    """The title of what is done; of an undo as one."""
    return f"Undo: {title[:1].lower()}{title[1:]}" if change.undoes_id else title


def audit_step(change: Change, who: str, action: str, detail: str, reason: str = "") -> None:
    """Something that somebody, or the dashboard itself, did about a change that takes its time; ``reason``: why, if that
    is another one than the change's.
    """
    AuditEntry.objects.create(
        **(_about(change) | {"action": action, "reason": reason or change.reason}),
        user_name=who,
        detail=detail,
        result=AuditEntry.Result.DONE,
        change=change,
    )


def _entry(change: Change, who: str, result: AuditEntry.Result, detail: str, kept: Change | None) -> None:
    detail = entry_words(change, detail)
    keys = sorted(change.touched)
    AuditEntry.objects.create(
        **_about(change), user_name=who, result=result, keys=keys, detail=detail, change=kept
    )
    attempt_audited()


def _about(change: Change) -> dict[str, str]:
    return {
        "context": change.context,
        "action": change.action,
        "plural": change.plural,
        "namespace": change.namespace,
        "name": change.name,
        "reason": change.reason,
    }


def _again(write: Callable[[], R]) -> R:
    for attempt in range(1, TRIES):
        try:
            return write()
        except DatabaseError:
            time.sleep(PAUSE_SECONDS * attempt)
    return write()
