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

from dashboard.actions import rollout_steps
from dashboard.actions import rotation as machine
from dashboard.actions.action import Actor, Preview
from dashboard.actions.backups import KEPT, backup_of, backups_prune
from dashboard.actions.operation import Lost, operation_advance
from dashboard.actions.operations import (
    LEASE_SECONDS,
    operation_begin,
    operation_stop,
    operations_claim,
    operations_missing,
)
from dashboard.actions.problems import BeingDeleted, StaleView, UnderWay
from dashboard.actions.reveals import secret_reveal
from dashboard.actions.rollout_steps import FOLLOWED
from dashboard.actions.rotate import ROTATE
from dashboard.actions.standing import kept_standing
from dashboard.actions.undo import change_undo_apply, change_undo_preview, change_undo_state
from dashboard.errors import BadInput, ClusterError, Conflict, Forbidden, Invalid, NotFound
from dashboard.insight.secretuse import READ
from dashboard.insight.words import text_of
from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change, Operation
from sandbox import Sandbox
from sandbox.api import ApiError
from tests import acting

from .place import Place, on, rule, until
from .test_rights import RULES

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

OLD, NEW, BAD = "old-password-1234", "new-password-5678", "short"
ENDED = ("done", "stopped", "replaced")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout_steps, "SETTLES_SECONDS", 1.0)
    monkeypatch.setattr(rollout_steps, "HANGS_SECONDS", 3.0)


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

    def workload(
        self, name: str, replicas: int = 1, plural: str = "deployments", image: str = "app:1", **spec: Any
    ) -> None:
        labels = {"app": name}
        container = {
            "name": "app",
            "image": image,
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
        return await acting.preview(ROTATE,
            transport=transport or self.transport, actor=who, namespace=self.namespace, name="database", key=key,
            value=value, objects=await self.objects(),
        )  # fmt: skip

    async def apply(
        self, who: Actor, token: str, value: str = NEW, transport: Transport | None = None
    ) -> Change:
        return await acting.apply(ROTATE,
            transport=transport or self.transport, actor=who, namespace=self.namespace, name="database",
            key="password", value=value, token=token,
        )  # fmt: skip

    async def rotate(self, who: Actor, value: str = NEW) -> Change:
        change = await self.apply(who, (await self.preview(who, value)).token, value)
        await self.begin(change)
        return change

    async def begin(self, change: Change) -> Operation:
        objects = await self.objects()
        return await operation_begin(action=ROTATE, change=change, transport=self.transport, objects=objects)

    async def move(self, holder: str = "a", now: datetime | None = None) -> Operation | None:
        """One move by one process; what it then holds."""
        claimed = await sync_to_async(operations_claim)(holder, now or datetime.now(UTC))
        for rotation in claimed:
            await operation_advance(
                action=ROTATE,
                operation=rotation,
                holder=holder,
                transport=self.transport,
                objects=await self.objects(),
                now=datetime.now(UTC),
            )
        return claimed[0] if claimed else None

    async def follow(self, change: Change, holder: str = "a") -> Operation:
        """The rotation, once it has ended."""

        async def ended() -> Operation | None:
            await self.move(holder)
            found = await Operation.objects.aget(change=change)
            return found if found.state in ENDED else None

        found: Operation = await until(ended, 120)
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


def hook(place: Database, **annotations: str) -> None:
    """The CronJob "set-password", suspended, whose pods behave as simulated pods are told to."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "psql", "image": "psql:1"}]}
    template = {"metadata": {"annotations": annotations}, "spec": pod}
    spec = {
        "schedule": "0 0 1 1 *",
        "suspend": True,
        "jobTemplate": {"spec": {"backoffLimit": 0, "template": template}},
    }
    path = f"/apis/batch/v1/namespaces/{place.namespace}/cronjobs"
    place.api.post(path, {"metadata": {"name": "set-password"}, "spec": spec})


async def rotate_with_job(place: Database, who: Actor, name: str = "set-password") -> Change:
    typed = {"transport": place.transport, "actor": who, "namespace": place.namespace, "name": "database"}
    typed |= {"key": "password", "value": NEW, "job": name}
    shown = await acting.preview(ROTATE, **typed, objects=await place.objects())
    assert f"A Job of CronJob {name} runs first" in [text_of(each.text) for each in shown.told.effects]
    assert f"--from=cronjob/{name}" in shown.told.kubectl
    change = await acting.apply(ROTATE, **typed, token=shown.token)
    await place.begin(change)
    return change


def jobs_of(place: Database) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = place.api.get(f"/apis/batch/v1/namespaces/{place.namespace}/jobs")["items"]
    return found


async def test_a_job_is_complete_before_anything_is_restarted_and_runs_again_on_the_way_back(
    place: Database, mara: Actor
) -> None:
    hook(place)
    place.workload("web")
    await place.up("web")
    change = await rotate_with_job(place, mara)
    while not jobs_of(place):
        await place.move()
    assert place.restarted("web")[1] == 1, "nothing is restarted while it runs"
    ended = await place.follow(change)
    assert ended.state == "done", ended.steps
    assert [step["title"] for step in ended.steps] == ["Run CronJob set-password", "Restart Deployment web"]
    (job,) = jobs_of(place)
    assert job["status"]["succeeded"] == 1 and place.restarted("web")[1] == 2

    shown = await change_undo_preview(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, objects=await place.objects()
    )
    back = await change_undo_apply(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, token=shown.preview.token
    )
    await place.begin(back)
    assert (await place.follow(back)).state == "done"
    assert place.value() == OLD and len(jobs_of(place)) == 2


async def test_a_job_that_fails_stops_everything_and_is_made_anew_when_somebody_resumes(
    place: Database, mara: Actor
) -> None:
    hook(place, **{"sandbox.cluster-ui.dev/behaviour": "crash-loop"})
    place.workload("web")
    await place.up("web")
    change = await rotate_with_job(place, mara)
    stopped = await place.follow(change)
    assert stopped.state == "stopped"
    assert [step["state"] for step in stopped.steps] == ["failed", "waiting"]
    assert "failed" in stopped.steps[0]["text"] and place.restarted("web")[1] == 1
    assert ROTATE.again(stopped.steps[0])["job"] == ""
    assert await AuditEntry.objects.filter(change=change, result="failed").acount() == 1


async def test_a_job_that_was_begun_is_not_begun_again_by_another_process(
    place: Database, mara: Actor
) -> None:
    """Also where the first one was killed before it had recorded that it had created it."""
    hook(place)
    change = await rotate_with_job(place, mara)
    while not jobs_of(place):
        await place.move("a")
    killed = await Operation.objects.aget(change=change)
    killed.steps[0] |= {"uid": "", "text": ""}
    await killed.asave(update_fields=["steps"])
    await place.move("b", datetime.now(UTC) + timedelta(seconds=LEASE_SECONDS + 1))
    assert (await place.follow(change, "b")).state == "done"
    assert len(jobs_of(place)) == 1


async def test_a_cronjob_that_is_not_there_or_may_not_be_run_is_refused_at_once(
    place: Database, mara: Actor
) -> None:
    with pytest.raises(BadInput, match="no CronJob nothing"):
        await rotate_with_job(place, mara, "nothing")
    with pytest.raises(BadInput):
        await rotate_with_job(place, mara, "../secrets")
    assert place.value() == OLD


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
    assert "Change the password in the database too" in [notice.title for notice in shown.told.notices]
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

    async def ended() -> Operation | None:
        nonlocal both_at_once
        await place.move()
        found = await Operation.objects.aget(change=change)
        both_at_once += sum(step["state"] == "running" for step in found.steps) > 1
        if found.steps[0]["state"] != "done":
            assert place.restarted("web")[0] == "", "the second stage waits for the first"
        return found if found.state in ENDED else None

    rotation: Operation = await until(ended, 120)
    assert rotation.state == "done" and both_at_once == 0
    assert [(step["name"], step["state"]) for step in rotation.steps] == [("mail", "done"), ("web", "done")]
    assert place.restarted("mail")[0] and place.restarted("web")[0]
    audit = [(entry.action, entry.result) async for entry in AuditEntry.objects.order_by("pk")]
    assert audit == [("rotate", "done"), ("restart", "done"), ("restart", "done")]
    kept = [entry.detail async for entry in AuditEntry.objects.all()]
    assert kept[0] == "password of 17 bytes → password of 17 bytes"


async def test_several_keys_are_written_at_once_and_come_back_together(place: Database, mara: Actor) -> None:
    place.workload("web")
    await place.up("web")
    what: Any = {
        "transport": place.transport, "actor": mara, "namespace": place.namespace, "name": "database",
        "value.password": NEW, "value.username": "shop-2",
    }  # fmt: skip
    shown = await acting.preview(ROTATE, **what, objects=await place.objects())
    assert shown.told.button == "Rotate 2 keys" and shown.told.headline is not None
    assert shown.told.headline.title == "The new values are written, then web restarts"
    assert NEW not in repr(shown) and "shop-2" not in repr(shown)
    change = await acting.apply(ROTATE, **what, token=shown.token)
    await place.begin(change)
    versions = place.api.get(f"{place.secrets}/database")["metadata"]["resourceVersion"]
    assert (place.value(), place.value(key="username")) == (NEW, "shop-2")
    kept = place.api.get(f"{place.secrets}/{backup_of(change)}")["data"]
    assert {key: base64.b64decode(value).decode() for key, value in kept.items()} == {
        "password": OLD,
        "username": "shop",
    }
    rotation = await place.follow(change)
    assert [(step["name"], step["state"]) for step in rotation.steps] == [("web", "done")]
    assert place.api.get(f"{place.secrets}/database")["metadata"]["resourceVersion"] == versions, "one write"

    async def undo_preview() -> Any:
        return await change_undo_preview(
            kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk,
            objects=await place.objects(),
        )  # fmt: skip

    place.api.patch(f"{place.secrets}/database", {"stringData": {"username": "by-kubectl"}})
    assert (await undo_preview()).conflict is not None, "one of them was given another value meanwhile"
    place.api.patch(f"{place.secrets}/database", {"stringData": {"username": "shop-2"}})
    back = await undo_preview()
    assert back.conflict is None and back.preview.told.button == "Restore 2 keys"
    undone = await change_undo_apply(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, token=back.preview.token
    )
    await place.begin(undone)
    assert (place.value(), place.value(key="username")) == (OLD, "shop")
    assert (await place.follow(undone)).state == "done"


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
        kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, objects=await place.objects()
    )
    assert shown.conflict is None and shown.preview.told.button == "Restore password"
    assert place.value() == BAD
    undone = await change_undo_apply(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, token=shown.preview.token
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
            kinds=KINDS,
            transport=place.transport,
            actor=mara,
            change_id=change.pk,
            objects=await place.objects(),
        )
        change = await change_undo_apply(
            kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, token=shown.preview.token
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
        kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, objects=await place.objects()
    )
    undone = await change_undo_apply(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, token=shown.preview.token
    )
    stale = await Operation.objects.select_related("change", "change__user").aget(change=change)
    back = await place.begin(undone)
    assert (await Operation.objects.aget(change=change)).state == "replaced"
    assert [step["name"] for step in back.steps] == ["mail"]
    stale.steps[0]["state"] = "done"
    with pytest.raises(Lost):
        await operation_advance(action=ROTATE,
            operation=stale, holder="a", transport=place.transport, objects=await place.objects(),
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
    assert [found.pk for found in await sync_to_async(operations_missing)()] == [change.pk]
    await place.begin(change)
    assert await sync_to_async(operations_missing)() == []
    # It ends after the restart was sent and before that was recorded.
    send = machine._restart

    async def cut(*given: Any) -> tuple[int, str]:
        await send(*given)
        raise asyncio.CancelledError

    monkeypatch.setattr(machine, "_restart", cut)
    with pytest.raises(asyncio.CancelledError):
        await place.move("first")
    monkeypatch.setattr(machine, "_restart", send)
    sent = place.restarted("web")
    assert sent[0]
    assert await place.move("second") is None, "the first process may still be alive"
    later = datetime.now(UTC) + timedelta(seconds=LEASE_SECONDS + 1)
    assert await place.move("second", later) is not None
    await Operation.objects.aupdate(held_until=datetime.now(UTC) + timedelta(seconds=60))
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
    change = await place.apply(mara, token)
    await place.begin(change)
    await place.follow(change)
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
    form = await acting.form(
        ROTATE,
        transport=place.transport,
        namespace=place.namespace,
        name="database",
        objects=await place.objects(),
    )
    assert isinstance(form.refusal, Invalid) and "Replace it" in form.refusal.next_step
    with pytest.raises(Invalid):
        await place.preview(mara)


GET = rule("", "secrets", "get")
LIST = rule("", "secrets", "list")
PATCH = rule("", "secrets", "get", "patch")


async def test_with_just_the_rights_of_deploy_it_is_rotated_followed_and_taken_back(
    place: Database, mara: Actor
) -> None:
    place.workload("web")
    await place.up("web")
    admin = place.transport
    async with place.restricted(*(each for rules in RULES.values() for each in rules)) as place.transport:
        shown = await place.preview(mara)
        titles = [notice.title for notice in shown.told.notices]
        assert titles == ["Change the password in the database too"], "nothing that it may not"
        change = await place.apply(mara, shown.token)
        await place.begin(change)
        assert (await place.follow(change)).state == "done"
        back = await change_undo_preview(
            kinds=KINDS,
            transport=place.transport,
            actor=mara,
            change_id=change.pk,
            objects=await place.objects(),
        )
        undone = await change_undo_apply(
            kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, token=back.preview.token
        )
        await place.begin(undone)
        assert (await place.follow(undone)).state == "done"
    place.transport = admin
    assert place.value() == OLD


async def test_without_the_right_the_form_says_which_and_nothing_is_sent(
    place: Database, mara: Actor
) -> None:
    async with place.restricted(GET) as transport:
        form = await acting.form(
            ROTATE,
            transport=transport,
            namespace=place.namespace,
            name="database",
            objects=await place.objects(),
        )
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
        assert "You won't be able to undo this" in titles and "web will keep the old value" in titles
        change = await place.apply(mara, shown.token, transport=transport)
        rotation = await operation_begin(
            action=ROTATE, change=change, transport=transport, objects=await place.objects()
        )
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


async def test_a_rule_that_refuses_the_backup_lets_nothing_be_written_and_tells_no_value(
    place: Database, mara: Actor
) -> None:
    token = (await place.preview(mara)).token
    async with place.refusing(
        on("CREATE", "", "secrets"),
        expression="false",
        messageExpression="'No copies of ' + string(object.data.password)",
        probe=lambda: place.transport.request(
            "POST",
            KINDS["secrets"].gvr,
            namespace=place.namespace,
            query={"dryRun": "All"},
            body=b'{"metadata": {"name": "probe"}, "stringData": {"password": "probe"}}',
        ),
    ):
        with pytest.raises(ClusterError) as error:
            await place.apply(mara, token)
    assert "No copies of (hidden)" in error.value.message
    entry = await AuditEntry.objects.aget()
    assert entry.result == "refused" and OLD not in entry.detail
    assert place.value() == OLD


async def test_while_one_value_goes_round_another_is_refused_until_that_is_stopped_or_taken_back(
    place: Database, mara: Actor
) -> None:
    place.workload("web")
    await place.up("web")
    early = (await place.preview(mara, "third-password-9")).token
    change = await place.rotate(mara)
    for step in (place.preview(mara, "fourth-password-9"), place.apply(mara, early, "third-password-9")):
        with pytest.raises(UnderWay) as error:
            await step
        assert error.value.change == change.pk
    form = await acting.form(
        ROTATE,
        transport=place.transport,
        namespace=place.namespace,
        name="database",
        objects=await place.objects(),
    )
    assert isinstance(form.refusal, UnderWay)
    await operation_stop(actor=mara, change=change)
    assert (await place.preview(mara, "fourth-password-9")).token


async def test_going_back_is_previewed_for_just_what_had_been_restarted(place: Database, mara: Actor) -> None:
    place.workload("mail")
    place.workload("web", 2)
    await place.up("mail")
    await place.up("web")
    change = await place.rotate(mara)
    await place.move()
    await operation_stop(actor=mara, change=change)
    shown = await change_undo_preview(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, objects=await place.objects()
    )
    told = shown.preview.told
    assert told.headline is not None and told.headline.title.endswith("then mail restarts")
    effects = {text_of(effect.text).split(" reads")[0]: effect for effect in told.effects}
    assert effects["Deployment mail"].word == "stage 1"
    assert "it keeps running" in effects["Deployment web"].note and "deployment/web" not in told.kubectl


async def test_the_newest_old_values_are_kept_and_older_ones_go(place: Database, mara: Actor) -> None:
    first = None
    for at in range(KEPT + 1):
        change = await place.rotate(mara, f"password-number-{at}")
        first = first or change
        await place.follow(change)
        await backups_prune(change=change, transport=place.transport)
    kept = [item["metadata"]["name"] for item in place.api.get(place.secrets)["items"]]
    assert len(kept) == 1 + KEPT and first is not None and backup_of(first) not in kept
    state = await change_undo_state(change=await Change.objects.aget(pk=first.pk))
    assert not state.possible and f"newest {KEPT}" in state.words


async def test_what_a_type_rules_out_is_refused_at_its_field_before_anything_is_sent(
    place: Database, mara: Actor
) -> None:
    kind = "kubernetes.io/dockerconfigjson"
    place.api.post(
        place.secrets,
        {"metadata": {"name": "registry"}, "type": kind, "stringData": {".dockerconfigjson": "{}"}},
    )
    what: Any = {
        "transport": place.transport,
        "actor": mara,
        "namespace": place.namespace,
        "name": "registry",
    }
    for value in (b"{", b"[1]", b"\xff"):
        with pytest.raises(BadInput, match="not a JSON") as error:
            await acting.preview(
                ROTATE,
                **what,
                key=".dockerconfigjson",
                value=base64.b64encode(value).decode(),
                encoding="base64",
                objects=await place.objects(),
            )
        assert error.value.field == "value"
    with pytest.raises(BadInput, match="all keys together"):
        await place.preview(mara, "x" * (2**20 - 3))


async def test_undo_without_its_backup_says_what_is_gone(place: Database, mara: Actor) -> None:
    change = await place.rotate(mara)
    place.api.delete(f"{place.secrets}/{backup_of(change)}")
    with pytest.raises(NotFound, match="backup"):
        await change_undo_preview(
            kinds=KINDS,
            transport=place.transport,
            actor=mara,
            change_id=change.pk,
            objects=await place.objects(),
        )


async def test_a_backup_that_was_tampered_with_is_not_brought_back(place: Database, mara: Actor) -> None:
    change = await place.rotate(mara)
    backup = backup_of(change)
    place.api.delete(f"{place.secrets}/{backup}")
    place.api.post(
        place.secrets, {"metadata": {"name": backup}, "stringData": {"password": "somebody-elses"}}
    )
    with pytest.raises(Conflict, match="doesn't contain"):
        await change_undo_preview(
            kinds=KINDS,
            transport=place.transport,
            actor=mara,
            change_id=change.pk,
            objects=await place.objects(),
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


# ---- What a preview promises has been tried


def quota(place: Database, secrets: int) -> None:
    place.make(
        "/api/v1/namespaces/{ns}/resourcequotas",
        {"metadata": {"name": "few"}, "spec": {"hard": {"secrets": str(secrets)}}},
    )


async def counted(place: Database) -> bool:
    found = place.api.get(f"/api/v1/namespaces/{place.namespace}/resourcequotas/few")
    return bool(found.get("status", {}).get("used", {}).get("secrets"))


async def test_a_quota_that_leaves_no_room_for_the_backup_is_told_before(
    place: Database, mara: Actor
) -> None:
    quota(place, 1)
    await until(lambda: counted(place))
    shown = await place.preview(mara)
    notice = next(each for each in shown.told.notices if each.title == "You won't be able to undo this")
    assert "exceeded quota" in notice.text and shown.told.danger
    assert "cannot be undone" in shown.told.undo_words
    change = await place.apply(mara, shown.token)
    assert place.value() == NEW and not change.inverse
    assert not (await change_undo_state(change=change)).possible


async def test_the_last_room_of_a_quota_is_used_once_and_a_second_submit_gets_the_same(
    place: Database, mara: Actor
) -> None:
    quota(place, 2)
    await until(lambda: counted(place))
    shown = await place.preview(mara)
    assert not shown.told.danger
    change = await place.apply(mara, shown.token)
    assert (await place.apply(mara, shown.token)).pk == change.pk
    undo = await change_undo_preview(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, objects=await place.objects()
    )
    assert "exceeded quota" in next(
        each.text for each in undo.preview.told.notices if each.title == "You won't be able to undo this"
    )
    await change_undo_apply(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, token=undo.preview.token
    )
    assert place.value() == OLD, "going back is not held up by what cannot be kept"


async def test_room_that_is_gone_between_preview_and_apply_writes_nothing(
    place: Database, mara: Actor
) -> None:
    shown = await place.preview(mara)
    quota(place, 1)
    await until(lambda: counted(place))
    with pytest.raises(Forbidden, match="could not be kept, so nothing was written"):
        await place.apply(mara, shown.token)
    assert place.value() == OLD


async def test_a_policy_on_labels_that_refuses_the_backup_is_told_before(
    place: Database, mara: Actor
) -> None:
    rules = on("CREATE", "", "secrets")
    expression = "has(object.metadata.labels) && 'team' in object.metadata.labels"

    async def probe() -> None:
        await place.transport.request(
            "POST", KINDS["secrets"].gvr, namespace=place.namespace, query={"dryRun": "All"},
            body=b'{"metadata": {"name": "probe"}}',
        )  # fmt: skip

    async with place.refusing(rules, expression=expression, probe=probe, message="Say which team."):
        shown = await place.preview(mara)
    notice = next(each for each in shown.told.notices if each.title == "You won't be able to undo this")
    assert "Say which team." in notice.text and shown.told.danger


async def test_in_a_namespace_that_is_terminating_no_way_back_is_promised(
    place: Database, mara: Actor
) -> None:
    place.api.patch(f"{place.secrets}/database", {"metadata": {"finalizers": ["example.com/hold"]}})
    place.api.delete(f"/api/v1/namespaces/{place.namespace}")
    try:

        async def refused() -> bool:
            """The Secret is there until its turn comes to be deleted, and then until its finalizer is removed."""
            try:
                shown = await place.preview(mara)
            except BeingDeleted as error:
                assert "example.com/hold" in error.message
                return True
            assert "You won't be able to undo this" in [each.title for each in shown.told.notices]
            assert shown.told.danger and "cannot be undone" in shown.told.undo_words
            return False

        assert await until(refused)
    finally:
        place.api.patch(f"{place.secrets}/database", {"metadata": {"finalizers": None}})


# ---- Somebody else writes meanwhile


@pytest.mark.parametrize("how", ["written", "deleted"])
async def test_what_kubectl_does_meanwhile_stops_the_restarts(place: Database, mara: Actor, how: str) -> None:
    place.workload("mail")
    place.workload("web", 2)
    await place.up("mail")
    await place.up("web")
    change = await place.rotate(mara)
    await place.move()
    if how == "written":
        place.api.patch(
            f"{place.secrets}/database?fieldManager=kubectl-patch", {"stringData": {"password": "x" * 20}}
        )
    else:
        place.api.delete(f"{place.secrets}/database")
    rotation = await place.follow(change)
    assert rotation.state == "stopped"
    assert place.restarted("web")[0] == ""
    standing = kept_standing(await Change.objects.aget(pk=change.pk))
    assert standing is not None
    assert (standing.how, standing.who) == (
        ("changed", "kubectl-patch") if how == "written" else ("deleted", "")
    )
    if how == "written":
        undo = await change_undo_preview(
            kinds=KINDS,
            transport=place.transport,
            actor=mara,
            change_id=change.pk,
            objects=await place.objects(),
        )
        assert undo.conflict is not None and undo.conflict.who == "kubectl-patch"
        place.api.patch(f"{place.secrets}/database", {"stringData": {"password": "y" * 20}})
        with pytest.raises(StaleView):
            await change_undo_apply(
                kinds=KINDS,
                transport=place.transport,
                actor=mara,
                change_id=change.pk,
                token=undo.preview.token,
            )
        assert place.value() == "y" * 20


# ---- Those that a restart does not bring the value to


async def test_what_a_restart_does_not_replace_is_told_and_holds_nobody_up(
    place: Database, mara: Actor
) -> None:
    place.workload("web")
    place.workload("idle", 0)
    template = place.api.get(f"{place.apps}/deployments/web")["spec"]
    for name, more in (("asleep", {"paused": True}), ("by-hand", {"updateStrategy": {"type": "OnDelete"}})):
        labels = {"app": name}
        spec = {"replicas": 1, "selector": {"matchLabels": labels}, **more}
        spec["template"] = template["template"] | {
            "metadata": template["template"]["metadata"] | {"labels": labels}
        }
        plural = "deployments" if name == "asleep" else "statefulsets"
        spec |= {} if name == "asleep" else {"serviceName": name}
        place.api.post(f"{place.apps}/{plural}", {"metadata": {"name": name}, "spec": spec})
    for name, partition in (("whole", 2), ("part", 1)):
        place.workload(name, 2, "statefulsets")
        rolling = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}}
        place.api.patch(f"{place.apps}/statefulsets/{name}", {"spec": rolling})
    await place.up("web")
    for name in ("by-hand", "whole", "part"):
        await place.up(name, "statefulsets")
    shown = await place.preview(mara)
    told = {effect.ref.name: effect for effect in shown.told.effects if effect.ref is not None}
    assert "It is paused" in told["asleep"].note and told["asleep"].word == "old value"
    assert "OnDelete" in told["by-hand"].note and "no pods" in told["idle"].note
    assert told["web"].word == "stage 1"
    assert "Its partition is 2" in told["whole"].note and told["whole"].word == "old value"
    assert "Its partition is 1" in told["part"].note and told["part"].word.startswith("stage ")
    kept = [each.title for each in shown.told.notices]
    for name in ("asleep", "by-hand", "whole"):
        assert f"{name} will keep the old value" in kept
    change = await place.apply(mara, shown.token)
    await place.begin(change)
    rotation = await place.follow(change)
    states = {step["name"]: step["state"] for step in rotation.steps}
    assert (rotation.state, states) == (
        "done",
        {"web": "done", "asleep": "left", "by-hand": "left", "whole": "left", "part": "done", "idle": "done"},
    )  # fmt: skip
    texts = {step["name"]: step["text"] for step in rotation.steps}
    assert "Its partition is 2" in texts["whole"] and "below number 1 keep the old" in texts["part"]
    assert (await place.preview(mara, OLD)).token, "the Secret is free for the next rotation"


async def test_what_crashed_before_comes_last_and_stops_nobody(place: Database, mara: Actor) -> None:
    place.workload("broken", image="app.invalid/none:1")
    place.workload("web")
    await place.up("web")
    shown = await place.preview(mara)
    told = {effect.ref.name: effect for effect in shown.told.effects if effect.ref is not None}
    assert told["broken"].word == "stage 2" and "says nothing about the value" in told["broken"].note
    change = await place.apply(mara, shown.token)
    await place.begin(change)
    rotation = await place.follow(change)
    assert rotation.state == "done"
    assert [(step["name"], step["state"]) for step in rotation.steps] == [("web", "done"), ("broken", "down")]


async def test_bytes_that_no_variable_can_hold_are_dangerous_and_restart_nobody(
    place: Database, mara: Actor
) -> None:
    place.workload("web")
    await place.up("web")
    value = "nul\0in-the-middle"
    shown = await place.preview(mara, value)
    assert shown.told.danger and shown.told.headline is not None
    assert shown.told.headline.title == "New pods of web will not start"
    assert value not in repr(shown)
    change = await place.rotate(mara, value)
    rotation = await place.follow(change)
    assert (rotation.state, place.restarted("web")[0]) == ("stopped", "")
    place.api.delete(f"/api/v1/namespaces/{place.namespace}/pods/" + pod_of(place, "web"))

    async def refused() -> bool:
        if (name := pod_of(place, "web")) == "none":
            return False
        found = place.api.get(f"/api/v1/namespaces/{place.namespace}/pods/{name}")
        (status,) = found["status"].get("containerStatuses") or [{}]
        return status.get("state", {}).get("waiting", {}).get("reason") == "CreateContainerError"

    assert await until(refused), "the sandbox's nodes refuse it, as real ones do"


def pod_of(place: Database, app: str) -> str:
    pods = place.api.get(f"/api/v1/namespaces/{place.namespace}/pods?labelSelector=app={app}")["items"]
    alive = [each for each in pods if not each["metadata"].get("deletionTimestamp")]
    return str(alive[0]["metadata"]["name"]) if alive else "none"
