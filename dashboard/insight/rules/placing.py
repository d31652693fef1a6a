"""Why a pod has no node yet."""

from __future__ import annotations

import re
from datetime import timedelta

from dashboard.insight.capacity import in_words, pod_amounts
from dashboard.insight.finding import Evidence, Step, Trouble, because_of, stands
from dashboard.insight.words import code, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.podwords import unschedulable
from dashboard.kinds.rows import listed

from .case import Case

PLACING = timedelta(seconds=15)
# Nobody has even looked at it.
UNSEEN = timedelta(minutes=1)

_NO_CLAIM = re.compile(r'persistentvolumeclaim "([^"]+)" not found', re.IGNORECASE)
_UNBOUND = "unbound immediate PersistentVolumeClaims"


def finds_no_node(case: Case) -> Trouble | None:
    """The scheduler says why no node takes it (PodScheduled is False)."""
    scheduled = case.condition("PodScheduled")
    if scheduled is None:
        return _unseen(case)
    if scheduled.status != "False":
        return None
    since = case.since("PodScheduled")
    if scheduled.reason == "SchedulingGated":
        return _gated(case)
    if not case.older(since, PLACING):
        return None
    return _no_claim(case) or _unbound(case) or _no_room(case)


def _unseen(case: Case) -> Trouble | None:
    """No scheduler of that name takes it up."""
    pod = case.pod
    created = pod.metadata.creation_timestamp
    if pod.status.phase != "Pending" or pod.spec.node_name or not case.older(created, UNSEEN):
        return None
    name = pod.spec.scheduler_name or "default-scheduler"
    rest = parts(": no scheduler ", code(name), " has looked at it")
    step = case.look("Correct schedulerName in its pod template, or see whether that scheduler runs.")
    evidence = (*stands("spec.schedulerName", name), *stands("Condition PodScheduled", "not set by anybody"))
    return Trouble(
        "pod-no-scheduler", "bad", 50, "finds no node", "find no node", rest, step, evidence, created,
        shared=f"scheduler:{name}",
    )  # fmt: skip


def _gated(case: Case) -> Trouble:
    """On purpose: queues hold pods back so, for hours when the cluster is full."""
    gates = [gate.name for gate in case.pod.spec.scheduling_gates or ()]
    rest = parts(" by scheduling gate ", code(listed(gates)))
    step = case.look("Look at the controller that set the gate: only that removes it.")
    return Trouble(
        "pod-scheduling-gated", "note", 36, "is held back", "are held back", rest, step,
        stands("spec.schedulingGates", ", ".join(gates)), case.since("PodScheduled"),
    )  # fmt: skip


def _no_claim(case: Case) -> Trouble | None:
    """It uses a claim that does not exist."""
    scheduled = case.condition("PodScheduled")
    found = _NO_CLAIM.search(scheduled.message) if scheduled else None
    if found is None:
        return None
    name = found[1]
    rest = parts(": it uses PersistentVolumeClaim ", code(name), ", which does not exist")
    step = case.look(f"Create PersistentVolumeClaim {name}, or correct its name in the pod template.")
    return Trouble(
        "pod-claim-missing", "bad", 61, "finds no node", "find no node", rest, step, because_of(scheduled),
        case.since("PodScheduled"), shared=f"claim:{case.namespace}/{name}",
    )  # fmt: skip


def _unbound(case: Case) -> Trouble | None:
    """It waits for claims that have no volume yet."""
    scheduled = case.condition("PodScheduled")
    if scheduled is None or _UNBOUND not in scheduled.message:
        return None
    waiting = [
        name for name, claim in case.survey.claims_of(case.pod) if claim and claim.status.phase != "Bound"
    ]
    evidence = (
        *because_of(scheduled),
        *(
            Evidence(f"PersistentVolumeClaim {name}", "has no volume yet", _claim(case, name))
            for name in waiting
        ),
    )
    claim = _claim(case, waiting[0]) if waiting else None
    which = parts(" ", code(listed(waiting))) if waiting else ()
    rest = parts(": its volume claim", *which, " has no volume yet")
    return Trouble(
        "pod-claim-pending", "warn", 49, "finds no node", "find no node", rest,
        Step("Look at the claim.", claim or case.ref), evidence, case.since("PodScheduled"), because=claim,
    )  # fmt: skip


def _claim(case: Case, name: str) -> Ref:
    return Ref("PersistentVolumeClaim", case.namespace, name, "persistentvolumeclaims")


# By the scheduler's words, what to do; the first that fits, of those that a change of the pod can mend.
_STEPS = {
    "Insufficient ": "Ask for less in its pod template, scale something down, or add a node.",
    "free ports": "Use a Service instead of hostPort, or run no more of them than there are nodes with that port free.",
    "topology spread constraints (missing required label)": (
        "Label the nodes with the topologyKey of its topologySpreadConstraints, or correct that."
    ),
    "topology spread constraints": (
        "Make room where few of its kind run, or set whenUnsatisfiable: ScheduleAnyway in its pod template."
    ),
    "anti-affinity": "Run fewer of them, add a node, or make its anti-affinity a preferred one.",
    "pod affinity rules": "Start the pods that its affinity asks for, or correct its podAffinity.",
    "olume": "Look at its claims: a volume that is bound to one zone or node ties the pod to it.",
}
_COMPARE = "Compare its node selector, affinity and tolerations with what the nodes offer."


def _no_room(case: Case) -> Trouble:
    scheduled = case.condition("PodScheduled")
    why = unschedulable(scheduled)
    asks = in_words(pod_amounts(case.pod.spec))
    rest = parts(f": {why}", f"; it asks for {asks}" if "nsufficient" in why and asks else "")
    message = scheduled.message if scheduled else ""
    text = next((text for sign, text in _STEPS.items() if sign in message), _COMPARE)
    return Trouble(
        "pod-unschedulable", "warn", 50, "finds no node", "find no node", rest, case.look(text),
        because_of(scheduled), case.since("PodScheduled"), shared=f"node:{why}",
    )  # fmt: skip
