"""How a change of many objects begins: what its preview showed, signed, and its change with an operation and a row for
each object, recorded at once (docs/adr/0043).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, IntegrityError, transaction

from dashboard import clock
from dashboard.database import database_unavailable
from dashboard.kube.transport import Transport
from dashboard.models import Change, Operation, OperationResult

from . import records
from . import token as tokens
from .action import Actor, Target, Wanted
from .bulk import Bulk, bulk_title
from .bulk_pace import AT_A_TIME, Pace
from .operation import operation_step
from .problems import NoWayBack, Uncounted

SALT = "dashboard.actions.bulk"
SAME = "It is like that already: nothing to change."
_NOTHING = "Nothing was started."


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The signed facts of a preview of many. ``objects`` are, in their order, namespace, name, what is kept of a preview
    (None: it is not changed) and why it is not. ``undoes`` is the change that it takes back.
    """

    user: int
    action: str
    server: str
    context: str
    plural: str
    wanted: str
    undoes: int | None
    confirm: str
    nonce: str
    objects: list[list[Any]] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What is begun: ``bulk`` on objects of a kind. ``undoes``: the change of many that it takes back."""

    transport: Transport
    actor: Actor
    bulk: Bulk
    plural: str
    kind: str
    kinds: str  # the kind's name for many
    gvr: Sequence[Any]
    wanted: Wanted = field(repr=False)
    undoes: Change | None = None

    @property
    def facts(self) -> Mapping[str, Any]:
        """What a token must have been signed for."""
        cluster = self.transport.cluster
        return {
            "user": self.actor.user.pk,
            "action": self.bulk.of.name,
            "server": cluster.server,
            "context": cluster.name,
            "plural": self.plural,
            "wanted": tokens.digest_of(self.wanted),
            "undoes": None if self.undoes is None else self.undoes.pk,
        }


def begun_token(begun: Begun, objects: list[list[Any]], confirm: str) -> str:
    """For the preview of these objects; ``confirm`` is why their number has to be typed."""
    shown = Shown(**begun.facts, confirm=confirm, nonce=tokens.new_nonce(), objects=objects)
    return tokens.sign(shown, SALT)


def begun_shown(begun: Begun, token: str, targets: Sequence[Target] = ()) -> Shown:
    """What a preview showed. Raises BadInput for a token of something else, be it only of other ``targets``."""
    shown = tokens.read_as(Shown, token, SALT, begun.facts)
    sent = {(target.namespace, target.name) for target in targets}
    if sent and sent != {(namespace, name) for namespace, name, *_ in shown.objects}:
        raise tokens.not_shown()
    return shown


def counted(shown: Shown, confirm: str) -> bool:
    """Whether the number of objects was typed. Raises Uncounted where it has to be, and for another number."""
    typed, count = confirm.strip(), len(shown.objects)
    if typed != str(count) and (typed or shown.confirm):
        why = f": {shown.confirm}" if shown.confirm else ""
        raise Uncounted(f"Type the number of objects, {count}{why}.", field="confirm")
    return bool(typed)


def begun_record(
    begun: Begun,
    shown: Shown,
    *,
    pace: Pace,
    confirmed: bool,
    reason: str,
    check: Callable[[], None] = lambda: None,
) -> Change:
    """The change, its operation and its results, at once: nobody finds a part of them. ``check`` is called in that
    transaction, and raises what rules it out.
    """
    namespaces = sorted({namespace for namespace, *_ in shown.objects if namespace})
    results = [
        OperationResult(
            position=position, plural=begun.plural, kind=begun.kind, namespace=namespace, name=name, **_first(kept, why),
        )
        for position, (namespace, name, kept, why) in enumerate(shown.objects)
    ]  # fmt: skip
    result = {
        "wanted": begun.wanted, "gvr": list(begun.gvr), "kinds": begun.kinds, "count": len(results),
        "namespaces": namespaces, "confirmed": confirmed, "order": pace.order, "timeout": pace.timeout,
    }  # fmt: skip
    actor, bulk = begun.actor, begun.bulk
    count = sum(each.state == "waiting" for each in results)
    title = bulk_title(bulk.of, begun.kind, begun.kinds, count)
    try:
        with transaction.atomic():
            check()
            change = Change.objects.create(
                nonce=shown.nonce, state=Change.State.DONE, user=actor.user, context=shown.context, action=bulk.name,
                plural=begun.plural, kind=begun.kind, result=result, reason=reason, sign_in=actor.sign_in,
                namespace=namespaces[0] if len(namespaces) == 1 else "", undoes=begun.undoes,
                created_at=clock.now(),
            )  # fmt: skip
            step = operation_step(
                "one" if pace.order in AT_A_TIME else "apply", records.undo_words(change, title)
            )
            operation = Operation.objects.create(change=change, steps=[step])
            for each in results:
                each.operation = operation
            OperationResult.objects.bulk_create(results, batch_size=500)
            detail = records.entry_words(change, f"{bulk.summary(change)}: started.")
            records.audit_step(change, actor.name, bulk.name, detail)
    except IntegrityError as error:
        if (found := records.found(shown.nonce)) is not None:  # the other one of two submits
            return found
        if begun.undoes is None:
            raise database_unavailable(error, done=_NOTHING) from error
        raise NoWayBack(
            "That change is already undone.", next_step="Open it under Changes made here."
        ) from error
    except DatabaseError as error:
        raise database_unavailable(error, done=_NOTHING) from error
    return change


def _first(kept: dict[str, Any] | None, why: str) -> dict[str, Any]:
    """How a result begins; one that is not changed may keep a change that is not undone."""
    if kept is not None and "uid" in kept:
        return {"state": "waiting", "data": kept}
    now, kept = clock.now(), kept or {}
    if why:
        return {"state": "left", "text": why, "data": kept | {"word": "skipped"}, "ended_at": now}
    return {"state": "done", "text": SAME, "data": kept | {"word": "no changes"}, "ended_at": now}
