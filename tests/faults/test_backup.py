"""Backups of an API server that expires, refuses, is busy or goes: whole or not at all, with what is missing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from dashboard.errors import BadInput, Unavailable
from dashboard.kinds.base import GVR
from dashboard.kinds.tablekinds import Resource
from dashboard.kube.transport import Transport
from dashboard.recovery import create
from dashboard.recovery.archive import ArchiveReader, Entry
from dashboard.recovery.create import BackupRequest, backup_create
from dashboard.recovery.errors import SecretsNeedRecipient, StorageFull
from dashboard.recovery.storage import Storage, open_archive

from .scripted import ScriptedServer, failure

PLAIN = BackupRequest(without_secrets=True)
KINDS = {"things": "Thing", "configmaps": "ConfigMap", "events": "Event"}


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    async def discovered(transport: Transport) -> tuple[Resource, ...]:
        cluster = [("namespaces", "Namespace"), ("persistentvolumes", "PersistentVolume")]
        return (
            *(Resource(GVR("", "v1", plural), kind) for plural, kind in KINDS.items()),
            *(Resource(GVR("", "v1", plural, False), kind) for plural, kind in cluster),
        )

    monkeypatch.setattr(create, "discover", discovered)
    monkeypatch.setattr(create, "PAGE", 3)
    monkeypatch.setattr(create, "PAUSE_SECONDS", 0.01)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(str(tmp_path / "store"))


def read(url: str) -> tuple[list[Entry], create.Manifest]:
    with open_archive(url) as file, ArchiveReader(file) as reader:
        entries = list(reader)
        assert reader.manifest is not None
        return entries, reader.manifest


def left(storage: Storage) -> list[str]:
    """What is in the folder."""
    folder = Path(storage.url)
    return [each.name for each in folder.iterdir()] if folder.exists() else []


def names(entries: list[Entry], plural: str = "things") -> list[str]:
    return [each.name for each in entries if each.plural == plural]


async def test_in_pages_at_one_version(
    server: ScriptedServer, transport: Transport, storage: Storage
) -> None:
    for number in range(8):
        server.put(f"t{number}", "shop" if number % 2 else "blog")
    made = await backup_create(transport=transport, storage=storage, wanted=PLAIN)
    entries, manifest = read(made.url)
    assert sorted(names(entries)) == [f"t{number}" for number in range(8)]
    things = next(each for each in manifest.kinds if each.plural == "things")
    assert things.resource_version == str(server.revision)
    queries = [each.query for each in server.requests if each.path == "/api/v1/things"]
    assert [query.get("limit") for query in queries] == ["3", "3", "3"]
    assert "Events are history" in next(each.why for each in manifest.left_out if each.what == "events")
    assert not any(each.path == "/api/v1/events" for each in server.requests)


async def test_of_several_namespaces_at_the_version_of_the_first(
    server: ScriptedServer, transport: Transport, storage: Storage
) -> None:
    for number in range(6):
        server.put(f"t{number}", ("a", "b", "c")[number % 3])
    server.paths["/api/v1/namespaces/a/x"] = failure(404, "NotFound", "")
    wanted = BackupRequest(without_secrets=True, namespaces=("b", "a"))
    for name in ("a", "b", "kube-system"):
        server.paths[f"/api/v1/namespaces/{name}"] = _named(name, server)
    made = await backup_create(transport=transport, storage=storage, wanted=wanted)
    assert sorted(names(read(made.url)[0])) == ["t0", "t1", "t3", "t4"]
    asked = [each.query for each in server.requests if each.path.endswith("/things")]
    assert "resourceVersion" not in asked[0]
    assert (asked[1]["resourceVersion"], asked[1]["resourceVersionMatch"]) == (str(server.revision), "Exact")
    assert not any(each.path == "/api/v1/things" for each in server.requests)


def _named(name: str, server: ScriptedServer):
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith(f"/{name}"):
            return web.json_response({"metadata": {"name": name, "uid": f"uid-{name}"}})
        plural = request.path.rsplit("/", 1)[-1]
        return server._list(dict(request.query), plural, name)

    return answer


async def test_a_list_that_expires_begins_anew(
    server: ScriptedServer, transport: Transport, storage: Storage
) -> None:
    for number in range(5):
        server.put(f"t{number}")
    server.list_answers.extend([_nothing, _then_changes(server)])  # configmaps; the first page of things
    made = await backup_create(transport=transport, storage=storage, wanted=PLAIN)
    entries, manifest = read(made.url)
    assert sorted(names(entries)) == ["new", *(f"t{number}" for number in range(1, 5))]
    things = next(each for each in manifest.kinds if each.plural == "things")
    assert things.resource_version == str(server.revision), "nothing is of the first attempt"
    assert not manifest.incomplete


async def _nothing(request: web.Request) -> web.StreamResponse:
    return web.json_response({"metadata": {"resourceVersion": "1"}, "items": []})


def _then_changes(server: ScriptedServer):
    async def answer(request: web.Request) -> web.StreamResponse:
        page = server._list(dict(request.query), "things", "")
        server.delete("t0")
        server.put("new")
        server.expire_continue = True
        return page

    return answer


async def test_a_kind_whose_list_always_expires_is_named_as_missing(
    server: ScriptedServer, transport: Transport, storage: Storage
) -> None:
    for number in range(5):
        server.put(f"t{number}")

    async def expired(request: web.Request) -> web.StreamResponse:
        if "continue" in request.query:
            return await failure(410, "Expired", "too old")(request)
        return server._list(dict(request.query), "things", "")

    server.paths["/api/v1/things"] = expired
    made = await backup_create(transport=transport, storage=storage, wanted=PLAIN)
    entries, manifest = read(made.url)
    assert names(entries) == []
    assert [(each.what, each.why) for each in manifest.incomplete] == [
        ("things", "Its list expired each time before it was read to the end.")
    ]


async def test_what_may_not_be_listed_is_named_as_missing(
    server: ScriptedServer, transport: Transport, storage: Storage
) -> None:
    server.put("one")
    server.put("one", plural="configmaps")
    server.refused.add(("things", ""))
    made = await backup_create(transport=transport, storage=storage, wanted=PLAIN)
    entries, manifest = read(made.url)
    assert (names(entries), names(entries, "configmaps")) == ([], ["one"])
    (missing,) = manifest.incomplete
    assert missing.what == "things" and "forbidden" in missing.why.lower()


async def test_one_api_that_is_away_and_a_busy_one(
    server: ScriptedServer, transport: Transport, storage: Storage
) -> None:
    server.put("one", plural="configmaps")
    server.list_answers.append(failure(429, "TooManyRequests", "busy"))
    server.paths["/api/v1/things"] = failure(
        503, "ServiceUnavailable", "the server is currently unable to handle it"
    )
    made = await backup_create(transport=transport, storage=storage, wanted=PLAIN)
    entries, manifest = read(made.url)
    assert names(entries, "configmaps") == ["one"]
    assert [each.what for each in manifest.incomplete] == ["things"]


async def test_a_cluster_that_goes_leaves_no_archive(
    server: ScriptedServer, transport: Transport, storage: Storage
) -> None:
    for number in range(8):
        server.put(f"t{number}")

    stopping = []

    async def gone(request: web.Request) -> web.StreamResponse:
        stopping.append(asyncio.create_task(server.stop()))
        return server._list(dict(request.query), "things", "")

    server.paths["/api/v1/things"] = gone
    with pytest.raises(Unavailable):
        await backup_create(transport=transport, storage=storage, wanted=PLAIN)
    await asyncio.gather(*stopping)
    assert left(storage) == []


async def test_a_full_storage_leaves_nothing(
    server: ScriptedServer, transport: Transport, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(writer: object) -> None:
        raise OSError(28, "No space left on device")

    server.put("one")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageFull):
        await backup_create(transport=transport, storage=storage, wanted=PLAIN)
    assert left(storage) == []


async def test_objects_beyond_the_bounds_are_named_and_the_rest_is_whole(
    server: ScriptedServer, transport: Transport, storage: Storage
) -> None:
    deep: object = 1
    for _ in range(300):
        deep = [deep]
    server.put("deep", data=deep)
    server.put("flat")
    made = await backup_create(transport=transport, storage=storage, wanted=PLAIN)
    entries, manifest = read(made.url)
    assert names(entries) == ["flat"]
    (missing,) = manifest.incomplete
    assert missing.objects == 1 and "things/default/deep.json" in missing.why


async def test_large_pages_are_asked_for_in_smaller_ones(
    server: ScriptedServer, transport: Transport, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create, "PAGE_BYTES", 6000)
    for number in range(4):
        server.put(f"t{number}", data="x" * 4000)
    made = await backup_create(transport=transport, storage=storage, wanted=PLAIN)
    assert len(names(read(made.url)[0])) == 4


async def test_what_can_not_be_asked(server: ScriptedServer, transport: Transport, storage: Storage) -> None:
    with pytest.raises(SecretsNeedRecipient, match="Secrets need a recipient"):
        await backup_create(transport=transport, storage=storage, wanted=BackupRequest())
    with pytest.raises(BadInput, match="has no kind nosuch"):
        wanted = BackupRequest(without_secrets=True, exclude=frozenset({"nosuch"}))
        await backup_create(transport=transport, storage=storage, wanted=wanted)
    with pytest.raises(BadInput):
        await backup_create(
            transport=transport, storage=storage, wanted=BackupRequest(without_secrets=True, labels="a in")
        )
    assert left(storage) == []


async def test_no_managed_fields_are_kept(
    server: ScriptedServer, transport: Transport, storage: Storage
) -> None:
    server.put("one")
    server._objects["things", "default", "one"]["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    made = await backup_create(transport=transport, storage=storage, wanted=PLAIN)
    (entry,) = (each for each in read(made.url)[0] if each.plural == "things")
    assert b"managedFields" not in msgspec.json.encode(entry.body)
