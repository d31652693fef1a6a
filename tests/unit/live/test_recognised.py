"""A name that leads to another cluster: nothing is shown or recorded before it was asked which one it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async

from dashboard.errors import Unavailable
from dashboard.live import runtime as runtime_module
from dashboard.live.runtime import ClusterRuntime
from dashboard.models import SeenCluster

from .test_isolation import Api, Cache

pytestmark = pytest.mark.django_db(transaction=True)


class Named:
    """A cluster of one name; ``uid`` is what it tells of itself, None while it is away."""

    def __init__(self) -> None:
        self.uid: str | None = "u-1"
        self.opened: list[ClusterRuntime] = []
        self.begun: list[str] = []

    def open(self, server: str = "https://dev") -> ClusterRuntime:
        config: Any = SimpleNamespace(
            name="dev", slug="dev", server=server, namespace="", is_sandbox=True, source="sandbox", source_detail="",
            connection=None,
        )  # fmt: skip
        made: Any = ClusterRuntime(config)

        async def uid() -> str:
            if self.uid is None:
                raise Unavailable("It is away.")
            return self.uid

        made.uid = uid
        for each in ("timeline", "recorder", "hourly"):
            getattr(made, each).start = lambda each=each: self.begun.append(each)
        made.versions.start = made.discovery.start = lambda: None
        self.opened.append(made)
        return made


@pytest_asyncio.fixture
async def named(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Named]:
    monkeypatch.setattr(runtime_module, "Transport", lambda *_, **__: Api(None))
    monkeypatch.setattr(runtime_module, "ClusterCache", Cache)
    found = Named()
    yield found
    for each in found.opened:
        await each.close()


async def records(cluster: ClusterRuntime) -> str:
    await cluster.known()
    return cluster.timeline.context


async def test_what_is_recorded_goes_by_the_cluster_that_it_is(named: Named) -> None:
    assert await records(named.open()) == "dev"
    assert named.begun == ["timeline", "recorder", "hourly"]
    named.uid = "u-2"
    other = await records(named.open())
    assert other.startswith("dev") and other != "dev"
    named.uid = "u-1"
    assert await records(named.open("https://elsewhere")) == "dev"


async def test_nothing_from_before_a_cluster_was_created_is_its_own(
    named: Named, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = datetime(2026, 11, 28, 9, 42, tzinfo=UTC)

    async def birth(_: Any) -> tuple[str, datetime]:
        return "u-1", created

    monkeypatch.setattr(runtime_module, "birth_of_cluster", birth)
    cluster = named.open()
    del cluster.uid
    await cluster.known()
    assert (cluster.recognised.uid, cluster.recognised.since) == ("u-1", created)


async def test_while_it_does_not_answer_nothing_is_recorded_and_only_what_was_at_its_server_is_shown(
    named: Named, monkeypatch: pytest.MonkeyPatch
) -> None:
    await records(named.open())
    named.begun.clear()
    monkeypatch.setattr(runtime_module, "ASK_SECONDS", 0.01)
    named.uid = None
    assert await records(named.open()) == "dev"
    strange = named.open("https://elsewhere")
    assert await records(strange) != "dev"
    assert not named.begun and await sync_to_async(SeenCluster.objects.count)() == 1
    named.uid = "u-1"
    while len(named.begun) < 6:  # noqa: ASYNC110 # until both have answered
        await asyncio.sleep(0.01)
    assert strange.timeline.context == "dev"


async def test_one_that_was_made_anew_meanwhile_is_opened_anew(named: Named) -> None:
    cluster: Any = named.open()
    await cluster.known()
    cache = cluster.installation.cache
    assert cluster.is_of(cluster.cluster), "nothing else is known yet"
    cache.put("namespaces", {"metadata": {"name": "kube-system", "uid": "u-1"}})
    assert cluster.is_of(cluster.cluster)
    cache.put("namespaces", {"metadata": {"name": "kube-system", "uid": "u-2"}})
    assert not cluster.is_of(cluster.cluster)


async def test_whoever_waits_while_it_is_closed_waits_no_longer(named: Named) -> None:
    cluster: Any = named.open()

    async def uid() -> str:
        await asyncio.Event().wait()
        return ""

    cluster.uid = uid
    waiting = asyncio.create_task(cluster.known())
    await asyncio.sleep(0)
    await cluster.close()
    await asyncio.wait_for(waiting, 5)
