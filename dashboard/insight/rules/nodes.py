"""What can be wrong with a node."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from dashboard.insight.finding import Finding, Known, Step, because_of, stands, subject
from dashboard.insight.names import ClusterRule
from dashboard.insight.observed import Observed
from dashboard.insight.words import code, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.nodes import Node
from dashboard.kinds.nodes import reported as faults
from dashboard.kinds.rows import shorten

# A machine that has just joined is not ready at once.
JOINING = timedelta(minutes=2)
# Minor versions that a kubelet may be behind the API server; ahead, none (kubernetes.io/releases/version-skew-policy).
SKEW = 3

_PRESSURE: dict[str, tuple[ClusterRule, str, str]] = {
    "MemoryPressure": (
        "node-memory-pressure",
        "has memory pressure",
        "Look at which of its pods use the most memory; the kubelet evicts pods now.",
    ),
    "DiskPressure": (
        "node-disk-pressure",
        "has disk pressure",
        "Free disk space on it; the kubelet removes images and evicts pods now.",
    ),
    "PIDPressure": (
        "node-pid-pressure", "has PID pressure", "Look at which of its pods start too many processes."
    ),
    "NetworkUnavailable": (
        "node-network-unavailable",
        "has no working network",
        "Look at the network plug-in's pod on it.",
    ),
}  # fmt: skip
# pkg/kubelet/runtime.go, with what the container runtime says of its network.
_NETWORK = re.compile(
    r"reason:NetworkPluginNotReady message:(?:Network plugin returns error: )?(.+)", re.DOTALL
)
_MINOR = re.compile(r"v?1\.(\d{1,4})\.")


def _ref(node: Node) -> Ref:
    return Ref("Node", "", node.metadata.name, "nodes")


def unready(survey: Observed, known: Known) -> Iterator[Finding]:
    """NotReady, or Unknown because its kubelet stopped reporting."""
    for node, ready in survey.unready_nodes.values():
        if not survey.older(node.metadata.creation_timestamp, JOINING):
            continue
        ref, since, evidence = _ref(node), ready.last_transition_time, because_of(ready)
        if ready.status == "Unknown":
            text = parts(*subject(ref), " is unreachable: its kubelet stopped reporting.")
            step = Step("Check the machine and its network; its pods are evicted after five minutes.", ref)
            if ready.reason == "NodeStatusNeverUpdated":
                text = parts(*subject(ref), " is unreachable: its kubelet has never reported.")
                step = Step("Start the kubelet on that machine, or delete the Node if there is none.", ref)
            yield Finding("node-silent", "bad", 90, ref, text, step, evidence, since, shared="silent")
        else:
            why = f": {_first(ready.message)}" if ready.message else ""
            todo = "Check its kubelet, its container runtime and its network plug-in."
            if found := _NETWORK.search(ready.message):
                why = f": its network plug-in is not ready: {_first(found[1])}"
                todo = "Look at the network plug-in's pod on it, or install one."
            text = parts(*subject(ref), f" is not ready{why}.")
            step = Step(todo, ref, "events")
            shared = _first(ready.message)
            yield Finding("node-not-ready", "bad", 89, ref, text, step, evidence, since, shared=shared)


def _first(message: str) -> str:
    """The first of what a kubelet lists, without its ending."""
    text = " ".join(message.split())
    return (text if len(text) <= 100 else text[:99] + "…").rstrip(".")


def under_pressure(survey: Observed, known: Known) -> Iterator[Finding]:
    """A condition of the kubelet says that something runs out."""
    for node in survey.all("nodes"):
        for condition in node.status.conditions or ():
            if condition.status == "True" and condition.type in _PRESSURE:
                rule, how, text_step = _PRESSURE[condition.type]
                ref, since = _ref(node), condition.last_transition_time
                text, step = parts(*subject(ref), f" {how}."), Step(text_step, ref)
                yield Finding(rule, "warn", 58, ref, text, step, because_of(condition), since)


def reported(survey: Observed, known: Known) -> Iterator[Finding]:
    """What others than the kubelet say of it in conditions of their own, as node-problem-detector does."""
    for node in survey.all("nodes"):
        for condition in faults(node):
            ref, named = _ref(node), code(condition.type)
            said = shorten(condition.message or condition.reason).rstrip(".")
            fault = (named,) if condition.status == "True" else (named, " is False")
            text = parts(*subject(ref), " reports a fault: ", *fault, f" ({said})." if said else ".")
            step = Step(
                "Look at its machine and its events: what watches the node sets this condition.",
                ref,
                "events",
            )
            yield Finding(
                "node-condition", "warn", 55, ref, text, step, because_of(condition), condition.last_transition_time,
                shared=condition.type,
            )  # fmt: skip


def cordoned(survey: Observed, known: Known) -> Iterator[Finding]:
    """Somebody keeps new pods away from it (SchedulingDisabled)."""
    for node in survey.all("nodes"):
        if node.spec.unschedulable and node.metadata.deletion_timestamp is None:
            ref = _ref(node)
            text = parts(*subject(ref), " is cordoned: no new pods are scheduled on it.")
            step = Step("Uncordon it when the work on it is done.", ref)
            evidence = stands("spec.unschedulable", "true")
            yield Finding("node-cordoned", "warn", 15, ref, text, step, evidence, shared="cordoned")


def versions(survey: Observed, known: Known) -> Iterator[Finding]:
    """A kubelet that is too old for the API server, or newer than it; where its version is not known, the newest
    kubelet stands for it, as the API server is at least as new.
    """
    minors = [(node, minor) for node in survey.all("nodes") if (minor := _minor(_version(node))) is not None]
    server = _minor(survey.version)
    newest = max((minor for _, minor in minors), default=0) if server is None else server
    measure = stands("API server", survey.version) or stands("Newest kubelet", f"1.{newest}")
    for node, minor in minors:
        ref, evidence = _ref(node), (*stands("kubeletVersion", _version(node)), *measure)
        runs = f" runs Kubernetes {_version(node)}, "
        if newest - minor > SKEW:
            whose = f"1.{newest}" if server is None else f"the API server's {survey.version}"
            behind = f"more than {SKEW} minor versions behind {whose}: that is not supported."
            text, step = parts(*subject(ref), runs, behind), Step("Upgrade its kubelet.", ref)
            yield Finding("node-version-skew", "warn", 21, ref, text, step, evidence, shared="skew")
        elif minor > newest:
            ahead = f"newer than the API server's {survey.version}: that is not supported."
            text = parts(*subject(ref), runs, ahead)
            step = Step("Upgrade the control plane first, then the nodes; or downgrade its kubelet.", ref)
            yield Finding("node-version-ahead", "warn", 21, ref, text, step, evidence, shared="ahead")


def _version(node: Node) -> str:
    return node.status.node_info.kubelet_version


def _minor(version: str) -> int | None:
    found = _MINOR.match(version)
    return int(found[1]) if found else None
