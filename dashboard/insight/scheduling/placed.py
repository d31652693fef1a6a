"""The pods that have a node, by node and by what is alike in them: what other pods' rules ask of one, they say of all."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping

from dashboard.kinds.pods import Pod


class Alike:
    """Pods of one namespace with the same labels and the same affinity. ``first`` is one of them, ``on`` one on each
    node, ``staying`` how many are on each and not on their way out.
    """

    def __init__(self, first: Pod) -> None:
        self.first = first
        self.on: dict[str, Pod] = {}
        self.staying: Counter[str] = Counter()

    def add(self, pod: Pod) -> None:
        node = pod.spec.node_name
        self.on.setdefault(node, pod)
        self.staying[node] += pod.metadata.deletion_timestamp is None


class PlacedPods:
    """All that have a node and have not ended."""

    def __init__(self, pods: Iterable[Pod]) -> None:
        self.on: Mapping[str, list[Pod]] = defaultdict(list)
        groups: dict[Hashable, Alike] = {}
        for pod in pods:
            # Pods that have ended hold nothing any more.
            if not pod.spec.node_name or pod.status.phase in ("Succeeded", "Failed"):
                continue
            self.on[pod.spec.node_name].append(pod)
            meta = pod.metadata
            # Where the affinity of two is equal but not the same object, they are two groups: that costs, no more.
            key = (meta.namespace, frozenset(meta.labels.items()), id(pod.spec.affinity))
            if key not in groups:
                groups[key] = Alike(pod)
            groups[key].add(pod)
        self.groups = tuple(groups.values())
