"""The roles that people have where every route is asked: those of deploy/roles.yaml, and two others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

_FILE = Path(__file__).resolve().parents[2] / "deploy" / "roles.yaml"
ROLES: Mapping[str, list[dict[str, Any]]] = {
    each["metadata"]["name"].removeprefix("cluster-ui-"): each["rules"]
    for each in yaml.safe_load_all(_FILE.read_text())
    if each["kind"] == "ClusterRole"
} | {
    # Somebody who may read all of it, and so backups too, and let Velero restore; nothing is written as them.
    "reader": [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["velero.io"], "resources": ["restores"], "verbs": ["create"]},
    ],
    # Somebody who may read one kind alone: whatever else is told to them is too much.
    "narrow": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}],
}
