"""What becomes of each pod that a loss touches: it moves, stays Pending, is lost for good, or stays.

Rules: kubernetes.io, "Taint based evictions" and "Forced storage detach on node failure"; kubernetes/kubernetes,
pkg/controller/tainteviction and pkg/controller/statefulset. Where a pod runs again is told by ``insight/scheduling``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal

from dashboard.insight.draining import ENDED, MIRROR
from dashboard.insight.observed import DEFAULT_SCHEDULER
from dashboard.insight.ownership import controller
from dashboard.insight.protocols import Objects
from dashboard.insight.restart import pods_wanted, restart_outlook, rollout_limits
from dashboard.insight.rollout import Workload
from dashboard.insight.scheduling.elsewhere import Elsewhere, Filled, Without
from dashboard.insight.scheduling.nodes import reaches_volume, tolerates
from dashboard.insight.survey import Survey
from dashboard.kinds.meta import condition_true
from dashboard.kinds.nodes import Node, Taint
from dashboard.kinds.persistentvolumes import PersistentVolume
from dashboard.kinds.pods import Pod
from dashboard.kinds.podspec import PodTemplate
from dashboard.kinds.references import meant, title
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.statefulsets import StatefulSet

from .loss import ZONE, Loss

Fate = Literal["moves", "pending", "lost", "stays"]
Cause = Literal["node", "pod", "claim", "update", "preempted"]

UNREACHABLE, REGION = "node.kubernetes.io/unreachable", "topology.kubernetes.io/region"
SHARED = frozenset({"ReadWriteMany", "ReadOnlyMany"})  # volumes that several nodes use at once
# --unhealthy-zone-threshold and --large-cluster-size-threshold of the controller manager.
UNHEALTHY_ZONE, LARGE_ZONE = 0.55, 50
# How long the control plane waits for a node that does not answer (--node-monitor-grace-period).
GRACE_SECONDS = 50


@dataclass(frozen=True, slots=True)
class PodFate:
    """``why`` in a sentence; ``node`` is where it most likely runs again; ``ends``: it does not answer for a while, at
    least; ``own``: a DaemonSet's pod, or a static one, ends with its node and needs no other.
    """

    pod: Pod
    fate: Fate
    why: str
    cause: Cause
    node: str = ""
    ends: bool = True
    own: bool = False


class Fates:
    """All that the losses touch. Pods that have ended are left out: nothing becomes of them."""

    def __init__(self, objects: Objects, losses: Sequence[Loss], now: datetime) -> None:
        self.survey, self.losses = Survey(objects, now), losses
        self.nodes: Sequence[Node] = self.survey.all("nodes")
        self.lost_nodes = frozenset(self._lost_nodes())
        self.missing = tuple(loss for loss in losses if not self._is_there(loss))

    def _lost_nodes(self) -> Iterator[str]:
        names = {loss.name for loss in self.losses if loss.what == "node"}
        zones = {loss.name for loss in self.losses if loss.what == "zone"}
        for node in self.nodes:
            if node.metadata.name in names or node.metadata.labels.get(ZONE) in zones:
                yield node.metadata.name

    def _is_there(self, loss: Loss) -> bool:
        if loss.what == "zone":
            return any(node.metadata.labels.get(ZONE) == loss.name for node in self.nodes)
        ref = loss.ref
        return ref is not None and self.survey.objects.get(ref.plural, ref.namespace, ref.name) is not None

    # ---- Which pods

    @cached_property
    def caught(self) -> dict[str, tuple[Pod, Cause]]:
        """The pods that end, or are replaced, by uid; of several losses, the one that leaves least. What has ended, or is
        being deleted, is left out.
        """
        found: dict[str, tuple[Pod, Cause]] = {}
        for cause, pods in (
            ("update", self._updated()),
            ("pod", self._named()),
            ("node", self._on_lost_nodes()),
            ("claim", self._with_claims()),
        ):
            for pod in pods:
                if pod.status.phase not in ENDED and pod.metadata.deletion_timestamp is None:
                    found[pod.metadata.uid] = pod, cause  # type: ignore[assignment] # the causes above
        return found

    def _on_lost_nodes(self) -> Iterator[Pod]:
        return (pod for pod in self.survey.all("pods") if pod.spec.node_name in self.lost_nodes)

    def _named(self) -> Iterator[Pod]:
        for loss in self.losses:
            if loss.what == "pod":
                pod = self.survey.objects.get("pods", loss.namespace, loss.name)
                if pod is not None:
                    yield pod

    def _with_claims(self) -> Iterator[Pod]:
        for loss in self.losses:
            if loss.what == "claim":
                yield from self.survey.users.get((loss.namespace, loss.name), ())

    def _updated(self) -> Iterator[Pod]:
        owners = {loss.ref for loss in self.losses if loss.what == "update"}
        spaces = {owner.namespace for owner in owners if owner is not None}
        for space in spaces:
            for pod in self.survey.objects.all("pods", space):
                if pod.metadata.deletion_timestamp is None and self.survey.owner(pod) in owners:
                    yield pod

    # ---- What becomes of them

    @cached_property
    def all(self) -> list[PodFate]:
        """The worst first; by namespace and name."""
        places = self._places  # which tells who makes way
        told = [self._replaced(pod) for pod, cause in self.caught.values() if cause == "update"]
        ending = [(pod, cause) for pod, cause in self.caught.values() if cause != "update"]
        told += [self._waiting[pod.metadata.uid] or self._recreated(pod, cause) for pod, cause in ending]
        told += [self._preempted(*each) for each in (self._elsewhere.preempted.values() if places else ())]
        return sorted(told, key=_worst_first)

    @cached_property
    def _waiting(self) -> dict[str, PodFate | None]:
        """Of each pod that ends, by uid, why it runs nowhere else; None for one that is recreated."""
        ending = ((pod, cause) for pod, cause in self.caught.values() if cause != "update")
        return {pod.metadata.uid: self._without(pod, cause) for pod, cause in ending}

    def _without(self, pod: Pod, cause: Cause) -> PodFate | None:
        """Of a pod that runs nowhere else, why; None for one that is recreated."""
        owner = pod.metadata.controller
        if MIRROR in pod.metadata.annotations:
            if cause != "node":
                return PodFate(pod, "stays", "A static pod: its kubelet starts it again.", cause)
            return PodFate(pod, "lost", "A static pod: it is lost with its node.", cause, own=True)
        if owner is None:
            return PodFate(pod, "lost", "Not managed by a controller: nothing recreates it.", cause)
        kind = meant(owner, pod.metadata.namespace).plural
        if cause == "claim":
            return self._without_claim(pod, kind)
        if kind == "daemonsets":
            if cause != "node":
                return PodFate(pod, "moves", "Recreated on the same node.", cause, pod.spec.node_name)
            return PodFate(pod, "lost", "A DaemonSet's pod is lost with its node.", cause, own=True)
        return (self._on_node(pod, kind) if cause == "node" else None) or self._unscheduled(pod, cause)

    def _unscheduled(self, pod: Pod, cause: Cause) -> PodFate | None:
        """Of a pod whose template leaves the scheduler out, or makes it wait; None for all others."""
        _, above = controller(self.survey.objects, pod)
        template: PodTemplate | None = getattr(getattr(above, "spec", None), "template", None)
        if template is None:
            return None
        if gates := [each.name for each in template.spec.scheduling_gates or ()]:
            text = (
                f"It is recreated with scheduling gates ({listed(gates)}), and waits until these are removed."
            )
            return PodFate(pod, "pending", text, cause)
        if not (node := template.spec.node_name):
            return None
        if node in self.lost_nodes:
            text = f"Its template sets nodeName: it is recreated for node {node} alone, and waits until that is back."
            return PodFate(pod, "pending", text, cause)
        return PodFate(pod, "moves", f"Recreated on node {node}, which its template names.", cause, node)

    def _without_claim(self, pod: Pod, kind: str) -> PodFate:
        claims = sorted(
            loss.name
            for loss in self.losses
            if loss.what == "claim" and pod in self.survey.users.get((loss.namespace, loss.name), ())
        )
        text = f"It can't start again without {' and '.join(f'claim {name}' for name in claims)}."
        return PodFate(pod, "pending", f"{text} {self._empty(pod, kind)}".strip(), "claim")

    def _on_node(self, pod: Pod, kind: str) -> PodFate | None:
        """Why a pod of a lost node is not recreated before somebody does something; None where it is."""
        if self._zone_of.get(pod.spec.node_name) in self._calm_zones:
            text = (
                "So many nodes of its zone are gone at once that Kubernetes evicts nothing there: it is recreated once "
                "they are back, or deleted."
            )
            return PodFate(pod, "pending", text, "node")
        if kind == "jobs" and self._last_try(pod):
            return PodFate(pod, "lost", "Its Job allows no further try (backoffLimit): it fails.", "node")
        if kind == "statefulsets":
            text = (
                "A StatefulSet's pod is not recreated while its node may only be unreachable: it waits until the node "
                "is back, its Node is deleted, or it has the taint node.kubernetes.io/out-of-service."
            )
            return PodFate(pod, "pending", f"{self._tied(pod)} {text}".strip(), "node")
        if (seconds := _tolerated_for(pod)) is None:
            text = f"It tolerates {UNREACHABLE} for ever: it is recreated once its node is back, or deleted."
            return PodFate(pod, "pending", text, "node")
        if claim := self._attached(pod):
            minutes = _after(seconds)
            text = (
                f"Its successor ({minutes}) can't start: the volume of claim {claim} is used by one node at a time, and "
                "the lost one keeps it until it is back, its Node is deleted, or it has the taint "
                "node.kubernetes.io/out-of-service."
            )
            return PodFate(pod, "pending", text, "node")
        return None

    @cached_property
    def _calm_zones(self) -> frozenset[tuple[str, str]]:
        """The zones whose loss the node controller takes for its own, and in which it evicts nothing: more than two
        nodes, and more than half of them, while others are left; in a zone of more than 50 nodes it goes on, slowly
        (node_lifecycle_controller.go, ComputeZoneState).
        """
        every = Counter(self._zone_of.values())
        silent = Counter(
            self._zone_of[node.metadata.name]
            for node in self.nodes
            if node.metadata.name in self.lost_nodes
            or not condition_true(node.status.conditions or (), "Ready")
        )
        return frozenset(
            zone
            for zone, count in every.items()
            if count > silent[zone] > 2 and silent[zone] / count >= UNHEALTHY_ZONE and count <= LARGE_ZONE
        )

    @cached_property
    def _zone_of(self) -> dict[str, tuple[str, str]]:
        """The region and zone of each node, "" where it has none."""
        return {
            node.metadata.name: (node.metadata.labels.get(REGION, ""), node.metadata.labels.get(ZONE, ""))
            for node in self.nodes
        }

    def _last_try(self, pod: Pod) -> bool:
        owner, job = controller(self.survey.objects, pod)
        return (
            job is not None
            and owner is not None
            and owner.plural == "jobs"
            and job.spec.backoff_limit is not None
            and job.status.failed >= job.spec.backoff_limit
        )

    def _attached(self, pod: Pod) -> str:
        """A claim whose volume is attached to one node at a time; "" for none."""
        for name, volume in self.survey.volumes_of(pod):
            if not volume.local and not SHARED.intersection(volume.spec.access_modes or SHARED):
                return name
        return ""

    def _empty(self, pod: Pod, kind: str) -> str:
        if kind != "statefulsets":
            return ""
        return "Once the claim is deleted, the pod starts with a new, empty volume."

    def _tied(self, pod: Pod) -> str:
        """Why no node that is left reaches its volume; "" where one does."""
        for name, volume in self.survey.volumes_of(pod):
            if self.reaches_none(volume):
                return f"No node that is left can access the volume of claim {name}."
        return ""

    def reaches_none(self, volume: PersistentVolume) -> bool:
        """Whether none of the nodes that are left can access a volume."""
        limited = volume.spec.node_affinity is not None or volume.zone_labels
        return bool(limited) and not any(reaches_volume(node, volume) for node in self.left)

    def _recreated(self, pod: Pod, cause: Cause) -> PodFate:
        node = self._places.get(pod.metadata.uid, "")
        after = f", {_after(_tolerated_for(pod) or 0)}" if cause == "node" else ""
        if node:
            victims = sorted(one.metadata.name for one, by in self._elsewhere.preempted.values() if by is pod)
            room = f" It preempts {listed(victims)}, of lower priority, there." if victims else ""
            return PodFate(pod, "moves", f"Most likely to {node}{after}.{room}{_unsure(pod)}", cause, node)
        text = (
            self._elsewhere.why_nowhere(pod) if self.schedulable else "No node that is left is schedulable."
        )
        return PodFate(pod, "pending", text, cause)

    def _preempted(self, pod: Pod, by: Pod) -> PodFate:
        """What becomes of a pod that makes way for another."""
        why = f"Preempted by {by.metadata.name}, whose priority is higher"
        if pod.metadata.controller is None:
            return PodFate(pod, "lost", f"{why}; nothing recreates it.", "preempted")
        if node := self._places.get(pod.metadata.uid, ""):
            return PodFate(pod, "moves", f"{why}; then most likely to {node}.", "preempted", node)
        return PodFate(pod, "pending", f"{why}; then it can't be scheduled.", "preempted")

    def _replaced(self, pod: Pod) -> PodFate:
        """By an update, which replaces a few at a time."""
        owner = self.survey.owner(pod)
        workload: Workload | None = self.survey.objects.get(owner.plural, owner.namespace, owner.name)
        if workload is None:
            return PodFate(pod, "stays", f"{title(owner)} is not there.", "update", ends=False)
        outlook = restart_outlook(workload)
        if not outlook.replaces:
            return PodFate(pod, "stays", outlook.held, "update", ends=False)
        if isinstance(workload, StatefulSet) and _ordinal(pod) < workload.partition:
            return PodFate(pod, "stays", outlook.partly, "update", ends=False)
        missing, extra = rollout_limits(workload)
        wanted = pods_wanted(workload)
        if missing >= wanted:
            text = "Replaced with all the others at once."
        elif not missing:
            text = f"Replaced when its successor is ready; at most {plural(extra, 'pod')} more meanwhile."
        else:
            text = f"Replaced; at most {plural(missing, 'pod')} missing at any time."
        return PodFate(pod, "moves", text, "update", ends=missing > 0)

    # ---- Where they run again

    @cached_property
    def left(self) -> list[Node]:
        return [node for node in self.nodes if node.metadata.name not in self.lost_nodes]

    @cached_property
    def schedulable(self) -> list[Node]:
        return [
            node
            for node in self.left
            if not node.spec.unschedulable and condition_true(node.status.conditions or (), "Ready")
        ]

    @cached_property
    def _moving(self) -> list[Pod]:
        return [
            pod
            for pod, cause in self.caught.values()
            if cause != "update" and self._waiting[pod.metadata.uid] is None
        ]

    @cached_property
    def _elsewhere(self) -> Elsewhere:
        """The nodes that are left, without what the pods that end have requested there."""
        gone = {uid for uid, (_, cause) in self.caught.items() if cause != "update"}
        rest = Survey(Without(self.survey.objects, gone), self.survey.now)
        return Elsewhere(rest, self.schedulable, self._moving, preempts=True)

    @cached_property
    def _places(self) -> dict[str, str]:
        return self._elsewhere.places()

    @property
    def filled(self) -> list[Filled]:
        """What the nodes that are left get."""
        return self._elsewhere.filled(self._places)


_WORST: tuple[Fate, ...] = ("lost", "pending", "moves", "stays")


def _worst_first(each: PodFate) -> tuple[bool, int, str, str]:
    meta = each.pod.metadata
    return each.own, _WORST.index(each.fate), meta.namespace, meta.name


def _after(seconds: int) -> str:
    """How soon a pod is recreated that tolerates a node that does not answer for so long."""
    minutes = max(1, round((GRACE_SECONDS + max(0, seconds)) / 60))
    return f"about {plural(minutes, 'minute')} after the node stops answering"


def _tolerated_for(pod: Pod) -> int | None:
    """Seconds for which it stays on a node that does not answer; None for ever. The first toleration that matches
    counts (GetMatchingTolerations of pkg/apis/core/v1/helper).
    """
    taint = Taint(key=UNREACHABLE, effect="NoExecute")
    found = next((one for one in pod.spec.tolerations or () if tolerates(one, taint)), None)
    return 0 if found is None else found.toleration_seconds


def _unsure(pod: Pod) -> str:
    """What of its place is not worked out, as a sentence behind others."""
    spec = pod.spec
    if spec.scheduler_name not in ("", DEFAULT_SCHEDULER):
        return f" Scheduler {spec.scheduler_name} places it, which may go by other rules."
    return " Whether its devices are free there is not evaluated." if spec.resource_claims else ""


def _ordinal(pod: Pod) -> int:
    number = pod.metadata.name.rpartition("-")[2]
    return int(number) if number.isdigit() else 0
