"""An object as it can be created again after it was deleted, and why it can't be where that is so."""

from __future__ import annotations

import copy

import msgspec

from dashboard.kinds.references import manifest_meant, title

from .action import Manifest

MAX_BYTES = 256 * 1024  # of an object that is kept for an undo
# Kinds of which another object with the same content does the same as the one before.
_SAFE = frozenset(
    {
        ("", "ConfigMap"), ("", "Service"), ("", "ServiceAccount"), ("", "LimitRange"), ("", "ResourceQuota"),
        ("", "ReplicationController"), ("", "PodTemplate"), ("apps", "Deployment"), ("apps", "StatefulSet"),
        ("apps", "DaemonSet"), ("apps", "ReplicaSet"), ("batch", "CronJob"), ("networking.k8s.io", "Ingress"),
        ("networking.k8s.io", "IngressClass"), ("networking.k8s.io", "NetworkPolicy"), ("node.k8s.io", "RuntimeClass"),
        ("autoscaling", "HorizontalPodAutoscaler"), ("policy", "PodDisruptionBudget"),
        ("rbac.authorization.k8s.io", "Role"), ("rbac.authorization.k8s.io", "RoleBinding"),
        ("rbac.authorization.k8s.io", "ClusterRole"), ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("scheduling.k8s.io", "PriorityClass"), ("storage.k8s.io", "StorageClass"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
    }
)  # fmt: skip
_WHY: dict[tuple[str, str], str] = {
    ("", "Secret"): "Values of Secrets are never kept here.",
    ("", "Namespace"): "What was in it can't be recreated.",
    ("", "PersistentVolumeClaim"): "A new claim gets another volume, without this one's data.",
    ("", "PersistentVolume"): "A new one is not bound to the claim that this one had.",
    ("", "Node"): "Only its kubelet can register it again.",
    ("batch", "Job"): "A new Job would run its pods once more.",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "The objects of its kind can't be recreated.",
}
# What was put into one of these goes with it, and its own YAML does not bring that back.
_HOLDING = frozenset(
    {
        ("", "Namespace"),
        ("", "PersistentVolumeClaim"),
        ("", "PersistentVolume"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
    }
)
# What the API server or a controller writes; it would be refused, or mean the old object.
_SERVERS = (
    "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "deletionTimestamp",
    "deletionGracePeriodSeconds",
)  # fmt: skip
_ANNOTATIONS = frozenset({"deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation"})
# Set anew by what they belong to.
_FINALIZERS = frozenset({"foregroundDeletion", "orphan", "service.kubernetes.io/load-balancer-cleanup"})


def is_recreatable(group: str, kind: str) -> bool:
    """Whether objects of a kind can be created again at all."""
    return (group, kind) in _SAFE or _is_custom(group)


def recreation_flaw(manifest: Manifest, propagation: str = "Background") -> str:
    """Why an object that is deleted like this can't be created again as it is, as a sentence; "" where it can."""
    if propagation != "Orphan" and deletes_claims(manifest):
        return "Its claims are deleted with it (whenDeleted: Delete), and new ones don't have their data."
    (group, kind), meta = _group_kind(manifest), manifest["metadata"]
    owner = next((one for one in meta.get("ownerReferences") or () if one.get("controller")), None)
    if owner is not None:
        return f"{title(manifest_meant(owner, meta.get('namespace', '')))} creates it, not you."
    if not is_recreatable(group, kind):
        return _WHY.get((group, kind), f"A new {kind} is not the same as the old one.")
    if _reaches_out(manifest):
        return "Its finalizers delete what belongs to it outside of the object, which a new one does not restore."
    if len(msgspec.json.encode(recreated(manifest))) > MAX_BYTES:
        return f"It is larger than the {MAX_BYTES // 1024} KiB that are kept for an undo."
    return ""


def holds_more(manifest: Manifest) -> bool:
    """Whether more is lost with an object than its own YAML brings back."""
    return _group_kind(manifest) in _HOLDING or _reaches_out(manifest) or deletes_claims(manifest)


def deletes_claims(manifest: Manifest) -> bool:
    """Whether a StatefulSet takes the claims of its pods with it, unless what it owns stays."""
    return _claims_policy(manifest, "whenDeleted") == "Delete"


def scales_claims_away(before: Manifest, after: Manifest) -> bool:
    """Whether a StatefulSet gets fewer pods, and the claims of those that go are deleted after them."""
    was, made = (_replicas(side) for side in (before, after))
    return made < was and _claims_policy(after, "whenScaled") == "Delete"


def new_claim_deletions(before: Manifest, after: Manifest) -> list[str]:
    """Which parts of a StatefulSet's policy delete claims that were kept before."""
    return [
        when
        for when in ("whenDeleted", "whenScaled")
        if _claims_policy(after, when) == "Delete" != _claims_policy(before, when)
    ]


def _claims_policy(manifest: Manifest, when: str) -> str:
    """What becomes of a StatefulSet's claims; "" where it has none."""
    spec = manifest.get("spec")
    if _group_kind(manifest) != ("apps", "StatefulSet") or not isinstance(spec, dict):
        return ""
    policy = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    return str(policy.get(when, "Retain")) if spec.get("volumeClaimTemplates") else ""


def _replicas(manifest: Manifest) -> int:
    found = (manifest.get("spec") or {}).get("replicas")
    return found if isinstance(found, int) else 1


def _group_kind(manifest: Manifest) -> tuple[str, str]:
    return str(manifest.get("apiVersion", "")).rpartition("/")[0], str(manifest.get("kind", ""))


def _is_custom(group: str) -> bool:
    return "." in group and not group.endswith(".k8s.io")


def _reaches_out(manifest: Manifest) -> bool:
    """Whether a custom object's finalizers delete what belongs to it elsewhere."""
    finalizers = set(manifest["metadata"].get("finalizers") or ()) - _FINALIZERS
    return bool(finalizers) and _is_custom(_group_kind(manifest)[0])


def recreated(manifest: Manifest) -> Manifest:
    """The object to create: without its status, and without what was only of the old one."""
    made = {key: copy.deepcopy(value) for key, value in manifest.items() if key != "status"}
    meta = made["metadata"] = {key: value for key, value in made["metadata"].items() if key not in _SERVERS}
    for name, dropped in (("annotations", _ANNOTATIONS), ("finalizers", _FINALIZERS)):
        kept = meta.pop(name, None)
        if isinstance(kept, dict):
            kept = {key: value for key, value in kept.items() if key not in dropped}
        elif kept:
            kept = [each for each in kept if each not in dropped]
        if kept:
            meta[name] = kept
    return made


def without_addresses(manifest: Manifest) -> Manifest:
    """A Service that takes the addresses and ports that the cluster gives it: its old ones may be in use."""
    made = copy.deepcopy(manifest)
    spec = made["spec"]
    if spec.get("clusterIP") != "None":
        for name in ("clusterIP", "clusterIPs"):
            spec.pop(name, None)
    spec.pop("healthCheckNodePort", None)
    for port in spec.get("ports") or ():
        port.pop("nodePort", None)
    return made
