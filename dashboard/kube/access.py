"""What the account may do, by SelfSubjectAccessReview; answers are kept for a few seconds.

Where hundreds of kinds are asked about at once, a SelfSubjectRulesReview tells of all of them in a namespace.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import msgspec

from dashboard.kinds.base import GVR
from dashboard.kube.transport import Transport

__all__ = ["Decision", "Rules", "allowed", "rules_in"]

PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
RULES_PATH = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
KEEP_SECONDS = 10.0
KEEP_ANSWERS = 2048
# A review takes milliseconds; pages wait for it.
ASK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Decision:
    """``reason`` is the authorizer's, which may be empty."""

    allowed: bool
    reason: str


class _Status(msgspec.Struct, frozen=True):
    allowed: bool = False
    reason: str = ""


class _Review(msgspec.Struct, frozen=True):
    status: _Status = _Status()


_Key = tuple[str, GVR, str | None, str | None, str | None]
_answers: WeakKeyDictionary[Transport, dict[_Key, tuple[float, Decision]]] = WeakKeyDictionary()


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
    answers = _answers.setdefault(transport, {})
    key = (verb, gvr, namespace, name, subresource)
    now = time.monotonic()
    if (kept := answers.get(key)) and now - kept[0] < KEEP_SECONDS:
        return kept[1]
    attributes = {
        "verb": verb,
        "group": gvr.group,
        "version": gvr.version,
        "resource": gvr.plural,
        "subresource": subresource or "",
        "namespace": namespace or "",
        "name": name or "",
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    response = await transport.request("POST", PATH, body=msgspec.json.encode(review), timeout=ASK_SECONDS)
    status = msgspec.json.decode(response.body, type=_Review).status
    decision = Decision(status.allowed, status.reason)
    answers.pop(key, None)
    answers[key] = (now, decision)
    if len(answers) > KEEP_ANSWERS:
        del answers[next(iter(answers))]
    return decision


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
        return self.incomplete or any(
            not rule.resource_names
            and not {"*", verb}.isdisjoint(rule.verbs)
            and not {"*", gvr.group}.isdisjoint(rule.api_groups or ())
            and not {"*", gvr.plural}.isdisjoint(rule.resources or ())
            for rule in self.resource_rules or ()
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
    return msgspec.json.decode(response.body, type=_RulesReview).status
