"""The roles that people have where their rights are tested: those of deploy/rbac.yaml, put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

_FILE = Path(__file__).resolve().parents[2] / "deploy" / "rbac.yaml"
_RULES: dict[str, list[dict[str, Any]]] = {
    each["metadata"]["name"].removeprefix("cluster-ui-"): each["rules"]
    for each in yaml.safe_load_all(_FILE.read_text())
    if each["kind"] == "ClusterRole"
}
# Of the parts that each is made of; an administrator is the cluster's own ``cluster-admin``.
_PARTS: Mapping[str, Sequence[str]] = {
    "viewer": ("view",),
    "operator": ("view", "change"),
    "configurator": ("view", "change", "secrets", "objects"),
}
ROLES: Mapping[str, list[dict[str, Any]]] = {
    role: [rule for part in parts for rule in _RULES[part]] for role, parts in _PARTS.items()
} | {
    # Somebody who may read one kind alone: whatever else is told to them is too much.
    "narrow": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}],
}
