"""What can be wrong with a pod. The first rule that holds speaks for it, so causes stand before symptoms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from dashboard.insight.finding import Trouble, said
from dashboard.insight.words import Parts, code, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.pods import Pod
from dashboard.kinds.podwords import unschedulable

from . import containers
from .case import Case, Rule, exits

# What a new pod passes through by itself, and how long that may take.
PLACING = timedelta(seconds=15)
STARTING = timedelta(minutes=3)
UNREADY = timedelta(minutes=1)
ENDING = timedelta(minutes=2)


def healthy(pod: Pod) -> bool:
    """The cheap check that nearly all pods pass: it runs and is ready, or is finished, and never restarted."""
    status = pod.status
    if pod.metadata.deletion_timestamp is not None:
        return False
    if status.phase != "Running":
        return status.phase == "Succeeded"
    for container in status.container_statuses or ():
        if not container.ready or container.restart_count:
            return False
    for condition in status.conditions or ():
        if condition.type == "Ready":
            return condition.status == "True"
    return False


def pod_trouble(
    pod: Pod, now: datetime, warning: Callable[[], str] = str, node_silent: bool = False
) -> Trouble | None:
    """What is wrong with a pod; None for one that is fine, just starting or just ending.

    ``warning`` gives the message of the latest Warning event about it.
    """
    if healthy(pod):
        return None
    case = Case(pod, now, warning, node_silent)
    if pod.metadata.deletion_timestamp is not None:
        return ends_slowly(case)
    return next((trouble for rule in RULES if (trouble := rule(case)) is not None), None)


def ends_slowly(case: Case) -> Trouble | None:
    """Long past its grace period it is still there: a finalizer, or a node that does not answer."""
    meta, node = case.pod.metadata, case.pod.spec.node_name
    if not case.older(meta.deletion_timestamp, ENDING):
        return None
    if meta.finalizers:
        rest = parts(": it waits for finalizer ", code(meta.finalizers[0]))
        step, ref = "Ask the owner of that finalizer.", case.ref
    else:
        rest, step = (
            parts(" long after its grace period"),
            "Look at its node: the kubelet there should end it.",
        )
        ref = Ref("Node", "", node, "nodes") if node else case.ref
    one, many, since = "does not end", "do not end", meta.deletion_timestamp
    return Trouble("pod-ends-slowly", "warn", 30, one, many, rest, step, ref, "", since)


def node_lost(case: Case) -> Trouble | None:
    """Its node went silent, so nobody can tell how the pod is."""
    node = case.pod.spec.node_name
    if not case.node_silent:
        return None
    rest, ref = parts(": node ", code(node), " is silent"), Ref("Node", "", node, "nodes")
    verb, since = "cannot be reached", case.since("Ready")
    return Trouble("pod-node-lost", "bad", 60, verb, verb, rest, "Look at the node.", ref, "", since)


def evicted(case: Case) -> Trouble | None:
    """Ended by the kubelet of a node that ran short of something."""
    status = case.pod.status
    if status.phase != "Failed" or status.reason != "Evicted":
        return None
    step = (
        "Ask for as much memory and disk as it needs, or make room on the node; the remains can be deleted."
    )
    one, many, rest = "was evicted", "were evicted", parts(": its node ran short")
    evidence, since = said("kubelet", status.message), case.since("Ready")
    return Trouble("pod-evicted", "warn", 25, one, many, rest, step, case.ref, evidence, since)


def failed(case: Case) -> Trouble | None:
    """Phase Failed: a container ended with an error and is not started again, or its node ended it."""
    status = case.pod.status
    if status.phase != "Failed":
        return None
    rest: Parts = parts(f" ({status.reason})" if status.reason else "")
    step = "Its remains can be deleted once the cause is clear."
    for container, _ in case.containers():
        ended = container.state.terminated
        if ended is not None and ended.exit_code:
            rest, step = parts(": ", *exits(container, ended)), "Read its log to see why."
            break
    evidence, since = said("kubelet", status.message), case.since("Ready")
    return Trouble("pod-failed", "bad", 45, "failed", "failed", rest, step, case.ref, evidence, since)


def finds_no_node(case: Case) -> Trouble | None:
    """The scheduler says why no node takes it (PodScheduled is False)."""
    scheduled = case.condition("PodScheduled")
    if scheduled is None or scheduled.status != "False" or scheduled.reason == "SchedulingGated":
        return None
    since = case.since("PodScheduled")
    if not case.older(since, PLACING):
        return None
    why = unschedulable(scheduled)
    if "nsufficient" in why:
        step = "Ask for less CPU or memory in its pod template, or free room on the nodes."
    elif "unbound" in why or "persistentvolumeclaim" in why:
        step = "Look at its volume claims: it cannot start before they are bound."
    else:
        step = "Compare its node selector, affinity and tolerations with what the nodes offer."
    one, many, evidence = "finds no node", "find no node", said("scheduler", scheduled.message)
    rest = parts(f": {why}")
    return Trouble("pod-unschedulable", "warn", 50, one, many, rest, step, case.ref, evidence, since)


def stays_creating(case: Case) -> Trouble | None:
    """Placed on a node for minutes without starting: volumes, network or image take too long."""
    placed = case.condition("PodScheduled")
    if case.pod.status.phase != "Pending" or placed is None or placed.status != "True":
        return None
    if not case.older(placed.last_transition_time, STARTING):
        return None
    warning, since = case.warning(), placed.last_transition_time
    what = "its volumes" if "mount" in warning.lower() else "its volumes, network or image"
    rest, evidence = parts(f": {what} are not ready after minutes"), said("kubelet", warning)
    one, many, step = "does not start", "do not start", "Look at its events."
    return Trouble("pod-stays-creating", "warn", 48, one, many, rest, step, case.ref, evidence, since)


def stays_unready(case: Case) -> Trouble | None:
    """It runs, but its readiness probe (or a readiness gate) fails for longer than a start takes."""
    ready = case.condition("Ready")
    if case.pod.status.phase != "Running" or ready is None or ready.status != "False":
        return None
    if not case.older(ready.last_transition_time, UNREADY):
        return None
    rest, step = _unready(case)
    one, many, evidence = "gets no traffic", "get no traffic", said("kubelet", case.warning())
    since = ready.last_transition_time
    return Trouble("pod-not-ready", "warn", 46, one, many, rest, step, case.ref, evidence, since)


def _unready(case: Case) -> tuple[Parts, str]:
    for status, must_end in case.containers():
        if must_end or status.ready:
            continue
        container = code(status.name)
        if status.started is False:
            step = "Read its log; if it only needs longer, raise the startup probe's limit."
            return parts(": container ", container, " has not passed its startup probe"), step
        spec = case.spec_of(status)
        how = " fails its readiness probe" if spec and spec.readiness_probe else " is not ready"
        return parts(": container ", container, how), "Read its log: it runs, but does not answer."
    gates = case.pod.spec.readiness_gates
    if gates:
        gate = code(gates[0].condition_type)
        return parts(": readiness gate ", gate, " is not met"), "Look at what sets that condition."
    return (), "Look at its conditions."


RULES: tuple[Rule, ...] = (
    node_lost,
    evicted,
    failed,
    finds_no_node,
    containers.misses_configuration,
    containers.cannot_pull,
    containers.cannot_start,
    containers.out_of_memory,
    containers.init_fails,
    containers.keeps_crashing,
    stays_creating,
    stays_unready,
    containers.restarts_often,
)
