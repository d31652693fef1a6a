"""How many more replicas of a workload fit, on which nodes, and what stops the next one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from dashboard.insight.capacity import Headroom, in_words, namespace_headroom, pod_amounts, with_defaults
from dashboard.insight.protocols import Objects
from dashboard.insight.scheduling.more import More, more_on_nodes
from dashboard.insight.survey import Survey
from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref
from dashboard.kinds.meta import ObjectMeta
from dashboard.kinds.pods import Pod
from dashboard.kinds.podspec import PodSpec, PodTemplate
from dashboard.kinds.priorityclasses import PriorityClass
from dashboard.kinds.references import reference
from dashboard.kinds.rows import listed
from dashboard.kinds.uses import mentions

MAX_REPLICAS = 500  # counted at most; docs/limits.md
# The kinds whose replicas can be counted, by their plurals.
FITTED: Mapping[str, str] = {
    "deployments": "Deployment",
    "statefulsets": "StatefulSet",
    "replicasets": "ReplicaSet",
}
# What is read for it.
PLURALS = (
    *FITTED, "nodes", "pods", "resourcequotas", "limitranges", "persistentvolumeclaims", "persistentvolumes",
    "namespaces", "priorityclasses", "poddisruptionbudgets",
)  # fmt: skip
# What is read besides, once somebody asks about a workload.
FIT_PLURALS = ("serviceaccounts", "configmaps", "secrets", "storageclasses")
_NEEDED = {"ConfigMap": "configmaps", "Secret": "secrets"}


@dataclass(frozen=True, slots=True)
class Fitting:
    """``each`` says in words what one requests, "" for nothing; ``quota`` is the tightest of the namespace. ``stopped``:
    what keeps any of them from starting, wherever there is room, "" for nothing; ``unsure``: what was not worked out, as
    a sentence.
    """

    ref: Ref
    each: str
    more: More
    quota: Headroom | None
    stopped: str
    unsure: str

    @property
    def pods(self) -> int:
        """How many more start, of what both nodes and quota allow."""
        if self.stopped:
            return 0
        return min(self.more.pods, self.quota.pods) if self.quota is not None else self.more.pods

    @property
    def preempting(self) -> int:
        """How many of these do so by preempting pods of lower priority: those that come last."""
        return max(0, self.pods - (self.more.pods - (self.more.preempting or 0)))

    @property
    def limited(self) -> bool:
        """Whether there may be more than were counted."""
        return not self.stopped and self.more.limited and not self._quota_stops

    @property
    def _quota_stops(self) -> bool:
        return self.quota is not None and self.quota.pods < self.more.pods

    @property
    def why(self) -> tuple[tuple[str, int | None], ...]:
        """What stops the next one, and on how many nodes; None for what holds wherever it would run."""
        if self.stopped:
            return ((self.stopped, None),)
        if self.quota is not None and self._quota_stops:
            return ((f"quota {self.quota.quota}: {self.quota.why}", None),)
        return self.more.why


def more_replicas(objects: Objects, plural: str, namespace: str, name: str, now: datetime) -> Fitting | None:
    """None where there is no such workload to be seen."""
    workload = objects.get(plural, namespace, name) if plural in FITTED else None
    if workload is None:
        return None
    survey = Survey(objects, now)
    template: PodTemplate = workload.spec.template
    labels = template.metadata.labels or {}
    spec = with_defaults(_with_priority(template.spec, objects), objects.all("limitranges", namespace))
    copy = Pod(metadata=ObjectMeta(name=f"{name}-next", namespace=namespace, labels=labels), spec=spec)
    more = more_on_nodes(survey, copy, MAX_REPLICAS, only=spec.node_name)
    return Fitting(
        reference(FITTED[plural], namespace, name),
        in_words(pod_amounts(spec)),
        more,
        namespace_headroom(objects, namespace, spec),
        next(_missing(survey, copy), ""),
        _unsure(workload, copy, objects, more),
    )


def _missing(survey: Survey, pod: Pod) -> Iterator[str]:
    """What its pods name and can't start without, but is not there, or no volume is bound to."""
    objects, namespace = survey.objects, pod.metadata.namespace

    def absent(plural: str, name: str) -> bool:
        space = namespace if plural != "priorityclasses" else ""
        return objects.reads(plural, space) and objects.get(plural, space, name) is None

    spec = pod.spec
    if gates := [each.name for each in spec.scheduling_gates or ()]:
        yield f"its template has scheduling gates ({listed(gates)}): its pods wait until these are removed"
    # The account "default" is created with each namespace.
    if spec.service_account_name and absent("serviceaccounts", spec.service_account_name):
        yield f"ServiceAccount {spec.service_account_name} does not exist: the API server refuses its pods"
    if spec.priority_class_name and absent("priorityclasses", spec.priority_class_name):
        yield f"PriorityClass {spec.priority_class_name} does not exist: the API server refuses its pods"
    own = {f"{pod.metadata.name}-{each.name}" for each in spec.volumes or () if each.ephemeral is not None}
    for one in mentions(spec, pod.metadata.name):
        if one.kind == "PersistentVolumeClaim" and one.name not in own:
            if absent("persistentvolumeclaims", one.name):
                yield f"claim {one.name} does not exist"
            elif _is_bound(objects, namespace, one.name) is False:
                yield f"claim {one.name} is not bound to a volume"
        elif one.needed and one.kind in _NEEDED and absent(_NEEDED[one.kind], one.name):
            yield f"{one.kind} {one.name} does not exist"


def _is_bound(objects: Objects, namespace: str, name: str) -> bool | None:
    """Whether a claim has its volume; None where it gets one with the pod, or that is not known."""
    claim = objects.get("persistentvolumeclaims", namespace, name)
    if claim is None:
        return None
    if claim.spec.volume_name:
        return True
    class_ = objects.get("storageclasses", "", claim.spec.storage_class_name or "")
    if class_ is None and not objects.reads("storageclasses"):
        return None
    return None if class_ is not None and class_.volume_binding_mode == "WaitForFirstConsumer" else False


def _with_priority(spec: PodSpec, objects: Objects) -> PodSpec:
    """As the API server sets it in each pod, from its class, or the default one."""
    classes: Sequence[PriorityClass] = objects.all("priorityclasses")
    for one in classes:
        if one.metadata.name == spec.priority_class_name if spec.priority_class_name else one.global_default:
            policy = one.preemption_policy or ""
            return msgspec.structs.replace(spec, priority=one.value, preemption_policy=policy)
    return spec


def _unsure(workload: Any, copy: Pod, objects: Objects, more: More) -> str:
    spec = copy.spec
    if getattr(workload.spec, "volume_claim_templates", None):
        return "Each new one needs volumes of its own: where these can be made, their StorageClass decides."
    for claim in (
        one.name for one in mentions(spec, copy.metadata.name) if one.kind == "PersistentVolumeClaim"
    ):
        if _is_bound(objects, copy.metadata.namespace, claim) is None:
            return f"Claim {claim} has no volume yet: on which nodes it can be used is not evaluated."
    if not objects.reads("pods"):
        return "You may not list all pods: what the others request is not counted, so fewer may fit."
    if more.preempting is None:
        return "Other pods keep it away from nodes, so whether it preempts pods of lower priority is not evaluated."
    if spec.priority_class_name and not objects.reads("priorityclasses"):
        return (
            "You may not list PriorityClasses: whether it preempts pods of lower priority is not evaluated."
        )
    if spec.node_name:
        return f"Its template sets nodeName: all of them go to node {spec.node_name}, without the scheduler."
    if spec.resource_claims:
        return "Whether the devices are free that its ResourceClaims ask for is not evaluated."
    if spec.scheduler_name not in ("", "default-scheduler"):
        return f"Its pods are placed by the scheduler {spec.scheduler_name}, which may go by other rules."
    hidden = [
        KINDS[plural].title
        for plural in ("serviceaccounts", *_NEEDED.values())
        if not objects.reads(plural, copy.metadata.namespace)
    ]
    if hidden:
        return f"Whether the {listed(hidden)} that its pods name exist is not evaluated: these can't be read here."
    return ""
