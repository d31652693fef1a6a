"""What a rule says: about a pod (:class:`Trouble`) or, ready to be shown, about any object (:class:`Finding`)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from dashboard.kinds.base import Ref
from dashboard.kinds.events import Event
from dashboard.kinds.meta import ObjectCondition
from dashboard.kinds.rows import shorten

from .names import PodRule, RuleName
from .words import Parts, bold, parts

# bad: needs a person · warn: worth a look · note: explains the object on its own page, and is no problem by itself
Severity = Literal["bad", "warn", "note"]
RANK: dict[Severity, int] = {"bad": 0, "warn": 1, "note": 2}

Page = Literal["", "logs", "yaml", "events", "edit", "scale", "restart", "delete"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a judgement rests on: ``where`` names a field, a condition, an Event or an object, ``says`` what it holds."""

    where: str
    says: str
    ref: Ref | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next, and where: a page of an object. ``container`` and ``previous`` choose a log."""

    text: str = ""
    ref: Ref | None = None
    page: Page = ""
    container: str = ""
    previous: bool = False


@dataclass(frozen=True, slots=True)
class LogWish:
    """A log whose last lines would show the cause. Whoever may read it shows them; the rules do not need them."""

    namespace: str
    pod: str
    container: str
    previous: bool


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with one pod, said so that it also serves for many.

    ``one`` and ``many`` are the verb for one pod and for several ("keeps crashing", "keep crashing"), ``rest`` is
    what follows it in the sentence. ``because`` is an object whose own finding explains this one; ``shared`` tells
    which other findings have the same cause.
    """

    rule: PodRule
    severity: Severity
    weight: int
    one: str
    many: str
    rest: Parts
    step: Step
    evidence: tuple[Evidence, ...] = ()
    since: datetime | None = None
    log: LogWish | None = None
    because: Ref | None = None
    shared: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem in plain words. ``weight`` orders findings of the same severity, greater first.

    ``follows`` names the object whose own finding causes this one: nothing is to be done here. ``shared``, when it is
    not empty, is equal for findings of one rule with one cause. ``pod`` is the pod that the sentence speaks of, when
    it is about something that has pods.
    """

    rule: RuleName
    severity: Severity
    weight: int
    ref: Ref
    text: Parts
    step: Step = field(default=Step())
    evidence: tuple[Evidence, ...] = ()
    since: datetime | None = None
    follows: Ref | None = None
    log: LogWish | None = None
    shared: str = ""
    pod: Ref | None = None

    @property
    def kind(self) -> str:
        return self.ref.kind

    @property
    def plural(self) -> str:
        return self.ref.plural

    @property
    def namespace(self) -> str:
        return self.ref.namespace

    @property
    def name(self) -> str:
        return self.ref.name

    def following(self, cause: Finding | None) -> Finding:
        """The same as a consequence of another finding, which then is the next step."""
        if cause is None:
            return self
        step = Step(f"Follows from {cause.kind} {cause.name}; nothing to do here.", cause.ref)
        return replace(self, step=step, since=cause.since, follows=cause.ref)


def subject(ref: Ref) -> Parts:
    """How a sentence about an object begins: its kind and name, and where it is."""
    where = f" in {ref.namespace}" if ref.namespace else ""
    return parts(bold(f"{ref.kind} {ref.name}"), where)


def because_of(condition: ObjectCondition | None) -> tuple[Evidence, ...]:
    """A condition of the object's status as evidence."""
    if condition is None:
        return ()
    why = f"{condition.status}, {condition.reason}" if condition.reason else condition.status
    says = f"{why}: {shorten(condition.message, 300)}" if condition.message.strip() else why
    return (Evidence(f"Condition {condition.type}", says),)


def reported(event: Event | None) -> tuple[Evidence, ...]:
    """An Event as evidence."""
    return (Evidence(f"Event {event.reason}", shorten(event.message, 300)),) if event is not None else ()


def stands(where: str, says: str) -> tuple[Evidence, ...]:
    """A field and what stands in it as evidence; nothing when nothing stands there."""
    return (Evidence(where, shorten(says, 300)),) if says.strip() else ()
