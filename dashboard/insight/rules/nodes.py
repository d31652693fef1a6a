"""What can be wrong with a node."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from dashboard.insight.finding import Finding, Step, because_of, stands, subject
from dashboard.insight.names import ClusterRule
from dashboard.insight.survey import Known, Survey
from dashboard.insight.words import parts
from dashboard.kinds.base import Ref
from dashboard.kinds.nodes import Node

# A machine that has just joined is not ready at once.
JOINING = timedelta(minutes=2)
# A kubelet may be three minor versions older than the API server (kubernetes.io/releases/version-skew-policy).
SKEW = 3

_PRESSURE: dict[str, tuple[ClusterRule, str, str]] = {
    "MemoryPressure": (
        "node-memory-pressure",
        "is short of memory",
        "Look at which of its pods use the most memory; the kubelet evicts pods now.",
    ),
    "DiskPressure": (
        "node-disk-pressure",
        "is short of disk",
        "Free disk space on it; the kubelet removes images and evicts pods now.",
    ),
    "PIDPressure": (
        "node-pid-pressure", "runs too many processes", "Look at which of its pods start them."
    ),
    "NetworkUnavailable": (
        "node-network-unavailable",
        "has no working network",
        "Look at the network plug-in's pod on it.",
    ),
}  # fmt: skip
_MINOR = re.compile(r"v?1\.(\d+)\.")


def _ref(node: Node) -> Ref:
    return Ref("Node", "", node.metadata.name, "nodes")


def unready(survey: Survey, known: Known) -> Iterator[Finding]:
    """NotReady, or Unknown because its kubelet stopped reporting."""
    for node, ready in survey.unready_nodes.values():
        if not survey.older(node.metadata.creation_timestamp, JOINING):
            continue
        ref, since, evidence = _ref(node), ready.last_transition_time, because_of(ready)
        if ready.status == "Unknown":
            text = parts(*subject(ref), " does not answer: its kubelet stopped reporting.")
            step = Step(
                "Check the machine and its network; its pods are made anew elsewhere after five minutes.", ref
            )
            yield Finding("node-silent", "bad", 90, ref, text, step, evidence, since, shared="silent")
        else:
            why = f": {_first(ready.message)}" if ready.message else ""
            text = parts(*subject(ref), f" is not ready{why}.")
            step = Step("Check its kubelet, its container runtime and its network plug-in.", ref, "events")
            shared = _first(ready.message)
            yield Finding("node-not-ready", "bad", 89, ref, text, step, evidence, since, shared=shared)


def _first(message: str) -> str:
    """The first of what a kubelet lists, without its ending."""
    text = " ".join(message.split())
    return (text if len(text) <= 100 else text[:99] + "…").rstrip(".")


def under_pressure(survey: Survey, known: Known) -> Iterator[Finding]:
    """A condition of the kubelet says that something runs out."""
    for node in survey.all("nodes"):
        for condition in node.status.conditions or ():
            if condition.status == "True" and condition.type in _PRESSURE:
                rule, how, text_step = _PRESSURE[condition.type]
                ref, since = _ref(node), condition.last_transition_time
                text, step = parts(*subject(ref), f" {how}."), Step(text_step, ref)
                yield Finding(rule, "warn", 58, ref, text, step, because_of(condition), since)


def cordoned(survey: Survey, known: Known) -> Iterator[Finding]:
    """Somebody keeps new pods away from it (SchedulingDisabled)."""
    for node in survey.all("nodes"):
        if node.spec.unschedulable and node.metadata.deletion_timestamp is None:
            ref = _ref(node)
            text = parts(*subject(ref), " takes no new pods: it is cordoned.")
            step = Step("Uncordon it when the work on it is done.", ref)
            evidence = stands("spec.unschedulable", "true")
            yield Finding("node-cordoned", "warn", 15, ref, text, step, evidence, shared="cordoned")


def behind(survey: Survey, known: Known) -> Iterator[Finding]:
    """A kubelet that is too old for the newest one, and so for the API server, which is at least as new."""
    minors = [
        (node, int(found[1])) for node in survey.all("nodes") if (found := _MINOR.match(_version(node)))
    ]
    newest = max((minor for _, minor in minors), default=0)
    for node, minor in minors:
        if newest - minor > SKEW:
            ref = _ref(node)
            text = parts(
                *subject(ref), f" runs Kubernetes {_version(node)}, more than {SKEW} minor versions behind 1.{newest}:"
                " that is not supported.",
            )  # fmt: skip
            evidence = (*stands("kubeletVersion", _version(node)), *stands("Newest kubelet", f"1.{newest}"))
            yield Finding(
                "node-version-skew", "warn", 21, ref, text, Step("Upgrade its kubelet.", ref), evidence, shared="skew"
            )  # fmt: skip


def _version(node: Node) -> str:
    return node.status.node_info.kubelet_version
