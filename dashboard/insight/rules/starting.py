"""What can keep a pod from starting on the node that it was given: volumes, network, and what nobody names."""

from __future__ import annotations

import re
from datetime import timedelta

from dashboard.insight.finding import Step, Trouble, because_of, reported
from dashboard.insight.names import PodRule
from dashboard.insight.words import Part, Parts, code, parts
from dashboard.kinds.events import Event

from .case import WAITED, Case
from .configuration import CREATING
from .containers import about
from .runtimes import NOT_ALLOWED, cause

# Volumes and networks are there after some tries; a rollout may wait for the old pod to let go of a volume.
SETTLING = timedelta(minutes=1)
STARTING = timedelta(minutes=3)

_VOLUME = re.compile(r'volume "([^"]+)"|unmounted volumes=\[([^\]\s]+)')
_HOST_PATH = re.compile(r"hostPath type check failed: (\S+) is not (.+)")
_HOLDER = re.compile(r"already used by pod\(s\) (\S+)")
# Why a pod's sandbox is not created, by the words of network plug-ins and container runtimes, and what to do.
_SANDBOX = tuple(
    (re.compile(pattern, re.IGNORECASE), why, text)
    for pattern, why, text in (
        (
            r"no (?:more )?IPs? (?:addresses )?available|failed to assign an IP|address pool",
            "no IP address is available",
            "Free IP addresses, or enlarge the pod network's range.",
        ),
        (
            r'no runtime for "([^"]+)" is configured|RuntimeHandler "([^"]+)" not supported',
            "its RuntimeClass's handler is not configured",
            "Configure that handler in its node's container runtime, or correct runtimeClassName in its pod template.",
        ),
        (
            r'failed to get sandbox image "([^"]+)"',
            "the sandbox image {0} can't be pulled",
            "Check that its node can reach that registry, or load the image onto it.",
        ),
        (r"no space left", "no disk space is left", "Free disk space on the node."),
        (
            r"network|\bcni\b|plugin type",
            "its network could not be set up",
            "Look at the network plug-in's pod on its node.",
        ),
    )
)
_NO_DRIVER = re.compile(
    r"driver name (\S+) not found in the list of registered CSI drivers|CSINode \S+ does not contain driver (\S+)"
)
# What clouds answer when a machine has as many disks as it can have.
_FULL = re.compile(
    r"ResourceExhausted|AttachmentLimitExceeded|[Aa]ttachment limit|maximum number of (?:data )?disks|max(?:imum)? volume"
)
_REGISTER = "Install that driver, or look at its pod on the node."
# What mends a volume that cannot be mounted, by the words of the kubelet, of mount(8) and of CSI drivers.
_MOUNTING = tuple(
    (re.compile(pattern, re.IGNORECASE), text)
    for pattern, text in (
        (
            r"secrets store objects[^\n]*(?:permission denied|access ?denied|forbidden|not authorized|Code: 403)",
            "Let the pod's account read that secret where it is kept, or correct its SecretProviderClass.",
        ),
        (
            "helper program",
            "Install the mount helper of that file system on its node (for NFS, nfs-common or nfs-utils).",
        ),
        (r"access denied by server", "Let the NFS server export that directory to its node."),
        (
            r"reason given by server: No such file",
            "Create that directory on the NFS server, or correct the path in the volume.",
        ),
        (
            r'path "[^"]+" does not exist',
            "Create that directory on its node, or correct the path in the PersistentVolume.",
        ),
        (
            r'serviceaccounts "([^"]+)" not found',
            "Create ServiceAccount {0} again: its token is in that volume.",
        ),
        (
            r"secretproviderclass\S* .*not found",
            "Create that SecretProviderClass, or correct its name in the pod template.",
        ),
        (
            r'provider not found: provider "([^"]+)"',
            "Install provider {0} of the Secrets Store CSI driver, or look at its pod on the node.",
        ),
        (
            r"operation with the given Volume ID \S+ already exists",
            "Wait: an earlier try is still under way; if that lasts, read the log of the CSI driver's pod on the node.",
        ),
        (
            r"wrong fs type|bad superblock|fsck",
            "Check the file system on that volume, and whether it is of the type that the volume names (fsType).",
        ),
    )
)


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
    if (pulling := _pulling(case)) is not None:  # so its volumes and network are there
        return pulling if case.older(placed.last_transition_time, STARTING) else None
    if event := next(iter(case.in_the_way(*_EXPLAIN, *_NO_SANDBOX)), None):
        return _EXPLAIN.get(event.reason, _sandbox)(case, event)
    return _creating(case) if case.older(placed.last_transition_time, STARTING) else None


def _pulling(case: Case) -> Trouble | None:
    """The kubelet has begun to pull an image, and says nothing more of it."""
    for status, _ in case.containers():
        waits, spec = status.state.waiting, case.spec_of(status)
        if waits is None or waits.reason not in CREATING or spec is None:
            continue
        event = next(about(case, status, case.survey.pulls.get(case.pod.metadata.uid, ())), None)
        if event is not None and event.reason == "Pulling":
            rest = parts(": image ", code(spec.image), " is still being pulled on its node")
            step = "Wait: a large image takes minutes. If it lasts, check how fast the node reaches the registry."
            return Trouble(
                "pod-image-pulling", "warn", 48, "does not start", "do not start", rest, case.look(step, "events"),
                reported(event), event.last_seen,
            )  # fmt: skip
    return None


def _sandbox(case: Case, event: Event) -> Trouble:
    said = event.message.replace(case.pod.metadata.name, "")  # which may hold any word
    for pattern, why, text in _SANDBOX:
        if found := pattern.search(said):
            rest = parts(f": {why.format(*found.groups())} on its node")
            return _told(case, "pod-sandbox", rest, Step(text, case.node), event)
    rest = parts(f": its sandbox could not be created on its node: {cause(event.message)}")
    return _told(
        case, "pod-sandbox", rest, Step("Look at the container runtime on its node.", case.node), event
    )


def _attach(case: Case, event: Event) -> Trouble:
    volume = _volume(event)
    if "Multi-Attach" in event.message:
        holder = _HOLDER.search(event.message)
        by = parts(" by pod ", code(holder[1])) if holder else ()
        rest = parts(": volume ", volume, " is still in use", *by, " on another node")
        text = "Wait for the other pod to terminate, or delete it: the volume can be attached to one node at a time."
        if holder and _before_it(case, holder[1]):
            text = (
                "Set strategy.type to Recreate: the pod before it keeps the volume until this one is ready."
            )
    else:
        unregistered = _unregistered(event)
        why = unregistered or parts(f": {_said(event)}")
        rest = parts(": volume ", volume, " cannot be attached to its node", *why)
        text = "Look at the volume in the storage system, and at the CSI driver's pod on the node."
        if _FULL.search(event.message):
            text = "Its node can attach no more volumes: delete the pod, so that another one takes it."
        if NOT_ALLOWED.search(event.message):
            text = "Give the CSI driver's account the permission that the storage system's answer names."
        if unregistered:
            text = _REGISTER
    return _told(case, "pod-volume-attach", rest, case.look(text, "events"), event)


def _before_it(case: Case, name: str) -> bool:
    """Whether that pod is of the same Deployment, which ends it only when the new one is ready."""
    other, owner = case.survey.objects.get("pods", case.namespace, name), case.survey.owner(case.pod)
    if other is None or owner.plural != "deployments" or case.survey.owner(other) != owner:
        return False
    deployment = case.survey.objects.get("deployments", owner.namespace, owner.name)
    rolls = deployment is not None and deployment.spec.strategy.type == "RollingUpdate"
    return rolls and other.metadata.deletion_timestamp is None


def _mount(case: Case, event: Event) -> Trouble:
    volume = _volume(event)
    rest: Parts = parts(": volume ", volume, " cannot be mounted")
    if found := _HOST_PATH.search(event.message):
        rest = parts(*rest, ": on its node ", code(found[1]), f" is not {found[2].strip()}")
        text = "Correct hostPath in its pod template, or create it on the node."
    elif unregistered := _unregistered(event):
        rest, text = parts(*rest, *unregistered), _REGISTER
    else:
        rest = parts(*rest, f": {said}" if (said := _said(event)) else "")
        text = _mounting(event.message)
        if not text and _of_the_api(case, volume):
            text = "Wait: the kubelet tries again; if that lasts, read its log on the node."
        text = text or "Check whether its node can reach the storage backend."
    return _told(case, "pod-volume-mount", rest, case.look(text, "events"), event)


def _unregistered(event: Event) -> Parts:
    """That the node lacks the CSI driver of a volume, as the end of a sentence; empty where it is something else."""
    found = _NO_DRIVER.search(event.message)
    return (
        parts(": CSI driver ", code(found[1] or found[2]), " is not registered on its node") if found else ()
    )


def _mounting(message: str) -> str:
    """What mends a mount that fails so; "" where the words don't tell."""
    every = ((text, pattern.search(message)) for pattern, text in _MOUNTING)
    return next((text.format(*found.groups()) for text, found in every if found), "")


def _of_the_api(case: Case, volume: Part) -> bool:
    """Whether a volume holds objects of the API server, so that no storage is asked for it."""
    named = (one for one in case.pod.spec.volumes or () if one.name == volume[0])
    return any(one.config_map or one.secret or one.projected or one.downward_api for one in named)


def _volume(event: Event) -> Part:
    found = _VOLUME.search(event.message)
    return code((found[1] or found[2]) if found else "of the pod")


def _said(event: Event) -> str:
    """Why, without which volume it is said of; of a command, what that printed first. "" of the sum of several."""
    if event.message.startswith(WAITED):
        return ""
    said = event.message.partition(" : ")[2] or event.message
    _, _, printed = said.partition("Output: ")
    return cause(printed.lstrip().partition("\n")[0] or said)


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


_NO_SANDBOX = (
    "FailedCreatePodSandBox", "FailedCreatePodSandbox", "FailedCreatePodContainer", "NetworkNotReady"
)  # fmt: skip
_EXPLAIN = {"FailedAttachVolume": _attach, "FailedMount": _mount, "FailedMapVolume": _mount}
