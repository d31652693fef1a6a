"""What pausing a Deployment does.

Rules: kubernetes.io, Deployments, "Pausing and Resuming a rollout of a Deployment"; kubernetes/kubernetes,
pkg/controller/deployment (``sync`` instead of a rollout, no progress deadline) and kubectl's rollout undo.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from dashboard.kinds.base import Ref
from dashboard.kinds.deployments import Deployment
from dashboard.kinds.rows import plural

from .autoscaling import autoscaler_of
from .impact import Effect, Notice
from .protocols import Objects
from .words import bold, parts


@dataclass(frozen=True, slots=True)
class PauseImpact:
    """``headline`` is the consequence that comes first; nothing stops by it."""

    headline: Notice
    effects: tuple[Effect, ...]
    notices: tuple[Notice, ...] = ()
    danger: bool = False


def pause_impact(objects: Objects, deployment: Deployment, now: datetime) -> PauseImpact:
    """What happens when the Deployment is paused, as far as the objects tell."""
    return PauseImpact(_headline(deployment), tuple(_effects(objects, deployment)))


def _headline(deployment: Deployment) -> Notice:
    name, status = deployment.metadata.name, deployment.status
    updated = status.updated_replicas
    old = max(status.replicas, deployment.spec.replicas) - updated
    if old:
        text = f"{plural(updated, 'pod')} on the new revision and {old} not: it stays so until it is resumed."
        return Notice("warn", f"The rollout of {name} stops where it is", text)
    text = "Changes of its pod template are saved, and roll out together when it is resumed."
    return Notice("info", f"{name} rolls out nothing until it is resumed", text)


def _effects(objects: Objects, deployment: Deployment) -> Iterator[Effect]:
    name, namespace = deployment.metadata.name, deployment.metadata.namespace
    if count := deployment.status.replicas:
        text = parts(f"{plural(count, 'pod')} {'keeps' if count == 1 else 'keep'} running")
        yield Effect("ok", "ok", text, "One that fails or is deleted is still replaced")
    scaler = autoscaler_of(objects, Ref("Deployment", namespace, name, "deployments"))
    if scaler is None:
        yield Effect(
            "ok", "scale", parts("Scaling still works"), "New pods are of the revisions that run now"
        )
    else:
        ref = Ref("HorizontalPodAutoscaler", namespace, scaler.metadata.name, "horizontalpodautoscalers")
        text = parts(bold(f"HorizontalPodAutoscaler {scaler.metadata.name}"), " still scales it")
        yield Effect("ok", "scale", text, "New pods are of the revisions that run now", "", ref)
    text = parts("Restarts and rollbacks are refused")
    yield Effect("info", "restart", text, "kubectl and Cluster UI ask to resume it first")
    note = "spec.progressDeadlineSeconds is not evaluated meanwhile"
    yield Effect("info", "wait", parts("A rollout that hangs is not reported as failed"), note)
