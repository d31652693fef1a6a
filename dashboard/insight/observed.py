"""One look at the objects: what several rules need, worked out once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

from dashboard.kinds import declared
from dashboard.kinds.base import Ref
from dashboard.kinds.catalogue import BESIDES, RESOURCE_CLAIMS
from dashboard.kinds.endpointslices import EndpointSlice
from dashboard.kinds.events import Event
from dashboard.kinds.meta import ObjectCondition, OwnerReference, condition_true, find_condition
from dashboard.kinds.nodes import Node
from dashboard.kinds.persistentvolumeclaims import PersistentVolumeClaim
from dashboard.kinds.persistentvolumes import PersistentVolume
from dashboard.kinds.pods import Pod
from dashboard.kinds.references import meant, reference
from dashboard.kinds.selectors import Selector, from_labels
from dashboard.kinds.services import Service
from dashboard.kinds.uses import pod_spec_uses

from .finding import Trouble
from .ownership import controller
from .pod_health import RECENT, healthy, is_ready
from .protocols import Objects, Versioned, unwell
from .scheduling.placed import PlacedPods

DEFAULT_SCHEDULER = "default-scheduler"
STATE_TAINT = "node.kubernetes.io/"  # how the well-known taints begin that the node controller sets
UNSEEN = timedelta(minutes=1)  # a scheduler at work looks at a new pod at once


class Alike(NamedTuple):
    """Pods of a namespace whose labels are the same."""

    labels: dict[str, str]
    pods: list[Pod]


class Observed(ABC):
    """Objects at one moment, in one namespace or in all; lives for one run of the rules.

    The rules read it, and with it what the rules about pods say; :class:`.survey.Survey` asks those.
    """

    def __init__(self, objects: Objects, now: datetime, namespace: str | None = None) -> None:
        self.objects = objects
        self.now = now
        self.namespace = namespace
        self.recent = now - RECENT
        self._kept: dict[str, Sequence[Any]] = {}

    def all(self, plural: str) -> Sequence[Any]:
        """The objects of a kind; of cluster-wide kinds, all of them."""
        if plural not in self._kept:
            self._kept[plural] = self._all(plural)
        return self._kept[plural]

    @cached_property
    def placed(self) -> PlacedPods:
        """The pods that have a node, in whatever namespace."""
        return PlacedPods(self.objects.all("pods"))

    def _all(self, plural: str) -> Sequence[Any]:
        kind = declared(plural)
        scope = self.namespace if kind is not None and kind.gvr.namespaced else None
        known = kind is not None or plural in BESIDES
        found = self.objects.all(plural, scope) if known else ()
        if kind is None or not kind.discovered:
            return found
        # Of another version of its API than the plugin's, only the Table is read.
        return [obj for obj in found if isinstance(obj, kind.type)]

    def reads(self, plural: str, namespace: str = "") -> bool:
        """Whether what is not here does not exist: a kind that may not be listed must not look empty."""
        known = declared(plural) is not None or plural == RESOURCE_CLAIMS
        return known and self.objects.reads(plural, namespace)

    def lacks(self, plural: str, namespace: str, name: str) -> bool:
        """Whether an object certainly does not exist."""
        return self.reads(plural, namespace) and self.objects.get(plural, namespace, name) is None

    def older(self, moment: datetime | None, than: timedelta) -> bool:
        """Whether something has lasted; what has no time has."""
        return moment is None or self.now - moment > than

    @property
    def version(self) -> str:
        """The API server's, "" where it is not known."""
        return self.objects.version if isinstance(self.objects, Versioned) else ""

    # ---- pods

    @abstractmethod
    def trouble(self, pod: Pod) -> Trouble | None:
        """What is wrong with one pod."""

    @cached_property
    def troubles(self) -> dict[Ref, list[tuple[Pod, Trouble]]]:
        """Pods with something wrong, by what they belong to (the topmost controller, or the pod itself)."""
        found: dict[Ref, list[tuple[Pod, Trouble]]] = defaultdict(list)
        for pod in unwell(self.objects):
            if self.namespace not in (None, pod.metadata.namespace):
                continue
            if not healthy(pod, self.recent) and (trouble := self.trouble(pod)) is not None:
                found[self.owner(pod)].append((pod, trouble))
        return found

    def owner(self, pod: Pod) -> Ref:
        """What a pod belongs to, as a person would say: the Deployment, not its ReplicaSet; else the pod itself."""
        above, made = controller(self.objects, pod)
        # A static pod belongs to its node's kubelet.
        if above is None or above.plural == "nodes":
            return reference("Pod", pod.metadata.namespace, pod.metadata.name)
        if above.plural == "replicasets" and made is not None:
            return controller(self.objects, made)[0] or above
        return above

    @cached_property
    def alike(self) -> dict[str, list[Alike]]:
        """The different label sets of pods, by namespace. Pods of a template share their decoded labels, so that
        thousands of pods are a handful of sets.
        """
        found: dict[str, dict[int, Alike]] = defaultdict(dict)
        for pod in self.all("pods"):
            labels, sets = pod.metadata.labels, found[pod.metadata.namespace]
            known = sets.get(id(labels))
            if known is None:
                sets[id(labels)] = Alike(labels, [pod])
            else:
                known.pods.append(pod)
        return {namespace: list(sets.values()) for namespace, sets in found.items()}

    def matching(self, namespace: str, selector: Selector) -> Iterator[Pod]:
        """The pods of a namespace that a selector holds for."""
        for one in self.alike.get(namespace, ()):
            if selector.matches(one.labels):
                yield from one.pods

    def claims_of(self, pod: Pod) -> list[tuple[str, PersistentVolumeClaim | None]]:
        """The names of the claims that a pod uses, each with the claim where it is there."""
        namespace = pod.metadata.namespace
        return [
            (name, self.objects.get("persistentvolumeclaims", namespace, name))
            for kind, name in pod_spec_uses(pod.spec, pod.metadata.name)
            if kind == "PersistentVolumeClaim"
        ]

    def volumes_of(self, pod: Pod) -> Iterator[tuple[str, PersistentVolume]]:
        """The names of the claims that a pod uses, each with the volume behind it, of those that are bound and seen."""
        for name, claim in self.claims_of(pod):
            volume = self.objects.get("persistentvolumes", "", claim.spec.volume_name) if claim else None
            if volume is not None:
                yield name, volume

    @cached_property
    def users(self) -> dict[tuple[str, str], list[Pod]]:
        """The pods that use each claim, by its namespace and name."""
        found: dict[tuple[str, str], list[Pod]] = defaultdict(list)
        for pod in self.all("pods"):
            for volume in pod.spec.volumes or ():
                if volume.persistent_volume_claim is not None:
                    found[pod.metadata.namespace, volume.persistent_volume_claim.claim_name].append(pod)
                elif volume.ephemeral is not None:
                    found[pod.metadata.namespace, f"{pod.metadata.name}-{volume.name}"].append(pod)
        return found

    def schedules(self, scheduler: str) -> bool:
        """Whether a scheduler of that name does its work, as far as pods tell."""
        at_work, passed_over = self._schedulers
        return scheduler in at_work and scheduler not in passed_over

    @cached_property
    def _schedulers(self) -> tuple[set[str], set[str]]:
        """The names of schedulers that have looked at a pod, and of those that look at none that is new."""
        at_work, passed_over = {DEFAULT_SCHEDULER}, set[str]()
        for pod in self.objects.all("pods"):
            name = pod.spec.scheduler_name or DEFAULT_SCHEDULER
            if find_condition(pod.status.conditions or (), "PodScheduled") is not None:
                at_work.add(name)
            elif (
                pod.status.phase == "Pending"
                and not pod.metadata.deletion_timestamp
                and not _waits_unseen(pod)
                and self.older(pod.metadata.creation_timestamp, UNSEEN)
            ):
                passed_over.add(name)
        return at_work, passed_over

    def name_givers(self, namespace: str, name: str) -> set[str]:
        """The UIDs of those in a namespace that are called so and create pods, which they name after themselves."""
        found = {each.uid for each in self._pods_owners.get((namespace, name), ())}
        for plural in ("replicasets", "statefulsets", "daemonsets", "jobs"):
            if (workload := self.objects.get(plural, namespace, name)) is not None:
                found.add(workload.metadata.uid)
        return found

    @cached_property
    def secret_places(self) -> dict[str, list[str]]:
        """The namespaces, in order, that have a Secret of a name, as far as Secrets may be listed."""
        found: dict[str, list[str]] = defaultdict(list)
        for secret in self.objects.all("secrets"):
            found[secret.metadata.name].append(secret.metadata.namespace)
        return {name: sorted(places) for name, places in found.items()}

    @cached_property
    def _pods_owners(self) -> dict[tuple[str, str], list[OwnerReference]]:
        found: dict[tuple[str, str], list[OwnerReference]] = defaultdict(list)
        for pod in self.all("pods"):
            if (owner := pod.metadata.controller) is not None:
                found[pod.metadata.namespace, owner.name].append(owner)
        return found

    # ---- events

    @cached_property
    def _events(self) -> dict[str, list[Event]]:
        found: dict[str, list[Event]] = defaultdict(list)
        for event in self.all("events"):
            if event.type == "Warning" or event.involved_object.kind == "PersistentVolumeClaim":
                found[event.involved_object.uid].append(event)
        return _latest_first(found)

    @cached_property
    def preemptions(self) -> dict[str, list[Event]]:
        """By namespace, the Events of pods that made way for others, the latest first."""
        found: dict[str, list[Event]] = defaultdict(list)
        for event in self.all("events"):
            about = event.involved_object
            if event.reason == "Preempted" and meant(about, about.namespace).plural == "pods":
                found[event.metadata.namespace].append(event)
        return _latest_first(found)

    @cached_property
    def killings(self) -> dict[str, list[Event]]:
        """By a pod's UID, the Events of containers that the kubelet stopped, the latest first."""
        found: dict[str, list[Event]] = defaultdict(list)
        for event in self.all("events"):
            if event.reason == "Killing":
                found[event.involved_object.uid].append(event)
        return _latest_first(found)

    @cached_property
    def autoscalings(self) -> dict[str, list[Event]]:
        """By a pod's UID, what cluster autoscalers say of a node for it, the latest first."""
        found: dict[str, list[Event]] = defaultdict(list)
        for event in self.all("events"):
            if event.reason in ("TriggeredScaleUp", "NotTriggerScaleUp"):
                found[event.involved_object.uid].append(event)
        return _latest_first(found)

    @cached_property
    def pulls(self) -> dict[str, list[Event]]:
        """By a pod's UID, the Events of its images, the latest first: that one is pulled, and what came of it."""
        found: dict[str, list[Event]] = defaultdict(list)
        for event in self.all("events"):
            if event.reason in ("Pulling", "Pulled", "Failed"):
                found[event.involved_object.uid].append(event)
        return _latest_first(found)

    def events(self, uid: str, *reasons: str) -> list[Event]:
        """Warnings about an object (of claims, other Events too), the latest first; with reasons, only those."""
        every = self._events.get(uid, [])
        return [event for event in every if event.reason in reasons] if reasons else every

    def event(self, uid: str, *reasons: str) -> Event | None:
        """The latest of them."""
        return next(iter(self.events(uid, *reasons)), None)

    # ---- nodes

    @cached_property
    def unready_nodes(self) -> dict[str, tuple[Node, ObjectCondition]]:
        """Nodes that say that they are not ready (False), or do not report any more (Unknown), by name."""
        return {
            node.metadata.name: (node, ready)
            for node in self.all("nodes")
            if (ready := find_condition(node.status.conditions or (), "Ready")) is not None
            and ready.status != "True"
        }

    @cached_property
    def held_nodes(self) -> list[Node]:
        """Nodes that pods are kept away from by their state: not ready, under pressure, cordoned."""
        return [
            node
            for node in self.all("nodes")
            if node.spec.unschedulable
            or any(each.key.startswith(STATE_TAINT) for each in node.spec.taints or ())
        ]

    @cached_property
    def ending_namespaces(self) -> frozenset[str]:
        """Namespaces that are being deleted."""
        return frozenset(
            one.metadata.name for one in self.all("namespaces") if one.metadata.deletion_timestamp is not None
        )

    # ---- Jobs

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

    # ---- Services

    @cached_property
    def slices(self) -> dict[tuple[str, str], list[EndpointSlice]]:
        """EndpointSlices by namespace and name of their Service."""
        found: dict[tuple[str, str], list[EndpointSlice]] = defaultdict(list)
        for one in self.all("endpointslices"):
            found[one.metadata.namespace, one.service].append(one)
        return found

    def selected(self, service: Service) -> list[Pod]:
        """The pods that a Service selects and that could serve: neither finished nor being deleted."""
        return [
            pod
            for pod in self.matching(service.metadata.namespace, from_labels(service.spec.selector))
            if pod.metadata.deletion_timestamp is None and pod.status.phase not in ("Succeeded", "Failed")
        ]

    def published_unready(self, pod: Pod) -> bool:
        """Whether a Service sends traffic to a pod though it is not ready (publishNotReadyAddresses)."""
        services = self._publishing.get(pod.metadata.namespace, ())
        return any(from_labels(one.spec.selector).matches(pod.metadata.labels) for one in services)

    @cached_property
    def _publishing(self) -> dict[str, list[Service]]:
        found: dict[str, list[Service]] = defaultdict(list)
        for one in self.all("services"):
            if one.spec.publish_not_ready_addresses and one.spec.selector:
                found[one.metadata.namespace].append(one)
        return found

    def endpoints(self, service: Service) -> frozenset[str]:
        """The names of the pods that a Service sends traffic to now; by its pods where it has no EndpointSlice (yet)."""
        slices = self.slices.get((service.metadata.namespace, service.metadata.name))
        if slices:
            ready = (end for one in slices for end in one.endpoints or () if end.ready)
            return frozenset(name for end in ready if (name := end.pod_in(service.metadata.namespace)))
        return frozenset(pod.metadata.name for pod in self.selected(service) if is_ready(pod))

    def answers(self, service: Service) -> bool:
        """Whether a Service has a ready endpoint; by its pods where it has no EndpointSlice (yet)."""
        slices = self.slices.get((service.metadata.namespace, service.metadata.name))
        if slices:
            return any(endpoint.ready for one in slices for endpoint in one.endpoints or ())
        return any(is_ready(pod) for pod in self.selected(service))


def _latest_first(found: dict[str, list[Event]]) -> dict[str, list[Event]]:
    for events in found.values():
        events.sort(key=_moment, reverse=True)
    return found


def _moment(event: Event) -> float:
    return event.last_seen.timestamp() if event.last_seen else 0.0


def _waits_unseen(pod: Pod) -> bool:
    """Whether a scheduler may say nothing of it for a while, or has nothing to do with it."""
    spec = pod.spec
    storage = (each.persistent_volume_claim or each.ephemeral for each in spec.volumes or ())
    return bool(spec.node_name or spec.resource_claims or any(storage))
