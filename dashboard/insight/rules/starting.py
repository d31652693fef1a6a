"""What can keep a pod from starting on the node that it was given: volumes, network, and what nobody names."""

from __future__ import annotations

import re
from datetime import timedelta

from dashboard.insight.finding import Step, Trouble, because_of, reported
from dashboard.insight.names import PodRule
from dashboard.insight.words import Part, Parts, code, parts
from dashboard.kinds.events import Event

from .case import Case
from .configuration import CREATING

# Volumes and networks are there after some tries; a rollout may wait for the old pod to let go of a volume.
SETTLING = timedelta(minutes=1)
STARTING = timedelta(minutes=3)

_VOLUME = re.compile(r'volume "([^"]+)"')
_HOST_PATH = re.compile(r"hostPath type check failed: (\S+) is not (.+)")
_HOLDER = re.compile(r"already used by pod\(s\) (\S+)")
_NO_ADDRESS = re.compile(r"no IP addresses available|failed to assign an IP|address pool", re.IGNORECASE)


def does_not_start(case: Case) -> Trouble | None:
    """It has a node, and its containers do not start."""
    placed = case.condition("PodScheduled")
    if case.pod.status.phase != "Pending" or placed is None or placed.status != "True":
        return None
    if any(must_end and status.state.running is not None for status, must_end in case.containers()):
        return None  # volumes and network are there: an init container is at work
    creating = any(
        status.state.waiting is not None and status.state.waiting.reason in CREATING
        for status, _ in case.containers()
    )
    if not (creating or not case.pod.status.container_statuses):
        return None
    if not case.older(placed.last_transition_time, SETTLING):
        return None
    found = _sandbox(case) or _attach(case) or _mount(case)
    if found is not None:
        return found
    return _creating(case) if case.older(placed.last_transition_time, STARTING) else None


def _sandbox(case: Case) -> Trouble | None:
    event = case.event("FailedCreatePodSandBox", "FailedCreatePodSandbox", "NetworkNotReady")
    if event is None:
        return None
    full = bool(_NO_ADDRESS.search(event.message))
    why = "no IP address is available" if full else "its network could not be set up"
    text = (
        "Free IP addresses, or enlarge the pod network's range."
        if full
        else "Look at the network plug-in's pod on its node."
    )
    return _told(case, "pod-sandbox", parts(f": {why} on its node"), Step(text, case.node), event)


def _attach(case: Case) -> Trouble | None:
    event = case.event("FailedAttachVolume")
    if event is None:
        return None
    volume = _volume(event)
    if "Multi-Attach" in event.message:
        holder = _HOLDER.search(event.message)
        by = parts(" by pod ", code(holder[1])) if holder else ()
        rest = parts(": volume ", volume, " is still in use", *by, " on another node")
        text = "Wait for the other pod to terminate, or delete it: the volume can be attached to one node at a time."
    else:
        rest = parts(": volume ", volume, " cannot be attached to its node")
        text = "Look at the volume in the storage system, and at the CSI driver's pod on the node."
    return _told(case, "pod-volume-attach", rest, case.look(text, "events"), event)


def _mount(case: Case) -> Trouble | None:
    event = case.event("FailedMount", "FailedMapVolume")
    if event is None:
        return None
    rest: Parts = parts(": volume ", _volume(event), " cannot be mounted")
    step = case.look("Check whether its node can reach the storage backend.", "events")
    if found := _HOST_PATH.search(event.message):
        rest = parts(*rest, ": on its node ", code(found[1]), f" is not {found[2].strip()}")
        step = case.look("Correct hostPath in its pod template, or create it on the node.", "events")
    return _told(case, "pod-volume-mount", rest, step, event)


def _volume(event: Event) -> Part:
    found = _VOLUME.search(event.message)
    return code(found[1] if found else "of the pod")


def _creating(case: Case) -> Trouble:
    rest = parts(": its volumes, network or image are still not ready")
    since = case.since("PodScheduled")
    evidence = reported(case.event()) or because_of(case.condition("PodReadyToStartContainers"))
    return Trouble(
        "pod-stays-creating", "warn", 48, "does not start", "do not start", rest,
        case.look("Look at its events.", "events"), evidence, since,
    )  # fmt: skip


def _told(case: Case, rule: PodRule, rest: Parts, step: Step, event: Event) -> Trouble:
    return Trouble(
        rule, "bad", 57, "does not start", "do not start", rest, step, reported(event), case.since("PodScheduled")
    )  # fmt: skip
