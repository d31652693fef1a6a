"""What must hold of every pod that ``deploy/`` makes, by whatever way: what the policy "restricted" asks, which a cluster
need not enforce, and bounds of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.api import Api

Object = dict[str, Any]
OF_POD = {
    "runAsNonRoot": True, "runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001,
    "seccompProfile": {"type": "RuntimeDefault"},
}  # fmt: skip
OF_CONTAINER = {
    "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
}  # fmt: skip
FROM_THE_NODE = {"hostNetwork", "hostPID", "hostIPC", "hostUsers", "shareProcessNamespace"}
PROBES = {"startupProbe": "/readyz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}


def pod_templates(objects: list[Object]) -> dict[str, Object]:
    """The pod template of each object that has one, by the object's kind and name."""
    found = {}
    for each in objects:
        spec = each.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            found[f"{each['kind']}/{each['metadata']['name']}"] = spec["template"]
    return found


def containers(pod: Object) -> Iterator[Object]:
    yield from pod.get("initContainers", ())
    yield from pod["containers"]


def faults(pod: Object) -> list[str]:
    """In what a pod's spec is less than hardened."""
    wrong = []
    if pod["securityContext"] != OF_POD:
        wrong.append(f"securityContext {pod['securityContext']}")
    wrong += sorted(FROM_THE_NODE & pod.keys())
    for volume in pod["volumes"]:
        if "hostPath" in volume or ("emptyDir" in volume and not (volume["emptyDir"] or {}).get("sizeLimit")):
            wrong.append(f"volume {volume}")
    for each in containers(pod):
        name = each["name"]
        if each.get("securityContext") != OF_CONTAINER:
            wrong.append(f"{name}: securityContext {each.get('securityContext')}")
        resources = each.get("resources", {})
        for kind, names in (("requests", {"cpu", "memory"}), ("limits", {"memory", "ephemeral-storage"})):
            if names - resources.get(kind, {}).keys():
                wrong.append(f"{name}: {kind} {resources.get(kind)}")
        if "ports" in each:
            asked = {probe: each.get(probe, {}).get("httpGet", {}).get("path") for probe in PROBES}
            if asked != PROBES:
                wrong.append(f"{name}: probes {asked}")
            if any(port.get("hostPort") for port in each["ports"]):
                wrong.append(f"{name}: hostPort")
    return wrong


def restrict(api: Api, namespace: str) -> None:
    """Has the API server enforce the policy "restricted" there."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    api.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": labels}})


def let_in(api: Api, namespace: str, template: Object) -> Object:
    """A pod of a template, as the API server would make it there. Raises ApiError where it refuses one."""
    spec = {key: value for key, value in template["spec"].items() if key != "serviceAccountName"}  # not there
    pod = {"metadata": {"name": "cluster-ui", "labels": template["metadata"]["labels"]}, "spec": spec}
    return api.post(f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod)
