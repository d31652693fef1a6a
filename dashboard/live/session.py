"""The one way of somebody to a cluster: what may be read of the cache, and the account for everything else.

Nothing that is made for somebody reaches the cache, or the API server, in another way (docs/adr/0039).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakSet

from dashboard.errors import ClusterError, Forbidden, NotSignedIn, Unavailable
from dashboard.kinds.base import GVR
from dashboard.kube.access import Question, Reviews, reviews_of
from dashboard.kube.acting import Acting
from dashboard.kube.openapi import OpenApi
from dashboard.kube.subjectreviews import SubjectReviews
from dashboard.kube.transport import Transport
from dashboard.kube.whoami import UserInfo, who_am_i
from dashboard.queries.access import STANDS_SECONDS, Visible, visible
from dashboard.queries.counts import Counts
from dashboard.queries.seenreader import SeenReader
from dashboard.queries.unwatched import Unwatched
from dashboard.rights import MissingRight

if TYPE_CHECKING:
    from .runtime import ClusterRuntime

INSTALLATION = "the installation"
KNOWN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Identity:
    """``user``: who, by the name in the dashboard; ``account``: as what the cluster knows them. Who shares an
    account shares its rights.

    ``acting``: how a transport becomes that account, None for the installation's; ``known_as`` its user and groups in the
    cluster. ``sign_in`` is the key of the session that the way there is kept in, "" where none is.
    """

    user: str
    account: str = INSTALLATION
    acting: Acting | None = field(default=None, repr=False, compare=False)
    known_as: Hashable = field(default=None, compare=False)
    sign_in: str = field(default="", repr=False, compare=False)

    def __str__(self) -> str:
        return self.user if self.account == self.user else f"{self.user} as {self.account}"


THE_INSTALLATION = Identity(INSTALLATION)  # whatever the dashboard does for itself


class Account:
    """What one account of a cluster has of its own: its connection, what it may, what was listed or counted as it."""

    def __init__(self, name: str, cluster: ClusterRuntime, transport: Transport) -> None:
        self.name = name
        self.used_at = float("-inf")  # by the clock of ``time.monotonic()``
        self.sights: WeakSet[Sight] = WeakSet()
        self.transport = transport
        self.reviews: Reviews = reviews_of(transport)
        self.counts = Counts(cluster.installation.cache, transport)
        self.unwatched = Unwatched(cluster.installation.cache, transport)
        self.openapi = OpenApi(transport)
        self.subject_reviews = SubjectReviews(transport)
        self.known_as: tuple[float, UserInfo] | None = None

    async def whoami(self) -> UserInfo:
        """As whom the cluster knows it. Raises what ``who_am_i`` raises."""
        now = time.monotonic()
        if self.known_as is None or now - self.known_as[0] >= KNOWN_SECONDS:
            self.known_as = now, await who_am_i(self.transport)
        return self.known_as[1]

    def is_idle(self, since: float) -> bool:
        """Whether nobody has a session of it, nor had one since."""
        return not self.sights and self.used_at < since

    async def close(self) -> None:
        await self.unwatched.close()


class Sight:
    """What somebody may see, for what several people share who may see the same: the cache, through ``reader``, and every
    decision that was asked for. Past the cache it leads only where a decision says so (``permitted``).
    """

    def __init__(
        self, identity: Identity, cluster: ClusterRuntime, account: Account, reader: SeenReader
    ) -> None:
        self.identity = identity
        self.cluster = cluster
        self.reader = reader
        self._account = account
        account.sights.add(self)
        self._answers: dict[Question, bool] = {}

    @property
    def visible(self) -> Mapping[str, Visible]:
        """Where the kinds of the last ``review`` may be listed; nobody sees another kind."""
        return self.reader.visible

    async def review(self, plurals: Iterable[str]) -> Mapping[str, Visible]:
        """Asks where each of these kinds may be listed; from now on the reader shows just that.

        Raises NotSignedIn when the cluster refuses the token that somebody acts with.
        """
        names = sorted(plurals)
        answers = await asyncio.gather(
            *(visible(self._account.reviews, self.cluster.installation.cache, name) for name in names)
        )
        for answer in answers:
            if isinstance(answer.unknown, NotSignedIn):
                raise answer.unknown
        self.reader.visible = dict(zip(names, answers, strict=True))
        await self.reader.judge()
        return self.reader.visible

    async def still_lists(self, seen: Mapping[str, Visible]) -> bool:
        """Whether all that was visible at a ``review`` may be listed still, whatever is cached by now. Raises a
        ClusterError when the API server cannot be asked.
        """
        kinds = self.cluster.kinds
        questions = [
            Question("list", kinds[plural].gvr, namespace)
            for plural, each in seen.items()
            if plural in kinds
            for namespace in ([None] if each.namespaces is None else sorted(each.namespaces))
        ]
        reviews = self._account.reviews
        asked = (
            reviews.decide(each) if each.namespace is None else reviews.decide_in(each) for each in questions
        )
        return all(each.allowed for each in await asyncio.gather(*asked))

    def must_see(self, plural: str, namespace: str) -> None:
        """Raises Forbidden when a kind may not be listed in a namespace ("": one without), and what else it was when that
        could not be found out, or was not yet.
        """
        seen = self.visible[plural]
        if (refusal := seen.refusal(plural, frozenset({namespace}) if namespace else None)) is not None:
            raise refusal
        if seen.unknown is not None:
            raise seen.unknown
        if seen.namespaces == frozenset():
            raise Unavailable(
                f"It is not known yet whether you may list {plural}.",
                next_step="Load the page again in a moment.",
            )

    async def may(
        self,
        verb: str,
        gvr: GVR,
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
    ) -> bool:
        """Whether this may be done. Unknown is no, unless it was a yes here before: what is open stays as it is while the
        API server cannot be asked.
        """
        return await self._may(Question(verb, gvr, namespace, name, subresource))

    async def decide(
        self,
        verb: str,
        gvr: GVR,
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
    ) -> bool:
        """Whether this may be done. Raises a ClusterError when the API server cannot be asked."""
        return await self._decide(Question(verb, gvr, namespace, name, subresource))

    async def require(
        self,
        verb: str,
        gvr: GVR,
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
    ) -> None:
        """Raises Forbidden when this may not be done, and what else it was when the API server cannot be asked."""
        if not await self._decide(Question(verb, gvr, namespace, name, subresource)):
            resource = f"{gvr.plural}/{subresource}" if subresource else gvr.plural
            raise MissingRight(
                verb, resource, namespace=namespace or "", message=f"You may not {verb} {resource}."
            )

    async def permitted(
        self,
        verb: str,
        gvr: GVR,
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
    ) -> Transport | None:
        """The way past the cache for this one thing, if it may be done: who shares what is read has the same decision."""
        allowed = await self.may(verb, gvr, namespace=namespace, name=name, subresource=subresource)
        return self._account.transport if allowed else None

    async def _may(self, question: Question) -> bool:
        try:
            return await self._decide(question)
        except Forbidden:
            self._answers[question] = False
        except ClusterError as error:
            last = self._account.reviews.last(question)
            stands = last is not None and last[0] < STANDS_SECONDS and last[1].allowed
            if isinstance(error, NotSignedIn):
                self._answers[question] = False
            self._answers.setdefault(question, stands)
        return self._answers[question]

    async def _decide(self, question: Question) -> bool:
        decision = await self._account.reviews.decide(question)
        self._answers[question] = decision.allowed
        return decision.allowed

    @property
    def decided(self) -> Hashable:
        """Every decision so far: two who have the same may share whatever was made of it."""
        return rights_key(self.visible), frozenset(self._answers.items())

    async def follow(self, other: Sight) -> None:
        """Asks what the other one asked."""
        questions = tuple(other._answers)
        await asyncio.gather(self.review(other.visible), *map(self._may, questions))
        self._answers = {question: self._answers[question] for question in questions}


class Session(Sight):
    """``Session(identity, cluster, transport, reader)``: the same for one account alone, with the account's transport and
    what was listed or counted with it. Views make it from the request, consumers from the scope.
    """

    @property
    def transport(self) -> Transport:
        return self._account.transport

    @property
    def reviews(self) -> Reviews:
        """For parts of one viewer that ask about many rights at once: what they show depends on the account anyway."""
        return self._account.reviews

    @property
    def subject_reviews(self) -> SubjectReviews:
        """What others may do, as far as the account may ask."""
        return self._account.subject_reviews

    async def whoami(self) -> UserInfo:
        """As whom the cluster knows the account. Raises a ClusterError where it doesn't say."""
        return await self._account.whoami()

    @property
    def counts(self) -> Counts:
        return self._account.counts

    @property
    def unwatched(self) -> Unwatched:
        return self._account.unwatched

    @property
    def openapi(self) -> OpenApi:
        return self._account.openapi

    def again(self) -> Session:
        """The same, with nothing decided yet: each screen has its own, so that its decisions are just those that it
        depends on.
        """
        return type(self)(self.identity, self.cluster, self._account, self.reader.again())


def rights_key(seen: Mapping[str, Visible]) -> Hashable:
    """Rights as part of a screen's key: whoever may see the same shares what is rendered, nobody else."""
    return tuple(
        (plural, each.namespaces, each.denied is None, each.unknown is None)
        for plural, each in sorted(seen.items())
    )
