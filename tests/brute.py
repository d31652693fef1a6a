"""Relations by brute force: every raw object is flattened to paths with values, and patterns say what a path means.

Shares no code with the dashboard, so that both are wrong only where both people were.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

Raw = dict[str, Any]
Id = tuple[str, str, str]  # kind, namespace, name
Edge = tuple[Id, Id, str]  # who uses, what, how

CLUSTER = {
    "Node", "PersistentVolume", "StorageClass", "PriorityClass", "IngressClass", "ClusterRole", "ClusterRoleBinding",
    "Namespace",
}  # fmt: skip
GROUPS = {
    "Deployment": "apps", "ReplicaSet": "apps", "StatefulSet": "apps", "DaemonSet": "apps", "Job": "batch",
    "CronJob": "batch",
}  # fmt: skip
BOX = r"^(containers|initContainers|ephemeralContainers)/\d+/"
VOLUME = r"^volumes/\d+/"
IN_POD_SPEC = [
    (BOX + r"env/\d+/valueFrom/configMapKeyRef/name$", "ConfigMap", "env"),
    (BOX + r"env/\d+/valueFrom/secretKeyRef/name$", "Secret", "env"),
    (BOX + r"envFrom/\d+/configMapRef/name$", "ConfigMap", "envFrom"),
    (BOX + r"envFrom/\d+/secretRef/name$", "Secret", "envFrom"),
    (VOLUME + r"configMap/name$", "ConfigMap", "volume"),
    (VOLUME + r"secret/secretName$", "Secret", "volume"),
    (VOLUME + r"projected/sources/\d+/configMap/name$", "ConfigMap", "projected"),
    (VOLUME + r"projected/sources/\d+/secret/name$", "Secret", "projected"),
    (VOLUME + r"csi/nodePublishSecretRef/name$", "Secret", "csi"),
    (VOLUME + r"(cephfs|cinder|rbd|iscsi|flexVolume|scaleIO|storageos)/secretRef/name$", "Secret", "volume"),
    (VOLUME + r"azureFile/secretName$", "Secret", "volume"),
    (VOLUME + r"persistentVolumeClaim/claimName$", "PersistentVolumeClaim", "claim"),
    (r"^imagePullSecrets/\d+/name$", "Secret", "imagePullSecret"),
    (r"^serviceAccountName$", "ServiceAccount", "serviceAccount"),
    (r"^priorityClassName$", "PriorityClass", "class"),
    (r"^nodeName$", "Node", "runsOn"),
]
POD_SPECS = {
    "Pod": "spec", "Deployment": "spec/template/spec", "ReplicaSet": "spec/template/spec",
    "StatefulSet": "spec/template/spec", "DaemonSet": "spec/template/spec", "Job": "spec/template/spec",
    "CronJob": "spec/jobTemplate/spec/template/spec",
}  # fmt: skip
ELSEWHERE = {
    "Ingress": [
        (r"^spec/(rules/\d+/http/paths/\d+/backend|defaultBackend)/service/name$", "Service", "backend"),
        (r"^spec/tls/\d+/secretName$", "Secret", "tls"),
        (r"^spec/ingressClassName$", "IngressClass", "class"),
        (r"^metadata/annotations/kubernetes\.io/ingress\.class$", "IngressClass", "class"),
    ],
    "StatefulSet": [(r"^spec/serviceName$", "Service", "serviceName")],
    "PersistentVolumeClaim": [
        (r"^spec/volumeName$", "PersistentVolume", "bound"),
        (r"^spec/storageClassName$", "StorageClass", "class"),
    ],
    "PersistentVolume": [(r"^spec/storageClassName$", "StorageClass", "class")],
    "ServiceAccount": [
        (r"^secrets/\d+/name$", "Secret", "serviceAccount"),
        (r"^imagePullSecrets/\d+/name$", "Secret", "imagePullSecret"),
    ],
}


def edges(objects: Iterable[Raw]) -> set[Edge]:
    """Who uses what, and how, among these objects and whatever they name."""
    objects = list(objects)
    return {
        (identity(one), target, how)
        for one in objects
        for target, how in (*_fields(one), *_choices(one, objects))
        if target[2]
    }


def identity(obj: Raw) -> Id:
    return _id(obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"])


def _id(kind: str, namespace: str, name: str) -> Id:
    return kind, "" if kind in CLUSTER else namespace, name


def _flat(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _flat(inner, f"{at}/{key}" if at else str(key))
    elif value is not None:
        yield at, value


def _fields(obj: Raw) -> Iterator[tuple[Id, str]]:
    kind, namespace = obj["kind"], obj["metadata"].get("namespace", "")
    for owner in obj["metadata"].get("ownerReferences") or []:
        yield _id(owner["kind"], namespace, owner["name"]), "owner"
    flat = list(_flat(obj))
    for pattern, target, how in ELSEWHERE.get(kind, []):
        for path, value in flat:
            if re.search(pattern, path):
                yield _id(target, namespace, value), how
    if kind in POD_SPECS:
        prefix = POD_SPECS[kind] + "/"
        inside = [(path.removeprefix(prefix), value) for path, value in flat if path.startswith(prefix)]
        yield from _pod_spec(obj, namespace, dict(inside))
    yield from _structured(obj, namespace)


def _pod_spec(obj: Raw, namespace: str, inside: dict[str, Any]) -> Iterator[tuple[Id, str]]:
    is_pod = obj["kind"] == "Pod"
    parts = {
        re.sub(r"subPath(Expr)?$", "name", path)
        for path, value in inside.items()
        if re.search(r"volumeMounts/\d+/subPath(Expr)?$", path) and value
    }
    cut = {inside[path] for path in parts}
    for path, value in inside.items():
        for pattern, target, how in IN_POD_SPEC:
            if not re.search(pattern, path) or (how == "runsOn" and not is_pod):
                continue
            yield _id(target, namespace, value), how
            at = re.match(r"volumes/\d+/", path)
            files = target == "ConfigMap" or path.endswith(("secret/secretName", "secret/name"))
            if at and files and inside.get(at[0] + "name") in cut:
                yield _id(target, namespace, value), "subPath"
        ephemeral = re.match(r"(volumes/\d+/)ephemeral/", path)
        if ephemeral and is_pod:
            claim = f"{obj['metadata']['name']}-{inside[ephemeral[1] + 'name']}"
            yield _id("PersistentVolumeClaim", namespace, claim), "claim"


def _structured(obj: Raw, namespace: str) -> Iterator[tuple[Id, str]]:
    """What has its kind or namespace beside its name."""
    kind, spec = obj["kind"], obj.get("spec") or {}
    if kind == "HorizontalPodAutoscaler":
        target = spec["scaleTargetRef"]
        group = target.get("apiVersion", "").rpartition("/")[0]
        if group in ("", GROUPS.get(target["kind"])):
            yield _id(target["kind"], namespace, target["name"]), "scales"
    elif kind == "EndpointSlice":
        for endpoint in obj.get("endpoints") or []:
            if target := endpoint.get("targetRef"):
                yield _id(target["kind"], target.get("namespace", namespace), target["name"]), "endpoint"
    elif kind == "PersistentVolumeClaim":
        source = spec.get("dataSourceRef") or spec.get("dataSource")
        if source and source.get("apiGroup", "") == GROUPS.get(source["kind"], ""):
            yield _id(source["kind"], source.get("namespace", namespace), source["name"]), "dataSource"
    elif kind == "PersistentVolume":
        if claim := spec.get("claimRef"):
            yield _id("PersistentVolumeClaim", claim["namespace"], claim["name"]), "bound"
        for key, value in (spec.get("csi") or {}).items():
            if key.endswith("SecretRef"):
                yield _id("Secret", value["namespace"], value["name"]), "csi"
        for term in ((spec.get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or []:
            for wanted in (term.get("matchExpressions") or []) + (term.get("matchFields") or []):
                if (
                    wanted["key"] in ("kubernetes.io/hostname", "metadata.name")
                    and wanted["operator"] == "In"
                ):
                    for node in wanted["values"]:
                        yield _id("Node", "", node), "runsOn"
    elif kind in ("RoleBinding", "ClusterRoleBinding"):
        yield _id(obj["roleRef"]["kind"], namespace, obj["roleRef"]["name"]), "grants"
        for subject in obj.get("subjects") or []:
            if subject["kind"] == "ServiceAccount":
                account = _id("ServiceAccount", subject.get("namespace", namespace), subject["name"])
                yield account, "serviceAccount"


def _choices(obj: Raw, objects: list[Raw]) -> Iterator[tuple[Id, str]]:
    namespace, name = obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
    near = [one for one in objects if one["metadata"].get("namespace", "") == namespace]
    how = {"Service": "selects", "PodDisruptionBudget": "protects", "NetworkPolicy": "selects"}.get(
        obj["kind"]
    )
    for one in near if how else []:
        if one["kind"] == "Pod" and _selects(obj, one["metadata"].get("labels") or {}):
            yield identity(one), how or ""
    for one in near if obj["kind"] == "StatefulSet" else []:
        for template in obj["spec"].get("volumeClaimTemplates") or []:
            claim = re.escape(f"{template['metadata']['name']}-{name}-")
            if one["kind"] == "PersistentVolumeClaim" and re.fullmatch(
                claim + "[0-9]+", one["metadata"]["name"]
            ):
                yield identity(one), "claim"
    for one in near if obj["kind"] == "Service" else []:
        label = (one["metadata"].get("labels") or {}).get("kubernetes.io/service-name")
        if one["kind"] == "EndpointSlice" and label == name:
            yield identity(one), "endpoint"


def _selects(obj: Raw, labels: dict[str, str]) -> bool:
    spec = obj.get("spec") or {}
    if obj["kind"] == "Service":
        wanted = spec.get("selector") or {}
        return bool(wanted) and spec.get("type") != "ExternalName" and wanted.items() <= labels.items()
    selector = spec.get("selector" if obj["kind"] == "PodDisruptionBudget" else "podSelector")
    if selector is None:
        return bool(obj["kind"] == "NetworkPolicy")
    if not (selector.get("matchLabels") or {}).items() <= labels.items():
        return False
    return all(_holds(each, labels) for each in selector.get("matchExpressions") or [])


def _holds(wanted: Raw, labels: dict[str, str]) -> bool:
    value, values = labels.get(wanted["key"]), wanted.get("values") or []
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[wanted["operator"]]
