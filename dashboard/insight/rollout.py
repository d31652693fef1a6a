"""How far a rollout is, by the rules of ``kubectl rollout status``, and why it hangs, which kubectl does not say.

Rules: kubernetes/kubectl, pkg/polymorphichelpers/rollout_status.go: DeploymentStatusViewer, StatefulSetStatusViewer,
DaemonSetStatusViewer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dashboard.kinds.base import State
from dashboard.kinds.daemonsets import DaemonSet
from dashboard.kinds.deletion import deletion_waits
from dashboard.kinds.deployments import Deployment
from dashboard.kinds.meta import find_condition
from dashboard.kinds.pods import Pod, row
from dashboard.kinds.replicasets import ReplicaSet
from dashboard.kinds.rows import natural, plural, shorten
from dashboard.kinds.statefulsets import StatefulSet

from .pod_health import is_ready
from .protocols import Objects
from .survey import trouble_alone
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
    """One ReplicaSet with its pods, or the pods of one revision of a StatefulSet or DaemonSet (``plural`` is "" then:
    such a revision has no page); ``new`` for the newest one.
    """

    new: bool
    namespace: str
    name: str
    pods: tuple[PodMark, ...]
    ready: int
    desired: int
    plural: str = "replicasets"


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


Workload = Deployment | StatefulSet | DaemonSet
Followed = Workload | ReplicaSet  # a ReplicaSet is never rolled out, but scaled


def workload_rollout(objects: Objects, workload: Followed, now: datetime, generation: int = 0) -> Rollout:
    """How far a Deployment, StatefulSet, DaemonSet or ReplicaSet is.

    ``generation`` is one that is known to be there: an object read before it says nothing of the change that made it.
    """
    meta = workload.metadata
    pods = objects.all("pods", meta.namespace)
    if isinstance(workload, Deployment):
        found = rollout_status(workload, objects.all("replicasets", meta.namespace), pods, now)
    elif isinstance(workload, ReplicaSet):
        found = _replicas(workload, pods, now)
    else:
        found = _numbered_or_everywhere(workload, pods, now)
    if meta.generation >= generation or meta.deletion_timestamp:
        return found
    state, headline, text = _unnoticed(meta.name)
    return dataclasses.replace(found, state=state, headline=headline, text=text, percent=0)


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
    if ending := _being_deleted(deployment):
        state, headline, text = ending
    if state == "progressing":
        # One that was created paused has no pods at all, and gets none before it is resumed.
        if deployment.spec.paused and (status.updated_replicas < status.replicas or not by_set):
            state, headline = "paused", f"The rollout of {name} is paused"
            text = "It continues when it is resumed."
        elif why := _hangs(deployment, fresh, now):
            state, headline, text = "stuck", f"{name} is not progressing", why
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
        return _unnoticed(name)
    progressing = find_condition(status.conditions or (), "Progressing")
    if progressing is not None and progressing.reason == "ProgressDeadlineExceeded":
        text = f"{available} of {wanted} available when its progress deadline passed."
        return "failed", f"The rollout of {name} failed", text
    if status.updated_replicas < spec.replicas:
        return (
            "progressing",
            f"{name} creates new pods",
            f"{status.updated_replicas} of {wanted} created so far.",
        )
    if status.replicas > status.updated_replicas:
        old = plural(status.replicas - status.updated_replicas, "old pod")
        return "progressing", f"{name} terminates old pods", f"{old} terminating."
    if available < status.updated_replicas:
        text = f"{available} of {plural(status.updated_replicas, 'pod')} available."
        return "progressing", f"{name} waits for its pods", text
    if not spec.replicas:
        return "done", f"{name} is scaled to 0", "It has no pods."
    return "done", f"{name}: rollout complete", f"{available} of {wanted} available."


def _hangs(deployment: Deployment, fresh: Sequence[Pod], now: datetime) -> str:
    failure = find_condition(deployment.status.conditions or (), "ReplicaFailure")
    if failure is not None and failure.status == "True":
        return f"Pods can't be created: {shorten(failure.message, 200)}"
    return _stuck_pod(fresh, now)


def _stuck_pod(fresh: Iterable[Pod], now: datetime) -> str:
    for pod in fresh:
        trouble = trouble_alone(pod, now)
        if trouble is not None and (trouble.severity == "bad" or trouble.rule == "pod-unschedulable"):
            return f"Pod {pod.metadata.name} {trouble.one}{text_of(trouble.rest)}. {trouble.step.text}"
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
    meta, status = replicaset.metadata, replicaset.status
    return PodSet(
        new, meta.namespace, meta.name, _marks(pods), status.ready_replicas, replicaset.spec.replicas
    )


def _marks(pods: Iterable[Pod]) -> tuple[PodMark, ...]:
    marks = []
    for pod in sorted(pods, key=lambda pod: natural(pod.metadata.name)):
        shown = row(pod)
        marks.append(PodMark(pod.metadata.namespace, pod.metadata.name, shown.state, shown.cells[2].text))
    return tuple(marks)


def _replicas(one: ReplicaSet, every: Iterable[Pod], now: datetime) -> Rollout:
    """How far a ReplicaSet is from the number of pods that it should have."""
    meta, status = one.metadata, one.status
    pods = [pod for pod in every if (own := pod.metadata.controller) and own.uid == meta.uid]
    state, headline, text = _being_deleted(one) or _judge_replicas(one)
    failure = find_condition(status.conditions or (), "ReplicaFailure")
    if state == "progressing":
        if failure is not None and failure.status == "True":
            why = f"Pods can't be created: {shorten(failure.message, 200)}"
        else:
            why = _stuck_pod(pods, now)
        if why:
            state, headline, text = "stuck", f"{meta.name} is not progressing", why
    desired = one.spec.replicas
    up = min(status.ready_replicas, desired) / desired if desired else 1.0
    down = desired / status.replicas if status.replicas > desired else 1.0
    return Rollout(
        state,
        headline,
        text,
        percent=100 if state == "done" else min(99, int(100 * min(up, down))),
        desired=desired,
        updated=status.replicas,
        available=status.available_replicas,
        sets=(_set(one, pods, new=True),),
    )


def _judge_replicas(one: ReplicaSet) -> tuple[RolloutState, str, str]:
    name, status, desired = one.metadata.name, one.status, one.spec.replicas
    wanted = plural(desired, "pod")
    if one.metadata.generation > status.observed_generation:
        return _unnoticed(name)
    if status.replicas < desired:
        return "progressing", f"{name} creates new pods", f"{status.replicas} of {wanted} created so far."
    if status.replicas > desired:
        text = f"{plural(status.replicas - desired, 'pod')} of {status.replicas} still to go."
        return "progressing", f"{name} terminates pods", text
    if status.ready_replicas < desired:
        text = f"{status.ready_replicas} of {wanted} ready."
        return "progressing", f"{name} waits for its pods", text
    if not desired:
        return "done", f"{name} is scaled to 0", "It has no pods."
    return "done", f"{name}: rollout complete", f"{status.ready_replicas} of {wanted} ready."


def _being_deleted(workload: Followed) -> tuple[RolloutState, str, str] | None:
    """No controller rolls out what is on its way out, whatever its status said last."""
    meta = workload.metadata
    if not meta.deletion_timestamp:
        return None
    return (
        "failed",
        f"{meta.name} is being deleted",
        f"Its rollout has finished. {deletion_waits(meta.finalizers)}",
    )


def _unnoticed(name: str) -> tuple[RolloutState, str, str]:
    return (
        "progressing",
        f"Waiting for the controller to observe the change of {name}",
        "Its controller has not observed it yet.",
    )


# StatefulSets and DaemonSets

_REVISION = "controller-revision-hash"


def _numbered_or_everywhere(
    workload: StatefulSet | DaemonSet, every: Iterable[Pod], now: datetime
) -> Rollout:
    """The rollout of what names its pods' version by a ControllerRevision."""
    mine = [pod for pod in every if (own := pod.metadata.controller) and own.uid == workload.metadata.uid]
    newest = _newest_revision(workload, mine)
    fresh = [pod for pod in mine if pod.metadata.labels.get(_REVISION, "") == newest]
    rest = [pod for pod in mine if pod.metadata.labels.get(_REVISION, "") != newest]
    if isinstance(workload, StatefulSet):
        (state, headline, text), target = _judge_numbered(workload), workload.spec.replicas
        updated, available = workload.status.updated_replicas, workload.status.available_replicas
    else:
        (state, headline, text), target = (
            _judge_everywhere(workload),
            workload.status.desired_number_scheduled,
        )
        updated, available = workload.status.updated_number_scheduled, workload.status.number_available
    if ending := _being_deleted(workload):
        state, headline, text = ending
    if state == "progressing" and (why := _stuck_pod(fresh, now)):
        state, headline, text = "stuck", f"{workload.metadata.name} is not progressing", why
    percent = int(100 * min(updated, available, target) / target) if target else 0
    if workload.metadata.generation > workload.status.observed_generation:
        percent = 0
    return Rollout(
        state,
        headline,
        text,
        percent=100 if state == "done" else min(99, percent),
        desired=target,
        updated=updated,
        available=available,
        sets=tuple(
            _revision_set(workload, pods, new=pods is fresh)
            for pods in (fresh, rest)
            if pods or pods is fresh
        ),
    )


def _newest_revision(workload: StatefulSet | DaemonSet, pods: Sequence[Pod]) -> str:
    """The hash that pods of the newest template carry. A DaemonSet does not name it; its pods count templates."""
    if isinstance(workload, StatefulSet):
        return workload.status.update_revision
    if workload.status.updated_number_scheduled == 0 and workload.status.desired_number_scheduled:
        return ""  # none of the pods there are is new
    order = {
        pod.metadata.labels.get(_REVISION, ""): int(text)
        for pod in pods
        if (text := pod.metadata.labels.get("pod-template-generation", "")).isdigit()
    }
    return max(order, key=lambda revision: order[revision], default="")


def _revision_set(workload: StatefulSet | DaemonSet, pods: Sequence[Pod], *, new: bool) -> PodSet:
    ready = sum(is_ready(pod) for pod in pods)
    namespace = workload.metadata.namespace
    name = "new version" if new else "version before"
    if isinstance(workload, StatefulSet):
        target = workload.spec.replicas - workload.partition if new else len(pods)
    else:
        target = workload.status.desired_number_scheduled if new else len(pods)
    return PodSet(new, namespace, name, _marks(pods), ready, max(0, target), plural="")


def _by_hand(name: str, left: int) -> tuple[RolloutState, str, str]:
    if not left:
        return "done", f"{name}: rollout complete", "All its pods are up to date."
    text = f"Its update strategy is OnDelete: {plural(left, 'pod')} are updated when they are deleted."
    return "paused", f"{name} waits until its pods are deleted manually", text


def _judge_numbered(one: StatefulSet) -> tuple[RolloutState, str, str]:
    """StatefulSetStatusViewer; it has no answer for OnDelete, where the pods' own revision tells."""
    meta, spec, status = one.metadata, one.spec, one.status
    name, wanted = meta.name, plural(spec.replicas, "pod")
    if not status.observed_generation or meta.generation > status.observed_generation:
        return _unnoticed(name)
    if spec.update_strategy.type == "OnDelete":
        same = status.update_revision == status.current_revision
        return _by_hand(name, 0 if same else max(0, spec.replicas - status.updated_replicas))
    if status.ready_replicas < spec.replicas:
        return "progressing", f"{name} waits for its pods", f"{status.ready_replicas} of {wanted} ready."
    if one.partition:
        target = max(0, spec.replicas - one.partition)
        if status.updated_replicas < target:
            text = f"{status.updated_replicas} of {plural(target, 'pod')} replaced so far."
            return "progressing", f"{name} replaces its pods", text
        text = f"{plural(target, 'pod')} replaced; those below number {one.partition} keep the old revision."
        return "done", f"{name}: rollout complete up to its partition", text
    if status.update_revision != status.current_revision:
        text = f"{status.updated_replicas} of {wanted} replaced so far."
        return "progressing", f"{name} replaces its pods", text
    if status.replicas > spec.replicas:
        text = f"{plural(status.replicas - spec.replicas, 'pod')} of {status.replicas} still to go."
        return "progressing", f"{name} terminates pods", text
    if not spec.replicas:
        return "done", f"{name} is scaled to 0", "It has no pods."
    return "done", f"{name}: rollout complete", f"{status.ready_replicas} of {wanted} ready."


def _judge_everywhere(one: DaemonSet) -> tuple[RolloutState, str, str]:
    """DaemonSetStatusViewer; it has no answer for OnDelete."""
    meta, status = one.metadata, one.status
    name, wanted = meta.name, plural(status.desired_number_scheduled, "pod")
    if meta.generation > status.observed_generation:
        return _unnoticed(name)
    left = status.desired_number_scheduled - status.updated_number_scheduled
    if one.spec.update_strategy.type == "OnDelete":
        return _by_hand(name, max(0, left))
    if left > 0:
        text = f"{status.updated_number_scheduled} of {wanted} replaced so far."
        return "progressing", f"{name} replaces its pods", text
    if status.number_available < status.desired_number_scheduled:
        text = f"{status.number_available} of {wanted} available."
        return "progressing", f"{name} waits for its pods", text
    if not status.desired_number_scheduled:
        return "done", f"{name} runs on no nodes", "No node matches it."
    return "done", f"{name}: rollout complete", f"{status.number_available} of {wanted} available."
