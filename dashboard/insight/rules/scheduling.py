"""Why a pod has no node yet, as kube-scheduler says it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from dashboard.insight.capacity import in_words, pod_amounts
from dashboard.insight.finding import Evidence, Step, Trouble, because_of, reported, stands
from dashboard.insight.observed import DEFAULT_SCHEDULER, STATE_TAINT, UNSEEN
from dashboard.insight.ownership import controller
from dashboard.insight.scheduling.nodes import affinity_allows, standing_taints
from dashboard.insight.words import code, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.catalogue import RESOURCE_CLAIMS
from dashboard.kinds.events import Event
from dashboard.kinds.nodes import Node
from dashboard.kinds.persistentvolumeclaims import PersistentVolumeClaim
from dashboard.kinds.podspec import PodResourceClaim
from dashboard.kinds.podwords import UNSCHEDULABLE, causes, unschedulable
from dashboard.kinds.rows import listed, plural, shorten
from dashboard.kinds.storageclasses import StorageClass

from .case import Case
from .storage import NO_PROVISIONER, NO_VOLUME

PLACING = timedelta(seconds=15)
# A cluster autoscaler says it again within that time, and a machine is there by then.
SCALING = timedelta(minutes=15)
_NOT_TRIGGERED = re.compile(
    r"^pod didn't trigger scale-up(?: \(it wouldn't fit if a new node is added\))?: ?"
)

_NO_CLAIM = re.compile(r'persistentvolumeclaim "([^"]+)" not found', re.IGNORECASE)
_UNBOUND = "unbound immediate PersistentVolumeClaims"
# How a StatefulSet ends the names of its pods; other controllers draw letters and digits for each.
_NUMBERED = re.compile(r"[0-9]{1,4}")
EXAMPLES = 3  # pods that are told by name


def cannot_be_scheduled(case: Case) -> Trouble | None:
    """The scheduler says why it can't be scheduled (PodScheduled is False)."""
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
    if claims := _claims_told_missing(case):
        return _no_resource_claim(case, claims)
    return (
        _no_claim(case)
        or _unbound(case)
        or _binding(case)
        or _no_volume(case)
        or _preempting(case)
        or _no_room(case)
    )


def _unseen(case: Case) -> Trouble | None:
    """No scheduler of that name takes it up."""
    pod = case.pod
    created = pod.metadata.creation_timestamp
    if pod.status.phase != "Pending" or pod.spec.node_name or not case.older(created, UNSEEN):
        return None
    name = pod.spec.scheduler_name or DEFAULT_SCHEDULER
    claims = _not_created(case) or _missing(case)
    # Where it is not known which of the others exist: only a scheduler that does its work can be waiting for them.
    if not claims and not _knows_claims(case) and case.survey.schedules(name):
        claims = _named(case)
    if claims:
        return _no_resource_claim(case, claims)
    # Once it has chosen a node, the scheduler waits up to ten minutes for volumes there, and says nothing of it.
    if waiting := [name for name, claim in _pending(case) if _provisioned_for_pod(case, claim)]:
        return _waits_for_claims(case, waiting, (), created)
    rest = parts(": no scheduler ", code(name), " has looked at it")
    step = case.look("Correct schedulerName in its pod template, or check that that scheduler is running.")
    evidence = (*stands("spec.schedulerName", name), *stands("Condition PodScheduled", "not set"))
    return Trouble(
        "pod-no-scheduler", "bad", 50, "can't be scheduled", "can't be scheduled", rest, step, evidence, created,
        shared=f"scheduler:{name}",
    )  # fmt: skip


def _not_created(case: Case) -> list[PodResourceClaim]:
    """The ResourceClaims that are to be created from a template and have not been."""
    created = {one.name for one in case.pod.status.resource_claim_statuses or ()}
    claims = case.pod.spec.resource_claims or ()
    return [one for one in claims if one.resource_claim_template_name and one.name not in created]


def _named(case: Case) -> list[PodResourceClaim]:
    return [one for one in case.pod.spec.resource_claims or () if one.resource_claim_name]


def _missing(case: Case) -> list[PodResourceClaim]:
    """Those it names that certainly do not exist."""
    lacks = case.survey.lacks
    return [one for one in _named(case) if lacks(RESOURCE_CLAIMS, case.namespace, one.resource_claim_name)]


def _knows_claims(case: Case) -> bool:
    return case.survey.reads(RESOURCE_CLAIMS, case.namespace)


def _claims_told_missing(case: Case) -> list[PodResourceClaim]:
    """The ResourceClaims without which the scheduler does not look at nodes, whatever it said of them before: those that
    are missing, or that it says are, and those that should have been created long ago.
    """
    if _knows_claims(case):
        return _missing(case) or _not_created(case)
    scheduled = case.condition("PodScheduled")
    said = scheduled.message if scheduled else ""
    missing = [
        one
        for one in _named(case)
        if any(f'"{where}{one.resource_claim_name}"' in said for where in ("", f"{case.namespace}/"))
        and ("not found" in said or "could not find" in said)
    ]
    return missing or _not_created(case)


def _no_resource_claim(case: Case, claims: Sequence[PodResourceClaim]) -> Trouble:
    """The scheduler takes up a pod when all its ResourceClaims exist (PreEnqueue of its plug-in dynamicresources)."""
    event = case.event("FailedResourceClaimCreation")
    said = event.message if event is not None else ""
    failed = [one for one in claims if f"PodResourceClaim {one.name}:" in said]
    one, *others = failed or claims
    template = one.resource_claim_template_name
    kind, name = (
        ("ResourceClaimTemplate", template) if template else ("ResourceClaim", one.resource_claim_name)
    )
    if template and "not found" not in said:
        rest = parts(": its ResourceClaim has not been created from ResourceClaimTemplate ", code(name))
        step = case.look("Look at its events: the controller says why it can't create the claim.", "events")
    elif others and not template and case.condition("PodScheduled") is None and not _knows_claims(case):
        names = listed([each.resource_claim_name for each in claims])
        rest = parts(": at least one of its ResourceClaims does not exist: ", code(names))
        where = f"in {case.namespace}, or correct resourceClaims in its pod template."
        step = case.look(f"Create the ResourceClaim that is missing {where}")
    else:
        rest = parts(f": it uses {kind} ", code(name), ", which does not exist")
        where = f"in {case.namespace}, or correct resourceClaims in its pod template."
        step = case.look(f"Create {kind} {name} {where}")
    asks = ", ".join(
        f"{each.name}: {each.resource_claim_name or each.resource_claim_template_name}"
        for each in case.pod.spec.resource_claims or ()
    )
    because = because_of(case.condition("PodScheduled"))
    evidence = (*because, *reported(event), *stands("spec.resourceClaims", asks))
    return Trouble(
        "pod-resource-claim-missing", "bad", 61, "can't be scheduled", "can't be scheduled", rest, step, evidence,
        case.since("PodScheduled"), shared=f"{kind}:{case.namespace}/{name}",
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
        "pod-claim-missing", "bad", 61, "can't be scheduled", "can't be scheduled", rest, step, because_of(scheduled),
        case.since("PodScheduled"), shared=f"claim:{case.namespace}/{name}",
    )  # fmt: skip


def _unbound(case: Case) -> Trouble | None:
    """It waits for claims that have no volume yet; those whose volume is made where the pod runs hold up nothing."""
    scheduled = case.condition("PodScheduled")
    if scheduled is None or _UNBOUND not in scheduled.message:
        return None
    waiting = [name for name, claim in _pending(case) if not _waits_for_pod(case, claim)]
    return _waits_for_claims(case, waiting, because_of(scheduled), case.since("PodScheduled"))


def _binding(case: Case) -> Trouble | None:
    """It had a node, and waited in vain for a volume there (PreBind of the scheduler's plug-in volumebinding)."""
    scheduled = case.condition("PodScheduled")
    waiting = [name for name, _ in _pending(case)]
    if scheduled is None or "binding volumes: " not in scheduled.message or not waiting:
        return None
    return _waits_for_claims(case, waiting, because_of(scheduled), case.since("PodScheduled"))


def _no_volume(case: Case) -> Trouble | None:
    """No volume fits a claim of a class that provisions none; the claim itself waits for the pod."""
    scheduled = case.condition("PodScheduled")
    if scheduled is None or NO_VOLUME not in scheduled.message:
        return None
    waiting = [name for name, claim in _pending(case) if _provides_none(case, claim)]
    if not waiting:
        return None
    return _waits_for_claims(case, waiting, because_of(scheduled), case.since("PodScheduled"))


def _pending(case: Case) -> list[tuple[str, PersistentVolumeClaim]]:
    """The claims that it uses and that have no volume."""
    return [
        (name, claim)
        for name, claim in case.survey.claims_of(case.pod)
        if claim is not None and claim.status.phase != "Bound"
    ]


def _provisioned_for_pod(case: Case, claim: PersistentVolumeClaim) -> bool:
    return (
        _waits_for_pod(case, claim)
        and case.survey.event(claim.metadata.uid, "ExternalProvisioning", "ProvisioningFailed") is not None
    )


def _waits_for_claims(
    case: Case, waiting: list[str], because: tuple[Evidence, ...], since: datetime | None
) -> Trouble:
    claims = tuple(_claim(case, name) for name in waiting)
    evidence = (
        *because,
        *(Evidence(f"PersistentVolumeClaim {claim.name}", "has no volume yet", claim) for claim in claims),
    )
    which = parts(" ", code(listed(waiting))) if waiting else ()
    several = len(waiting) > 1
    rest = parts(
        f": its volume claim{'s' if several else ''}",
        *which,
        f" {'have' if several else 'has'} no volume yet",
    )
    return Trouble(
        "pod-claim-pending", "warn", 49, "can't be scheduled", "can't be scheduled", rest,
        Step("Look at the claim.", claims[0] if claims else case.ref), evidence, since, because=claims,
    )  # fmt: skip


def _preempting(case: Case) -> Trouble | None:
    """The scheduler made room for it on a node: it starts when the pods there that make way have ended."""
    node = case.pod.status.nominated_node_name
    leaving = [
        pod
        for pod in case.survey.all("pods")
        if node and pod.spec.node_name == node and pod.metadata.deletion_timestamp is not None
    ]
    if not leaving:
        return None
    who = tuple(Ref("Pod", pod.metadata.namespace, pod.metadata.name, "pods") for pod in leaving)
    rest = parts(" of lower priority to terminate on node ", code(node))
    said = "is being deleted since {:%H:%M} UTC"
    evidence = (
        *stands("status.nominatedNodeName", node),
        *(
            Evidence(f"Pod {ref.name}", said.format(pod.metadata.deletion_timestamp), ref)
            for ref, pod in zip(who[:EXAMPLES], leaving, strict=False)
        ),
    )
    step = Step("Nothing, until their grace period is over; then look at the pod that does not go.", who[0])
    return Trouble(
        "pod-preempting", "warn", 35, f"waits for {plural(len(who), 'pod')}", f"wait for {plural(len(who), 'pod')}",
        rest, step, evidence, case.since("PodScheduled"),
    )  # fmt: skip


def _preempted(case: Case) -> Event | None:
    """The latest Event that a pod before it made way for one of higher priority. That pod is gone, and its Event names no
    owner: its name tells, where only one owner in the namespace can have given it.
    """
    meta = case.pod.metadata
    owner = meta.controller
    if owner is None:
        return None
    above = controller(case.survey.objects, case.pod)[1]
    since = above.metadata.creation_timestamp if above is not None else None
    numbered = _NUMBERED.fullmatch(meta.name.removeprefix(f"{owner.name}-"))
    for event in case.survey.preemptions.get(case.namespace, ()):
        name = event.involved_object.name
        before, _, ending = name.rpartition("-")
        if before != owner.name or (since and event.last_seen and event.last_seen < since):
            continue  # of another one, or of one of that name that is no more
        if name == meta.name or not (numbered or _NUMBERED.fullmatch(ending)):
            return event if case.survey.name_givers(case.namespace, owner.name) == {owner.uid} else None
    return None


def _waits_for_pod(case: Case, claim: PersistentVolumeClaim) -> bool:
    kind = _class_of(case, claim)
    return kind is not None and kind.volume_binding_mode == "WaitForFirstConsumer"


def _provides_none(case: Case, claim: PersistentVolumeClaim) -> bool:
    kind = _class_of(case, claim)
    return kind is not None and kind.provisioner == NO_PROVISIONER


def _class_of(case: Case, claim: PersistentVolumeClaim) -> StorageClass | None:
    name = claim.storage_class
    found: StorageClass | None = case.survey.objects.get("storageclasses", "", name) if name else None
    return found


def _claim(case: Case, name: str) -> Ref:
    return Ref("PersistentVolumeClaim", case.namespace, name, "persistentvolumeclaims")


_GROUP = "Look at the other pods of its group: they start together, when enough of them can be scheduled."
# By the scheduler's words, what to do; the first that fits, of those that a change of the pod can mend.
_STEPS = {
    "pod group": _GROUP,
    "PodGroup": _GROUP,
    "gang": _GROUP,
    "no nodes available": "Add a node: the cluster has none.",
    "waiting for ephemeral volume controller": "Check that kube-controller-manager is running: it creates the claim.",
    "Insufficient ": "Lower its requests in the pod template, scale something down, or add a node.",
    "free ports": "Use a Service instead of hostPort, or run no more of them than there are nodes with that port free.",
    "topology spread constraints (missing required label)": (
        "Label the nodes with the topologyKey of its topologySpreadConstraints, or correct the key."
    ),
    "topology spread constraints": (
        "Free capacity where few of its pods run, or set whenUnsatisfiable: ScheduleAnyway in its pod template."
    ),
    "anti-affinity": "Run fewer of them, add a node, or make its anti-affinity preferred instead of required.",
    "pod affinity rules": "Start the pods that its affinity requires, or correct its podAffinity.",
    "Too many pods": "Add a node, or scale something down: each node runs only as many pods as its kubelet allows.",
    "exceed max volume count": "Add a node, or scale something down that uses volumes: a node can attach only so many.",
    "enough free storage": "Free capacity in the storage backend, or request less of it.",
    "ReadWriteOncePod": "Wait for the pod that uses the claim to end, or delete it: only one can use it at a time.",
    "allocate all claims": "Look at its ResourceClaims: no node has the devices that they request free.",
    "olume": "Look at its claims: a volume bound to one zone or node ties the pod to it.",
    "{node.kubernetes.io/": "Look at the nodes: they are not ready, cordoned or under pressure.",
    "were unschedulable": "Uncordon a node, or add one.",
}
# pkg/scheduler/framework/plugins/volumebinding: a claim that the pod can't use, and why.
_UNUSABLE = re.compile(
    r'persistentvolumeclaim "([^"]+)" (?:is being deleted|bound to non-existent persistentvolume)'
)
_SHORT = re.compile(r"Insufficient ([\w.-]+/[\w./-]*[\w-])")
# Which causes may be the state of a node, that its taints tell.
LOOKED_AT = 50  # nodes, for each pod
_BY_STATE = (
    "node(s) had untolerated taint",
    "node(s) were unschedulable",
    "node(s) didn't match Pod's node affinity",
)
_TAINTS = "untolerated taints"
_AUTOSCALED = "Wait: the autoscaler is adding or removing that node; if that lasts, read its log."
_PASSING = {
    "node.cloudprovider.kubernetes.io/uninitialized": "Look at the cloud controller manager: it initializes nodes.",
    "node.cloudprovider.kubernetes.io/shutdown": "Start the node's machine again: the cloud says that it is shut down.",
    "/agent-not-ready": "Look at that agent's pod on the node: it removes the taint when it is ready.",
    "karpenter.sh/": _AUTOSCALED,
    "ToBeDeletedByClusterAutoscaler": _AUTOSCALED,
}
_COMPARE = "Compare its node selector, affinity and tolerations with what the nodes offer."


def _no_room(case: Case) -> Trouble:
    scheduled = case.condition("PodScheduled")
    why = unschedulable(scheduled).removeprefix(UNSCHEDULABLE).removeprefix(": ")
    taints = _untolerated(case) if _TAINTS in why else []
    if taints:
        why = why.replace(_TAINTS, f"{_TAINTS if len(taints) > 1 else _TAINTS[:-1]} {listed(taints)}")
    asks = in_words(pod_amounts(case.pod.spec))
    rest = parts(f": {why}" if why else "", f"; it requests {asks}" if "nsufficient" in why and asks else "")
    message = scheduled.message if scheduled else ""
    text = next((text for sign, text in _STEPS.items() if sign in message), _COMPARE)
    if taints and all(each.startswith(_BY_STATE[0]) for each in causes(message)):
        lasting = [each for each in taints if not _passing(each)]
        text = _passing(taints[0])
        if lasting:
            text = f"Add a toleration for {lasting[0]} to its pod template, or remove that taint from a node."
    evidence = because_of(scheduled)
    claims = tuple(_claim(case, name) for name in _UNUSABLE.findall(message))
    step = Step("Look at the claim.", claims[0]) if claims else case.look(text)
    because = claims or _nodes_at_fault(case, message)
    said = next(iter(case.survey.autoscalings.get(case.pod.metadata.uid, ())), None)
    if said is not None and not (claims or case.older(said.last_seen, SCALING)):
        evidence = (*evidence, *reported(said))
        if said.reason == "TriggeredScaleUp":
            rest = parts(*rest, "; the cluster autoscaler is adding a node")
            step = case.look(
                "Wait for the node; if none comes, read the log of the cluster autoscaler.", "events"
            )
        else:
            why_not = shorten(_NOT_TRIGGERED.sub("", said.message)).rstrip(".")
            rest = parts(*rest, f"; the cluster autoscaler adds no node: {why_not}")
            if "max node group size" in why_not or "max cluster" in why_not:
                step = case.look(
                    "Raise the maximum size of a node group, lower its requests, or scale something down."
                )
    if "Insufficient " in message and case.of_daemonset:
        step = case.look(
            "Lower its requests, free capacity on its node, or give it a higher priorityClassName."
        )
    if not_labelled := _not_labelled(case, message):
        rest = parts(": no node has the label ", code(not_labelled), " of its nodeSelector")
        step = case.look("Correct nodeSelector in its pod template, or label the nodes that it is meant for.")
    elif absent := _not_offered(case, message):
        step = case.look(
            f"Install the device plugin of {absent} on a node, or correct the name: no node offers any."
        )
    elif "Insufficient " in message and (event := _preempted(case)) is not None:
        rest = parts(*rest, "; the pod before it was preempted by one with higher priority")
        step = case.look(
            "Give it a higher priorityClassName, lower its requests, scale something down, or add a node."
        )
        evidence = (*evidence, *reported(event))
    return Trouble(
        "pod-unschedulable", "warn", 50, "can't be scheduled", "can't be scheduled", rest, step,
        evidence, case.since("PodScheduled"), because=because, shared=f"node:{why}",
    )  # fmt: skip


def _passing(taint: str) -> str:
    """What to do about a taint that whoever set it takes away, so that nobody tolerates it; "" for any other."""
    return next((text for sign, text in _PASSING.items() if sign in taint), "")


def _untolerated(case: Case) -> list[str]:
    """The taints that keep it from nodes which its node selector and affinity allow, but for those of a node's state."""
    found = (
        f"{taint.key}={taint.value}" if taint.value else taint.key
        for node in case.survey.all("nodes")[:LOOKED_AT]
        if affinity_allows(node, case.pod.spec)
        for taint in standing_taints(node, case.pod.spec)
        if not taint.key.startswith(STATE_TAINT)
    )
    return list(dict.fromkeys(found))


def _nodes_at_fault(case: Case, message: str) -> tuple[Ref, ...]:
    """The nodes that would take it but for what is wrong with them (not ready, under pressure, cordoned), where nothing
    else is in its way.
    """
    said = causes(message)
    if not said or not all(each.startswith(_BY_STATE) for each in said):
        return ()
    found = []
    for node in case.survey.held_nodes[:LOOKED_AT]:
        taints = [taint.key for taint in standing_taints(node, case.pod.spec)]
        if (
            taints
            and all(key.startswith(STATE_TAINT) for key in taints)
            and affinity_allows(node, case.pod.spec)
        ):
            found.append(Ref("Node", "", node.metadata.name, "nodes"))
    return tuple(found)


def _not_labelled(case: Case, message: str) -> str:
    """What its nodeSelector asks for and no node has, whatever else keeps it from each of them; or ""."""
    nodes = case.survey.all("nodes")
    if not nodes or "node affinity/selector" not in message:
        return ""
    wanted = sorted((case.pod.spec.node_selector or {}).items())
    absent = (
        f"{key}={value}"
        for key, value in wanted
        if all(node.metadata.labels.get(key) != value for node in nodes)
    )
    return next(absent, "")


def _not_offered(case: Case, message: str) -> str:
    """An extended resource (``nvidia.com/gpu``) of which the scheduler finds too little, and no node has any; or ""."""
    nodes = case.survey.all("nodes")
    names = _SHORT.findall(message) if nodes else []
    return next((name for name in names if not any(_offers(node, name) for node in nodes)), "")


def _offers(node: Node, resource: str) -> bool:
    return node.status.allocatable.get(resource, "0") != "0"
