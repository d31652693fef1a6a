"""What the account may do, by SelfSubjectAccessReview; answers are kept for a few seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import msgspec

from dashboard.kinds.base import GVR
from dashboard.kube.transport import Transport

__all__ = ["Decision", "allowed"]

PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
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
