"""What a user may read, by access reviews made as the user (rule 4)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.cache.cluster import ClusterCache
from dashboard.errors import ClusterError, Forbidden
from dashboard.kube.access import Question, Reviews
from dashboard.rights import MissingRight

STANDS_SECONDS = 30.0
MAX_NAMESPACES = 500  # asked about one by one


@dataclass(frozen=True)
class Visible:
    """Of one kind: in which namespaces it may be listed (None: in all), or the refusal. ``unknown``: why it could not be
    found out, which counts as a no.
    """

    namespaces: frozenset[str] | None = None
    denied: Forbidden | None = None
    unknown: ClusterError | None = None

    def within(self, chosen: frozenset[str] | None) -> frozenset[str] | None:
        """The chosen namespaces that may be seen; nothing chosen means all that may be."""
        if self.denied is not None:
            return frozenset()
        if self.namespaces is None:
            return chosen
        return self.namespaces if chosen is None else self.namespaces & chosen

    def refusal(self, plural: str, chosen: frozenset[str] | None) -> Forbidden | None:
        """Why nothing may be seen of the chosen namespaces; None where something may."""
        if self.denied is not None or not self.namespaces or not chosen or self.namespaces & chosen:
            return self.denied
        where = min(chosen)
        return _no_list(plural, where)


def _no_list(plural: str, namespace: str = "") -> Forbidden:
    where = f" in {namespace}" if namespace else ""
    return MissingRight("list", plural, namespace=namespace, message=f"You may not list {plural}{where}.")


async def visible(reviews: Reviews, cache: ClusterCache, plural: str) -> Visible:
    """Where the account of the reviews may list a kind, of what is cached; nowhere, without a refusal, while that is not
    known yet.

    Asked anew at every look (the answers are kept for seconds only): the API server lets an open watch run on when
    the right to it is taken away, so the watch itself proves nothing.
    """
    if (refusal := cache.denied(plural)) is not None:
        return Visible(frozenset(), refusal)
    if not cache.begun(plural):
        # Whether all of it or some namespaces may be read is still being found out.
        return Visible(frozenset())
    gvr, scopes = cache.kinds[plural].gvr, cache.scopes(plural)
    still = cache.status(plural).state not in ("starting", "live")
    asked: Sequence[str | None] = [None] if scopes is None else sorted(scopes)
    empty = frozenset[str]()
    answers = [await _listable(reviews, Question("list", gvr), still=still)] if scopes is None else []
    if answers == [True]:
        return Visible()
    if answers == [False] and gvr.namespaced:
        # Cached as a whole, for an account that may not list it as a whole: it may in some namespaces.
        holding = cache.store(plural).namespaces()
        asked = sorted(holding)[:MAX_NAMESPACES]
        answers = []
        # Nor is it refused where there is none of it.
        others = {each.metadata.name for each in cache.store("namespaces").values()} - holding
        empty = await reviews.listing(gvr, sorted(others)[:MAX_NAMESPACES])
    if not answers:
        questions = (_listable(reviews, Question("list", gvr, each), still=still) for each in asked)
        answers = await asyncio.gather(*questions)
    seen = frozenset(each for each, answer in zip(asked, answers, strict=True) if each and answer is True)
    if not any(isinstance(answer, ClusterError) for answer in answers):
        seen |= empty
    if seen:
        return Visible(seen)
    unknown = next((answer for answer in answers if isinstance(answer, ClusterError)), None)
    if isinstance(unknown, Forbidden):  # not even to ask
        return Visible(frozenset(), unknown)
    if unknown is not None:
        return Visible(frozenset(), unknown=unknown)
    return Visible(frozenset(), _no_list(plural))


async def _listable(reviews: Reviews, question: Question, *, still: bool) -> bool | ClusterError:
    """Whether this account may; the error while that is unknown, which is a no.

    An API server that is away answers no review. An answer that this very account was given before stands meanwhile:
    as long as nothing new comes in (``still``), so that what is on screen stays there, marked as not fresh; and for
    ``STANDS_SECONDS`` from its giving where the watch goes on. What was never answered is no: there is no new right
    without an answer.
    """
    decide = reviews.decide if question.namespace is None else reviews.decide_in
    try:
        return (await decide(question)).allowed
    except Forbidden as error:
        return error
    except ClusterError as error:
        last = reviews.last(question)
        if last is None or not (still or last[0] < STANDS_SECONDS):
            return error
        return last[1].allowed
