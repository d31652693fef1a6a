"""What a user may read, by access reviews made as the user (rule 4)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from dashboard.cache.cluster import ClusterCache
from dashboard.errors import ClusterError, Forbidden
from dashboard.kube.access import allowed
from dashboard.kube.transport import Transport


@dataclass(frozen=True)
class Visible:
    """Of one kind: in which namespaces it may be listed (None: in all), or the refusal."""

    namespaces: frozenset[str] | None = None
    denied: Forbidden | None = None

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
        return Forbidden(
            f"You may not list {plural} in {where}.", verb="list", resource=plural, namespace=where
        )


async def visible(transport: Transport, cache: ClusterCache, plural: str) -> Visible:
    """Where the user may list a kind; nowhere, without a refusal, while that is not known yet.

    Asked anew at every look (the answers are kept for seconds only): the API server lets an open watch run on when
    the right to it is taken away, so the watch itself proves nothing.
    """
    if (refusal := cache.denied(plural)) is not None:
        return Visible(frozenset(), refusal)
    if not cache.settled(plural):
        return Visible(
            frozenset()
        )  # whether all of it or some namespaces may be read is still being found out
    kind = cache.kinds[plural]
    scopes = cache.scopes(plural)
    try:
        if scopes is None:
            decision = await allowed(transport, "list", kind.gvr)
            return Visible() if decision.allowed else Visible(frozenset(), _refusal(plural))
        decisions = await asyncio.gather(
            *(allowed(transport, "list", kind.gvr, namespace=namespace) for namespace in sorted(scopes))
        )
    except ClusterError as error:
        if isinstance(error, Forbidden):
            return Visible(frozenset(), error)
        # An API server that is away can answer no review. What was allowed stays on screen, marked as not fresh.
        return Visible(scopes)
    seen = frozenset(
        namespace for namespace, decision in zip(sorted(scopes), decisions, strict=True) if decision.allowed
    )
    return Visible(seen) if seen else Visible(frozenset(), _refusal(plural))


def _refusal(plural: str) -> Forbidden:
    return Forbidden(f"You may not list {plural}.", verb="list", resource=plural)
