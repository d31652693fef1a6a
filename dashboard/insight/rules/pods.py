"""What can be wrong with a pod. The first rule that holds speaks for it, so causes stand before symptoms."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from dashboard.insight.finding import Trouble
from dashboard.kinds.pods import Pod
from dashboard.kinds.podstatus import ContainerStatus

from . import configuration, containers, ending, images, placing, probes, starting
from .case import Case, Rule

if TYPE_CHECKING:
    from dashboard.insight.survey import Survey

RULES: tuple[Rule, ...] = (
    ending.node_lost,
    ending.evicted,
    ending.rejected,
    ending.failed,
    placing.finds_no_node,
    configuration.misses_configuration,
    images.cannot_pull,
    containers.cannot_start,
    containers.out_of_memory,
    containers.init_fails,
    containers.fails_liveness,
    containers.keeps_crashing,
    starting.does_not_start,
    containers.init_stuck,
    probes.stays_unready,
    containers.restarts_often,
)


def healthy(pod: Pod, since: datetime) -> bool:
    """The cheap check that nearly all pods pass: it runs and is ready, or is finished, and was not restarted since."""
    status = pod.status
    if pod.metadata.deletion_timestamp is not None:
        return False
    if status.phase != "Running":
        return status.phase == "Succeeded"
    for container in status.container_statuses or ():
        if not container.ready or (container.restart_count and _ended_after(container, since)):
            return False
    for condition in status.conditions or ():
        if condition.type == "Ready":
            return condition.status == "True"
    return False


def _ended_after(container: ContainerStatus, since: datetime) -> bool:
    last = container.last_state.terminated
    return last is None or last.finished_at is None or last.finished_at > since


def pod_trouble(survey: Survey, pod: Pod) -> Trouble | None:
    """What is wrong with a pod; None for one that is fine, just starting or just ending."""
    if healthy(pod, survey.recent):
        return None
    case = Case(pod, survey)
    if pod.metadata.deletion_timestamp is not None:
        return ending.ends_slowly(case)
    return next((trouble for rule in RULES if (trouble := rule(case)) is not None), None)
