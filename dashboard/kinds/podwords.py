"""What a pod's and a container's status mean, in plain words beside Kubernetes' own."""

from __future__ import annotations

import re

from .base import State
from .meta import ObjectCondition, find_condition
from .podspec import Container
from .podstatus import ContainerStatus, PodStatus, Terminated
from .rows import listed, shorten

Judgement = tuple[State, str]

_STARTING = frozenset({"", "ContainerCreating", "PodInitializing"})
_REFUSED = re.compile(r"unauthorized|denied|forbidden|authentication required|\b40[13]\b", re.IGNORECASE)
_MISSING = re.compile(r"not found|manifest unknown|\b404\b", re.IGNORECASE)
_NAME_ENDS = re.compile(r"[:@]")
_PIECES = re.compile(r"[/:@\"',]")  # of an image reference, or of the address where it is asked for
_NODES = re.compile(r"^0/(\d+) nodes are available:?\s*")
_COUNT = re.compile(r"^\d+ ")


def ended(container: str, terminated: Terminated) -> str:
    """Why a container ended: ``exit 1 in container web: Error``."""
    if terminated.reason == "OOMKilled":
        return f"container {container} ran out of memory"
    code, signal = terminated.exit_code, terminated.signal
    how = f"signal {signal}" if signal and not code else f"exit {code}"
    text = f"{how} in container {container}"
    if terminated.reason == "Error" and terminated.message:
        return shorten(f"{text}: {terminated.message}")
    return f"{text}: {terminated.reason}" if terminated.reason else text


def waiting(name: str, image: str, status: ContainerStatus) -> Judgement:
    """Why a container is not running yet."""
    state = status.state.waiting
    reason, message = (state.reason, state.message) if state else ("", "")
    if reason in _STARTING:
        return "info", ""
    if reason == "CrashLoopBackOff":
        last = status.last_state.terminated
        return "bad", ended(name, last) if last else f"container {name} keeps restarting"
    if reason in ("ImagePullBackOff", "ErrImagePull", "ImageInspectError", "RegistryUnavailable"):
        said = without_image(image, message)
        if _MISSING.search(said):
            return "bad", f"image {image} not found"
        if _REFUSED.search(said):
            return "bad", f"the registry denies access to image {image}: private, or it does not exist"
        return "bad", f"image {image} can't be pulled"
    if reason == "ErrImageNeverPull":
        return "bad", f"image {image} is not on the node, and imagePullPolicy is Never"
    if reason == "InvalidImageName":
        return "bad", f"image name {image} is not valid"
    return "bad", shorten(f"container {name}: {message}") if message else f"container {name} can't start"


def without_image(image: str, answer: str) -> str:
    """An answer without the words that hold the image's name: a name or tag (``timeouts:401``) is no reason."""
    name = _NAME_ENDS.split(image.rpartition("/")[2])[0]
    return " ".join(word for word in answer.split() if name not in _PIECES.split(word))


def causes(message: str) -> list[str]:
    """Why nodes refuse a pod, out of the scheduler's message, in its own words and without how many nodes they are."""
    match = _NODES.match(message)
    if not match:
        return []
    said = message[match.end() :].split(". ")[0].rstrip(".").split(", ")
    return [_COUNT.sub("", cause) for cause in said if cause]


UNSCHEDULABLE = "can't be scheduled"


def unschedulable(condition: ObjectCondition | None) -> str:
    """The scheduler's message, shortened: ``can't be scheduled: insufficient memory``."""
    message = condition.message if condition else ""
    match = _NODES.match(message)
    if not match:
        return shorten(message) or "no node found for it yet"
    if match[1] == "0":
        return "the cluster has no nodes"
    every = causes(message)
    # Of a pod that names its node, as each of a DaemonSet: what is told of the others is no cause.
    every = [cause for cause in every if not cause.startswith(_ANOTHER_NODE)] or every
    short = [cause.removeprefix("Insufficient ") for cause in every if cause.startswith("Insufficient ")]
    others = list(dict.fromkeys(_cause(cause) for cause in every if not cause.startswith("Insufficient ")))
    if short:
        room = f"{UNSCHEDULABLE}: insufficient {listed(short)}"
        return shorten(f"{room}; on other nodes {listed(others)}" if others else room, 140)
    return shorten(f"{UNSCHEDULABLE}: {listed(others)}" if others else UNSCHEDULABLE, 140)


_ANOTHER_NODE = "node(s) didn't satisfy plugin(s) [NodeAffinity]"
# How the scheduler's causes start, and how they read in plain words; the first that fits.
_CAUSES = {
    "node(s) had untolerated taint": "untolerated taints",
    "node(s) didn't match Pod's node affinity/selector": "node affinity/selector mismatch",
    _ANOTHER_NODE: "node affinity/selector mismatch",
    "node(s) didn't match pod affinity rules": "pod affinity mismatch",
    "node(s) didn't match pod anti-affinity": "its pod anti-affinity",
    "node(s) didn't match pod topology spread constraints (missing required label)": "a missing topology label",
    "node(s) didn't match pod topology spread": "topology spread constraints",
    "node(s) didn't satisfy existing pods anti-affinity": "the anti-affinity of existing pods",
    "node(s) didn't have free ports": "its host port is in use",
    "node(s) had volume node affinity conflict": "volume node affinity conflict",
    "node(s) didn't match PersistentVolume's node affinity": "volume node affinity conflict",
    "node(s) exceed max volume count": "the node's volume limit is reached",
    "node(s) had no available volume zone": "the zone of its volume",
    "node(s) didn't find available persistent volumes to bind": "no available volume fits its claim",
    "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)": "a claim whose volume is gone",
    "node(s) did not have enough free storage": "too little free storage",
    "node has pod using PersistentVolumeClaim with the same name": "a ReadWriteOncePod claim in use by another pod",
    "cannot allocate all claims": "no free devices for its ResourceClaims",
    "node(s) were unschedulable": "cordoned nodes",
    "pod has unbound immediate PersistentVolumeClaims": "its volume claim is not bound yet",
    "Too many pods": "too many pods",
}


def _cause(text: str) -> str:
    plain = next((words for start, words in _CAUSES.items() if text.startswith(start)), "")
    return plain or text.removeprefix("node(s) ")


def judge_container(spec: Container | None, status: ContainerStatus, *, init: bool = False) -> Judgement:
    """The state of one container. An init container that ended well, or any that completed, is done."""
    name, image = status.name, (spec.image if spec else "") or status.image
    if status.state.terminated is not None:
        terminated = status.state.terminated
        well = terminated.exit_code == 0 and (init or not terminated.signal)
        return ("done", "") if well else ("bad", ended(name, terminated))
    if status.state.running is not None:
        if status.ready:
            return "ok", ""
        if init and not (spec and spec.sidecar):
            return "info", f"init container {name} is running"
        if status.started is False:
            return "info", f"container {name} is starting"
        return "warn", f"container {name} is not ready"
    return waiting(name, image, status)


def judge(
    word: str,
    status: PodStatus,
    specs: dict[str, Container],
    gates: tuple[str, ...],
    finalizers: tuple[str, ...],
) -> Judgement:
    """The state and reason of a pod whose STATUS is ``word``."""
    conditions = status.conditions or ()
    if word == "Terminating":
        return "info", shorten(f"waits for finalizer {listed(finalizers)}") if finalizers else ""
    if word == "Unknown":
        return "bad", "its node is unreachable"
    if word == "SchedulingGated":
        return "info", shorten(f"held back by scheduling gate {listed(gates)}") if gates else ""
    if status.phase == "Succeeded":
        return "done", ""
    if status.phase == "Failed" and status.reason:
        return "bad", shorten(status.message).rstrip(".")
    worst = _worst(status, specs)
    if worst[0] == "bad" or (worst[1] and status.phase != "Pending"):
        return worst
    scheduled = find_condition(conditions, "PodScheduled")
    if status.phase == "Pending" and scheduled is not None and scheduled.status == "False":
        return "bad", unschedulable(scheduled)
    if status.phase == "Pending":
        return "info", worst[1]
    if status.phase == "Failed":
        return "bad", shorten(status.message).rstrip(".")
    if status.phase == "Running":
        return _running(word, conditions)
    return "warn", shorten(status.message)


def _running(word: str, conditions: tuple[ObjectCondition, ...]) -> Judgement:
    ready = find_condition(conditions, "Ready")
    if word == "NotReady" or (ready is not None and ready.status != "True"):
        return "warn", shorten(ready.message) if ready is not None else ""
    return "ok", ""


def _worst(status: PodStatus, specs: dict[str, Container]) -> Judgement:
    rank = {"bad": 3, "warn": 2, "info": 1}
    worst: Judgement = ("ok", "")
    for statuses, init in ((status.init_container_statuses, True), (status.container_statuses, False)):
        for container in statuses or ():
            found = judge_container(specs.get(container.name), container, init=init)
            if rank.get(found[0], 0) > rank.get(worst[0], 0) or (not worst[1] and found[0] == worst[0]):
                worst = found
    return worst
