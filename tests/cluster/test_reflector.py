"""The cache against a real API server: every kind, real bookmarks, real refusals, and equality with a fresh list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from dashboard.cache.cluster import ClusterCache
from dashboard.cache.feed import Review
from dashboard.cache.reflector import Timing
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR
from dashboard.kube.config import Connection
from dashboard.kube.transport import Transport
from tests.faults.scripted import copied, until

from .test_transport import CONFIGMAPS, context, create, token

pytestmark = pytest.mark.cluster

ROLES = GVR("rbac.authorization.k8s.io", "v1", "roles")
BINDINGS = GVR("rbac.authorization.k8s.io", "v1", "rolebindings")


@pytest_asyncio.fixture
async def transport(cluster: Any) -> AsyncIterator[Transport]:
    made = Transport(context(cluster.kubeconfig))
    yield made
    await made.close()


@pytest_asyncio.fixture
async def cache(transport: Transport) -> AsyncIterator[ClusterCache]:
    made = ClusterCache(transport, KINDS, timing=Timing(chunk=20))
    yield made
    await made.close()


async def fresh(
    transport: Transport, plural: str, namespace: str | None = None
) -> dict[tuple[str, str], str]:
    kind = KINDS[plural]
    response = await transport.request(
        "GET", kind.gvr, namespace=namespace, query=kind.query, accept=kind.accept
    )
    return copied(kind.decode_list(response.body).items)


async def equal(cache: ClusterCache, plural: str, namespace: str | None = None) -> bool:
    """Whether the copy and a fresh list agree, asked again while the cluster itself moves."""
    within = None if namespace is None else frozenset((namespace,))
    for _ in range(20):
        listed = await fresh(cache.transport, plural, namespace)
        await asyncio.sleep(0.1)
        if copied(cache.store(plural).values(within)) == listed:
            return True
    return False


async def test_every_kind_is_live_and_equal_to_a_fresh_list(cache: ClusterCache) -> None:
    with cache.lease(KINDS):
        await cache.synced(KINDS, 30)
        for plural in KINDS:
            await until(lambda plural=plural: cache.status(plural).state == "live", plural)  # type: ignore[misc]
            assert cache.denied(plural) is None
            assert await equal(cache, plural), plural


async def test_creations_changes_and_deletions_arrive(cache: ClusterCache, namespace: str) -> None:
    with cache.lease(["configmaps"]):
        await cache.synced(["configmaps"], 30)
        for number in range(50):
            await create(cache.transport, namespace, CONFIGMAPS, f"cm-{number}", data={"k": "v"})
        for number in range(0, 50, 2):
            await cache.transport.request("DELETE", CONFIGMAPS, namespace=namespace, name=f"cm-{number}")
        await cache.transport.request(
            "PATCH",
            CONFIGMAPS,
            namespace=namespace,
            name="cm-1",
            body=msgspec.json.encode({"data": {"new": "x"}}),
            content_type="application/merge-patch+json",
        )
        assert await equal(cache, "configmaps", namespace)
        assert cache.store("configmaps").count(frozenset((namespace,))) >= 25


async def test_an_account_of_one_namespace_sees_that_one(transport: Transport, namespace: str) -> None:
    bearer = await token(transport, namespace)
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"]}]
    await create(transport, namespace, ROLES, "reader", rules=rules)
    await create(
        transport,
        namespace,
        BINDINGS,
        "reader",
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        subjects=[{"kind": "ServiceAccount", "name": "nobody", "namespace": namespace}],
    )
    connection = Connection(cluster=transport.cluster.connection.cluster, user={"token": bearer})
    limited = Transport(replace(transport.cluster, connection=connection, namespace=""))
    cache = ClusterCache(limited, KINDS, namespaces=(namespace, "default"), review=Review(every=1.0))
    try:
        with cache.lease(["configmaps", "secrets", "nodes"]):
            await cache.synced(["configmaps", "secrets", "nodes"], 30)
            await until(
                lambda: cache.scopes("configmaps") == frozenset((namespace,)), seconds=30
            )  # RBAC needs a moment
            await until(lambda: cache.status("configmaps").state == "live")
            assert copied(cache.store("configmaps").values()) == await fresh(
                transport, "configmaps", namespace
            )
            for plural in ("secrets", "nodes"):
                assert cache.status(plural).state == "stopped"
                assert cache.denied(plural) is not None
                assert len(cache.store(plural)) == 0
    finally:
        await cache.close()
        await limited.close()
