"""What can be wrong with claims and volumes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from dashboard.insight.finding import Evidence, Finding, Severity, Step, reported, stands, subject
from dashboard.insight.survey import Known, Survey
from dashboard.insight.words import code, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.meta import condition_true, find_condition
from dashboard.kinds.persistentvolumeclaims import PersistentVolumeClaim
from dashboard.kinds.persistentvolumes import PersistentVolume
from dashboard.kinds.quantity import QuantityError, parse
from dashboard.kinds.rows import listed
from dashboard.kinds.storageclasses import StorageClass

# A provisioner needs a moment.
BINDING = timedelta(seconds=30)
# Drivers in the cloud may take minutes before it is worth a word that nothing has come.
PROVISIONING = timedelta(minutes=2)
ENDING = timedelta(minutes=2)

NO_PROVISIONER = "kubernetes.io/no-provisioner"
_PROTECTED = "kubernetes.io/pvc-protection"


def claims(survey: Survey, known: Known) -> Iterator[Finding]:
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
    text = parts(*subject(ref), " lost its volume ", code(volume), ": it does not exist any more.")
    step = Step("Restore its data from a backup into a new claim.", ref)
    evidence = (*stands("status.phase", "Lost"), *stands("spec.volumeName", volume))
    return Finding("claim-lost", "bad", 80, ref, text, step, evidence)


def _pending(survey: Survey, claim: PersistentVolumeClaim, ref: Ref) -> Finding | None:
    created, name = claim.metadata.creation_timestamp, claim.storage_class
    if not survey.older(created, BINDING):
        return None
    kind: StorageClass | None = survey.objects.get("storageclasses", "", name) if name else None
    if not name:
        return _no_volume(survey, claim, ref)
    if kind is None:
        return _no_class(survey, claim, ref) if survey.lacks("storageclasses", "", name) else None
    failure = survey.event(claim.metadata.uid, "ProvisioningFailed", "ProvisionerFailed")
    if failure is not None:
        why = _short(failure.message)
        text = parts(*subject(ref), f" has no volume: StorageClass {name} cannot make one: {why}.")
        step = Step(
            "Look at what its provisioner says, and at the parameters of the StorageClass.", ref, "events"
        )
        evidence = (*reported(failure), *stands("provisioner", kind.provisioner))
        return Finding(
            "claim-provisioning-failed", "bad", 57, ref, text, step, evidence, created, shared=f"class:{name}"
        )
    if (
        kind.volume_binding_mode == "WaitForFirstConsumer"
        and (waits := _waits(survey, claim, ref)) is not None
    ):
        return waits
    if kind.provisioner == NO_PROVISIONER:
        return _no_volume(survey, claim, ref)
    if not survey.older(created, PROVISIONING):
        return None
    return _no_provisioner(survey, claim, ref, kind)


def _short(message: str) -> str:
    text = message.rpartition("desc = ")[2] or message
    text = " ".join(text.split())
    return (text if len(text) <= 120 else text[:119].rstrip(" ,.;:") + "…").rstrip(".")


def _no_class(survey: Survey, claim: PersistentVolumeClaim, ref: Ref) -> Finding:
    name = claim.storage_class
    has = [_class_words(one) for one in survey.all("storageclasses")]
    text = parts(*subject(ref), " has no volume: there is no StorageClass ", code(name), ".")
    step = Step(
        "Make the claim anew with one of the StorageClasses that there are, or create that one.", ref, "yaml"
    )
    evidence = (
        *stands("spec.storageClassName", name),
        *stands("StorageClasses", ", ".join(has) or "there are none"),
    )
    since = claim.metadata.creation_timestamp
    return Finding("claim-no-class", "bad", 57, ref, text, step, evidence, since, shared=f"class:{name}")


def _class_words(one: StorageClass) -> str:
    return f"{one.metadata.name} (default)" if one.is_default else one.metadata.name


def _waits(survey: Survey, claim: PersistentVolumeClaim, ref: Ref) -> Finding | None:
    """WaitForFirstConsumer: its volume is made where its first pod runs, so first of all that needs a node."""
    pods = [
        pod
        for pod in survey.users.get((ref.namespace, ref.name), ())
        if pod.metadata.deletion_timestamp is None
    ]
    if any(pod.spec.node_name for pod in pods):
        return None
    if pods and survey.event(claim.metadata.uid, "ExternalProvisioning") is not None:
        return None  # its node was chosen, and now the provisioner is to act
    who = listed(f"pod {pod.metadata.name}" for pod in pods)
    why = f"{who} needs a node first" if pods else "no pod uses it yet"
    text = parts(*subject(ref), f" gets its volume only when its first pod is placed on a node: {why}.")
    to = Ref("Pod", ref.namespace, pods[0].metadata.name, "pods") if pods else ref
    step = Step("Look at the pod." if pods else "Nothing, until a pod uses it.", to)
    evidence = (
        *stands("volumeBindingMode", f"WaitForFirstConsumer (StorageClass {claim.storage_class})"),
        *reported(survey.event(claim.metadata.uid, "WaitForFirstConsumer", "WaitForPodScheduled")),
    )
    return Finding("claim-waits-for-pod", "note", 10, ref, text, step, evidence)


def _no_provisioner(survey: Survey, claim: PersistentVolumeClaim, ref: Ref, kind: StorageClass) -> Finding:
    name = kind.metadata.name
    text = parts(
        *subject(ref), f" has no volume: StorageClass {name} leaves that to provisioner ", code(kind.provisioner),
        ", which has not made one.",
    )  # fmt: skip
    step = Step("See whether the pods of that provisioner run, and what they log.", ref, "events")
    evidence = (
        *stands("provisioner", kind.provisioner),
        *reported(survey.event(claim.metadata.uid)),
    )
    since = claim.metadata.creation_timestamp
    return Finding(
        "claim-no-provisioner", "bad", 56, ref, text, step, evidence, since, shared=f"provisioner:{kind.provisioner}"
    )  # fmt: skip


def _no_volume(survey: Survey, claim: PersistentVolumeClaim, ref: Ref) -> Finding | None:
    """Nothing makes volumes for it, and none of those that there are fits."""
    if not survey.reads("persistentvolumes"):
        return None
    default = next((one.metadata.name for one in survey.all("storageclasses") if one.is_default), "")
    name = claim.storage_class
    by = f"StorageClass {name} makes none" if name else "it names no StorageClass"
    text = parts(*subject(ref), f" has no volume: {by}, and no free volume fits.")
    hint = (
        f"name StorageClass {default}" if default and not name else "name a StorageClass that makes volumes"
    )
    step = Step(f"Make the claim anew and {hint}, or create a volume that fits.", ref, "yaml")
    asks = f"{claim.requested}, {', '.join(claim.spec.access_modes or ())}"
    evidence = (*stands("The claim asks for", asks), *_candidates(survey, claim))
    return Finding("claim-no-volume", "bad", 56, ref, text, step, evidence, claim.metadata.creation_timestamp)


def _candidates(survey: Survey, claim: PersistentVolumeClaim) -> Iterator[Evidence]:
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
        by = f", by {holder.namespace}/{holder.name}" if holder else ""
        return f"is {volume.status.phase}{by}"
    if volume.spec.claim_ref is not None and volume.spec.claim_ref.name != claim.metadata.name:
        return f"is kept for {volume.spec.claim_ref.namespace}/{volume.spec.claim_ref.name}"
    lacking = set(claim.spec.access_modes or ()) - set(volume.spec.access_modes or ())
    if lacking:
        return f"does not offer {listed(sorted(lacking))}"
    if _bytes(volume.capacity) < _bytes(claim.requested):
        return f"is too small: {volume.capacity}"
    if (volume.spec.volume_mode or "Filesystem") != (claim.spec.volume_mode or "Filesystem"):
        return f"is of mode {volume.spec.volume_mode or 'Filesystem'}"
    return "is free; the claim's selector may rule it out"


def _bytes(quantity: str) -> Decimal:
    try:
        return parse(quantity)
    except QuantityError:
        return Decimal(0)


def _in_use(survey: Survey, claim: PersistentVolumeClaim, ref: Ref) -> Finding | None:
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
    step = Step("Copy what is needed out of it before its pods end: a deletion cannot be taken back.", pod)
    evidence = stands("metadata.finalizers", ", ".join(claim.metadata.finalizers))
    return Finding("claim-in-use", "warn", 35, ref, text, step, evidence, since)


def _resize(survey: Survey, claim: PersistentVolumeClaim, ref: Ref) -> Finding | None:
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
        text = parts(*subject(ref), " has grown, but its file system grows only when a pod mounts it anew.")
        step = Step("Restart the pods that use it.", ref)
        severity: Severity = "note"
    else:
        text = parts(*subject(ref), f" cannot grow from {claim.capacity} to {claim.requested}.")
        step = Step("See that its StorageClass allows expansion and that its driver can.", ref, "events")
        severity = "warn"
    said = broken or waits
    evidence = stands(f"Condition {said.type}", said.message or said.status) if said else reported(event)
    since = said.last_transition_time if said else None
    return Finding("claim-resize-failed", severity, 37, ref, text, step, evidence, since)


def volumes(survey: Survey, known: Known) -> Iterator[Finding]:
    """Volumes that could not be cleaned up, and those whose claim is gone."""
    for volume in survey.all("persistentvolumes"):
        ref = Ref("PersistentVolume", "", volume.metadata.name, "persistentvolumes")
        if volume.metadata.deletion_timestamp is None:
            found = _volume(survey, volume, ref)
            if found is not None:
                yield found


def _volume(survey: Survey, volume: PersistentVolume, ref: Ref) -> Finding | None:
    policy, status = volume.spec.persistent_volume_reclaim_policy, volume.status
    holder = volume.spec.claim_ref
    of = f"{holder.namespace}/{holder.name}" if holder else "nobody"
    evidence = (
        *stands("status", f"{status.phase} {status.reason}: {status.message}".strip(" :")),
        *stands("persistentVolumeReclaimPolicy", policy),
        *stands("spec.claimRef", of),
    )
    if status.phase == "Failed":
        text = parts(*subject(ref), f" could not be cleaned up after its claim {of} went.")
        step = Step("Look at its events; delete it in the storage system, then here.", ref, "events")
        return Finding("volume-failed", "bad", 39, ref, text, step, evidence)
    if status.phase != "Released":
        return None
    if policy == "Delete":
        event = survey.event(volume.metadata.uid, "VolumeFailedDelete")
        if event is None:
            return None  # it is being deleted
        text = parts(*subject(ref), f" should have gone with its claim {of}, but cannot be deleted.")
        step = Step("Look at what its driver says.", ref, "events")
        return Finding(
            "volume-released", "warn", 24, ref, text, step, (*reported(event), *evidence), event.first_seen
        )
    text = parts(
        *subject(ref), f" still holds the data of claim {of}, which is gone; nobody can use it as it is."
    )
    step = Step(
        "Delete it when the data is not needed; or remove spec.claimRef, so that a new claim gets it.",
        ref,
        "yaml",
    )
    return Finding("volume-released", "note", 8, ref, text, step, evidence)
