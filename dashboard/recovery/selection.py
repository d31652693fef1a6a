"""What of a cluster goes into a backup, and why the rest does not: the one list (docs/adr/0068).

Left out is what a controller, kubelet or API server makes again by itself from what is in the backup, what is true of one
moment only, and what means something in just this cluster. Whatever else can be listed is in it, custom kinds too. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboard.kinds.references import manifest_meant
from dashboard.kinds.secrets import BACKUP_OF
from dashboard.kinds.tablekinds import Resource

__all__ = ["DERIVED", "FILTERED", "SECRETS_KEY", "derived", "is_secrets"]

SECRETS_KEY = "secrets"

# Kinds by their key, "<plural>.<group>", of which nothing is ever in a backup.
DERIVED: Mapping[str, str] = {
    "events": "Events are history, and expire after an hour.",
    "events.events.k8s.io": "Events are history, and expire after an hour.",
    "leases.coordination.k8s.io": "Leases hold current leaders and node heartbeats.",
    "leasecandidates.coordination.k8s.io": "Leases hold current leaders and node heartbeats.",
    "csinodes.storage.k8s.io": "Kubelets write them.",
    "csistoragecapacities.storage.k8s.io": "Storage drivers write them.",
    "volumeattachments.storage.k8s.io": "They record which volume is attached to which node now.",
    "resourceslices.resource.k8s.io": "Device drivers write them.",
    "ipaddresses.networking.k8s.io": "The API server creates them for Services.",
    "certificatesigningrequests.certificates.k8s.io": "They are past requests.",
    "podcertificaterequests.certificates.k8s.io": "They are past requests.",
    "storageversions.internal.apiserver.k8s.io": "API servers write them.",
    "storageversionmigrations.storagemigration.k8s.io": "They are tasks of this cluster's storage.",
    # Velero's own records of its work; it reads them from its storage again.
    "backups.velero.io": "Velero keeps them in its own storage.",
    "restores.velero.io": "Velero keeps them in its own storage.",
    "backuprepositories.velero.io": "Velero recreates them.",
    "deletebackuprequests.velero.io": "They are past requests.",
    "downloadrequests.velero.io": "They are past requests.",
    "serverstatusrequests.velero.io": "They are past requests.",
    "podvolumebackups.velero.io": "Velero keeps them in its own storage.",
    "podvolumerestores.velero.io": "They are past tasks.",
    "datauploads.velero.io": "They are past tasks.",
    "datadownloads.velero.io": "They are past tasks.",
}

# What a controller makes again: kind → the kind of the controller whose objects count ("": any), and what is said.
_OWNED: Mapping[str, tuple[str, str]] = {
    "pods": ("", "recreated by their controllers"),
    "replicasets.apps": ("deployments", "recreated by their Deployments"),
    "jobs.batch": ("cronjobs", "runs of CronJobs"),
    "controllerrevisions.apps": ("", "recreated by their workloads"),
    "resourceclaims.resource.k8s.io": ("pods", "recreated for their pods"),
}
_MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
_PUBLISHED = frozenset(
    {"kube-root-ca.crt", "openshift-service-ca.crt"}
)  # into every namespace, by a controller

# Of what is in no namespace, with namespaces or labels chosen: only what belongs to the objects that are in the backup.
FILTERED = frozenset({
    "namespaces", "persistentvolumes", "customresourcedefinitions.apiextensions.k8s.io",
})  # fmt: skip


def is_secrets(resource: Resource) -> bool:
    return resource.key == SECRETS_KEY


def derived(key: str, body: Mapping[str, Any]) -> str:
    """Why this object is not in a backup, such as "recreated by their controllers"; "" where it is."""
    metadata = body["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    if key in _OWNED:
        plural, why = _OWNED[key]
        owners = metadata.get("ownerReferences") or ()
        controller = next((each for each in owners if each.get("controller")), None)
        counts = controller is not None and plural in ("", manifest_meant(controller, "").plural)
        return why if counts else ""
    if key == "endpointslices.discovery.k8s.io":
        made = str(labels.get(_MANAGED_BY, "")).endswith(".k8s.io") or metadata.get("name") == "kubernetes"
        return "recreated from Services and pods" if made else ""
    if key == "endpoints":
        marks = {
            "endpoints.kubernetes.io/last-change-trigger-time",
            "control-plane.alpha.kubernetes.io/leader",
        }
        made = "endpoints.kubernetes.io/managed-by" in labels or not marks.isdisjoint(annotations)
        made = made or "endpointslice.kubernetes.io/skip-mirror" in labels
        return "recreated from Services and pods" if made else ""
    if key == SECRETS_KEY:
        return "old values that rotations keep for their undo" if BACKUP_OF in labels else ""
    if key == "configmaps":
        return "published by the cluster in every namespace" if metadata.get("name") in _PUBLISHED else ""
    if key == "apiservices.apiregistration.k8s.io":
        return "recreated by the API server" if "kube-aggregator.kubernetes.io/automanaged" in labels else ""
    if key.endswith(".flowcontrol.apiserver.k8s.io"):
        own = annotations.get("apf.kubernetes.io/autoupdate-spec") == "true"
        return "recreated by the API server" if own else ""
    return ""
