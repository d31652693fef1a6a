"""What can be wrong with a node."""

from __future__ import annotations

from collections.abc import Iterator

from dashboard.insight.finding import Finding, Severity, about, said
from dashboard.insight.survey import Known, Survey
from dashboard.insight.words import bold, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.meta import ObjectCondition, find_condition
from dashboard.kinds.nodes import Node

_PRESSURE = {
    "MemoryPressure": (
        "is short of memory",
        "Look at which of its pods use the most memory; the kubelet evicts pods now.",
    ),
    "DiskPressure": (
        "is short of disk",
        "Free disk space on it; the kubelet removes images and evicts pods now.",
    ),
    "PIDPressure": ("runs too many processes", "Look at which of its pods start them."),
    "NetworkUnavailable": ("has no working network", "Look at the network plug-in's pod on it."),
}


def silent(survey: Survey, known: Known) -> Iterator[Finding]:
    """NotReady, or Unknown because its kubelet stopped reporting."""
    for node in survey.silent_nodes.values():
        ready = find_condition(node.status.conditions or (), "Ready")
        how = "does not answer" if ready is None or ready.status == "Unknown" else "is not ready"
        step = "Check the machine and its kubelet; its pods move away after five minutes."
        yield _finding(node, "node-not-ready", "bad", 90, how, step, ready)


def under_pressure(survey: Survey, known: Known) -> Iterator[Finding]:
    """A condition of the kubelet says that something runs out."""
    for node in survey.all("nodes"):
        for condition in node.status.conditions or ():
            if condition.status == "True" and condition.type in _PRESSURE:
                how, step = _PRESSURE[condition.type]
                yield _finding(node, f"node-{condition.type.lower()}", "warn", 58, how, step, condition)


def cordoned(survey: Survey, known: Known) -> Iterator[Finding]:
    """Somebody keeps new pods away from it (SchedulingDisabled)."""
    for node in survey.all("nodes"):
        if node.spec.unschedulable and node.metadata.deletion_timestamp is None:
            step = "Uncordon it when the work on it is done."
            yield _finding(node, "node-cordoned", "warn", 15, "takes no new pods: it is cordoned", step, None)


def _finding(
    node: Node,
    rule: str,
    severity: Severity,
    weight: int,
    how: str,
    step: str,
    because: ObjectCondition | None,
) -> Finding:
    ref = Ref("Node", "", node.metadata.name, "nodes")
    text = parts(bold(f"Node {ref.name}"), f" {how}.")
    evidence = said("kubelet", because.message) if because else ""
    since = because.last_transition_time if because else None
    return about(ref, rule, severity, weight, text, step, ref, evidence, since)
