"""The undo of a change of many objects: just what it did, the newest first; what can't be undone is told, and stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from dashboard.actions import bulk as machine
from dashboard.actions.action import Actor
from dashboard.actions.bulk_pace import ONE, USUAL, Pace
from dashboard.actions.bulk_preview import BulkPreview, bulk_apply
from dashboard.actions.bulk_undo import BulkUndo, bulk_undo_apply, bulk_undo_preview
from dashboard.actions.operation import Lost
from dashboard.actions.operations import (
    LEASE_SECONDS,
    operation_resume,
    operation_stop,
    operations_missing,
)
from dashboard.actions.problems import NoWayBack, Uncounted
from dashboard.actions.registry import action_named
from dashboard.actions.scale import SCALE
from dashboard.actions.undo import change_undo_apply, change_undo_preview, change_undo_state
from dashboard.errors import BadInput, Conflict, ReadOnly
from dashboard.kinds import KINDS
from dashboard.models import AuditEntry, Change, Operation, OperationResult

from ..insight.world import NOW
from ..views.test_every_action import TRIED
from .test_bulk import Cluster, Killed, Somebody, many, webs

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cluster() -> Cluster:
    return webs(4)


@pytest.fixture
def mara(cluster: Cluster) -> Somebody:
    return Somebody(cluster, SCALE, replicas="3")


def undo_of(somebody: Somebody, change: Change) -> BulkUndo:
    actor = Actor(user=somebody.user, name=somebody.user.get_username())
    return BulkUndo(transport=somebody.cluster, actor=actor, change=change, kinds=KINDS)


async def shown(somebody: Somebody, change: Change) -> BulkPreview:
    return await bulk_undo_preview(undo=undo_of(somebody, change), objects=somebody.cluster.world)


async def applied(
    somebody: Somebody, change: Change, token: str, *, confirm: str = "", pace: Pace = USUAL
) -> Change:
    undo = undo_of(somebody, change)
    return await bulk_undo_apply(undo=undo, token=token, confirm=confirm, reason="back", pace=pace)


async def scaled(somebody: Somebody) -> Change:
    """All of them were changed."""
    change = await somebody.begun()
    await moved(somebody)
    return change


async def moved(somebody: Somebody) -> None:
    while await Operation.objects.filter(state="running").aexists():
        await somebody.move()


async def rows(change: Change) -> dict[str, tuple[str, str]]:
    found = OperationResult.objects.filter(operation__change=change).order_by("position")
    return {each.name: (each.state, each.text) async for each in found}


async def test_it_takes_back_what_was_done_the_newest_first_as_changes_of_their_own(
    mara: Somebody, cluster: Cluster
) -> None:
    change = await scaled(mara)
    state = await change_undo_state(change=change)
    assert (state.possible, state.words) == (
        True, "Undo restores what it changed of 4 objects, the newest change first.",
    )  # fmt: skip
    cluster.writes.clear()
    found = await shown(mara, change)
    own = [each.pk async for each in Change.objects.filter(action="scale").order_by("-pk")]
    assert [one.undoes for one in found.each] == own
    assert [one.state for one in found.each] == ["change"] * 4
    assert found.headline.title == "4 Deployments will be set back"
    assert found.button == "Undo: scale 4 Deployments"
    assert "--replicas=1" in found.kubectl.splitlines()[0]
    assert cluster.writes == [], "a preview writes nothing"
    made = await applied(mara, change, found.token)
    assert (made.action, made.undoes_id, made.reason) == ("bulk-scale", change.pk, "back")
    assert await sync_to_async(operations_missing)() == []
    await moved(mara)
    assert set(cluster.replicas().values()) == {1}
    assert [key[2] for _, key in cluster.writes] == [one.target.name for one in found.each]
    assert await rows(made) == {one.target.name: ("done", "From 3 to 1 replica") for one in found.each}
    undone = [each.undoes_id async for each in Change.objects.filter(undoes__in=own).order_by("pk")]
    assert undone == own
    last = await AuditEntry.objects.order_by("pk").alast()
    assert last is not None and (last.action, last.result) == ("bulk-scale", "done")
    assert last.detail == "Undo: scale 4 Deployments: 4 done."
    begun = await AuditEntry.objects.filter(change=made).afirst()
    assert begun is not None
    assert begun.detail == f"Undo of change {change.pk}: scale 4 Deployments, replicas: 3: started."


async def test_what_cannot_be_undone_or_was_changed_since_is_told_and_stays(
    mara: Somebody, cluster: Cluster
) -> None:
    change = await scaled(mara)
    cluster.named("web-0")["spec"]["replicas"] = 7
    cluster.named("web-1")["metadata"]["uid"] = "another"
    by_itself = await Change.objects.aget(action="scale", name="web-2")
    undo = {"transport": mara.cluster, "actor": Actor(user=mara.user, name="mara"), "change_id": by_itself.pk}
    one = await change_undo_preview(**undo, objects=cluster.world, kinds=KINDS)
    await change_undo_apply(**undo, token=one.preview.token, kinds=KINDS)
    found = await shown(mara, change)
    assert {one.target.name: (one.state, one.refusal.message if one.refusal else "") for one in found.each} == {
        "web-3": ("change", ""),
        "web-2": ("refused", (await change_undo_state(change=by_itself)).words),
        "web-1": ("refused", "Deployment web-1 was deleted and recreated since: undo would change the new object."),
        "web-0": (
            "refused",
            "Deployment web-0 was changed since that change: it was 3 replicas, now it is 7 replicas.",
        ),
    }  # fmt: skip
    assert found.headline.title == "1 of 4 Deployments will be set back"
    assert "3 objects can't be undone: skipped." in found.headline.text
    made = await applied(mara, change, found.token)
    await moved(mara)
    assert cluster.replicas() == {"web-0": 7, "web-1": 3, "web-2": 1, "web-3": 1}
    told = await rows(made)
    assert [state for state, _ in told.values()] == ["done", "left", "left", "left"]
    assert "changed since that change" in told["web-0"][1]
    kept = [each.data async for each in OperationResult.objects.filter(operation__change=made, state="left")]
    assert all("undoes" in data for data in kept), "each leads to the change that it is about"


async def test_what_comes_between_preview_and_apply_is_left_as_it_is(
    mara: Somebody, cluster: Cluster
) -> None:
    change = await scaled(mara)
    token = (await shown(mara, change)).token
    cluster.named("web-1")["spec"]["replicas"] = 5
    cluster.forbidden.add("web-2")
    made = await applied(mara, change, token)
    await moved(mara)
    told = await rows(made)
    assert [told[f"web-{at}"][0] for at in range(4)] == ["done", "failed", "failed", "done"]
    assert "it was 3 replicas, now it is 5 replicas. It was left as it is." in told["web-1"][1]
    assert told["web-2"][1] == "You may not get web-2. It was left as it is."


async def test_nothing_is_undone_that_was_not_done(mara: Somebody, cluster: Cluster) -> None:
    """Of a change that failed for some, skipped others and found some as they were to be."""
    cluster.named("web-0")["spec"]["replicas"] = 3
    cluster.forbidden.add("web-1")
    change = await mara.begun()
    cluster.named("web-2")["spec"]["replicas"] = 2
    await moved(mara)
    cluster.forbidden.clear()
    found = await shown(mara, change)
    assert [one.target.name for one in found.each] == ["web-3"]
    await applied(mara, change, found.token)
    await moved(mara)
    assert cluster.replicas() == {"web-0": 3, "web-1": 1, "web-2": 2, "web-3": 1}


async def test_what_changed_nothing_has_nothing_to_undo(mara: Somebody, cluster: Cluster) -> None:
    change = await mara.begun()
    for name in cluster.replicas():
        cluster.named(name)["spec"]["replicas"] = 2
    await moved(mara)
    with pytest.raises(NoWayBack, match="It changed nothing"):
        await shown(mara, change)


async def test_where_nothing_has_a_way_back_none_is_offered(mara: Somebody, cluster: Cluster) -> None:
    change = await scaled(mara)
    own = [each async for each in Change.objects.filter(action="scale").order_by("pk")]
    await Change.objects.filter(pk=own[0].pk).aupdate(inverse={})
    state = await change_undo_state(change=change)
    assert state.possible and state.words == (
        "Undo restores what it changed of 3 objects, the newest change first. The rest of it can't be undone."
    )
    await Change.objects.filter(action="scale").aupdate(inverse={})
    state = await change_undo_state(change=change)
    assert not state.possible and state.words.startswith("Nothing of it can be undone")
    with pytest.raises(NoWayBack):
        await shown(mara, change)


async def test_while_it_is_under_way_it_is_stopped_first_and_then_undone_and_not_resumed(
    mara: Somebody, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "AT_ONCE", 2)
    monkeypatch.setattr(machine, "MOVE_SECONDS", 1e9)
    change, actor = await mara.begun(), Actor(user=mara.user, name="mara")
    with pytest.raises(NoWayBack, match="stop it first"):
        await shown(mara, change)
    made, real = 0, machine.change_carry

    async def carried(**given: Any) -> Change:
        nonlocal made
        done = await real(**given)
        if (made := made + 1) == 2:
            await operation_stop(actor=actor, change=change)
        return done

    monkeypatch.setattr(machine, "change_carry", carried)
    with pytest.raises(Lost):
        await mara.move()
    found = await shown(mara, change)
    assert [one.target.name for one in found.each] == ["web-1", "web-0"]
    undone = await applied(mara, change, found.token)
    with pytest.raises(Conflict, match="can't be resumed"):
        await operation_resume(transport=mara.cluster, actor=actor, change=change)
    await moved(mara)
    assert set(cluster.replicas().values()) == {1} and len(cluster.writes) == 4
    assert len(await rows(undone)) == 2


async def test_what_was_done_since_the_preview_asks_for_a_new_one(mara: Somebody, cluster: Cluster) -> None:
    change = await scaled(mara)
    token = (await shown(mara, change)).token
    row = await OperationResult.objects.aget(operation__change=change, name="web-3")
    await Change.objects.filter(pk=row.data.pop("change")).aupdate(nonce="of another one")
    await row.asave()
    with pytest.raises(BadInput, match="not what the preview showed") as refused:
        await applied(mara, change, token)
    assert refused.value.field == "token"
    assert await Change.objects.filter(undoes=change).acount() == 0


async def test_what_a_killed_process_had_sent_is_found_and_what_is_not_known_is_told(
    mara: Somebody, cluster: Cluster
) -> None:
    change = await scaled(mara)
    for name, state in (("web-3", "done"), ("web-2", "unknown")):
        row = await OperationResult.objects.aget(operation__change=change, name=name)
        await Change.objects.filter(pk=row.data.pop("change")).aupdate(state=state)
        row.state, row.began_at = "running", timezone.now() - timedelta(minutes=5)
        await row.asave()
    found = {one.target.name: one for one in (await shown(mara, change)).each}
    assert found["web-3"].state == "change"
    assert "not known" in str(found["web-2"].refusal)
    await OperationResult.objects.filter(name="web-3").aupdate(began_at=timezone.now())
    with pytest.raises(NoWayBack, match="not come to its end"):
        await shown(mara, change)


async def test_of_two_people_at_once_one_undoes_it(mara: Somebody, cluster: Cluster) -> None:
    change = await scaled(mara)
    jon = await sync_to_async(Somebody)(cluster, SCALE, "jon", replicas="7")
    tokens = [(await shown(each, change)).token for each in (mara, jon)]
    await applied(mara, change, tokens[0])
    with pytest.raises(NoWayBack, match="already undone"):
        await applied(jon, change, tokens[1])
    await moved(mara)
    assert len(cluster.writes) == 8
    with pytest.raises(NoWayBack, match="Undone by mara"):
        await shown(jon, change)


async def test_the_same_token_begins_it_once_and_only_for_what_it_showed(
    mara: Somebody, cluster: Cluster
) -> None:
    change = await scaled(mara)
    token = (await shown(mara, change)).token
    with pytest.raises(BadInput, match="not what the preview showed"):
        await mara.apply(token)
    with pytest.raises(Uncounted, match="Type the number of objects, 4"):
        await applied(mara, change, token, confirm="3")
    one, two = await applied(mara, change, token), await applied(mara, change, token)
    assert one.pk == two.pk and await Operation.objects.acount() == 2


async def test_a_cluster_that_takes_no_changes_undoes_nothing(mara: Somebody, cluster: Cluster) -> None:
    change = await scaled(mara)
    token = (await shown(mara, change)).token
    cluster.cluster.is_sandbox = False
    with pytest.raises(ReadOnly):
        await shown(mara, change)
    with pytest.raises(ReadOnly):
        await applied(mara, change, token)


async def test_in_production_the_number_has_to_be_typed(
    mara: Somebody, cluster: Cluster, settings: Any
) -> None:
    change = await scaled(mara)
    settings.CLUSTER_UI_PRODUCTION = ["dev"]
    token = (await shown(mara, change)).token
    with pytest.raises(Uncounted, match="dev is a production context"):
        await applied(mara, change, token)
    await applied(mara, change, token, confirm="4")
    await moved(mara)
    assert set(cluster.replicas().values()) == {1}


async def test_another_process_goes_on_after_a_kill_and_undoes_nothing_twice(
    mara: Somebody, cluster: Cluster
) -> None:
    change = await scaled(mara)
    await applied(mara, change, (await shown(mara, change)).token)
    cluster.writes.clear()
    real = cluster.request

    async def killed(method: str, target: Any, **given: Any) -> Any:
        answer = await real(method, target, **given)
        if method == "PATCH" and not (given.get("query") or {}).get("dryRun") and given["name"] == "web-2":
            raise Killed
        return answer

    cluster.request = killed  # type: ignore[method-assign]
    with pytest.raises(Killed):
        await mara.move()
    del cluster.request  # type: ignore[method-assign]
    later = NOW + timedelta(seconds=LEASE_SECONDS + 1)
    for _ in range(3):
        await mara.move("b", later)
    assert set(cluster.replicas().values()) == {1}
    assert [key[2] for _, key in cluster.writes] == ["web-3", "web-2", "web-1", "web-0"]


async def test_the_undo_itself_can_be_undone(mara: Somebody, cluster: Cluster) -> None:
    change = await scaled(mara)
    undone = await applied(mara, change, (await shown(mara, change)).token)
    await moved(mara)
    await applied(mara, undone, (await shown(mara, undone)).token)
    await moved(mara)
    assert set(cluster.replicas().values()) == {3}


async def test_one_that_stopped_at_a_failed_rollout_is_undone_with_that_one(
    mara: Somebody, cluster: Cluster
) -> None:
    token = (await mara.preview()).token
    pace = Pace(order=ONE, timeout=30)
    change = await bulk_apply(order=mara.order, token=token, confirm="", reason="", pace=pace)
    await mara.move()
    row = await OperationResult.objects.aget(name="web-0")
    row.data["since"] = "2026-01-01T00:00:00Z"
    await row.asave()
    await moved(mara)
    assert (await OperationResult.objects.aget(name="web-0")).state == "failed"
    found = await shown(mara, change)
    assert [one.target.name for one in found.each] == ["web-0"]
    undone = await applied(mara, change, found.token, pace=pace)
    await mara.move()
    assert cluster.replicas()["web-0"] == 1
    assert (await rows(undone))["web-0"][0] == "running", "it is followed as well"


@pytest.mark.parametrize("case", many())
async def test_every_action_for_many_objects_is_undone_as_a_whole_or_says_why_not(case: str) -> None:
    tried = TRIED[case]
    own = tried.manifest["metadata"]
    two = [tried.manifest | {"metadata": own | {"name": f"{own['name']}-{at}"}} for at in range(2)]
    cluster = Cluster(tried.plural, two)
    before = {key: _written(each) for key, each in cluster.objects.items()}
    action = action_named(case.split()[0], tried.plural)
    mara = await sync_to_async(Somebody)(cluster, action, **tried.typed)
    change = await scaled(mara)
    assert {key: _written(each) for key, each in cluster.objects.items()} != before
    if not tried.undone:
        with pytest.raises(NoWayBack, match="the change of each object says why"):
            await shown(mara, change)
        return
    found = await shown(mara, change)
    assert [one.state for one in found.each] == ["change", "change"], [str(one.refusal) for one in found.each]
    undone = await applied(mara, change, found.token, confirm="2")
    await moved(mara)
    assert {state for state, _ in (await rows(undone)).values()} == {"done"}, await rows(undone)
    if case != "restart":  # which restarts once more
        assert {key: _written(each) for key, each in cluster.objects.items()} == before


def _written(manifest: dict[str, Any]) -> dict[str, Any]:
    """What people write of an object."""
    meta = {key: manifest["metadata"].get(key) for key in ("name", "namespace", "labels")}
    spec = {key: value for key, value in manifest.get("spec", {}).items() if value is not False}
    kept = {key: value for key, value in manifest.items() if key not in ("status", "metadata", "spec")}
    return kept | {"metadata": meta, "spec": spec}
