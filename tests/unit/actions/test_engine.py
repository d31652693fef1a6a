"""The engine against an API server of a few lines: what is sent, what is recorded, what is said when it breaks."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError

from dashboard.actions import engine, records
from dashboard.actions.action import Actor, Preview, typed_object
from dashboard.actions.problems import StaleView, Unrecorded, Unsettled
from dashboard.actions.scale import SCALE
from dashboard.actions.undo import (
    change_undo_apply,
    change_undo_preview,
    change_undo_state,
    changes_settle,
)  # fmt: skip
from dashboard.errors import (
    BadInput,
    Conflict,
    DatabaseUnavailable,
    Forbidden,
    Invalid,
    NotFound,
    ReadOnly,
    Unavailable,
)
from dashboard.kinds import KINDS
from dashboard.models import AuditEntry, Change
from tests import acting

from ..insight.world import World
from .fake import FakeTransport

pytestmark = pytest.mark.django_db(transaction=True)

WEB = {"namespace": "shop", "name": "web"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "JITTER_SECONDS", 0)
    monkeypatch.setattr(records, "PAUSE_SECONDS", 0)


@pytest.fixture
def api() -> Any:
    return FakeTransport()


@pytest.fixture
def mara() -> Actor:
    return Actor(user=User.objects.create(username="mara"), name="mara")


async def preview(api: Any, who: Actor, replicas: str) -> Preview:
    return await acting.preview(SCALE, transport=api, actor=who, replicas=replicas, objects=World(), **WEB)


async def apply(api: Any, who: Actor, replicas: str, token: str) -> Change:
    return await acting.apply(SCALE, transport=api, actor=who, replicas=replicas, token=token, **WEB)


async def audit() -> list[tuple[str, str]]:
    return [(entry.result, entry.detail) async for entry in AuditEntry.objects.order_by("pk")]


async def test_preview_shows_and_sends_nothing(api: Any, mara: Actor) -> None:
    shown = await preview(api, mara, "0")
    assert [(line.sign, line.text) for line in shown.diff if line.sign in "+-" and line.sign] == [
        ("-", "  replicas: 3"), ("+", "  replicas: 0"),
    ]  # fmt: skip
    assert shown.told.kubectl == "kubectl scale deployment/web -n shop --current-replicas=3 --replicas=0"
    assert (shown.told.button, shown.told.danger) == ("Scale web to 0", True)
    assert shown.diff_words == "1 line, field manager cluster-ui"
    assert api.writes == [] and api.version == 100
    assert await audit() == [] and await Change.objects.acount() == 0


async def test_a_preview_says_which_kinds_it_could_not_look_at(api: Any, mara: Actor) -> None:
    world: Any = World()
    hidden = {"poddisruptionbudgets", "nodes", "secrets", "deployments"}
    world.knows = lambda plural, _: None if plural in hidden else True
    shown = await acting.preview(SCALE, transport=api, actor=mara, replicas="5", objects=world, **WEB)
    assert (shown.told.notices[-1].title, shown.told.notices[-1].text) == (
        "Not all of its impact is known",
        "Your account may not list Nodes and PodDisruptionBudgets here: what it does to them, and they to it, is not "
        "shown.",
    )
    world.knows = lambda plural, _: plural not in hidden  # not read yet, or not any more
    shown = await acting.preview(SCALE, transport=api, actor=mara, replicas="5", objects=world, **WEB)
    assert (shown.told.notices[-1].title, shown.told.notices[-1].text) == (
        "Not all of its impact is known",
        "Nodes and PodDisruptionBudgets here could not be read: what it does to them, and they to it, is not shown. "
        "Look at it again in a moment.",
    )
    hidden.clear()
    shown = await acting.preview(SCALE, transport=api, actor=mara, replicas="5", objects=world, **WEB)
    assert "Not all of its impact is known" not in [each.title for each in shown.told.notices]


async def test_a_preview_says_who_applied_what_it_changes(api: Any, mara: Actor) -> None:
    api.scale(3, "terraform")
    api.managers[0]["operation"] = "Apply"
    titles = [each.title for each in (await preview(api, mara, "5")).told.notices]
    assert "terraform may change this back" in titles
    titles = [each.title for each in (await preview(api, mara, "3")).told.notices]
    assert "terraform may change this back" not in titles, "nothing is changed"


async def test_preview_of_the_same_number_has_nothing_to_apply(api: Any, mara: Actor) -> None:
    shown = await preview(api, mara, "3")
    assert (shown.diff, shown.token) == ((), "")


async def test_a_way_back_that_the_cluster_would_refuse_is_told_before(api: Any, mara: Actor) -> None:
    """A policy that came after the object: it lets 2 be written, and 3, which is there now, no more."""
    sent: list[int] = []
    request = api.request

    async def ruled(method: str, target: Any, **given: Any) -> Any:
        if method == "PATCH":
            sent.append(json.loads(given["body"])["spec"]["replicas"])
            if sent[-1] == 3:
                raise Invalid("at most 2 replicas")
        return await request(method, target, **given)

    api.request = ruled
    shown = await preview(api, mara, "2")
    assert sent == [2, 3], "both as dry runs"
    assert shown.told.undo_words == "This cannot be undone." and shown.told.danger
    assert "at most 2 replicas" in shown.told.notices[-1].text
    assert (await apply(api, mara, "2", shown.token)).touched == {"/spec/replicas": [3, 2]}


async def test_apply_writes_once_and_records(api: Any, mara: Actor) -> None:
    change = await apply(api, mara, "5", (await preview(api, mara, "5")).token)
    assert api.writes == [5]
    assert (change.state, change.uid, change.touched) == ("done", "u1", {"/spec/replicas": [3, 5]})
    assert change.inverse == {"action": "scale", "input": {"replicas": 3}}
    assert await audit() == [("done", "3 replicas → 5 replicas")]


async def test_a_second_submit_gets_the_same_change(api: Any, mara: Actor) -> None:
    token = (await preview(api, mara, "5")).token
    first = await apply(api, mara, "5", token)
    second = await apply(api, mara, "5", token)
    assert first.pk == second.pk and api.writes == [5]


async def test_two_submits_at_once_apply_once(api: Any, mara: Actor) -> None:
    token = (await preview(api, mara, "5")).token
    one, two = await asyncio.gather(apply(api, mara, "5", token), apply(api, mara, "5", token))
    assert one.pk == two.pk and api.writes == [5]
    assert [result for result, _ in await audit()] == ["done"]


async def test_status_writes_underneath_are_no_conflict(api: Any, mara: Actor) -> None:
    token = (await preview(api, mara, "5")).token
    churn = iter([True, True, True])

    def busy(dry: bool) -> None:
        if next(churn, False):
            api.touch()

    api.before_write = busy
    await apply(api, mara, "5", token)
    assert api.writes == [5]


@pytest.mark.parametrize("replicas", [3, 0])
async def test_a_write_after_each_read_is_no_conflict_and_takes_few_requests(
    api: Any, mara: Actor, replicas: int
) -> None:
    """Counted, not timed: no request to write meets the version that was read."""
    api.replicas = replicas
    api.before_write = lambda dry: api.touch()
    token = (await preview(api, mara, "5")).token
    before = api.requests
    change = await apply(api, mara, "5", token)
    assert api.writes == [5] and change.touched == {"/spec/replicas": [replicas, 5]}
    assert api.requests - before == 14, "two rounds: of the version, then of the fields"


@pytest.mark.parametrize("when", ["preview", "apply"])
async def test_endless_churn_is_said_as_that_and_changes_nothing(api: Any, mara: Actor, when: str) -> None:
    token = (await preview(api, mara, "5")).token
    api.before_write = lambda dry: api.touch()
    api.before_read = api.touch
    with pytest.raises(Conflict, match=f"each of {engine.ATTEMPTS} attempts came too late") as error:
        await (preview(api, mara, "5") if when == "preview" else apply(api, mara, "5", token))
    assert not isinstance(error.value, StaleView)
    assert api.writes == [] and await Change.objects.acount() == 0
    assert [result for result, _ in await audit()] == (["refused"] if when == "apply" else [])


async def test_a_number_that_is_changed_between_each_read_and_write_is_a_conflict(
    api: Any, mara: Actor
) -> None:
    """Also where the version is no condition any more: the field itself is."""
    token = (await preview(api, mara, "5")).token
    real = 0

    def busy(dry: bool) -> None:
        nonlocal real
        api.touch()
        if not dry and (real := real + 1) == 2:
            api.scale(4)

    api.before_write = busy
    with pytest.raises(StaleView) as error:
        await apply(api, mara, "5", token)
    assert (error.value.was, error.value.now, error.value.who) == (
        "3 replicas",
        "4 replicas",
        "kubectl-scale",
    )
    assert api.writes == [] and real == 2


async def test_what_is_being_deleted_is_not_changed_and_what_blocks_it_is_named(
    api: Any, mara: Actor
) -> None:
    token = (await preview(api, mara, "5")).token
    api.deleting = ["example.com/hold"]
    form = await acting.form(SCALE, transport=api, objects=World(), **WEB)
    assert form.refusal is not None and form.refusal.title == "It is being deleted"
    assert "example.com/hold" in form.refusal.message
    with pytest.raises(Conflict, match="Deployment web is being deleted"):
        await preview(api, mara, "5")
    with pytest.raises(Conflict, match="Deployment web is being deleted"):
        await apply(api, mara, "5", token)
    assert api.writes == []
    assert [result for result, _ in await audit()] == ["refused"]


async def test_a_number_changed_meanwhile_is_a_conflict_with_who_when_was_and_now(
    api: Any, mara: Actor
) -> None:
    token = (await preview(api, mara, "5")).token
    api.scale(7)
    with pytest.raises(StaleView) as error:
        await apply(api, mara, "5", token)
    found = error.value
    assert (found.who, found.was, found.now) == ("kubectl-scale", "3 replicas", "7 replicas")
    assert found.when is not None and found.when.hour == 11
    assert api.writes == []


async def test_another_user_of_the_dashboard_is_named(api: Any, mara: Actor) -> None:
    jon = Actor(user=await User.objects.acreate(username="jon"), name="jon")
    token = (await preview(api, mara, "5")).token
    await apply(api, jon, "9", (await preview(api, jon, "9")).token)
    with pytest.raises(StaleView) as error:
        await apply(api, mara, "5", token)
    assert (error.value.who, error.value.now) == ("jon", "9 replicas")


async def test_a_change_between_dry_run_and_write_is_a_conflict_too(api: Any, mara: Actor) -> None:
    token = (await preview(api, mara, "5")).token
    api.before_write = lambda dry: None if dry else api.scale(7)
    with pytest.raises(StaleView):
        await apply(api, mara, "5", token)
    assert api.writes == []


async def test_an_object_that_was_deleted_is_named_with_the_way_out(api: Any, mara: Actor) -> None:
    api.read_error = NotFound('deployments.apps "web" not found')
    with pytest.raises(NotFound, match="There is no Deployment web in namespace shop") as error:
        await preview(api, mara, "5")
    assert "look at the list" in error.value.next_step


async def test_a_recreated_object_is_another_one(api: Any, mara: Actor) -> None:
    token = (await preview(api, mara, "5")).token
    api.uid = "u2"
    with pytest.raises(StaleView, match="deleted and recreated"):
        await apply(api, mara, "5", token)


async def test_an_admission_refusal_is_audited_and_the_same_preview_may_be_applied_later(
    api: Any, mara: Actor
) -> None:
    token = (await preview(api, mara, "5")).token

    def refuse(dry: bool) -> None:
        raise Invalid("admission policy says no")

    api.before_write = refuse
    with pytest.raises(Invalid):
        await apply(api, mara, "5", token)
    assert await audit() == [("refused", "admission policy says no")]
    api.before_write = lambda dry: None
    await apply(api, mara, "5", token)
    assert api.writes == [5]


async def test_a_lost_answer_is_settled_by_looking_at_the_object(api: Any, mara: Actor) -> None:
    token = (await preview(api, mara, "5")).token

    def lose() -> None:
        raise Unavailable("timed out")

    api.after_write = lose
    change = await apply(api, mara, "5", token)
    assert change.state == "done" and api.replicas == 5


async def test_a_request_that_never_arrived_is_a_failure(api: Any, mara: Actor) -> None:
    token = (await preview(api, mara, "5")).token

    def cut(dry: bool) -> None:
        if not dry:
            raise Unavailable("connection refused")

    api.before_write = cut
    with pytest.raises(Unavailable):
        await apply(api, mara, "5", token)
    assert await audit() == [("failed", "connection refused")]
    assert await Change.objects.acount() == 0


async def test_an_answer_lost_for_good_is_said_and_kept(api: Any, mara: Actor) -> None:
    token = (await preview(api, mara, "5")).token

    def lose() -> None:
        api.read_error = Unavailable("gone")
        raise Unavailable("timed out")

    api.after_write = lose
    with pytest.raises(Unsettled):
        await apply(api, mara, "5", token)
    change = await Change.objects.aget()
    assert change.state == "unknown"
    assert not (await change_undo_state(change=change)).possible
    assert [result for result, _ in await audit()] == ["unknown"]


async def test_a_database_that_fails_afterwards_says_that_the_change_was_made(
    api: Any, mara: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = (await preview(api, mara, "5")).token

    def broken(*_: Any) -> None:
        raise DatabaseError("disk full")

    monkeypatch.setattr(records, "_entry", broken)
    with pytest.raises(Unrecorded, match="WAS made"):
        await apply(api, mara, "5", token)
    monkeypatch.undo()
    assert (await Change.objects.aget()).state == "sending"
    assert await changes_settle(older=timedelta(0)) == 1
    assert await changes_settle(older=timedelta(0)) == 0
    assert [result for result, _ in await audit()] == ["unknown"]


async def test_a_database_that_fails_beforehand_lets_nothing_be_sent(
    api: Any, mara: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = (await preview(api, mara, "5")).token

    def broken(**_: Any) -> None:
        raise DatabaseError("disk full")

    monkeypatch.setattr(Change.objects, "create", broken)
    with pytest.raises(DatabaseUnavailable, match="Nothing was sent") as told:
        await apply(api, mara, "5", token)
    assert "database" in told.value.title and "cluster is not affected" in told.value.next_step
    assert api.writes == []


async def test_a_browser_that_leaves_while_it_is_claimed_does_not_leave_it_half_done(
    api: Any, mara: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second click takes the first one's request back at once."""
    token = (await preview(api, mara, "5")).token
    claim, claimed = records.claim, asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(*given: Any) -> Any:
        found = claim(*given)
        loop.call_soon_threadsafe(claimed.set)
        time.sleep(0.05)
        return found

    monkeypatch.setattr(records, "claim", slow)
    first = asyncio.create_task(apply(api, mara, "5", token))
    await claimed.wait()
    first.cancel()
    assert (await apply(api, mara, "5", token)).state == "done"
    assert api.writes == [5]


async def test_a_browser_that_leaves_does_not_cut_the_change_in_two(api: Any, mara: Actor) -> None:
    token = (await preview(api, mara, "5")).token
    arrived, go_on = asyncio.Event(), asyncio.Event()
    request = api.request

    async def slow(method: str, *args: Any, **more: Any) -> Any:
        if method == "PATCH" and "dryRun" not in more["query"]:
            arrived.set()
            await go_on.wait()
        return await request(method, *args, **more)

    api.request = slow
    leaving = asyncio.create_task(apply(api, mara, "5", token))
    await arrived.wait()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    go_on.set()
    await asyncio.gather(*engine._running)
    assert (await Change.objects.aget()).state == "done"


@pytest.mark.parametrize("replicas", ["", "-1", "1e3", "many", "20000"])
async def test_bad_numbers_send_nothing(api: Any, mara: Actor, replicas: str) -> None:
    async def never(*_: Any, **__: Any) -> None:
        raise AssertionError("something was sent")

    api.request = never
    with pytest.raises(BadInput):
        await preview(api, mara, replicas)


async def test_a_read_only_installation_refuses_and_audits(api: Any, mara: Actor, settings: Any) -> None:
    token = (await preview(api, mara, "5")).token
    settings.CLUSTER_UI_READ_ONLY = True
    with pytest.raises(ReadOnly):
        await preview(api, mara, "5")
    with pytest.raises(ReadOnly):
        await apply(api, mara, "5", token)
    assert [result for result, _ in await audit()] == ["refused"] and api.writes == []


async def test_a_missing_right_is_named_before_anything_is_typed(api: Any, mara: Actor) -> None:
    api.may_patch = False
    form = await acting.form(SCALE, transport=api, objects=World(), **WEB)
    assert isinstance(form.refusal, Forbidden)
    assert (form.refusal.verb, form.refusal.resource) == ("patch", "deployments/scale")
    with pytest.raises(Forbidden):
        await preview(api, mara, "5")


async def test_the_form_is_filled_with_what_is(api: Any) -> None:
    form = await acting.form(SCALE, transport=api, objects=World(), **WEB)
    (replicas,) = SCALE.fields
    assert (replicas.value(typed_object("deployments", form.manifest)), form.refusal) == ("3", None)


async def scaled(api: Any, who: Actor, replicas: str) -> Change:
    return await apply(api, who, replicas, (await preview(api, who, replicas)).token)


async def test_undo_is_a_previewed_change_that_can_be_undone(api: Any, mara: Actor) -> None:
    change = await scaled(api, mara, "5")
    assert (await change_undo_state(change=change)).words == "Undo sets it back to 3 replicas."
    shown = await change_undo_preview(
        kinds=KINDS, transport=api, actor=mara, change_id=change.pk, objects=World()
    )
    assert shown.conflict is None and shown.preview.told.button == "Scale web to 3"
    undo = await change_undo_apply(
        kinds=KINDS, transport=api, actor=mara, change_id=change.pk, token=shown.preview.token
    )
    assert (undo.undoes_id, api.replicas) == (change.pk, 3)
    again = await change_undo_apply(
        kinds=KINDS, transport=api, actor=mara, change_id=change.pk, token=shown.preview.token
    )
    assert again.pk == undo.pk
    state = await change_undo_state(change=change)
    assert not state.possible and state.undone_by == undo
    with pytest.raises(Conflict, match="Undone by mara"):
        await change_undo_preview(
            kinds=KINDS, transport=api, actor=mara, change_id=change.pk, objects=World()
        )
    redo = await change_undo_preview(
        kinds=KINDS, transport=api, actor=mara, change_id=undo.pk, objects=World()
    )
    assert redo.preview.told.button == "Scale web to 5"


async def test_of_two_undos_one_wins(api: Any, mara: Actor) -> None:
    change = await scaled(api, mara, "5")
    one = await change_undo_preview(
        kinds=KINDS, transport=api, actor=mara, change_id=change.pk, objects=World()
    )
    two = await change_undo_preview(
        kinds=KINDS, transport=api, actor=mara, change_id=change.pk, objects=World()
    )
    await change_undo_apply(
        kinds=KINDS, transport=api, actor=mara, change_id=change.pk, token=one.preview.token
    )
    with pytest.raises(Conflict, match="already undone"):
        await change_undo_apply(
            kinds=KINDS, transport=api, actor=mara, change_id=change.pk, token=two.preview.token
        )
    assert api.writes == [5, 3]
    assert (await audit())[-1] == ("refused", "That change is already undone.")


async def test_an_undo_of_what_has_no_way_back_is_refused_and_audited(api: Any, mara: Actor) -> None:
    facts = {"context": "dev", "action": "delete", "plural": "pods", "kind": "Pod", **WEB}
    for nonce, state in (("made", "done"), ("lost", "unknown")):
        change = await Change.objects.acreate(nonce=nonce, user=mara.user, state=state, **facts)
        with pytest.raises(Conflict):
            await change_undo_apply(kinds=KINDS, transport=api, actor=mara, change_id=change.pk, token="any")
    refused = [entry async for entry in AuditEntry.objects.order_by("pk")]
    assert [(one.action, one.name, one.result) for one in refused] == [("delete", "web", "refused")] * 2


async def test_undo_of_a_recreated_object_is_refused(api: Any, mara: Actor) -> None:
    change = await scaled(api, mara, "5")
    api.uid = "u2"
    with pytest.raises(Conflict, match="would change the new object"):
        await change_undo_preview(
            kinds=KINDS, transport=api, actor=mara, change_id=change.pk, objects=World()
        )


async def test_undo_after_somebody_else_changed_it_shows_that_and_goes_on_from_now(
    api: Any, mara: Actor
) -> None:
    change = await scaled(api, mara, "5")
    api.scale(8)
    shown = await change_undo_preview(
        kinds=KINDS, transport=api, actor=mara, change_id=change.pk, objects=World()
    )
    assert shown.conflict is not None
    assert (shown.conflict.who, shown.conflict.was, shown.conflict.now) == (
        "kubectl-scale",
        "5 replicas",
        "8 replicas",
    )
    undo = await change_undo_apply(
        kinds=KINDS, transport=api, actor=mara, change_id=change.pk, token=shown.preview.token
    )
    assert undo.touched == {"/spec/replicas": [8, 3]}


async def test_the_token_of_an_undo_serves_for_nothing_else(api: Any, mara: Actor) -> None:
    change = await scaled(api, mara, "5")
    shown = await change_undo_preview(
        kinds=KINDS, transport=api, actor=mara, change_id=change.pk, objects=World()
    )
    with pytest.raises(BadInput):
        await apply(api, mara, "3", shown.preview.token)
