"""Velero's Backups, Schedules and Restores made by the forms of the page of recovery, on a real API server with Velero's
own definitions. What Velero's controllers do, these tests write.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.test import AsyncClient

from dashboard.actions import velero_restore as machine
from dashboard.actions.action import Actor
from dashboard.actions.operation import operation_advance
from dashboard.actions.operations import LEASE_SECONDS, operation_stop, operations_claim
from dashboard.actions.problems import Unconfirmed, Unreasoned
from dashboard.actions.registry import action_of
from dashboard.actions.running import Nothing
from dashboard.actions.undo import change_undo_apply, change_undo_preview
from dashboard.actions.velero_restore import Asked, VeleroOrder, velero_begin, velero_preview
from dashboard.errors import BadInput, Conflict, Forbidden, Invalid
from dashboard.kinds.catalogue import Kinds
from dashboard.kube.discovery import discover
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change, Operation
from dashboard.views import backup, recovery
from sandbox import Sandbox
from tests.formed import Script, open_creation

from .applications import present
from .place import Place, on, rule, until
from .velerokinds import DEFINED, define, undefine

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

VELERO = "/apis/velero.io/v1/namespaces/{ns}"


@pytest.fixture(scope="module", autouse=True)
def kinds(cluster: Sandbox) -> Iterator[None]:
    undefine(cluster.api())
    define(cluster.api())
    yield
    undefine(cluster.api())


class Velero(Place):
    """A namespace in which Velero is, with a completed backup of shop and blog."""

    def __init__(self, cluster: Sandbox, transport: Transport, namespace: str) -> None:
        super().__init__(cluster, transport, namespace)
        self.made = self.backup("nightly-1")

    def path(self, plural: str, name: str = "") -> str:
        return f"{VELERO.format(ns=self.namespace)}/{plural}{f'/{name}' if name else ''}"

    def backup(self, name: str, phase: str = "Completed", **status: Any) -> dict[str, Any]:
        spec = {"includedNamespaces": ["shop", "blog"], "storageLocation": "default", "ttl": "720h0m0s"}
        return self.api.post(self.path("backups"), {
            "apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": name}, "spec": spec,
            "status": {"phase": phase, "startTimestamp": "2026-11-28T02:00:00Z"} | status,
        })  # fmt: skip

    def reports(self, name: str, phase: str, **status: Any) -> None:
        """What Velero's controller writes of a Restore."""
        self.api.patch(self.path("restores", name), {"status": {"phase": phase} | status})

    def restore(self, name: str = "back") -> dict[str, Any] | None:
        return present(self.api, self.path("restores", name))

    def order(self, who: Actor, **asked: Any) -> VeleroOrder:
        wanted = {"name": "back", "home": self.namespace, "backup": "nightly-1"} | asked
        return VeleroOrder(transport=self.transport, actor=who, asked=Asked(**wanted))

    async def script(
        self, monkeypatch: pytest.MonkeyPatch, page: str, transport: Transport | None = None, **typed: str
    ) -> Script:
        """Whoever posts to one of the forms."""
        client = AsyncClient()
        await client.aforce_login((await User.objects.aget_or_create(username="mara"))[0])
        found = Kinds()
        found.learn(await discover(self.transport))
        session = open_creation(monkeypatch, transport or self.transport, Nothing(), found)
        screen = SimpleNamespace(session=session, home=self.namespace, backups=[], namespaces=[])

        @asynccontextmanager
        async def listing(*_: object) -> AsyncIterator[None]:
            yield

        for module, name in ((backup, "BackupFormScreen"), (recovery, "VeleroFormScreen")):
            monkeypatch.setattr(module, name, lambda *_: screen)
            monkeypatch.setattr(module, "listing", listing)
        return Script(client, f"/c/tests/recovery/{page}/", {"home": self.namespace, **typed})


@pytest.fixture
def velero(cluster: Sandbox, transport: Transport, namespace: str) -> Velero:
    return Velero(cluster, transport, namespace)


async def move(velero: Velero, holder: str = "a", now: datetime | None = None) -> None:
    now = now or datetime.now(UTC)
    for operation in await sync_to_async(operations_claim)(holder, now):
        await operation_advance(
            action=action_of(operation.change), operation=operation, holder=holder,  # type: ignore[arg-type]
            transport=velero.transport, objects=Nothing(), now=now,
        )  # fmt: skip


async def ended(velero: Velero, change: Change, holder: str = "a") -> Operation:
    async def done() -> bool:
        await move(velero, holder)
        return (await Operation.objects.aget(change=change)).state != Operation.State.RUNNING

    await until(done)
    return await Operation.objects.aget(change=change)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LOOK_SECONDS", 0.0)


def test_the_definitions_are_veleros_where_its_module_can_be_had(cluster: Sandbox) -> None:
    if not DEFINED.of_the_module:
        pytest.skip("no Go, or no way to Velero's module: a stand-in takes whatever is sent")
    served = cluster.api().get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/restores.velero.io")
    spec = served["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert {"backupName", "namespaceMapping", "existingResourcePolicy", "restorePVs", "labelSelector"} <= set(
        spec
    )


async def test_a_restore_is_previewed_made_and_followed_to_its_end(
    velero: Velero, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = await velero.script(
        monkeypatch, "restore", by="velero", backup="nightly-1", name="back", namespace="shop", into="shop-two",
        labels="app=web,!old", conflict="update", volumes="true",
    )  # fmt: skip
    shown = await script.preview()
    assert shown["token"] and "velero restore create back" in shown["kubectl"]
    assert "shop:shop-two" in shown["kubectl"] and "Velero restores shop" in shown["headline"]
    assert any("shop is restored as shop-two" in each["text"] for each in shown["said"])
    assert velero.restore() is None, "a preview creates nothing"

    answer = await script.apply(shown["token"])
    assert (await script.apply(shown["token"]))["change"] == answer["change"], "once"
    change = await Change.objects.aget(pk=answer["change"])
    assert (change.plural, change.namespace, change.name) == ("restores.velero.io", velero.namespace, "back")
    await move(velero)
    made = velero.restore()
    assert made is not None
    assert made["spec"] == {
        "backupName": "nightly-1", "includedNamespaces": ["shop"], "namespaceMapping": {"shop": "shop-two"},
        "labelSelector": {"matchExpressions": [
            {"key": "app", "operator": "In", "values": ["web"]}, {"key": "old", "operator": "DoesNotExist"},
        ]},
        "existingResourcePolicy": "update", "restorePVs": True,
    }  # fmt: skip

    velero.reports("back", "InProgress", progress={"itemsRestored": 3, "totalItems": 7})
    await move(velero)
    operation = await Operation.objects.aget(change=change)
    assert operation.steps[1]["state"] == "running" and "3 of 7 objects" in operation.steps[1]["text"]
    velero.reports("back", "Completed", progress={"itemsRestored": 7, "totalItems": 7})
    operation = await ended(velero, change)
    assert (operation.state, operation.steps[1]["state"]) == (Operation.State.DONE, "done")
    told = [(each.action, each.result) async for each in AuditEntry.objects.order_by("pk")]
    assert told == [("velero-restore", "done")] * 2
    last = await AuditEntry.objects.alatest("pk")
    assert "nightly-1 into shop-two" in last.detail and "7 of 7 objects" in last.detail


@pytest.mark.parametrize(
    ("phase", "status", "said"),
    [
        ("PartiallyFailed", {"errors": 2, "warnings": 1}, "2 errors"),
        ("Failed", {"failureReason": "no such location"}, "no such location"),
        ("FailedValidation", {"validationErrors": ["backup is gone"]}, "backup is gone"),
    ],
)
async def test_what_velero_could_not_do_is_told(
    velero: Velero, mara: Actor, phase: str, status: dict[str, Any], said: str
) -> None:
    order = velero.order(mara)
    change = await velero_begin(order, (await velero_preview(order)).token)
    await move(velero)
    velero.reports("back", phase, **status)
    operation = await ended(velero, change)
    assert operation.state == Operation.State.STOPPED and said in operation.steps[1]["text"]
    assert (await AuditEntry.objects.alatest("pk")).result == "failed"


async def test_one_that_is_deleted_meanwhile_ends_it(velero: Velero, mara: Actor) -> None:
    order = velero.order(mara)
    change = await velero_begin(order, (await velero_preview(order)).token)
    await move(velero)
    velero.api.delete(velero.path("restores", "back"))
    operation = await ended(velero, change)
    assert "was deleted before its end" in operation.steps[1]["text"]


async def test_stopped_it_goes_on_in_the_cluster(velero: Velero, mara: Actor) -> None:
    order = velero.order(mara)
    change = await velero_begin(order, (await velero_preview(order)).token)
    await move(velero)
    await operation_stop(actor=mara, change=change)
    assert velero.restore() is not None
    assert "Stopped here, it goes on in the cluster" in machine.VELERO_RESTORE.way_back(change)


async def test_after_a_kill_the_restore_that_was_made_is_followed(
    velero: Velero, mara: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = velero.order(mara)
    change = await velero_begin(order, (await velero_preview(order)).token)
    real = machine._sent

    class Killed(BaseException):
        pass

    async def dies(*given: Any, **options: Any) -> Any:
        await real(*given, **options)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(machine, "_sent", dies)
        with pytest.raises(Killed):
            await move(velero)
    first = velero.restore()
    assert first is not None
    velero.reports("back", "Completed")
    later = datetime.now(UTC) + timedelta(seconds=LEASE_SECONDS + 1)
    await move(velero, "b", later)
    operation = await ended(velero, change, "b")
    assert operation.state == Operation.State.DONE, operation.steps
    again = velero.restore()
    assert again is not None and again["metadata"]["uid"] == first["metadata"]["uid"]


async def test_a_name_that_is_taken_is_refused(velero: Velero, mara: Actor) -> None:
    order = velero.order(mara)
    token = (await velero_preview(order)).token
    velero.api.post(velero.path("restores"), order.asked.manifest)
    with pytest.raises(Conflict):
        await velero_preview(order)
    with pytest.raises(Conflict):
        await velero_begin(order, token)
    assert not await Change.objects.aexists()


async def test_a_backup_that_is_another_one_by_now_is_not_restored(velero: Velero, mara: Actor) -> None:
    order = velero.order(mara)
    token = (await velero_preview(order)).token
    velero.api.delete(velero.path("backups", "nightly-1"))
    with pytest.raises(BadInput, match="no backup nightly-1"):
        await velero_begin(order, token)
    velero.backup("nightly-1")
    with pytest.raises(BadInput, match="not what the preview showed"):
        await velero_begin(order, token)
    other = replace(order, asked=replace(order.asked, update=True))
    with pytest.raises(BadInput, match="not what the preview showed"):
        await velero_begin(other, (await velero_preview(order)).token)
    assert velero.restore() is None and not await Change.objects.aexists()


async def test_what_can_not_be_restored_is_refused_in_words(velero: Velero, mara: Actor) -> None:
    for phase in ("InProgress", "Failed", "Deleting"):
        velero.backup(phase.lower(), phase)
        with pytest.raises(BadInput, match="can't be restored"):
            await velero_preview(velero.order(mara, backup=phase.lower()))
    with pytest.raises(BadInput, match="not in this backup"):
        await velero_preview(velero.order(mara, namespaces=("other",)))
    with pytest.raises(BadInput, match="not chosen"):
        await velero_preview(velero.order(mara, namespaces=("shop",), maps={"blog": "blog-two"}))
    for chosen in ((), ("shop", "blog")):
        with pytest.raises(BadInput, match="would collide"):
            await velero_preview(velero.order(mara, namespaces=chosen, maps={"shop": "blog"}))
    with pytest.raises(BadInput, match="label selector"):
        await velero_preview(velero.order(mara, labels="size>3"))
    velero.backup("partly", "PartiallyFailed", errors=1)
    assert (await velero_preview(velero.order(mara, backup="partly"))).backup.state == "warn"


async def test_in_production_a_reason_and_the_name_are_asked(
    velero: Velero, mara: Actor, settings: Any
) -> None:
    settings.CLUSTER_UI_PRODUCTION = [velero.transport.cluster.name]
    for namespaces, typed in ((("shop",), "shop"), ((), velero.transport.cluster.name)):
        order = velero.order(mara, namespaces=namespaces, name=f"back-{len(namespaces)}")
        shown = await velero_preview(order)
        assert shown.to_confirm == typed
        with pytest.raises(Unconfirmed, match=f"Type {typed}"):
            await velero_begin(order, shown.token)
        with pytest.raises(Unreasoned):
            await velero_begin(replace(order, confirm=typed), shown.token)
        await velero_begin(replace(order, confirm=typed, reason="a drill"), shown.token)


async def test_whoever_may_not_is_told_which_right_is_missing_and_that_is_audited(
    velero: Velero, mara: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = {"by": "velero", "backup": "nightly-1", "name": "back"}
    async with velero.restricted(rule("velero.io", "backups", "get", "list")) as transport:
        script = await velero.script(monkeypatch, "restore", transport, **typed)

        async def refused() -> bool:
            status, answer = await script.post(step="preview")
            return status == 403 and "restores" in answer["error"]["text"]

        await until(refused)
        own = await velero.script(monkeypatch, "restore", **typed)
        token = (await own.preview())["token"]
        script = await velero.script(monkeypatch, "restore", transport, **typed)
        status, answer = await script.post(step="apply", token=token)
        assert status == 403, answer
    entry = await AuditEntry.objects.aget()
    assert (entry.user_name, entry.action, entry.result) == ("mara", "restore", "refused")
    assert velero.restore() is None and not await Change.objects.aexists()


async def test_a_policy_refuses_in_the_preview(velero: Velero, mara: Actor) -> None:
    order = velero.order(mara)

    async def probe() -> None:
        await velero_preview(order)

    asked = on("CREATE", "velero.io", "restores")
    async with velero.refusing(asked, expression="false", message="no restores today", probe=probe) as said:
        assert "no restores today" in said
        with pytest.raises(Invalid, match="no restores today"):
            await velero_preview(order)


async def test_a_quota_refuses_before_anything_is_begun(velero: Velero, mara: Actor) -> None:
    order = velero.order(mara)
    token = (await velero_preview(order)).token
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"count/restores.velero.io": "0"}}}
    velero.make("/api/v1/namespaces/{ns}/resourcequotas", quota)

    async def refused() -> bool:
        try:
            await velero_preview(order)
        except Forbidden as error:
            return "quota" in error.message
        return False

    await until(refused)
    with pytest.raises(Forbidden, match="quota"):
        await velero_begin(order, token)
    assert velero.restore() is None and not await Change.objects.aexists()


# ---- Backups and schedules


BACKUP = {"by": "velero", "name": "by-hand", "namespace": "shop, blog", "labels": "app=web", "days": "7"}
SCHEDULE = BACKUP | {"by": "schedule", "schedule": "0 2 * * *"}
FORMS = [("backups", BACKUP), ("schedules", SCHEDULE)]


@pytest.mark.parametrize(("plural", "typed"), FORMS)
async def test_backups_and_schedules_are_previewed_made_audited_and_undone(
    velero: Velero, monkeypatch: pytest.MonkeyPatch, plural: str, typed: dict[str, str]
) -> None:
    script = await velero.script(monkeypatch, "backup", **typed)
    shown = await script.preview()
    path = velero.path(plural, "by-hand")
    assert shown["token"] and present(velero.api, path) is None
    change = await script.apply(shown["token"])
    made = velero.api.get(path)
    spec = made["spec"] if plural == "backups" else made["spec"]["template"]
    assert spec["includedNamespaces"] == ["shop", "blog"] and spec["ttl"] == "168h0m0s"
    assert spec["excludedResources"] == ["secrets"] and spec["snapshotVolumes"] is False
    entry = await AuditEntry.objects.alatest("pk")
    assert (entry.action, entry.name, entry.result) == ("create", "by-hand", "done")
    found = Kinds()
    found.learn(await discover(velero.transport))
    actor = Actor(user=await User.objects.aget(username="mara"), name="mara")
    way = {"transport": velero.transport, "actor": actor, "change_id": change["change"], "kinds": found}
    back = await change_undo_preview(**way, objects=Nothing())
    await change_undo_apply(**way, token=back.preview.token)

    async def gone() -> bool:
        return present(velero.api, path) is None

    await until(gone)


@pytest.mark.parametrize(("plural", "typed"), FORMS)
async def test_backups_and_schedules_are_refused_by_rights_and_ask_in_production(
    velero: Velero, monkeypatch: pytest.MonkeyPatch, settings: Any, plural: str, typed: dict[str, str]
) -> None:
    async with velero.restricted(rule("velero.io", "restores", "get")) as transport:
        script = await velero.script(monkeypatch, "backup", transport, **typed)

        async def refused() -> bool:
            status, answer = await script.post(step="preview")
            return status == 403 and plural in answer["error"]["text"]

        await until(refused)
    settings.CLUSTER_UI_PRODUCTION = [velero.transport.cluster.name]
    script = await velero.script(monkeypatch, "backup", **typed)
    token = (await script.preview())["token"]
    for more, field in (({}, "confirm"), ({"confirm": "by-hand"}, "reason")):
        status, answer = await script.post(step="apply", token=token, **more)
        assert (status, answer["error"]["field"]) == (422, field)
    assert present(velero.api, velero.path(plural, "by-hand")) is None
    status, answer = await script.post(
        step="apply", token=token, confirm="by-hand", reason="before the upgrade"
    )
    assert status == 200, answer
