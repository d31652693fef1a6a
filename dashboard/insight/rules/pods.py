"""What can be wrong with a pod. The first rule that holds speaks for it, so causes stand before symptoms."""

from __future__ import annotations

from dashboard.insight.finding import Trouble
from dashboard.insight.observed import Observed
from dashboard.insight.pod_health import healthy
from dashboard.kinds.pods import Pod

from . import configuration, containers, images, probes, scheduling, starting, termination
from .case import Case, Rule

# Those about one container after the other.
CONTAINER_RULES: tuple[Rule, ...] = (
    configuration.misses_configuration,
    images.cannot_pull,
    containers.cannot_start,
    containers.out_of_memory,
    containers.init_fails,
    containers.fails_liveness,
    containers.hook_fails,
    containers.keeps_crashing,
)

RULES: tuple[Rule, ...] = (
    termination.node_lost,
    termination.evicted,
    termination.rejected,
    termination.failed,
    scheduling.cannot_be_scheduled,
    *CONTAINER_RULES,
    containers.outlived,
    probes.sidecar_unstarted,
    starting.does_not_start,
    containers.init_stuck,
    probes.stays_unready,
    containers.restarts_often,
    containers.resize_waits,
)


def pod_trouble(survey: Observed, pod: Pod) -> Trouble | None:
    """What is wrong with a pod; None for one that is fine, just starting or just ending."""
    if healthy(pod, survey.recent):
        return None
    case = Case(pod, survey)
    if pod.metadata.deletion_timestamp is not None:
        return termination.ends_slowly(case) or termination.node_lost(case)
    return _first(RULES, case)


def pod_troubles(survey: Observed, pod: Pod) -> list[Trouble]:
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
