"""Tests know no cluster but those that they start."""

from __future__ import annotations

import os

from dashboard.kube.config import load_clusters
from dashboard.live.runtime import sandbox_endpoint, sandbox_kubeconfig


def test_a_test_sees_no_cluster_of_this_machine() -> None:
    """Neither ~/.kube/config nor the sandbox that `make run` has left, which may be there, or not, or be stopped."""
    found = load_clusters(
        environ=os.environ, sandbox_kubeconfig=sandbox_kubeconfig(), sandbox=sandbox_endpoint()
    )
    assert found == ()
