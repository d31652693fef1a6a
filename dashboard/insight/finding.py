"""What a rule says: about a pod (:class:`Trouble`) or, ready to be shown, about any object (:class:`Finding`)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from dashboard.kinds.base import Ref
from dashboard.kinds.events import Event
from dashboard.kinds.meta import ObjectCondition
from dashboard.kinds.references import title
from dashboard.kinds.rows import listed, shorten

from .names import PluginName, PodRule, RuleName
from .words import Parts, bold, parts

# bad: Critical · warn: Warning · note: explains the object on its own page, and is no problem by itself
Severity = Literal["bad", "warn", "note"]
RANK: dict[Severity, int] = {"bad": 0, "warn": 1, "note": 2}

Page = Literal[
    "", "logs", "yaml", "events", "edit", "scale", "restart", "resume", "delete", "image", "rollback"
]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a judgement rests on: ``where`` names a field, a condition, an Event or an object, ``says`` what it holds."""

    where: str
    says: str
    ref: Ref | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next, and where: a page of an object. ``container`` and ``previous`` choose a log. ``instead`` is
    another way, with a page of its own.
    """

    text: str = ""
    ref: Ref | None = None
    page: Page | PluginName = ""
    container: str = ""
    previous: bool = False
    instead: Step | None = None


@dataclass(frozen=True, slots=True)
class LogWish:
    """A log whose last lines would show the cause. Whoever may read it shows them; the rules do not need them."""

    namespace: str
    pod: str
    container: str
    previous: bool
    # When that run ended: another crash is the same log with other lines.
    ended: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with one pod, said so that it also serves for many.

    ``one`` and ``many`` are the verb for one pod and for several ("keeps crashing", "keep crashing"), ``rest`` is
    what follows it in the sentence. ``because`` are objects whose own findings explain this one; ``shared`` tells
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
    because: tuple[Ref, ...] = ()
    shared: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem in plain words. ``weight`` orders findings of the same severity, greater first.

    ``follows`` names the object whose own finding causes this one: nothing is to be done here. ``shared``, when it is
    not empty, is equal for findings of one rule with one cause. ``reliance`` tells what relies on the object (see
    ``reliance.py``), and orders findings of the same weight. ``pod`` is the pod that the sentence speaks of, when
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
    reliance: tuple[int, int, int] = (0, 0, 0)

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

    def following(self, *causes: Finding) -> Finding:
        """The same as a consequence of other findings, which then are the next step."""
        if not causes:
            return self
        first, named = causes[0], listed(dict.fromkeys(title(cause.ref) for cause in causes))
        step = Step(f"Caused by {named}; nothing to do here.", first.ref)
        return replace(self, step=step, since=first.since, follows=first.ref)


def subject(ref: Ref) -> Parts:
    """How a sentence about an object begins: its kind and name, and where it is."""
    where = f" in {ref.namespace}" if ref.namespace else ""
    return parts(bold(title(ref)), where)


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


# What was found so far, by the object it is about: later rules say what follows from it.
Known = dict[Ref, Finding]
