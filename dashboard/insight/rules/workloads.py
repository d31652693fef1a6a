"""Pods in trouble, told as one problem of what they belong to, and Deployments that cannot go on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from dashboard.insight.finding import Finding, Severity, Trouble, about, said
from dashboard.insight.survey import Known, Survey
from dashboard.insight.words import Parts, bold, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.deployments import Deployment
from dashboard.kinds.meta import find_condition
from dashboard.kinds.pods import Pod
from dashboard.kinds.rows import plural

_QUOTA = re.compile(r"exceeded quota: ([^\s,]+)")

# A rollout passes through fewer available pods by itself; only what lasts is a problem.
SETTLING = timedelta(minutes=1)

# The weight of a Deployment without a single available pod.
OUTAGE = 85

Group = Sequence[tuple[Pod, Trouble]]


def pods_in_trouble(survey: Survey, known: Known) -> Iterator[Finding]:
    """One problem for each owner of pods that are not fine; the pods of Deployments are told with them, and what
    Jobs got over is past.
    """
    for owner, group in survey.troubles.items():
        if owner.plural == "jobs" and (owner.namespace, owner.name) in survey.past_jobs:
            continue
        if owner.plural == "deployments" and survey.objects.get(owner.plural, owner.namespace, owner.name):
            continue
        yield told(known, owner, group)


def deployments(survey: Survey, known: Known) -> Iterator[Finding]:
    """Deployments whose pods cannot be made, do not come up in time, or are in trouble."""
    for deployment in survey.all("deployments"):
        if deployment.metadata.deletion_timestamp is not None:
            continue
        ref = Ref("Deployment", deployment.metadata.namespace, deployment.metadata.name, "deployments")
        group = survey.troubles.get(ref, ())
        found = cannot_make_pods(deployment, ref)
        if found is None and group:
            found = told(known, ref, group, deployment)
        if found is None:
            found = deadline_exceeded(deployment, ref) or unavailable(deployment, ref, survey.now)
        if found is not None:
            yield found


def cannot_make_pods(deployment: Deployment, ref: Ref) -> Finding | None:
    """ReplicaFailure: the API server refuses new pods, most often because a quota is used up."""
    failure = find_condition(deployment.status.conditions or (), "ReplicaFailure")
    if failure is None or failure.status != "True":
        return None
    next_ref = ref
    if quota := _QUOTA.search(failure.message):
        why, next_ref = (
            f"quota {quota[1]} is used up",
            Ref("ResourceQuota", ref.namespace, quota[1], "resourcequotas"),
        )
        step = "Raise the quota, lower the requests, or scale something down."
    elif "admission" in failure.message.lower():
        why = "an admission rule of the cluster refuses them"
        step = "Change the pod template so that the rule accepts it."
    else:
        why, step = "the API server refuses them", "Correct the pod template."
    text = parts(
        bold(f"Deployment {ref.name}"),
        f" in {ref.namespace} {_ready(deployment)}: no more can be made, because {why}.",
    )
    weight, evidence = _weight(deployment, 72), said("API server", failure.message)
    since = failure.last_transition_time
    return about(ref, "deployment-cannot-make-pods", "bad", weight, text, step, next_ref, evidence, since)


def deadline_exceeded(deployment: Deployment, ref: Ref) -> Finding | None:
    """Progressing with reason ProgressDeadlineExceeded, and no pod that says why."""
    progressing = find_condition(deployment.status.conditions or (), "Progressing")
    if progressing is None or progressing.reason != "ProgressDeadlineExceeded":
        return None
    limit = deployment.spec.progress_deadline_seconds or 600
    text = parts(
        bold(f"Deployment {ref.name}"),
        f" in {ref.namespace} did not finish its rollout within {limit} s: it {_ready(deployment)}.",
    )
    weight, evidence = _weight(deployment, 70), said("controller", progressing.message)
    since, step = progressing.last_transition_time, "Look at its newest pods."
    return about(ref, "deployment-deadline-exceeded", "bad", weight, text, step, ref, evidence, since)


def unavailable(deployment: Deployment, ref: Ref, now: datetime) -> Finding | None:
    """Available is False for longer than a rollout takes to settle, and no pod says why."""
    available = find_condition(deployment.status.conditions or (), "Available")
    if not deployment.spec.replicas or available is None or available.status != "False":
        return None
    since = available.last_transition_time
    if since is not None and now - since < SETTLING:
        return None
    text = parts(bold(f"Deployment {ref.name}"), f" in {ref.namespace} {_ready(deployment)}.")
    severity: Severity = "bad" if _down(deployment) else "warn"
    weight, evidence = _weight(deployment, 60), said("controller", available.message)
    return about(
        ref, "deployment-unavailable", severity, weight, text, "Look at its pods.", ref, evidence, since
    )


def told(known: Known, owner: Ref, group: Group, deployment: Deployment | None = None) -> Finding:
    """One sentence for all troubled pods of an owner: the worst and most frequent trouble, how many have it,
    and how many have another one.
    """
    count = Counter(trouble.rule for _, trouble in group)
    worst = max(
        (trouble for _, trouble in group),
        key=lambda one: (one.severity == "bad", one.weight, count[one.rule]),
    )
    alike = count[worst.rule]
    text = _sentence(owner, worst, alike, len(group) - alike, deployment)
    down = deployment is not None and _down(deployment)
    severity: Severity = "bad" if down else worst.severity
    weight = OUTAGE if down else worst.weight
    since = min((one.since for _, one in group if one.rule == worst.rule and one.since), default=None)
    cause = _silent_node(known, group)
    step, next_ref = worst.next_step, worst.next_ref
    return about(
        owner, worst.rule, severity, weight, text, step, next_ref, worst.evidence, since, cause=cause
    )


def _sentence(owner: Ref, worst: Trouble, alike: int, others: int, deployment: Deployment | None) -> Parts:
    """The trouble that ``alike`` pods share, and that ``others`` have another one."""
    where = f" in {owner.namespace}" if owner.namespace else ""
    subject = bold(f"{owner.kind} {owner.name}")
    if owner.plural == "pods":
        return parts(subject, f"{where} {worst.one}", *worst.rest, ".")
    standing = f" {_standing(deployment)}" if deployment is not None else ""
    single = deployment is not None and deployment.spec.replicas == 1 and not others
    one = "its pod" if single else "one of its pods"
    verb = f"{one} {worst.one}" if alike == 1 else f"{alike} of its pods {worst.many}"
    more = f" {plural(others, 'more pod has', 'more pods have')} other problems." if others else ""
    return parts(subject, f"{where}{standing}: {verb}", *worst.rest, f".{more}")


def _silent_node(known: Known, group: Group) -> Finding | None:
    """The finding about a silent node, when silent nodes explain every pod of the group."""
    found = [known.get(Ref("Node", "", pod.spec.node_name, "nodes")) for pod, _ in group]
    silent = [one for one in found if one is not None and one.rule == "node-not-ready"]
    return silent[0] if silent and len(silent) == len(found) else None


def _ready(deployment: Deployment) -> str:
    return f"has {deployment.status.ready_replicas} of {plural(deployment.spec.replicas, 'pod')} ready"


def _standing(deployment: Deployment) -> str:
    """How the Deployment stands: a rollout that hangs while the old pods still serve is not an outage."""
    status, spec = deployment.status, deployment.spec
    rolling = status.updated_replicas < max(status.replicas, spec.replicas)
    if rolling and spec.replicas and status.available_replicas >= spec.replicas:
        serving = plural(status.available_replicas, "pod still serves", "pods still serve")
        return f"hangs in its rollout, while {serving}"
    return _ready(deployment)


def _down(deployment: Deployment) -> bool:
    return deployment.spec.replicas > 0 and not deployment.status.available_replicas


def _weight(deployment: Deployment, weight: int) -> int:
    """Nothing left that serves outweighs every reason for it."""
    return OUTAGE if _down(deployment) else weight
