"""The state machine of a rotation, against an API server of a few lines: each move, who may make it, and its end."""

from __future__ import annotations

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
from dashboard.actions.rotation import (
    HANGS_SECONDS,
    LEASE_SECONDS,
    SETTLES_SECONDS,
    Lost,
    judge,
    rotation_advance,
    rotation_begin,
    rotations_claim,
    rotations_missing,
    rotations_release,
    waits_for,
)
from dashboard.actions.rotation_control import rotation_go_on, rotation_stop
from dashboard.errors import ClusterError, Conflict, Forbidden, NotFound, Unavailable
from dashboard.kube.transport import Response
from dashboard.models import AuditEntry, Change, Rotation

from ..insight.world import NOW, World, condition, meta

pytestmark = pytest.mark.django_db(transaction=True)

READS = {"name": "P", "valueFrom": {"secretKeyRef": {"name": "database", "key": "password"}}}


class Api:
    """Deployments by name, with generation and annotation; ``error`` is raised instead of the next write."""

    def __init__(self, *names: str) -> None:
        self.cluster = SimpleNamespace(name="dev", server="https://dev", is_sandbox=True)
        self.kept = {name: {"generation": 1, "annotations": dict[str, str]()} for name in names}
        self.writes: list[str] = []
        self.uid = "deployments"  # as World makes them
        self.may_patch = True
        self.error: ClusterError | None = None

    async def request(
        self, method: str, target: Any, *, name: str = "", body: bytes = b"", **_: Any
    ) -> Response:
        if isinstance(target, str):
            return self._answer({"status": {"allowed": self.may_patch}})
        if name not in self.kept:
            raise NotFound(f"no {name}")
        kept: dict[str, Any] = self.kept[name]
        if method == "PATCH":
            if self.error is not None:
                raise self.error
            kept["annotations"] = json.loads(body)["spec"]["template"]["metadata"]["annotations"]
            kept["generation"] += 1
            self.writes.append(name)
        facts = {"uid": f"{self.uid}-{name}", "resourceVersion": "1", "generation": kept["generation"]}
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
        touched={"/data/password": [{"bytes": 3, "mark": "a"}, {"bytes": 4, "mark": "b"}]},
        inverse={"action": "rotate", "input": {"key": "password", "mark": "a", "keeps": True}},
    )  # fmt: skip


async def move(api: Any, objects: World, seconds: float = 0, holder: str = "a") -> Rotation | None:
    now = NOW + timedelta(seconds=seconds)
    claimed = await sync_to_async(rotations_claim)(holder, now)
    for rotation in claimed:
        await rotation_advance(rotation=rotation, holder=holder, transport=api, objects=objects, now=now)
    return claimed[0] if claimed else None


async def states(change: Change) -> tuple[str, list[str]]:
    found = await Rotation.objects.aget(change=change)
    return found.state, [step["state"] for step in found.steps]


async def test_stages_follow_each_other_and_each_must_stay_up(api: Any, change: Change) -> None:
    await rotation_begin(change=change, transport=api, objects=world())
    assert await states(change) == ("restarting", ["waiting", "waiting"])
    await move(api, world())
    assert (api.writes, await states(change)) == (["mail"], ("restarting", ["restarting", "waiting"]))
    await move(api, world(1), 1)  # the cache has not seen the restart yet: what it says is of before
    await move(api, world(2, ready=0), 2)
    await move(api, world(2), 3)
    await move(api, world(2), 3 + SETTLES_SECONDS - 1)
    assert await states(change) == ("restarting", ["restarting", "waiting"])
    await move(api, world(2), 3 + SETTLES_SECONDS)
    assert (api.writes, await states(change)) == (["mail"], ("restarting", ["done", "waiting"]))
    await move(api, world(2), 10)
    await move(api, world(2), 11)
    await move(api, world(2), 11 + SETTLES_SECONDS)
    await move(api, world(2), 18)
    assert (api.writes, await states(change)) == (["mail", "web"], ("done", ["done", "done"]))
    assert await move(api, world(2), 19) is None
    assert [entry.action async for entry in AuditEntry.objects.order_by("pk")] == ["restart", "restart"]


async def test_it_must_stay_up_from_the_last_time_on_that_it_was_not(api: Any, change: Change) -> None:
    await rotation_begin(change=change, transport=api, objects=world())
    await move(api, world())
    await move(api, world(2), 1)
    await move(api, world(2, ready=0), 2)
    await move(api, world(2), 1 + SETTLES_SECONDS)
    assert (await states(change))[1][0] == "restarting"


async def test_a_rollout_that_fails_stops_it_and_nothing_further_is_restarted(
    api: Any, change: Change
) -> None:
    await rotation_begin(change=change, transport=api, objects=world())
    await move(api, world())
    await move(api, world(2, ready=0, reason="ProgressDeadlineExceeded"), 1)
    assert await states(change) == ("stopped", ["failed", "waiting"])
    assert await move(api, world(2), 60) is None
    assert api.writes == ["mail"]
    assert [entry.result async for entry in AuditEntry.objects.order_by("pk")] == ["done", "failed"]


async def test_a_refused_restart_stops_it_and_a_lost_answer_does_not(api: Any, change: Change) -> None:
    await rotation_begin(change=change, transport=api, objects=world())
    api.error = Unavailable("away")
    await move(api, world())
    assert await states(change) == ("restarting", ["restarting", "waiting"])
    api.error = None
    await move(api, world(), 1)
    assert api.writes == ["mail"]
    await Rotation.objects.all().adelete()
    await rotation_begin(change=change, transport=api, objects=world())
    api.kept["mail"]["annotations"] = {}
    api.error = Forbidden("no")
    await move(api, world(), 2)
    assert (await states(change))[0] == "stopped"


async def test_a_restart_that_was_sent_is_not_sent_again(api: Any, change: Change) -> None:
    """The process ends between the answer and its record; the next one finds the annotation."""
    await rotation_begin(change=change, transport=api, objects=world())
    await move(api, world())
    found = await Rotation.objects.aget(change=change)
    found.steps[0]["generation"] = 0
    await Rotation.objects.aupdate(steps=found.steps, held_until=None)
    await move(api, world(), 1, "b")
    assert api.writes == ["mail"]
    assert (await Rotation.objects.aget(change=change)).steps[0]["generation"] == 2


async def test_somebody_elses_later_restart_counts_an_earlier_one_does_not(api: Any, change: Change) -> None:
    await rotation_begin(change=change, transport=api, objects=world())
    api.kept["mail"]["annotations"] = {machine.ANNOTATION: (NOW + timedelta(hours=1)).isoformat()}
    api.kept["web"]["annotations"] = {machine.ANNOTATION: "yesterday"}
    await move(api, world())
    assert api.writes == []
    await Rotation.objects.aupdate(steps=[machine._step("deployments", "Deployment", "web")])
    await move(api, world(), 1)
    assert api.writes == ["web"]


async def test_one_process_at_a_time(api: Any, change: Change) -> None:
    await rotation_begin(change=change, transport=api, objects=world())
    mine = await move(api, world(), 0, "a")
    assert mine is not None
    assert await move(api, world(), LEASE_SECONDS - 1, "b") is None
    assert await move(api, world(2), LEASE_SECONDS + 1, "b") is not None
    with pytest.raises(Lost):
        await rotation_advance(
            rotation=mine, holder="a", transport=api, objects=world(2), now=NOW + timedelta(seconds=20)
        )
    await sync_to_async(rotations_release)("b")
    assert await move(api, world(2), LEASE_SECONDS + 2, "c") is not None
    assert api.writes == ["mail"]


async def test_a_value_without_its_restarts_is_found_and_begun_once(api: Any, change: Change) -> None:
    assert await sync_to_async(rotations_missing)() == [change]
    one = await rotation_begin(change=change, transport=api, objects=world())
    two = await rotation_begin(change=change, transport=api, objects=World())
    assert one.pk == two.pk and len(two.steps) == 2
    assert await sync_to_async(rotations_missing)() == []


async def test_taking_back_restarts_what_had_been_begun_and_ends_the_first(api: Any, change: Change) -> None:
    await rotation_begin(change=change, transport=api, objects=world())
    await move(api, world())
    undo = await sync_to_async(written)(change)
    back = await rotation_begin(change=undo, transport=api, objects=world(2))
    assert [step["name"] for step in back.steps] == ["mail"]
    assert (await states(change))[0] == "replaced"
    again = await sync_to_async(written)(undo)
    redo = await rotation_begin(change=again, transport=api, objects=world(2))
    assert [step["name"] for step in redo.steps] == ["mail", "web"]


async def test_what_may_not_be_restarted_is_left_and_said(api: Any, change: Change) -> None:
    api.may_patch = False
    rotation = await rotation_begin(change=change, transport=api, objects=world())
    assert {step["state"] for step in rotation.steps} == {"left"}
    await move(api, world())
    assert (await states(change))[0] == "done" and api.writes == []


def test_a_hanging_rollout_has_a_while_to_come_up_by_itself() -> None:
    failing = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}
    plural, manifest = deployment("mail", 2, ready=0)
    manifest["status"]["conditions"] = [failing]
    step = machine._step("deployments", "Deployment", "mail") | {"state": "restarting", "generation": 2}
    verdict = judge(step, World((plural, manifest)), "shop", NOW)
    assert (verdict.state, verdict.wrong) == ("restarting", True)
    step["wrong_since"] = machine._iso(NOW - timedelta(seconds=HANGS_SECONDS))
    assert judge(step, World((plural, manifest)), "shop", NOW).state == "failed"


@pytest.mark.parametrize(
    ("uid", "kept", "state", "words"),
    [
        (
            "deployments",
            ("mail", "web"),
            "restarting",
            "",
        ),  # a process that has just begun has not listed it yet
        ("deployments", ("web",), "done", "It was deleted meanwhile."),
        ("others", ("mail", "web"), "done", "deleted and made anew"),
    ],
)
async def test_what_is_not_in_view_is_asked_of_the_api_server(
    api: Any, change: Change, uid: str, kept: tuple[str, ...], state: str, words: str
) -> None:
    await rotation_begin(change=change, transport=api, objects=world())
    await move(api, world())
    api.uid, api.kept = uid, {name: api.kept[name] for name in kept}
    await move(api, World(), 1)
    step = (await Rotation.objects.aget(change=change)).steps[0]
    assert step["state"] == state and words in step["text"]


async def test_an_api_server_that_is_away_ends_nothing(api: Any, change: Change) -> None:
    await rotation_begin(change=change, transport=api, objects=world())
    await move(api, world())

    async def away(*_: Any, **__: Any) -> Response:
        raise Unavailable("away")

    api.request = away
    await move(api, World(), 1)
    assert await states(change) == ("restarting", ["restarting", "waiting"])


async def test_a_second_rotation_of_a_secret_waits_for_the_first_ones_end(api: Any, change: Change) -> None:
    await rotation_begin(change=change, transport=api, objects=world())
    second = await sync_to_async(written)()
    later = await rotation_begin(change=second, transport=api, objects=world())
    await move(api, world())
    assert (await states(second))[1] == ["waiting", "waiting"] and api.writes == ["mail"]
    assert await sync_to_async(waits_for)(later) == change.pk
    await rotation_stop(actor=who(change), change=change)
    assert await sync_to_async(waits_for)(later) is None
    await move(api, world(2), 1)
    assert (await states(second))[1] == ["restarting", "waiting"]


def who(change: Change) -> Actor:
    return Actor(user=change.user, name="mara")


async def test_stopped_nothing_further_is_restarted_and_it_goes_on_where_it_stopped(
    api: Any, change: Change
) -> None:
    await rotation_begin(change=change, transport=api, objects=world())
    mine = await move(api, world())
    assert mine is not None
    await rotation_stop(actor=who(change), change=change)
    assert await states(change) == ("stopped", ["restarting", "waiting"])
    with pytest.raises(Lost):
        await rotation_advance(rotation=mine, holder="a", transport=api, objects=world(2), now=NOW)
    assert await move(api, world(2), 60) is None and api.writes == ["mail"]
    with pytest.raises(Conflict):
        await rotation_stop(actor=who(change), change=change)
    await rotation_go_on(transport=api, actor=who(change), change=change)
    await move(api, world(2), 61)
    await move(api, world(2), 61 + SETTLES_SECONDS)
    await move(api, world(2), 70)
    assert api.writes == ["mail", "web"]
    audit = [entry.action async for entry in AuditEntry.objects.order_by("pk")]
    assert audit == ["restart", "stop restarts", "resume restarts", "restart"]


async def test_going_on_looks_again_at_what_failed_before_it_restarts_anything(
    api: Any, change: Change
) -> None:
    await rotation_begin(change=change, transport=api, objects=world())
    await move(api, world())
    await move(api, world(2, ready=0, reason="ProgressDeadlineExceeded"), 1)
    assert await states(change) == ("stopped", ["failed", "waiting"])
    await rotation_go_on(transport=api, actor=who(change), change=change)
    await move(api, world(2), 2)
    await move(api, world(2), 2 + SETTLES_SECONDS)
    assert (api.writes, await states(change)) == (["mail"], ("restarting", ["done", "waiting"]))


async def test_a_restart_that_was_refused_is_sent_when_it_goes_on(api: Any, change: Change) -> None:
    await rotation_begin(change=change, transport=api, objects=world())
    api.error = Forbidden("no")
    await move(api, world())
    assert (await states(change))[0] == "stopped"
    api.error = None
    await rotation_go_on(transport=api, actor=who(change), change=change)
    await move(api, world(), 1)
    assert api.writes == ["mail"]


async def test_it_does_not_go_on_once_the_secret_was_rotated_again(api: Any, change: Change) -> None:
    await rotation_begin(change=change, transport=api, objects=world())
    await rotation_stop(actor=who(change), change=change)
    await sync_to_async(written)()
    with pytest.raises(Conflict):
        await rotation_go_on(transport=api, actor=who(change), change=change)
