"""PodStatus, and kubectl's words for it: STATUS, READY and RESTARTS by the rules of ``printPod``."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec

from .meta import Message, ObjectCondition, Struct, Word, condition_true
from .podspec import PodSpec

NODE_LOST = "NodeLost"


class Waiting(Struct, frozen=True, gc=False):
    """A container that is not running yet, or waits to be started again."""

    reason: Word = ""
    message: Message = ""


class Running(Struct, frozen=True, gc=False):
    """A container that runs."""

    started_at: datetime | None = None


class Terminated(Struct, frozen=True, gc=False):
    """A container that ended."""

    exit_code: int = 0
    signal: int = 0
    reason: Word = ""
    message: Message = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def word(self) -> str:
        """The reason, or the signal or exit code as printPod writes them."""
        return self.reason or (f"Signal:{self.signal}" if self.signal else f"ExitCode:{self.exit_code}")


class ContainerState(Struct, frozen=True, gc=False):
    """One of the three."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(Struct, frozen=True, gc=False):
    """What the kubelet says about one container."""

    name: Word = ""
    image: Word = ""
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class PodIP(Struct, frozen=True, gc=False):
    """One of the pod's addresses."""

    ip: str = ""


class ResourceClaimStatus(Struct, frozen=True, gc=False):
    """That a pod's ResourceClaim was created from its template, or was found to be unnecessary (without a name)."""

    name: str = ""
    resource_claim_name: str | None = None


class PodStatus(Struct, frozen=True, gc=False):
    """status of a pod."""

    phase: Word = ""
    reason: Word = ""
    message: Message = ""
    conditions: tuple[ObjectCondition, ...] | None = None
    init_container_statuses: tuple[ContainerStatus, ...] | None = None
    container_statuses: tuple[ContainerStatus, ...] | None = None
    ephemeral_container_statuses: tuple[ContainerStatus, ...] | None = None
    resource_claim_statuses: tuple[ResourceClaimStatus, ...] | None = None
    pod_ips: tuple[PodIP, ...] | None = msgspec.field(name="podIPs", default=None)
    host_ip: Word = msgspec.field(name="hostIP", default="")
    nominated_node_name: Word = ""
    qos_class: Word = ""
    start_time: datetime | None = None


class Summary(NamedTuple):
    """The computed columns of a pod."""

    status: str
    ready: int
    total: int
    restarts: int
    last_restart: datetime | None


def summarize(spec: PodSpec, status: PodStatus, deleted: bool) -> Summary:
    """STATUS, READY and RESTARTS by ``printPod`` of pkg/printers/internalversion/printers.go (v1.36)."""
    conditions = status.conditions or ()
    word = status.reason or status.phase
    for condition in conditions:
        if condition.type == "PodScheduled" and condition.reason == "SchedulingGated":
            word = "SchedulingGated"

    init_containers = spec.init_containers or ()
    sidecars = {container.name for container in init_containers if container.sidecar}
    total = len(spec.containers or ()) + sum(container.sidecar for container in init_containers)
    ready = restarts = sidecar_restarts = 0
    last: datetime | None = None
    sidecar_last: datetime | None = None

    initializing = False
    for index, container in enumerate(status.init_container_statuses or ()):
        sidecar = container.name in sidecars
        restarts += container.restart_count
        last = _later(last, container)
        if sidecar:
            sidecar_restarts += container.restart_count
            sidecar_last = _later(sidecar_last, container)
        terminated, waiting = container.state.terminated, container.state.waiting
        if terminated is not None and terminated.exit_code == 0:
            continue
        if sidecar and container.started:
            ready += container.ready
            continue
        if terminated is not None:
            word = "Init:" + terminated.word
        elif waiting is not None and waiting.reason and waiting.reason != "PodInitializing":
            word = "Init:" + waiting.reason
        else:
            word = f"Init:{index}/{len(init_containers)}"
        initializing = True
        break

    if not initializing or condition_true(conditions, "Initialized"):
        restarts, last = sidecar_restarts, sidecar_last
        running = False
        error = ""
        for container in reversed(status.container_statuses or ()):
            restarts += container.restart_count
            last = _later(last, container)
            terminated, waiting = container.state.terminated, container.state.waiting
            if waiting is not None and waiting.reason:
                word = waiting.reason
            elif terminated is not None:
                word = terminated.word
                if terminated.exit_code != 0:
                    error = word
            elif container.ready and container.state.running is not None:
                running = True
                ready += 1
        if word == "Completed":
            if running and any(c.type == "Ready" and c.status == "True" for c in conditions):
                word = "Running"
            elif error:
                word = error
            elif running:
                word = "NotReady"

    if deleted and status.reason == NODE_LOST:
        word = "Unknown"
    elif deleted and status.phase not in ("Succeeded", "Failed"):
        word = "Terminating"
    return Summary(word, ready, total, restarts, last if restarts else None)


def readiness_gates(spec: PodSpec, status: PodStatus) -> str:
    """How many of the readiness gates are met (``1/2``), or ``<none>`` without gates."""
    gates = spec.readiness_gates
    if not gates:
        return "<none>"
    conditions = status.conditions or ()
    return f"{sum(condition_true(conditions, gate.condition_type) for gate in gates)}/{len(gates)}"


def _later(moment: datetime | None, container: ContainerStatus) -> datetime | None:
    terminated = container.last_state.terminated
    if terminated is None or terminated.finished_at is None:
        return moment
    return terminated.finished_at if moment is None else max(moment, terminated.finished_at)
