"""What an account may do, by SelfSubjectAccessReview; answers are kept for a few seconds.

A SelfSubjectRulesReview tells of all kinds in one namespace at once. It decides only where it is complete: an authorizer
such as a webhook may have no rules to tell, or evaluating them may fail (``incomplete``). It knows nothing of what holds
in the whole cluster, and rules for single names are none for a list.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import msgspec

from dashboard.errors import ClusterError, Forbidden, NotSignedIn
from dashboard.kinds.base import GVR
from dashboard.kube.answers import read_answer
from dashboard.kube.transport import Transport

__all__ = ["Decision", "Question", "Reviews", "Rules", "allowed", "reviews_of", "rules_in"]

PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
RULES_PATH = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
NAMELESS = frozenset({"create", "deletecollection", "list", "watch"})
KEEP_SECONDS = 10.0
KEEP_NO_SECONDS = 30.0  # that nothing is allowed in a namespace: most accounts may look into few of them
KEEP_ANSWERS = 32_768
KEEP_RULES = 1024
AT_ONCE = 32  # questions of one account: a page asks about each kind, perhaps in each of 50 namespaces
# A review takes milliseconds; pages wait for it.
ASK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Decision:
    """``reason`` is the authorizer's, which may be empty."""

    allowed: bool
    reason: str


class Question(NamedTuple):
    """Whether an account may do something; without a namespace: in all of them."""

    verb: str
    gvr: GVR
    namespace: str | None = None
    name: str | None = None
    subresource: str | None = None


class _Status(msgspec.Struct, frozen=True):
    allowed: bool = False
    reason: str = ""


class _Review(msgspec.Struct, frozen=True):
    status: _Status = _Status()


class Reviews:
    """The questions of one account and their answers. Use it on one event loop.

    The same question is asked once for all who ask it meanwhile, and ``AT_ONCE`` at a time. While the API server cannot
    be asked, those that wait are not sent one after the other into the same silence.
    """

    def __init__(self, transport: Transport, clock: Callable[[], float] = time.monotonic) -> None:
        self.transport = transport
        self._clock = clock
        self._answers: dict[Question, tuple[float, Decision]] = {}
        self._rules: dict[str, tuple[float, Rules]] = {}
        self._listed: dict[str, frozenset[tuple[str, str]]] = {}  # what they say of lists
        self._asking: dict[Question | str, asyncio.Task[Any]] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._failed: tuple[float, ClusterError] | None = None

    async def decide(self, question: Question) -> Decision:
        """The answer, at most ``KEEP_SECONDS`` old. Raises a ClusterError when the API server cannot be asked."""
        kept = self._answers.get(question)
        if kept is not None and self._clock() - kept[0] < KEEP_SECONDS:
            return kept[1]
        decision: Decision = await self._once(question, self._decide)
        return decision

    async def decide_in(self, question: Question) -> Decision:
        """The same of every object of a kind in a namespace, where other kinds, or other namespaces, are asked about too:
        one request tells of all kinds. A no may be ``KEEP_NO_SECONDS`` old.
        """
        namespace = question.namespace or ""
        kept = self._answers.get(question)
        if kept is not None:
            keep = KEEP_SECONDS if kept[1].allowed else KEEP_NO_SECONDS
            if self._clock() - kept[0] < keep:
                return kept[1]
        asked, rules = await self._rules_of(namespace)
        if rules.incomplete:
            return await self.decide(question)
        decision = Decision(rules.may(question.verb, question.gvr), "")
        self._keep(question, decision, asked)  # it is as old as they are
        return decision

    async def listing(self, gvr: GVR, namespaces: Collection[str]) -> frozenset[str]:
        """Those of the namespaces in which the account may list a kind, as its rules tell it, once for all kinds. Where
        they are not complete nothing is said; where they can't be read just now, what they said last. It is for
        namespaces that hold nothing of the kind: to see an object, ask ``decide_in``.
        """
        old = [each for each in namespaces if self._rules_are_old(each)]
        if old:
            asked = (self._once(each, self._read_rules) for each in old)
            await asyncio.gather(*asked, return_exceptions=True)
        kind, groups = {"*", gvr.plural}, {"*", gvr.group}
        wanted = {(group, plural) for group in groups for plural in kind}
        return frozenset(each for each in namespaces if self._listed.get(each, frozenset()) & wanted)

    def _rules_are_old(self, namespace: str) -> bool:
        if namespace not in self._rules:
            return True
        keep = KEEP_SECONDS if self._listed[namespace] else KEEP_NO_SECONDS
        return self._clock() - self._rules[namespace][0] >= keep

    async def rules(self, namespace: str) -> Rules:
        """What the authorizers tell of a namespace, at most ``KEEP_SECONDS`` old."""
        return (await self._rules_of(namespace))[1]

    async def _rules_of(self, namespace: str) -> tuple[float, Rules]:
        """The same, and when they were asked for."""
        kept = self._rules.get(namespace)
        if kept is not None and self._clock() - kept[0] < KEEP_SECONDS:
            return kept
        found: tuple[float, Rules] = await self._once(namespace, self._read_rules)
        return found

    def last(self, question: Question) -> tuple[float, Decision] | None:
        """The latest answer, however old, and its age in seconds; None for what was never answered."""
        kept = self._answers.get(question)
        return None if kept is None else (self._clock() - kept[0], kept[1])

    async def _once(self, key: Any, ask: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._in_turn(key, ask), name="access review")
            task.add_done_callback(lambda done: self._asked(key, done))
        # Whoever stops waiting ends nobody else's question.
        return await asyncio.shield(task)

    def _asked(self, key: Any, task: asyncio.Task[Any]) -> None:
        del self._asking[key]
        if not task.cancelled():
            task.exception()  # told to whoever still waits

    async def _in_turn(self, key: Any, ask: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        began = self._clock()
        async with self._gate:
            if self._failed is not None and self._failed[0] >= began:
                raise self._failed[1]
            try:
                return await ask(key)
            except Forbidden:
                raise
            except ClusterError as error:
                if isinstance(error, NotSignedIn):  # nothing that it was told stands on
                    self._answers.clear()
                    self._rules.clear()
                    self._listed.clear()
                self._failed = self._clock(), error
                raise

    async def _decide(self, question: Question) -> Decision:
        asked = self._clock()
        decision = await _answer(self.transport, question)
        self._keep(question, decision, asked)
        return decision

    async def _read_rules(self, namespace: str) -> tuple[float, Rules]:
        asked = self._clock()
        rules = await rules_in(self.transport, namespace)
        self._rules.pop(namespace, None)
        self._rules[namespace] = (asked, rules)
        self._listed[namespace] = rules.listed()
        if len(self._rules) > KEEP_RULES:
            oldest = next(iter(self._rules))
            del self._rules[oldest], self._listed[oldest]
        return asked, rules

    def _keep(self, question: Question, decision: Decision, asked: float) -> None:
        """The latest stand last; the oldest go."""
        self._answers.pop(question, None)
        self._answers[question] = (asked, decision)
        if len(self._answers) > KEEP_ANSWERS:
            del self._answers[next(iter(self._answers))]


_reviews: WeakKeyDictionary[Transport, Reviews] = WeakKeyDictionary()


def reviews_of(transport: Transport) -> Reviews:
    """Those of the transport's account: an account has one transport."""
    found = _reviews.get(transport)
    if found is None:
        found = _reviews[transport] = Reviews(transport)
    return found


async def allowed(
    transport: Transport,
    verb: str,
    gvr: GVR,
    *,
    namespace: str | None = None,
    name: str | None = None,
    subresource: str | None = None,
) -> Decision:
    """Whether the transport's account may do this; without a namespace: in all of them.

    Raises a ClusterError when the API server cannot be asked.
    """
    return await reviews_of(transport).decide(Question(verb, gvr, namespace, name, subresource))


async def _answer(transport: Transport, question: Question) -> Decision:
    attributes = {
        "verb": question.verb,
        "group": question.gvr.group,
        "version": question.gvr.version,
        "resource": question.gvr.plural,
        "subresource": question.subresource or "",
        "namespace": question.namespace or "",
        "name": question.name or "",
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    response = await transport.request("POST", PATH, body=msgspec.json.encode(review), timeout=ASK_SECONDS)
    status = read_answer(response.body, _Review).status
    return Decision(status.allowed, status.reason)


class _Rule(msgspec.Struct, frozen=True, rename="camel"):
    verbs: tuple[str, ...] = ()
    api_groups: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None
    resource_names: tuple[str, ...] | None = None


class Rules(msgspec.Struct, frozen=True, rename="camel"):
    """What the authorizers tell of an account's rights in one namespace. ``incomplete``: it may have others too."""

    resource_rules: tuple[_Rule, ...] | None = None
    incomplete: bool = False

    def may(self, verb: str, gvr: GVR) -> bool:
        """Whether this may be done to every object of a kind, or may be allowed by who does not tell."""
        return self.incomplete or self.grant(verb, gvr)

    def grant(self, verb: str, gvr: GVR, subresource: str = "") -> bool:
        """Whether they say that this may be done to every object of a kind."""
        return any(not rule.resource_names for rule in self._covering(verb, gvr, subresource))

    def named(self, verb: str, gvr: GVR, subresource: str = "") -> frozenset[str]:
        """The names of objects with which they say that this may be done; what is created, or listed, has none."""
        if verb in NAMELESS and not subresource:
            return frozenset()
        rules = self._covering(verb, gvr, subresource)
        return frozenset(name for rule in rules for name in rule.resource_names or ())

    def _covering(self, verb: str, gvr: GVR, subresource: str) -> Iterator[_Rule]:
        """Those about this, be it with some names only."""
        whole = f"{gvr.plural}/{subresource}" if subresource else gvr.plural
        of_all = f"*/{subresource}" if subresource else "*"
        for rule in self.resource_rules or ():
            if (
                not {"*", verb}.isdisjoint(rule.verbs)
                and not {"*", gvr.group}.isdisjoint(rule.api_groups or ())
                and not {"*", whole, of_all}.isdisjoint(rule.resources or ())
            ):
                yield rule

    def listed(self) -> frozenset[tuple[str, str]]:
        """The groups and resources that may be listed as a whole, "*" for all; none where there may be more to tell."""
        return frozenset(
            (group, resource)
            for rule in (() if self.incomplete else self.resource_rules or ())
            if not rule.resource_names and not {"*", "list"}.isdisjoint(rule.verbs)
            for group in rule.api_groups or ()
            for resource in rule.resources or ()
        )


class _RulesReview(msgspec.Struct, frozen=True):
    status: Rules = Rules()


async def rules_in(transport: Transport, namespace: str) -> Rules:
    """The account's rules in a namespace. Raises a ClusterError when the API server cannot be asked."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    response = await transport.request(
        "POST", RULES_PATH, body=msgspec.json.encode(review), timeout=ASK_SECONDS
    )
    return read_answer(response.body, _RulesReview).status
