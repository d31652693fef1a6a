"""Velero's backups as a real API server serves them, from its definition to its end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from dashboard.kube.config import load_clusters
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.session import Identity
from dashboard.live.veleros import KEY, VeleroBackups, velero_backups
from sandbox import Sandbox
from sandbox.api import ApiError

from .applications import definition, present
from .place import until

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest_asyncio.fixture
async def runtime(cluster: Sandbox) -> AsyncIterator[ClusterRuntime]:
    (found, *_) = load_clusters(
        environ={"KUBECONFIG": str(cluster.kubeconfig)}, sandbox_kubeconfig=cluster.kubeconfig
    )
    made = ClusterRuntime(found)
    yield made
    await made.close()
    if present(cluster.api(), f"{DEFINITIONS}/backups.velero.io"):
        cluster.api().delete(f"{DEFINITIONS}/backups.velero.io")


async def test_its_backups_come_with_its_kinds_and_go_with_them(
    cluster: Sandbox, runtime: ClusterRuntime, namespace: str
) -> None:
    api, session = cluster.api(), runtime.session(Identity("mara"))
    await runtime.discovery.known(timeout=60)
    assert KEY not in runtime.kinds and await velero_backups(session) == VeleroBackups()

    crd = definition("velero.io")
    crd["metadata"]["name"] = KEY
    crd["spec"]["names"] = {
        "plural": "backups",
        "singular": "backup",
        "kind": "Backup",
        "listKind": "BackupList",
    }
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["status"] = schema["properties"]["spec"]
    api.post(DEFINITIONS, crd)
    path = f"/apis/velero.io/v1/namespaces/{namespace}/backups"

    async def served() -> bool:
        try:
            return present(api, path) is not None
        except ApiError:  # its storage is being made
            return False

    await until(served)
    for name, at in (("a", "2026-11-27T01:00:00Z"), ("b", "2026-11-28T01:00:00Z"), ("c", "")):
        status = {"phase": "Completed", "startTimestamp": at} if at else {}
        api.post(path, {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": name},
                        "spec": {"includedNamespaces": ["shop"]}, "status": status})  # fmt: skip
    second = ClusterRuntime(runtime.cluster)  # as a server that starts now
    try:
        await second.discovery.known(timeout=60)
        found = await velero_backups(second.session(Identity("mara")))
        assert [(row.name, row.state) for row in found.rows] == [("c", "info"), ("b", "ok"), ("a", "ok")]
        assert found.good is not None and found.good.name == "b" and found.failure is None

        api.delete(f"{DEFINITIONS}/{KEY}")

        async def gone() -> bool:
            return present(api, path) is None

        await until(gone)
        assert await velero_backups(second.session(Identity("mara"))) == VeleroBackups()
    finally:
        await second.close()
