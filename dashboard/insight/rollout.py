"""How far a rollout is, by the rules of ``kubectl rollout status``, and why it hangs, which kubectl does not say.

Rules: kubernetes/kubectl, pkg/polymorphichelpers/rollout_status.go, DeploymentStatusViewer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dashboard.kinds.base import State
from dashboard.kinds.deployments import Deployment
from dashboard.kinds.meta import find_condition
from dashboard.kinds.pods import Pod, row
from dashboard.kinds.replicasets import ReplicaSet
from dashboard.kinds.rows import plural, shorten

from .rules.pods import pod_trouble
from .words import text_of

RolloutState = Literal["done", "progressing", "stuck", "failed", "paused"]


@dataclass(frozen=True, slots=True)
class PodMark:
    """One pod as a square: which one, how it is (as in lists), and its status word."""

    namespace: str
    name: str
    state: State
    word: str


@dataclass(frozen=True, slots=True)
class PodSet:
    """One ReplicaSet with its pods; ``new`` for the newest one."""

    new: bool
    namespace: str
    name: str
    pods: tuple[PodMark, ...]
    ready: int
    desired: int


@dataclass(frozen=True, slots=True)
class Rollout:
    """``percent`` (0–100) is the share of the way until every wanted pod is new and available and no other is
    left; 100 only when done. ``sets`` are its ReplicaSets that want or have pods, the newest first.
    """

    state: RolloutState
    headline: str
    text: str
    percent: int
    desired: int
    updated: int
    available: int
    sets: tuple[PodSet, ...] = ()


def rollout_status(
    deployment: Deployment, replicasets: Iterable[ReplicaSet], pods: Iterable[Pod], now: datetime
) -> Rollout:
    """How far the Deployment is. ``replicasets`` and ``pods`` may hold others too; only its own are looked at.

    done, progressing and failed are kubectl's. stuck is progressing with a pod that will not come up by itself,
    or with pods that cannot be made; paused is a rollout that was told to wait.
    """
    name, status = deployment.metadata.name, deployment.status
    by_set = _pods(deployment, replicasets, pods)
    fresh = by_set[0][1] if by_set else []
    state, headline, text = _judge(deployment)
    if state == "progressing":
        if deployment.spec.paused and status.updated_replicas < status.replicas:
            state, headline = "paused", f"The rollout of {name} is paused"
            text = "It goes on when somebody resumes it."
        elif why := _hangs(deployment, fresh, now):
            state, headline, text = "stuck", f"{name} does not get further by itself", why
    return Rollout(
        state,
        headline,
        text,
        percent=100 if state == "done" else min(99, _percent(deployment)),
        desired=deployment.spec.replicas,
        updated=status.updated_replicas,
        available=status.available_replicas,
        sets=tuple(
            _set(one, own, new=index == 0)
            for index, (one, own) in enumerate(by_set)
            if index == 0 or one.spec.replicas or own
        ),
    )


def _pods(
    deployment: Deployment, replicasets: Iterable[ReplicaSet], pods: Iterable[Pod]
) -> list[tuple[ReplicaSet, list[Pod]]]:
    """The Deployment's ReplicaSets, the newest first, each with its pods."""
    mine: dict[str, tuple[ReplicaSet, list[Pod]]] = {
        one.metadata.uid: (one, [])
        for one in replicasets
        if (owner := one.metadata.controller) is not None and owner.uid == deployment.metadata.uid
    }
    for pod in pods:
        owner = pod.metadata.controller
        if owner is not None and owner.uid in mine:
            mine[owner.uid][1].append(pod)
    return sorted(mine.values(), key=lambda each: _age_order(each[0]), reverse=True)


def _judge(deployment: Deployment) -> tuple[RolloutState, str, str]:
    """kubectl's rules, in its order."""
    meta, spec, status = deployment.metadata, deployment.spec, deployment.status
    name, wanted, available = meta.name, plural(spec.replicas, "pod"), status.available_replicas
    if meta.generation > status.observed_generation:
        return (
            "progressing",
            f"The cluster takes up the change of {name}",
            "Its controller has yet to notice it.",
        )
    progressing = find_condition(status.conditions or (), "Progressing")
    if progressing is not None and progressing.reason == "ProgressDeadlineExceeded":
        text = f"{available} of {wanted} available when its progress deadline passed."
        return "failed", f"The rollout of {name} failed", text
    if status.updated_replicas < spec.replicas:
        return "progressing", f"{name} makes new pods", f"{status.updated_replicas} of {wanted} made so far."
    if status.replicas > status.updated_replicas:
        old = plural(status.replicas - status.updated_replicas, "old pod")
        return "progressing", f"{name} ends old pods", f"{old} still to end."
    if available < status.updated_replicas:
        text = f"{available} of {plural(status.updated_replicas, 'pod')} available."
        return "progressing", f"{name} waits for its pods", text
    if not spec.replicas:
        return "done", f"{name} is scaled to 0", "It has no pods."
    return "done", f"{name} is complete", f"{available} of {wanted} available."


def _hangs(deployment: Deployment, fresh: Sequence[Pod], now: datetime) -> str:
    failure = find_condition(deployment.status.conditions or (), "ReplicaFailure")
    if failure is not None and failure.status == "True":
        return f"Pods cannot be made: {shorten(failure.message, 200)}"
    for pod in fresh:
        trouble = pod_trouble(pod, now)
        if trouble is not None and (trouble.severity == "bad" or trouble.rule == "pod-unschedulable"):
            return f"Pod {pod.metadata.name} {trouble.one}{text_of(trouble.rest)}. {trouble.next_step}"
    return ""


def _percent(deployment: Deployment) -> int:
    spec, status = deployment.spec, deployment.status
    if deployment.metadata.generation > status.observed_generation:
        return 0
    up = (
        min(status.available_replicas, status.updated_replicas, spec.replicas) / spec.replicas
        if spec.replicas
        else 1.0
    )
    down = spec.replicas / status.replicas if status.replicas > spec.replicas else 1.0
    if status.replicas > status.updated_replicas:
        down = min(down, status.updated_replicas / status.replicas)
    return int(100 * min(up, down))


def _age_order(replicaset: ReplicaSet) -> tuple[int, float]:
    revision = replicaset.metadata.revision
    created = replicaset.metadata.creation_timestamp
    return int(revision) if revision.isdigit() else 0, created.timestamp() if created else 0.0


def _set(replicaset: ReplicaSet, pods: Sequence[Pod], *, new: bool) -> PodSet:
    marks = []
    for pod in sorted(pods, key=lambda pod: pod.metadata.name):
        shown = row(pod)
        marks.append(PodMark(pod.metadata.namespace, pod.metadata.name, shown.state, shown.cells[2].text))
    meta, status = replicaset.metadata, replicaset.status
    return PodSet(
        new, meta.namespace, meta.name, tuple(marks), status.ready_replicas, replicaset.spec.replicas
    )
