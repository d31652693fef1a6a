"""How full volumes are, as the kubelets tell: ``/stats/summary`` of a node, through the API server, as the user.

The cluster keeps no such figures anywhere else. Reading them takes the right to ``get nodes/proxy``, which is a strong
one: who lacks it is told so, and sees everything else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from weakref import WeakKeyDictionary

import msgspec

from dashboard.errors import ClusterError
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR
from dashboard.kinds.meta import Struct
from dashboard.kinds.pods import Pod
from dashboard.kinds.podspec import Volume
from dashboard.kube.prometheus import Prometheus
from dashboard.kube.transport import Transport

from .prometheus import PromQL

NODES_AT_ONCE = 8  # a page that shows more nodes says how many it left out
ASK_SECONDS = 5.0
KEEP_SECONDS = 30.0
UNREACHED = "Ask whoever runs the cluster whether its API server reaches that node's kubelet, by default at port 10250."

Place = tuple[str, str, str]  # namespace, pod, volume


@dataclass(frozen=True, slots=True)
class Fill:
    """Of one volume, in bytes."""

    used: int
    capacity: int
    free: int

    @property
    def share(self) -> float:
        """The used part of what can be used, from 0 to 1: the file system may keep some of its capacity back."""
        usable = self.used + self.free
        return self.used / usable if usable else 0.0


@dataclass(frozen=True, slots=True)
class Fills:
    """What was found, and why the rest was not, in a sentence ("" when nothing is missing)."""

    of: Mapping[Place, Fill] = field(default_factory=dict)
    trouble: str = ""


class _PodRef(Struct, frozen=True):
    name: str = ""
    namespace: str = ""


class _Volume(Struct, frozen=True):
    name: str = ""
    used_bytes: int | None = None
    capacity_bytes: int | None = None
    available_bytes: int | None = None


class _Pod(Struct, frozen=True):
    pod_ref: _PodRef = _PodRef()
    volume: tuple[_Volume, ...] | None = None


class _Summary(Struct, frozen=True):
    pods: tuple[_Pod, ...] | None = None


_SUMMARY = msgspec.json.Decoder(_Summary)
_kept: WeakKeyDictionary[Transport, dict[str, tuple[float, Mapping[Place, Fill]]]] = WeakKeyDictionary()


class Permits(Protocol):
    """The way past the cache, for what may be read there."""

    async def permitted(
        self, verb: str, gvr: GVR, *, name: str | None = None, subresource: str | None = None
    ) -> Transport | None: ...


async def volume_fills(sight: Permits, nodes: Iterable[str]) -> Fills:
    """The volumes of all pods on these nodes; what a kubelet said is kept for half a minute."""
    names = sorted(set(nodes) - {""})
    asked = names[:NODES_AT_ONCE]
    answers = await asyncio.gather(*(_of_node(sight, name) for name in asked))
    found = {place: fill for answer in answers for place, fill in answer.of.items()}
    trouble = next((answer.trouble for answer in answers if answer.trouble), "")
    if len(names) > len(asked) and not trouble:
        trouble = f"Asked on {len(asked)} of {len(names)} nodes only."
    return Fills(found, trouble)


async def _of_node(sight: Permits, node: str) -> Fills:
    try:
        transport = await sight.permitted("get", KINDS["nodes"].gvr, name=node, subresource="proxy")
        if transport is None:
            return Fills(
                trouble="You may not get nodes/proxy, by which a kubelet reports how full volumes are."
            )
        return Fills(await _summary(transport, node))
    except ClusterError as error:
        step = error.next_step or UNREACHED
        return Fills(trouble=f"The kubelet of {node} does not report it: {error.message.rstrip('.')}. {step}")
    except msgspec.DecodeError:
        return Fills(trouble=f"The kubelet of {node} answers with something else than its figures.")


async def _summary(transport: Transport, node: str) -> Mapping[Place, Fill]:
    kept = _kept.setdefault(transport, {})
    now = time.monotonic()
    if node in kept and now - kept[node][0] < KEEP_SECONDS:
        return kept[node][1]
    answer = await transport.request(
        "GET", KINDS["nodes"].gvr, name=node, subresource="proxy/stats/summary", timeout=ASK_SECONDS
    )
    found = {
        (pod.pod_ref.namespace, pod.pod_ref.name, volume.name): Fill(
            volume.used_bytes, volume.capacity_bytes, volume.available_bytes or 0
        )
        for pod in _SUMMARY.decode(answer.body).pods or ()
        for volume in pod.volume or ()
        if volume.used_bytes is not None and volume.capacity_bytes
    }
    for old in [name for name, (at, _) in kept.items() if now - at > KEEP_SECONDS]:
        del kept[old]
    kept[node] = (now, found)
    return found


# ---- Of a whole cluster, for the figures that are kept each hour

MAX_NODES = 200  # whose kubelets are asked, one in each slice after the other; docs/limits.md
_PROMETHEUS = ("used_bytes", "capacity_bytes", "available_bytes")
_CLAIM = "max by (namespace, persistentvolumeclaim)"


async def claim_fills(
    transport: Transport, prometheus: Prometheus | None, pods: Iterable[Pod]
) -> tuple[dict[tuple[str, str], Fill], str]:
    """How full the volumes of claims are, by namespace and claim, out of Prometheus where one is set, else as the
    kubelets tell; and why some are missing, in a sentence ("": none). Raises ClusterErrors.
    """
    if prometheus is not None and (found := await _out_of_prometheus(prometheus)):
        return found, ""
    claims: dict[str, dict[Place, str]] = {}
    for pod in pods:
        for volume in pod.spec.volumes or ():
            if pod.spec.node_name and (name := _claim_of(pod, volume)):
                place = (pod.metadata.namespace, pod.metadata.name, volume.name)
                claims.setdefault(pod.spec.node_name, {})[place] = name
    found = {}
    nodes, trouble = sorted(claims), ""
    for start in range(0, min(len(nodes), MAX_NODES), NODES_AT_ONCE):
        asked = nodes[start : min(start + NODES_AT_ONCE, MAX_NODES)]
        answers = await asyncio.gather(*(_summary_or_why(transport, node) for node in asked))
        for node, (fills, why) in zip(asked, answers, strict=True):
            trouble = trouble or why
            for place, claim in claims[node].items():
                if place in fills:
                    found[place[0], claim] = fills[place]
    return found, trouble


async def _summary_or_why(transport: Transport, node: str) -> tuple[Mapping[Place, Fill], str]:
    try:
        return await _summary(transport, node), ""
    except ClusterError as error:
        return {}, f"The kubelet of {node} does not tell: {error.message}"
    except msgspec.DecodeError:
        return {}, f"The kubelet of {node} answers with something else than its figures."


def _claim_of(pod: Pod, volume: Volume) -> str:
    if volume.persistent_volume_claim is not None:
        return volume.persistent_volume_claim.claim_name
    return f"{pod.metadata.name}-{volume.name}" if volume.ephemeral is not None else ""


async def _out_of_prometheus(prometheus: Prometheus) -> dict[tuple[str, str], Fill]:
    promql = PromQL(prometheus.target.labels)
    answers = await asyncio.gather(
        *(
            prometheus.query(f"{_CLAIM} ({promql.select(f'kubelet_volume_stats_{what}')})")
            for what in _PROMETHEUS
        )
    )
    used, capacity, free = (
        {
            (one.labels.get("namespace", ""), one.labels.get("persistentvolumeclaim", "")): one.points[-1][1]
            for one in answer.series
            if one.points
        }
        for answer in answers
    )
    return {
        claim: Fill(int(used[claim]), int(capacity[claim]), int(free.get(claim, 0)))
        for claim in used.keys() & capacity.keys()
    }
