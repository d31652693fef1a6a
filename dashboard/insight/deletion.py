"""What deleting one pod would touch: what comes after it, who answers meanwhile, what is lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from dashboard.kinds.base import Ref
from dashboard.kinds.poddisruptionbudgets import PodDisruptionBudget
from dashboard.kinds.pods import Pod
from dashboard.kinds.references import kind_title, meant, title
from dashboard.kinds.rows import listed, plural

from .impact import Effect, Notice, reach, selector_of
from .pod_health import is_ready
from .protocols import Objects
from .survey import Survey
from .words import bold, parts


@dataclass(frozen=True, slots=True)
class DeletionImpact:
    """``headline`` is the consequence that comes first, when there is one; ``danger`` that something stops or is lost
    for good.
    """

    headline: Notice | None
    effects: tuple[Effect, ...]
    notices: tuple[Notice, ...]
    danger: bool


def budgets_over(objects: Objects, pod: Pod) -> tuple[PodDisruptionBudget, ...]:
    """The PodDisruptionBudgets that cover a pod."""
    return covering(objects.all("poddisruptionbudgets", pod.metadata.namespace), pod)


def covering(budgets: Iterable[PodDisruptionBudget], pod: Pod) -> tuple[PodDisruptionBudget, ...]:
    """Those of the budgets of its namespace that cover a pod."""
    return tuple(one for one in budgets if selector_of(one.spec.selector).matches(pod.metadata.labels))


def asks_budgets(pod: Pod) -> bool:
    """Whether an eviction asks the budgets over a pod: canIgnorePDB of eviction.go, turned about."""
    return pod.status.phase not in ("Pending", "Succeeded", "Failed") and not pod.metadata.deletion_timestamp


def budget_lets_go(budget: PodDisruptionBudget, pod: Pod) -> str:
    """Why a budget lets a pod go that is not ready, by its policy (eviction.go); "" where it counts the eviction."""
    if is_ready(pod):
        return ""
    if budget.spec.unhealthy_pod_eviction_policy == "AlwaysAllow":
        return "its unhealthyPodEvictionPolicy is AlwaysAllow"
    healthy, desired = budget.status.current_healthy, budget.status.desired_healthy
    return f"{healthy} others are healthy, of {desired} that must be" if healthy >= desired > 0 else ""


def deletion_impact(
    objects: Objects, pod: Pod, now: datetime, *, evict: bool, grace: int | None
) -> DeletionImpact:
    """What happens when the pod is deleted, or evicted. ``grace`` is in seconds, None for the pod's own."""
    one = _Deletion(objects, pod, now, evict, grace)
    return DeletionImpact(
        one.headline(),
        (*one.on_pod(), *one.on_services(), *one.on_data()),
        tuple(one.notices()),
        one.naked or bool(one.stopped) or grace == 0,
    )


class _Deletion:
    def __init__(self, objects: Objects, pod: Pod, now: datetime, evict: bool, grace: int | None) -> None:
        self.pod, self.evict, self.grace = pod, evict, grace
        self.name, self.namespace = pod.metadata.name, pod.metadata.namespace
        self.objects = objects
        self.survey = Survey(objects, now, self.namespace)
        self.over = pod.status.phase in ("Succeeded", "Failed")
        self.controller = pod.metadata.controller
        self.naked = self.controller is None
        self.keeper = _keeper(pod)
        self.services = [
            service
            for service in self.survey.all("services")
            if service.spec.selector and pod in self.survey.selected(service)
        ]

    @property
    def stopped(self) -> list[str]:
        """Services that this pod alone answers for."""
        return [
            one.metadata.name for one in self.services if self.survey.endpoints(one) == frozenset({self.name})
        ]

    @property
    def seconds(self) -> int:
        if self.grace is not None:
            return self.grace
        own = self.pod.spec.termination_grace_period_seconds
        return 30 if own is None else own

    def headline(self) -> Notice | None:
        if self.pod.metadata.deletion_timestamp is not None:
            text = "It is removed when its containers have stopped and its finalizers are removed."
            return Notice("info", f"{self.name} is being deleted already", text)
        if self.naked:
            text = "No controller manages it, so it is not recreated: create it again if it is needed."
            return Notice("bad", f"{self.name} is deleted permanently", text)
        if self.stopped:
            word = "Service" if len(self.stopped) == 1 else "Services"
            title = f"{word} {listed(self.stopped)} will be unavailable for a while"
            return Notice("bad", title, "This is the only ready pod; its replacement has to start first.")
        return None

    def on_pod(self) -> Iterator[Effect]:
        owner = self.survey.owner(self.pod)
        controller = self.controller
        if controller is None:
            yield Effect("bad", "bad", parts("It is not replaced"), "", "for good")
        elif self.keeper == "statefulsets":
            text = parts(bold(f"StatefulSet {owner.name}"), f" recreates {self.name}")
            yield Effect("ok", "restart", text, "with the same name and the same claims", "", owner)
        elif self.keeper == "daemonsets":
            text = parts(
                bold(f"DaemonSet {owner.name}"),
                f" creates a new one on {self.pod.spec.node_name or 'the node'}",
            )
            yield Effect("ok", "restart", text, "under another name", "", owner)
        elif self.keeper == "jobs":
            text = parts(bold(f"Job {controller.name}"), " starts another pod")
            note = (
                "it has completed: the pod and its log are deleted" if self.over else "the work starts over"
            )
            if self.pod.status.phase == "Succeeded":
                text = parts(bold(f"Job {controller.name}"), " stays complete")
            yield Effect("info", "restart", text, note, "", owner)
        elif self.keeper == "nodes":
            text = parts("Its node's kubelet recreates it immediately")
            note = "a static pod: it stops only when its manifest on the node is removed"
            yield Effect("warn", "warn", text, note)
        elif not self.keeper:
            text = parts(bold(title(owner)), " decides whether there is a new one")
            yield Effect(
                "info", "restart", text, f"{kind_title(owner)} is not one of Kubernetes' own kinds", "", owner
            )
        else:
            text = parts(bold(title(owner)), " creates a new one")
            yield Effect("ok", "restart", text, "under another name, maybe on another node", "", owner)
        if self.over:
            return
        if self.seconds:
            note = f"it has {self.seconds} s to finish its requests, then it is killed"
        else:
            note = (
                "it is removed from the API immediately; its containers may still run on the node for a while"
            )
        yield Effect("info" if self.seconds else "warn", "end", parts("Its containers are terminated"), note)

    def on_services(self) -> Iterator[Effect]:
        for service in self.services:
            name = service.metadata.name
            ref = Ref("Service", self.namespace, name, "services")
            ready = self.survey.endpoints(service)
            subject, note = bold(f"Service {name}"), reach(service)
            if name in self.stopped:
                yield Effect("bad", "bad", parts(subject, " loses its only endpoint"), note, "stops", ref)
            elif self.name in ready:
                kept = f" keeps {len(ready) - 1} of {len(ready)} endpoints"
                yield Effect("info", "info", parts(subject, kept), note, "", ref)
            else:
                yield Effect("ok", "ok", parts(subject, " sends it no traffic now"), note, "", ref)

    def on_data(self) -> Iterator[Effect]:
        volumes = self.pod.spec.volumes or ()
        if scratch := sorted(volume.name for volume in volumes if volume.empty_dir is not None):
            text = parts(f"What is in emptyDir {listed(scratch)} is lost")
            yield Effect("warn", "warn", text, "it lives as long as its pod", "lost")
        for volume in volumes:
            if volume.ephemeral is not None:
                text = parts(f"What is in volume {volume.name} is lost")
                yield Effect("warn", "warn", text, "its claim belongs to this pod alone", "lost")
        for volume in volumes:
            if (claim := volume.persistent_volume_claim) is not None:
                ref = Ref("PersistentVolumeClaim", self.namespace, claim.claim_name, "persistentvolumeclaims")
                text = parts(bold(f"Claim {claim.claim_name}"), " and its data stay")
                yield Effect("ok", "ok", text, "", "", ref)
        yield Effect("info", "logs", parts("Its logs are deleted with it"), "unless something collects them")

    def notices(self) -> Iterator[Notice]:
        budgets: Sequence[PodDisruptionBudget] = budgets_over(self.objects, self.pod)
        for budget in budgets:
            name, status = budget.metadata.name, budget.status
            ref = Ref("PodDisruptionBudget", self.namespace, name, "poddisruptionbudgets")
            healthy = f"{status.current_healthy} of {status.expected_pods} pods are healthy"
            numbers = f"{healthy}, {status.desired_healthy} must be"
            text = (
                f"It is evicted: the Eviction API checks the budget and may refuse. Now {numbers}, so "
                f"{plural(status.disruptions_allowed, 'pod')} may go. A plain deletion would not check it."
            )
            if not asks_budgets(self.pod):
                text = f"It is evicted, but no budget is checked: {self._why_not_asked()}."
            elif why := budget_lets_go(budget, self.pod):
                text = f"It is evicted, and the budget allows it: the pod is not ready, and {why}."
            yield Notice("info", f"PodDisruptionBudget {name} covers it", text, ref, "Look at the budget")
        if not budgets and self.evict:
            text = "Your account may not list budgets, so it is evicted: if one covers it, that is checked."
            yield Notice("info", "Whether a budget covers it is not known", text)
        if not budgets and not self.evict and not self.over:
            text = "It is deleted directly: no PodDisruptionBudget covers it, so no budget is checked."
            yield Notice("info", "No budget covers it", text)
        if self.grace == 0:
            yield from no_grace([self.pod])

    def _why_not_asked(self) -> str:
        if self.pod.metadata.deletion_timestamp is not None:
            return "it is being deleted already"
        return "it has ended" if self.over else "it does not run yet, so it is not among those that must stay"


def _keeper(pod: Pod) -> str:
    """The kind of the pod's controller, by its plural; "" for none."""
    owner = pod.metadata.controller
    return meant(owner, pod.metadata.namespace).plural if owner is not None else ""


def no_grace(pods: Sequence[Pod]) -> Iterator[Notice]:
    """What a grace period of 0 may do to pods that run; one alone is named by what it is about."""
    stable = [pod.metadata.name for pod in pods if _keeper(pod) == "statefulsets"]
    rest = [pod.metadata.name for pod in pods if _keeper(pod) != "statefulsets"]
    many = len(pods) > 1
    if stable:
        text = "A second pod of the same name may start while the first still writes to the same volume."
        whose = f"the data of {listed(stable)}" if many else "its data"
        yield Notice("bad", f"Two at once can damage {whose}", text)
    if rest:
        text = "Only for a pod whose node is gone or unresponsive. Its work is not finished."
        yield Notice("warn", f"Without a grace period{f': {listed(rest)}' if many else ''}", text)


def replacement_of(objects: Objects, namespace: str, controller: str, since: datetime) -> Pod | None:
    """The youngest pod that a controller (by its uid) made at or after a moment, ready ones first."""
    made = [
        pod
        for pod in objects.all("pods", namespace)
        if (owner := pod.metadata.controller) is not None
        and owner.uid == controller
        and pod.metadata.creation_timestamp is not None
        and pod.metadata.creation_timestamp >= since
        and pod.metadata.deletion_timestamp is None
    ]
    return max(made, key=lambda pod: (is_ready(pod), pod.metadata.creation_timestamp), default=None)
