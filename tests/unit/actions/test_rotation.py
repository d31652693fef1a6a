"""The state machine of a rotation, against an API server of a few lines: each move, who may make it, and its end."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User

from dashboard.actions import rotation as machine
from dashboard.actions.action import Actor
from dashboard.actions.backups import mark
from dashboard.actions.operation import Lost, iso, operation_advance
from dashboard.actions.operations import (
    LEASE_SECONDS,
    may_resume,
    operation_begin,
    operation_resume,
    operation_stop,
    operations_claim,
    operations_missing,
    operations_release,
    waits_for,
)
from dashboard.actions.rollout_steps import HANGS_SECONDS, SETTLES_SECONDS, judge
from dashboard.actions.rotate import ROTATE
from dashboard.actions.standing import kept_standing, keys_in_words, secret_standing
from dashboard.errors import ClusterError, Conflict, Forbidden, NotFound, Unavailable
from dashboard.kube.transport import Response
from dashboard.models import AuditEntry, Change, Operation

from ..insight.world import NOW, World, condition, meta

ANNOTATION = "kubectl.kubernetes.io/restartedAt"

pytestmark = pytest.mark.django_db(transaction=True)

READS = {"name": "P", "valueFrom": {"secretKeyRef": {"name": "database", "key": "password"}}}


def b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


class Api:
    """Deployments by name, with generation and annotation, and their Secret; ``error`` is raised instead of the next
    write.
    """

    def __init__(self, *names: str) -> None:
        self.cluster = SimpleNamespace(name="dev", server="https://dev", is_sandbox=True)
        self.kept = {name: {"generation": 1, "annotations": dict[str, str]()} for name in names}
        self.writes: list[str] = []
        self.uid = "deployments"  # as World makes them
        self.may_patch = True
        self.error: ClusterError | None = None
        self.secret: dict[str, Any] | None = {
            "metadata": {"name": "database", "namespace": "shop", "uid": "u1", "resourceVersion": "1"},
            "data": {"password": b64(b"new")},
        }

    async def request(
        self, method: str, target: Any, *, name: str = "", body: bytes = b"", query: Any = None, **_: Any
    ) -> Response:
        if isinstance(target, str):
            return self._answer({"status": {"allowed": self.may_patch}})
        if target.plural == "secrets" and self.secret is not None:
            return self._answer(self.secret)
        if name not in self.kept:
            raise NotFound(f"no {name}")
        kept: dict[str, Any] = self.kept[name]
        if method == "PATCH":
            if self.error is not None:
                raise self.error
            made = json.loads(body)["spec"]["template"]["metadata"]["annotations"]
            kept = {"generation": kept["generation"] + 1, "annotations": made}
            if "dryRun" not in (query or {}):
                self.kept[name] = kept
                self.writes.append(name)
        facts = {
            "name": name,
            "uid": f"{self.uid}-{name}",
            "resourceVersion": "1",
            "generation": kept["generation"],
        }
        template = {"metadata": {"annotations": kept["annotations"]}}
        return self._answer({"metadata": facts, "spec": {"template": template}})

    def _answer(self, body: Mapping[str, Any]) -> Response:
        return Response(200, json.dumps(body).encode(), {})


def deployment(
    name: str, generation: int = 1, *, ready: int = 1, reason: str = ""
) -> tuple[str, dict[str, Any]]:
    """A Deployment of one pod; ``ready`` 0 is a rollout under way, ``reason`` its Progressing condition's."""
    status = {
        "observedGeneration": generation, "replicas": 1, "updatedReplicas": 1, "readyReplicas": ready,
        "availableReplicas": ready, "conditions": [condition("Progressing", "False", reason)] if reason else [],
    }  # fmt: skip
    containers = [{"name": "c", "env": [READS]}]
    spec = {"replicas": 1, "selector": {}, "template": {"spec": {"containers": containers}}}
    return "deployments", {
        "metadata": meta(name) | {"generation": generation},
        "spec": spec,
        "status": status,
    }


def world(generation: int = 1, **state: Any) -> World:
    return World(deployment("mail", generation, **state), deployment("web", generation))


@pytest.fixture
def api() -> Any:
    return Api("mail", "web")


@pytest.fixture
def change() -> Change:
    return written()


def written(undoes: Change | None = None) -> Change:
    user, _ = User.objects.get_or_create(username="mara")
    return Change.objects.create(
        nonce=f"n{Change.objects.count()}", state=Change.State.DONE, user=user, context="dev", action="rotate",
        plural="secrets", kind="Secret", namespace="shop", name="database", uid="u1", undoes=undoes,
        touched={
            "/data/password": [{"bytes": 3, "mark": "a"}, {"bytes": 3, "mark": mark("u1", "password", b"new")}]
        },
        inverse={"action": "rotate", "input": {"key": "password", "mark": "a", "keeps": True}},
    )  # fmt: skip


async def move(api: Any, objects: World, seconds: float = 0, holder: str = "a") -> Operation | None:
    now = NOW + timedelta(seconds=seconds)
    claimed = await sync_to_async(operations_claim)(holder, now)
    for rotation in claimed:
        await operation_advance(
            action=ROTATE, operation=rotation, holder=holder, transport=api, objects=objects, now=now
        )
    return claimed[0] if claimed else None


async def states(change: Change) -> tuple[str, list[str]]:
    found = await Operation.objects.aget(change=change)
    return found.state, [step["state"] for step in found.steps]


async def test_stages_follow_each_other_and_each_must_stay_up(api: Any, change: Change) -> None:
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    assert await states(change) == ("running", ["waiting", "waiting"])
    await move(api, world())
    assert (api.writes, await states(change)) == (["mail"], ("running", ["running", "waiting"]))
    await move(api, world(1), 1)  # the cache has not seen the restart yet: what it says is of before
    await move(api, world(2, ready=0), 2)
    await move(api, world(2), 3)
    await move(api, world(2), 3 + SETTLES_SECONDS - 1)
    assert await states(change) == ("running", ["running", "waiting"])
    await move(api, world(2), 3 + SETTLES_SECONDS)
    assert (api.writes, await states(change)) == (["mail"], ("running", ["done", "waiting"]))
    await move(api, world(2), 10)
    await move(api, world(2), 11)
    await move(api, world(2), 11 + SETTLES_SECONDS)
    await move(api, world(2), 18)
    assert (api.writes, await states(change)) == (["mail", "web"], ("done", ["done", "done"]))
    assert await move(api, world(2), 19) is None
    assert [entry.action async for entry in AuditEntry.objects.order_by("pk")] == ["restart", "restart"]


async def test_it_must_stay_up_from_the_last_time_on_that_it_was_not(api: Any, change: Change) -> None:
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    await move(api, world())
    await move(api, world(2), 1)
    await move(api, world(2, ready=0), 2)
    await move(api, world(2), 1 + SETTLES_SECONDS)
    assert (await states(change))[1][0] == "running"


async def test_a_rollout_that_fails_stops_it_and_nothing_further_is_restarted(
    api: Any, change: Change
) -> None:
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    await move(api, world())
    await move(api, world(2, ready=0, reason="ProgressDeadlineExceeded"), 1)
    assert await states(change) == ("stopped", ["failed", "waiting"])
    assert await move(api, world(2), 60) is None
    assert api.writes == ["mail"]
    assert [entry.result async for entry in AuditEntry.objects.order_by("pk")] == ["done", "failed"]


async def test_a_refused_restart_stops_it_and_a_lost_answer_does_not(api: Any, change: Change) -> None:
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    api.error = Unavailable("away")
    await move(api, world())
    assert await states(change) == ("running", ["running", "waiting"])
    api.error = None
    await move(api, world(), 1)
    assert api.writes == ["mail"]
    await Operation.objects.all().adelete()
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    api.kept["mail"]["annotations"] = {}
    api.error = Forbidden("no")
    await move(api, world(), 2)
    assert (await states(change))[0] == "stopped"


async def test_a_restart_that_was_sent_is_not_sent_again(api: Any, change: Change) -> None:
    """The process ends between the answer and its record; the next one finds the annotation."""
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    await move(api, world())
    found = await Operation.objects.aget(change=change)
    found.steps[0]["generation"] = 0
    await Operation.objects.aupdate(steps=found.steps, held_until=None)
    await move(api, world(), 1, "b")
    assert api.writes == ["mail"]
    assert (await Operation.objects.aget(change=change)).steps[0]["generation"] == 2


async def test_somebody_elses_later_restart_counts_an_earlier_one_does_not(api: Any, change: Change) -> None:
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    api.kept["mail"]["annotations"] = {ANNOTATION: (NOW + timedelta(hours=1)).isoformat()}
    api.kept["web"]["annotations"] = {ANNOTATION: "yesterday"}
    await move(api, world())
    assert api.writes == []
    await Operation.objects.aupdate(steps=[machine._step("deployments", "Deployment", "web")])
    await move(api, world(), 1)
    assert api.writes == ["web"]


async def test_one_process_at_a_time(api: Any, change: Change) -> None:
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    mine = await move(api, world(), 0, "a")
    assert mine is not None
    assert await move(api, world(), LEASE_SECONDS - 1, "b") is None
    assert await move(api, world(2), LEASE_SECONDS + 1, "b") is not None
    with pytest.raises(Lost):
        await operation_advance(
            action=ROTATE,
            operation=mine,
            holder="a",
            transport=api,
            objects=world(2),
            now=NOW + timedelta(seconds=20),
        )
    await sync_to_async(operations_release)("b")
    assert await move(api, world(2), LEASE_SECONDS + 2, "c") is not None
    assert api.writes == ["mail"]


async def test_a_value_without_its_restarts_is_found_and_begun_once(api: Any, change: Change) -> None:
    assert await sync_to_async(operations_missing)() == [change]
    one = await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    two = await operation_begin(action=ROTATE, change=change, transport=api, objects=World())
    assert one.pk == two.pk and len(two.steps) == 2
    assert await sync_to_async(operations_missing)() == []


async def test_taking_back_restarts_what_had_been_begun_and_ends_the_first(api: Any, change: Change) -> None:
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    await move(api, world())
    undo = await sync_to_async(written)(change)
    back = await operation_begin(action=ROTATE, change=undo, transport=api, objects=world(2))
    assert [step["name"] for step in back.steps] == ["mail"]
    assert (await states(change))[0] == "replaced"
    again = await sync_to_async(written)(undo)
    redo = await operation_begin(action=ROTATE, change=again, transport=api, objects=world(2))
    assert [step["name"] for step in redo.steps] == ["mail", "web"]


async def test_what_may_not_be_restarted_is_left_and_said(api: Any, change: Change) -> None:
    api.may_patch = False
    rotation = await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    assert {step["state"] for step in rotation.steps} == {"left"}
    await move(api, world())
    assert (await states(change))[0] == "done" and api.writes == []


def test_a_hanging_rollout_has_a_while_to_come_up_by_itself() -> None:
    failing = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}
    plural, manifest = deployment("mail", 2, ready=0)
    manifest["status"]["conditions"] = [failing]
    step = machine._step("deployments", "Deployment", "mail") | {"state": "running", "generation": 2}
    verdict = judge(step, World((plural, manifest)), "shop", NOW, old="the old value")
    assert (verdict.state, verdict.wrong) == ("running", True)
    step["wrong_since"] = iso(NOW - timedelta(seconds=HANGS_SECONDS))
    assert judge(step, World((plural, manifest)), "shop", NOW, old="the old value").state == "failed"


@pytest.mark.parametrize(
    ("uid", "kept", "state", "words"),
    [
        (
            "deployments",
            ("mail", "web"),
            "running",
            "",
        ),  # a process that has just begun has not listed it yet
        ("deployments", ("web",), "done", "It was deleted meanwhile."),
        ("others", ("mail", "web"), "done", "deleted and recreated"),
    ],
)
async def test_what_is_not_in_view_is_asked_of_the_api_server(
    api: Any, change: Change, uid: str, kept: tuple[str, ...], state: str, words: str
) -> None:
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    await move(api, world())
    api.uid, api.kept = uid, {name: api.kept[name] for name in kept}
    await move(api, World(), 1)
    step = (await Operation.objects.aget(change=change)).steps[0]
    assert step["state"] == state and words in step["text"]


async def test_an_api_server_that_is_away_ends_nothing(api: Any, change: Change) -> None:
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    await move(api, world())

    async def away(*_: Any, **__: Any) -> Response:
        raise Unavailable("away")

    api.request = away
    await move(api, World(), 1)
    assert await states(change) == ("running", ["running", "waiting"])


async def test_a_second_rotation_of_a_secret_waits_for_the_first_ones_end(api: Any, change: Change) -> None:
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    second = await sync_to_async(written)()
    later = await operation_begin(action=ROTATE, change=second, transport=api, objects=world())
    await move(api, world())
    assert (await states(second))[1] == ["waiting", "waiting"] and api.writes == ["mail"]
    assert await sync_to_async(waits_for)(later) == change.pk
    await operation_stop(actor=who(change), change=change)
    assert await sync_to_async(waits_for)(later) is None
    await move(api, world(2), 1)
    assert (await states(second))[1] == ["running", "waiting"]


def who(change: Change) -> Actor:
    return Actor(user=change.user, name="mara")


async def test_stopped_nothing_further_is_restarted_and_it_goes_on_where_it_stopped(
    api: Any, change: Change
) -> None:
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    mine = await move(api, world())
    assert mine is not None
    await operation_stop(actor=who(change), change=change)
    assert await states(change) == ("stopped", ["running", "waiting"])
    with pytest.raises(Lost):
        await operation_advance(
            action=ROTATE, operation=mine, holder="a", transport=api, objects=world(2), now=NOW
        )
    assert await move(api, world(2), 60) is None and api.writes == ["mail"]
    with pytest.raises(Conflict):
        await operation_stop(actor=who(change), change=change)
    await operation_resume(transport=api, actor=who(change), change=change)
    await move(api, world(2), 61)
    await move(api, world(2), 61 + SETTLES_SECONDS)
    await move(api, world(2), 70)
    assert api.writes == ["mail", "web"]
    audit = [entry.action async for entry in AuditEntry.objects.order_by("pk")]
    assert audit == ["restart", "stop restarts", "resume restarts", "restart"]


async def test_going_on_looks_again_at_what_failed_before_it_restarts_anything(
    api: Any, change: Change
) -> None:
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    await move(api, world())
    await move(api, world(2, ready=0, reason="ProgressDeadlineExceeded"), 1)
    assert await states(change) == ("stopped", ["failed", "waiting"])
    await operation_resume(transport=api, actor=who(change), change=change)
    await move(api, world(2), 2)
    await move(api, world(2), 2 + SETTLES_SECONDS)
    assert (api.writes, await states(change)) == (["mail"], ("running", ["done", "waiting"]))


async def test_a_restart_that_was_refused_is_sent_when_it_goes_on(api: Any, change: Change) -> None:
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    api.error = Forbidden("no")
    await move(api, world())
    assert (await states(change))[0] == "stopped"
    api.error = None
    await operation_resume(transport=api, actor=who(change), change=change)
    await move(api, world(), 1)
    assert api.writes == ["mail"]


async def test_it_does_not_go_on_once_the_secret_was_rotated_again(api: Any, change: Change) -> None:
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    await operation_stop(actor=who(change), change=change)
    await sync_to_async(written)()
    with pytest.raises(Conflict):
        await operation_resume(transport=api, actor=who(change), change=change)


async def test_of_several_keys_each_is_looked_at_and_the_one_that_changed_is_named(
    api: Any, change: Change
) -> None:
    change.touched["/data/user"] = [
        {"bytes": 3, "mark": "b"},
        {"bytes": 4, "mark": mark("u1", "user", b"shop")},
    ]
    await change.asave()
    api.secret["data"] = {"password": b64(b"new"), "user": b64(b"a\0b")}
    standing = await secret_standing(change=change, transport=api)
    assert (standing.how, standing.key) == ("changed", "user")
    assert standing.words("database").startswith("user of Secret database was given another value")
    api.secret["data"]["user"] = b64(b"shop")
    assert (await secret_standing(change=change, transport=api)).how == "same"
    assert keys_in_words(change) == "password and user"


def plain(name: str, *, ready: int = 1, **more: Any) -> tuple[str, dict[str, Any]]:
    """A Deployment with fields of its spec besides."""
    plural, manifest = deployment(name, more.pop("generation", 1), ready=ready)
    manifest["spec"] |= more
    return plural, manifest


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("changed", "given another value by kubectl-patch"),
        ("removed", "password was removed"),
        ("deleted", "Secret database was deleted"),
        ("recreated", "deleted and recreated"),
        ("deleting", "is being deleted"),
    ],
)
async def test_before_each_restart_the_secret_is_looked_at_again(
    api: Any, change: Change, how: str, said: str
) -> None:
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    await move(api, world())
    await move(api, world(2), 1)
    meta_ = api.secret["metadata"]
    meta_["managedFields"] = [
        {
            "manager": "kubectl-patch",
            "time": "2026-03-01T11:59:00Z",
            "fieldsV1": {"f:data": {"f:password": {}}},
        }
    ]
    match how:
        case "changed":
            api.secret["data"]["password"] = b64(b"other")
        case "removed":
            api.secret["data"] = {"else": b64(b"new")}
        case "deleted":
            api.secret = None
        case "recreated":
            meta_["uid"] = "u2"
        case "deleting":
            meta_["deletionTimestamp"] = "2026-03-01T11:59:00Z"
    await move(api, world(2), 1 + SETTLES_SECONDS)
    assert (api.writes, await states(change)) == (["mail"], ("stopped", ["done", "waiting"]))
    rotation = await Operation.objects.select_related("change").aget(change=change)
    assert "not known" in rotation.steps[0]["text"] and not rotation.steps[0]["confirmed"]
    standing = kept_standing(rotation.change)
    assert standing is not None and said in standing.words("database")
    last = await AuditEntry.objects.order_by("-pk").afirst()
    assert last is not None and said in last.detail
    for text in (b64(b"other"), b64(b"new")):
        assert text not in json.dumps([rotation.change.result, rotation.steps])
    assert await sync_to_async(may_resume)(rotation) is (how in ("changed", "removed"))


async def test_a_value_that_is_brought_back_lets_it_go_on(api: Any, change: Change) -> None:
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    api.secret["data"]["password"] = b64(b"other")
    await move(api, world())
    assert (api.writes, await states(change)) == ([], ("stopped", ["waiting", "waiting"]))
    api.secret["data"]["password"] = b64(b"new")
    actor = Actor(user=change.user, name="mara")
    await operation_resume(transport=api, actor=actor, change=change)
    await move(api, world(), 1)
    assert api.writes == ["mail"]
    found = await Change.objects.aget(pk=change.pk)
    assert kept_standing(found) is None


async def test_no_claim_about_a_value_that_was_replaced_while_its_pods_started(
    api: Any, change: Change
) -> None:
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    await move(api, world())
    api.secret["data"]["password"] = b64(b"other")
    await move(api, world(2, ready=0, reason="ProgressDeadlineExceeded"), 1)
    rotation = await Operation.objects.select_related("change").aget(change=change)
    assert kept_standing(rotation.change) is not None
    assert "not known" in rotation.steps[0]["text"]


async def test_what_a_restart_would_not_replace_is_left_and_stops_nobody(api: Any, change: Change) -> None:
    api.kept |= {name: {"generation": 1, "annotations": {}} for name in ("none", "idle")}
    paused = plain("none", ready=0, paused=True)
    paused[1]["status"] = {}  # created paused: it never made a pod
    idle = plain("idle", replicas=0, ready=0)
    objects = World(paused, idle, deployment("web"))
    await operation_begin(action=ROTATE, change=change, transport=api, objects=objects)
    assert await states(change) == ("running", ["waiting", "left", "done"])
    steps = (await Operation.objects.aget(change=change)).steps
    assert [step["name"] for step in steps] == ["web", "none", "idle"]
    assert "paused" in steps[1]["text"] and "no pods" in steps[2]["text"]
    await move(api, objects)
    later = World(paused, idle, deployment("web", 2))
    await move(api, later, 1)
    await move(api, later, 1 + SETTLES_SECONDS)
    await move(api, later, 9)
    assert (api.writes, (await states(change))[0]) == (["web"], "done")


async def test_what_is_paused_before_its_turn_is_left_too(api: Any, change: Change) -> None:
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    await move(api, World(plain("mail", paused=True), deployment("web")))
    assert await states(change) == ("running", ["left", "waiting"])
    await move(api, World(plain("mail", paused=True), deployment("web")), 1)
    assert api.writes == ["web"]


async def test_what_was_not_up_before_comes_last_and_tells_nothing_of_the_value(
    api: Any, change: Change
) -> None:
    before = World(deployment("mail", ready=0), deployment("web"))
    await operation_begin(action=ROTATE, change=change, transport=api, objects=before)
    steps = (await Operation.objects.aget(change=change)).steps
    assert [step["name"] for step in steps] == ["web", "mail"]
    await move(api, before)
    after = World(deployment("mail", ready=0), deployment("web", 2))
    for seconds in (1, 1 + SETTLES_SECONDS, 8):
        await move(api, after, seconds)
    assert api.writes == ["web", "mail"]
    await move(
        api, World(deployment("mail", 2, ready=0, reason="ProgressDeadlineExceeded"), deployment("web", 2)), 9
    )
    await move(api, after, 10)
    assert await states(change) == ("done", ["done", "down"])
    steps = (await Operation.objects.aget(change=change)).steps
    assert "says nothing about the value" in steps[1]["text"]


async def test_what_was_up_in_part_stops_the_others_when_it_fails(api: Any, change: Change) -> None:
    """One pod of three that crashes beside the others is no reason to give a bad value to everybody."""

    def seen(generation: int, ready: int, reason: str = "") -> World:
        plural, mail = deployment("mail", generation, ready=ready, reason=reason)
        mail["spec"]["replicas"] = mail["status"]["replicas"] = mail["status"]["updatedReplicas"] = 3
        return World((plural, mail), deployment("web", ready=0))

    await operation_begin(action=ROTATE, change=change, transport=api, objects=seen(1, 2))
    assert api.writes == []
    await move(api, seen(1, 2))
    await move(api, seen(2, 0, "ProgressDeadlineExceeded"), 9)
    assert await states(change) == ("stopped", ["failed", "waiting"])
    steps = (await Operation.objects.aget(change=change)).steps
    assert [step["name"] for step in steps] == ["mail", "web"]
    assert api.writes == ["mail"] and "says nothing about the value" not in steps[0]["text"]


async def test_nothing_is_waited_for_longer_than_an_hour(api: Any, change: Change) -> None:
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    await move(api, world())
    await move(api, world(2, ready=0), 3599)
    assert (await states(change))[0] == "running"
    await move(api, world(2, ready=0), 3601)
    assert await states(change) == ("stopped", ["failed", "waiting"])
    await operation_resume(transport=api, actor=Actor(user=change.user, name="mara"), change=change)
    await move(api, world(2, ready=0), 3700)
    assert (await states(change))[0] == "running", "a person gave it as long again"


async def test_an_api_server_that_stays_away_does_not_block_the_secret_for_ever(
    api: Any, change: Change
) -> None:
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    api.error = Unavailable("away")
    await move(api, world())
    await move(api, world(), 3601)
    assert (await states(change))[0] == "stopped"


async def test_nobody_is_restarted_with_a_value_that_no_container_can_be_given(api: Any) -> None:
    api.secret["data"]["password"] = b64(b"a\0b")
    change = await sync_to_async(written)()
    change.touched["/data/password"][1]["mark"] = mark("u1", "password", b"a\0b")
    await change.asave()
    await operation_begin(action=ROTATE, change=change, transport=api, objects=world())
    await move(api, world())
    assert (api.writes, await states(change)) == ([], ("stopped", ["failed", "waiting"]))
    assert "NUL" in (await Operation.objects.aget(change=change)).steps[0]["text"]
