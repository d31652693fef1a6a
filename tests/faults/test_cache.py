"""Leases start and stop reflectors, and an account without the whole cluster sees the namespaces that it may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from dashboard.cache.cluster import ClusterCache
from dashboard.cache.feed import Review
from dashboard.cache.reflector import ReflectorStatus
from dashboard.errors import Forbidden
from dashboard.kube import access
from dashboard.kube.transport import Transport
from dashboard.queries.access import Visible, visible

from .conftest import FAST
from .scripted import ScriptedServer, cluster_at, copied, thing_kind, until

KINDS = {
    "things": thing_kind(),
    "others": thing_kind("others"),
    "nodes": thing_kind("nodes", namespaced=False),
    "events": thing_kind("events"),
}
Make = Callable[..., ClusterCache]


@pytest_asyncio.fixture
async def make(server: ScriptedServer, transport: Transport) -> AsyncIterator[Make]:
    made: list[ClusterCache] = []

    def build(**options: Any) -> ClusterCache:
        options = {"timing": FAST, "review": Review(every=0.05, retry=0.02), "idle": 0.05, **options}
        made.append(ClusterCache(options.pop("transport", transport), KINDS, **options))
        return made[-1]

    yield build
    for cache in made:
        await cache.close()


@pytest.fixture(autouse=True)
def fresh_reviews(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rights change within milliseconds here, and so must what is remembered of them."""
    monkeypatch.setattr(access, "KEEP_SECONDS", 0.0)
    monkeypatch.setattr("dashboard.cache.namespaces.KEEP_SECONDS", 0.0)


async def test_nothing_is_asked_before_somebody_looks(server: ScriptedServer, make: Make) -> None:
    cache = make()
    await asyncio.sleep(0.02)
    assert server.requests == []
    assert cache.status("things").state == "starting"
    assert len(cache.store("things")) == 0


async def test_equal_leases_share_one_list_and_one_watch(server: ScriptedServer, make: Make) -> None:
    server.put("a")
    cache = make()
    leases = [cache.lease(["things"]) for _ in range(5)]
    await cache.synced(["things"], 60)
    assert cache.status("things").state == "live"
    assert copied(cache.store("things").values()) == server.state()
    assert (server.counted(watch=False), server.counted(watch=True)) == (1, 1)
    assert cache.scopes("things") is None
    for lease in leases:
        lease.release()


async def test_what_somebody_looks_at_is_listed_before_what_has_happened(
    server: ScriptedServer, make: Make
) -> None:
    for n in range(40):
        server.put(f"e{n}", plural="events")
        server.put(f"t{n}")
    cache = make(timing=replace(FAST, chunk=4))
    with cache.lease(KINDS, beside=True), cache.lease(["things"]):
        await cache.synced(KINDS, 30)
    listed = [each.path.rpartition("/")[2] for each in server.requests if "watch" not in each.query]
    listed = [plural for plural in listed if plural in KINDS]
    assert listed.count("things") == listed.count("events") == 10
    last_thing = max(at for at, plural in enumerate(listed) if plural == "things")
    assert listed.index("events") > last_thing, listed


async def test_fifteen_thousand_events_hold_nobody_up_and_are_read_once(
    server: ScriptedServer, make: Make
) -> None:
    chunk, events = 500, 15_000
    for n in range(events):
        server.put(f"e{n}", plural="events", told=False)
    server.put("first")
    server.put("node", "", plural="nodes")

    def listed(plural: str) -> list[int]:
        """Where among the requests its lists are."""
        return [
            at
            for at, each in enumerate(server.requests)
            if each.path.endswith(f"/{plural}") and "watch" not in each.query
        ]

    cache = make(timing=replace(FAST, chunk=chunk))
    with cache.lease(["things", "events"], beside=True):
        await until(lambda: len(listed("events")) > 3, "the Events are being read", seconds=60)
        assert listed("things") and max(listed("things")) < min(listed("events")), "the rest comes first"
        # In the middle of them somebody looks at another kind, and something changes.
        begun = len(listed("events"))
        with cache.lease(["nodes"]):
            await cache.synced(["nodes"], 60)
            assert len(cache.store("nodes")) == 1
        server.put("second")
        await until(lambda: len(cache.store("things")) == 2, "the change is known", seconds=60)
        meanwhile = len(listed("events"))
        assert begun < events // chunk and meanwhile < events // chunk, "they are still being read"
        assert len(cache.store("events")) < events
        await until(lambda: len(cache.store("events")) == events, "all Events are there", seconds=60)
        await until(lambda: cache.status("events").state == "live", "they are watched", seconds=60)
    assert len(listed("events")) == events // chunk, "each chunk once"
    assert len(listed("things")) == len(listed("nodes")) == 1


async def test_a_long_list_may_be_seen_as_far_as_it_is_read(server: ScriptedServer, make: Make) -> None:
    for number in range(20):
        server.put(f"node-{number:02}", "", plural="nodes")
    let_go = asyncio.Event()

    async def first(request: web.Request) -> web.StreamResponse:
        return server._list(dict(request.query), "nodes", "")

    async def second(request: web.Request) -> web.StreamResponse:
        await let_go.wait()
        return server._list(dict(request.query), "nodes", "")

    server.list_answers.extend([first, second])
    cache = make(timing=replace(FAST, chunk=10))
    with cache.lease(["nodes"]):
        assert not cache.begun("nodes")
        assert await visible(access.reviews_of(cache.transport), cache, "nodes") == Visible(frozenset())
        await cache.synced(["nodes"], 60, partly=True)
        assert len(cache.store("nodes")) == 10 and not cache.listed("nodes")
        assert await visible(access.reviews_of(cache.transport), cache, "nodes") == Visible()
        server.refused.add(("nodes", ""))
        seen = await visible(access.reviews_of(cache.transport), cache, "nodes")
        assert seen.denied is not None, "a part shows nobody what the whole would not"
        whole = asyncio.create_task(cache.synced(["nodes"], 60))
        await asyncio.sleep(0.05)
        assert not whole.done()
        let_go.set()
        await whole
        assert len(cache.store("nodes")) == 20 and cache.listed("nodes")


async def test_a_reflector_outlives_its_last_lease_for_a_while(server: ScriptedServer, make: Make) -> None:
    cache = make(idle=0.1)
    server.put("a")
    with cache.lease(["things"]):
        await cache.synced(["things"], 60)
    with cache.lease(["things"]):
        await asyncio.sleep(0.2)
        assert server.watchers == 1  # the second came in time
    assert server.counted(watch=False) == 1
    await until(lambda: server.watchers == 0, "stopped")
    await until(lambda: len(cache.store("things")) == 0, "emptied")
    with cache.lease(["things"]):
        await cache.synced(["things"], 60)
        assert copied(cache.store("things").values()) == server.state()


async def test_a_lease_released_twice_counts_once(server: ScriptedServer, make: Make) -> None:
    cache = make(idle=0.01)
    first, second = cache.lease(["things"]), cache.lease(["things"])
    first.release()
    first.release()
    await cache.synced(["things"], 60)
    await asyncio.sleep(0.05)
    assert server.watchers == 1
    second.release()


async def test_a_lease_taken_while_the_old_reflector_still_ends_gets_a_full_store(
    server: ScriptedServer, make: Make
) -> None:
    server.put("a")
    cache = make(idle=0)
    for _ in range(10):
        with cache.lease(["things"]):
            await cache.synced(["things"], 60)
            assert copied(cache.store("things").values()) == server.state()
        await asyncio.sleep(0)


async def test_an_unknown_plural_is_refused_and_holds_nothing(server: ScriptedServer, make: Make) -> None:
    cache = make()
    with pytest.raises(KeyError):
        cache.lease(["things", "unknown"])
    await asyncio.sleep(0.02)
    assert server.requests == []


async def test_status_changes_are_told_until_one_leaves(server: ScriptedServer, make: Make) -> None:
    told: list[tuple[str, str]] = []

    def note(plural: str, status: ReflectorStatus) -> None:
        told.append((plural, status.state))

    cache = make()
    leave = cache.on_status(note)
    with cache.lease(["things"]):
        await cache.synced(["things"], 60)
        assert told == [("things", "live")]
        await server.stop()
        await until(lambda: told[-1] == ("things", "reconnecting"), "the outage is told")
        leave()
        seen = len(told)
        await server.start()
        await until(lambda: cache.status("things").state == "live")
        assert len(told) == seen


async def test_synced_returns_when_the_cluster_cannot_be_reached(tmp_path: Path, make: Make) -> None:
    transport = Transport(cluster_at(tmp_path, "http://127.0.0.1:9"))
    cache = make(transport=transport)
    with cache.lease(["things"]):
        await asyncio.wait_for(cache.synced(["things"], 60), 5)
        status = cache.status("things")
        assert status.state == "reconnecting"
        assert "Connection refused at http://127.0.0.1:9" in status.reason
        assert cache.denied("things") is None
        assert cache.knows("things", "one") is False, "an empty store says nothing yet"
    await transport.close()


async def test_a_refused_cluster_wide_list_leads_to_the_namespaces_that_may_be_read(
    server: ScriptedServer, make: Make
) -> None:
    for namespace in ("one", "two", "three"):
        server.put(namespace, "", plural="namespaces")
        server.put("a", namespace)
    server.refused = {("things", ""), ("things", "three")}
    cache = make()
    with cache.lease(["things"]):
        await cache.synced(["things"], 60)
        assert cache.scopes("things") == frozenset({"one", "two"})
        await until(lambda: cache.knows("things", "two") is True)
        assert cache.knows("things", "three") is None
        assert copied(cache.store("things").values()) == server.state(namespaces=["one", "two"])
        assert cache.status("things").state == "live"
        assert cache.denied("things") is None
        server.put("b", "two")
        server.delete("a", "one")
        await until(lambda: copied(cache.store("things").values()) == server.state(namespaces=["one", "two"]))


async def test_where_namespaces_cannot_be_listed_those_of_the_settings_are_read(
    server: ScriptedServer, make: Make
) -> None:
    server.put("a", "team")
    server.put("a", "foreign")
    server.refused = {("things", ""), ("things", "foreign"), ("namespaces", "")}
    cache = make(namespaces=("team", "foreign"))
    with cache.lease(["things"]):
        await cache.synced(["things"], 60)
        assert cache.scopes("things") == frozenset({"team"})
        assert copied(cache.store("things").values()) == server.state(namespaces=["team"])


async def test_without_settings_the_contexts_own_namespace_is_read(
    server: ScriptedServer, make: Make, tmp_path: Path
) -> None:
    server.put("a", "mine")
    server.refused = {("things", ""), ("namespaces", "")}
    transport = Transport(cluster_at(tmp_path, server.url, namespace="mine"))
    cache = make(transport=transport)
    with cache.lease(["things"]):
        await cache.synced(["things"], 60)
        assert copied(cache.store("things").values()) == server.state()
    await cache.close()
    await transport.close()


async def test_what_may_be_read_nowhere_is_denied_and_does_not_raise(
    server: ScriptedServer, make: Make
) -> None:
    server.put("one", "", plural="namespaces")
    server.put("a", "one")
    server.refused = {("things", ""), ("things", "*"), ("nodes", "")}
    cache = make()
    with cache.lease(["things", "nodes", "others"]):
        await cache.synced(["things", "nodes", "others"], 60)
        for plural in ("things", "nodes"):
            assert cache.status(plural).state == "stopped"
            denied = cache.denied(plural)
            assert isinstance(denied, Forbidden)
            assert (denied.verb, denied.resource) == ("list", plural)
            assert "cannot list" in cache.status(plural).reason
        assert cache.scopes("things") == frozenset()
        assert (cache.knows("things", "one"), cache.knows("others", "one")) == (None, True)
        assert cache.status("others").state == "live"


async def test_rights_that_change_are_noticed_in_both_directions(server: ScriptedServer, make: Make) -> None:
    for namespace in ("one", "two"):
        server.put(namespace, "", plural="namespaces")
        server.put("a", namespace)
    server.refused = {("things", ""), ("things", "two")}
    cache = make()
    with cache.lease(["things"]):
        await cache.synced(["things"], 60)
        assert cache.scopes("things") == frozenset({"one"})
        server.refused = {("things", "")}
        await until(lambda: copied(cache.store("things").values()) == server.state(), "a namespace more")
        assert cache.scopes("things") == frozenset({"one", "two"})
        server.refused = set()
        await until(
            lambda: cache.scopes("things") is None and cache.status("things").state == "live", "everything"
        )
        assert copied(cache.store("things").values()) == server.state()
        server.refused = {("things", ""), ("things", "one")}
        server.cut()
        await until(lambda: cache.scopes("things") == frozenset({"two"}), "less again")
        await until(lambda: copied(cache.store("things").values()) == server.state(namespaces=["two"]))


async def test_a_namespace_made_later_is_read_and_one_that_is_gone_is_forgotten(
    server: ScriptedServer, make: Make
) -> None:
    server.put("one", "", plural="namespaces")
    server.put("a", "one")
    server.refused = {("things", "")}
    cache = make()
    with cache.lease(["things"]):
        await cache.synced(["things"], 60)
        server.put("two", "", plural="namespaces")
        server.put("b", "two")
        await until(lambda: cache.scopes("things") == frozenset({"one", "two"}))
        await until(lambda: copied(cache.store("things").values()) == server.state())
        server.delete("one", "", plural="namespaces")
        server.delete("a", "one", told=False)
        await until(lambda: cache.scopes("things") == frozenset({"two"}))
        await until(lambda: copied(cache.store("things").values()) == server.state())


async def test_not_more_namespaces_are_watched_than_the_limit_and_it_says_so(
    server: ScriptedServer, make: Make
) -> None:
    for number in range(9):
        server.put(f"ns-{number}", "", plural="namespaces")
    server.refused = {("things", "")}
    cache = make(review=Review(every=60, namespaces=4))
    with cache.lease(["things"]):
        await cache.synced(["things"], 60)
        await until(lambda: cache.status("things").state == "live")
        assert cache.scopes("things") == frozenset({"ns-0", "ns-1", "ns-2", "ns-3"})
        assert "5 more namespaces" in cache.status("things").reason


async def test_close_leaves_no_task_behind(server: ScriptedServer, make: Make) -> None:
    server.put("one", "", plural="namespaces")
    server.refused = {("things", "")}
    cache = make()
    cache.lease(KINDS)
    await asyncio.sleep(0.01)
    await cache.close()
    await until(lambda: server.watchers == 0)
    ours = [task for task in asyncio.all_tasks() if task.get_name().startswith(("feed", "resync"))]
    assert ours == []
