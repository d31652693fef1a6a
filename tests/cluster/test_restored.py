"""An etcd that is put back to an older snapshot under a running dashboard: resourceVersions go back, and a watch from
before would be silent for ever. Afterwards every copy is what a fresh list says, field by field.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from dashboard.cache.cluster import ClusterCache
from dashboard.cache.store import is_older
from dashboard.errors import ClusterError
from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport
from sandbox import Sandbox
from tests.conftest import sandbox_slot

from .place import until
from .test_transport import context

pytestmark = pytest.mark.cluster

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


async def listed(transport: Transport, plural: str) -> tuple[dict[tuple[str, str], Any], str]:
    kind = KINDS[plural]
    answer = await transport.request("GET", kind.gvr, query=kind.query, accept=kind.accept)
    found = kind.decode_list(answer.body)
    return {
        (each.metadata.namespace, each.metadata.name): each for each in found.items
    }, found.resource_version


class Compared:
    """A copy against a fresh list, field by field."""

    def __init__(self, cache: ClusterCache, plural: str) -> None:
        self.cache, self.plural = cache, plural
        self.differs = "not compared"

    async def exact(self) -> bool:
        """Whether the copy has the very fields of the list, and says that it is live; else ``differs`` says what not."""
        cache, plural = self.cache, self.plural
        try:
            fresh, _ = await listed(cache.transport, plural)
        except ClusterError as error:
            self.differs = error.message
            return False
        copy = {(each.metadata.namespace, each.metadata.name): each for each in cache.store(plural).values()}
        state = cache.status(plural).state
        differing = [
            f"{'/'.join(key)}: {_version(copy, key)} is {_version(fresh, key)}"
            for key in {**copy, **fresh}
            if copy.get(key) != fresh.get(key)
        ]
        self.differs = f"{state}; {differing[:5]}"
        return state == "live" and not differing

    async def wait(self, seconds: float) -> None:
        try:
            await until(self.exact, seconds)
        except TimeoutError:
            raise AssertionError(f"{self.plural}: {self.differs}") from None


def _version(found: dict[tuple[str, str], Any], key: tuple[str, str]) -> str:
    return found[key].metadata.resource_version if key in found else "none"


def keep(sandbox: Sandbox, name: str, **data: str) -> None:
    sandbox.api().post(CONFIGMAPS, {"metadata": {"name": name}, "data": data})


async def test_after_an_older_snapshot_every_copy_is_what_the_api_server_has(tmp_path: Path) -> None:
    with sandbox_slot() as sandbox:
        try:
            await restored(sandbox, tmp_path / "snapshot")
        finally:
            await asyncio.to_thread(sandbox.destroy)


async def restored(sandbox: Sandbox, snapshot: Path) -> None:
    await asyncio.to_thread(sandbox.destroy)
    await asyncio.to_thread(sandbox.up, samples=False)
    data = sandbox.folder / "etcd"
    keep(sandbox, "changed", key="old")
    keep(sandbox, "deleted")
    await asyncio.to_thread(sandbox.down)
    await asyncio.to_thread(shutil.copytree, data, snapshot)
    await asyncio.to_thread(sandbox.up, samples=False)
    sandbox.api().patch(f"{CONFIGMAPS}/changed", {"data": {"key": "new", "more": "x"}})
    sandbox.api().delete(f"{CONFIGMAPS}/deleted")
    keep(sandbox, "since")
    transport = Transport(context(sandbox.kubeconfig))
    cache = ClusterCache(transport, KINDS)
    states: dict[str, list[str]] = {}
    cache.on_status(lambda plural, status: states.setdefault(plural, []).append(status.state))
    try:
        with cache.lease(KINDS):
            await cache.synced(KINDS, 60)
            for plural in KINDS:
                await Compared(cache, plural).wait(60)
            before, _ = await listed(transport, "configmaps")
            await asyncio.to_thread(sandbox.down)
            await asyncio.to_thread(shutil.rmtree, data)
            await asyncio.to_thread(shutil.copytree, snapshot, data)
            await asyncio.to_thread(sandbox.up, samples=False)
            for plural in KINDS:
                await Compared(cache, plural).wait(120)
            fresh, _ = await listed(transport, "configmaps")
            changed = ("default", "changed")
            assert is_older(_version(fresh, changed), _version(before, changed)), "resourceVersions went back"
            names = {name for namespace, name in fresh if namespace == "default"}
            assert {"changed", "deleted"} <= names and "since" not in names
        for plural, seen in states.items():
            assert "reconnecting" in seen, f"{plural}: the outage was told"
            assert seen[-1] in ("live", "stopped"), plural
    finally:
        await cache.close()
        await transport.close()
