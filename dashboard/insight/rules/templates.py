"""The labels that workloads give their pods, whether or not there are any pods now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from dashboard.insight.observed import Observed
from dashboard.insight.ownership import belongs
from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref

KINDS_WITH_TEMPLATES = ("deployments", "statefulsets", "daemonsets", "replicasets", "cronjobs", "jobs")


class Template(NamedTuple):
    """A workload and the labels of its pods; ``size`` is how many it should have now."""

    ref: Ref
    labels: dict[str, str]
    size: int


def knows_templates(survey: Observed, namespace: str) -> bool:
    """Whether the workloads of a namespace that may stand without pods are all known."""
    return all(survey.reads(kind, namespace) for kind in ("deployments", "statefulsets", "daemonsets"))


def templates(survey: Observed, namespace: str) -> Iterator[Template]:
    """Of every workload of a namespace that no other one manages."""
    for kind in KINDS_WITH_TEMPLATES:
        for obj in survey.objects.all(kind, namespace):
            if not belongs(obj):
                template = obj.spec.job_template.spec.template if kind == "cronjobs" else obj.spec.template
                ref = Ref(KINDS[kind].kind, namespace, obj.metadata.name, kind)
                yield Template(ref, template.metadata.labels or {}, _size(kind, obj))


def _size(kind: str, obj: Any) -> int:
    if kind == "daemonsets":
        return int(obj.status.desired_number_scheduled)
    if kind == "cronjobs":
        return len(obj.status.active or ())
    return int(obj.status.active) if kind == "jobs" else int(obj.spec.replicas)
