"""What a rule says: about a pod (:class:`Trouble`) or, ready to be shown, about any object (:class:`Finding`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dashboard.kinds.base import Ref
from dashboard.kinds.rows import shorten

from .words import Parts

Severity = Literal["bad", "warn"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with one pod, said so that it also serves for many.

    ``one`` and ``many`` are the verb for one pod and for several ("keeps crashing", "keep crashing"), ``rest`` is
    what follows it in the sentence.
    """

    rule: str
    severity: Severity
    weight: int
    one: str
    many: str
    rest: Parts
    next_step: str
    next_ref: Ref | None = None
    evidence: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem in plain words. ``weight`` orders findings of the same severity, greater first.

    ``evidence`` is what the cluster itself says. ``follows`` names the object whose own finding causes this
    one: nothing is to be done here.
    """

    rule: str
    severity: Severity
    weight: int
    kind: str
    plural: str
    namespace: str
    name: str
    text: Parts
    next_step: str = ""
    next_ref: Ref | None = None
    evidence: str = ""
    since: datetime | None = None
    follows: Ref | None = None

    @property
    def ref(self) -> Ref:
        """The object it is about."""
        return Ref(self.kind, self.namespace, self.name, self.plural)


def about(
    ref: Ref,
    rule: str,
    severity: Severity,
    weight: int,
    text: Parts,
    next_step: str = "",
    next_ref: Ref | None = None,
    evidence: str = "",
    since: datetime | None = None,
    *,
    cause: Finding | None = None,
) -> Finding:
    """A finding about the object of ``ref``. With a ``cause``, that finding is the next step."""
    if cause is not None:
        next_step, next_ref, since = (
            f"Follows from {cause.kind} {cause.name}; nothing to do here.",
            cause.ref,
            cause.since,
        )
    return Finding(
        rule,
        severity,
        weight,
        ref.kind,
        ref.plural,
        ref.namespace,
        ref.name,
        text,
        next_step,
        next_ref,
        evidence.strip(),
        since,
        cause.ref if cause else None,
    )


def said(who: str, message: str) -> str:
    """What a part of the cluster says itself, as evidence; "" when it says nothing."""
    return f"The {who} says: {shorten(message, 200)}" if message.strip() else ""
