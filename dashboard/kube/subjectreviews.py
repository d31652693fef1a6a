"""What others may do, by SubjectAccessReview: the API server's own answer beside one that was worked out.

Asking takes a right of its own, ``create`` on ``subjectaccessreviews``, which whoever asks has or has not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from dashboard.errors import ClusterError, Forbidden, NotSignedIn
from dashboard.kinds.base import GVR
from dashboard.kube.answers import read_answer
from dashboard.kube.transport import Transport

__all__ = ["SUBJECT_REVIEWS", "OthersQuestion", "SubjectReviews"]

SUBJECT_REVIEWS = GVR("authorization.k8s.io", "v1", "subjectaccessreviews", namespaced=False)
KEEP_YES_SECONDS = 60.0
KEEP_ANSWERS = 4096
AT_ONCE = 8
ASK_SECONDS = 5.0
ALL_SECONDS = 3.0  # what is not answered by then is not known: a page waits for it


class OthersQuestion(NamedTuple):
    """Whether somebody may do something: a user, with groups or without, or who is in the groups alone. Without a
    namespace: in all of them. ``url`` is an address that is no resource.
    """

    user: str
    groups: tuple[str, ...]
    verb: str
    resource: str = ""
    group: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    url: str = ""


class _Status(msgspec.Struct, frozen=True):
    allowed: bool = False


class _Review(msgspec.Struct, frozen=True):
    status: _Status = _Status()


class SubjectReviews:
    """The questions of one account about others. A yes is kept for a minute, a no is asked again each time: it may be of
    a binding that the authorizer has not heard of yet. Use it on one event loop.
    """

    def __init__(self, transport: Transport, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport
        self._clock = clock
        self._allowed: dict[OthersQuestion, float] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def decide(self, questions: Iterable[OthersQuestion]) -> Mapping[OthersQuestion, bool]:
        """Those that were answered in time. Raises NotSignedIn where the account that asks is none any more, Forbidden
        where it may not ask.
        """
        found: dict[OthersQuestion, bool] = {}

        async def answer(question: OthersQuestion) -> None:
            if self._clock() - self._allowed.get(question, float("-inf")) < KEEP_YES_SECONDS:
                found[question] = True
                return
            async with self._gate:
                try:
                    allowed = await self._ask(question)
                except (NotSignedIn, Forbidden):
                    raise
                except ClusterError:
                    return  # not known
            found[question] = allowed
            self._keep(question, allowed)

        asked = [asyncio.create_task(answer(each)) for each in dict.fromkeys(questions)]
        if not asked:
            return found
        try:
            done, _ = await asyncio.wait(asked, timeout=ALL_SECONDS, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in asked:
                task.cancel()
        for task in done:
            task.result()
        return found

    async def _ask(self, question: OthersQuestion) -> bool:
        spec: dict[str, object] = {"user": question.user, "groups": list(question.groups)}
        if question.url:
            spec["nonResourceAttributes"] = {"path": question.url, "verb": question.verb}
        else:
            spec["resourceAttributes"] = {
                "verb": question.verb,
                "group": question.group,
                "resource": question.resource,
                "subresource": question.subresource,
                "namespace": question.namespace,
                "name": question.name,
            }
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        response = await self._transport.request(
            "POST", SUBJECT_REVIEWS.path(), body=msgspec.json.encode(review), timeout=ASK_SECONDS
        )
        return read_answer(response.body, _Review).status.allowed

    def _keep(self, question: OthersQuestion, allowed: bool) -> None:
        self._allowed.pop(question, None)
        if allowed:
            self._allowed[question] = self._clock()
            if len(self._allowed) > KEEP_ANSWERS:
                del self._allowed[next(iter(self._allowed))]
