"""What relies on an object: of two equal problems, the one that hurts more users is told first."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import ItemsView, Mapping
from functools import cached_property

from dashboard.kinds.base import Ref

from .finding import Finding
from .observed import Observed
from .rules.ingresses import backends

SYSTEM = ("kube-system",)
_TEMPLATED = frozenset({"deployments", "statefulsets", "daemonsets", "replicasets", "jobs"})

# Ways in from outside (Ingresses, Services with an address outside; a part of the cluster itself counts as one),
# Services, pods.
Reliance = tuple[int, int, int]


class Reliances:
    """Of the objects of one survey; what is asked for often is worked out once."""

    def __init__(self, survey: Observed) -> None:
        self._survey = survey

    def of(self, found: Finding) -> Reliance:
        """What relies on the object that a finding is about, or on the pods behind it."""
        ref = found.ref
        outside, services = self._services(ref, found)
        system = ref.namespace in SYSTEM
        return outside + system, services, self._pods(ref)

    def _services(self, ref: Ref, found: Finding) -> tuple[int, int]:
        key = ref.namespace, ref.name
        if ref.plural == "ingresses":
            return 1, 1
        if ref.plural == "services":
            return self._ways_in.get(key, 0), 1
        if ref.plural == "persistentvolumeclaims":
            users = self._survey.users.get(key, [])
            return self._behind(ref.namespace, users[0].metadata.labels) if users else (0, 0)
        obj = self._survey.objects.get(ref.plural, *key) if ref.plural in _TEMPLATED else None
        if obj is not None:
            return self._behind(ref.namespace, obj.spec.template.metadata.labels)
        pod = found.pod or (ref if ref.plural == "pods" else None)
        made = self._survey.objects.get("pods", pod.namespace, pod.name) if pod is not None else None
        return self._behind(made.metadata.namespace, made.metadata.labels) if made is not None else (0, 0)

    def _behind(self, namespace: str, labels: Mapping[str, str] | None) -> tuple[int, int]:
        """The Services that select pods with these labels, and the ways in to them."""
        has = (labels or {}).items()
        names = [name for name, wants in self._selectors.get(namespace, ()) if wants <= has]
        return sum(self._ways_in.get((namespace, name), 0) for name in names), len(names)

    def _pods(self, ref: Ref) -> int:
        if ref.plural == "nodes":
            return self._on_node[ref.name]
        obj = (
            self._survey.objects.get(ref.plural, ref.namespace, ref.name)
            if ref.plural in _TEMPLATED
            else None
        )
        if obj is None:
            return 1 if ref.plural == "pods" else 0
        if ref.plural == "daemonsets":
            return int(obj.status.desired_number_scheduled)
        return int(getattr(obj.spec, "replicas", 0) or 0)

    @cached_property
    def _on_node(self) -> Counter[str]:
        return Counter(pod.spec.node_name for pod in self._survey.all("pods"))

    @cached_property
    def _selectors(self) -> dict[str, list[tuple[str, ItemsView[str, str]]]]:
        found: dict[str, list[tuple[str, ItemsView[str, str]]]] = defaultdict(list)
        for service in self._survey.all("services"):
            if service.spec.selector:
                found[service.metadata.namespace].append(
                    (service.metadata.name, service.spec.selector.items())
                )
        return found

    @cached_property
    def _ways_in(self) -> Counter[tuple[str, str]]:
        """How many Ingresses route to each Service; an address outside the cluster is one more."""
        found: Counter[tuple[str, str]] = Counter()
        for ingress in self._survey.all("ingresses"):
            names = {backend.name for _, backend in backends(ingress)}
            found.update((ingress.metadata.namespace, name) for name in names)
        for service in self._survey.all("services"):
            if service.spec.type in ("LoadBalancer", "NodePort"):
                found[service.metadata.namespace, service.metadata.name] += 1
        return found
