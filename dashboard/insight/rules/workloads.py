"""Pods in trouble, told as one problem of what they belong to, and workloads that cannot go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from dashboard.insight.finding import (
    RANK,
    Evidence,
    Finding,
    Known,
    Page,
    Severity,
    Step,
    Trouble,
    because_of,
    stands,
    subject,
)
from dashboard.insight.observed import Observed
from dashboard.insight.ownership import belongs
from dashboard.insight.words import Parts, code, parts
from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref
from dashboard.kinds.deployments import Deployment
from dashboard.kinds.meta import find_condition
from dashboard.kinds.pods import Pod
from dashboard.kinds.rows import plural
from dashboard.kinds.statefulsets import StatefulSet

from .earlier import has_earlier
from .pod_creation import refused
from .standing import Standing, standing

# A rollout passes through fewer available pods by itself; only what lasts is a problem.
SETTLING = timedelta(minutes=1)
# The weight of a workload without a single available pod.
OUTAGE = 85
KEEPERS = ("deployments", "statefulsets", "daemonsets")

# What is wrong with a node and explains no trouble of its pods.
_BESIDES = ("node-version-skew", "node-version-ahead", "node-condition")

Group = Sequence[tuple[Pod, Trouble]]


def workload_ref(kind: str, obj: Any) -> Ref:
    return Ref(KINDS[kind].kind, obj.metadata.namespace, obj.metadata.name, kind)


def keepers(survey: Observed, known: Known) -> Iterator[Finding]:
    """Deployments, StatefulSets and DaemonSets whose pods cannot be made, do not come up, or are in trouble."""
    for kind in KEEPERS:
        for obj in survey.all(kind):
            if obj.metadata.deletion_timestamp is None:
                yield from _kept(survey, known, kind, obj)


def _kept(survey: Observed, known: Known, kind: str, obj: Any) -> Iterator[Finding]:
    ref = workload_ref(kind, obj)
    how = standing(kind, obj)
    group = survey.troubles.get(ref, ())
    found = _cannot_make(survey, ref, kind, obj, how)
    if found is None and group:
        found = told(known, ref, group, how, obj)
        if kind == "deployments":
            found = _overdue(found, obj)
    if found is None and kind == "deployments" and never_started(obj):
        yield paused_before_start(obj, ref)
        return
    if found is None and kind == "deployments":
        found = deadline_exceeded(survey, obj, ref, how) or unavailable(survey, obj, ref, how)
    if found is None:
        found = _never_observed(survey, obj, ref, how)
    if found is not None:
        yield found
    yield from _on_purpose(survey, ref, kind, obj)


def _never_observed(survey: Observed, obj: Any, ref: Ref, how: Standing | None) -> Finding | None:
    """Its controller, which says at once which generation it has seen, says nothing: nobody makes its pods. How many a
    DaemonSet wants, only that tells.
    """
    made, status = obj.metadata, obj.status
    if ref.plural != "daemonsets" and (how is None or not how.wanted):
        return None
    if (
        status.observed_generation
        or not made.generation
        or not survey.older(made.creation_timestamp, SETTLING)
    ):
        return None
    text = parts(*subject(ref), " has no pods: its controller has not observed it since it was created.")
    step = Step("Check that kube-controller-manager is running: it creates and replaces pods.", ref)
    evidence = stands("status.observedGeneration", f"not set; metadata.generation is {made.generation}")
    return Finding(
        "workload-not-observed", "bad", OUTAGE, ref, text, step, evidence, made.creation_timestamp, shared="controller"
    )  # fmt: skip


def _cannot_make(survey: Observed, ref: Ref, kind: str, obj: Any, how: Standing | None) -> Finding | None:
    """The API server refuses new pods."""
    if how is None:
        return None
    made = obj.status.current_number_scheduled if kind == "daemonsets" else obj.status.replicas
    conditions = (obj.status.conditions or ()) if kind in ("deployments", "replicasets") else None
    if conditions is None and made >= how.wanted:
        return None
    weight = OUTAGE if how.down else 72
    return refused(survey, ref, obj, how.words, weight, conditions, any_made=made > 0)


def replicasets(survey: Observed, known: Known) -> Iterator[Finding]:
    """ReplicaSets that no Deployment speaks for; an operator's kind may have made them."""
    for obj in survey.all("replicasets"):
        if not belongs(obj):
            yield from _replicaset(survey, known, obj)


def _replicaset(survey: Observed, known: Known, obj: Any) -> Iterator[Finding]:
    ref, how = workload_ref("replicasets", obj), standing("replicasets", obj)
    group = survey.troubles.get(ref, ())
    found = _cannot_make(survey, ref, "replicasets", obj, how)
    if found is None and group:
        found = told(known, ref, group, how, obj)
    if found is not None:
        yield found


def replicaset(survey: Observed, obj: Any) -> Iterator[Finding]:
    """What is wrong with one ReplicaSet, whoever speaks for it elsewhere."""
    ref, how = workload_ref("replicasets", obj), standing("replicasets", obj)
    group = [
        (pod, trouble)
        for pod in survey.all("pods")
        if (owner := pod.metadata.controller) is not None
        and owner.uid == obj.metadata.uid
        and (trouble := survey.trouble(pod)) is not None
    ]
    found = _cannot_make(survey, ref, "replicasets", obj, how)
    if found is None and group:
        found = told({}, ref, group, how, obj)
    if found is not None:
        yield found


def pods_of_others(survey: Observed, known: Known) -> Iterator[Finding]:
    """Pods in trouble that belong to nobody, or to a controller of another kind (an operator's); those of Jobs are
    told with their Job.
    """
    told_elsewhere = {*KEEPERS, "jobs", "replicasets"}
    for owner, group in survey.troubles.items():
        speaks = owner.plural in told_elsewhere
        if speaks and survey.objects.get(owner.plural, owner.namespace, owner.name) is not None:
            continue
        yield told(known, owner, group)


def deadline_exceeded(
    survey: Observed, deployment: Deployment, ref: Ref, how: Standing | None
) -> Finding | None:
    """Progressing with reason ProgressDeadlineExceeded, and no pod that says why."""
    progressing = find_condition(deployment.status.conditions or (), "Progressing")
    if how is None or progressing is None or progressing.reason != "ProgressDeadlineExceeded":
        return None
    limit = deployment.spec.progress_deadline_seconds or 600
    text = parts(*subject(ref), f" did not finish its rollout within {limit} s: it {how.words}.")
    evidence = (*because_of(progressing), *stands("spec.progressDeadlineSeconds", str(limit)))
    page: Page = "rollback" if has_earlier(survey, ref) else ""
    step = Step("Look at its newest pods; roll back if they do not become ready.", ref, page)
    since, weight = progressing.last_transition_time, OUTAGE if how.down else 70
    return Finding("deployment-deadline-exceeded", "bad", weight, ref, text, step, evidence, since)


def _overdue(found: Finding, deployment: Deployment) -> Finding:
    """Pods say why; that they held up a rollout beyond its deadline makes it a matter for a person."""
    progressing = find_condition(deployment.status.conditions or (), "Progressing")
    late = progressing is not None and progressing.reason == "ProgressDeadlineExceeded"
    if not late or found.severity != "warn" or found.follows is not None:
        return found
    return replace(found, severity="bad", evidence=(*found.evidence, *because_of(progressing)))


def unavailable(survey: Observed, deployment: Deployment, ref: Ref, how: Standing | None) -> Finding | None:
    """Available is False for longer than a rollout takes to settle, and no pod says why."""
    available = find_condition(deployment.status.conditions or (), "Available")
    if how is None or not how.wanted or available is None or available.status != "False":
        return None
    since = available.last_transition_time
    if not survey.older(since, SETTLING):
        return None
    if how.ready >= how.wanted and deployment.spec.min_ready_seconds:
        return None  # they serve, and count as available when they have been ready for so long
    text = parts(*subject(ref), f" {how.words}, below the minimum availability.")
    severity: Severity = "bad" if how.down else "warn"
    weight = OUTAGE if how.down else 60
    step = Step("Look at its pods and their events.", ref, "events")
    return Finding("deployment-unavailable", severity, weight, ref, text, step, because_of(available), since)


def _on_purpose(survey: Observed, ref: Ref, kind: str, obj: Any) -> Iterator[Finding]:
    """What somebody wanted so, and what may surprise somebody else."""
    if kind == "deployments" and obj.spec.paused:
        yield paused(obj, ref)
    if kind == "statefulsets" and (found := no_service(survey, obj, ref)) is not None:
        yield found
    if kind in ("statefulsets", "daemonsets") and (found := waits_for_deletion(obj, ref)) is not None:
        yield found
    if kind == "daemonsets" and (count := obj.status.number_misscheduled):
        where = plural(count, "node")
        text = parts(*subject(ref), f" still runs on {where} where it should not.")
        step = Step(
            "Nothing, if the nodes' labels or taints were changed on purpose; else correct them.", ref
        )
        evidence = stands("status.numberMisscheduled", str(count))
        yield Finding("daemonset-misplaced", "note", 10, ref, text, step, evidence)


def never_started(deployment: Deployment) -> bool:
    """Paused before its first rollout: the controller makes no ReplicaSet, so there are no pods."""
    return deployment.spec.paused and bool(deployment.spec.replicas) and not deployment.status.replicas


def paused_before_start(deployment: Deployment, ref: Ref) -> Finding:
    replicas = deployment.spec.replicas
    text = parts(
        *subject(ref),
        f" is paused and has no pods: none of its {plural(replicas, 'desired pod')} is created.",
    )
    step = Step("Resume its rollouts.", ref, "resume")
    progressing = find_condition(deployment.status.conditions or (), "Progressing")
    evidence = (*stands("spec.paused", "true"), *stands("status.replicas", "0"), *because_of(progressing))
    since = deployment.metadata.creation_timestamp
    return Finding("deployment-paused", "bad", OUTAGE, ref, text, step, evidence, since)


def paused(deployment: Deployment, ref: Ref) -> Finding:
    """Paused: a change of its pod template waits until it is resumed."""
    waits = deployment.status.updated_replicas < deployment.spec.replicas
    how = (
        "is paused, and a change of its pod template is pending"
        if waits
        else "is paused: changes of its pod template are pending"
    )
    text = parts(*subject(ref), f" {how}.")
    step = Step("Resume its rollouts.", ref, "resume")
    severity: Severity = "warn" if waits else "note"
    progressing = find_condition(deployment.status.conditions or (), "Progressing")
    evidence = (*stands("spec.paused", "true"), *because_of(progressing))
    return Finding("deployment-paused", severity, 20, ref, text, step, evidence)


def no_service(survey: Observed, stateful: StatefulSet, ref: Ref) -> Finding | None:
    """Its governing Service does not exist, so its pods have no DNS names of their own."""
    name = stateful.spec.service_name
    if not name or not survey.lacks("services", ref.namespace, name):
        return None
    text = parts(
        *subject(ref),
        " names Service ",
        code(name),
        ", which does not exist: its pods have no DNS names of their own.",
    )
    step = Step(f"Create a headless Service {name} (clusterIP: None) for its pods.", ref)
    return Finding("statefulset-no-service", "warn", 30, ref, text, step, stands("spec.serviceName", name))


def waits_for_deletion(obj: Any, ref: Ref) -> Finding | None:
    """OnDelete: pods of the old version stay until somebody deletes them."""
    if obj.spec.update_strategy.type != "OnDelete":
        return None
    status = obj.status
    if ref.plural == "statefulsets":
        old = (
            status.replicas - status.updated_replicas
            if status.update_revision != status.current_revision
            else 0
        )
    else:
        old = status.current_number_scheduled - status.updated_number_scheduled
    if old <= 0:
        return None
    pods = plural(old, "pod runs", "pods run")
    text = parts(*subject(ref), f" is on an old revision, but {pods} the old one until deleted by hand.")
    step = Step("Delete its old pods one after the other.", ref)
    evidence = stands("spec.updateStrategy", "OnDelete")
    return Finding("workload-waits-for-deletion", "note", 12, ref, text, step, evidence)


def told(
    known: Known, owner: Ref, group: Group, how: Standing | None = None, obj: Any | None = None
) -> Finding:
    """One sentence for all troubled pods of an owner: the worst and most frequent trouble, how many have it,
    and how many have another one.
    """
    count = Counter(trouble.rule for _, trouble in group)
    pod, worst = min(group, key=lambda one: (RANK[one[1].severity], -one[1].weight, -count[one[1].rule]))
    alike = count[worst.rule]
    text = _sentence(owner, worst, alike, len(group) - alike, how)
    speaks_of = Ref("Pod", pod.metadata.namespace, pod.metadata.name, "pods")
    # What is left of pods that were replaced does not make an outage.
    down = how is not None and how.down and worst.severity != "note"
    severity: Severity = "bad" if down else worst.severity
    weight = OUTAGE if down else worst.weight
    since = min((one.since for _, one in group if one.rule == worst.rule and one.since), default=None)
    # What is to be done to the pod's template is done where the template is.
    step = worst.step
    if step.ref == speaks_of and not step.page:
        step = replace(step, ref=owner)
    finding = Finding(
        worst.rule, severity, weight, owner, text, step, worst.evidence, since, log=worst.log,
        shared=worst.shared, pod=speaks_of,
    )  # fmt: skip
    if obj is not None and owner.plural == "statefulsets":
        finding = _in_order(finding, obj, pod, len(group))
    return finding.following(*_causes(known, group))


def _in_order(finding: Finding, stateful: StatefulSet, pod: Pod, there: int) -> Finding:
    """A StatefulSet makes and replaces its pods one after the other: one that does not come up holds back the rest. At
    least so many pods are ``there``, which its status may not tell yet.
    """
    held = stateful.spec.replicas - max(stateful.status.replicas, there)
    if stateful.spec.pod_management_policy != "OrderedReady":
        return finding
    evidence, text, step = finding.evidence, finding.text, finding.step
    ordered = Evidence(
        "spec.podManagementPolicy",
        "OrderedReady: one pod after the other, each when the previous one is ready",
    )
    if held > 0:
        waiting = plural(held, "pod waits", "pods wait")
        text = parts(
            *text,
            f" {waiting} for {pod.metadata.name} and {'is' if held == 1 else 'are'} not created before.",
        )
        evidence = (*evidence, ordered)
    status = stateful.status
    updating = bool(status.update_revision) and status.update_revision != status.current_revision
    if updating and status.updated_replicas < stateful.spec.replicas:
        # kubernetes.io/docs/concepts/workloads/controllers/statefulset, "Forced rollback"
        name = pod.metadata.name
        after = f" A StatefulSet does not replace a pod that never got ready: after that, delete {name}."
        step = replace(step, text=step.text + after)
    return replace(finding, text=text, evidence=evidence, step=step)


def _sentence(owner: Ref, worst: Trouble, alike: int, others: int, how: Standing | None) -> Parts:
    """The trouble that ``alike`` pods share, and that ``others`` have another one."""
    if owner.plural == "pods":
        return parts(*subject(owner), f" {worst.one}", *worst.rest, ".")
    state = f" {how.words}" if how is not None else ""
    single = how is not None and how.wanted == 1 and not others
    one = "its pod" if single else "one of its pods"
    verb = f"{one} {worst.one}" if alike == 1 else f"{alike} of its pods {worst.many}"
    more = f" {plural(others, 'more pod has', 'more pods have')} other problems." if others else ""
    return parts(*subject(owner), f"{state}: {verb}", *worst.rest, f".{more}")


def _causes(known: Known, group: Group) -> list[Finding]:
    """The findings that explain every pod of the group, of silent nodes, of claims without a volume; none when they leave
    one unexplained.
    """
    found = [
        [
            known[ref]
            for ref in trouble.because
            if ref in known and known[ref].severity != "note" and known[ref].rule not in _BESIDES
        ]
        for _, trouble in group
    ]
    causes = {one.ref: one for each in found for one in each}
    return list(causes.values()) if all(found) else []
