"""What metrics.k8s.io tells: how much CPU and memory nodes and containers use. Measures, not objects: no list of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from .base import GVR
from .meta import Struct, Word, decode_custom
from .quantity import QuantityError, parse

NODE_METRICS = GVR("metrics.k8s.io", "v1beta1", "nodes", namespaced=False)
POD_METRICS = GVR("metrics.k8s.io", "v1beta1", "pods")


class Use(NamedTuple):
    """CPU in cores, memory (the working set) in bytes."""

    cpu: float
    memory: float


class PodUse(NamedTuple):
    """What a pod's containers use, by name, as measured at a Unix time in seconds."""

    at: float
    containers: Mapping[str, Use]

    @property
    def total(self) -> Use:
        cpu = memory = 0.0
        for one in self.containers.values():
            cpu += one.cpu
            memory += one.memory
        return Use(cpu, memory)


class NodeUse(NamedTuple):
    """What a node uses, as measured at a Unix time in seconds."""

    at: float
    use: Use


class _Meta(Struct, frozen=True, gc=False):
    name: str = ""
    namespace: Word = ""


class _Usage(Struct, frozen=True, gc=False):
    cpu: str = "0"
    memory: str = "0"


class _Node(Struct, frozen=True, gc=False):
    metadata: _Meta
    timestamp: datetime
    usage: _Usage = _Usage()


class _Container(Struct, frozen=True, gc=False):
    name: Word = ""
    usage: _Usage = _Usage()


class _Pod(Struct, frozen=True, gc=False):
    metadata: _Meta
    timestamp: datetime
    containers: tuple[_Container, ...] | None = None


class _Nodes(Struct, frozen=True, gc=False):
    items: tuple[_Node, ...] | None = None


class _Pods(Struct, frozen=True, gc=False):
    items: tuple[_Pod, ...] | None = None


_NODES = msgspec.json.Decoder(_Nodes, dec_hook=decode_custom)
_PODS = msgspec.json.Decoder(_Pods, dec_hook=decode_custom)


def decode_node_metrics(raw: bytes) -> dict[str, NodeUse]:
    """A NodeMetricsList, by node. Raises ``msgspec.DecodeError``; what is no quantity leaves its node out."""
    found = {}
    for each in _NODES.decode(raw).items or ():
        if (use := _use(each.usage)) is not None:
            found[each.metadata.name] = NodeUse(each.timestamp.timestamp(), use)
    return found


def decode_pod_metrics(raw: bytes) -> dict[tuple[str, str], PodUse]:
    """A PodMetricsList, by namespace and name. As :func:`decode_node_metrics`."""
    found = {}
    for each in _PODS.decode(raw).items or ():
        containers = {one.name: use for one in each.containers or () if (use := _use(one.usage)) is not None}
        key = each.metadata.namespace, each.metadata.name
        found[key] = PodUse(each.timestamp.timestamp(), containers)
    return found


def _use(usage: _Usage) -> Use | None:
    try:
        return Use(_float(usage.cpu), _float(usage.memory))
    except (ValueError, QuantityError):
        return None


_FACTORS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30}


def _float(text: str) -> float:
    """A quantity as a float. Measures are all different: keeping each would push out what the parser keeps."""
    for length in (1, 2):
        factor = _FACTORS.get(text[-length:])
        if factor is not None:
            return int(text[:-length]) * factor if text[:-length].isdecimal() else float(parse(text))
    return float(text) if text.isdecimal() else float(parse(text))
