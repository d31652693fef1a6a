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

# Those about one container after the other.
CONTAINER_RULES: tuple[Rule, ...] = (
    configuration.misses_configuration,
    images.cannot_pull,
    containers.cannot_start,
    containers.out_of_memory,
    containers.init_fails,
    containers.fails_liveness,
    containers.keeps_crashing,
)

RULES: tuple[Rule, ...] = (
    ending.node_lost,
    ending.evicted,
    ending.rejected,
    ending.failed,
    placing.finds_no_node,
    *CONTAINER_RULES,
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
    for container in status.init_container_statuses or ():
        # Of those that run on, sidecars; the others are at their end.
        again = container.restart_count and _ended_after(container, since)
        if container.state.terminated is None and (not container.ready or again):
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
    return _first(RULES, case)


def pod_troubles(survey: Survey, pod: Pod) -> list[Trouble]:
    """What is wrong with a pod and, when that is one of its containers, what is wrong with the others: whoever mends
    one fault wants to know of the next.
    """
    lead, case = pod_trouble(survey, pod), Case(pod, survey)
    if lead is None or lead != _first(CONTAINER_RULES, case):
        return [lead] if lead is not None else []
    alone = (_first(CONTAINER_RULES, case._replace(only=status.name)) for status, _ in case.containers())
    told = {_cause(one): one for one in (lead, *(one for one in alone if one is not None))}
    return list(told.values())


def _cause(trouble: Trouble) -> tuple[str, object]:
    return trouble.rule, trouble.shared or trouble.rest


def _first(rules: tuple[Rule, ...], case: Case) -> Trouble | None:
    return next((trouble for rule in rules if (trouble := rule(case)) is not None), None)
