"""Relations of real objects, as the API server keeps them, against a brute-force search over their raw JSON."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from dashboard.insight.usedby import SOURCES
from dashboard.kinds import KINDS
from sandbox import Sandbox
from sandbox.api import Api, ApiError
from tests.brute import Raw, edges
from tools.compare import relation_differences

pytestmark = pytest.mark.cluster

WAIT_SECONDS = 60.0
LABELS = {"app": "web"}


def _container(**more: Any) -> Raw:
    return {"name": "c", "image": "example/app:1", **more}


def _every_way() -> Raw:
    """A pod spec that uses ConfigMaps, Secrets and a claim in every way."""
    variable = {
        "name": "A",
        "valueFrom": {"configMapKeyRef": {"name": "env-config", "key": "a", "optional": True}},
    }
    secret = {"name": "B", "valueFrom": {"secretKeyRef": {"name": "env-secret", "key": "b"}}}
    sources = [
        {"configMapRef": {"name": "all-config"}},
        {"secretRef": {"name": "all-secret"}, "prefix": "P_"},
    ]
    mounts = [
        {"name": "files", "mountPath": "/files"},
        {"name": "part", "mountPath": "/part", "subPath": "key"},
        {"name": "both", "mountPath": "/both", "subPathExpr": "$(A)"},
    ]
    projected = [{"configMap": {"name": "projected-config"}}, {"secret": {"name": "projected-secret"}}]
    return {
        "serviceAccountName": "robot",
        "imagePullSecrets": [{"name": "registry"}],
        "initContainers": [_container(name="i", env=[secret])],
        "containers": [_container(env=[variable], envFrom=sources, volumeMounts=mounts,
                                  ports=[{"name": "http", "containerPort": 8080}])],
        "volumes": [
            {"name": "files", "configMap": {"name": "files-config"}},
            {"name": "part", "secret": {"secretName": "part-secret"}},
            {"name": "both", "projected": {"sources": projected}},
            {"name": "driver", "csi": {"driver": "d.example", "nodePublishSecretRef": {"name": "csi-secret"}}},
            {"name": "older", "rbd": {"monitors": ["m"], "image": "i", "secretRef": {"name": "ceph"}}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "own", "ephemeral": {"volumeClaimTemplate": {"spec": _claim_spec()}}},
        ],
    }  # fmt: skip


def _claim_spec(**more: Any) -> Raw:
    return {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}, **more}


def _template(spec: Raw, **pod: Any) -> Raw:
    return {"metadata": {"labels": LABELS}, "spec": {**spec, **pod}}


def _manifests(space: str) -> list[tuple[str, Raw]]:
    """(plural, body) of one object of every kind that relates to others; the names of those without a namespace
    begin with ``space``.
    """
    selector = {"matchLabels": LABELS}
    spec = _every_way()
    workload = {"selector": selector, "template": _template(spec)}
    backend = {"service": {"name": "web", "port": {"name": "http"}}}
    subject = {"kind": "ServiceAccount", "name": "robot", "namespace": space}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    volume = {
        "capacity": {"storage": "1Mi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": space,
        "claimRef": {"namespace": space, "name": "data"},
        "csi": {"driver": "d.example", "volumeHandle": "h",
                "nodeStageSecretRef": {"name": "stage", "namespace": space}},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
            {"key": "kubernetes.io/hostname", "operator": "In", "values": ["node-x"]}]}]}},
    }  # fmt: skip
    return [
        ("storageclasses", {"metadata": {"name": space}, "provisioner": "none.example"}),
        ("priorityclasses", {"metadata": {"name": space}, "value": 7}),
        ("ingressclasses", {"metadata": {"name": space}, "spec": {"controller": "x.example/y"}}),
        ("persistentvolumes", {"metadata": {"name": space}, "spec": volume}),
        ("configmaps", {"metadata": {"name": "all-config"}}),
        ("configmaps", {"metadata": {"name": "nobody"}}),
        ("secrets", {"metadata": {"name": "all-secret"}}),
        ("secrets", {"metadata": {"name": "part-secret"}}),
        ("serviceaccounts", {"metadata": {"name": "robot"}, "secrets": [{"name": "token"}],
                             "imagePullSecrets": [{"name": "registry"}]}),
        ("rolebindings", {"metadata": {"name": "robot"}, "roleRef": role, "subjects": [subject]}),
        ("persistentvolumeclaims", {"metadata": {"name": "data"},
                                    "spec": _claim_spec(volumeName=space, storageClassName=space)}),
        ("services", {"metadata": {"name": "web"},
                      "spec": {"selector": LABELS, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}}),
        ("services", {"metadata": {"name": "away"},
                      "spec": {"type": "ExternalName", "externalName": "x.example", "selector": LABELS}}),
        ("ingresses", {"metadata": {"name": "web"}, "spec": {
            "ingressClassName": space, "tls": [{"hosts": ["x.example"], "secretName": "part-secret"}],
            "defaultBackend": backend,
            "rules": [{"host": "x.example", "http": {"paths": [
                {"path": "/gone", "pathType": "Prefix",
                 "backend": {"service": {"name": "gone", "port": {"number": 1}}}}]}}]}}),
        ("ingresses", {"metadata": {"name": "older", "annotations": {"kubernetes.io/ingress.class": space}},
                       "spec": {"defaultBackend": backend}}),
        ("persistentvolumeclaims", {"metadata": {"name": "disk-base-7"}, "spec": _claim_spec()}),
        ("networkpolicies", {"metadata": {"name": "all"}, "spec": {"podSelector": {}}}),
        ("networkpolicies", {"metadata": {"name": "some"}, "spec": {"podSelector": {"matchExpressions": [
            {"key": "app", "operator": "NotIn", "values": ["web"]}]}}}),
        ("poddisruptionbudgets", {"metadata": {"name": "web"}, "spec": {"minAvailable": 1, "selector": selector}}),
        ("horizontalpodautoscalers", {"metadata": {"name": "web"}, "spec": {
            "maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}),
        ("horizontalpodautoscalers", {"metadata": {"name": "custom"}, "spec": {
            "maxReplicas": 3, "scaleTargetRef": {"apiVersion": "x.example/v1", "kind": "Deployment", "name": "web"}}}),
        ("deployments", {"metadata": {"name": "web"}, "spec": {**workload, "replicas": 2}}),
        ("statefulsets", {"metadata": {"name": "base"}, "spec": {
            **workload, "replicas": 0, "serviceName": "web",
            "volumeClaimTemplates": [{"metadata": {"name": "disk"}, "spec": _claim_spec()}]}}),
        ("daemonsets", {"metadata": {"name": "each"}, "spec": {
            **workload, "template": _template(spec, nodeSelector={"none": "here"})}}),
        ("jobs", {"metadata": {"name": "once"}, "spec": {
            "suspend": True, "template": _template(spec, restartPolicy="Never")}}),
        ("cronjobs", {"metadata": {"name": "nightly"}, "spec": {
            "schedule": "0 3 * * *", "suspend": True,
            "jobTemplate": {"spec": {"template": _template(spec, restartPolicy="Never")}}}}),
        ("pods", {"metadata": {"name": "alone", "labels": {"app": "other"}}, "spec": {
            "priorityClassName": space, "nodeName": "node-x", "containers": [_container()]}}),
        ("endpointslices", {"metadata": {"name": "by-hand", "labels": {"kubernetes.io/service-name": "web"}},
                            "addressType": "IPv4", "endpoints": [
                                {"addresses": ["10.1.2.3"], "targetRef": {"kind": "Pod", "name": "alone",
                                                                          "namespace": space}}]}),
    ]  # fmt: skip


@pytest.fixture
def made(cluster: Sandbox, namespace: str) -> Iterator[Api]:
    api = cluster.api()
    for plural, body in _manifests(namespace):
        kind = KINDS[plural]
        api.post(kind.gvr.path(namespace), {"apiVersion": kind.gvr.api_version, "kind": kind.kind, **body})
    yield api
    for plural, _ in _manifests(namespace):
        if not KINDS[plural].gvr.namespaced:
            with suppress(OSError, ApiError):
                api.delete(KINDS[plural].gvr.path(name=namespace))


def _listed(api: Api, namespace: str) -> list[Raw]:
    """Every raw object of the namespace, and those without one."""
    found = []
    for plural in SOURCES:
        kind = KINDS[plural]
        found += [{**item, "kind": kind.kind} for item in api.get(kind.gvr.path(namespace))["items"]]
    return found


def _settled(api: Api, namespace: str) -> list[Raw]:
    """The objects once the Deployment's pods and their EndpointSlice are there."""
    until = time.monotonic() + WAIT_SECONDS
    while True:
        raws = _listed(api, namespace)
        pods = [raw for raw in raws if raw["kind"] == "Pod" and raw["metadata"].get("ownerReferences")]
        slices = [
            raw for raw in raws if raw["kind"] == "EndpointSlice" and raw["metadata"].get("ownerReferences")
        ]
        if len(pods) >= 2 and slices:
            return raws
        assert time.monotonic() < until, "the Deployment's pods were not made"
        time.sleep(0.5)


def test_relations_of_every_way_are_those_of_a_brute_force_search(made: Api, namespace: str) -> None:
    raws = _settled(made, namespace)
    expected = edges(raws)
    assert list(relation_differences(raws)) == []
    mine = {how for source, _, how in expected if namespace in source}
    assert mine == {
        "owner", "selects", "endpoint", "backend", "tls", "env", "envFrom", "volume", "projected", "subPath",
        "imagePullSecret", "serviceAccount", "csi", "claim", "bound", "scales", "protects", "runsOn", "class", "grants",
        "serviceName",
    }  # fmt: skip
