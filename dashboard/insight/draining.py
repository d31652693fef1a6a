"""What draining a node does: which of its pods are evicted, stay or need a decision, what refuses an eviction, where the
pods can run afterwards, and what is lost or unavailable meanwhile.

Rules: kubernetes/kubectl, pkg/drain/filters.go (the same filters in the same order), and kubernetes/kubernetes,
pkg/registry/core/pod/storage/eviction.go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from dashboard.kinds.base import Ref
from dashboard.kinds.meta import condition_true
from dashboard.kinds.nodes import Node
from dashboard.kinds.poddisruptionbudgets import PodDisruptionBudget
from dashboard.kinds.pods import Pod
from dashboard.kinds.references import meant, title
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.selectors import Selector
from dashboard.kinds.services import Service

from .deletion import asks_budgets, budget_lets_go, no_grace
from .impact import Effect, EffectState, Notice, selector_of
from .pod_health import is_ready
from .protocols import Objects, unlisted
from .scheduling.elsewhere import Elsewhere
from .survey import Survey
from .words import bold, parts

MIRROR = "kubernetes.io/config.mirror"  # on what the kubelet tells the API server of a static pod
ENDED = ("Succeeded", "Failed")
# What is told one by one: of a node's pods (a kubelet runs 110 unless it is told otherwise), and of the other nodes.
MAX_PODS, MAX_NODES = 250, 12


@dataclass(frozen=True, slots=True)
class DrainOptions:
    """What somebody decided: that data in emptyDir volumes, and pods that nothing recreates, may be lost, and the grace
    period of each pod in seconds (None: its own).
    """

    delete_emptydir: bool = False
    force: bool = False
    grace: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a drain does with a pod, and why. ``refuse``: nothing is evicted before somebody decides about it."""

    pod: Pod
    fate: Literal["evict", "stay", "refuse"]
    why: str = ""


def drain_verdict(objects: Objects, pod: Pod, options: DrainOptions) -> Verdict:
    """The filters of ``kubectl drain --ignore-daemonsets``, in their order; a pod that has ended is always evicted."""
    meta, owner = pod.metadata, pod.metadata.controller
    ended = pod.status.phase in ENDED
    if owner is not None and not ended and owner.kind == "DaemonSet":
        ref = meant(owner, meta.namespace)
        if ref.plural == "daemonsets":
            known = objects.reads("daemonsets", meta.namespace)
            if not known or objects.get("daemonsets", meta.namespace, owner.name) is not None:
                return Verdict(pod, "stay", "Managed by a DaemonSet, which tolerates the cordon.")
            why = f"DaemonSet {owner.name}, which manages it, does not exist."
        else:  # of another API: kubectl asks for one of Kubernetes' own
            why = f"{title(ref)}, which manages it, may start it again on this node."
        if not options.force:
            return Verdict(pod, "refuse", why)
    if MIRROR in meta.annotations:
        return Verdict(pod, "stay", "A static pod: its manifest is on the node.")
    if ended:
        return Verdict(pod, "evict")
    if (scratch := _scratch(pod)) and not options.delete_emptydir:
        return Verdict(pod, "refuse", f"What is in its emptyDir {listed(scratch)} is deleted with the pod.")
    if owner is None and not options.force:
        return Verdict(pod, "refuse", "Not managed by a controller: once evicted, nothing recreates it.")
    return Verdict(pod, "evict")


def drain_verdicts(objects: Objects, pods: Sequence[Pod], options: DrainOptions) -> list[Verdict]:
    """The same of many, by namespace and name."""
    ordered = sorted(pods, key=lambda pod: (pod.metadata.namespace, pod.metadata.name))
    return [drain_verdict(objects, pod, options) for pod in ordered]


def pods_of_node(objects: Objects, name: str) -> list[Pod]:
    """Every pod on a node, those that have ended too."""
    return [pod for pod in objects.all("pods") if pod.spec.node_name == name]


@dataclass(frozen=True, slots=True)
class DrainImpact:
    """``headline`` is the consequence that comes first; ``evicted`` are the pods that go, ``refused`` those that
    need a choice; ``danger``: something is lost or unavailable.
    """

    headline: Notice
    effects: tuple[Effect, ...]
    notices: tuple[Notice, ...]
    danger: bool
    evicted: int
    refused: int


def drain_impact(objects: Objects, node: Node, now: datetime, options: DrainOptions) -> DrainImpact:
    """What happens when the node is drained, as far as the objects tell."""
    return _Drain(objects, node, now, options).impact()


@dataclass(frozen=True, slots=True)
class _Held:
    """What a budget makes of an eviction: ``refused`` until something changes, or it ``waits`` for others."""

    word: Literal["refused", "waits"]
    text: str
    ref: Ref | None = None


@dataclass(slots=True)
class _Told:
    """What is told of a pod, gathered: the worst state counts."""

    group: Literal["blocks", "unschedulable", "moves", "deleted", "stays"]
    state: EffectState = "info"
    icon: str = "right"
    word: str = ""
    ref: Ref | None = None
    notes: list[str] = field(default_factory=list)

    def add(self, note: str, state: EffectState = "info") -> None:
        self.notes.append(note)
        if _WORST.index(state) < _WORST.index(self.state):
            self.state, self.icon = state, state


_WORST: tuple[EffectState, ...] = ("bad", "warn", "info", "ok")
_GROUPS = {
    "blocks": "Block the drain",
    "unschedulable": "Will be unschedulable",
    "moves": "Will move",
    "deleted": "Will be deleted",
    "stays": "Stay",
}


class _Drain:
    """One node, its pods and what is around them."""

    def __init__(self, objects: Objects, node: Node, now: datetime, options: DrainOptions) -> None:
        self.objects, self.node, self.name, self.options = objects, node, node.metadata.name, options
        self.survey = Survey(objects, now)
        self._selectors: dict[str, list[tuple[Selector, PodDisruptionBudget]]] = {}
        verdicts = drain_verdicts(objects, pods_of_node(objects, self.name), options)
        self.refused = [each for each in verdicts if each.fate == "refuse"]
        self.staying = [each for each in verdicts if each.fate == "stay"]
        self.evicted = [each.pod for each in verdicts if each.fate == "evict"]
        others: Sequence[Node] = [each for each in objects.all("nodes") if each.metadata.name != self.name]
        self.schedulable = [
            each
            for each in others
            if not each.spec.unschedulable and condition_true(each.status.conditions or (), "Ready")
        ]

    def impact(self) -> DrainImpact:
        told = [*self._told()]
        order = list(_GROUPS)
        told.sort(key=lambda each: (order.index(each[1].group), _WORST.index(each[1].state)))
        sizes = Counter(_GROUPS[each.group] for _, each in told)
        effects = [
            _effect(pod, each, f"{_GROUPS[each.group]}: {sizes[_GROUPS[each.group]]}")
            for pod, each in told[:MAX_PODS]
        ]
        if (more := len(told) - MAX_PODS) > 0:
            effects.append(Effect("info", "info", parts(f"{plural(more, 'further pod')} on this node")))
        effects += self._room()
        lost = any(_scratch(pod) or pod.metadata.controller is None for pod in filter(_runs, self.going))
        return DrainImpact(
            headline=self._headline(),
            effects=tuple(effects),
            notices=tuple(self._notices()),
            danger=not self.refused and (lost or bool(self.silent) or bool(self._at_once)),
            evicted=len(self.going),
            refused=len(self.refused),
        )

    # ---- What refuses an eviction

    @property
    def held(self) -> dict[str, _Held]:
        """By the pod's uid."""
        return self._budgeted[0]

    @property
    def paced(self) -> frozenset[str]:
        """Pods (by uid) whose budget keeps others of theirs running meanwhile."""
        return self._budgeted[1]

    @cached_property
    def _budgeted(self) -> tuple[dict[str, _Held], frozenset[str]]:
        found: dict[str, _Held] = {}
        paced: set[str] = set()
        under: dict[tuple[str, str], list[Pod]] = {}
        budgets: dict[tuple[str, str], PodDisruptionBudget] = {}
        for pod in self.evicted:
            over = self._over(pod) if asks_budgets(pod) else []
            if len(over) > 1:
                names = listed([each.metadata.name for each in over])
                text = f"PodDisruptionBudgets {names} cover it, and the Eviction API refuses to choose."
                found[pod.metadata.uid] = _Held("refused", text, _budget_ref(over[0]))
            elif over and not budget_lets_go(over[0], pod):
                key = (over[0].metadata.namespace, over[0].metadata.name)
                budgets[key] = over[0]
                under.setdefault(key, []).append(pod)
                if over[0].status.desired_healthy:
                    paced.add(pod.metadata.uid)
        for key, pods in under.items():
            budget = budgets[key]
            allowed = budget.status.disruptions_allowed
            for pod in pods[allowed:]:
                found[pod.metadata.uid] = _held(budget)
        return found, frozenset(paced)

    def _over(self, pod: Pod) -> list[PodDisruptionBudget]:
        """The budgets that cover a pod; their selectors are read once for all."""
        namespace = pod.metadata.namespace
        if namespace not in self._selectors:
            budgets = self.objects.all("poddisruptionbudgets", namespace)
            self._selectors[namespace] = [(selector_of(each.spec.selector), each) for each in budgets]
        return [
            budget for selector, budget in self._selectors[namespace] if selector.matches(pod.metadata.labels)
        ]

    @cached_property
    def going(self) -> list[Pod]:
        """What is evicted unless something changes."""
        return [
            pod
            for pod in self.evicted
            if (held := self.held.get(pod.metadata.uid)) is None or held.word == "waits"
        ]

    # ---- What it means

    @cached_property
    def together(self) -> list[Pod]:
        """What may be gone at the same time."""
        return [pod for pod in self.going if pod.metadata.uid not in self.paced]

    @cached_property
    def places(self) -> dict[str, str]:
        """The node on which a pod that is recreated most likely runs, by the pod's uid; "" for none."""
        return self.elsewhere.places()

    @cached_property
    def elsewhere(self) -> Elsewhere:
        """The other nodes, with those that are recreated."""
        moving = [pod for pod in self.going if pod.metadata.controller is not None and _runs(pod)]
        return Elsewhere(self.survey, self.schedulable, moving)

    @cached_property
    def silent(self) -> dict[str, list[str]]:
        """Services all of whose ready endpoints go, by the uid of each such pod."""
        uids = {(pod.metadata.namespace, pod.metadata.name): pod.metadata.uid for pod in self.together}
        found: dict[str, list[str]] = {}
        for service in self._services():
            space, ready = service.metadata.namespace, self.survey.endpoints(service)
            if ready and all((space, name) in uids for name in ready):
                for name in ready:
                    found.setdefault(uids[space, name], []).append(service.metadata.name)
        return found

    def _services(self) -> Iterator[Service]:
        """The Services that select one of those pods: found by a label that they ask for, as there may be thousands."""
        labels = {
            (pod.metadata.namespace, *label) for pod in self.together for label in pod.metadata.labels.items()
        }
        for service in self.survey.all("services"):
            space, selector = service.metadata.namespace, service.spec.selector
            if selector and all((space, *label) in labels for label in selector.items()):
                yield service

    @cached_property
    def ready_elsewhere(self) -> Counter[str]:
        """How many ready pods each controller (by uid) has that are not gone at the same time."""
        leaving = {pod.metadata.uid for pod in self.together}
        return Counter(
            owner.uid
            for pod in self.objects.all("pods")
            if (owner := pod.metadata.controller) is not None
            and pod.metadata.uid not in leaving
            and is_ready(pod)
        )

    def _told(self) -> Iterator[tuple[Pod, _Told]]:
        for verdict in self.refused:
            told = _Told("blocks", word="needs a choice")
            told.add(verdict.why, "bad")
            yield verdict.pod, told
        for pod in self.evicted:
            yield pod, self._evicted(pod)
        for verdict in self.staying:
            yield verdict.pod, _Told("stays", "ok", "ok", notes=[verdict.why])

    def _evicted(self, pod: Pod) -> _Told:
        uid, owner = pod.metadata.uid, pod.metadata.controller
        held = self.held.get(uid)
        if held is not None and held.word == "refused":
            told = _Told("blocks", word="refused", ref=held.ref)
            told.add(held.text, "bad")
            return told
        if pod.status.phase in ENDED:
            return _Told("deleted", icon="end", notes=["It has ended: the pod and its logs are deleted."])
        if pod.metadata.deletion_timestamp is not None:
            return _Told("deleted", icon="end", notes=["It is terminating already, and waited for."])
        if owner is None:
            told = _Told("deleted", word="for good")
            told.add("Nothing recreates it.", "bad")
        elif node := self.places[uid]:
            told = _Told("moves", word=f"→ {node}")
        else:
            told = _Told("unschedulable", word="Pending")
            told.add(f"{self._why_nowhere(pod)} It stays Pending until {self.name} is uncordoned.", "warn")
        if held is not None:
            told.icon = "wait" if told.state == "info" else told.icon
            told.add(held.text)
        for note, state in self._meanwhile(pod):
            told.add(note, state)
        if scratch := _scratch(pod):
            if self.places.get(uid):
                told.add(f"It most likely moves to {self.places[uid]}.")
            told.add(f"What is in emptyDir {listed(scratch)} is lost.", "bad")
            told.word = "data lost"
        return told

    def _room(self) -> list[Effect]:
        """How full the other nodes are afterwards."""
        return [
            Effect(
                "info",
                "gauge",
                parts(bold(each.node), f" gets {plural(each.pods, 'pod')}"),
                f"CPU requests {_percent(each.cpu)}, memory {_percent(each.memory)}",
                "",
                Ref("Node", "", each.node, "nodes"),
                "Requests on the other nodes",
            )
            for each in self.elsewhere.filled(self.places)[:MAX_NODES]
        ]

    def _why_nowhere(self, pod: Pod) -> str:
        if not self.schedulable:
            return "No other node is schedulable."
        return self.elsewhere.why_nowhere(pod)

    def _meanwhile(self, pod: Pod) -> Iterator[tuple[str, EffectState]]:
        owner = pod.metadata.controller
        if services := self.silent.get(pod.metadata.uid):
            word = "Service" if len(services) == 1 else "Services"
            verb = "has" if len(services) == 1 else "have"
            yield f"{word} {listed(services)} {verb} no ready endpoints until a replacement is ready.", "warn"
        elif owner is not None and is_ready(pod) and not self.ready_elsewhere[owner.uid]:
            keeper = title(self.survey.owner(pod))
            yield f"No other pod of {keeper} is ready: none is until a replacement is.", "warn"
        if own := sorted(each.name for each in pod.spec.volumes or () if each.ephemeral is not None):
            yield f"What is in volume {listed(own)} is lost: its claim belongs to this pod.", "warn"

    def _headline(self) -> Notice:
        total = len(self.evicted) + len(self.refused)
        if self.refused:
            count = len(self.refused)
            verb = "needs" if count == 1 else "need"
            return Notice(
                "warn",
                f"{count} of {plural(total, 'pod')} {verb} a choice before anything is evicted",
                f"{self.name} is only cordoned, as by kubectl drain. Tick the options that you can answer for, or remove "
                "these pods first.",
            )
        blocked = len(self.evicted) - len(self.going)
        if blocked:
            verb = "blocks" if blocked == 1 else "block"
            text = (
                f"{plural(len(self.going), 'pod')} will be evicted. {self._fates()} The API server refuses to evict the "
                "rest until the budgets or the replicas change: at its time-out the drain stops with them running."
            )
            return Notice("warn", f"{blocked} of {plural(total, 'pod')} {verb} this drain", text)
        if not total:
            text = (
                "It is cordoned; DaemonSet pods and static pods stay." if self.staying else "It is cordoned."
            )
            return Notice("info", f"No pods to evict on {self.name}", text)
        bad = self.silent or not all(self.places.values())
        title = f"{plural(total, 'pod')} will be evicted"
        return Notice(
            "warn" if bad else "info", title, self._fates() or "None of them moves to another node."
        )

    def _fates(self) -> str:
        """Where they go, as a sentence or two; "" where nothing is recreated."""
        fits = sum(map(bool, self.places.values()))
        rest = sorted(pod.metadata.name for pod in self.going if self.places.get(pod.metadata.uid) == "")
        said = []
        if fits:
            verb = "fits" if fits == 1 else "fit"
            said.append(f"{fits} {verb} on other nodes")
        if rest:
            said.append(f"{listed(rest)} {'stays' if len(rest) == 1 else 'stay'} Pending")
        text = f"{' and '.join(said)}." if said else ""
        services = sorted({name for names in self.silent.values() for name in names})
        if services:
            word, verb = ("Service", "has") if len(services) == 1 else ("Services", "have")
            text += f" {word} {listed(services)} {verb} no ready endpoints meanwhile."
        return text.strip()

    @property
    def _at_once(self) -> list[Pod]:
        """The pods that get no grace period."""
        return [pod for pod in self.going if _runs(pod)] if self.options.grace == 0 else []

    def _notices(self) -> Iterator[Notice]:
        yield from no_grace(self._at_once)
        if self.survey.reads("poddisruptionbudgets") or not unlisted(
            self.objects, ["poddisruptionbudgets"], ""
        ):
            return
        text = "Your account may not list budgets: those that cover pods here refuse their eviction all the same."
        yield Notice("info", "Which budgets cover the pods is not known", text)


def _runs(pod: Pod) -> bool:
    return pod.status.phase not in ENDED and pod.metadata.deletion_timestamp is None


def _effect(pod: Pod, told: _Told, group: str) -> Effect:
    namespace, name = pod.metadata.namespace, pod.metadata.name
    ref = told.ref or Ref("Pod", namespace, name, "pods")
    text = parts(bold(name), f" in {namespace}")
    return Effect(told.state, told.icon, text, " ".join(told.notes), told.word, ref, group)


def _held(budget: PodDisruptionBudget) -> _Held:
    name, status = budget.metadata.name, budget.status
    if status.disruptions_allowed:
        count = plural(status.disruptions_allowed, "disruption")
        text = f"Waits for those before it: PodDisruptionBudget {name} allows {count} at a time."
        return _Held("waits", text)
    numbers = (
        f"{status.current_healthy} of {status.expected_pods} pods healthy, {status.desired_healthy} must be"
    )
    return _Held(
        "refused", f"PodDisruptionBudget {name} allows 0 disruptions: {numbers}.", _budget_ref(budget)
    )


def _percent(shares: tuple[float, float]) -> str:
    before, after = (round(100 * share) for share in shares)
    return f"{before} → {after} %"


def _budget_ref(budget: Any) -> Ref:
    return Ref("PodDisruptionBudget", budget.metadata.namespace, budget.metadata.name, "poddisruptionbudgets")


def _scratch(pod: Pod) -> list[str]:
    return sorted(each.name for each in pod.spec.volumes or () if each.empty_dir is not None)
