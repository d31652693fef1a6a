"""How many more replicas of a workload fit, on which nodes, and what stops the next one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.insight.capacity import Headroom, in_words, namespace_headroom, pod_amounts, with_defaults
from dashboard.insight.protocols import Objects
from dashboard.insight.scheduling.more import More, more_on_nodes
from dashboard.insight.survey import Survey
from dashboard.kinds.base import Ref
from dashboard.kinds.meta import ObjectMeta
from dashboard.kinds.pods import Pod
from dashboard.kinds.podspec import PodSpec, PodTemplate
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
    "namespaces",
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
    spec = with_defaults(template.spec, objects.all("limitranges", namespace))
    copy = Pod(metadata=ObjectMeta(name=f"{name}-next", namespace=namespace, labels=labels), spec=spec)
    return Fitting(
        reference(FITTED[plural], namespace, name),
        in_words(pod_amounts(spec)),
        more_on_nodes(survey, copy, MOST),
        namespace_headroom(objects, namespace, spec),
        _unsure(workload, spec, objects),
    )


def _unsure(workload: Any, spec: PodSpec, objects: Objects) -> str:
    if getattr(workload.spec, "volume_claim_templates", None):
        return "Each new one needs volumes of its own: where these can be made, their StorageClass decides."
    if not objects.reads("pods"):
        return "You may not list all pods: what the others request is not counted, so fewer may fit."
    if spec.scheduler_name not in ("", "default-scheduler"):
        return f"Its pods are placed by the scheduler {spec.scheduler_name}, which may go by other rules."
    return ""
