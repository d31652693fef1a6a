"""Where a user may see what is used: rights to the objects and to their metrics, both by access reviews."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from dashboard.errors import ClusterError, Forbidden
from dashboard.kinds.base import GVR
from dashboard.kinds.usage import NODE_METRICS, POD_METRICS
from dashboard.kube.access import allowed
from dashboard.kube.transport import Transport

from .access import Visible

NOT_YET = Visible(frozenset())


@dataclass(frozen=True)
class UsageRights:
    """What of usage may be shown. Each is as :class:`Visible` of a kind: nobody learns here what
    ``kubectl top`` would refuse them."""

    nodes: Visible = NOT_YET
    pods: Visible = NOT_YET

    @property
    def key(self) -> tuple[bool, bool, frozenset[str] | None]:
        """For a screen's key."""
        return self.nodes.denied is None, self.pods.denied is None, self.pods.namespaces

    def sees_pods_in(self, namespace: str) -> bool:
        within = self.pods.namespaces
        return self.pods.denied is None and (within is None or namespace in within)

    @property
    def sees_nodes(self) -> bool:
        return self.nodes.denied is None and self.nodes.namespaces is None


async def usage_rights(
    transport: Transport, *, pods: Visible = NOT_YET, nodes: Visible = NOT_YET
) -> UsageRights:
    """Out of where the user may list pods and nodes, what remains with the right to list their metrics.

    While the API server cannot be asked, what was seen stays.
    """
    of_nodes, of_pods = await asyncio.gather(
        _also(transport, NODE_METRICS, nodes), _also(transport, POD_METRICS, pods)
    )
    return UsageRights(of_nodes, of_pods)


async def _also(transport: Transport, metrics: GVR, objects: Visible) -> Visible:
    if objects.denied is not None or objects is NOT_YET:
        return objects
    try:
        if (await allowed(transport, "list", metrics)).allowed:
            return objects
        refusal = _refusal(metrics)
        if not metrics.namespaced or objects.namespaces is None:
            return Visible(frozenset(), refusal)
        names = sorted(objects.namespaces)
        answers = await asyncio.gather(
            *(allowed(transport, "list", metrics, namespace=name) for name in names)
        )
    except Forbidden as error:
        return Visible(frozenset(), error)
    except ClusterError:
        return objects
    seen = frozenset(name for name, answer in zip(names, answers, strict=True) if answer.allowed)
    return Visible(seen) if seen else Visible(frozenset(), refusal)


def _refusal(metrics: GVR) -> Forbidden:
    resource = f"{metrics.plural}.{metrics.group}"
    return Forbidden(f"You may not list {resource}.", verb="list", resource=resource)
