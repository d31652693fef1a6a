"""A sandbox whose pods really run, for the tests of this folder: they want Linux, root and Debian's packages."""

from __future__ import annotations

import atexit
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dashboard.kube.config import load_clusters
from dashboard.kube.transport import Transport
from sandbox import Sandbox
from sandbox.binaries import cache_home
from sandbox.node.machine import impossible
from sandbox.node.programs import complete
from tests.cluster.conftest import mara, open_gate

from .pods import Pods

__all__ = ["mara", "open_gate"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    why_not = impossible()
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.real)
            if why_not:
                item.add_marker(pytest.mark.skip(reason=why_not))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Sandbox]:
    """One with a real node, made anew, and gone when the session ends; with CLUSTER_UI_KEEP_TEST_SANDBOX=1 it stays.

    The node is bare where `make real` has not built the rest: one pod runs without.
    """
    home = cache_home().with_name("test-sandboxes")
    home.mkdir(parents=True, exist_ok=True)
    keep = os.environ.get("CLUSTER_UI_KEEP_TEST_SANDBOX") == "1"
    bare = not complete(cache_home())
    sandbox = Sandbox("cluster-ui-tests-real", home, context="tests", real_node=True, bare=bare)
    with (home / "real.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one machine, one run at a time
        if not keep:
            atexit.register(sandbox.destroy)
            sandbox.destroy()
        sandbox.up(samples=False)
        yield sandbox
        if not keep:
            sandbox.destroy()
            atexit.unregister(sandbox.destroy)


@pytest.fixture
async def transport(cluster: Sandbox) -> AsyncIterator[Transport]:
    (found, *_) = load_clusters(
        environ={"KUBECONFIG": str(cluster.kubeconfig)}, sandbox_kubeconfig=cluster.kubeconfig
    )
    made = Transport(found)
    yield made
    await made.close()


@pytest.fixture
async def pods(cluster: Sandbox, transport: Transport, namespace: str) -> Pods:
    """A namespace whose pods are told to run on the real node."""
    return Pods(cluster, transport, namespace)
