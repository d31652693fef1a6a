"""Pods that ended, were ended, or do not end: by their node, the kubelet, a deadline or a finalizer."""

from __future__ import annotations

import re
from datetime import timedelta

from dashboard.insight.finding import Evidence, Severity, Step, Trouble, because_of, reported, stands
from dashboard.insight.names import PodRule
from dashboard.insight.pod_health import RECENT
from dashboard.insight.words import Parts, code, parts
from dashboard.kinds.rows import listed, shorten

from .case import Case
from .containers import too_much_memory
from .exits import ended_as, exits
from .runtimes import cause

ENDING = timedelta(minutes=2)
READ_LOG = "Read its log to see why."

# What the kubelet says about an eviction (pkg/kubelet/eviction/helpers.go).
_LOW = re.compile(r"low on resource: ([\w-]+(?:\.[\w-]+)*)")
_CONDITION = re.compile(r"condition: \[([\w, ]+)\]")
_SHORT = {
    "memory": "of memory", "ephemeral-storage": "of disk", "pids": "of process IDs", "inodes": "of inodes on its disk",
    "MemoryPressure": "of memory", "DiskPressure": "of disk", "PIDPressure": "of process IDs",
}  # fmt: skip
_EMPTY_DIR = re.compile(r'EmptyDir volume "([^"]+)" exceeds')
# What no pod can request.
_NOT_REQUESTED = {"inodes": "the inodes", "pids": "the process IDs", "PIDPressure": "the process IDs"}
# Why a kubelet refuses a pod that it was given (pkg/kubelet/lifecycle/predicate.go and others).
_REJECTED = {
    "NodeAffinity": "its node no longer has the labels that it selects",
    "UnexpectedAdmissionError": "its node could not set it up",
    "NodePorts": "its host port is already in use there",
    "Preempting": "it was preempted by a pod with higher priority",
    "PodFeatureUnsupported": "its node does not support what it requires",
    "Terminated": "its node was shut down",
    "NodeShutdown": "its node was shut down",
    "SysctlForbidden": "its node does not allow a sysctl that it sets",
    "AppArmor": "its node can't enforce its AppArmor profile",
    "TaintToleration": "its node has a taint that it does not tolerate",
    "PodOSNotSupported": "it is made for another operating system than its node's",
    "PodOSSelectorNodeLabelDoesNotMatch": "it is made for another operating system than its node's",
    "TopologyAffinityError": "its node can't align its CPUs and memory (Topology Manager)",
}
_RAN = ("Terminated", "Preempting")  # of these, pods that ran
_OS = "Select nodes of its operating system in its pod template (nodeSelector kubernetes.io/os)."
# What mends that, where the next pod would be refused as well.
_ADMITTED = {
    "UnexpectedAdmissionError": "Look at what its node's kubelet says, and at the device plugin's pod there.",
    "SysctlForbidden": "Remove that sysctl from its pod template, or let the kubelets allow it (allowedUnsafeSysctls).",
    "AppArmor": "Load that profile on its node, or correct appArmorProfile in its pod template.",
    "PodOSNotSupported": _OS,
    "PodOSSelectorNodeLabelDoesNotMatch": _OS,
    "TopologyAffinityError": "Lower its requests, or change topologyManagerPolicy in the kubelet's configuration.",
}
# Who ended a pod, by its condition DisruptionTarget (kubernetes.io, Disruptions), and what to do.
_DISRUPTED = {
    "PreemptionByScheduler": (
        "a pod with higher priority needed its room",
        "Raise its priorityClassName, or add room",
    ),
    "DeletionByTaintManager": (
        "its node has a NoExecute taint that it does not tolerate",
        "Look at the taints of its node",
    ),
    "EvictionByEvictionAPI": (
        "it was evicted through the API, as a drain does",
        "Nothing, if its node was drained; else see who evicts",
    ),
    "DeletionByPodGC": ("its node is gone or out of service", "Look at its node"),
    "TerminationByKubelet": (
        "the kubelet of its node terminated it for another pod, a shortage or a shutdown",
        "Look at its node",
    ),
}


def node_lost(case: Case) -> Trouble | None:
    """Its node does not report, is not ready, or is gone."""
    name = case.pod.spec.node_name
    if not name or case.pod.status.phase in ("Succeeded", "Failed"):
        return None
    since = case.since("Ready")
    if case.survey.lacks("nodes", "", name):
        if case.condition("PodScheduled") is None and not case.pod.status.container_statuses:
            # Neither the scheduler nor a kubelet has seen it, so whoever wrote its template named that node.
            rest = parts(": its nodeName is ", code(name), ", and there is no such node")
            step = case.look(
                "Remove nodeName from its pod template, so that the scheduler chooses a node, or correct it."
            )
            evidence = stands("spec.nodeName", f"{name}, which is not among the nodes")
            return Trouble("pod-node-lost", "bad", 60, "can't run", "can't run", rest, step, evidence, since)
        rest = parts(": node ", code(name), " no longer exists")
        step = case.look("Nothing: the control plane deletes it within minutes.")
        evidence = stands("spec.nodeName", f"{name}, which is not among the nodes")
        return Trouble("pod-node-lost", "bad", 60, "is lost", "are lost", rest, step, evidence, since)
    known = case.survey.unready_nodes.get(name)
    if known is None:
        return None
    ready = known[1]
    silent = ready.status == "Unknown"
    how = " stopped reporting" if silent else " is not ready"
    one, many = ("cannot be reached",) * 2 if silent else ("is not ready", "are not ready")
    evidence = tuple(Evidence(f"Node {name}, {one.where}", one.says, case.node) for one in because_of(ready))
    return Trouble(
        "pod-node-lost", "bad", 60, one, many, parts(": node ", code(name), how), Step("Look at the node.", case.node),
        evidence, since, because=(case.node,),
    )  # fmt: skip


def ends_slowly(case: Case) -> Trouble | None:
    """Long past its grace period it is still there: a finalizer, or a node that does not answer."""
    meta, node = case.pod.metadata, case.pod.spec.node_name
    # The deletion time is that at which the grace period ends.
    if meta.deletion_timestamp is None or not case.older(meta.deletion_timestamp, ENDING):
        return None
    since = meta.deletion_timestamp
    over = not any(status.state.running for status in case.pod.status.container_statuses or ())
    if meta.finalizers and (over or not node):
        rest = parts(": it waits for finalizer ", code(listed(meta.finalizers)))
        step = case.look("Check the controller of that finalizer, which must remove it.", "yaml")
        evidence = stands("metadata.finalizers", ", ".join(meta.finalizers))
        return _ends("pod-finalizer", rest, step, evidence, case)
    evidence = stands("metadata.deletionTimestamp", "its grace period is long over")
    if node and case.survey.lacks("nodes", "", node):
        rest = parts(": its node ", code(node), " no longer exists, so no kubelet can terminate it")
        return _ends("pod-ends-slowly", rest, case.look("Force-delete it.", "delete"), evidence, case)
    known = case.survey.unready_nodes.get(node)
    if known is not None:
        rest = parts(": its node ", code(node), " does not respond, so its kubelet can't terminate it")
        evidence = (*evidence, *because_of(known[1]))
        step = Step("Bring the node back, or delete the Node.", case.node)
        return Trouble(
            "pod-ends-slowly", "warn", 30, "is stuck terminating", "are stuck terminating", rest, step, evidence, since,
            because=(case.node,),
        )  # fmt: skip
    if (event := case.event("FailedKillPod")) is not None:
        said = cause(event.message).rstrip("'\"")
        rest = parts(f": its kubelet can't end it: {said}")
        step = Step(
            "Look at the container runtime on its node, and at what its containers hold there.", case.node
        )
        return _ends("pod-ends-slowly", rest, step, reported(event), case)
    rest = parts(" long after the grace period")
    step = Step("Look at its node: the kubelet there should terminate it.", case.node if node else case.ref)
    return _ends("pod-ends-slowly", rest, step, evidence, case)


def _ends(rule: PodRule, rest: Parts, step: Step, evidence: tuple[Evidence, ...], case: Case) -> Trouble:
    since = case.pod.metadata.deletion_timestamp
    return Trouble(
        rule, "warn", 30, "is stuck terminating", "are stuck terminating", rest, step, evidence, since
    )


def evicted(case: Case) -> Trouble | None:
    """Ended by the kubelet of a node that ran short of something, or because the pod used too much disk itself."""
    status = case.pod.status
    if status.phase != "Failed" or status.reason != "Evicted":
        return None
    message = status.message
    low, under = _LOW.search(message), _CONDITION.search(message)
    named = (low[1] if low else "") or (under[1].split(", ")[0] if under else "")
    if named:
        rest = parts(f": its node ran out {_SHORT.get(named, f'of {named}')}")
        text = "Request what it needs, so that it is scheduled where there is enough; the failed pod can be deleted."
        if named in _NOT_REQUESTED:
            text = f"Find out what uses {_NOT_REQUESTED[named]} on the node; the failed pod can be deleted."
    elif (volume := _EMPTY_DIR.search(message)) is not None:
        rest = parts(": its emptyDir volume ", code(volume[1]), " exceeded its sizeLimit")
        text = "Raise its sizeLimit, or write to another volume; the failed pod can be deleted."
    elif "ephemeral" in message:
        rest = parts(": it exceeded its ephemeral-storage limit")
        text = "Raise its ephemeral-storage limit, or write to a volume; the failed pod can be deleted."
    else:
        rest = parts(": its node was under resource pressure")
        text = "Look at the node; the failed pod can be deleted."
    since = case.since("Ready")
    evidence = (*stands("status.reason", status.reason), *stands("status.message", message))
    because = (case.node,) if named and _still_short(case) else ()
    return Trouble(
        "pod-evicted", _fading(case, "warn"), 25, "was evicted", "were evicted", rest, case.look(text, "delete"),
        evidence, since, because=because, shared=f"evicted:{case.pod.spec.node_name}",
    )  # fmt: skip


def _still_short(case: Case) -> bool:
    """Whether its node is under pressure now: what else is wrong there has evicted nothing."""
    node = case.survey.objects.get("nodes", "", case.pod.spec.node_name)
    found = (node.status.conditions or ()) if node is not None else ()
    return any(one.type.endswith("Pressure") and one.status == "True" for one in found)


def rejected(case: Case) -> Trouble | None:
    """The kubelet would not run it, or its node was shut down; a controller makes another one."""
    status = case.pod.status
    why = _REJECTED.get(status.reason)
    if why is None and status.reason.startswith("OutOf"):
        why = f"its node did not have enough {status.reason.removeprefix('OutOf')}"
    if status.reason == "UnexpectedAdmissionError" and (
        said := status.message.removeprefix("Pod was rejected: ")
    ):
        why = f"{why}: {shorten(said).rstrip('.')}"
    if status.phase != "Failed" or why is None:
        return None
    evidence = (*stands("status.reason", status.reason), *stands("status.message", status.message))
    owned = case.pod.metadata.controller is not None
    text = "The failed pod can be deleted; its controller creates another." if owned else "Recreate it."
    text = _ADMITTED.get(status.reason, text)
    if status.reason.startswith("OutOf") and case.of_daemonset:  # the next one is for the same node
        text = "Lower its requests, or free capacity on its node."
        if status.reason == "OutOfpods":
            text = "Move pods away from its node, or raise maxPods of the kubelet there: it runs as many as it may."
    how = "terminated" if status.reason in _RAN else "rejected"
    return Trouble(
        "pod-rejected", _fading(case, "warn" if owned else "bad"), 28,
        f"was {how} by the kubelet", f"were {how} by the kubelet", parts(f": {why}"),
        case.look(text, "delete"), evidence, case.since("Ready"),
    )  # fmt: skip


def _fading(case: Case, severity: Severity) -> Severity:
    """What is left of a pod that was replaced long ago explains itself, and is no problem any more."""
    replaced = case.pod.metadata.controller is not None
    return "note" if replaced and case.older(case.since("Ready"), RECENT) else severity


def _kept_running(case: Case) -> bool:
    """Whether its controller has replaced it: pods of a Job end, those of these end only with their node."""
    owner = case.pod.metadata.controller
    return owner is not None and owner.kind in ("ReplicaSet", "StatefulSet", "DaemonSet")


def failed(case: Case) -> Trouble | None:
    """Phase Failed: a container ended with an error and is not started again, or its time was up."""
    status = case.pod.status
    if status.phase != "Failed":
        return None
    since, said = case.since("Ready"), stands("status.message", status.message)
    if status.reason == "DeadlineExceeded":
        step = case.look("Raise activeDeadlineSeconds, or find out what takes so long.", "logs")
        rest = parts(": its deadline passed (activeDeadlineSeconds)")
        evidence = (*stands("status.reason", status.reason), *said)
        return Trouble(
            "pod-deadline", "bad", 45, "was terminated", "were terminated", rest, step, evidence, since
        )
    if (found := _disrupted(case)) is not None:
        return found  # how its containers ended follows from that
    for container, _ in case.containers():
        ended = container.state.terminated
        if ended is not None and ended.exit_code:
            step = case.log_step(READ_LOG, container)
            evidence = (*ended_as(container, ended), *said)
            rest = parts(": ", *exits(container, ended))
            if ended.reason == "OOMKilled":
                rest, step, limit = too_much_memory(case, container)
                evidence = (*evidence, *stands("resources.limits.memory", limit or "not set"))
            severity: Severity = _fading(case, "warn") if _kept_running(case) else "bad"
            return Trouble(
                "pod-failed", severity, 45, "failed", "failed", rest, step, evidence, since, case.log(container)
            )  # fmt: skip
    rest = parts(f" ({status.reason})" if status.reason else "")
    step = case.look("The failed pod can be deleted once the cause is clear.", "events")
    evidence = (*stands("status.reason", status.reason), *said) or stands("status.phase", status.phase)
    return Trouble("pod-failed", "bad", 45, "failed", "failed", rest, step, evidence, since)


def _disrupted(case: Case) -> Trouble | None:
    """Ended by somebody else, who says so in a condition only."""
    target = case.condition("DisruptionTarget")
    if target is None or target.status != "True" or target.reason not in _DISRUPTED:
        return None
    why, todo = _DISRUPTED[target.reason]
    owned = case.pod.metadata.controller is not None
    after = "the failed pod can be deleted." if owned else "recreate it where it is still needed."
    at_node = todo.startswith("Look at") and case.pod.spec.node_name
    step = Step(f"{todo}; {after}", case.node) if at_node else case.look(f"{todo}; {after}")
    return Trouble(
        "pod-disrupted", _fading(case, "warn" if owned else "bad"), 26, "was terminated", "were terminated",
        parts(f": {why}"), step, because_of(target), target.last_transition_time or case.since("Ready"),
    )  # fmt: skip
