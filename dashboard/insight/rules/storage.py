"""What can be wrong with claims and volumes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from dashboard.insight.finding import Evidence, Finding, Known, Severity, Step, reported, stands, subject
from dashboard.insight.observed import Observed
from dashboard.insight.words import code, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.meta import condition_true, find_condition
from dashboard.kinds.persistentvolumeclaims import PersistentVolumeClaim
from dashboard.kinds.persistentvolumes import PersistentVolume
from dashboard.kinds.pods import Pod
from dashboard.kinds.quantity import QuantityError, parse
from dashboard.kinds.rows import listed, shorten
from dashboard.kinds.storageclasses import StorageClass

from .runtimes import NOT_ALLOWED, cause

# A provisioner needs a moment.
BINDING = timedelta(seconds=30)
# Drivers in the cloud may take minutes before it is worth a word that nothing has come.
PROVISIONING = timedelta(minutes=2)
ENDING = timedelta(minutes=2)

# pkg/scheduler/framework/plugins/volumebinding
NO_VOLUME = "didn't find available persistent volumes to bind"
NO_PROVISIONER = "kubernetes.io/no-provisioner"
_PROTECTED = "kubernetes.io/pvc-protection"


def claims(survey: Observed, known: Known) -> Iterator[Finding]:
    """Claims that lost their volume, got none, cannot grow, or do not go."""
    for claim in survey.all("persistentvolumeclaims"):
        meta = claim.metadata
        ref = Ref("PersistentVolumeClaim", meta.namespace, meta.name, "persistentvolumeclaims")
        if meta.deletion_timestamp is not None:
            found = _in_use(survey, claim, ref)
        elif claim.status.phase == "Lost":
            found = _lost(claim, ref)
        elif claim.status.phase == "Pending":
            found = _pending(survey, claim, ref)
        else:
            found = _resize(survey, claim, ref)
        if found is not None:
            yield found


def _lost(claim: PersistentVolumeClaim, ref: Ref) -> Finding:
    volume = claim.spec.volume_name
    text = parts(*subject(ref), " lost its volume ", code(volume), ": it no longer exists.")
    step = Step("Restore its data from a backup into a new claim.", ref)
    evidence = (*stands("status.phase", "Lost"), *stands("spec.volumeName", volume))
    return Finding("claim-lost", "bad", 80, ref, text, step, evidence)


def _pending(survey: Observed, claim: PersistentVolumeClaim, ref: Ref) -> Finding | None:
    created, name = claim.metadata.creation_timestamp, claim.storage_class
    if not survey.older(created, BINDING):
        return None
    if claim.spec.volume_name:
        return _by_name(survey, claim, ref)
    kind: StorageClass | None = survey.objects.get("storageclasses", "", name) if name else None
    if not name:
        return _no_volume(survey, claim, ref)
    if kind is None:
        return _no_class(survey, claim, ref) if survey.lacks("storageclasses", "", name) else None
    failure = survey.event(claim.metadata.uid, "ProvisioningFailed", "ProvisionerFailed")
    if failure is not None:
        why = _short(failure.message)
        text = parts(*subject(ref), f" has no volume: StorageClass {name} can't provision one: {why}.")
        todo = "Look at the provisioner's message, and at the parameters of the StorageClass."
        todo = next((text for sign, text in _PROVISION if sign.search(failure.message)), todo)
        step = Step(todo, ref, "events")
        evidence = (*reported(failure), *stands("provisioner", kind.provisioner))
        return Finding(
            "claim-provisioning-failed", "bad", 57, ref, text, step, evidence, created, shared=f"class:{name}"
        )
    if (
        kind.volume_binding_mode == "WaitForFirstConsumer"
        and (waits := _waits(survey, claim, ref, kind)) is not None
    ):
        return waits
    if kind.provisioner == NO_PROVISIONER:
        return _no_volume(survey, claim, ref)
    if not survey.older(created, PROVISIONING):
        return None
    return _no_provisioner(survey, claim, ref, kind)


def _by_name(survey: Observed, claim: PersistentVolumeClaim, ref: Ref) -> Finding | None:
    """It asks for one volume and no other, which does not exist or cannot be its own."""
    name, created = claim.spec.volume_name, claim.metadata.creation_timestamp
    volume: PersistentVolume | None = survey.objects.get("persistentvolumes", "", name)
    to = Ref("PersistentVolume", "", name, "persistentvolumes")
    asks = stands("spec.volumeName", name)
    if volume is None:
        if not survey.lacks("persistentvolumes", "", name):
            return None
        text = parts(
            *subject(ref), " asks for PersistentVolume ", code(name), " by name, which does not exist."
        )
        step = Step(f"Create PersistentVolume {name}, or recreate the claim without volumeName.", ref, "yaml")
        return Finding("claim-no-such-volume", "bad", 57, ref, text, step, asks, created)
    why = _unfit(volume, claim)
    text = parts(*subject(ref), " asks for PersistentVolume ", code(name), f" by name, which {why}.")
    step = Step("Correct the volume, or recreate the claim with the name of an available one that fits.", to)
    evidence = (*asks, Evidence(f"PersistentVolume {name}", why, to))
    return Finding("claim-no-such-volume", "bad", 57, ref, text, step, evidence, created)


# What stands before the cause: of the provisioner, and of the AWS SDK.
_PROVISIONING = re.compile(
    r'^failed to provision volume with StorageClass "[^"]*": |operation error .*?api error |'
    r"error getting handle for .*?: "
)
_PROVISION = (
    (NOT_ALLOWED, "Give the CSI driver's account the permission that the storage system's answer names."),
    (
        re.compile(r'(?:volumesnapshot\S*|persistentvolumeclaim\S*) "[^"]*" not found'),
        "Create the object that dataSource names, or recreate the claim with another one.",
    ),
)
SAID = 160


def _short(message: str) -> str:
    text = message.rpartition("desc = ")[2] or message
    text = _PROVISIONING.sub("", text)
    text = " ".join(text.split())
    return shorten(text, SAID).rstrip(".")


def _no_class(survey: Observed, claim: PersistentVolumeClaim, ref: Ref) -> Finding:
    name = claim.storage_class
    has = [_class_words(one) for one in survey.all("storageclasses")]
    text = parts(*subject(ref), " has no volume: there is no StorageClass ", code(name), ".")
    step = Step(
        "Recreate the claim with one of the existing StorageClasses, or create that one.", ref, "yaml"
    )
    evidence = (
        *stands("spec.storageClassName", name),
        *stands("StorageClasses", ", ".join(has) or "there are none"),
    )
    since = claim.metadata.creation_timestamp
    return Finding("claim-no-class", "bad", 57, ref, text, step, evidence, since, shared=f"class:{name}")


def _class_words(one: StorageClass) -> str:
    return f"{one.metadata.name} (default)" if one.is_default else one.metadata.name


def _waits(survey: Observed, claim: PersistentVolumeClaim, ref: Ref, kind: StorageClass) -> Finding | None:
    """WaitForFirstConsumer: its volume is made where its first pod runs, so first of all that needs a node."""
    pods = [
        pod
        for pod in survey.users.get((ref.namespace, ref.name), ())
        if pod.metadata.deletion_timestamp is None
    ]
    if any(pod.spec.node_name for pod in pods):
        return None
    if kind.provisioner == NO_PROVISIONER and any(map(_lacks_volume, pods)):
        return None  # the pod waits for a volume, and not the claim for the pod
    if pods and survey.event(claim.metadata.uid, "ExternalProvisioning") is not None:
        return None  # its node was chosen, and now the provisioner is to act
    who = listed(f"pod {pod.metadata.name}" for pod in pods)
    why = f"{who} needs a node first" if pods else "no pod uses it yet"
    text = parts(*subject(ref), f" gets its volume only when its first pod is scheduled: {why}.")
    to = Ref("Pod", ref.namespace, pods[0].metadata.name, "pods") if pods else ref
    step = Step("Look at the pod." if pods else "Nothing, until a pod uses it.", to)
    evidence = (
        *stands("volumeBindingMode", f"WaitForFirstConsumer (StorageClass {claim.storage_class})"),
        *reported(survey.event(claim.metadata.uid, "WaitForFirstConsumer", "WaitForPodScheduled")),
    )
    return Finding("claim-waits-for-pod", "note", 10, ref, text, step, evidence)


def _lacks_volume(pod: Pod) -> bool:
    """Whether the scheduler refuses nodes because no volume there can be bound."""
    scheduled = find_condition(pod.status.conditions or (), "PodScheduled")
    return scheduled is not None and NO_VOLUME in scheduled.message


def _no_provisioner(survey: Observed, claim: PersistentVolumeClaim, ref: Ref, kind: StorageClass) -> Finding:
    name = kind.metadata.name
    text = parts(
        *subject(ref), f" has no volume: StorageClass {name} uses provisioner ", code(kind.provisioner),
        ", which has not provisioned one.",
    )  # fmt: skip
    step = Step("Check that the provisioner's pods are running, and read their logs.", ref, "events")
    evidence = (
        *stands("provisioner", kind.provisioner),
        *reported(survey.event(claim.metadata.uid)),
    )
    since = claim.metadata.creation_timestamp
    return Finding(
        "claim-no-provisioner", "bad", 56, ref, text, step, evidence, since, shared=f"provisioner:{kind.provisioner}"
    )  # fmt: skip


def _no_volume(survey: Observed, claim: PersistentVolumeClaim, ref: Ref) -> Finding | None:
    """Nothing makes volumes for it, and none of those that there are fits."""
    if not survey.reads("persistentvolumes"):
        return None
    default = next((one.metadata.name for one in survey.all("storageclasses") if one.is_default), "")
    name = claim.storage_class
    by = f"StorageClass {name} provisions none" if name else "it names no StorageClass"
    text = parts(*subject(ref), f" has no volume: {by}, and no available volume fits.")
    hint = (
        f"name StorageClass {default}"
        if default and not name
        else "set a StorageClass that provisions volumes"
    )
    step = Step(f"Recreate the claim and {hint}, or create a volume that fits.", ref, "yaml")
    asks = f"{claim.requested}, {', '.join(claim.spec.access_modes or ())}"
    evidence = (*stands("The claim requests", asks), *_candidates(survey, claim))
    return Finding("claim-no-volume", "bad", 56, ref, text, step, evidence, claim.metadata.creation_timestamp)


def _candidates(survey: Observed, claim: PersistentVolumeClaim) -> Iterator[Evidence]:
    """Why volumes of the same class do not fit, the first few of them."""
    alike = [one for one in survey.all("persistentvolumes") if one.storage_class == claim.storage_class]
    if not alike:
        yield Evidence("Volumes of that class", "there are none")
    for volume in alike[:4]:
        where = Ref("PersistentVolume", "", volume.metadata.name, "persistentvolumes")
        yield Evidence(f"PersistentVolume {volume.metadata.name}", _unfit(volume, claim), where)


def _unfit(volume: PersistentVolume, claim: PersistentVolumeClaim) -> str:
    if volume.status.phase != "Available":
        holder = volume.spec.claim_ref
        by = f" to {holder.namespace}/{holder.name}" if holder else ""
        return f"is {volume.status.phase}{by}"
    holder = volume.spec.claim_ref
    if holder is not None and (holder.namespace, holder.name) != (
        claim.metadata.namespace,
        claim.metadata.name,
    ):
        return f"is reserved for {holder.namespace}/{holder.name}"
    lacking = set(claim.spec.access_modes or ()) - set(volume.spec.access_modes or ())
    if lacking:
        return f"does not offer {listed(sorted(lacking))}"
    if _bytes(volume.capacity) < _bytes(claim.requested):
        return f"is too small: {volume.capacity}"
    if (volume.spec.volume_mode or "Filesystem") != (claim.spec.volume_mode or "Filesystem"):
        return f"is of mode {volume.spec.volume_mode or 'Filesystem'}"
    if volume.storage_class != claim.storage_class:
        asks = f"StorageClass {claim.storage_class}" if claim.storage_class else "none"
        return f"is of StorageClass {volume.storage_class or 'none'}, while the claim requests {asks}"
    return "is available; the claim's selector may exclude it"


def _bytes(quantity: str) -> Decimal:
    try:
        return parse(quantity)
    except QuantityError:
        return Decimal(0)


def _in_use(survey: Observed, claim: PersistentVolumeClaim, ref: Ref) -> Finding | None:
    """Deleted while pods use it: it goes when they have gone."""
    since = claim.metadata.deletion_timestamp
    if not survey.older(since, ENDING) or _PROTECTED not in claim.metadata.finalizers:
        return None
    pods = [
        pod.metadata.name
        for pod in survey.users.get((ref.namespace, ref.name), ())
        if pod.status.phase not in ("Succeeded", "Failed")
    ]
    if not pods:
        return None
    text = parts(
        *subject(ref), f" is deleted, but stays as long as {listed(f'pod {name}' for name in pods)} "
        f"{'uses' if len(pods) == 1 else 'use'} it; then its data is gone.",
    )  # fmt: skip
    pod = Ref("Pod", ref.namespace, pods[0], "pods")
    step = Step("Back up the data that is needed before its pods terminate: a deletion can't be undone.", pod)
    evidence = stands("metadata.finalizers", ", ".join(claim.metadata.finalizers))
    return Finding("claim-in-use", "warn", 35, ref, text, step, evidence, since)


def _resize(survey: Observed, claim: PersistentVolumeClaim, ref: Ref) -> Finding | None:
    """It was to grow, and its driver could not."""
    found = claim.status.conditions or ()
    broken = next((one for one in found if one.type in ("ControllerResizeError", "NodeResizeError")), None)
    event = survey.event(
        claim.metadata.uid, "VolumeResizeFailed", "ExternalExpanding", "FileSystemResizeFailed"
    )
    waits = find_condition(found, "FileSystemResizePending")
    if broken is None and (event is None or event.type != "Warning" or not condition_true(found, "Resizing")):
        if waits is None or waits.status != "True" or not survey.older(waits.last_transition_time, ENDING):
            return None
        text = parts(
            *subject(ref), " has grown, but its file system is resized only when a pod mounts it again."
        )
        step = Step("Restart the pods that use it.", ref)
        severity: Severity = "note"
    else:
        why = cause(broken.message if broken is not None else event.message if event is not None else "")
        text = parts(
            *subject(ref),
            f" cannot grow from {claim.capacity} to {claim.requested}{f': {why}' if why else ''}.",
        )
        todo = "Check that its StorageClass sets allowVolumeExpansion and that its CSI driver supports it."
        if broken is not None and why and "support" not in why:  # so the driver can, but for what it says
            todo = "Correct what its CSI driver names; until then the claim is used as it is."
        step = Step(todo, ref, "events")
        severity = "warn"
    said = broken or waits
    evidence = stands(f"Condition {said.type}", said.message or said.status) if said else reported(event)
    since = said.last_transition_time if said else None
    return Finding("claim-resize-failed", severity, 37, ref, text, step, evidence, since)


def volumes(survey: Observed, known: Known) -> Iterator[Finding]:
    """Volumes that could not be cleaned up, and those whose claim is gone."""
    for volume in survey.all("persistentvolumes"):
        ref = Ref("PersistentVolume", "", volume.metadata.name, "persistentvolumes")
        if volume.metadata.deletion_timestamp is None:
            found = _volume(survey, volume, ref)
            if found is not None:
                yield found


def _volume(survey: Observed, volume: PersistentVolume, ref: Ref) -> Finding | None:
    policy, status = volume.spec.persistent_volume_reclaim_policy, volume.status
    holder = volume.spec.claim_ref
    of = f"{holder.namespace}/{holder.name}" if holder else "nobody"
    evidence = (
        *stands("status", f"{status.phase} {status.reason}: {status.message}".strip(" :")),
        *stands("persistentVolumeReclaimPolicy", policy),
        *stands("spec.claimRef", of),
    )
    if status.phase == "Failed":
        text = parts(*subject(ref), f" could not be reclaimed after its claim {of} was deleted.")
        step = Step("Look at its events; delete the volume in the storage system, then here.", ref, "events")
        return Finding("volume-failed", "bad", 39, ref, text, step, evidence)
    if status.phase != "Released":
        return None
    if policy == "Delete":
        event = survey.event(volume.metadata.uid, "VolumeFailedDelete")
        if event is None:
            return None  # it is being deleted
        text = parts(*subject(ref), f" should have been deleted with its claim {of}, but can't be.")
        step = Step("Look at the CSI driver's message.", ref, "events")
        return Finding(
            "volume-released", "warn", 24, ref, text, step, (*reported(event), *evidence), event.first_seen
        )
    text = parts(
        *subject(ref), f" still holds the data of claim {of}, which was deleted; it can't be bound as it is."
    )
    step = Step(
        "Delete it if the data is not needed; or remove spec.claimRef, so that a new claim can bind it.",
        ref,
        "yaml",
    )
    return Finding("volume-released", "note", 8, ref, text, step, evidence)
