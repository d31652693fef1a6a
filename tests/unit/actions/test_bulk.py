"""One action on many objects: what a preview sums up, what its token holds to, and each object's own end."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.http import QueryDict

from dashboard.actions import bulk as machine
from dashboard.actions import bulk_preview as previews
from dashboard.actions.action import Action, Actor
from dashboard.actions.bulk_preview import (
    MAX_OBJECTS,
    BulkOrder,
    BulkPreview,
    bulk_apply,
    bulk_preview,
    bulk_targets,
)
from dashboard.actions.delete_any import DELETE_ANY
from dashboard.actions.operation import Lost, operation_advance
from dashboard.actions.operations import (
    LEASE_SECONDS,
    operation_resume,
    operation_stop,
    operations_claim,
    operations_missing,
)
from dashboard.actions.problems import Uncounted, Unreasoned
from dashboard.actions.registry import ACTIONS, action_named
from dashboard.actions.restart import RESTART
from dashboard.actions.scale import SCALE
from dashboard.actions.undo import UndoState
from dashboard.errors import BadInput, ClusterError, Forbidden, ReadOnly, TooManyRequests, Unavailable
from dashboard.kinds import KINDS
from dashboard.live.screens.bulk import BulkScreen
from dashboard.models import AuditEntry, Change, Operation, OperationResult

from ..insight.world import NOW, World, condition, deployment
from ..live.seen import everything, sees, session
from ..views.test_every_action import TRIED, Tried
from .server import Server

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """The process has ended."""


class Cluster(Server):
    """``refuses``: what a real write of an object of that name raises; ``forbidden``: names that may not be read."""

    def __init__(self, plural: str, manifests: Iterable[dict[str, Any]]) -> None:
        first, *others = [_whole(plural, each) for each in manifests]
        super().__init__(plural, first)
        for each in others:
            meta = each["metadata"]
            self.objects[plural, meta.get("namespace", ""), meta["name"]] = each
        self.plural = plural
        self.refuses: dict[str, BaseException] = {}
        self.forbidden: set[str] = set()
        self.world = World()
        for each in self.objects.values():
            if plural != "secrets":
                self.world.put(plural, each)
        self.world.reads = lambda *_: True  # type: ignore[method-assign]

    async def request(self, method: str, target: Any, **given: Any) -> Any:
        name = given.get("name")
        if not isinstance(target, str):
            if name in self.forbidden:
                raise Forbidden(f"You may not get {name}.")
            dry = (given.get("query") or {}).get("dryRun") == "All" or b"dryRun" in given.get("body", b"")
            if method != "GET" and not dry and (error := self.refuses.get(str(name))) is not None:
                raise error
        return await super().request(method, target, **given)

    def named(self, name: str) -> dict[str, Any]:
        return next(each for (_, _, own), each in self.objects.items() if own == name)

    def replicas(self) -> dict[str, int]:
        return {key[2]: each["spec"]["replicas"] for key, each in self.objects.items()}


def _whole(plural: str, manifest: dict[str, Any]) -> dict[str, Any]:
    made = copy.deepcopy(manifest)
    own = made["metadata"]
    meta = {"uid": f"u-{own['name']}", "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"}
    where = {"namespace": "shop"} if KINDS[plural].gvr.namespaced else {}
    return made | {"metadata": meta | where | own}


def webs(count: int) -> Cluster:
    head = {"apiVersion": "apps/v1", "kind": "Deployment"}
    return Cluster("deployments", (head | deployment(f"web-{at}", replicas=1) for at in range(count)))


class Somebody:
    """Who previews, applies and moves on."""

    def __init__(self, cluster: Cluster, action: Action, name: str = "mara", **typed: str) -> None:
        self.cluster: Any = cluster
        self.user = User.objects.create(username=name)
        self.kind = KINDS[cluster.plural]
        self.action, self.typed = action, typed
        self.names = [f"{namespace or '-'}/{name}" for _, namespace, name in cluster.objects]

    @property
    def order(self) -> BulkOrder:
        actor = Actor(user=self.user, name=self.user.get_username())
        return BulkOrder(
            transport=self.cluster, actor=actor, kind=self.kind, action=self.action,
            targets=bulk_targets("dev", self.kind, self.names), typed=self.typed,
        )  # fmt: skip

    async def preview(self) -> BulkPreview:
        return await bulk_preview(order=self.order, objects=self.cluster.world)

    async def apply(self, token: str, confirm: str = "", reason: str = "tidy up") -> Change:
        return await bulk_apply(order=self.order, token=token, confirm=confirm, reason=reason)

    async def begun(self) -> Change:
        return await self.apply((await self.preview()).token, str(len(self.names)))

    async def move(self, holder: str = "a", at: Any = NOW) -> None:
        for operation in await sync_to_async(operations_claim)(holder, at):
            action = await sync_to_async(action_named)(operation.change.action, operation.change.plural)
            await operation_advance(
                operation=operation, action=action, holder=holder, transport=self.cluster,  # type: ignore[arg-type]
                objects=self.cluster.world, now=at,
            )  # fmt: skip


@pytest.fixture
def cluster() -> Cluster:
    return webs(5)


@pytest.fixture
def mara(cluster: Cluster) -> Somebody:
    return Somebody(cluster, SCALE, replicas="3")


async def results() -> list[tuple[str, str, str]]:
    found = OperationResult.objects.order_by("position")
    return [(each.name, each.state, each.text) async for each in found]


async def states() -> dict[str, str]:
    return {name: state for name, state, _ in await results()}


# ---- Preview


async def test_a_preview_shows_each_and_writes_nothing(mara: Somebody, cluster: Cluster) -> None:
    cluster.named("web-1")["spec"]["replicas"] = 3
    cluster.forbidden.add("web-2")
    mara.names.append("shop/gone")
    shown = await mara.preview()
    assert [(one.target.name, one.state) for one in shown.each] == [
        ("web-0", "change"), ("web-1", "same"), ("web-2", "refused"), ("web-3", "change"), ("web-4", "change"),
        ("gone", "refused"),
    ]  # fmt: skip
    assert shown.headline.title == "3 of 6 Deployments will be changed"
    assert "2 objects can't be changed: skipped." in shown.headline.text
    assert "1 object is like that already." in shown.headline.text
    assert [str(one.refusal) for one in shown.each if one.refusal] == [
        "You may not get web-2.", "There is no Deployment gone in namespace shop.",
    ]  # fmt: skip
    assert [effect.word for effect in shown.effects[:2]] == ["skipped", "skipped"]
    assert shown.button == "Scale 3 Deployments"
    assert shown.kubectl.splitlines()[0].startswith("kubectl scale deployment/web-0 -n shop")
    assert shown.token and cluster.writes == []


async def test_a_quota_that_has_room_for_each_but_not_for_all_is_told(
    mara: Somebody, cluster: Cluster
) -> None:
    amounts = {"hard": {"pods": "9"}, "used": {"pods": "5"}}
    cluster.world.add(
        "resourcequotas", {"metadata": {"name": "small", "namespace": "shop"}, "status": amounts}
    )
    shown = await mara.preview()
    assert all(one.preview and one.preview.told.headline is None for one in shown.each), "each has room"
    assert shown.headline.state == "warn"
    assert shown.notices[0].title == "The quota of shop does not allow all of them together"
    del mara.names[1:]
    alone = await mara.preview()
    assert alone.headline.state == "info" and not alone.notices


async def test_an_undo_that_some_have_not_is_not_promised_of_all(cluster: Cluster) -> None:
    mara = await sync_to_async(Somebody)(cluster, DELETE_ANY, propagation="Background")
    assert (await mara.preview()).undo_words == "Undo creates it again, as it is now."
    owner = {"apiVersion": "example.com/v1", "kind": "App", "name": "shop", "uid": "o", "controller": True}
    cluster.named("web-1")["metadata"]["ownerReferences"] = [owner]
    assert (await mara.preview()).undo_words == "What is done to web-1 can't be undone; all else can."
    mara.names = ["shop/web-1"]
    assert "creates it, not you" in (await mara.preview()).undo_words


async def test_where_no_object_would_be_changed_there_is_nothing_to_apply(
    mara: Somebody, cluster: Cluster
) -> None:
    mara.typed = {"replicas": "1"}
    shown = await mara.preview()
    assert (shown.token, shown.headline.title) == ("", "No Deployment would be changed")


async def test_what_cannot_be_asked_for_is_refused_as_a_whole(mara: Somebody, cluster: Cluster) -> None:
    kind = KINDS["deployments"]
    with pytest.raises(BadInput, match=r"501 objects: at most 500") as many:
        bulk_targets("dev", kind, [f"shop/web-{at}" for at in range(MAX_OBJECTS + 1)])
    assert many.value.field == "object"
    assert len(bulk_targets("dev", kind, ["shop/web", "shop/web"])) == 1, "each once"
    for wrong in ("web", "shop/", "/web", "-/web", "shop/web/x", ""):
        with pytest.raises(BadInput, match="is <namespace>/<name>"):
            bulk_targets("dev", kind, [wrong])
    with pytest.raises(BadInput, match="a Node is -/<name>"):
        bulk_targets("dev", KINDS["nodes"], ["shop/worker"])
    mara.names = []
    with pytest.raises(BadInput, match="at least one"):
        await mara.preview()
    mara.typed = {"replicas": "many"}
    with pytest.raises(BadInput) as typed:
        await mara.preview()
    assert typed.value.field == "replicas"
    cluster.cluster.is_sandbox = False
    mara.names, mara.typed = ["shop/web-0"], {"replicas": "3"}
    with pytest.raises(ReadOnly):
        await mara.preview()


async def test_a_preview_that_takes_too_long_leaves_out_what_it_did_not_reach(
    mara: Somebody, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "PREVIEW_SECONDS", 0.0)
    shown = await mara.preview()
    assert shown.token == "" and {one.state for one in shown.each} == {"refused"}
    assert "was not ready" in str(shown.each[0].refusal)


# ---- Apply


async def test_each_object_gets_a_change_of_its_own_with_its_audit_and_its_undo(
    mara: Somebody, cluster: Cluster
) -> None:
    made = await mara.begun()
    assert (made.action, made.reason, made.result["count"]) == ("bulk-scale", "tidy up", 5)
    assert await sync_to_async(operations_missing)() == []
    await mara.move()
    await mara.move()
    assert set(cluster.replicas().values()) == {3}
    assert await results() == [(f"web-{at}", "done", "From 1 to 3 replicas") for at in range(5)]
    assert (await Operation.objects.aget()).state == "done"
    own = [each async for each in Change.objects.filter(action="scale")]
    assert len(own) == 5 and all(each.inverse and each.reason == "tidy up" for each in own)
    audit = [(each.action, each.result) async for each in AuditEntry.objects.order_by("pk")]
    assert audit == [("bulk-scale", "done"), *[("scale", "done")] * 5, ("bulk-scale", "done")]


async def test_the_same_token_begins_it_once(mara: Somebody, cluster: Cluster) -> None:
    token = (await mara.preview()).token
    one, two = await mara.apply(token), await mara.apply(token)
    assert one.pk == two.pk and await Operation.objects.acount() == 1


@pytest.mark.parametrize("confirm", ["4", "web-0", "five"])
async def test_another_number_than_that_of_the_objects_is_refused(mara: Somebody, confirm: str) -> None:
    token = (await mara.preview()).token
    with pytest.raises(Uncounted, match="Type the number of objects, 5") as refused:
        await mara.apply(token, confirm)
    assert (refused.value.status, refused.value.field) == (422, "confirm")
    assert await Change.objects.acount() == 0


async def test_in_production_the_number_has_to_be_typed(
    mara: Somebody, cluster: Cluster, settings: Any
) -> None:
    settings.CLUSTER_UI_PRODUCTION = ["dev"]
    shown = await mara.preview()
    with pytest.raises(Uncounted, match="dev is a production context"):
        await mara.apply(shown.token)
    with pytest.raises(Unreasoned):
        await mara.apply(shown.token, "5", reason="")
    await mara.apply(shown.token, "5")
    await mara.move()
    assert set(cluster.replicas().values()) == {3}, "the number stands for each name"


async def test_a_token_is_for_what_it_showed(mara: Somebody, cluster: Cluster) -> None:
    token = (await mara.preview()).token
    for change in ({"typed": {"replicas": "4"}}, {"names": ["shop/web-0"]}, {"action": RESTART}):
        before = {name: getattr(mara, name) for name in change}
        for name, value in change.items():
            setattr(mara, name, value)
        with pytest.raises(BadInput, match="not what the preview showed"):
            await mara.apply(token)
        for name, value in before.items():
            setattr(mara, name, value)
    with pytest.raises(BadInput, match="tampered"):
        await mara.apply(token[:-2])
    mara.names = []  # the preview knows its objects
    assert (await mara.apply(token)).result["count"] == 5


# ---- What becomes of each


async def test_what_was_changed_meanwhile_is_left_as_it_is_and_told(mara: Somebody, cluster: Cluster) -> None:
    cluster.forbidden.add("web-4")
    await mara.begun()
    cluster.named("web-1")["spec"]["replicas"] = 2
    del cluster.objects["deployments", "shop", "web-2"]
    cluster.named("web-3")["metadata"]["uid"] = "another"
    await mara.move()
    assert cluster.replicas() == {"web-0": 3, "web-1": 2, "web-3": 1, "web-4": 1}
    found = {name: (state, text) for name, state, text in await results()}
    assert [state for state, _ in found.values()] == ["done", "failed", "failed", "failed", "left"]
    assert "it was 1 replica, now it is 2 replicas. It was left as it is." in found["web-1"][1]
    assert "There is no Deployment web-2" in found["web-2"][1]
    assert "deleted and recreated since the preview" in found["web-3"][1]
    assert found["web-4"][1] == "You may not get web-4."
    operation = await Operation.objects.aget()
    assert operation.steps[0]["text"] == "1 done, 3 not changed and 1 skipped."
    refused = AuditEntry.objects.filter(action="scale").exclude(result="done")
    assert [each.name async for each in refused.order_by("name")] == ["web-1", "web-2", "web-3"]


async def test_who_lost_the_right_meanwhile_is_refused_object_by_object(
    mara: Somebody, cluster: Cluster
) -> None:
    await mara.begun()
    cluster.forbidden = set(cluster.replicas())
    await mara.move()
    assert set((await states()).values()) == {"failed"} and cluster.writes == []
    assert await AuditEntry.objects.filter(action="scale", result="refused").acount() == 5


@pytest.mark.parametrize("error", [TooManyRequests("The budget allows none now."), Unavailable("Away.")])
async def test_what_is_refused_for_now_is_tried_again(
    mara: Somebody, cluster: Cluster, error: ClusterError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "RETRY_SECONDS", -1e9)
    cluster.refuses["web-1"] = error
    await mara.begun()
    await mara.move()
    assert (await states())["web-1"] == "retrying"
    assert (await Operation.objects.aget()).state == "running"
    cluster.refuses.clear()
    await mara.move()
    await mara.move()
    assert set((await states()).values()) == {"done"} and set(cluster.replicas().values()) == {3}


async def test_stopped_in_the_middle_it_says_what_was_done_and_goes_on_when_resumed(
    mara: Somebody, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "AT_ONCE", 2)
    change, actor = await mara.begun(), Actor(user=mara.user, name="mara")
    made, real = 0, machine.change_carry

    async def carried(**given: Any) -> Change:
        nonlocal made
        done = await real(**given)
        made += 1
        if made == 2:
            await operation_stop(actor=actor, change=change)
        return done

    monkeypatch.setattr(machine, "change_carry", carried)
    with pytest.raises(Lost):
        await mara.move()
    assert list((await states()).values()) == ["done", "done", "waiting", "waiting", "waiting"]
    await mara.move()
    assert len(cluster.writes) == 2, "nothing more begins"
    await operation_resume(transport=mara.cluster, actor=actor, change=change)
    await mara.move()
    assert set((await states()).values()) == {"done"} and len(cluster.writes) == 5


@pytest.mark.parametrize("sent", [False, True])
async def test_another_process_goes_on_after_a_kill_and_does_nothing_twice(
    mara: Somebody, cluster: Cluster, sent: bool
) -> None:
    """Killed before, or after, the API server took the request; its answer was recorded in neither."""
    await mara.begun()
    if sent:
        real = cluster.request

        async def killed(method: str, target: Any, **given: Any) -> Any:
            answer = await real(method, target, **given)
            dry = (given.get("query") or {}).get("dryRun")
            if method == "PATCH" and not dry and given["name"] == "web-1":
                raise Killed
            return answer

        cluster.request = killed  # type: ignore[method-assign]
    else:
        cluster.refuses["web-1"] = Killed()
    with pytest.raises(Killed):
        await mara.move()
    if sent:
        del cluster.request  # type: ignore[method-assign]
    cluster.refuses.clear()
    assert (await Change.objects.aget(name="web-1")).state == "sending"
    await mara.move("b", NOW + timedelta(seconds=1))
    assert (await states())["web-1"] == "running", "the first may still be alive"
    await mara.move("b", NOW + timedelta(seconds=LEASE_SECONDS + 1))
    assert set((await states()).values()) == {"done"} and set(cluster.replicas().values()) == {3}
    assert sorted(key[2] for _, key in cluster.writes) == [f"web-{at}" for at in range(5)], "each once"
    assert await Change.objects.filter(action="scale", state="done").acount() == 5


async def test_of_two_people_at_once_the_second_one_is_told_what_the_first_one_did(
    mara: Somebody, cluster: Cluster
) -> None:
    jon = await sync_to_async(Somebody)(cluster, SCALE, "jon", replicas="7")
    jon.names = jon.names[:2]
    theirs, hers = (await jon.preview()).token, (await mara.preview()).token
    await mara.apply(hers)
    await mara.move()
    await mara.move()
    second = await jon.apply(theirs)
    await mara.move()
    assert set(cluster.replicas().values()) == {3}
    rows = [row async for row in OperationResult.objects.filter(operation__change=second)]
    assert [row.state for row in rows] == ["failed", "failed"]
    assert "it was 1 replica, now it is 3 replicas" in rows[0].text


# ---- Every action that may be


def many() -> list[str]:
    return [case for case, tried in TRIED.items() if action_named(case.split()[0], tried.plural).many]


async def test_what_was_written_and_does_not_come_up_is_not_called_done(
    mara: Somebody, cluster: Cluster
) -> None:
    begun = await mara.begun()
    for _ in range(4):
        await mara.move()
    change = await Change.objects.select_related("user").aget(pk=begun.pk)
    here: Any = SimpleNamespace(
        cluster=SimpleNamespace(name="dev", slug="dev", server=""), reader=cluster.world
    )
    page = BulkScreen(session(here), QueryDict(""), change.pk)
    sees(page, everything())
    page.change, page.undo = change, UndoState(possible=False, words="")
    await sync_to_async(page.read_operation)()
    cluster.world.hides = lambda *_: ()  # type: ignore[attr-defined]
    page.session.reader = cluster.world  # type: ignore[misc, assignment]
    refused = [condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota: small")]

    def told(*conditions: list[dict[str, str]], up: int = 3) -> tuple[str, str, list[str]]:
        for at in range(5):
            failing = conditions[at] if at < len(conditions) else []
            there = up if not failing else 1
            web = deployment(
                f"web-{at}", replicas=3, available=there, updated=there, current=there, generation=2, observed=2,
                conditions=failing,
            )  # fmt: skip
            cluster.world.put("deployments", _whole("deployments", web))
        page._followed.clear()
        state, headline, _ = page.words()
        return state, headline, [each["word"] for each in page._results()["rows"]]

    assert told() == ("done", "All 5 are done", ["done"] * 5)
    assert told(up=2) == ("info", "All 5 are changed, 5 are in progress", ["in progress"] * 5)
    state, headline, words = told(refused)
    assert (state, headline) == ("bad", "All 5 are changed, 1 is not progressing")
    assert words == ["not progressing", *["done"] * 4]


def test_actions_whose_form_depends_on_the_object_are_for_one_at_a_time() -> None:
    assert {action.name for action in ACTIONS if not action.many} >= {"edit", "rotate"}
    assert {"scale", "restart", "delete", "suspend", "cordon"} <= {each.name for each in ACTIONS if each.many}


@pytest.mark.parametrize("case", many())
async def test_every_such_action_is_previewed_and_made_for_two_objects(case: str) -> None:
    tried: Tried = TRIED[case]
    own = tried.manifest["metadata"]
    two = [tried.manifest | {"metadata": own | {"name": f"{own['name']}-{at}"}} for at in range(2)]
    cluster = Cluster(tried.plural, two)
    action = action_named(case.split()[0], tried.plural)
    mara = await sync_to_async(Somebody)(cluster, action, **tried.typed)
    shown = await mara.preview()
    assert [one.state for one in shown.each] == ["change", "change"], [str(one.refusal) for one in shown.each]
    await mara.apply(shown.token, "2")
    await mara.move()
    assert [state for _, state, _ in await results()] == ["done", "done"], await results()
    assert await Change.objects.filter(action=action.name).acount() == 2
