"""The pods that have a node, by node and by what is alike in them: what other pods' rules ask of one, they say of all.

Which parts of a pod these rules ask about: kubernetes/kubernetes, pkg/scheduler/framework/plugins/interpodaffinity,
podtopologyspread and nodeports.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from functools import cached_property

import msgspec

from dashboard.kinds.pods import Pod
from dashboard.kinds.podspec import AffinityTerm


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
        self._fill(pods)

    def _fill(self, pods: Iterable[Pod]) -> None:
        self.on: dict[str, list[Pod]] = defaultdict(list)
        self._groups: dict[Hashable, Alike] = {}
        self.__dict__.pop("apart", None)
        for pod in pods:
            # Pods that have ended hold nothing any more.
            if pod.spec.node_name and pod.status.phase not in ("Succeeded", "Failed"):
                self._add(pod)

    @property
    def groups(self) -> Iterable[Alike]:
        return self._groups.values()

    @cached_property
    def apart(self) -> Sequence[Alike]:
        """Those of which pods keep others away."""
        return [group for group in self.groups if required_apart(group.first)]

    def place(self, pod: Pod, node: str) -> None:
        """As if the pod ran there."""
        self._add(msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, node_name=node)))
        self.__dict__.pop("apart", None)

    def remove(self, pod: Pod) -> None:
        """As if it were gone."""
        rest = [each for pods in self.on.values() for each in pods if each.metadata.uid != pod.metadata.uid]
        self._fill(rest)

    def _add(self, pod: Pod) -> None:
        self.on[pod.spec.node_name].append(pod)
        meta = pod.metadata
        # Where the affinity of two is equal but not the same object, they are two groups: that costs, no more.
        key = (meta.namespace, frozenset(meta.labels.items()), id(pod.spec.affinity))
        if key not in self._groups:
            self._groups[key] = Alike(pod)
        self._groups[key].add(pod)


def required_apart(pod: Pod) -> Sequence[AffinityTerm]:
    """The terms of its required anti-affinity."""
    apart = pod.spec.affinity.pod_anti_affinity if pod.spec.affinity else None
    return (apart.required if apart is not None else None) or ()
