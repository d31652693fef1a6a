"""Backups that are begun on the page: made once and to their end, stopped, gone on with after a kill, and refused in
words.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyrage
import pytest
from asgiref.sync import sync_to_async

from dashboard.actions import cluster_backup as machine
from dashboard.actions.action import Actor
from dashboard.actions.cluster_backup import Asked, BackupOrder, backup_begin, backup_preview
from dashboard.actions.operation import Lost, operation_advance
from dashboard.actions.operations import LEASE_SECONDS, operation_resume, operation_stop, operations_claim
from dashboard.actions.problems import Unconfirmed, Unreasoned
from dashboard.actions.registry import action_of
from dashboard.actions.running import Nothing
from dashboard.errors import BadInput, NotFound
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Backup, Change, Operation
from dashboard.recovery.archive import ArchiveReader
from dashboard.recovery.storage import Pending, open_archive
from sandbox import Sandbox

from .place import Place, until

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

KEY = pyrage.x25519.Identity.generate()
CANARY = "canary-71c0e2"


@pytest.fixture
def store(settings: Any, tmp_path: Path) -> Path:
    settings.CLUSTER_UI_BACKUP_TO = str(tmp_path / "store")
    settings.CLUSTER_UI_BACKUP_RECIPIENTS = [str(KEY.to_public())]
    return tmp_path / "store"


@pytest.fixture
def order(cluster: Sandbox, transport: Transport, namespace: str, mara: Actor, store: Path) -> BackupOrder:
    """For a namespace with a ConfigMap and a Secret, everything in it."""
    place = Place(cluster, transport, namespace)
    named = {"metadata": {"name": "web"}}
    place.make("/api/v1/namespaces/{ns}/secrets", {**named, "stringData": {"password": CANARY}})
    place.make("/api/v1/namespaces/{ns}/configmaps", {**named, "data": {"a": "1"}})
    return BackupOrder(transport=transport, actor=mara, asked=Asked(namespaces=(namespace,), secrets=True))


def archives(store: Path) -> list[Path]:
    """What is in the storage."""
    return sorted(store.iterdir()) if store.is_dir() else []


async def begun(order: BackupOrder) -> Change:
    return await backup_begin(order, (await backup_preview(order)).token)


async def move(order: BackupOrder, holder: str = "a", now: datetime | None = None) -> None:
    for operation in await sync_to_async(operations_claim)(holder, now or datetime.now(UTC)):
        await operation_advance(
            action=action_of(operation.change), operation=operation, holder=holder,  # type: ignore[arg-type]
            transport=order.transport, objects=Nothing(), now=datetime.now(UTC),
        )  # fmt: skip


async def ended(order: BackupOrder, change: Change, holder: str = "a") -> Operation:
    async def done() -> bool:
        await move(order, holder)
        return (await Operation.objects.aget(change=change)).state != Operation.State.RUNNING

    await until(done, 120)
    return await Operation.objects.aget(change=change)


async def test_it_is_made_once_recorded_and_audited(order: BackupOrder, store: Path) -> None:
    shown = await backup_preview(order)
    assert shown.missing == () and shown.recipients == (str(KEY.to_public()),) and not archives(store)
    first, second = await asyncio.gather(*(backup_begin(order, shown.token) for _ in range(2)))
    assert first == second
    operation = await ended(order, first)
    assert operation.state == Operation.State.DONE
    (path,) = archives(store)
    assert path.name == operation.steps[0]["archive"] and path.name.endswith(".tar.zst.age")
    with open_archive(str(path)) as file, ArchiveReader(file, [KEY]) as reader:
        names = {(each.kind, each.name) for each in reader}
    assert {("Secret", "web"), ("ConfigMap", "web")} <= names
    row = await Backup.objects.aget()
    assert (row.state, row.by, row.name, row.secrets) == ("verified", "mara", path.name, True)
    assert f"{row.objects_count} objects" in operation.steps[0]["text"]
    audited = [each async for each in AuditEntry.objects.order_by("pk")]
    assert [(each.action, each.result, each.change_id) for each in audited] == [
        ("backup", "done", first.pk), ("backup", "done", first.pk),
    ]  # fmt: skip
    kept = [str(each) async for each in Change.objects.values_list()]
    kept += [str(each) async for each in Operation.objects.values_list()] + [each.detail for each in audited]
    assert CANARY not in "".join(kept) + path.read_bytes().decode(errors="replace")


def held(monkeypatch: pytest.MonkeyPatch, method: str) -> tuple[threading.Event, threading.Event]:
    """Lets no archive come further than that before the second event is set; the first says that one is there."""
    there, go = threading.Event(), threading.Event()
    real: Callable[[Pending], None] = getattr(Pending, method)

    def waits(self: Pending) -> None:
        there.set()
        go.wait(60)
        real(self)

    monkeypatch.setattr(Pending, method, waits)
    return there, go


@pytest.mark.parametrize("method", ["close", "publish"])
async def test_stopped_it_leaves_nothing_and_resumed_it_is_made(
    order: BackupOrder, store: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(machine, "LOOK_SECONDS", 0.05)
    change = await begun(order)
    with monkeypatch.context() as patch:
        there, go = held(patch, method)
        moving = asyncio.create_task(move(order))
        await asyncio.to_thread(there.wait, 60)
        await operation_stop(actor=order.actor, change=change)

        async def heard() -> bool:
            return any(task.cancelling() for task in asyncio.all_tasks())

        await until(heard)
        go.set()  # what a thread does of it comes to its end first
        with pytest.raises(Lost):
            await moving
    assert archives(store) == []
    row = await Backup.objects.aget()
    assert (row.state, row.error) == ("failed", machine.STOPPED)
    await operation_resume(transport=order.transport, actor=order.actor, change=change)
    assert (await ended(order, change)).state == Operation.State.DONE
    assert len(archives(store)) == 1


@pytest.mark.parametrize("published", [False, True])
async def test_after_a_kill_it_is_found_done_or_made_anew(
    order: BackupOrder, store: Path, monkeypatch: pytest.MonkeyPatch, published: bool
) -> None:
    change = await begun(order)

    class Killed(BaseException):
        pass

    async def dies(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        if published:
            patch.setattr(machine, "_followed", _then(machine._followed, Killed))
        else:
            patch.setattr(machine, "_followed", dies)
        with pytest.raises(Killed):
            await move(order)
    assert len(archives(store)) == published
    later = datetime.now(UTC) + timedelta(seconds=LEASE_SECONDS + 1)
    await move(order, "b", later)
    await ended(order, change, "b")
    operation = await Operation.objects.aget(change=change)
    assert operation.state == Operation.State.DONE, operation.steps
    (path,) = archives(store)
    rows = [(each.state, each.name) async for each in Backup.objects.order_by("pk")]
    assert rows == ([] if published else [("failed", "")]) + [("verified", path.name)]


def _then(work: Any, error: type[BaseException]) -> Any:
    async def wrapped(*given: Any) -> Any:
        await work(*given)
        raise error

    return wrapped


async def test_a_storage_that_fails_ends_it_in_words(order: BackupOrder, store: Path, settings: Any) -> None:
    change = await begun(order)
    settings.CLUSTER_UI_BACKUP_TO = "/proc/no-such-folder"
    operation = await ended(order, change)
    assert operation.state == Operation.State.STOPPED
    assert "can't be used" in operation.steps[0]["text"]
    assert [each.state async for each in Backup.objects.all()] == ["failed"]
    results = [each.result async for each in AuditEntry.objects.order_by("pk")]
    assert results == ["done", "failed"]
    settings.CLUSTER_UI_BACKUP_TO = str(store)
    await operation_resume(transport=order.transport, actor=order.actor, change=change)
    assert (await ended(order, change)).state == Operation.State.DONE


async def test_what_can_not_be_asked_is_refused(order: BackupOrder, store: Path, settings: Any) -> None:
    missing = replace(order, asked=replace(order.asked, namespaces=("no-such-namespace",)))
    with pytest.raises(NotFound, match="no namespace no-such-namespace"):
        await backup_preview(missing)
    with pytest.raises(BadInput, match="label selector"):
        await backup_preview(replace(order, asked=replace(order.asked, labels="a in (")))
    shown = await backup_preview(order)
    other = replace(order, asked=replace(order.asked, secrets=False))
    with pytest.raises(BadInput, match="not what the preview showed"):
        await backup_begin(other, shown.token)
    settings.CLUSTER_UI_PRODUCTION = [order.cluster.name]
    with pytest.raises(Unconfirmed):
        await backup_begin(order, shown.token)
    with pytest.raises(Unreasoned):
        await backup_begin(replace(order, confirm=order.cluster.name), shown.token)
    settings.CLUSTER_UI_BACKUP_RECIPIENTS = []
    with pytest.raises(BadInput, match="Secrets need a recipient") as caught:
        await backup_preview(order)
    assert "CLUSTER_UI_BACKUP_RECIPIENTS" in caught.value.next_step
    settings.CLUSTER_UI_BACKUP_TO = ""
    with pytest.raises(BadInput, match="No storage"):
        await backup_preview(order)
    assert not await Change.objects.aexists() and not archives(store)


async def test_what_an_account_may_not_list_is_told_before(
    order: BackupOrder, cluster: Sandbox, namespace: str
) -> None:
    """It acts with the account of whoever asks, and so does its step."""
    connection = order.cluster.connection
    user = f"system:serviceaccount:{namespace}:default"
    own = Transport(
        replace(order.cluster, connection=replace(connection, user={**connection.user, "as": user}))
    )
    try:
        shown = await backup_preview(replace(order, transport=own))
        assert {"configmaps", "secrets", "deployments.apps"} <= set(shown.missing)
    finally:
        await own.close()
