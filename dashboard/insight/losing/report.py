"""How well each workload is prepared: what weakens it, how much each of that weighs, and what would mend it.

A score is 100 less the weights. They say what comes first, not how likely a loss is: what takes a workload down with one
node weighs most, then what does so in a drain, a crowd or a bad start. Sources: kubernetes.io, "Disruptions", "Pod
Topology Spread Constraints", "Pod Quality of Service Classes", "Configure Liveness, Readiness and Startup Probes" and
"Configuration Best Practices" (on the tag latest).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal, NamedTuple

from dashboard.insight.impact import selector_of
from dashboard.insight.pod_health import is_ready
from dashboard.insight.protocols import Objects
from dashboard.insight.survey import Survey
from dashboard.kinds.base import Ref
from dashboard.kinds.deployments import Deployment
from dashboard.kinds.horizontalpodautoscalers import HorizontalPodAutoscaler
from dashboard.kinds.images import ImageError, parse_image
from dashboard.kinds.meta import find_condition
from dashboard.kinds.nodes import Node
from dashboard.kinds.persistentvolumes import PersistentVolume
from dashboard.kinds.poddisruptionbudgets import PodDisruptionBudget
from dashboard.kinds.pods import Pod
from dashboard.kinds.podspec import Container, PodSpec
from dashboard.kinds.priorityclasses import PriorityClass
from dashboard.kinds.references import meant, reference
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.selectors import from_labels
from dashboard.kinds.statefulsets import StatefulSet

from .loss import ZONE

Prepared = Deployment | StatefulSet
# What the report reads besides what a loss reads.
REPORTED = ("horizontalpodautoscalers", "priorityclasses")
BAD, WARN = 50, 80  # below which a score is critical, and a warning


class Remedy(NamedTuple):
    """What would mend it: an action on ``ref``, its form filled with what is ``typed``, or with ``form`` a new object of
    that kind, filled in from it.
    """

    words: str
    ref: Ref
    action: str = ""
    form: str = ""
    typed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Weakness:
    """``rule`` is its name for scripts; ``weight`` what it takes from the score."""

    rule: str
    weight: int
    text: str
    remedy: Remedy | None = None

    @property
    def state(self) -> Literal["bad", "warn", "info"]:
        return "bad" if self.weight >= 30 else "warn" if self.weight >= 10 else "info"


@dataclass(frozen=True, slots=True)
class Preparedness:
    """A workload, what it has of replicas, zones and nodes, and what weakens it, the heaviest first."""

    ref: Ref
    replicas: int
    has: str
    weaknesses: tuple[Weakness, ...]

    @property
    def score(self) -> int:
        """0–100."""
        return max(0, 100 - sum(each.weight for each in self.weaknesses))

    @property
    def state(self) -> Literal["bad", "warn", "ok"]:
        return "bad" if self.score < BAD else "warn" if self.score < WARN else "ok"


def preparedness(objects: Objects, now: datetime) -> list[Preparedness]:
    """Of every Deployment and StatefulSet that keeps pods, the worst first."""
    return _Report(objects, now).all()


class _Report:
    def __init__(self, objects: Objects, now: datetime) -> None:
        self.survey = Survey(objects, now)
        self.nodes: dict[str, Node] = {node.metadata.name: node for node in self.survey.all("nodes")}
        # Of the cluster's own classes, the one that is preferred least to what has none.
        own = [
            each for each in self.survey.all("priorityclasses") if each.value > 0 and not _is_systems(each)
        ]
        least = min(own, key=lambda each: (each.value, each.metadata.name), default=None)
        self.priority = "" if least is None else f"priority:{least.metadata.name}"

    def all(self) -> list[Preparedness]:
        found = [
            self._of(workload)
            for kind in ("deployments", "statefulsets")
            for workload in self.survey.all(kind)
            if workload.spec.replicas and workload.metadata.deletion_timestamp is None
        ]
        return sorted(found, key=lambda each: (each.score, each.ref.namespace, each.ref.name, each.ref.kind))

    def _of(self, workload: Prepared) -> Preparedness:
        meta = workload.metadata
        ref = reference(type(workload).__name__, meta.namespace, meta.name)
        pods = self.pods.get(ref, [])
        one = _One(self, ref, workload, pods)
        weak = sorted(one.weaknesses(), key=lambda each: -each.weight)
        return Preparedness(ref, workload.spec.replicas, one.has(), tuple(weak))

    # ---- What several workloads are compared with, gathered once

    @cached_property
    def pods(self) -> dict[Ref, list[Pod]]:
        """The ready pods, by what they belong to."""
        found: dict[Ref, list[Pod]] = defaultdict(list)
        for pod in self.survey.all("pods"):
            if pod.metadata.controller is not None and is_ready(pod):
                found[self.survey.owner(pod)].append(pod)
        return found

    @cached_property
    def zones(self) -> frozenset[str]:
        return frozenset(zone for node in self.nodes.values() if (zone := node.metadata.labels.get(ZONE)))

    @cached_property
    def budgets(self) -> dict[str, list[PodDisruptionBudget]]:
        found: dict[str, list[PodDisruptionBudget]] = defaultdict(list)
        for budget in self.survey.all("poddisruptionbudgets"):
            found[budget.metadata.namespace].append(budget)
        return found

    @cached_property
    def autoscalers(self) -> dict[Ref, HorizontalPodAutoscaler]:
        found: dict[Ref, HorizontalPodAutoscaler] = {}
        for each in self.survey.all("horizontalpodautoscalers"):
            found[meant(each.spec.scale_target_ref, each.metadata.namespace)] = each
        return found

    @cached_property
    def selectors(self) -> dict[str, list[dict[str, str]]]:
        """What the Services of each namespace select."""
        found: dict[str, list[dict[str, str]]] = defaultdict(list)
        for service in self.survey.all("services"):
            if service.spec.selector:
                found[service.metadata.namespace].append(service.spec.selector)
        return found


class _One:
    """One workload."""

    def __init__(self, report: _Report, ref: Ref, workload: Prepared, pods: Sequence[Pod]) -> None:
        self.report, self.ref, self.workload, self.pods = report, ref, workload, pods
        self.replicas = workload.spec.replicas
        self.spec: PodSpec = workload.spec.template.spec
        self.labels = workload.spec.template.metadata.labels or {}
        self.on = {pod.spec.node_name for pod in pods}
        self.in_zones = {
            zone
            for name in self.on
            if (node := report.nodes.get(name)) is not None and (zone := node.metadata.labels.get(ZONE))
        }

    def has(self) -> str:
        """What it has, in words."""
        said = plural(self.replicas, "member" if isinstance(self.workload, StatefulSet) else "replica")
        if len(self.on) > 1:
            said += f" on {plural(len(self.on), 'node')}"
        if len(self.in_zones) > 1:
            said += f" in {plural(len(self.in_zones), 'zone')}"
        return said

    def weaknesses(self) -> Iterator[Weakness]:
        yield from self._replicas()
        yield from self._placement()
        yield from self._budget()
        yield from self._start()
        yield from self._template()
        yield from self._autoscaler()
        yield from self._data()

    def _remedy(self, words: str, action: str = "", form: str = "", **typed: int | str) -> Remedy:
        return Remedy(words, self.ref, action, form, tuple((key, str(value)) for key, value in typed.items()))

    def _more(self, replicas: int) -> Remedy:
        """More replicas, which an autoscaler takes back where its minimum is lower."""
        if self.report.autoscalers.get(self.ref) is not None:
            return self._remedy(f"Autoscale from {replicas} up…", "autoscale", min=replicas)
        return self._remedy(f"Scale to {replicas}…", "scale", replicas=replicas)

    def _replicas(self) -> Iterator[Weakness]:
        keeps = isinstance(self.workload, StatefulSet) and bool(self.workload.spec.volume_claim_templates)
        if self.replicas == 1:
            text = "Single replica: it is down for minutes when its node fails."
            remedy = self._more(3 if keeps else 2)
            if keeps:
                text = "Single member: it is down until its node is back, or known to be gone."
            yield Weakness("single-replica", 40, text, remedy)
        elif keeps and self.replicas == 2:
            text = "2 members: if they need a quorum, it is lost with either one."
            yield Weakness("no-quorum", 30, text, self._more(3))

    def _placement(self) -> Iterator[Weakness]:
        if self.replicas < 2:
            return
        if len(self.pods) > 1 and len(self.on) == 1:
            text = f"All {len(self.pods)} ready pods are on node {next(iter(self.on))}."
            yield Weakness(
                "one-node", 30, text, self._remedy("Spread over nodes…", "edit", remedy="spread-nodes")
            )
        elif len(self.pods) > 1 and len(self.report.zones) > 1 and len(self.in_zones) == 1:
            text = f"All {len(self.pods)} ready pods are in zone {next(iter(self.in_zones))}."
            # Volumes of one zone tie them to it: spread, they could not be scheduled.
            remedy = (
                None
                if self._volume_zones
                else self._remedy("Spread over zones…", "edit", remedy="spread-zones")
            )
            yield Weakness("one-zone", 20, text, remedy)
        elif not self._is_spread():
            text = "Replicas may share a node: no topology spread, no anti-affinity."
            yield Weakness(
                "no-spread", 10, text, self._remedy("Spread over nodes…", "edit", remedy="spread-nodes")
            )

    def _is_spread(self) -> bool:
        apart = self.spec.affinity.pod_anti_affinity if self.spec.affinity else None
        return bool(self.spec.topology_spread_constraints) or apart is not None

    def _budget(self) -> Iterator[Weakness]:
        if not self.report.survey.reads("poddisruptionbudgets", self.ref.namespace):
            return
        over = [
            each
            for each in self.report.budgets.get(self.ref.namespace, ())
            if selector_of(each.spec.selector).matches(self.labels)
        ]
        if not over and self.replicas > 1:
            text = "No PodDisruptionBudget: a drain may evict all replicas at once."
            yield Weakness("no-budget", 10, text, self._remedy("Add a budget…", form="poddisruptionbudgets"))
        if len(over) > 1:
            names = listed([each.metadata.name for each in over])
            text = (
                f"Budgets {names} cover the same pods, so every eviction is refused: node drains will block."
            )
            yield Weakness("budget-blocks", 15, text, Remedy("Delete a budget…", _own(over[0]), "delete"))
            return
        for budget in over:
            status = budget.status
            if status.expected_pods and status.desired_healthy >= status.expected_pods:
                own = _own(budget)
                text = f"Budget {own.name} never allows a disruption: node drains will block."
                allowed = Remedy("Allow 1 disruption…", own, "edit", typed=(("remedy", "allow-one"),))
                yield Weakness("budget-blocks", 15, text, allowed)

    def _start(self) -> Iterator[Weakness]:
        without = [each.name for each in self._containers if each.readiness_probe is None]
        if without:
            served = any(
                from_labels(selector).matches(self.labels)
                for selector in self.report.selectors.get(self.ref.namespace, ())
            )
            text = f"No readiness probe: {listed(without)}"
            text += (
                " gets requests before it can answer them."
                if served
                else "; a rollout can't tell whether it works."
            )
            remedy = self._remedy("Add a probe…", "edit", remedy="probe")
            yield Weakness("no-readiness-probe", 15 if served else 5, text, remedy)

    def _template(self) -> Iterator[Weakness]:
        lacking: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for each in self._containers:
            if missing := self._not_requested(each):
                lacking[missing].append(each.name)
        if lacking:
            said = "; ".join(
                f"no {listed(what)} request{'' if len(what) == 1 else 's'}: {listed(names)}"
                for what, names in lacking.items()
            )
            # Pods are evicted for memory and disk, never for CPU.
            then = (
                "are evicted first under memory pressure"
                if any("memory" in what for what in lacking)
                else "get CPU last on a busy node"
            )
            text = f"N{said[1:]}. Such pods {then}."
            yield Weakness("no-requests", 10, text, self._remedy("Set requests…", "resources"))
        latest = [each.name for each in self._containers if _is_latest(each.image)]
        if latest:
            text = f"Image tag latest: {listed(latest)} can be another program after a restart."
            yield Weakness("latest-tag", 5, text, self._remedy("Set the image…", "image"))
        if not self.spec.priority_class_name:
            text = "No PriorityClass: it waits with all others when nodes are full."
            chosen = self.report.priority
            remedy = self._remedy("Set a PriorityClass…", "edit", remedy=chosen or UNKNOWN)
            yield Weakness("no-priority", 2, text, remedy)

    def _autoscaler(self) -> Iterator[Weakness]:
        found = self.report.autoscalers.get(self.ref)
        active = find_condition(found.status.conditions or (), "ScalingActive") if found else None
        if (
            found is not None
            and active is not None
            and active.status == "False"
            and active.reason != "ScalingDisabled"
        ):
            ref = reference("HorizontalPodAutoscaler", self.ref.namespace, found.metadata.name)
            text = f"HorizontalPodAutoscaler {ref.name} has no metrics: load changes nothing."
            remedy: Remedy | None = Remedy("Edit the autoscaler…", ref, "edit", typed=(("remedy", UNKNOWN),))
            missing = {what for each in self._containers for what in self._not_requested(each)}
            if active.reason == "FailedGetResourceMetric":
                remedy = None  # nothing in the autoscaler is wrong
                if lacking := sorted(_shares(found) & missing):
                    text += f" It goes by shares of requests, and not all containers have one for {listed(lacking)}."
                    remedy = self._remedy("Set requests…", "resources")
                else:
                    text += " Its pods request what it goes by: look at the metrics API (metrics-server)."
            elif active.reason in _CUSTOM and "CPU" not in missing:
                remedy = Remedy("Scale by CPU too…", ref, "edit", typed=(("remedy", "cpu-metric"),))
            yield Weakness("autoscaler-no-metrics", 10, text, remedy)

    def _data(self) -> Iterator[Weakness]:
        tied: dict[str, str] = {}
        for name, volume in self._volumes:
            if volume.local:
                tied[name] = listed(volume.only_on) or "one node"
        if len(self._volume_zones) == 1 and not tied and len(self.report.zones) > 1:
            text = f"All its volumes are in zone {next(iter(self._volume_zones))}: without it, it can't start anywhere."
            yield Weakness("one-zone-volume", 10, text)
        if tied:
            name, where = min(tied.items())
            one = f"Claim {name} is on the disk of {where}"
            which = one if len(tied) == 1 else f"{len(tied)} claims are on disks of nodes"
            yield Weakness(
                "local-data", 15, f"{which}: the data is lost with it, unless the members copy it."
            )

    @cached_property
    def _volumes(self) -> list[tuple[str, PersistentVolume]]:
        """Of its ready pods, by their claims."""
        return [each for pod in self.pods for each in self.report.survey.volumes_of(pod)]

    @cached_property
    def _volume_zones(self) -> frozenset[str]:
        return frozenset(zone for _, volume in self._volumes for zone in volume.zones)

    def _not_requested(self, container: Container) -> tuple[str, ...]:
        """Of CPU and memory, in words, neither by itself, nor by the pod as a whole, nor by what the API server sets in
        pods (LimitRanges, autoscalers); a limit is a request.
        """
        running = next((pod.spec for pod in self.pods), None)
        in_pods = [
            each for each in (running.containers or () if running else ()) if each.name == container.name
        ]
        asked: set[str] = set()
        for one in (container.resources, self.spec.resources, *(each.resources for each in in_pods)):
            asked |= {*(one.limits or ()), *(one.requests or ())} if one else set()
        return tuple(word for name, word in (("cpu", "CPU"), ("memory", "memory")) if name not in asked)

    @property
    def _containers(self) -> Sequence[Container]:
        return self.spec.containers or ()


# The name of a remedy where nothing tells which change is right: its form opens with nothing filled in, and says so.
UNKNOWN = "unknown"
# Why an autoscaler can't be told a metric that something in the cluster has to provide.
_CUSTOM = frozenset({"FailedGetPodsMetric", "FailedGetObjectMetric", "FailedGetExternalMetric"})
_SHARED = {"cpu": "CPU", "memory": "memory"}


def _shares(autoscaler: HorizontalPodAutoscaler) -> set[str]:
    """Of which requests it goes by a share, in words; one without metrics goes by CPU."""
    metrics = autoscaler.spec.metrics
    sources = [each.resource or each.container_resource for each in metrics or ()]
    found = {each.name for each in sources if each and each.target.average_utilization is not None}
    return {_SHARED[name] for name in (found if metrics else {"cpu"}) if name in _SHARED}


def _own(budget: PodDisruptionBudget) -> Ref:
    return reference("PodDisruptionBudget", budget.metadata.namespace, budget.metadata.name)


def _is_latest(image: str) -> bool:
    try:
        found = parse_image(image)
    except ImageError:
        return False
    return not found.digest and found.tag in ("", "latest")


def _is_systems(priority: PriorityClass) -> bool:
    return priority.metadata.name.startswith("system-")
