"""Objects as an API server gives them, for the tests of restoring."""

from __future__ import annotations

import copy
from typing import Any

Body = dict[str, Any]


def body(api_version: str, kind: str, name: str, *, namespace: str = "shop", **fields: Any) -> Body:
    """An object with everything that a server keeps of it."""
    metadata = {
        "name": name,
        **({"namespace": namespace} if namespace else {}),
        "uid": f"uid-of-{name}",
        "resourceVersion": "17",
        "creationTimestamp": "2026-11-01T10:00:00Z",
        "generation": 3,
        "managedFields": [{"manager": "helm"}],
        **fields.pop("metadata", {}),
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


SERVICE = body(
    "v1",
    "Service",
    "web",
    spec={
        "type": "NodePort",
        "clusterIP": "10.0.0.24",
        "clusterIPs": ["10.0.0.24"],
        "selector": {"app": "web"},
        "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP", "nodePort": 30080}],
    },
    status={"loadBalancer": {}},
)
CLAIM = body(
    "v1",
    "PersistentVolumeClaim",
    "data",
    metadata={
        "annotations": {
            "pv.kubernetes.io/bind-completed": "yes",
            "volume.kubernetes.io/selected-node": "worker-1",
            "team": "shop",
        },
        "finalizers": ["kubernetes.io/pvc-protection"],
    },
    spec={
        "volumeName": "pvc-1",
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    },
    status={"phase": "Bound"},
)
JOB = body(
    "batch/v1",
    "Job",
    "load",
    metadata={"labels": {"app": "load", "batch.kubernetes.io/controller-uid": "u"}},
    spec={
        "manualSelector": False,
        "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}},
        "template": {
            "metadata": {"labels": {"controller-uid": "u", "job-name": "load"}},
            "spec": {"containers": [{"name": "load", "image": "load:1"}], "restartPolicy": "Never"},
        },
    },
    status={"active": 1},
)
POD = body(
    "v1",
    "Pod",
    "alone",
    metadata={"labels": {"app": "alone", "pod-template-hash": "abc"}},
    spec={
        "nodeName": "worker-1",
        "priority": 0,
        "volumes": [{"name": "kube-api-access-x7x7x", "projected": {}}, {"name": "scratch", "emptyDir": {}}],
        "containers": [
            {
                "name": "c",
                "image": "c:1",
                "volumeMounts": [
                    {"name": "kube-api-access-x7x7x", "mountPath": "/var/run/secrets"},
                    {"name": "scratch", "mountPath": "/scratch"},
                ],
            }
        ],
    },
    status={"phase": "Running"},
)
NAMESPACE = body(
    "v1",
    "Namespace",
    "shop",
    namespace="",
    metadata={"labels": {"kubernetes.io/metadata.name": "shop", "team": "shop"}},
    spec={"finalizers": ["kubernetes"]},
    status={"phase": "Active"},
)


def again(one: Body, **metadata: Any) -> Body:
    """The same object as another server would have it: another identity."""
    made = copy.deepcopy(one)
    made["metadata"] |= {"uid": "other", "resourceVersion": "99", "generation": 1} | metadata
    return made
