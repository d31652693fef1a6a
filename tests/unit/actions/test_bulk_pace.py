"""One object at a time: the next begins when the one before has settled; what fails or takes too long stops it, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from dashboard.actions import bulk as machine
from dashboard.actions import bulk_pace
from dashboard.actions.action import Actor
from dashboard.actions.bulk_pace import ONE, THREE, Pace
from dashboard.actions.bulk_preview import bulk_apply
from dashboard.actions.operation import Lost
from dashboard.actions.operations import LEASE_SECONDS, operation_resume, operation_stop
from dashboard.actions.registry import action_named
from dashboard.actions.scale import SCALE
from dashboard.errors import BadInput, Forbidden, TooManyRequests, Unavailable
from dashboard.models import AuditEntry, Change, Operation, OperationResult

from ..insight.world import NOW, condition
from ..views.test_every_action import TRIED
from .test_bulk import Cluster, Killed, Somebody, many, results, states, webs

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def one_look_a_move(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each move ends after one object, so that a test sees each of them."""
    monkeypatch.setattr(machine, "MOVE_SECONDS", -1.0)


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Cluster:
    return webs(getattr(request, "param", 3))


@pytest.fixture
def mara(cluster: Cluster) -> Somebody:
    return Somebody(cluster, SCALE, replicas="3")


ONE_BY_ONE = Pace(order=ONE)


async def begun(somebody: Somebody, pace: Pace = ONE_BY_ONE) -> Change:
    token = (await somebody.preview()).token
    count = str(len(somebody.names))
    return await bulk_apply(order=somebody.order, token=token, confirm=count, reason="tidy up", pace=pace)


async def ended(somebody: Somebody) -> None:
    """The moves after the last object."""
    for _ in range(3):
        await somebody.move()


async def long_ago() -> None:
    """The first object is waited for for longer than anybody waits."""
    row = await OperationResult.objects.aget(name="web-0")
    row.data["since"] = "2026-01-01T00:00:00Z"
    await row.asave()


def rolled_out(cluster: Cluster, *names: str) -> None:
    """Their controllers have done what they are for."""
    for name in names:
        if ("horizontalpodautoscalers", "shop", name) in cluster.objects:
            able = {"conditions": [condition("AbleToScale", "True")]}
            cluster.objects["horizontalpodautoscalers", "shop", name].setdefault("status", able)
        if ("jobs", "shop", name) in cluster.objects:
            done = {"succeeded": 1, "conditions": [condition("Complete", "True")]}
            cluster.objects["jobs", "shop", name]["status"] = done
            continue
        one = cluster.named(name)
        spec, status = one.get("spec", {}), one.setdefault("status", {})
        count = spec.get("replicas", 1)
        status |= {"observedGeneration": one["metadata"].get("generation", 1)}
        status |= dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), count)
        scheduled = (
            "desiredNumberScheduled",
            "currentNumberScheduled",
            "updatedNumberScheduled",
            "numberAvailable",
        )
        status |= dict.fromkeys((*scheduled, "numberReady"), count)
        status["currentRevision"] = status["updateRevision"] = "web-1"
        status["capacity"] = spec.get("resources", {}).get("requests", {})


async def resume(somebody: Somebody, change: Change) -> None:
    actor = Actor(user=somebody.user, name=somebody.user.get_username())
    await operation_resume(transport=somebody.cluster, actor=actor, change=change)


@pytest.mark.parametrize("cluster", [5], indirect=True)
async def test_three_at_once_a_further_one_begins_when_one_of_them_has_settled(
    mara: Somebody, cluster: Cluster
) -> None:
    made = await begun(mara, Pace(order=THREE))
    assert made.result["order"] == "three"
    await ended(mara)
    begun_first = {f"web-{at}": "running" if at < 3 else "waiting" for at in range(5)}
    assert await states() == begun_first
    assert cluster.replicas() == {f"web-{at}": 3 if at < 3 else 1 for at in range(5)}
    rolled_out(cluster, "web-1")
    await ended(mara)
    assert await states() == begun_first | {"web-1": "done", "web-3": "running"}
    # The first that fails stops it; what has begun stays so, and is followed on when somebody resumes.
    await long_ago()
    await ended(mara)
    operation = await Operation.objects.aget()
    assert operation.state == "stopped" and (await states())["web-4"] == "waiting"
    assert (await states())["web-0"] == "failed" and (await states())["web-2"] == "running"
    await resume(mara, made)
    for _ in range(4):
        rolled_out(cluster, *(f"web-{at}" for at in range(5)))
        await ended(mara)
    assert set((await states()).values()) == {"done"}


async def test_the_next_one_begins_when_the_one_before_has_settled(mara: Somebody, cluster: Cluster) -> None:
    made = await begun(mara)
    assert (made.result["order"], made.result["timeout"]) == ("one", 600)
    for at in range(3):
        await mara.move()
        await mara.move()
        now = {
            f"web-{each}": "done" if each < at else "running" if each == at else "waiting"
            for each in range(3)
        }
        assert await states() == now
        assert cluster.replicas() == {f"web-{each}": 3 if each <= at else 1 for each in range(3)}
        rolled_out(cluster, f"web-{at}")
        await mara.move()
    await ended(mara)
    assert set((await states()).values()) == {"done"}
    operation = await Operation.objects.aget()
    assert (operation.state, operation.steps[0]["text"]) == ("done", "3 done.")
    assert len(cluster.writes) == 3


@pytest.mark.parametrize("still", [True, False])
async def test_the_first_that_fails_stops_it_once_and_a_resume_goes_on(
    mara: Somebody, cluster: Cluster, still: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await begun(mara)
    await mara.move()
    rolled_out(cluster, "web-0")
    gone_wrong = condition("Progressing", "False", "ProgressDeadlineExceeded")
    cluster.named("web-0")["status"] |= {"conditions": [gone_wrong], "availableReplicas": 1}
    await mara.move()
    assert (await states())["web-0"] == "running", "it may still come up"
    monkeypatch.setattr(bulk_pace, "HANGS_SECONDS", 0.0)
    await mara.move()
    operation = await Operation.objects.aget()
    assert operation.state == "stopped" and operation.steps[0]["state"] == "failed"
    assert "web-0: It was changed, and is failing: The rollout of web-0 failed." in operation.steps[0]["text"]
    assert list((await states()).values()) == ["failed", "waiting", "waiting"]
    await mara.move()
    assert len(cluster.writes) == 1, "nothing more begins"
    failed = [each.detail async for each in AuditEntry.objects.filter(action="bulk-scale", result="failed")]
    assert len(failed) == 1 and "web-0" in failed[0]
    if not still:
        rolled_out(cluster, "web-0")
        cluster.named("web-0")["status"]["conditions"] = []
    await resume(mara, made)
    await mara.move()
    assert (await states())["web-0"] == ("failed" if still else "done")
    assert (await Operation.objects.aget()).state == "running", "it was resumed past this one"
    for name in ("web-1", "web-2"):
        await mara.move()
        rolled_out(cluster, name)
        await mara.move()
    await ended(mara)
    assert (await Operation.objects.aget()).state == "done"
    assert sorted(key[2] for _, key in cluster.writes) == ["web-0", "web-1", "web-2"], "each once"


async def test_one_that_takes_too_long_stops_it(mara: Somebody, cluster: Cluster) -> None:
    made = await begun(mara, Pace(order=ONE, timeout=30))
    await mara.move()
    await long_ago()
    await mara.move()
    assert (await Operation.objects.aget()).state == "stopped"
    (_, state, text), *_ = await results()
    assert state == "failed" and "has not finished after 30 s" in text and "observe the change" in text
    await resume(mara, made)
    await mara.move()
    assert (await states())["web-0"] == "running", "it has its time again"


async def test_one_that_was_changed_meanwhile_stops_it_and_is_left_as_it_is(
    mara: Somebody, cluster: Cluster
) -> None:
    made = await begun(mara)
    cluster.named("web-0")["spec"]["replicas"] = 2
    await mara.move()
    assert (await Operation.objects.aget()).state == "stopped"
    await resume(mara, made)
    await mara.move()
    await mara.move()
    assert list((await states()).values()) == ["failed", "running", "waiting"]
    assert cluster.replicas() == {"web-0": 2, "web-1": 3, "web-2": 1}


async def test_one_that_can_no_longer_be_read_stops_it(mara: Somebody, cluster: Cluster) -> None:
    await begun(mara)
    await mara.move()
    cluster.forbidden.add("web-0")
    await mara.move()
    (_, state, text), *_ = await results()
    assert (state, text) == ("failed", "It was changed, but can't be followed: You may not get web-0.")
    assert (await Operation.objects.aget()).state == "stopped"


async def test_one_that_was_deleted_meanwhile_is_waited_for_no_longer(
    mara: Somebody, cluster: Cluster
) -> None:
    await begun(mara)
    await mara.move()
    del cluster.objects["deployments", "shop", "web-0"]
    await mara.move()
    assert (await states())["web-0"] == "done"


@pytest.mark.parametrize("error", [TooManyRequests("Not now."), Unavailable("Away.")])
async def test_what_is_refused_for_now_is_tried_again_until_its_time_is_over(
    mara: Somebody, cluster: Cluster, error: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "RETRY_SECONDS", -1e9)
    cluster.refuses["web-0"] = error
    await begun(mara, Pace(order=ONE, timeout=60))
    await mara.move()
    await mara.move()
    assert await states() == {"web-0": "retrying", "web-1": "waiting", "web-2": "waiting"}
    await long_ago()
    await mara.move()
    (_, state, text), *_ = await results()
    assert state == "failed" and text.startswith("It was not taken within 60 s: ")
    assert (await Operation.objects.aget()).state == "stopped"


@pytest.mark.parametrize("when", ["sending", "following"])
async def test_another_process_goes_on_after_a_kill_and_does_nothing_twice(
    mara: Somebody, cluster: Cluster, when: str
) -> None:
    await begun(mara)
    if when == "following":
        await mara.move()
    real = cluster.request

    async def killed(method: str, target: Any, **given: Any) -> Any:
        answer = await real(method, target, **given)
        dry = (given.get("query") or {}).get("dryRun")
        if (method == "PATCH" and not dry) or (when == "following" and method == "GET"):
            raise Killed
        return answer

    cluster.request = killed  # type: ignore[method-assign]
    with pytest.raises(Killed):
        await mara.move()
    del cluster.request  # type: ignore[method-assign]
    later = NOW + timedelta(seconds=LEASE_SECONDS + 1)
    await mara.move("b", later)
    assert list((await states()).values()) == ["running", "waiting", "waiting"]
    for at in range(3):
        rolled_out(cluster, f"web-{at}")
        await mara.move("b", later)
        await mara.move("b", later)
    await mara.move("b", later)
    assert set((await states()).values()) == {"done"}
    assert sorted(key[2] for _, key in cluster.writes) == ["web-0", "web-1", "web-2"], "each once"
    assert await Change.objects.filter(action="scale").acount() == 3


async def test_stopped_while_it_waits_it_waits_for_that_one_again_when_resumed(
    mara: Somebody, cluster: Cluster
) -> None:
    made = await begun(mara)
    await mara.move()
    await operation_stop(actor=Actor(user=mara.user, name="mara"), change=made)
    rolled_out(cluster, "web-0")
    await mara.move()
    assert list((await states()).values()) == ["running", "waiting", "waiting"]
    await resume(mara, made)
    await mara.move()
    await mara.move()
    assert list((await states()).values()) == ["done", "running", "waiting"]


async def test_what_was_overtaken_by_a_stop_records_nothing(
    mara: Somebody, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await begun(mara)
    real = machine.change_carry

    async def carried(**given: Any) -> Change:
        done = await real(**given)
        await operation_stop(actor=Actor(user=mara.user, name="mara"), change=made)
        return done

    monkeypatch.setattr(machine, "change_carry", carried)
    with pytest.raises(Lost):
        await mara.move()
    row = await OperationResult.objects.aget(name="web-0")
    assert row.state == "running" and "change" in row.data, "what was sent is known"


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"order": "two"}, "order"),
        ({"each_timeout": "soon"}, "each_timeout"),
        ({"each_timeout": "25h"}, "each_timeout"),
    ],
)
def test_what_cannot_be_is_told_with_its_field(typed: dict[str, str], field: str) -> None:
    with pytest.raises(BadInput) as wrong:
        Pace.read(typed)
    assert wrong.value.field == field


def test_a_pace_is_read_from_a_form() -> None:
    assert Pace.read({}) == Pace(order="together", timeout=600)
    assert Pace.read({"order": "one", "each_timeout": "15m"}) == Pace(order="one", timeout=900)


async def test_the_right_to_one_that_was_taken_meanwhile_stops_it(mara: Somebody, cluster: Cluster) -> None:
    await begun(mara)
    cluster.refuses["web-0"] = Forbidden("You may not.")
    await mara.move()
    assert (await Operation.objects.aget()).state == "stopped"
    assert await AuditEntry.objects.filter(action="scale", result="refused").acount() == 1


@pytest.mark.parametrize("case", many())
async def test_every_action_for_many_objects_settles(case: str) -> None:
    """By its own following: a rollout, an object that is gone, a field that is set, a new object that is there."""
    tried = TRIED[case]
    own = tried.manifest["metadata"]
    two = [tried.manifest | {"metadata": own | {"name": f"{own['name']}-{at}"}} for at in range(2)]
    cluster = Cluster(tried.plural, two)
    action = action_named(case.split()[0], tried.plural)
    mara = await sync_to_async(Somebody)(cluster, action, **tried.typed)
    await begun(mara)
    for _ in range(12):
        await mara.move()
        rolled_out(cluster, *(name for _, _, name in [*cluster.objects] if name.startswith(own["name"])))
        for (plural, _, _), each in cluster.objects.items():
            if plural != "secrets":
                cluster.world.add(plural, each)
        if (await Operation.objects.aget()).state != "running":
            break
    assert [state for _, state, _ in await results()] == ["done", "done"], await results()
    assert (await Operation.objects.aget()).state == "done"
