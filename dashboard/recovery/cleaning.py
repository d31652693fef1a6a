"""An object of a backup as it can be written again: without what a server or a controller gave to the old one.

Pure. ``left_out`` says which objects are not written at all, as something else makes them; ``cleaned`` takes out of the
others what would be refused, or would mean the old object. The same is taken out of an object that is there before the
two are compared (``comparing.py``), so what the cluster keeps for itself is never a difference.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from dashboard.errors import FieldCause
from dashboard.kinds.secrets import BACKUP_OF

Manifest = dict[str, Any]
# What reading an object raises that has not the fields of its kind: no API server has it so, but anybody makes archives.
MISSHAPEN = (AttributeError, IndexError, KeyError, TypeError, ValueError)

# What the API server keeps of every object.
_SERVERS = (
    "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "deletionTimestamp",
    "deletionGracePeriodSeconds", "generateName",
)  # fmt: skip
_TRIGGERED = "endpoints.kubernetes.io/last-change-trigger-time"
# Who keeps the endpoints of a Service.
_KEEPERS = frozenset(
    {"endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io", "endpoint-controller"}
)
# What controllers note on objects: what they bound, counted or chose.
_ANNOTATIONS = frozenset(
    {
        "deployment.kubernetes.io/revision", "deployment.kubernetes.io/desired-replicas",
        "deployment.kubernetes.io/max-replicas",
        "deprecated.daemonset.template.generation", "pv.kubernetes.io/bind-completed",
        "pv.kubernetes.io/bound-by-controller", "pv.kubernetes.io/provisioned-by",
        "volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner",
        "volume.kubernetes.io/selected-node", "kubernetes.io/service-account.uid", "batch.kubernetes.io/job-tracking",
        _TRIGGERED, "autoscaling.alpha.kubernetes.io/conditions",
        "autoscaling.alpha.kubernetes.io/current-metrics",
    }
)  # fmt: skip
# What ``kubectl apply`` was given last: without it the next one would take away nothing that its file has no more.
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# Labels that tie an object, or a pod template, to the uid or the revision of what made it.
_JOB_LABELS = frozenset(
    {"controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name"}
)
_POD_LABELS = _JOB_LABELS | {
    "pod-template-hash", "controller-revision-hash", "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index",
    "pod-template-generation",
}  # fmt: skip
_TOKEN_VOLUME = re.compile(r"kube-api-access-[a-z0-9]{5}|.*-token-[a-z0-9]{5}")
TOKEN = "kubernetes.io/service-account-token"  # noqa: S105 a type of Secrets
ROOT_CA = "kube-root-ca.crt"
# What only says how the cluster is just now: nothing of it is anybody's intention.
_TRANSIENT = frozenset(
    {
        ("", "events"), ("events.k8s.io", "events"), ("", "nodes"), ("", "componentstatuses"), ("", "bindings"),
        ("coordination.k8s.io", "leases"), ("apps", "controllerrevisions"), ("storage.k8s.io", "csinodes"),
        ("storage.k8s.io", "volumeattachments"), ("storage.k8s.io", "csistoragecapacities"),
        ("certificates.k8s.io", "certificatesigningrequests"), ("metrics.k8s.io", "pods"), ("metrics.k8s.io", "nodes"),
        ("authentication.k8s.io", "selfsubjectreviews"),
    }
)  # fmt: skip
# Made by what owns them, and made again: with the data of others under a name of their own nothing would be won.
_MADE = frozenset(
    {
        ("", "pods"), ("apps", "replicasets"), ("batch", "jobs"), ("", "endpoints"),
        ("discovery.k8s.io", "endpointslices"), ("", "replicationcontrollers"),
    }
)  # fmt: skip


def left_out(group: str, plural: str, body: Mapping[str, Any]) -> str:
    """Why an object is not written again, as a sentence; "" for one that is."""
    meta = body.get("metadata") or {}
    if (group, plural) in _TRANSIENT:
        return "It is runtime state, which the cluster recreates."
    if (group, plural) == ("", "configmaps") and meta.get("name") == ROOT_CA:
        return "The cluster creates it in every namespace."
    labels, notes = meta.get("labels") or {}, meta.get("annotations") or {}
    if (group, plural) == ("", "secrets") and BACKUP_OF in labels:
        return (
            "It keeps an old value for the undo of a rotation, which ends with the Secret that was rotated."
        )
    keeper = labels.get("endpointslice.kubernetes.io/managed-by") or labels.get(
        "endpoints.kubernetes.io/managed-by"
    )
    if keeper in _KEEPERS or _TRIGGERED in notes:
        return "Its Service recreates it."
    owner = next((one for one in meta.get("ownerReferences") or () if one.get("controller")), None)
    if owner is not None and (group, plural) in _MADE:
        return f"{owner.get('kind')} {owner.get('name')} makes it."
    if (group, plural) == ("batch", "jobs") and _finished(body):
        return "It had completed before the backup: if restored, it would run again."
    if (group, plural) == ("", "pods") and _status(body).get("phase") in ("Succeeded", "Failed"):
        return "It had completed before the backup."
    return ""


def _status(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of a custom kind it may be anything."""
    status = body.get("status")
    return status if isinstance(status, dict) else {}


def _finished(job: Mapping[str, Any]) -> bool:
    conditions = _status(job).get("conditions")
    return isinstance(conditions, list) and any(
        isinstance(one, dict) and one.get("type") in ("Complete", "Failed") and one.get("status") == "True"
        for one in conditions
    )


def cleaned(group: str, plural: str, body: Mapping[str, Any]) -> Manifest:
    """The object to write: a copy. Its owners are named without their uids, for ``restoring.py`` to look them up."""
    made: Manifest = {key: copy.deepcopy(value) for key, value in body.items() if key != "status"}
    meta = made["metadata"] = {
        key: value for key, value in (made.get("metadata") or {}).items() if key not in _SERVERS
    }
    # Whoever needs a finalizer sets it again; one whose controller is not here would hold the object for ever.
    meta.pop("finalizers", None)
    own = last_applied(body) is not None and (group, plural) != ("", "secrets")
    _drop(meta, "annotations", lambda key: key in _ANNOTATIONS or (key == LAST_APPLIED and not own))
    for owner in meta.get("ownerReferences") or ():
        owner.pop("uid", None)
    if not meta.get("ownerReferences"):
        meta.pop("ownerReferences", None)
    if (clean := _OWN.get((group, plural))) is not None:
        clean(made)
    return made


def last_applied(body: Mapping[str, Any]) -> Manifest | None:
    """What ``kubectl apply`` noted on an object, where it is of this very object: anything else may be a Secret's text,
    whoever put it there.
    """
    meta = body.get("metadata") or {}
    try:
        found = msgspec.json.decode((meta.get("annotations") or {}).get(LAST_APPLIED, ""), type=Manifest)
    except (msgspec.DecodeError, RecursionError, TypeError):
        return None
    noted = found.get("metadata")
    of = (found.get("kind"), noted.get("name") if isinstance(noted, dict) else None)
    return found if of == (body.get("kind"), meta.get("name")) else None


def _drop(within: Manifest, name: str, which: Callable[[str], bool]) -> None:
    """Takes keys out of a mapping, and the mapping where nothing is left."""
    kept = {key: value for key, value in (within.get(name) or {}).items() if not which(key)}
    within.pop(name, None)
    if kept:
        within[name] = kept


def _spec(made: Manifest) -> Manifest:
    spec = made.get("spec")
    return spec if isinstance(spec, dict) else {}


def _namespace(made: Manifest) -> None:
    made.pop("spec", None)  # nothing but the finalizers of its deletion
    _drop(made["metadata"], "labels", lambda key: key == "kubernetes.io/metadata.name")


def _claim(made: Manifest) -> None:
    _spec(made).pop("volumeName", None)


def _volume(made: Manifest) -> None:
    claim = _spec(made).get("claimRef")
    if isinstance(claim, dict):
        for key in ("uid", "resourceVersion"):
            claim.pop(key, None)


def _account(made: Manifest) -> None:
    made.pop("secrets", None)  # tokens that the cluster made for the old one


def _secret(made: Manifest) -> None:
    if made.get("type") == TOKEN:
        made.pop("data", None)  # of the old account: the cluster fills in that of the new one


def _job(made: Manifest) -> None:
    spec = _spec(made)
    if spec.get("manualSelector"):
        return
    spec.pop("selector", None)
    spec.pop("manualSelector", None)
    _drop(made["metadata"], "labels", _JOB_LABELS.__contains__)
    template = spec.get("template")
    if isinstance(template, dict) and isinstance(template.get("metadata"), dict):
        _drop(template["metadata"], "labels", _JOB_LABELS.__contains__)


def _pod(made: Manifest) -> None:
    spec = _spec(made)
    _drop(made["metadata"], "labels", _POD_LABELS.__contains__)
    for key in ("nodeName", "priority", "preemptionPolicy", "ephemeralContainers"):
        spec.pop(key, None)
    volumes = [one for one in spec.get("volumes") or () if not _TOKEN_VOLUME.fullmatch(str(one.get("name")))]
    names = {one.get("name") for one in volumes}
    spec.pop("volumes", None)
    if volumes:
        spec["volumes"] = volumes
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        mounts = [one for one in container.get("volumeMounts") or () if one.get("name") in names]
        container.pop("volumeMounts", None)
        if mounts:
            container["volumeMounts"] = mounts


def _definition(made: Manifest) -> None:
    conversion = _spec(made).get("conversion")
    if conversion == {"strategy": "None"}:
        _spec(made).pop("conversion", None)


_OWN: Mapping[tuple[str, str], Callable[[Manifest], None]] = {
    ("", "namespaces"): _namespace,
    ("", "persistentvolumeclaims"): _claim,
    ("", "persistentvolumes"): _volume,
    ("", "serviceaccounts"): _account,
    ("", "secrets"): _secret,
    ("batch", "jobs"): _job,
    ("", "pods"): _pod,
    ("apiextensions.k8s.io", "customresourcedefinitions"): _definition,
}


# ---- Addresses of Services: kept where they are free

_NODE_PORT = re.compile(r"spec\.ports\[(\d+)\]\.nodePort")


def without_allocated(group: str, plural: str, manifest: Manifest) -> Manifest:
    """Without the addresses and ports that the cluster hands out."""
    if (group, plural) != ("", "services"):
        return manifest
    made = copy.deepcopy(manifest)
    spec = _spec(made)
    _without_ips(spec)
    spec.pop("healthCheckNodePort", None)
    for port in spec.get("ports") or ():
        port.pop("nodePort", None)
    return made


def _without_ips(spec: Manifest) -> None:
    if spec.get("clusterIP") != "None":
        for key in ("clusterIP", "clusterIPs"):
            spec.pop(key, None)


def given_up(manifest: Manifest, causes: Iterable[FieldCause]) -> tuple[Manifest, tuple[str, ...]]:
    """A Service without the addresses that the API server refused, and what to say of each."""
    made = copy.deepcopy(manifest)
    spec, notes = _spec(made), []
    for cause in causes:
        if cause.field.startswith("spec.clusterIP"):
            what, value = "cluster IP", spec.get("clusterIP")
            _without_ips(spec)
        elif cause.field == "spec.healthCheckNodePort":
            what, value = "health check node port", spec.pop("healthCheckNodePort", None)
        elif (port := _NODE_PORT.fullmatch(cause.field)) is not None:
            what, value = "node port", spec["ports"][int(port[1])].pop("nodePort", None)
        else:
            continue
        why = "is in use" if "already allocated" in cause.message else "is none that this cluster can use"
        if value not in (None, "None"):
            notes.append(f"Its {what} {value} {why}: a new one is allocated.")
    return made, tuple(notes)
