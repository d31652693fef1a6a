"""Where a user may see what is used: rights to the objects and to their metrics, both by access reviews."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from dashboard.errors import Forbidden
from dashboard.kinds.base import GVR
from dashboard.kinds.usage import NODE_METRICS, POD_METRICS
from dashboard.rights import MissingRight

from .access import Visible

NOT_YET = Visible(frozenset())


@dataclass(frozen=True)
class UsageRights:
    """What of usage may be shown. Each is as :class:`Visible` of a kind: nobody learns here what
    ``kubectl top`` would refuse them."""

    nodes: Visible = NOT_YET
    pods: Visible = NOT_YET

    def sees_pods_in(self, namespace: str) -> bool:
        within = self.pods.namespaces
        return self.pods.denied is None and (within is None or namespace in within)

    @property
    def sees_nodes(self) -> bool:
        return self.nodes.denied is None and self.nodes.namespaces is None


class May(Protocol):
    """Whether something may be done, as a session asks it."""

    async def may(self, verb: str, gvr: GVR, *, namespace: str | None = None) -> bool: ...


async def usage_rights(sight: May, *, pods: Visible = NOT_YET, nodes: Visible = NOT_YET) -> UsageRights:
    """Out of where the user may list pods and nodes, what remains with the right to list their metrics."""
    of_nodes, of_pods = await asyncio.gather(
        _also(sight, NODE_METRICS, nodes), _also(sight, POD_METRICS, pods)
    )
    return UsageRights(of_nodes, of_pods)


async def _also(sight: May, metrics: GVR, objects: Visible) -> Visible:
    if objects.denied is not None or objects is NOT_YET:
        return objects
    if await sight.may("list", metrics):
        return objects
    refusal = Visible(frozenset(), _refusal(metrics))
    if not metrics.namespaced or objects.namespaces is None:
        return refusal
    names = sorted(objects.namespaces)
    answers = await asyncio.gather(*(sight.may("list", metrics, namespace=name) for name in names))
    seen = frozenset(name for name, may in zip(names, answers, strict=True) if may)
    return Visible(seen) if seen else refusal


def _refusal(metrics: GVR) -> Forbidden:
    resource = f"{metrics.plural}.{metrics.group}"
    return MissingRight("list", resource, message=f"You may not list {resource}.")
