"""The objects that the sandbox makes itself: nodes, what metrics need, the load for benchmarks."""

import uuid
from typing import Any

Object = dict[str, Any]

REGION = "sandbox"
ZONES = ("sandbox-a", "sandbox-b", "sandbox-c")
LOAD_LABEL = "sandbox.cluster-ui.dev/load"
LOAD_NAMESPACE = "load"
LOAD_PODS_PER_NODE = 250
LOAD_PODS_PER_DEPLOYMENT = 500

LOAD_NAMESPACE_OBJECT: Object = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": LOAD_NAMESPACE},
}
_SMALL = {"cpu": "4", "memory": "16Gi", "pods": "110", "ephemeral-storage": "100Gi"}
_LARGE = {"cpu": "8", "memory": "32Gi", "pods": "110", "ephemeral-storage": "200Gi"}
_LOAD = {"cpu": "64", "memory": "256Gi", "pods": str(LOAD_PODS_PER_NODE), "ephemeral-storage": "1Ti"}
# What a node keeps for itself, so that allocatable differs from capacity as it does on a real node.
_RESERVED = {"4": "3920m", "8": "7910m", "64": "63500m", "16Gi": "14Gi", "32Gi": "29Gi", "256Gi": "250Gi"}


def plumbing(metrics_port: int) -> dict[str, Object]:
    """What a cluster has before its first application, by API path: storage, ingress, metrics, kwok's log
    kind.

    metrics-server runs outside the cluster, at `metrics_port` on this machine.
    """
    metrics = {"name": "metrics-server", "namespace": "kube-system"}
    readers = {f"rbac.authorization.k8s.io/aggregate-to-{role}": "true" for role in ("view", "edit", "admin")}
    return {
        "/apis/storage.k8s.io/v1/storageclasses/standard": {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": "standard",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "volumes.sandbox.cluster-ui.dev",
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "WaitForFirstConsumer",
            "allowVolumeExpansion": True,
        },
        "/apis/networking.k8s.io/v1/ingressclasses/sandbox": {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {
                "name": "sandbox",
                "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"},
            },
            "spec": {"controller": "sandbox.cluster-ui.dev/ingress"},
        },
        "/api/v1/namespaces/kube-system/services/metrics-server": {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metrics,
            "spec": {"type": "ExternalName", "externalName": "127.0.0.1"},
        },
        "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io": {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1beta1.metrics.k8s.io"},
            "spec": {
                "group": "metrics.k8s.io",
                "version": "v1beta1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "insecureSkipTLSVerify": True,  # never leaves the loopback
                "service": metrics | {"port": metrics_port},
            },
        },
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:aggregated-metrics-reader": {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "system:aggregated-metrics-reader", "labels": readers},
            "rules": [
                {"apiGroups": ["metrics.k8s.io"], "resources": ["pods", "nodes"], "verbs": ["get", "list"]}
            ],
        },
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/logs.kwok.x-k8s.io": {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "logs.kwok.x-k8s.io"},
            "spec": {
                "group": "kwok.x-k8s.io",
                "scope": "Namespaced",
                "names": {"kind": "Logs", "listKind": "LogsList", "plural": "logs", "singular": "logs"},
                "versions": [
                    {
                        "name": "v1alpha1",
                        "served": True,
                        "storage": True,
                        "schema": {
                            "openAPIV3Schema": {
                                "type": "object",
                                "x-kubernetes-preserve-unknown-fields": True,
                            }
                        },
                    }
                ],
            },
        },
    }


def exec_here(folder: str) -> Object:
    """Makes kwok run what is executed in any container on this machine, in `folder`."""
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "ClusterExec",
        "metadata": {"name": "sandbox"},
        "spec": {"execs": [{"local": {"workDir": folder}}]},
    }


def own_nodes(kubelet_port: int, kubernetes_version: str) -> list[Object]:
    """The nodes that a sandbox always has."""
    wanted = [
        ("control-plane-a", 0, _SMALL, "control-plane"),
        ("worker-a1", 0, _LARGE, "worker"),
        ("worker-b1", 1, _LARGE, "worker"),
        ("worker-b2", 1, _SMALL, "worker"),
        ("worker-c1", 2, _SMALL, "worker"),
    ]
    made = [
        _node(
            name,
            number,
            zone,
            size,
            kubelet_port,
            kubernetes_version,
            {f"node-role.kubernetes.io/{role}": ""},
        )
        for number, (name, zone, size, role) in enumerate(wanted)
    ]
    made[0]["spec"]["taints"] = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]
    return made


def load_node(number: int, kubelet_port: int, kubernetes_version: str) -> Object:
    """A large node that takes load pods only."""
    labels = {LOAD_LABEL: "true", "node-role.kubernetes.io/load": ""}
    zone = number % len(ZONES)
    node = _node(f"load-{number:04}", 256 + number, zone, _LOAD, kubelet_port, kubernetes_version, labels)
    node["spec"]["taints"] = [{"key": LOAD_LABEL, "value": "true", "effect": "NoSchedule"}]
    return node


def _node(
    name: str,
    number: int,
    zone: int,
    size: dict[str, str],
    kubelet_port: int,
    version: str,
    labels: dict[str, str],
) -> Object:
    """A node; `number` (below 16,384) gives its pods addresses that no other node's pods have."""
    machine_id = uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.sandbox.cluster-ui.dev").hex
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/os": "linux",
                "node.kubernetes.io/instance-type": f"sandbox-{size['cpu']}x{size['memory'].removesuffix('Gi')}",
                "topology.kubernetes.io/region": REGION,
                "topology.kubernetes.io/zone": ZONES[zone],
            }
            | labels,
            "annotations": {
                "kwok.x-k8s.io/node": "fake",
                "metrics.k8s.io/resource-metrics-path": f"/metrics/nodes/{name}/metrics/resource",
            },
        },
        "spec": {"podCIDR": f"10.{64 + number // 256}.{number % 256}.0/24"},
        "status": {
            # No Hostname: the API server would try to resolve it for logs.
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet_port}},
            "capacity": size,
            "allocatable": {key: _RESERVED.get(value, value) for key, value in size.items()},
            "nodeInfo": {
                "architecture": "amd64",
                "operatingSystem": "linux",
                "osImage": "Sandbox (simulated by kwok)",
                "kernelVersion": "6.12.0-sandbox",
                "containerRuntimeVersion": "kwok://0.8.0",
                "kubeletVersion": version,
                "kubeProxyVersion": "",
                "machineID": machine_id,
                "systemUUID": machine_id,
                "bootID": machine_id,
            },
        },
    }


def load_deployments(pods: int) -> list[Object]:
    """Deployments that together want `pods` pods."""
    sizes = [LOAD_PODS_PER_DEPLOYMENT] * (pods // LOAD_PODS_PER_DEPLOYMENT)
    if pods % LOAD_PODS_PER_DEPLOYMENT:
        sizes.append(pods % LOAD_PODS_PER_DEPLOYMENT)
    return [_load_deployment(f"load-{number:03}", size) for number, size in enumerate(sizes)]


def _load_deployment(name: str, replicas: int) -> Object:
    labels = {"app.kubernetes.io/name": "load", "app.kubernetes.io/instance": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels | {LOAD_LABEL: "true"}},
                "spec": {
                    "nodeSelector": {LOAD_LABEL: "true"},
                    "tolerations": [{"key": LOAD_LABEL, "operator": "Exists"}],
                    "automountServiceAccountToken": False,
                    "terminationGracePeriodSeconds": 1,
                    "containers": [
                        {
                            "name": "load",
                            "image": "registry.example/load:1.0",
                            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
                        }
                    ],
                },
            },
        },
    }
