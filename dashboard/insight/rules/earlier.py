"""Whether a workload has an earlier revision to return to, as far as the cache tells."""

from __future__ import annotations

from dashboard.insight.finding import Step
from dashboard.insight.observed import Observed
from dashboard.insight.ownership import controller
from dashboard.kinds.base import Ref

ROLLED_OUT = frozenset({"deployments", "statefulsets", "daemonsets"})


def back_step(survey: Observed, owner: Ref) -> Step | None:
    """The way to Roll back; None where there is nothing to return to, or it is refused (a paused Deployment)."""
    there = has_earlier(survey, owner)
    return Step("Or roll back to an earlier revision.", owner, "rollback") if there else None


def has_earlier(survey: Observed, owner: Ref) -> bool:
    """Of a StatefulSet and a DaemonSet only a rollout under way tells it: their revisions are not in the cache."""
    obj = survey.objects.get(owner.plural, owner.namespace, owner.name)
    if obj is None:
        return False
    if owner.plural == "deployments":
        sets = survey.objects.all("replicasets", owner.namespace)
        return not obj.spec.paused and sum(controller(survey.objects, one)[0] == owner for one in sets) > 1
    status = obj.status
    if owner.plural == "statefulsets":
        return bool(status.update_revision) and status.current_revision not in ("", status.update_revision)
    return bool(status.updated_number_scheduled < status.desired_number_scheduled)
