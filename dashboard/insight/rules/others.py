"""What can be wrong with claims, autoscalers and Jobs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from dashboard.insight.finding import Finding, Severity, about, said
from dashboard.insight.survey import Known, Survey
from dashboard.insight.words import Part, bold, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.horizontalpodautoscalers import HorizontalPodAutoscaler
from dashboard.kinds.jobs import Job
from dashboard.kinds.meta import ObjectCondition, find_condition
from dashboard.kinds.persistentvolumeclaims import PersistentVolumeClaim
from dashboard.kinds.rows import plural
from dashboard.kinds.uses import pod_spec_uses

# A provisioner needs a moment.
BINDING = timedelta(seconds=30)

Conditions = tuple[ObjectCondition, ...]


def claims(survey: Survey, known: Known) -> Iterator[Finding]:
    """Claims that lost their volume, or got none."""
    for claim in survey.all("persistentvolumeclaims"):
        meta = claim.metadata
        ref = Ref("PersistentVolumeClaim", meta.namespace, meta.name, "persistentvolumeclaims")
        if meta.deletion_timestamp is not None:
            continue
        if claim.status.phase == "Lost":
            text = parts(_subject(ref), f" in {ref.namespace} lost its volume {claim.spec.volume_name}.")
            step = "Restore its data from a backup into a new claim."
            yield about(ref, "claim-lost", "bad", 80, text, step, ref)
        elif claim.status.phase == "Pending" and _waits_too_long(survey, claim, ref):
            why = _no_volume(survey, claim.storage_class)
            text = parts(
                _subject(ref), f" in {ref.namespace} has no volume yet: {why}. Pods that use it cannot start."
            )
            step = "Look at its events and its StorageClass."
            evidence = said("controller", survey.warnings.get(meta.uid, ""))
            since = meta.creation_timestamp
            yield about(ref, "claim-pending", "bad", 56, text, step, ref, evidence, since)


def _subject(ref: Ref) -> Part:
    return bold(f"{ref.kind} {ref.name}")


def _waits_too_long(survey: Survey, claim: PersistentVolumeClaim, ref: Ref) -> bool:
    """A class of WaitForFirstConsumer makes the volume when the first pod wants it, not earlier."""
    created = claim.metadata.creation_timestamp
    if created is not None and survey.now - created < BINDING:
        return False
    modes = {one.metadata.name: one.volume_binding_mode for one in survey.all("storageclasses")}
    return modes.get(claim.storage_class) != "WaitForFirstConsumer" or _used(survey, ref)


def _no_volume(survey: Survey, wanted: str) -> str:
    names = {one.metadata.name for one in survey.all("storageclasses")}
    if not wanted:
        return "it names no StorageClass, and no free volume fits"
    if names and wanted not in names:
        return f"there is no StorageClass {wanted}"
    return f"StorageClass {wanted} has not made one"


def _used(survey: Survey, claim: Ref) -> bool:
    return any(
        ("PersistentVolumeClaim", claim.name) in pod_spec_uses(pod.spec, pod.metadata.name)
        for pod in survey.objects.all("pods", claim.namespace)
    )


def autoscalers(survey: Survey, known: Known) -> Iterator[Finding]:
    """Autoscalers that cannot scale, cannot measure, or are at their upper bound."""
    for autoscaler in survey.all("horizontalpodautoscalers"):
        found = autoscaler.status.conditions or ()
        for judge in (_cannot_scale, _cannot_measure, _at_maximum):
            if (finding := judge(autoscaler, found)) is not None:
                yield finding
                break


def _cannot_scale(autoscaler: HorizontalPodAutoscaler, found: Conditions) -> Finding | None:
    able = find_condition(found, "AbleToScale")
    if able is None or able.status != "False":
        return None
    target = _target(autoscaler)
    step = f"Check that {target} exists and that nothing else holds it."
    return _autoscaler(autoscaler, "cannot-scale", "bad", 54, f"cannot scale {target}", step, able)


def _cannot_measure(autoscaler: HorizontalPodAutoscaler, found: Conditions) -> Finding | None:
    active = find_condition(found, "ScalingActive")
    # ScalingDisabled is what scaling to 0 does to it, on purpose.
    if active is None or active.status != "False" or active.reason == "ScalingDisabled":
        return None
    how = f"gets no measurements, so it no longer adapts {_target(autoscaler)} to the load"
    step = "Check that metrics-server runs and that every container has a CPU or memory request."
    return _autoscaler(autoscaler, "no-metrics", "warn", 53, how, step, active)


def _at_maximum(autoscaler: HorizontalPodAutoscaler, found: Conditions) -> Finding | None:
    limited = find_condition(found, "ScalingLimited")
    if limited is None or limited.status != "True" or limited.reason != "TooManyReplicas":
        return None
    how = f"is at its maximum: {_target(autoscaler)} needs more than {autoscaler.spec.max_replicas} replicas"
    return _autoscaler(
        autoscaler, "at-maximum", "warn", 22, how, "Raise its maximum, if the nodes have room.", limited
    )


def _target(autoscaler: HorizontalPodAutoscaler) -> str:
    return f"{autoscaler.spec.scale_target_ref.kind} {autoscaler.spec.scale_target_ref.name}"


def _autoscaler(
    autoscaler: HorizontalPodAutoscaler,
    rule: str,
    severity: Severity,
    weight: int,
    how: str,
    step: str,
    because: ObjectCondition,
) -> Finding:
    meta = autoscaler.metadata
    ref = Ref("HorizontalPodAutoscaler", meta.namespace, meta.name, "horizontalpodautoscalers")
    text = parts(bold(f"HorizontalPodAutoscaler {meta.name}"), f" in {meta.namespace} {how}.")
    evidence = said("controller", because.message)
    since = because.last_transition_time
    return about(ref, f"autoscaler-{rule}", severity, weight, text, step, ref, evidence, since)


def jobs(survey: Survey, known: Known) -> Iterator[Finding]:
    """Failed Jobs whose pods do not say why themselves, unless a later Job of the same CronJob succeeded."""
    for job in survey.all("jobs"):
        failed = find_condition(job.status.conditions or (), "Failed")
        ref = Ref("Job", job.metadata.namespace, job.metadata.name, "jobs")
        past = (ref.namespace, ref.name) in survey.past_jobs or job.metadata.deletion_timestamp is not None
        if failed is not None and failed.status == "True" and not past and ref not in known:
            yield _failed(job, ref, failed)


def _failed(job: Job, ref: Ref, because: ObjectCondition) -> Finding:
    why = {
        "BackoffLimitExceeded": f"its pods failed {plural(job.status.failed, 'time')}",
        "DeadlineExceeded": f"it took longer than {job.spec.active_deadline_seconds} s",
    }.get(because.reason, "its pods failed")
    text = parts(bold(f"Job {ref.name}"), f" in {ref.namespace} failed: {why}.")
    step = "Read the log of its last pod; a failed Job does not start again by itself."
    evidence = said("controller", because.message)
    return about(ref, "job-failed", "bad", 44, text, step, ref, evidence, because.last_transition_time)
