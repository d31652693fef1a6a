"""What can be wrong with HorizontalPodAutoscalers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

from dashboard.insight.finding import (
    Evidence,
    Finding,
    Known,
    Severity,
    Step,
    because_of,
    reported,
    stands,
    subject,
)
from dashboard.insight.names import WorkloadRule
from dashboard.insight.observed import Observed
from dashboard.insight.words import code, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.catalogue import APISERVICES
from dashboard.kinds.horizontalpodautoscalers import HorizontalPodAutoscaler
from dashboard.kinds.meta import ObjectCondition, find_condition
from dashboard.kinds.metrics import name_of, unread
from dashboard.kinds.references import kind_title, meant, title
from dashboard.kinds.rows import listed, shorten

from .apiservices import ref_of as apiservice

# New pods have no measures for a while: metrics-server looks every 15 s, the autoscaler too.
MEASURING = timedelta(minutes=2)
# A peak passes; a load that stays wants more room.
PEAK = timedelta(minutes=15)

_NO_REQUEST = re.compile(r"missing request for (\w+)(?: in container (\S+))?")
_SCALE = re.compile(
    r"^the HPA controller was unable to (?:get the target's current|update the target) scale: "
)
_UNREADY = (
    "did not receive metrics for targeted pods"  # pods might be unready, it says (replica_calculator.go)
)
_NO_API = re.compile(
    r"unable to (?:get|fetch) metrics from|no metrics returned from|could not find the requested resource|"
    r"the server is currently unable|unable to get metrics for resource",
    re.IGNORECASE,
)

# The API is there and knows no such metric (k8s.io/metrics, custom_metrics/errors.go); it is not there; it may be either.
_UNKNOWN_METRIC = re.compile(r"could not find the metric (\S+)")
_UNREGISTERED = re.compile(r"no \S+ metrics API \(\S+\) registered")
_NOT_SERVED = re.compile(r"could not find the requested resource")
# By the words of the autoscaler's metrics client: which API is missing, and who serves it.
_APIS = (
    (
        "custom metrics API",
        "v1beta1.custom.metrics.k8s.io",
        "the adapter of custom metrics (such as prometheus-adapter)",
    ),
    (
        "external metrics API",
        "v1beta1.external.metrics.k8s.io",
        "the adapter of external metrics (such as KEDA)",
    ),
    ("resource metrics API", "v1beta1.metrics.k8s.io", "metrics-server"),
)

# Of the adapter of KEDA, which answers by the name of the ScaledObject; and that no adapter answers.
_KEDA = re.compile(r"scaledobject\.keda\.sh/name: ([\w.-]+)")
_NO_ANSWER = re.compile(
    r"the server is currently unable|no endpoints available|connection refused|[Tt]imeout"
)

_MULTIPLE = re.compile(r"controlled by multiple HPAs: \[([^\]]*)\]")  # namespace/name, in any order
# Reasons of ScalingActive that no metric can mend: what is wrong with its target, and what to do.
_SELECTOR = {
    "InvalidSelector": (
        "can't find the pods of {what}: its scale has no label selector",
        "Have its controller write the selector where the kind's scale subresource reads it (labelSelectorPath).",
    ),
    "AmbiguousSelector": (
        "is not scaling: {others} the same pods as {what}",
        "Leave one HorizontalPodAutoscaler for these pods, or change the selectors so that they do not overlap.",
    ),
}

_NO_SCALE = ("daemonsets", "jobs", "cronjobs", "pods")

Judge = Callable[[Observed, HorizontalPodAutoscaler, Ref], Finding | None]


def autoscalers(survey: Observed, known: Known) -> Iterator[Finding]:
    """Autoscalers that have no target, cannot scale, cannot measure, are switched off, or are at their maximum."""
    for one in survey.all("horizontalpodautoscalers"):
        ref = Ref(
            "HorizontalPodAutoscaler", one.metadata.namespace, one.metadata.name, "horizontalpodautoscalers"
        )
        if one.metadata.deletion_timestamp is not None:
            continue
        found = next((finding for judge in _JUDGES if (finding := judge(survey, one, ref)) is not None), None)
        if found is not None:
            yield _with_its_cause(known, one, found)


def _with_its_cause(known: Known, one: HorizontalPodAutoscaler, found: Finding) -> Finding:
    """What lacks metrics follows from what is wrong where its next step leads: to the APIService that serves them, or to
    its target, of which no pod is ready.
    """
    to = found.step.ref
    if to is None or not (
        to.plural == APISERVICES.key or (to == target_of(one) and found.rule == "autoscaler-no-metrics")
    ):
        return found
    cause = known.get(to)
    return found.following(cause) if cause is not None and cause.severity != "note" else found


def target_of(one: HorizontalPodAutoscaler) -> Ref:
    return meant(one.spec.scale_target_ref, one.metadata.namespace)


def _condition(one: HorizontalPodAutoscaler, type_: str) -> ObjectCondition | None:
    return find_condition(one.status.conditions or (), type_)


def _no_target(survey: Observed, one: HorizontalPodAutoscaler, ref: Ref) -> Finding | None:
    target = target_of(one)
    if not target.plural or not survey.lacks(target.plural, target.namespace, target.name):
        return None
    text = parts(
        *subject(ref), f" targets {kind_title(target)} ", code(target.name), ", which does not exist."
    )
    step = Step(f"Create {title(target)}, or correct scaleTargetRef.", ref, "yaml")
    evidence = (
        *stands("spec.scaleTargetRef", title(target)),
        *because_of(_condition(one, "AbleToScale")),
    )
    return Finding(
        "autoscaler-no-target", "bad", 55, ref, text, step, evidence, one.metadata.creation_timestamp
    )


def _cannot_scale(survey: Observed, one: HorizontalPodAutoscaler, ref: Ref) -> Finding | None:
    able = _condition(one, "AbleToScale")
    if able is None or able.status != "False" or able.reason == "BackoffBoth":
        return None
    target = target_of(one)
    said = _SCALE.sub("", able.message)
    step = Step(f"Check that {title(target)} exists and has a scale of its own.", target)
    if target.plural in _NO_SCALE:
        step = Step(f"Correct scaleTargetRef, or delete it: a {target.kind} has no scale.", ref, "yaml")
    elif "no matches for kind" in able.message:
        step = Step(
            "Correct apiVersion and kind in scaleTargetRef, or install the CRD of that kind.", ref, "yaml"
        )
    if able.reason == "FailedUpdateScale":
        step = Step("Correct what the API server rejects; a conflict passes by itself.", target)
    how = f"cannot scale {title(target)}{f': {shorten(said)}' if said else ''}".rstrip(".")
    return _finding(one, ref, "autoscaler-cannot-scale", "bad", 54, how, step, able)


def _cannot_measure(survey: Observed, one: HorizontalPodAutoscaler, ref: Ref) -> Finding | None:
    active = _condition(one, "ScalingActive")
    if active is None or active.status != "False":
        return None
    target = target_of(one)
    what = title(target)
    if active.reason == "ScalingDisabled":
        step = Step(
            f"Scale {what} up when it should run again.",
            target,
            "scale" if target.plural == "deployments" else "",
        )
        how = f"is disabled, because {what} is scaled to 0"
        return _finding(one, ref, "autoscaler-disabled", "note", 10, how, step, active)
    if not survey.older(active.last_transition_time, MEASURING):
        return None
    if active.reason in _SELECTOR:
        how, todo = _SELECTOR[active.reason]
        how = how.format(what=what, others=_who_else_selects(active.message, ref))
        return _finding(one, ref, "autoscaler-cannot-scale", "bad", 54, how, Step(todo, target), active)
    step, message = _remedy(active.message, ref, target), active.message
    if missing := _NO_REQUEST.search(message):
        where = f" of container {missing[2].rstrip(',;')}" if missing[2] else ""
        how = f"can't compute the utilization of {what}: no {missing[1]} request{where}"
        return _finding(one, ref, "autoscaler-no-request", "warn", 53, how, step, active)
    if _UNREADY in message:
        how = f"has no metrics, as no pod of {what} is ready that it could measure"
        return _finding(one, ref, "autoscaler-no-metrics", "warn", 53, how, step, active)
    names = [name_of(spec) for spec in unread(one.spec.metrics or (), one.status.current_metrics or ())]
    no = (
        f"no value of its {'metric' if len(names) == 1 else 'metrics'} {listed(names)}"
        if names
        else "no metrics"
    )
    how = f"has {no}, so it no longer scales {what} to the load"
    shared = "metrics" if _NO_API.search(message) else ""
    return _finding(one, ref, "autoscaler-no-metrics", "warn", 53, how, step, active, shared)


def _who_else_selects(message: str, ref: Ref) -> str:
    """The other autoscalers of the same pods, with their verb."""
    found = _MULTIPLE.search(message)
    every = sorted(each.partition("/")[2] for each in found[1].split()) if found else []
    others = [name for name in every if name != ref.name]
    if not others:
        return "another autoscaler selects"
    kind = "HorizontalPodAutoscaler" if len(others) == 1 else "HorizontalPodAutoscalers"
    return f"{kind} {listed(others)} {'selects' if len(others) == 1 else 'select'}"


def _remedy(message: str, ref: Ref, target: Ref) -> Step:
    """What mends a metric that has no value, by what the autoscaler says of it: of its target, or of who serves it."""
    if missing := _NO_REQUEST.search(message):
        return Step(f"Set resources.requests.{missing[1]} for every container of {title(target)}.", target)
    if _UNREADY in message:
        return Step(f"Look at the pods of {title(target)}.", target)
    for sign, api, by in _APIS:
        if sign not in message:
            continue
        if found := _UNKNOWN_METRIC.search(message):
            return Step(
                f"Correct the name {found[1]}, or let {by} serve it: it knows no such metric.", ref, "yaml"
            )
        if _UNREGISTERED.search(message):
            return Step(f"Install {by}: no APIService {api} is registered.", ref)
        if _NOT_SERVED.search(message):
            return Step(f"Install {by}: no APIService {api} is registered, or it has no such metric.", ref)
        if (scaler := _KEDA.search(message)) and not _NO_ANSWER.search(message):
            todo = f"Look at ScaledObject {scaler[1]} and at the log of keda-operator: its trigger gives no value."
            return Step(todo, ref, "events")
        return Step(f"Check that {by} runs and that APIService {api} is available.", apiservice(api))
    return Step(
        "Check that metrics-server (or the adapter that serves the metric) is running and available.", ref
    )


def _some_unread(survey: Observed, one: HorizontalPodAutoscaler, ref: Ref) -> Finding | None:
    """With one metric it goes on, but as long as others are missing it only scales up: where it would scale down, its
    condition says that it does not scale (computeReplicasForMetrics of podautoscaler/horizontal.go).
    """
    active, specs = _condition(one, "ScalingActive"), one.spec.metrics or ()
    missing = unread(specs, one.status.current_metrics or ())
    if active is None or not missing or len(missing) == len(specs):
        return None
    if active.status != "True" and not active.reason.startswith("FailedGet"):
        return None
    if not survey.older(active.last_transition_time, MEASURING):
        return None
    reasons = {f"FailedGet{spec.type}Metric" for spec in missing}
    events = {event.reason: event for event in survey.events(one.metadata.uid, *reasons)}.values()
    text = parts(
        *subject(ref), f" has no value of {len(missing)} of its {len(specs)} metrics (",
        code(listed(map(name_of, missing))), "): it scales up by the others, but does not scale down.",
    )  # fmt: skip
    evidence = (
        *(reported(event)[0] for event in events),
        *because_of(active),
    )
    message = " ".join([*(event.message for event in events), active.message])
    step, since = _remedy(message, ref, target_of(one)), active.last_transition_time
    return Finding("autoscaler-some-metrics", "warn", 51, ref, text, step, evidence, since)


def _at_maximum(survey: Observed, one: HorizontalPodAutoscaler, ref: Ref) -> Finding | None:
    limited = _condition(one, "ScalingLimited")
    if limited is None or limited.status != "True" or limited.reason != "TooManyReplicas":
        return None
    target, most = target_of(one), one.spec.max_replicas
    how = f"is at its maximum: {title(target)} needs more than {most} replicas"
    step = Step("Raise its maxReplicas, if the nodes have room.", ref, "yaml")
    severity: Severity = "warn" if survey.older(limited.last_transition_time, PEAK) else "note"
    return _finding(one, ref, "autoscaler-at-maximum", severity, 22, how, step, limited)


_JUDGES: tuple[Judge, ...] = (_no_target, _cannot_scale, _some_unread, _cannot_measure, _at_maximum)


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
