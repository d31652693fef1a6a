"""Simulated nodes of a test's own: nothing but the pods that are made for them runs there."""

from __future__ import annotations

import secrets
from typing import Any

from sandbox.api import Api

LABEL = "drained"  # on each of them, with the test's namespace


def make_node(api: Api, namespace: str, *, taint: str = "true") -> str:
    """The name of a new node; whoever makes one deletes it. ``taint``: the value of what keeps other pods away."""
    name = f"drain-{secrets.token_hex(4)}"
    size = {"cpu": "8", "memory": "16Gi", "pods": "110"}
    node = {
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, LABEL: namespace},
            "annotations": {"kwok.x-k8s.io/node": "fake"},
        },
        "spec": {
            # Without one its pods get no address, and don't start.
            "podCIDR": f"10.{200 + secrets.randbelow(50)}.{secrets.randbelow(250)}.0/24",
            "taints": [{"key": LABEL, "value": taint, "effect": "NoSchedule"}],
        },
        "status": {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "capacity": size,
            "allocatable": size,
        },
    }
    api.post("/api/v1/nodes", node)
    return name


def spec_for(namespace: str, node: str = "", **more: Any) -> dict[str, Any]:
    """A spec of pods for a node, or for any of them."""
    return {
        "nodeSelector": {"kubernetes.io/hostname": node} if node else {LABEL: namespace},
        "tolerations": [{"key": LABEL, "operator": "Exists"}],
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "app", "image": "app:1"}],
    } | more
