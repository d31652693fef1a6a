"""Operations that begin without a write of their own: their change, steps and results are recorded at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from types import MappingProxyType
from typing import Any, Protocol

from django.db import DatabaseError, IntegrityError, transaction

from dashboard.database import database_unavailable
from dashboard.models import Change, Operation, OperationResult

from . import records
from .action import Actor
from .operation import OperationAction, Step


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
        raise database_unavailable(error, done="Nothing was written.") from error
    return change
