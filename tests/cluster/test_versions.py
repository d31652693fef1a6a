"""Versions of ConfigMaps on a real API server: what is kept of changes, and restoring it."""

from __future__ import annotations

import base64
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.test import AsyncClient

from dashboard.actions.configmap_reading import configmap_target
from dashboard.actions.configmap_versions import versions_of
from dashboard.actions.versions import version_diff
from dashboard.cache.cluster import ClusterCache
from dashboard.errors import BadInput, Forbidden
from dashboard.insight.configmapuse import READ
from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport
from dashboard.live.versions import VersionRecorder
from dashboard.models import Change, ConfigMapVersion
from dashboard.queries.reader import Reader
from sandbox import Sandbox
from tests.formed import Script, open_creation, open_forms

from .place import Place, rule, until

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

BYTES = base64.b64encode(bytes(range(256)) * 3).decode()
FIRST = {"data": {"LOG": "info", "app.conf": "a = 1\r\nb = 2"}, "binaryData": {"seal": BYTES}}


class Settings(Place):
    """A namespace with a ConfigMap "settings" in it, and mara's way to its forms."""

    reads = READ | {"configmaps"}
    client: AsyncClient

    @property
    def path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/configmaps/settings"

    def holds(self) -> dict[str, Any]:
        found = self.api.get(self.path)
        return {field: found.get(field) or {} for field in ("data", "binaryData")}

    def uid(self) -> str:
        return str(self.api.get(self.path)["metadata"]["uid"])

    async def versions(self) -> list[ConfigMapVersion]:
        """The oldest first."""
        return (await sync_to_async(versions_of)(self.transport.cluster.name, self.uid()))[::-1]

    def script(self, action: str, **typed: str) -> Script:
        url = f"/c/sandbox/configmaps/{self.namespace}/settings/{action}/"
        return Script(self.client, url, typed)

    async def edit(self, key: str, text: str, reason: str) -> dict[str, Any]:
        """Adds a key, as somebody who has just opened the form."""
        script = self.script("edit", row="new", nnew=key, tnew=text, reason=reason)
        return await script.apply((await script.preview())["token"])

    async def restore(self, number: int) -> dict[str, Any]:
        script = self.script("versions", version=str(number))
        return await script.apply((await script.preview())["token"])


@pytest.fixture
async def shop(
    cluster: Sandbox, transport: Transport, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    place = Settings(cluster, transport, namespace)
    place.make("/api/v1/namespaces/{ns}/configmaps", {"metadata": {"name": "settings"}, **FIRST})
    place.client = AsyncClient()
    await place.client.aforce_login(await User.objects.acreate(username="mara"))
    open_forms(monkeypatch, transport, await place.objects())
    return place


async def test_each_edit_keeps_a_version_and_the_first_one_what_it_found(shop: Settings) -> None:
    await shop.edit("LEVEL", "1", "for the sale")
    await shop.edit("THEME", "dark", "")
    # Somebody removes a key with kubectl: the next edit here finds that.
    shop.api.patch(f"{shop.path}?fieldManager=kubectl-edit", {"data": {"LEVEL": None, "LOG": "warn"}})
    await shop.edit("LANG", "en", "asked for")
    first, *others = await shop.versions()
    assert [one.number for one in (first, *others)] == [1, 2, 3, 4, 5]
    assert (first.keys, first.change_id) == ({}, None)
    assert [(one.by, one.reason) for one in others if one.change_id] == [
        ("mara", "for the sale"), ("mara", ""), ("mara", "asked for"),
    ]  # fmt: skip
    assert others[2].by == "kubectl-edit" and others[2].change_id is None
    assert others[2].keys["changed"] == [["LEVEL", "removed"], ["LOG", "changed"]]


async def test_a_creation_keeps_the_first_version_and_so_does_its_undone_deletion(
    shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.api.delete(shop.path)
    open_creation(monkeypatch, shop.transport, await shop.objects())
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {LOG: info}\n"
    create = Script(shop.client, "/c/sandbox/create/", {"yaml": text, "namespace": shop.namespace})
    await create.apply((await create.preview())["token"])
    made = await Change.objects.aget(action="create")
    assert [(one.change_id, one.at, one.by) for one in await shop.versions()] == [
        (made.pk, made.created_at, "mara")
    ]
    await shop.edit("LEVEL", "1", "for the sale")
    edited = await Change.objects.aget(action="edit")
    assert [one.change_id for one in await shop.versions()] == [made.pk, edited.pk]

    delete = shop.script("delete", propagation="Background", confirm="settings")
    await delete.apply((await delete.preview())["token"])
    deleted = await Change.objects.aget(action="delete")
    undo = Script(shop.client, f"/changes/{deleted.pk}/undo/", {})
    await undo.apply((await undo.preview())["token"])
    again = await Change.objects.aget(undoes=deleted)
    assert [(one.change_id, one.number) for one in await shop.versions()] == [(again.pk, 1)]


async def test_a_version_is_restored_to_the_byte_and_that_is_undone(shop: Settings) -> None:
    before = shop.holds()
    await shop.edit("LEVEL", "1", "")
    shop.api.patch(shop.path, {"data": {"app.conf": "other"}, "binaryData": {"seal": None, "LOG2": BYTES}})
    await shop.edit("LOG3", "x", "")
    changed = shop.holds()
    assert changed != before

    shown = await shop.script("versions", version="1").preview()
    assert any(line["text"].startswith("seal: new, binary") for line in shown["diff"])
    assert shown["notices"] == [], "what goes was asked for"
    assert "LOG2" in shown["kubectl"] and "LEVEL" in shown["kubectl"]
    made = await shop.restore(1)
    assert shop.holds() == before
    change = await Change.objects.aget(pk=made["change"])
    assert "LOG" not in {path.split("/")[2] for path in change.touched}, "what stays the same was not changed"

    undo = Script(shop.client, f"{made['url']}undo/", {})
    await undo.apply((await undo.preview())["token"])
    assert shop.holds() == changed
    assert [one.number for one in await shop.versions()] == [1, 2, 3, 4, 5, 6]
    # Without a number: the newest that differs from what is there.
    script = shop.script("versions")
    await script.apply((await script.preview())["token"])
    assert shop.holds() == before


async def test_what_is_written_meanwhile_is_a_conflict_also_in_another_key(shop: Settings) -> None:
    await shop.edit("LEVEL", "1", "")
    script = shop.script("versions", version="1")
    token = (await script.preview())["token"]
    shop.api.patch(f"{shop.path}?fieldManager=kubectl-edit", {"data": {"NEW": "x"}})
    status, answer = await script.post(step="apply", token=token)
    assert status == 409 and "kubectl-edit" in answer["error"]["text"]
    assert shop.holds()["data"]["NEW"] == "x" and shop.holds()["data"]["LEVEL"] == "1"


async def test_a_version_that_is_not_kept_and_an_immutable_one_are_refused(shop: Settings) -> None:
    status, answer = await shop.script("versions").post(step="preview")
    assert status == 422 and "No earlier version" in answer["error"]["text"]
    await shop.edit("LEVEL", "1", "")
    status, answer = await shop.script("versions", version="9").post(step="preview")
    assert (status, answer["error"]["field"]) == (400, "version") and "1 to 2" in answer["error"]["text"]
    shop.api.patch(shop.path, {"immutable": True})
    status, answer = await shop.script("versions", version="1").post(step="preview")
    assert status == 409 and "immutable" in answer["error"]["text"]


async def test_what_a_version_changed_is_told_to_who_may_get_it(shop: Settings) -> None:
    await shop.edit("LEVEL", "1", "")
    target = configmap_target(shop.transport.cluster.name, shop.namespace, "settings")
    lines, first = await version_diff(transport=shop.transport, target=target, number=2)
    assert [(line.sign, line.text) for line in lines][1] == ("+", "1 (no line ending here)") and not first
    assert (await version_diff(transport=shop.transport, target=target, number=1))[1]
    with pytest.raises(BadInput):
        await version_diff(transport=shop.transport, target=target, number=3)
    async with shop.restricted(rule("", "configmaps", "list", "patch")) as reader:
        with pytest.raises(Forbidden):
            await version_diff(transport=reader, target=target, number=2)


async def test_what_another_client_writes_is_kept_where_the_setting_says_so(
    shop: Settings, settings: Any
) -> None:
    settings.CLUSTER_UI_CONFIGMAP_VERSIONS = True
    cache = ClusterCache(shop.transport, kinds=KINDS, namespaces=[shop.namespace], idle=60)
    reader = Reader(cache)
    here = SimpleNamespace(cache=cache, reader=reader, transport=shop.transport)
    recorder = VersionRecorder(SimpleNamespace(cluster=shop.transport.cluster, installation=here))  # type: ignore[arg-type]
    recorder.start()
    try:
        await until(lambda: _kept(shop, 1))
        shop.api.patch(f"{shop.path}?fieldManager=kubectl-edit", {"data": {"LOG": "warn"}})
        await until(lambda: _kept(shop, 2))
        await shop.edit("LEVEL", "1", "for the sale")
        shop.api.patch(f"{shop.path}?fieldManager=kubectl-edit", {"binaryData": {"seal": None}})
        await until(lambda: _kept(shop, 4))
    finally:
        await recorder.close()
        await cache.close()
    found = await shop.versions()
    assert [(one.by, one.reason) for one in found][1:] == [
        ("kubectl-edit", ""), ("mara", "for the sale"), ("", ""),
    ]  # fmt: skip
    assert [one.keys["changed"] for one in found[1:]] == [
        [["LOG", "changed"]], [["LEVEL", "added"]], [["seal", "removed"]],
    ]  # fmt: skip


async def _kept(shop: Settings, number: int) -> bool:
    return len(await shop.versions()) == number


async def test_who_may_not_get_it_sees_no_version(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    await shop.edit("LEVEL", "canary-1", "canary-why")
    async with shop.restricted(rule("", "configmaps", "list", "patch")) as reader:
        open_forms(monkeypatch, reader, await shop.objects())
        for typed in ({"version": "1"}, {"version": "9"}, {}):
            status, answer = await shop.script("versions", **typed).post(step="preview")
            assert status == 403 and "canary" not in repr(answer)
