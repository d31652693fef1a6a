"""What can be wrong with HorizontalPodAutoscalers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

from dashboard.insight.finding import Evidence, Finding, Severity, Step, because_of, stands, subject
from dashboard.insight.names import WorkloadRule
from dashboard.insight.survey import Known, Survey
from dashboard.insight.words import code, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.facts import link
from dashboard.kinds.horizontalpodautoscalers import HorizontalPodAutoscaler
from dashboard.kinds.meta import ObjectCondition, find_condition

# New pods have no measures for a while: metrics-server looks every 15 s, the autoscaler too.
MEASURING = timedelta(minutes=2)
# A peak passes; a load that stays wants more room.
PEAK = timedelta(minutes=15)

_NO_REQUEST = re.compile(r"missing request for (\w+)(?: in container (\S+))?")
_NO_API = re.compile(
    r"unable to (?:get|fetch) metrics from|no metrics returned from|could not find the requested resource|"
    r"the server is currently unable|unable to get metrics for resource",
    re.IGNORECASE,
)

Judge = Callable[[Survey, HorizontalPodAutoscaler, Ref], Finding | None]


def autoscalers(survey: Survey, known: Known) -> Iterator[Finding]:
    """Autoscalers that have no target, cannot scale, cannot measure, are switched off, or are at their maximum."""
    for one in survey.all("horizontalpodautoscalers"):
        ref = Ref(
            "HorizontalPodAutoscaler", one.metadata.namespace, one.metadata.name, "horizontalpodautoscalers"
        )
        if one.metadata.deletion_timestamp is not None:
            continue
        found = next((finding for judge in _JUDGES if (finding := judge(survey, one, ref)) is not None), None)
        if found is not None:
            yield found


def target_of(one: HorizontalPodAutoscaler) -> Ref:
    target = one.spec.scale_target_ref
    return link(target.kind, one.metadata.namespace, target.name)


def _condition(one: HorizontalPodAutoscaler, type_: str) -> ObjectCondition | None:
    return find_condition(one.status.conditions or (), type_)


def _no_target(survey: Survey, one: HorizontalPodAutoscaler, ref: Ref) -> Finding | None:
    target = target_of(one)
    if not target.plural or not survey.lacks(target.plural, target.namespace, target.name):
        return None
    text = parts(*subject(ref), f" is to scale {target.kind} ", code(target.name), ", which does not exist.")
    step = Step(f"Create {target.kind} {target.name}, or correct scaleTargetRef.", ref, "yaml")
    evidence = (
        *stands("spec.scaleTargetRef", f"{target.kind} {target.name}"),
        *because_of(_condition(one, "AbleToScale")),
    )
    return Finding(
        "autoscaler-no-target", "bad", 55, ref, text, step, evidence, one.metadata.creation_timestamp
    )


def _cannot_scale(survey: Survey, one: HorizontalPodAutoscaler, ref: Ref) -> Finding | None:
    able = _condition(one, "AbleToScale")
    if able is None or able.status != "False" or able.reason == "BackoffBoth":
        return None
    target = target_of(one)
    step = Step(f"Check that {target.kind} {target.name} exists and has a scale of its own.", target)
    how = f"cannot scale {target.kind} {target.name}"
    return _finding(one, ref, "autoscaler-cannot-scale", "bad", 54, how, step, able)


def _cannot_measure(survey: Survey, one: HorizontalPodAutoscaler, ref: Ref) -> Finding | None:
    active = _condition(one, "ScalingActive")
    if active is None or active.status != "False":
        return None
    target = target_of(one)
    what = f"{target.kind} {target.name}"
    if active.reason == "ScalingDisabled":
        step = Step(
            f"Scale {what} up when it should run again.",
            target,
            "scale" if target.plural == "deployments" else "",
        )
        how = f"is switched off, because {what} is scaled to 0"
        return _finding(one, ref, "autoscaler-disabled", "note", 10, how, step, active)
    if not survey.older(active.last_transition_time, MEASURING):
        return None
    if missing := _NO_REQUEST.search(active.message):
        where = f" of container {missing[2].rstrip(',;')}" if missing[2] else ""
        how = f"cannot measure {what}: the {missing[1]} request{where} is missing, of which it should take a share"
        step = Step(f"Set resources.requests.{missing[1]} for every container of {what}.", target)
        return _finding(one, ref, "autoscaler-no-request", "warn", 53, how, step, active)
    how = f"gets no measurements, so it no longer adapts {what} to the load"
    step = Step("Check that metrics-server (or the adapter of its measure) runs and answers.", ref)
    shared = "metrics" if _NO_API.search(active.message) else ""
    return _finding(one, ref, "autoscaler-no-metrics", "warn", 53, how, step, active, shared)


def _at_maximum(survey: Survey, one: HorizontalPodAutoscaler, ref: Ref) -> Finding | None:
    limited = _condition(one, "ScalingLimited")
    if limited is None or limited.status != "True" or limited.reason != "TooManyReplicas":
        return None
    target, most = target_of(one), one.spec.max_replicas
    how = f"is at its maximum: {target.kind} {target.name} needs more than {most} replicas"
    step = Step("Raise its maxReplicas, if the nodes have room.", ref, "yaml")
    severity: Severity = "warn" if survey.older(limited.last_transition_time, PEAK) else "note"
    return _finding(one, ref, "autoscaler-at-maximum", severity, 22, how, step, limited)


_JUDGES: tuple[Judge, ...] = (_no_target, _cannot_scale, _cannot_measure, _at_maximum)


def _finding(
    one: HorizontalPodAutoscaler,
    ref: Ref,
    rule: WorkloadRule,
    severity: Severity,
    weight: int,
    how: str,
    step: Step,
    because: ObjectCondition,
    shared: str = "",
) -> Finding:
    size = f"{one.status.current_replicas} replicas now, {one.spec.min_replicas or 1} to {one.spec.max_replicas} allowed"
    evidence: tuple[Evidence, ...] = (*because_of(because), *stands("spec and status", size))
    text = parts(*subject(ref), f" {how}.")
    since = because.last_transition_time
    return Finding(rule, severity, weight, ref, text, step, evidence, since, shared=shared)
