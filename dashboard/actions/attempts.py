"""What somebody tries to do, and its refusal in the audit: once, wherever and before whatever it is raised."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from django.db import DatabaseError

from dashboard.errors import (
    BadInput,
    ClusterError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Protected,
    ReadOnly,
    Unauthenticated,
)
from dashboard.models import AuditEntry

from ..database import in_database
from .action import Actor
from .problems import Unrecorded, Unsettled

log = logging.getLogger(__name__)

# Errors that say the cluster (or this dashboard) decided against it; others say that something broke.
REFUSALS = (BadInput, Conflict, Forbidden, Invalid, NotFound, Protected, ReadOnly, Unauthenticated)


@dataclass(slots=True, kw_only=True)
class Attempt:
    """Something that somebody tries to do, and why. ``audited``: the audit has its end already."""

    action: str
    context: str
    plural: str = ""
    namespace: str = ""
    name: str = ""
    reason: str = ""
    audited: bool = field(default=False, init=False)


# Tasks and threads that an attempt begins see the same one.
_current: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


@contextmanager
def attempting(attempt: Attempt) -> Iterator[None]:
    """What is audited meanwhile is the end of this attempt."""
    token = _current.set(attempt)
    try:
        yield
    finally:
        _current.reset(token)


def current_attempt() -> Attempt | None:
    return _current.get()


def attempt_audited() -> None:
    """Whoever writes the end of what is being tried into the audit says so."""
    if (attempt := _current.get()) is not None:
        attempt.audited = True


async def attempt_refused(attempt: Attempt, actor: Actor, error: ClusterError) -> None:
    """Writes into the audit that an attempt was refused, unless that is there already. Where it cannot be written, the
    refusal itself is still what a person must read.
    """
    if attempt.audited or isinstance(error, Unrecorded | Unsettled):
        return
    try:
        await in_database(_write)(attempt, actor, error)
    except DatabaseError:
        log.exception("a refusal was not recorded: %s by %s: %s", attempt, actor.name, error.message)


def _write(attempt: Attempt, actor: Actor, error: ClusterError) -> None:
    attempt.audited = True
    refused = isinstance(error, REFUSALS)
    AuditEntry.objects.create(
        user_name=actor.name,
        context=attempt.context,
        action=attempt.action,
        plural=attempt.plural,
        namespace=attempt.namespace,
        name=attempt.name,
        detail=error.message,
        result=AuditEntry.Result.REFUSED if refused else AuditEntry.Result.FAILED,
        reason=attempt.reason,
    )
