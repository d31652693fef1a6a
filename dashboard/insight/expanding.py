"""What expanding a claim does: who uses it, whether a quota has room, what stays at the old size.

Rules: kubernetes.io, Persistent Volumes, "Expanding Persistent Volumes Claims"; kubernetes/kubernetes,
plugin/pkg/admission/storage/persistentvolume/resize (bound, and of a class that allows it).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from dashboard.kinds.base import Ref
from dashboard.kinds.persistentvolumeclaims import PersistentVolumeClaim
from dashboard.kinds.quantity import format_quantity
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.statefulsets import StatefulSet
from dashboard.kinds.volumes import size_key

from .capacity import amounts
from .impact import Effect, Impact, Notice
from .protocols import Objects
from .survey import Survey
from .words import bold, parts

SHOWN_PODS = 5


def not_expandable(objects: Objects, claim: PersistentVolumeClaim) -> tuple[str, str]:
    """Why the API server would refuse to expand it, and the way out; ("", "") for no reason that is known here."""
    name, class_name = claim.metadata.name, claim.storage_class
    if claim.status.phase != "Bound":
        text = f"Claim {name} is {claim.status.phase or 'Pending'}: only a bound claim can be expanded."
        return text, "Wait until it has a volume, or create it with the size that is needed."
    if not class_name:
        text = (
            f"Claim {name} has no StorageClass: its volume was not provisioned for it, and can't be expanded."
        )
        return text, "Create a larger claim and copy the data."
    found = objects.get("storageclasses", "", class_name)
    if found is not None and not found.allow_volume_expansion:
        text = f"StorageClass {class_name} does not allow volume expansion."
        return (
            text,
            f"If its driver supports it, set allowVolumeExpansion: true in StorageClass {class_name}.",
        )
    return "", ""


def expand_impact(objects: Objects, claim: PersistentVolumeClaim, size: str, now: datetime) -> Impact:
    """What happens when the claim asks for ``size``, a quantity."""
    name, had = claim.metadata.name, claim.capacity or claim.requested
    text = "A volume can't be made smaller: a smaller one is a new claim, with the data copied."
    headline = Notice("warn", f"{name} grows from {had} to {size}, and can't be shrunk again", text)
    effects = (*_used(objects, claim, now), *_template(objects, claim), *_quotas(objects, claim, size))
    return Impact(headline, effects, tuple(_unknown(objects, claim)))


def _used(objects: Objects, claim: PersistentVolumeClaim, now: datetime) -> Iterator[Effect]:
    meta = claim.metadata
    pods = [
        pod.metadata.name
        for pod in Survey(objects, now).users.get((meta.namespace, meta.name), ())
        if pod.status.phase not in ("Succeeded", "Failed")
    ]
    if not pods:
        note = "" if claim.spec.volume_mode == "Block" else "Its file system is resized when a pod mounts it"
        known = objects.reads("pods", meta.namespace)
        said = "No running pod uses it" if known else "Which pods use it is not known"
        yield Effect("ok" if known else "info", "info", parts(said), note)
        return
    more = f" and {len(pods) - SHOWN_PODS} more" if len(pods) > SHOWN_PODS else ""
    verb = "keeps" if len(pods) == 1 else "keep"
    text = parts(f"{plural(len(pods), 'pod')} {verb} running: ", bold(listed(pods[:SHOWN_PODS])), more)
    ref = Ref("Pod", meta.namespace, pods[0], "pods")
    yield Effect(
        "ok", "ok", text, "Unless its driver resizes only at the next mount: then restart them", "", ref
    )


def _template(objects: Objects, claim: PersistentVolumeClaim) -> Iterator[Effect]:
    """A StatefulSet gives claims to new replicas by its template, which nobody can change."""
    meta, found = claim.metadata, None
    one: StatefulSet
    for one in objects.all("statefulsets", meta.namespace):
        for template in one.spec.volume_claim_templates or ():
            ordinal = meta.name.removeprefix(f"{template.metadata.name}-{one.metadata.name}-")
            if ordinal != meta.name and ordinal.isdigit():
                found = one
    if found is None:
        return
    ref = Ref("StatefulSet", meta.namespace, found.metadata.name, "statefulsets")
    text = parts("New replicas of ", bold(f"StatefulSet {ref.name}"), " still get the old size")
    yield Effect(
        "warn", "copy", text, "Its volumeClaimTemplates stay as they are: expand each claim", "", ref
    )


def _quotas(objects: Objects, claim: PersistentVolumeClaim, size: str) -> Iterator[Effect]:
    more = size_key(size) - size_key(claim.requested)
    counted = ["requests.storage"]
    if claim.storage_class:
        counted.append(f"{claim.storage_class}.storageclass.storage.k8s.io/requests.storage")
    for quota in objects.all("resourcequotas", claim.metadata.namespace):
        hard, used = amounts(quota.status.hard or quota.spec.hard), amounts(quota.status.used)
        for resource in counted:
            if resource not in hard:
                continue
            left = hard[resource] - used.get(resource, Decimal(0))
            ref = Ref("ResourceQuota", claim.metadata.namespace, quota.metadata.name, "resourcequotas")
            room = format_quantity(max(left, Decimal(0)), "BinarySI")
            text = parts(bold(f"ResourceQuota {ref.name}"), f" has {room} of {resource} left")
            if more > left:
                yield Effect("bad", "gauge", text, "It refuses this size", "refuses", ref)
            else:
                yield Effect("ok", "gauge", text, "", "", ref)


def _unknown(objects: Objects, claim: PersistentVolumeClaim) -> Iterator[Notice]:
    if objects.get("storageclasses", "", claim.storage_class) is None:
        text = "The API server refuses it where allowVolumeExpansion of the class is not true."
        yield Notice("warn", f"StorageClass {claim.storage_class} can't be read here", text)
