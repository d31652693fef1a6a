"""What controllers make again is left out; what people made is not, however alike it looks."""

from __future__ import annotations

import pytest

from dashboard.recovery.selection import derived


def owned(kind: str, controller: bool = True, version: str = ""):
    owner = {"apiVersion": version, "kind": kind, "name": "y", "controller": controller}
    return {"name": "x", "ownerReferences": [owner]}


MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
AUTOMANAGED = "kube-aggregator.kubernetes.io/automanaged"
APISERVICES = "apiservices.apiregistration.k8s.io"
SLICES = "endpointslices.discovery.k8s.io"
LEVELS = "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io"


@pytest.mark.parametrize(
    ("key", "metadata", "out"),
    [
        ("pods", {"name": "x"}, False),
        ("pods", owned("ReplicaSet"), True),
        ("pods", owned("SomeOperatorsKind"), True),
        ("pods", owned("ConfigMap", controller=False), False),
        ("replicasets.apps", owned("Deployment"), True),
        ("replicasets.apps", owned("Deployment", version="apps/v1"), True),
        ("replicasets.apps", owned("Deployment", version="clones.example.com/v1"), False),
        ("replicasets.apps", owned("Rollout"), False),
        ("jobs.batch", owned("CronJob"), True),
        ("jobs.batch", owned("CronJob", version="clones.example.com/v1"), False),
        ("jobs.batch", {"name": "x"}, False),
        ("controllerrevisions.apps", owned("StatefulSet"), True),
        ("secrets", owned("Cluster"), False),
        ("secrets", owned("Secret", controller=False) | {"labels": {"cluster-ui.dev/backup-of": "u1"}}, True),
        ("persistentvolumeclaims", owned("StatefulSet"), False),
        (SLICES, {"name": "x", "labels": {MANAGED_BY: "endpointslice-controller.k8s.io"}}, True),
        (SLICES, {"name": "x", "labels": {MANAGED_BY: "us"}}, False),
        (SLICES, {"name": "x"}, False),
        ("endpoints", {"name": "x", "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": ""}}, True),
        ("endpoints", {"name": "x"}, False),
        ("configmaps", {"name": "kube-root-ca.crt"}, True),
        ("configmaps", {"name": "settings"}, False),
        (APISERVICES, {"name": "v1.", "labels": {AUTOMANAGED: "onstart"}}, True),
        (APISERVICES, {"name": "v1beta1.metrics.k8s.io"}, False),
        (LEVELS, {"name": "x", "annotations": {"apf.kubernetes.io/autoupdate-spec": "true"}}, True),
        (LEVELS, {"name": "x", "annotations": {"apf.kubernetes.io/autoupdate-spec": "false"}}, False),
        ("things.example.com", owned("Thing"), False),
    ],
)  # fmt: skip
def test_what_is_left_out(key, metadata, out):
    assert bool(derived(key, {"metadata": metadata})) is out
