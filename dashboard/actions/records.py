"""What the database keeps of a change: the intent before anything is sent, then the result, and the audit.

Each function is one short synchronous transaction, called through ``sync_to_async``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from dashboard.errors import ClusterError, Unavailable
from dashboard.models import AuditEntry, Change

from .action import Actor, Keyed, Manifest, Order, Sums, Target, Touched
from .problems import NoWayBack

log = logging.getLogger(__name__)

R = TypeVar("R")

TRIES = 3
PAUSE_SECONDS = 0.2


def claim(order: Order, nonce: str) -> tuple[Change, bool]:
    """The row of this change, and whether it is new. The nonce is unique, so of two submits one makes it.

    Raises NoWayBack when the change to undo is undone already, Unavailable when nothing can be recorded: then
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
            )
            return made, True
    except IntegrityError as error:
        if (found := Change.objects.filter(nonce=nonce).first()) is not None:
            return found, False
        raise NoWayBack(
            "That change is undone already.", next_step="Open it under Changes made here."
        ) from error
    except DatabaseError as error:
        raise Unavailable(
            "Nothing was sent: the dashboard's own database cannot record the change.",
            next_step="Try again; if it stays so, look at the database and its disk.",
        ) from error


def found(nonce: str) -> Change | None:
    """The change made from a preview, if there is one."""
    return Change.objects.filter(nonce=nonce).first()


def finish(
    change: Change,
    order: Order,
    before: Manifest,
    was: Touched,
    made: Touched,
    result: dict[str, Any] | None = None,
) -> None:
    """The change was made to the object ``before``. Raises DatabaseError when that cannot be recorded, after
    trying again.

    ``result`` is what following it needs to know of the object besides.
    """
    action = order.action
    change.state = Change.State.DONE
    change.uid = before["metadata"]["uid"]
    change.touched = {path: [was.get(path), made.get(path)] for path in {**was, **made}}
    back = action.back(before) if isinstance(action, Keyed) else action.inverse(was)
    change.inverse = {} if back is None else {"action": action.name, "input": back}
    change.result = result or {}
    detail = (
        action.summary(change) if isinstance(action, Sums) else f"{action.words(was)} → {action.words(made)}"
    )

    def write() -> None:
        with transaction.atomic():
            change.save()
            _entry(change, order.actor, AuditEntry.Result.DONE, detail, change)

    _again(write)


def release(change: Change, actor: Actor, error: ClusterError, result: AuditEntry.Result) -> None:
    """The change was not made: only the audit keeps it, and the same preview may be applied again."""

    def write() -> None:
        with transaction.atomic():
            _entry(change, actor, result, error.message, None)
            change.delete()

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
            _entry(change, actor, AuditEntry.Result.UNKNOWN, error.message, change)

    try:
        _again(write)
    except DatabaseError:
        log.exception("the end of a change was not recorded: %s by %s: %s", change, actor.name, error.message)


def refuse(actor: Actor, action: str, target: Target, error: ClusterError) -> None:
    """A refusal before anything was begun."""
    AuditEntry.objects.create(
        user_name=actor.name,
        context=target.context,
        action=action,
        plural=target.plural,
        namespace=target.namespace,
        name=target.name,
        detail=error.message,
        result=AuditEntry.Result.REFUSED,
    )


def settle(older: timedelta) -> int:
    """Changes whose process ended between sending and recording are marked unknown, and audited; how many.

    Called at start-up and from time to time, so that a crash does not leave a change unsaid.
    """
    lost = Change.objects.filter(state=Change.State.SENDING, created_at__lt=timezone.now() - older)
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


def _entry(change: Change, actor: Actor, result: AuditEntry.Result, detail: str, kept: Change | None) -> None:
    AuditEntry.objects.create(
        **_about(change), user_name=actor.name, result=result, detail=detail, change=kept
    )


def _about(change: Change) -> dict[str, str]:
    return {
        "context": change.context,
        "action": change.action,
        "plural": change.plural,
        "namespace": change.namespace,
        "name": change.name,
    }


def _again(write: Callable[[], R]) -> R:
    for attempt in range(1, TRIES):
        try:
            return write()
        except DatabaseError:
            time.sleep(PAUSE_SECONDS * attempt)
    return write()
