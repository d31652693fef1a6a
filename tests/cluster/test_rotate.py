"""Rotating a Secret against a real API server: the backup, the write, the restarts in stages, a value that fails, the way
back, refusals, and a process that ends in the middle.
"""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from dashboard.actions import rotation as machine
from dashboard.actions.action import Actor, Preview
from dashboard.actions.problems import StaleView
from dashboard.actions.reveals import secret_reveal
from dashboard.actions.rotation import (
    FOLLOWED,
    Lost,
    rotation_advance,
    rotation_begin,
    rotations_claim,
    rotations_missing,
)
from dashboard.actions.secrets import (
    backup_of,
    secret_rotate_apply,
    secret_rotate_form,
    secret_rotate_preview,
)
from dashboard.actions.undo import change_undo_apply, change_undo_preview, change_undo_state
from dashboard.errors import BadInput, Conflict, Forbidden, Invalid, NotFound
from dashboard.insight.secretuse import READ
from dashboard.insight.words import text_of
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change, Rotation
from sandbox import Sandbox
from sandbox.api import ApiError

from .place import Place, on, rule, until

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

OLD, NEW, BAD = "old-password-1234", "new-password-5678", "short"
ENDED = ("done", "stopped", "replaced")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "SETTLES_SECONDS", 1.0)
    monkeypatch.setattr(machine, "HANGS_SECONDS", 3.0)


class Database(Place):
    """A namespace with a Secret "database" and whom it is given to."""

    reads = READ | FOLLOWED

    @property
    def secrets(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/secrets"

    @property
    def apps(self) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}"

    def value(self, name: str = "database", key: str = "password") -> str:
        return base64.b64decode(self.api.get(f"{self.secrets}/{name}")["data"][key]).decode()

    def workload(self, name: str, replicas: int = 1, plural: str = "deployments", **spec: Any) -> None:
        labels = {"app": name}
        container = {
            "name": "app",
            "image": "app:1",
            "env": [
                {
                    "name": "DB_PASSWORD",
                    "valueFrom": {"secretKeyRef": {"name": "database", "key": "password"}},
                }
            ],
        }
        template = {
            "metadata": {
                "labels": labels,
                "annotations": {"requires.sandbox.cluster-ui.dev/DB_PASSWORD": r"\S{12,}"},
            },
            "spec": {"containers": [container]} | spec,
        }
        body: dict[str, Any] = {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": template,
        }
        if plural == "statefulsets":
            body["serviceName"] = name
        self.api.post(f"{self.apps}/{plural}", {"metadata": {"name": name}, "spec": body})

    def restarted(self, name: str, plural: str = "deployments") -> tuple[str, int]:
        found = self.api.get(f"{self.apps}/{plural}/{name}")
        annotations = found["spec"]["template"]["metadata"].get("annotations", {})
        return annotations.get("kubectl.kubernetes.io/restartedAt", ""), found["metadata"]["generation"]

    async def up(self, name: str, plural: str = "deployments") -> None:
        async def check() -> bool:
            found = self.api.get(f"{self.apps}/{plural}/{name}")
            return bool(found.get("status", {}).get("readyReplicas", 0) == found["spec"]["replicas"])

        await until(check)

    async def preview(
        self, who: Actor, value: str = NEW, key: str = "password", transport: Transport | None = None
    ) -> Preview:
        return await secret_rotate_preview(
            transport=transport or self.transport, actor=who, namespace=self.namespace, name="database", key=key,
            value=value.encode(), objects=await self.objects(),
        )  # fmt: skip

    async def apply(
        self, who: Actor, token: str, value: str = NEW, transport: Transport | None = None
    ) -> Change:
        return await secret_rotate_apply(
            transport=transport or self.transport, actor=who, namespace=self.namespace, name="database",
            key="password", value=value.encode(), token=token,
        )  # fmt: skip

    async def rotate(self, who: Actor, value: str = NEW) -> Change:
        change = await self.apply(who, (await self.preview(who, value)).token, value)
        await self.begin(change)
        return change

    async def begin(self, change: Change) -> Rotation:
        objects = await self.objects()
        return await rotation_begin(change=change, transport=self.transport, objects=objects)

    async def move(self, holder: str = "a", now: datetime | None = None) -> Rotation | None:
        """One move by one process; what it then holds."""
        claimed = await sync_to_async(rotations_claim)(holder, now or datetime.now(UTC))
        for rotation in claimed:
            await rotation_advance(
                rotation=rotation,
                holder=holder,
                transport=self.transport,
                objects=await self.objects(),
                now=datetime.now(UTC),
            )
        return claimed[0] if claimed else None

    async def follow(self, change: Change, holder: str = "a") -> Rotation:
        """The rotation, once it has ended."""

        async def ended() -> Rotation | None:
            await self.move(holder)
            found = await Rotation.objects.aget(change=change)
            return found if found.state in ENDED else None

        found: Rotation = await until(ended, 120)
        return found


@pytest.fixture
def place(cluster: Sandbox, transport: Transport, namespace: str) -> Database:
    here = Database(cluster, transport, namespace)
    here.api.post(
        here.secrets,
        {
            "metadata": {"name": "database", "labels": {"team": "shop"}, "annotations": {"note": OLD}},
            "stringData": {"password": OLD, "username": "shop"},
        },
    )
    return here


async def test_preview_names_who_reads_it_and_how_and_shows_only_sizes(place: Database, mara: Actor) -> None:
    place.workload("web")
    place.workload("queue", 2, "statefulsets")
    volume = {"name": "v", "secret": {"secretName": "database"}}
    mounts = [{"name": "v", "mountPath": "/etc/db"}]
    pod = {"containers": [{"name": "c", "image": "c:1", "volumeMounts": mounts}], "volumes": [volume]}
    place.api.post(f"/api/v1/namespaces/{place.namespace}/pods", {"metadata": {"name": "files"}, "spec": pod})
    sub = {
        **pod,
        "containers": [{"name": "c", "image": "c:1", "volumeMounts": [mounts[0] | {"subPath": "password"}]}],
    }
    place.api.post(f"/api/v1/namespaces/{place.namespace}/pods", {"metadata": {"name": "sub"}, "spec": sub})
    account = {"metadata": {"name": "puller"}, "imagePullSecrets": [{"name": "database"}]}
    place.api.post(f"/api/v1/namespaces/{place.namespace}/serviceaccounts", account)
    await place.up("queue", "statefulsets")
    await place.up("web")
    shown = await place.preview(mara)
    effects = {text_of(effect.text): (effect.word, effect.note) for effect in shown.told.effects}
    assert effects["Deployment web reads it as env DB_PASSWORD"][0] == "stage 1"
    assert effects["StatefulSet queue reads it as env DB_PASSWORD"][0] == "stage 2"
    assert "by itself" in effects["Pod files reads it as file /etc/db/password"][1]
    assert "never refreshed" in next(text for text in effects if text.startswith("Pod sub"))
    assert "ServiceAccount puller pulls images with it" in effects
    assert "The other side must know the value too" in [notice.title for notice in shown.told.notices]
    changed = [line.text for line in shown.diff if line.sign in ("-", "+")]
    assert changed == ["  password: (17 bytes)", "  password: (17 bytes), new value"]
    assert OLD not in repr(shown) and NEW not in repr(shown)
    assert place.value() == OLD
    assert [item["metadata"]["name"] for item in place.api.get(place.secrets)["items"]] == ["database"]


async def test_preview_of_the_same_value_has_nothing_to_apply(place: Database, mara: Actor) -> None:
    shown = await place.preview(mara, OLD)
    assert (shown.diff, shown.token) == ((), "")


async def test_apply_keeps_the_old_value_apart_and_restarts_one_after_the_other(
    place: Database, mara: Actor
) -> None:
    place.workload("web", 2)
    place.workload("mail", 1)
    await place.up("web")
    await place.up("mail")
    change = await place.rotate(mara)
    assert place.value() == NEW and place.value(key="username") == "shop"
    backup = place.api.get(f"{place.secrets}/{backup_of(change)}")
    meta = backup["metadata"]
    assert backup["immutable"] is True
    assert base64.b64decode(backup["data"]["password"]).decode() == OLD and len(backup["data"]) == 1
    assert meta["ownerReferences"][0]["uid"] == change.uid
    assert "team" not in meta["labels"] and "annotations" not in meta
    both_at_once = 0

    async def ended() -> Rotation | None:
        nonlocal both_at_once
        await place.move()
        found = await Rotation.objects.aget(change=change)
        both_at_once += sum(step["state"] == "restarting" for step in found.steps) > 1
        if found.steps[0]["state"] != "done":
            assert place.restarted("web")[0] == "", "the second stage waits for the first"
        return found if found.state in ENDED else None

    rotation: Rotation = await until(ended, 120)
    assert rotation.state == "done" and both_at_once == 0
    assert [(step["name"], step["state"]) for step in rotation.steps] == [("mail", "done"), ("web", "done")]
    assert place.restarted("mail")[0] and place.restarted("web")[0]
    audit = [(entry.action, entry.result) async for entry in AuditEntry.objects.order_by("pk")]
    assert audit == [("rotate", "done"), ("restart", "done"), ("restart", "done")]
    kept = [entry.detail async for entry in AuditEntry.objects.all()]
    assert kept[0] == "password of 17 bytes → password of 17 bytes"


async def test_a_value_that_fails_stops_at_the_first_stage_and_the_old_one_brings_it_back(
    place: Database, mara: Actor
) -> None:
    place.workload("mail", 1)
    place.workload("web", 2)
    await place.up("web")
    await place.up("mail")
    change = await place.rotate(mara, BAD)
    rotation = await place.follow(change)
    assert rotation.state == "stopped"
    assert [(step["name"], step["state"]) for step in rotation.steps] == [
        ("mail", "failed"),
        ("web", "waiting"),
    ]
    assert "mail-" in rotation.steps[0]["text"]
    assert place.restarted("web")[0] == ""
    state = await change_undo_state(change=change)
    assert state.possible and backup_of(change) in state.words
    shown = await change_undo_preview(
        transport=place.transport, actor=mara, change_id=change.pk, objects=await place.objects()
    )
    assert shown.conflict is None and shown.preview.told.button == "Bring back password"
    assert place.value() == BAD
    undone = await change_undo_apply(
        transport=place.transport, actor=mara, change_id=change.pk, token=shown.preview.token
    )
    await place.begin(undone)
    back = await place.follow(undone)
    assert place.value() == OLD
    assert (back.state, [step["name"] for step in back.steps]) == ("done", ["mail"])
    await place.up("mail")
    assert place.restarted("web")[0] == "", "what never saw the bad value is left alone"


async def test_undo_can_itself_be_undone(place: Database, mara: Actor) -> None:
    change = await place.rotate(mara)
    for wanted in (OLD, NEW):
        shown = await change_undo_preview(
            transport=place.transport, actor=mara, change_id=change.pk, objects=await place.objects()
        )
        change = await change_undo_apply(
            transport=place.transport, actor=mara, change_id=change.pk, token=shown.preview.token
        )
        assert place.value() == wanted


async def test_undo_while_it_restarts_ends_the_restarts(place: Database, mara: Actor) -> None:
    place.workload("mail")
    place.workload("web", 2)
    await place.up("mail")
    await place.up("web")
    change = await place.rotate(mara)
    await place.move()
    shown = await change_undo_preview(
        transport=place.transport, actor=mara, change_id=change.pk, objects=await place.objects()
    )
    undone = await change_undo_apply(
        transport=place.transport, actor=mara, change_id=change.pk, token=shown.preview.token
    )
    stale = await Rotation.objects.select_related("change", "change__user").aget(change=change)
    back = await place.begin(undone)
    assert (await Rotation.objects.aget(change=change)).state == "replaced"
    assert [step["name"] for step in back.steps] == ["mail"]
    stale.steps[0]["state"] = "done"
    with pytest.raises(Lost):
        await rotation_advance(
            rotation=stale, holder="a", transport=place.transport, objects=await place.objects(),
            now=datetime.now(UTC),
        )  # fmt: skip
    assert (await place.follow(undone)).state == "done"


async def test_a_process_that_ends_in_the_middle_is_followed_by_another_and_nothing_restarts_twice(
    place: Database, mara: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.workload("web", 2)
    await place.up("web")
    change = await place.apply(mara, (await place.preview(mara)).token)
    # The process ended between the write and its restarts: the next one finds that.
    assert [found.pk for found in await sync_to_async(rotations_missing)()] == [change.pk]
    await place.begin(change)
    assert await sync_to_async(rotations_missing)() == []
    # It ends after the restart was sent and before that was recorded.
    send = machine._restart

    async def cut(*given: Any) -> int:
        await send(*given)
        raise asyncio.CancelledError

    monkeypatch.setattr(machine, "_restart", cut)
    with pytest.raises(asyncio.CancelledError):
        await place.move("first")
    monkeypatch.setattr(machine, "_restart", send)
    sent = place.restarted("web")
    assert sent[0]
    assert await place.move("second") is None, "the first process may still be alive"
    later = datetime.now(UTC) + timedelta(seconds=machine.LEASE_SECONDS + 1)
    assert await place.move("second", later) is not None
    await Rotation.objects.aupdate(held_until=datetime.now(UTC) + timedelta(seconds=60))
    rotation = await place.follow(change, "second")
    assert rotation.state == "done"
    assert place.restarted("web") == sent, "sent once"


async def test_a_double_submit_writes_once_and_begins_one_rotation(place: Database, mara: Actor) -> None:
    token = (await place.preview(mara)).token
    one, two = await asyncio.gather(place.apply(mara, token), place.apply(mara, token))
    assert one.pk == two.pk
    first, second = await asyncio.gather(place.begin(one), place.begin(two))
    assert first.pk == second.pk
    assert len(place.api.get(place.secrets)["items"]) == 2


async def test_a_key_that_somebody_else_changed_is_a_conflict_another_key_is_none(
    place: Database, mara: Actor
) -> None:
    token = (await place.preview(mara)).token
    place.api.patch(f"{place.secrets}/database?fieldManager=kubectl-edit", {"stringData": {"username": "x"}})
    await place.apply(mara, token)
    token = (await place.preview(mara, "third-password-9")).token
    place.api.patch(
        f"{place.secrets}/database?fieldManager=kubectl-edit", {"stringData": {"password": "y" * 20}}
    )
    with pytest.raises(StaleView) as error:
        await place.apply(mara, token, "third-password-9")
    assert (error.value.who, error.value.now) == ("kubectl-edit", "password of 20 bytes")
    assert place.value() == "y" * 20


async def test_what_cannot_be_is_refused_and_an_immutable_secret_has_a_way_out(
    place: Database, mara: Actor
) -> None:
    for key, field in (("", "key"), ("nothing", "key")):
        with pytest.raises(BadInput) as error:
            await place.preview(mara, NEW, key)
        assert error.value.field == field
    place.api.patch(f"{place.secrets}/database", {"immutable": True})
    form = await secret_rotate_form(transport=place.transport, namespace=place.namespace, name="database")
    assert isinstance(form.refusal, Invalid) and "another name" in form.refusal.next_step
    with pytest.raises(Invalid):
        await place.preview(mara)


GET = rule("", "secrets", "get")
LIST = rule("", "secrets", "list")
PATCH = rule("", "secrets", "get", "patch")


async def test_without_the_right_the_form_says_which_and_nothing_is_sent(
    place: Database, mara: Actor
) -> None:
    async with place.restricted(GET) as transport:
        form = await secret_rotate_form(transport=transport, namespace=place.namespace, name="database")
        assert isinstance(form.refusal, Forbidden)
        assert f"patch secrets in namespace {place.namespace}" in form.refusal.message
        with pytest.raises(Forbidden):
            await place.preview(mara, transport=transport)
    assert place.value() == OLD


async def test_without_a_backup_the_preview_says_so_and_undo_is_not_offered(
    place: Database, mara: Actor
) -> None:
    place.workload("web")
    async with place.restricted(PATCH) as transport:
        shown = await place.preview(mara, transport=transport)
        titles = [notice.title for notice in shown.told.notices]
        assert "There will be no way back" in titles and "web will keep the old value" in titles
        change = await place.apply(mara, shown.token, transport=transport)
        rotation = await rotation_begin(change=change, transport=transport, objects=await place.objects())
        assert [step["state"] for step in rotation.steps] == ["left"]
    assert place.value() == NEW
    state = await change_undo_state(change=change)
    assert not state.possible and "No backup" in state.words


async def test_a_rule_of_the_cluster_refuses_in_its_own_words_without_the_value(
    place: Database, mara: Actor
) -> None:
    async with place.refusing(
        on("UPDATE", "", "secrets"),
        expression="string(object.data.password) == string(oldObject.data.password)",
        messageExpression="'Not on a Monday: ' + string(object.data.password)",
        probe=lambda: place.preview(mara),
    ) as message:
        assert "Not on a Monday" in message
        assert NEW not in message and base64.b64encode(NEW.encode()).decode() not in message
    assert place.value() == OLD


async def test_undo_without_its_backup_says_what_is_gone(place: Database, mara: Actor) -> None:
    change = await place.rotate(mara)
    place.api.delete(f"{place.secrets}/{backup_of(change)}")
    with pytest.raises(NotFound, match="backup"):
        await change_undo_preview(
            transport=place.transport, actor=mara, change_id=change.pk, objects=await place.objects()
        )


async def test_a_backup_that_was_tampered_with_is_not_brought_back(place: Database, mara: Actor) -> None:
    change = await place.rotate(mara)
    backup = backup_of(change)
    place.api.delete(f"{place.secrets}/{backup}")
    place.api.post(
        place.secrets, {"metadata": {"name": backup}, "stringData": {"password": "somebody-elses"}}
    )
    with pytest.raises(Conflict, match="does not hold"):
        await change_undo_preview(
            transport=place.transport, actor=mara, change_id=change.pk, objects=await place.objects()
        )
    assert place.value() == NEW


async def test_the_backup_goes_with_its_secret(place: Database, mara: Actor) -> None:
    change = await place.rotate(mara)
    place.api.delete(f"{place.secrets}/database")

    async def gone() -> bool:
        try:
            place.api.get(f"{place.secrets}/{backup_of(change)}")
        except ApiError as error:
            return error.status == 404
        return False

    assert await until(gone)


async def test_a_reveal_is_read_as_the_user_and_audited_without_the_value(
    place: Database, mara: Actor
) -> None:
    where = {"actor": mara, "namespace": place.namespace, "name": "database"}
    value = await secret_reveal(transport=place.transport, key="password", purpose="show", **where)  # type: ignore[arg-type]
    assert value == OLD.encode()
    await secret_reveal(transport=place.transport, key="password", purpose="copy", **where)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        await secret_reveal(transport=place.transport, key="nothing", purpose="show", **where)  # type: ignore[arg-type]
    async with place.restricted(LIST) as transport:
        with pytest.raises(Forbidden):
            await secret_reveal(transport=transport, key="password", purpose="show", **where)  # type: ignore[arg-type]
    audit = [entry async for entry in AuditEntry.objects.order_by("pk")]
    assert [(entry.action, entry.result, entry.user_name) for entry in audit] == [
        ("reveal", "done", "mara"), ("reveal", "done", "mara"), ("reveal", "refused", "mara"),
        ("reveal", "refused", "mara"),
    ]  # fmt: skip
    assert audit[0].detail == "Shown: key password." and "without being shown" in audit[1].detail
    assert not any(OLD in entry.detail for entry in audit)
