"""What a real node brings into the cluster: how pods come to it, its DNS, its storage, its ingress controller."""

from typing import Any

Object = dict[str, Any]

NODE = "real"
SECOND = "real-2"  # for what goes from one to the other, as pods do in a drain
NODES = (NODE, SECOND)
LABEL = "sandbox.cluster-ui.dev/node"
DNS = "10.0.0.10"
SERVICES = "10.0.0.0/24"  # the API server's default range
API = "10.0.0.1"  # the Service `kubernetes`, its first address
RUNTIME_CLASS = "real"
EITHER = "real-either"  # the RuntimeClass of pods that may run on either
EITHER_LABEL = "sandbox.cluster-ui.dev/real"
STORAGE_CLASS = "local-path"
INGRESS_CLASS = "traefik"
VOLUMES_NAMESPACE = "local-path-storage"
VOLUMES_CONFIG = "local-path-config"


def taint(node: str) -> Object:
    return {"key": LABEL, "value": node, "effect": "NoSchedule"}


def plumbing(address: str) -> dict[str, Object]:
    """The objects by API path; `address` is the node's."""
    return {
        "/apis/node.k8s.io/v1/runtimeclasses/real": {
            "apiVersion": "node.k8s.io/v1",
            "kind": "RuntimeClass",
            "metadata": {"name": RUNTIME_CLASS},
            "handler": "runc",
            "scheduling": {
                "nodeSelector": {LABEL: NODE},
                "tolerations": [taint(NODE) | {"operator": "Equal"}],
            },
        },
        f"/apis/node.k8s.io/v1/runtimeclasses/{EITHER}": {
            "apiVersion": "node.k8s.io/v1",
            "kind": "RuntimeClass",
            "metadata": {"name": EITHER},
            "handler": "runc",
            "scheduling": {
                "nodeSelector": {EITHER_LABEL: "true"},
                "tolerations": [{"key": LABEL, "operator": "Exists", "effect": "NoSchedule"}],
            },
        },
        "/api/v1/namespaces/kube-system/services/kube-dns": {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "kube-dns",
                "namespace": "kube-system",
                "labels": {"k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS"},
            },
            "spec": {
                "clusterIP": DNS,
                "ports": [
                    {"name": "dns", "port": 53, "protocol": "UDP"},
                    {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
                ],
            },
        },
        "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns-real": {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": "kube-dns-real",
                "namespace": "kube-system",
                "labels": {
                    "kubernetes.io/service-name": "kube-dns",
                    "endpointslice.kubernetes.io/managed-by": "sandbox",
                },
            },
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP"},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
            ],
        },
        f"/api/v1/namespaces/{VOLUMES_NAMESPACE}": {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": VOLUMES_NAMESPACE},
        },
        f"/api/v1/namespaces/{VOLUMES_NAMESPACE}/configmaps/{VOLUMES_CONFIG}": {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": VOLUMES_CONFIG, "namespace": VOLUMES_NAMESPACE},
            "data": {
                "setup": '#!/bin/sh\nset -eu\nmkdir -m 0777 -p "$VOL_DIR"\n',
                "teardown": '#!/bin/sh\nset -eu\nrm -rf "$VOL_DIR"\n',
            },
        },
        f"/apis/storage.k8s.io/v1/storageclasses/{STORAGE_CLASS}": {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            # Not as hostPath, its default, of which a kubelet doesn't tell how full it is.
            "metadata": {"name": STORAGE_CLASS, "annotations": {"defaultVolumeType": "local"}},
            "provisioner": "rancher.io/local-path",
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "WaitForFirstConsumer",
        },
        f"/apis/networking.k8s.io/v1/ingressclasses/{INGRESS_CLASS}": {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": INGRESS_CLASS},
            "spec": {"controller": "traefik.io/ingress-controller"},
        },
    }
