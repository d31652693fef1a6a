"""The objects of one text: lost answers, stops and kills in between, what comes to be known of each, and its memory."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.utils import timezone

from dashboard.actions import creation_texts as kept
from dashboard.actions import records
from dashboard.actions import token as tokens
from dashboard.actions.action import NO_UNDO, Actor, Description, Order, Preview, Target
from dashboard.actions.confirmation import CANT_UNDO
from dashboard.actions.creation import CREATE_ALL, creation_apply
from dashboard.actions.creation_preview import Tried, _told, creation_preview
from dashboard.actions.delete_any import DELETE_ANY
from dashboard.actions.documents import TextObject, read_objects
from dashboard.actions.engine import change_preview
from dashboard.actions.manifesttext import Document
from dashboard.actions.operation import Lost, operation_advance
from dashboard.actions.operations import (
    LEASE_SECONDS,
    operation_begin,
    operation_leave,
    operation_resume,
    operation_stop,
    operations_claim,
)
from dashboard.actions.problems import TextsFull, Unconfirmed, Uncounted, Unsettled
from dashboard.actions.settling import change_settle
from dashboard.actions.undo import change_undo_apply, change_undo_preview
from dashboard.errors import BadInput, ClusterError, Invalid, Unavailable
from dashboard.kinds import KINDS
from dashboard.models import AuditEntry, Change, Operation

from ..insight.world import NOW, World
from .server import Server

pytestmark = pytest.mark.django_db(transaction=True)

BORN = "2026-03-01T11:00:00Z"
OLD, NEW, THEIRS = (base64.b64encode(text).decode() for text in (b"old", b"new", b"theirs"))


class Died(BaseException):
    """The process ends here."""


class Cluster(Server):
    """With server-side apply. ``on_write`` is called before an object of a name is really written; the answers to those
    in ``lost`` do not arrive, and nothing can be read after that until ``away`` is False.
    """

    def __init__(self, *manifests: dict[str, Any]) -> None:
        super().__init__("namespaces", {"kind": "Namespace", "metadata": {"name": "shop"}})
        self.lost: set[str] = set()
        self.away = False
        self.on_write: dict[str, Callable[[], Awaitable[None]]] = {}
        for each in manifests:
            self.put(each)

    def put(self, manifest: dict[str, Any], manager: str = "kubectl", at: str = BORN) -> None:
        meta = manifest["metadata"]
        own = {"namespace": "shop", "uid": f"u-{meta['name']}-{manager}", "resourceVersion": "7"}
        fields = [{"manager": manager, "operation": "Apply", "time": at}]
        made = {**manifest, "metadata": {**meta, **own, "creationTimestamp": at, "managedFields": fields}}
        self.objects[f"{manifest['kind'].lower()}s", "shop", meta["name"]] = made

    async def request(self, method: str, target: Any, **given: Any) -> Any:
        if self.away:
            raise Unavailable("The API server does not answer.")
        if method != "PATCH" or isinstance(target, str):
            return await super().request(method, target, **given)
        name, dry = str(given["name"]), (given.get("query") or {}).get("dryRun") == "All"
        if not dry and (happens := self.on_write.pop(name, None)) is not None:
            await happens()
        key = (target.plural, "shop", name)
        fresh = key not in self.objects
        if fresh:
            self.put(json.loads(given["body"]), "cluster-ui")
        try:
            answer = await super().request(method, target, **given)
        finally:
            if fresh and dry:
                del self.objects[key]
        if not dry and name in self.lost:
            self.away = True
            raise Unavailable("The connection broke.")
        return answer

    def has(self, *names: str) -> bool:
        return all(("configmaps", "shop", name) in self.objects for name in names)


def settings(name: str, value: str = "info") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"LOG": value}}


def secret(name: str, value: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": {"key": value}}


def objects(*manifests: dict[str, Any]) -> list[TextObject]:
    text = "\n---\n".join(map(json.dumps, manifests))
    return read_objects(text, namespace="shop", context="dev", kinds=KINDS)


ALL = [settings(name) for name in ("one", "two", "zlast")]


@pytest.fixture(autouse=True)
def texts() -> Iterator[dict[str, Any]]:
    """What is kept in memory."""
    kept._texts.clear()
    yield kept._texts
    kept._texts.clear()


@pytest.fixture
def mara() -> Actor:
    return Actor(user=User.objects.create(username="mara"), name="mara")


async def preview(api: Any, mara: Actor, *manifests: dict[str, Any]) -> str:
    shown = await creation_preview(transport=api, actor=mara, objects=objects(*manifests), reader=World())
    assert shown.preview is not None, shown.refused
    return shown.preview.token


async def apply(api: Any, mara: Actor, token: str, *manifests: dict[str, Any]) -> Change:
    return await creation_apply(transport=api, actor=mara, objects=objects(*manifests), token=token)


async def created(api: Any, mara: Actor, *manifests: dict[str, Any]) -> Change:
    return await apply(api, mara, await preview(api, mara, *manifests), *manifests)


async def begin(api: Any, change: Change, holder: str = "a") -> Operation:
    change = await Change.objects.select_related("user").aget(pk=change.pk)
    return await operation_begin(
        change=change, action=CREATE_ALL, transport=api, objects=World(), holder=holder
    )


async def move(api: Any, holder: str = "a", now: datetime | None = None) -> Operation:
    """One move of the operation; raises Lost when it was stopped meanwhile."""
    (claimed,) = await sync_to_async(operations_claim)(holder, now or timezone.now())
    await operation_advance(
        operation=claimed, action=CREATE_ALL, holder=holder, transport=api, objects=World(),
        now=now or timezone.now(),
    )  # fmt: skip
    return await Operation.objects.aget(pk=claimed.pk)


async def rows(operation: Operation) -> list[tuple[str, str]]:
    return [(each.name, each.state) async for each in operation.results.order_by("position")]


async def undo(api: Any, mara: Actor, change: Change) -> tuple[list[str], Operation]:
    """What its preview says of the other objects, and its operation, which has begun."""
    asked: Any = {"transport": api, "actor": mara, "change_id": change.pk, "kinds": KINDS}
    shown = await change_undo_preview(**asked, objects=World())
    undone = await change_undo_apply(**asked, token=shown.preview.token)
    told = ["".join(str(part[0]) for part in each.text) for each in shown.preview.told.effects]
    return told, await begin(api, undone)


async def settle(api: Any, change_nonce: str) -> Change:
    change = await Change.objects.select_related("user").aget(nonce=change_nonce)
    later = timezone.now() + timedelta(hours=1)
    await change_settle(transport=api, change=change, now=later, kinds=KINDS)
    return await Change.objects.aget(nonce=change_nonce)


# ---- What is lost with it


def stateful(name: str, replicas: int, deleted: str = "Retain") -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
            "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete", "whenDeleted": deleted},
        },
    }


async def test_what_is_lost_with_any_object_of_a_text_is_told_and_confirmed(mara: Actor) -> None:
    api: Any = Cluster(stateful("one", 3), stateful("two", 3))
    text = (settings("new"), stateful("one", 1), stateful("two", 2))
    shown = await creation_preview(transport=api, actor=mara, objects=objects(*text), reader=World())
    assert shown.preview is not None and shown.preview.confirm == CANT_UNDO and shown.preview.told.danger
    titles = [each.title for each in shown.preview.told.notices]
    for name in ("one", "two"):
        assert f"StatefulSet {name}: The claims of the pods that go are deleted" in titles
    asked: Any = {"transport": api, "actor": mara, "objects": objects(*text), "token": shown.preview.token}
    for confirm in ("", "new", "2"):
        with pytest.raises(Uncounted, match="Type the number of objects, 3: this can't be undone"):
            await creation_apply(**asked, confirm=confirm)
    assert not api.has("new")
    change = await creation_apply(**asked, confirm="3")
    await begin(api, change)
    assert [state for _, state in await rows(await move(api))] == ["done"] * 3


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("there", [False, True])
async def test_an_autoscaler_that_takes_claims_is_told_and_confirmed(
    mara: Actor, there: bool, version: str, several: bool
) -> None:
    ref = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "one"}
    scaler = {
        "apiVersion": f"autoscaling/{version}",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "one"},
        "spec": {"scaleTargetRef": ref, "maxReplicas": 9},
    }
    api: Any = Cluster(*([scaler] if there else []))
    text = (
        scaler | {"spec": {"scaleTargetRef": ref, "maxReplicas": 2}},
        *([settings("new")] if several else []),
    )
    world = World()
    one = stateful("one", 3)
    world.add("statefulsets", one | {"metadata": {"name": "one", "namespace": "shop"}})
    shown = await creation_preview(transport=api, actor=mara, objects=objects(*text), reader=world)
    assert shown.preview is not None and shown.preview.confirm == CANT_UNDO and shown.preview.told.danger
    titles = " ".join(each.title for each in shown.preview.told.notices)
    assert "It scales one down at once, and claims are deleted" in titles
    if not several:
        said = shown.preview.told.undo_words
        assert "Deleted claims can't be restored" in said
        assert ("The replicas stay as they are then" in said) is not there
    asked: Any = {"transport": api, "actor": mara, "objects": objects(*text), "token": shown.preview.token}
    with pytest.raises(Uncounted if several else Unconfirmed):
        await creation_apply(**asked)
    await creation_apply(**asked, confirm="2" if several else "one")


async def test_a_text_without_a_loss_asks_for_nothing(mara: Actor) -> None:
    api: Any = Cluster(stateful("one", 3), stateful("two", 3))
    text = (settings("new"), stateful("one", 4))
    shown = await creation_preview(transport=api, actor=mara, objects=objects(*text), reader=World())
    assert shown.preview is not None and shown.preview.confirm == ""
    await apply(api, mara, shown.preview.token, *text)


@pytest.mark.parametrize(
    ("there", "wanted", "lost"),
    [
        ([stateful("zdb", 1)], stateful("zdb", 3), True),
        ([], stateful("zdb", 3, "Delete"), True),
        ([stateful("zdb", 3)], stateful("zdb", 3) | {"data": {}}, False),
        ([], stateful("zdb", 3), False),
    ],
)
async def test_what_is_lost_with_the_undo_of_any_object_is_told_and_confirmed(
    mara: Actor, there: list[dict[str, Any]], wanted: dict[str, Any], lost: bool
) -> None:
    api: Any = Cluster(*there)
    change = await created(api, mara, settings("new"), wanted)
    await begin(api, change)
    await move(api)
    asked: Any = {"transport": api, "actor": mara, "change_id": change.pk, "kinds": KINDS}
    shown = await change_undo_preview(**asked, objects=World())
    told = [each.text for each in shown.preview.told.notices if each.title == "Data is deleted"]
    assert told == (["What is lost with StatefulSet zdb can't be restored."] if lost else [])
    assert (shown.why == CANT_UNDO) is lost
    if lost:
        with pytest.raises(Uncounted):
            await change_undo_apply(**asked, token=shown.preview.token)
    undone = await change_undo_apply(**asked, token=shown.preview.token, confirm="2" if lost else "")
    assert undone.undoes_id == change.pk


class Retired(Cluster):
    """A cluster whose rule takes the old value of "one" no more, though it is there."""

    async def request(self, method: str, target: Any, **given: Any) -> Any:
        if method == "PUT" and given["name"] == "one" and b"info" in given["body"]:
            raise Invalid("info is retired")
        return await super().request(method, target, **given)


@pytest.mark.parametrize("several", [False, True])
async def test_an_undo_that_the_cluster_would_refuse_is_not_promised(mara: Actor, several: bool) -> None:
    api: Any = Retired(settings("one", "info"), settings("two", "info"))
    text = [settings("one", "debug"), *([settings("two", "debug"), settings("new")] if several else [])]
    found = await creation_preview(transport=api, actor=mara, objects=objects(*text), reader=World())
    assert found.preview is not None and found.preview.told.danger
    said = {each.title.removeprefix("ConfigMap one: "): each.text for each in found.preview.told.notices}
    assert said["You won't be able to undo this"].endswith("would refuse: info is retired")
    whole = "What is done to ConfigMap one can't be undone; all else can."
    assert found.preview.told.undo_words == (whole if several else NO_UNDO)


# ---- Owners


@pytest.mark.parametrize(
    ("owners", "deleted"),
    [
        (["there"], False),
        (["gone"], True),
        (["another"], True),
        (["gone", "there"], False),
        (["custom"], False),  # whether that is there is not known
        (["gone", "another"], True),
    ],
)
async def test_an_object_whose_owners_are_not_there_will_be_deleted(
    mara: Actor, owners: list[str], deleted: bool
) -> None:
    """As an export has it whose owner was deleted, or is in another cluster."""
    api: Any = Cluster(settings("there", "x"), settings("another", "x"))
    uid = api.objects["configmaps", "shop", "there"]["metadata"]["uid"]
    references = [
        {
            "apiVersion": "example.com/v1" if name == "custom" else "v1",
            "kind": "App" if name == "custom" else "ConfigMap",
            "name": name,
            "uid": uid if name == "there" else "other",
        }
        for name in owners
    ]
    text = settings("new")
    text["metadata"] |= {"ownerReferences": references}
    found = await creation_preview(transport=api, actor=mara, objects=objects(text), reader=World())
    assert found.preview is not None and found.preview.told.danger is deleted
    said = [each.text for each in found.preview.told.notices if "garbage collector" in each.title]
    assert bool(said) is deleted and all(f"ConfigMap {owners[0]}" in each for each in said)


@pytest.mark.parametrize("gone", [True, False])
async def test_an_object_that_is_created_again_after_its_owner_went_says_so(mara: Actor, gone: bool) -> None:
    api: Any = Cluster(settings("web", "x"), *([] if gone else [settings("owner", "x")]))
    there = api.objects.get(("configmaps", "shop", "owner"))
    uid = there["metadata"]["uid"] if there else "u"
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    wanted = {
        "manifest": settings("again")
        | {"metadata": {"name": "again", "namespace": "shop", "ownerReferences": [owner]}}
    }
    target = Target.of("dev", KINDS["configmaps"], "shop", "again")
    order = Order(transport=api, actor=mara, target=target, action=DELETE_ANY.on(wanted), wanted=wanted)
    told = (await change_preview(order=order, objects=World())).told
    assert ("The garbage collector will delete it" in [each.title for each in told.notices]) is gone


# ---- A lost answer


@pytest.mark.parametrize("there", [False, True])
async def test_a_first_object_whose_answer_was_lost_is_found_and_the_others_follow(
    mara: Actor, there: bool
) -> None:
    api: Any = Cluster(*([settings("one", "debug")] if there else []))
    api.lost = {"one"}
    with pytest.raises(Unsettled):
        await created(api, mara, *ALL)
    change = await Change.objects.aget()
    assert change.state == "unknown" and change.uid == ("u-one-kubectl" if there else "")
    api.away = False
    change = await settle(api, change.nonce)
    assert (change.state, change.uid) == ("done", f"u-one-{'kubectl' if there else 'cluster-ui'}")
    await begin(api, change)
    assert await rows(await move(api)) == [("one", "done"), ("two", "done"), ("zlast", "done")]
    assert api.has("one", "two", "zlast")


async def test_an_object_that_somebody_else_created_is_not_taken_for_that_of_a_lost_answer(
    mara: Actor,
) -> None:
    api: Any = Cluster()

    async def broken() -> None:
        api.away = True
        raise Unavailable("The connection broke.")

    api.on_write["one"] = broken
    with pytest.raises(Unsettled):
        await created(api, mara, *ALL)
    api.away = False
    api.put(settings("one"), "kubectl")
    nonce = (await Change.objects.aget()).nonce
    assert (await settle(api, nonce)).state == "unknown"


async def test_what_was_not_made_is_told_though_the_end_was_found_by_another_process(
    mara: Actor, texts: dict[str, Any]
) -> None:
    api: Any = Cluster()
    api.lost = {"one"}
    with pytest.raises(Unsettled):
        await created(api, mara, *ALL)
    api.away = False
    texts.clear()
    await Change.objects.aupdate(created_at=timezone.now() - timedelta(minutes=1))
    change = await settle(api, (await Change.objects.aget()).nonce)
    await begin(api, change, holder="b")
    operation = await move(api, "b")
    assert await rows(operation) == [("one", "done"), ("two", "failed"), ("zlast", "waiting")]
    assert "create it again from its YAML" in operation.steps[0]["text"] and operation.state == "stopped"


async def test_a_lost_answer_to_a_later_object_is_found_with_the_next_move(mara: Actor) -> None:
    api: Any = Cluster()
    change = await created(api, mara, *ALL)
    api.lost = {"two"}
    await begin(api, change)
    assert await rows(await move(api)) == [("one", "done"), ("two", "running"), ("zlast", "waiting")]
    api.away, api.lost = False, set()
    operation = await move(api)
    assert [state for _, state in await rows(operation)] == ["done"] * 3
    assert {each.state async for each in Change.objects.all()} == {"done"}


# ---- Stops, undos and kills in between


async def test_what_is_under_way_when_it_is_stopped_is_counted_and_undone_with_the_others(
    mara: Actor, texts: dict[str, Any]
) -> None:
    api: Any = Cluster()
    change = await created(api, mara, *ALL)
    operation = await begin(api, change)

    async def stop() -> None:
        await operation_stop(actor=mara, change=change)

    api.on_write["two"] = stop
    with pytest.raises(Lost):
        await move(api)
    assert await rows(operation) == [("one", "done"), ("two", "done"), ("zlast", "waiting")]
    told, _ = await undo(api, mara, change)
    assert told[0] == "ConfigMap two is deleted" and not texts
    assert [state for _, state in await rows(await move(api))] == ["done", "done"]
    assert not api.has("one") and not api.has("two")


async def test_what_is_under_way_while_it_is_undone_is_undone_too(mara: Actor) -> None:
    api: Any = Cluster()
    change = await created(api, mara, *ALL)
    await begin(api, change)
    said: list[str] = []

    async def undone_meanwhile() -> None:
        told, _ = await undo(api, mara, change)
        said.extend(told)
        waits = await move(api)
        assert "looked for" in waits.steps[0]["text"] and waits.state == "running"

    api.on_write["two"] = undone_meanwhile
    with pytest.raises(Lost):
        await move(api)
    assert said[0].startswith("ConfigMap two is undone too") and api.has("two")
    assert [state for _, state in await rows(await move(api))] == ["done", "done"]
    assert not api.has("one") and not api.has("two") and not api.has("zlast")


async def test_what_a_killed_process_had_made_is_found_by_its_record_and_not_called_failed(
    mara: Actor, monkeypatch: pytest.MonkeyPatch, texts: dict[str, Any]
) -> None:
    api: Any = Cluster()
    change = await created(api, mara, *ALL)
    await begin(api, change)

    def dies(*_: Any) -> None:
        raise Died

    with monkeypatch.context() as patch, pytest.raises(Died):
        patch.setattr(records, "finish", dies)
        await move(api)
    texts.clear()
    later = timezone.now() + timedelta(seconds=LEASE_SECONDS + 1)
    waits = await move(api, "b", later)
    assert await rows(waits) == [("one", "done"), ("two", "running"), ("zlast", "waiting")]
    assert "looked for" in waits.steps[0]["text"]
    assert (await settle(api, f"{change.nonce} 1")).state == "done"
    operation = await move(api, "b", later)
    assert await rows(operation) == [("one", "done"), ("two", "done"), ("zlast", "failed")]
    told, _ = await undo(api, mara, change)
    assert told[0] == "ConfigMap two is deleted"


async def test_an_undo_that_deletes_what_holds_more_asks_for_the_number_of_objects(mara: Actor) -> None:
    api: Any = Cluster()
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "disk"}, "spec": {}}
    made = [settings("one"), claim]
    change = await created(api, mara, *made)
    await begin(api, change)
    await move(api)
    asked: Any = {"transport": api, "actor": mara, "change_id": change.pk, "kinds": KINDS}
    shown = await change_undo_preview(**asked, objects=World())
    assert (shown.why, shown.confirm) == ("this can't be undone", "2")
    with pytest.raises(Uncounted, match="Type the number of objects, 2") as refused:
        await change_undo_apply(**asked, token=shown.preview.token, confirm="one")
    assert refused.value.title == "Confirm the number"
    undone = await change_undo_apply(**asked, token=shown.preview.token, confirm="2")
    assert undone.undoes_id == change.pk


async def test_an_undo_of_what_its_text_brings_back_asks_for_nothing(mara: Actor) -> None:
    api: Any = Cluster()
    change = await created(api, mara, *ALL)
    await begin(api, change)
    await move(api)
    asked: Any = {"transport": api, "actor": mara, "change_id": change.pk, "kinds": KINDS}
    assert (await change_undo_preview(**asked, objects=World())).why == ""


async def test_the_process_with_the_text_keeps_what_is_resumed(mara: Actor) -> None:
    api: Any = Cluster()
    change = await created(api, mara, *ALL)
    await begin(api, change)
    await operation_stop(actor=mara, change=change)
    await operation_resume(transport=api, actor=mara, change=change)
    now = timezone.now()
    assert await sync_to_async(operations_claim)("b", now) == []
    assert [state for _, state in await rows(await move(api, "a", now))] == ["done"] * 3


async def test_another_process_takes_it_over_once_that_with_the_text_is_silent(mara: Actor) -> None:
    api: Any = Cluster()
    change = await created(api, mara, *ALL)
    await begin(api, change)
    await operation_stop(actor=mara, change=change)
    await operation_resume(transport=api, actor=mara, change=change)
    later = timezone.now() + timedelta(seconds=LEASE_SECONDS + 1)
    assert len(await sync_to_async(operations_claim)("b", later)) == 1


# ---- As shown


async def test_a_value_of_a_secret_that_somebody_changed_since_is_not_overwritten(mara: Actor) -> None:
    api: Any = Cluster(secret("two", OLD))
    text = [secret("one", NEW), secret("two", NEW)]
    token = await preview(api, mara, *text)
    api.objects["secrets", "shop", "two"]["data"] = {"key": THEIRS}
    change = await apply(api, mara, token, *text)
    await begin(api, change)
    operation = await move(api)
    assert await rows(operation) == [("one", "done"), ("two", "failed")]
    assert "was changed since you looked" in operation.steps[0]["text"]
    assert api.objects["secrets", "shop", "two"]["data"] == {"key": THEIRS}
    said = [each.detail async for each in AuditEntry.objects.all()]
    assert not any(value in f"{said}{operation.steps}" for value in (OLD, NEW, THEIRS, "theirs"))


# ---- What is kept in memory


async def test_a_text_is_dropped_when_all_is_made(mara: Actor, texts: dict[str, Any]) -> None:
    api: Any = Cluster()
    token = await preview(api, mara, *ALL)
    change = await apply(api, mara, token, *ALL)
    assert list(texts) == [change.nonce]
    await begin(api, change)
    await move(api)
    assert not texts
    assert (await apply(api, mara, token, *ALL)).pk == change.pk and not texts, "sent twice"


async def test_a_text_is_dropped_when_nothing_was_made(mara: Actor, texts: dict[str, Any]) -> None:
    api: Any = Cluster()
    token = await preview(api, mara, *ALL)
    api.put(settings("one", "theirs"))
    with pytest.raises(ClusterError, match="created since the preview"):
        await apply(api, mara, token, *ALL)
    assert not texts and not await Change.objects.aexists()


async def test_a_text_is_dropped_when_a_person_leaves_it(mara: Actor, texts: dict[str, Any]) -> None:
    api: Any = Cluster()
    change = await created(api, mara, *ALL)
    await begin(api, change)
    await operation_stop(actor=mara, change=change)
    assert texts, "somebody may resume it"
    await operation_leave(actor=mara, change=change)
    assert not texts


async def test_a_text_is_dropped_after_a_while_though_nobody_sends_another(
    mara: Actor, texts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    api: Any = Cluster()
    token = await preview(api, mara, *ALL)
    monkeypatch.setattr(kept, "KEPT_SECONDS", 0.0)
    await apply(api, mara, token, *ALL)
    assert not texts


async def test_no_more_texts_are_kept_than_there_is_room_for(
    mara: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    api: Any = Cluster()
    monkeypatch.setattr(kept, "MAX_TEXTS", 1)
    await created(api, mara, *ALL)
    more = [settings("more"), settings("most")]
    with pytest.raises(TextsFull, match="no more are kept in memory"):
        await created(api, mara, *more)
    assert not api.has("more") and await Change.objects.acount() == 1


async def test_a_preview_that_is_too_old_says_so(mara: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    api: Any = Cluster()
    token = await preview(api, mara, *ALL)
    monkeypatch.setattr(tokens, "MAX_AGE_SECONDS", -1)
    with pytest.raises(BadInput, match="older than an hour"):
        await apply(api, mara, token, *ALL)
    with pytest.raises(BadInput, match="tampered"):
        await apply(api, mara, "none", *ALL)


@pytest.mark.parametrize(
    ("undos", "said"),
    [
        (("Undo deletes it.", "Undo deletes it."), "You can undo all of it, or each object on its own."),
        (("Undo deletes it.", NO_UNDO), "What is done to ConfigMap b can't be undone; all else can."),
        ((NO_UNDO, NO_UNDO), NO_UNDO),
    ],
)
def test_what_can_not_be_undone_is_said_of_each(undos: tuple[str, ...], said: str) -> None:
    tried = []
    for name, undo in zip("ab", undos, strict=True):
        told = Description(
            headline=None, effects=(), notices=(), kubectl="", undo_words=undo, button="", danger=False
        )
        before = {"metadata": {"uid": ""}}
        preview = Preview(before=before, told=told, diff=(), diff_words="", checked_at=NOW, token="t")
        target = Target.of("dev", KINDS["configmaps"], "shop", name)
        one = TextObject(number=1, document=Document({"metadata": {}}, 1, {}), target=target, manifest={})
        tried.append(Tried(one=one, preview=preview))
    assert _told(tried, dangerous=False).undo_words == said


async def test_the_object_that_was_created_first_has_its_time_too(mara: Actor) -> None:
    api: Any = Cluster()
    change = await created(api, mara, *ALL)
    first = await (await begin(api, change)).results.order_by("position").afirst()
    assert first is not None and first.began_at == first.ended_at == change.created_at
