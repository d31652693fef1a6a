"""What cordoning a node does, and uncordoning it: which pods have no other node, and what the others have room for.

Rules: kubernetes.io, Nodes, "Manual Node administration", and "Taints and Tolerations"; kubernetes/kubernetes,
pkg/controller/daemon/util (``AddOrUpdateDaemonPodTolerations``) and pkg/scheduler/framework/plugins/nodeunschedulable.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import msgspec

from dashboard.kinds.base import Ref
from dashboard.kinds.meta import condition_true
from dashboard.kinds.nodes import Node
from dashboard.kinds.pods import Pod
from dashboard.kinds.references import meant
from dashboard.kinds.rows import listed, plural

from .capacity import amounts, in_words
from .impact import Effect, Notice
from .protocols import Objects
from .scheduling.nodes import CORDONED, takes
from .scheduling.room import asked_on_nodes, left_over, reaches
from .survey import Survey
from .words import bold, parts


@dataclass(frozen=True, slots=True)
class CordonImpact:
    """``headline`` is the consequence that comes first; ``danger``: something can be scheduled nowhere else."""

    headline: Notice
    effects: tuple[Effect, ...]
    notices: tuple[Notice, ...]
    danger: bool = False


def cordon_impact(objects: Objects, node: Node, now: datetime) -> CordonImpact:
    """What happens when the node is cordoned, as far as the objects tell."""
    one = _Node(objects, node, now)
    effects = (
        *one.running(),
        *one.daemons(),
        *one.pending_only_here(),
        *one.bound_here(),
        *one.elsewhere(),
    )
    return CordonImpact(one.cordoned(), effects, tuple(one.unknown()), not one.schedulable)


def uncordon_impact(objects: Objects, node: Node, now: datetime) -> CordonImpact:
    """The same of uncordoning it."""
    one = _Node(objects, _uncordoned(node), now)
    return CordonImpact(one.uncordoned(), tuple(one.opened()), tuple(one.unknown()))


def running_on(objects: Objects, name: str) -> list[Pod]:
    """The pods on a node that have not ended."""
    return [
        pod
        for pod in objects.all("pods")
        if pod.spec.node_name == name and pod.status.phase not in ("Succeeded", "Failed")
    ]


class _Node:
    """One node, the other nodes, and the pods that are concerned."""

    def __init__(self, objects: Objects, node: Node, now: datetime) -> None:
        self.objects, self.node, self.name = objects, node, node.metadata.name
        self.survey = Survey(objects, now)
        self.others: list[Node] = [
            each
            for each in objects.all("nodes")
            if each.metadata.name != self.name and not each.spec.unschedulable
        ]
        self.schedulable = [each for each in self.others if _ready(each)]
        self.own = running_on(objects, self.name)
        self.daemon = [pod for pod in self.own if _managed(pod) == "daemonsets"]
        self.movable = [pod for pod in self.own if _managed(pod) not in ("daemonsets", "nodes")]
        self.pending: list[Pod] = [
            pod
            for pod in objects.all("pods")
            if not pod.spec.node_name
            and pod.status.phase == "Pending"
            and not pod.spec.scheduling_gates
            and pod.metadata.deletion_timestamp is None
        ]

    def allows(self, node: Node, pod: Pod) -> bool:
        """Whether labels, taints and volumes let the pod run on a node; not whether there is room."""
        return takes(node, pod.spec) and reaches(self.survey, node, pod)

    def only_here(self, pod: Pod) -> bool:
        return self.allows(self.node, pod) and not any(self.allows(other, pod) for other in self.others)

    @cached_property
    def pending_here(self) -> list[Pod]:
        """Pods without a node that no other node may run."""
        return [pod for pod in self.pending if self.only_here(pod)]

    # ---- Cordoning

    def cordoned(self) -> Notice:
        if self.node.spec.unschedulable:
            return Notice("info", f"{self.name} is already cordoned", "Nothing would change.")
        if not self.schedulable:
            text = "New pods stay Pending until a node is uncordoned or added. Running pods keep running."
            return Notice("bad", "No other node is schedulable", text)
        if self.pending_here:
            title = f"{plural(len(self.pending_here), 'pending pod')} can be scheduled on no other node"
            return Notice(
                "warn", title, "They stay Pending until this node is uncordoned or another one fits."
            )
        text = "Running pods keep running: cordoning evicts nothing."
        return Notice("info", f"New pods are not scheduled on {self.name}", text)

    def running(self) -> Iterator[Effect]:
        if count := len(self.movable):
            text = parts(f"{plural(count, 'pod')} {'keeps' if count == 1 else 'keep'} running here")
            yield Effect("ok", "ok", text, "One that is deleted is recreated on another node")

    def daemons(self) -> Iterator[Effect]:
        if count := len(self.daemon):
            text = parts(
                f"{plural(count, 'DaemonSet pod')} {'is' if count == 1 else 'are'} still recreated here"
            )
            yield Effect("info", "info", text, "DaemonSet pods tolerate a cordoned node")

    def pending_only_here(self) -> Iterator[Effect]:
        for pod in self.pending_here[:5]:
            namespace, name = pod.metadata.namespace, pod.metadata.name
            text = parts(bold(f"Pod {name}"), f" in {namespace} stays Pending")
            yield Effect(
                "warn", "wait", text, "no other node has the labels, taints and volumes for it", "waits",
                Ref("Pod", namespace, name, "pods"),
            )  # fmt: skip

    def bound_here(self) -> Iterator[Effect]:
        if bound := [pod for pod in self.movable if self.only_here(pod)]:
            names = listed(sorted(pod.metadata.name for pod in bound))
            count = plural(len(bound), "pod")
            text = parts(f"{count} can run on no other node: ", bold(names))
            note = "Once deleted, it stays Pending" if len(bound) == 1 else "Once deleted, they stay Pending"
            yield Effect("warn", "warn", text, f"{note} until this node is uncordoned", "bound")

    def elsewhere(self) -> Iterator[Effect]:
        every = len(self.objects.all("nodes"))
        text = parts(f"{len(self.schedulable)} of {plural(every, 'node')} stay schedulable")
        yield Effect("info" if self.schedulable else "bad", "server", text)
        if not self.movable or not self.schedulable:
            return
        rest = left_over(self.movable, self.schedulable, self.objects.all("pods"))
        if not rest:
            note = "by requests, labels and taints, should they be drained"
            yield Effect("ok", "gauge", parts("The other nodes have capacity for all of its pods"), note)
            return
        fits = len(self.movable) - len(rest)
        text = parts(f"The other nodes have capacity for {fits} of its {plural(len(self.movable), 'pod')}")
        names = listed(sorted(pod.metadata.name for pod in rest))
        yield Effect("warn", "gauge", text, f"{names} would stay Pending after a drain", "too big")

    # ---- Uncordoning

    def uncordoned(self) -> Notice:
        if not _ready(self.node):
            text = "Its condition Ready is not True: the scheduler places nothing here until the kubelet reports."
            return Notice("warn", f"{self.name} is not ready", text)
        return Notice(
            "info",
            f"New pods can be scheduled on {self.name} again",
            "Pods that run elsewhere stay where they are.",
        )

    def opened(self) -> Iterator[Effect]:
        taken = asked_on_nodes(self.objects.all("pods"))[self.name]
        free = {
            name: max(amount - taken.get(name, amount * 0), amount * 0)
            for name, amount in amounts(self.node.status.allocatable).items()
        }
        if words := in_words(free):
            yield Effect("ok", "gauge", parts(f"{words} become available for new pods"))
        here = [pod for pod in self.pending if self.allows(self.node, pod)]
        here_left = left_over(here, [self.node], self.objects.all("pods"))
        if count := len(here) - len(here_left):
            text = parts(f"{plural(count, 'pending pod')} can be scheduled here")
            yield Effect("ok", "play", text)
        for taint in self.node.spec.taints or ():
            value = f"={taint.value}" if taint.value else ""
            text = parts("Taint ", bold(f"{taint.key}{value}:{taint.effect}"), " stays")
            yield Effect("info", "info", text, "only pods that tolerate it are scheduled here")

    def unknown(self) -> Iterator[Notice]:
        if not self.survey.reads("pods"):
            text = "Your account may not list the pods of all namespaces: those that it can't see are not counted."
            yield Notice("info", "Not all pods are known", text)


def _ready(node: Node) -> bool:
    return condition_true(node.status.conditions or (), "Ready")


def _managed(pod: Pod) -> str:
    """The kind of its controller, by its plural; "" for none of Kubernetes' own."""
    owner = pod.metadata.controller
    return "" if owner is None else meant(owner, pod.metadata.namespace).plural


def _uncordoned(node: Node) -> Node:
    """The node as it is once the node controller has removed its taint."""
    taints = tuple(taint for taint in node.spec.taints or () if taint.key != CORDONED)
    return msgspec.structs.replace(
        node, spec=msgspec.structs.replace(node.spec, unschedulable=False, taints=taints)
    )
