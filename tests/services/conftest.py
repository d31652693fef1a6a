"""A dashboard over a real PostgreSQL and a real Redis, with a cluster that is not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """The kubeconfig of a cluster whose API server nobody answers for."""
    path = tmp_path / "kubeconfig"
    cluster = {"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}
    context = {"name": "tests", "context": {"cluster": "c", "user": "u"}}
    path.write_text(
        json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "tests", "clusters": [cluster],
            "contexts": [context], "users": [{"name": "u", "user": {"token": "t"}}],
        })
    )  # fmt: skip
    return path
