"""How many more replicas of a workload fit, on which nodes, and what stops the next one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from dashboard.insight.capacity import Headroom, in_words, namespace_headroom, pod_amounts, with_defaults
from dashboard.insight.protocols import Objects
from dashboard.insight.scheduling.more import More, more_on_nodes
from dashboard.insight.survey import Survey
from dashboard.kinds.base import Ref
from dashboard.kinds.meta import ObjectMeta
from dashboard.kinds.pods import Pod
from dashboard.kinds.podspec import PodSpec, PodTemplate
from dashboard.kinds.priorityclasses import PriorityClass
from dashboard.kinds.references import reference

MOST = 500  # counted at most; docs/limits.md
# The kinds whose replicas can be counted, by their plurals.
FITTED: Mapping[str, str] = {
    "deployments": "Deployment",
    "statefulsets": "StatefulSet",
    "replicasets": "ReplicaSet",
    "jobs": "Job",
}
# What is read for it.
PLURALS = (
    *FITTED, "nodes", "pods", "resourcequotas", "limitranges", "persistentvolumeclaims", "persistentvolumes",
    "namespaces", "priorityclasses", "poddisruptionbudgets",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fitting:
    """``each`` says in words what one requests, "" for nothing; ``quota`` is the tightest of the namespace. ``unsure``:
    what was not worked out, as a sentence.
    """

    ref: Ref
    each: str
    more: More
    quota: Headroom | None
    unsure: str

    @property
    def pods(self) -> int:
        """How many more start, of what both nodes and quota allow."""
        return min(self.more.pods, self.quota.pods) if self.quota is not None else self.more.pods

    @property
    def preempting(self) -> int:
        """How many of these do so by preempting pods of lower priority: those that come last."""
        return max(0, self.pods - (self.more.pods - (self.more.preempting or 0)))

    @property
    def limited(self) -> bool:
        """Whether there may be more than were counted."""
        return self.more.limited and (self.quota is None or self.quota.pods >= self.more.pods)


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
    more = more_on_nodes(survey, copy, MOST)
    return Fitting(
        reference(FITTED[plural], namespace, name),
        in_words(pod_amounts(spec)),
        more,
        namespace_headroom(objects, namespace, spec),
        _unsure(workload, spec, objects, more),
    )


def _with_priority(spec: PodSpec, objects: Objects) -> PodSpec:
    """As the API server sets it in each pod, from its class, or the default one."""
    classes: Sequence[PriorityClass] = objects.all("priorityclasses")
    for one in classes:
        if one.metadata.name == spec.priority_class_name if spec.priority_class_name else one.global_default:
            policy = one.preemption_policy or ""
            return msgspec.structs.replace(spec, priority=one.value, preemption_policy=policy)
    return spec


def _unsure(workload: Any, spec: PodSpec, objects: Objects, more: More) -> str:
    if getattr(workload.spec, "volume_claim_templates", None):
        return "Each new one needs volumes of its own: where these can be made, their StorageClass decides."
    if not objects.reads("pods"):
        return "You may not list all pods: what the others request is not counted, so fewer may fit."
    if more.preempting is None:
        return "Other pods keep it away from nodes, so whether it preempts pods of lower priority is not evaluated."
    if spec.priority_class_name and not objects.reads("priorityclasses"):
        return (
            "You may not list PriorityClasses: whether it preempts pods of lower priority is not evaluated."
        )
    if spec.scheduler_name not in ("", "default-scheduler"):
        return f"Its pods are placed by the scheduler {spec.scheduler_name}, which may go by other rules."
    return ""
