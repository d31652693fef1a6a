"""Which ConfigMaps are read because they changed elsewhere, and which are left out, with a word about it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from dashboard.actions.configmap_versions import versions_of
from dashboard.cache.store import Delta
from dashboard.errors import Forbidden, Unavailable
from dashboard.kinds.configmaps import CONFIGMAPS
from dashboard.live import versions as module
from dashboard.live.versions import LEADER, ROOT_CA, VersionRecorder

pytestmark = pytest.mark.django_db(transaction=True)


class Cluster:
    """A cluster with ConfigMaps of the namespace shop that a watch tells of, and that can be read."""

    def __init__(self) -> None:
        self.cluster = SimpleNamespace(name="dev")
        self.objects: dict[str, dict[str, Any]] = {}
        self.read: list[str] = []
        self.errors: list[Exception] = []
        self.hear: Any = None
        store = SimpleNamespace(subscribe=self._subscribe)
        cache = SimpleNamespace(
            store=lambda _: store, lease=lambda *_, **__: SimpleNamespace(release=lambda: None)
        )
        self.listed: bool | None = True
        reader = SimpleNamespace(
            all=lambda _: [self.typed(name) for name in self.objects], knows=lambda *_: self.listed
        )
        self.installation = SimpleNamespace(cache=cache, reader=reader, transport=self)

    def _subscribe(self, hear: Any) -> Any:
        self.hear = hear
        return lambda: None

    def typed(self, name: str) -> Any:
        return CONFIGMAPS.decode_object(json.dumps(self.objects[name]).encode())

    async def request(self, method: str, gvr: Any, *, namespace: str, name: str) -> Any:
        self.read.append(name)
        if self.errors:
            raise self.errors.pop(0)
        return SimpleNamespace(body=json.dumps(self.objects[name]).encode())

    def write(self, name: str = "settings", by: str = "kubectl-edit", *, note: str = "", **data: str) -> None:
        old = self.typed(name) if name in self.objects else None
        version = int(self.objects[name]["metadata"]["resourceVersion"]) + 1 if old else 1
        fields = {"f:data": {f"f:{key}": {} for key in data}}
        managed = [{"manager": by, "time": "2026-01-02T03:04:05Z", "fieldsV1": fields}]
        meta = {"name": name, "namespace": "shop", "uid": f"u-{name}", "resourceVersion": str(version)}
        meta |= {"managedFields": managed, "annotations": {note: "{}"} if note else {}}
        self.objects[name] = {"metadata": meta, "data": data}
        kind = "MODIFIED" if old else "ADDED"
        if self.hear:
            self.hear([Delta(kind, "shop", name, old, self.typed(name))])


@pytest.fixture
def cluster(settings: Any) -> Cluster:
    settings.CLUSTER_UI_CONFIGMAP_VERSIONS = True
    settings.CLUSTER_UI_CONFIGMAP_VERSIONS_HOURLY = 3
    return Cluster()


class Clock:
    at = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def recorder(
    cluster: Cluster, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[VersionRecorder]:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)
    made = VersionRecorder(cluster, clock=clock)  # type: ignore[arg-type]
    made.start()
    yield made
    await made.close()


async def settled(recorder: VersionRecorder) -> None:
    for _ in range(3000):
        if not recorder.busy:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it still reads")


async def kept(name: str = "settings") -> list[tuple[str, str]]:
    rows = await sync_to_async(versions_of)("dev", f"u-{name}")
    return [(one.by, one.keys.get("changed", [["", ""]])[0][0]) for one in rows[::-1]]


async def test_what_is_there_and_what_changes_elsewhere_is_kept(
    cluster: Cluster, recorder: VersionRecorder
) -> None:
    cluster.write(LOG="info")
    await settled(recorder)
    cluster.write(LOG="debug")
    await settled(recorder)
    assert await kept() == [("kubectl-edit", ""), ("kubectl-edit", "LOG")]
    assert recorder.left_out("u-settings", "shop", "settings") == ""
    cluster.write(LOG="debug", note="touched")
    await settled(recorder)
    assert cluster.read == ["settings"] * 2, "no value is another one"


async def test_known_ones_are_not_read_again_at_the_next_start(
    cluster: Cluster, recorder: VersionRecorder, clock: Clock
) -> None:
    cluster.write(LOG="info")
    await settled(recorder)
    await recorder.close()
    cluster.read.clear()
    cluster.write("other", A="1")
    again = VersionRecorder(cluster, clock=clock)  # type: ignore[arg-type]
    again.start()
    cluster.hear([Delta("ADDED", "shop", "settings", None, cluster.typed("settings"))])
    await settled(again)
    await again.close()
    assert cluster.read == ["other"]


async def test_root_certificates_and_leader_locks_are_left_out(
    cluster: Cluster, recorder: VersionRecorder
) -> None:
    cluster.write(ROOT_CA, **{"ca.crt": "x"})
    cluster.write("lock", note=LEADER)
    await settled(recorder)
    cluster.write("lock", note=LEADER, a="1")
    await settled(recorder)
    assert cluster.read == ["lock"]
    assert await kept(ROOT_CA) == await kept("lock") == []
    assert "certificate" in recorder.left_out(f"u-{ROOT_CA}", "shop", ROOT_CA)
    assert "leader" in recorder.left_out("u-lock", "shop", "lock")


async def test_who_writes_too_often_is_left_out_until_an_hour_has_passed(
    cluster: Cluster, recorder: VersionRecorder, clock: Clock
) -> None:
    for number in range(8):
        cluster.write(by="autoscaler", status=str(number))
        await settled(recorder)
    assert len(await kept()) == 5, "the first, and one more than there may be"
    assert "autoscaler wrote it more than 3 times" in recorder.left_out("u-settings", "shop", "settings")
    clock.at += timedelta(hours=1, seconds=1)
    assert recorder.left_out("u-settings", "shop", "settings") == ""
    cluster.write(by="autoscaler", status="last")
    await settled(recorder)
    assert len(await kept()) == 6


async def test_what_may_not_be_read_is_left_out_and_what_failed_is_read_again(
    cluster: Cluster, recorder: VersionRecorder
) -> None:
    cluster.errors = [Forbidden("no"), Unavailable("away")]
    cluster.write("secret", A="1")
    await settled(recorder)
    cluster.write(LOG="info")
    await settled(recorder)
    assert await kept("secret") == [] and len(await kept()) == 1
    assert cluster.read == ["secret", "settings", "settings"]


async def test_what_may_not_be_read_is_said_until_it_may(cluster: Cluster, recorder: VersionRecorder) -> None:
    cluster.errors = [Forbidden("no"), Forbidden("no")]
    cluster.write(A="1")
    await settled(recorder)
    assert "account may not get it" in recorder.left_out("u-settings", "shop", "settings")
    assert recorder.left_out("u-other", "shop", "other") == ""
    cluster.write(A="2")
    await settled(recorder)
    assert "account may not get it" in recorder.left_out("u-settings", "shop", "settings")
    cluster.write(A="3")
    await settled(recorder)
    assert recorder.left_out("u-settings", "shop", "settings") == "" and len(await kept()) == 1


async def test_what_fails_to_be_read_is_said_and_holds_up_no_other(
    cluster: Cluster, recorder: VersionRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.write("large", A="1")
    cluster.write(LOG="info")
    read = cluster.request

    async def request(*given: Any, name: str, **where: Any) -> Any:
        if name == "large":
            raise Unavailable("away")
        return await read(*given, name=name, **where)

    monkeypatch.setattr(cluster, "request", request)
    for _ in range(3000):
        if await kept() and recorder.left_out("u-large", "shop", "large"):
            break
        await asyncio.sleep(0.01)
    assert "it just failed to" in recorder.left_out("u-large", "shop", "large")
    assert len(await kept()) == 1
    monkeypatch.undo()
    await settled(recorder)
    assert recorder.left_out("u-large", "shop", "large") == ""


async def test_that_configmaps_may_not_be_listed_is_said(cluster: Cluster, recorder: VersionRecorder) -> None:
    cluster.listed = None
    assert "account can't list ConfigMaps" in recorder.left_out("u-settings", "shop", "settings")


async def test_without_the_setting_nothing_is_read(cluster: Cluster, settings: Any) -> None:
    settings.CLUSTER_UI_CONFIGMAP_VERSIONS = False
    recorder = VersionRecorder(cluster)  # type: ignore[arg-type]
    recorder.start()
    assert cluster.hear is None
    assert "only with the next one made here" in recorder.left_out("u", "shop", "settings")
    await recorder.close()
