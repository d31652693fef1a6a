"""One look at the objects: what several rules need, worked out once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from dashboard.kinds.base import Ref
from dashboard.kinds.endpointslices import EndpointSlice
from dashboard.kinds.facts import link
from dashboard.kinds.meta import condition_true, find_condition
from dashboard.kinds.nodes import Node
from dashboard.kinds.pods import Pod
from dashboard.kinds.selectors import from_labels
from dashboard.kinds.services import Service

from .finding import Finding, Trouble
from .protocols import Objects
from .rules.pods import healthy, pod_trouble


class Survey:
    """Objects at one moment, in one namespace or in all; lives for one run of the rules."""

    def __init__(self, objects: Objects, now: datetime, namespace: str | None = None) -> None:
        self.objects = objects
        self.now = now
        self.namespace = namespace
        self._kept: dict[str, Sequence[Any]] = {}

    def all(self, plural: str) -> Sequence[Any]:
        """The objects of a kind; of cluster-wide kinds, all of them."""
        if plural not in self._kept:
            scope = None if plural in ("nodes", "storageclasses", "persistentvolumes") else self.namespace
            self._kept[plural] = self.objects.all(plural, scope)
        return self._kept[plural]

    def knows(self, plural: str) -> bool:
        """Whether a kind is read at all. Without this, a kind that may not be listed would look empty."""
        return bool(self.all(plural)) or bool(self.objects.all(plural))

    def trouble(self, pod: Pod) -> Trouble | None:
        """What is wrong with one pod."""
        silent = pod.spec.node_name in self.silent_nodes
        return pod_trouble(pod, self.now, lambda: self.warnings.get(pod.metadata.uid, ""), silent)

    @cached_property
    def troubles(self) -> dict[Ref, list[tuple[Pod, Trouble]]]:
        """Pods with something wrong, by what they belong to (the topmost controller, or the pod itself)."""
        found: dict[Ref, list[tuple[Pod, Trouble]]] = defaultdict(list)
        for pod in self.all("pods"):
            if not healthy(pod) and (trouble := self.trouble(pod)) is not None:
                found[self.owner(pod)].append((pod, trouble))
        return found

    @cached_property
    def warnings(self) -> dict[str, str]:
        """The latest Warning event about each object, by its uid."""
        latest: dict[str, tuple[datetime, str]] = {}
        for event in self.all("events"):
            moment = event.last_seen
            if event.type != "Warning" or moment is None:
                continue
            uid = event.involved_object.uid
            if uid not in latest or latest[uid][0] < moment:
                latest[uid] = moment, event.message
        return {uid: message for uid, (_, message) in latest.items()}

    def owner(self, pod: Pod) -> Ref:
        """What a pod belongs to, as a person would say: the Deployment, not its ReplicaSet; else the pod itself."""
        meta = pod.metadata
        above = meta.controller
        if above is None:
            return link("Pod", meta.namespace, meta.name)
        if above.kind == "ReplicaSet":
            made = self.objects.get("replicasets", meta.namespace, above.name)
            if made is not None and made.metadata.controller is not None:
                above = made.metadata.controller
        if above.kind == "Node":  # a static pod: its node's kubelet keeps it
            return link("Pod", meta.namespace, meta.name)
        return link(above.kind, meta.namespace, above.name)

    @cached_property
    def silent_nodes(self) -> dict[str, Node]:
        """Nodes that are not Ready, by name."""
        return {
            node.metadata.name: node
            for node in self.all("nodes")
            if not condition_true(node.status.conditions or (), "Ready")
        }

    @cached_property
    def past_jobs(self) -> frozenset[tuple[str, str]]:
        """Jobs that nobody needs to look at any more, by namespace and name: they are complete, or a later Job of
        the same CronJob is.
        """
        done = [job for job in self.all("jobs") if condition_true(job.status.conditions or (), "Complete")]
        last: dict[str, datetime] = {}
        for job in done:
            owner, created = job.metadata.controller, job.metadata.creation_timestamp
            if owner is not None and created is not None:
                last[owner.uid] = max(last.get(owner.uid, created), created)
        past = {(job.metadata.namespace, job.metadata.name) for job in done}
        for job in self.all("jobs"):
            owner, created = job.metadata.controller, job.metadata.creation_timestamp
            if owner is not None and created is not None and owner.uid in last and created < last[owner.uid]:
                past.add((job.metadata.namespace, job.metadata.name))
        return frozenset(past)

    @cached_property
    def slices(self) -> dict[tuple[str, str], list[EndpointSlice]]:
        """EndpointSlices by namespace and name of their Service."""
        found: dict[tuple[str, str], list[EndpointSlice]] = defaultdict(list)
        for one in self.all("endpointslices"):
            found[one.metadata.namespace, one.service].append(one)
        return found

    @cached_property
    def _pods_by_namespace(self) -> dict[str, list[Pod]]:
        found: dict[str, list[Pod]] = defaultdict(list)
        for pod in self.all("pods"):
            found[pod.metadata.namespace].append(pod)
        return found

    def selected(self, service: Service) -> list[Pod]:
        """The pods that a Service selects and that could serve: neither finished nor being deleted."""
        selector = from_labels(service.spec.selector)
        return [
            pod
            for pod in self._pods_by_namespace.get(service.metadata.namespace, ())
            if selector.matches(pod.metadata.labels)
            and pod.metadata.deletion_timestamp is None
            and pod.status.phase not in ("Succeeded", "Failed")
        ]

    def endpoints(self, service: Service) -> frozenset[str]:
        """The names of the pods that a Service sends traffic to now; by its pods where it has no EndpointSlice (yet)."""
        slices = self.slices.get((service.metadata.namespace, service.metadata.name))
        if slices:
            return frozenset(
                target.name
                for one in slices
                for endpoint in one.endpoints or ()
                if endpoint.ready and (target := endpoint.target_ref) is not None
            )
        return frozenset(pod.metadata.name for pod in self.selected(service) if is_ready(pod))

    def answers(self, service: Service) -> bool:
        """Whether a Service has a ready endpoint; by its pods where it has no EndpointSlice (yet)."""
        slices = self.slices.get((service.metadata.namespace, service.metadata.name))
        if slices:
            return any(endpoint.ready for one in slices for endpoint in one.endpoints or ())
        return any(is_ready(pod) for pod in self.selected(service))


def is_ready(pod: Pod) -> bool:
    """Whether the pod receives traffic."""
    ready = find_condition(pod.status.conditions or (), "Ready")
    return ready is not None and ready.status == "True"


# What was found so far, by the object it is about: later rules say what follows from it.
Known = dict[Ref, Finding]
