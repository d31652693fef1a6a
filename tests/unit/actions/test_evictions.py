"""A drain against an API server of a few lines: every answer to an eviction, choices, and the words of its page."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.http import QueryDict

from dashboard.actions.action import Actor, Target
from dashboard.actions.drain import DRAIN, SETTINGS, Settings, settings_of
from dashboard.actions.evictions import RETRY_SECONDS, untried
from dashboard.actions.operation import Lost, operation_advance
from dashboard.actions.operations import operation_begin, operation_resume, operation_stop, operations_claim
from dashboard.actions.undo import UndoState, change_undo_state
from dashboard.errors import (
    ClusterError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Protected,
    TooManyRequests,
    Unavailable,
)
from dashboard.kinds.nodes import NODES
from dashboard.kube.transport import Response
from dashboard.live.screens.drain import DrainScreen
from dashboard.models import AuditEntry, Change, Operation
from dashboard.queries.access import Visible

from ..insight.world import NOW, World, ago, meta, node, pod
from ..live.seen import everything, sees, session

pytestmark = pytest.mark.django_db(transaction=True)

BUDGET = Protected(
    "Cannot evict pod as it would violate the pod's disruption budget. web needs 2 healthy pods."
)


class Api:
    """A cordoned node with pods; ``answers`` are raised at evictions, by pod, one after the other."""

    def __init__(self, *manifests: dict[str, Any]) -> None:
        self.cluster = SimpleNamespace(name="dev", server="https://dev", is_sandbox=True)
        self.pods = {each["metadata"]["name"]: with_uid(each) for each in manifests}
        self.node: dict[str, Any] | None = {
            "metadata": {"name": "node-1", "uid": "n"},
            "spec": {"unschedulable": True},
        }
        self.answers: dict[str, list[ClusterError]] = {}
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.meanwhile: Callable[[], Awaitable[Any]] | None = None  # happens during the next eviction

    @property
    def world(self) -> World:
        made = World(("nodes", node())).reading("pods", "daemonsets", "poddisruptionbudgets")
        made.add("daemonsets", {"metadata": meta("agent")})
        for each in self.pods.values():
            made.put("pods", each)
        return made

    def ends(self, name: str) -> None:
        """A pod that terminates is gone."""
        del self.pods[name]

    async def request(
        self,
        method: str,
        target: Any,
        *,
        name: str = "",
        body: bytes = b"",
        subresource: str | None = None,
        **_: Any,
    ) -> Response:
        if target.plural == "nodes":
            return answer(self.node) if self.node else missing(name)
        if not name:
            return answer({"items": list(self.pods.values()), "metadata": {}})
        if method == "POST":
            assert subresource == "eviction", "never a delete"
            options = json.loads(body)["deleteOptions"]
            self.sent.append((name, options))
            if (happens := self.meanwhile) is not None:
                self.meanwhile = None
                await happens()
            if errors := self.answers.get(name):
                raise errors.pop(0)
        if name not in self.pods:
            missing(name)
        if method == "POST":
            if options["preconditions"]["uid"] != self.pods[name]["metadata"]["uid"]:
                raise Conflict("Precondition failed: UID")
            self.pods[name]["metadata"]["deletionTimestamp"] = ago(seconds=0)
            return answer({"status": "Success"})
        return answer(self.pods[name])


def with_uid(manifest: dict[str, Any]) -> dict[str, Any]:
    made = {"uid": f"pods-{manifest['metadata']['name']}", "creationTimestamp": ago(hours=1)}
    return manifest | {"metadata": made | manifest["metadata"]}


def answer(body: Any) -> Response:
    return Response(200, json.dumps(body).encode(), {})


def missing(name: str) -> Any:
    raise NotFound(f"{name} not found")


def drain(**settings: Any) -> Change:
    user, _ = User.objects.get_or_create(username="mara")
    return Change.objects.create(
        nonce="n", state=Change.State.DONE, user=user, context="dev", action="drain", plural="nodes", kind="Node",
        name="node-1", uid="n", touched={"/spec/unschedulable": [False, True]},
        inverse={"action": "uncordon", "input": {"unschedulable": False}}, result={SETTINGS: settings},
    )  # fmt: skip


async def begin(api: Api, **settings: Any) -> Change:
    change = await sync_to_async(drain)(**settings)
    await operation_begin(action=DRAIN, change=change, transport=api, objects=api.world)  # type: ignore[arg-type]
    return change


async def move(api: Api, seconds: float = 0) -> None:
    now = NOW + timedelta(seconds=seconds)
    for operation in await sync_to_async(operations_claim)("a", now):
        await operation_advance(
            action=DRAIN, operation=operation, holder="a", transport=api, objects=api.world, now=now,  # type: ignore[arg-type]
        )  # fmt: skip


async def rows(change: Change) -> dict[str, tuple[str, str]]:
    operation = await Operation.objects.aget(change=change)
    return {each.name: (each.state, each.text) async for each in operation.results.all()}


async def state(change: Change) -> tuple[str, str]:
    found = await Operation.objects.aget(change=change)
    return found.state, found.steps[0]["text"]


async def test_pods_are_evicted_by_uid_and_waited_for_and_what_stays_is_told() -> None:
    api = Api(pod("web-1"), pod("agent-1", owner=("DaemonSet", "agent")))
    change = await begin(api, grace=7)
    assert [step["title"] for step in (await Operation.objects.aget(change=change)).steps] == [
        "Evict 1 pod",
        "Check what is left on node-1",
    ]
    await move(api)
    options = {"preconditions": {"uid": "pods-web-1"}, "gracePeriodSeconds": 7}
    assert api.sent == [("web-1", options)]
    api.ends("web-1")
    for seconds in (1, 2, 3):
        await move(api, seconds)
    found = await Operation.objects.aget(change=change)
    assert found.steps[1]["text"] == "1 pod stays: of DaemonSets, or static."


async def test_what_replaces_each_pod_is_told_at_the_end() -> None:
    api = Api(pod("web-1"), pod("web-2"), pod("db-0", owner=("StatefulSet", "db")), pod("shell", owner=None))
    change = await begin(api, force=True)
    await move(api)
    for name in list(api.pods):
        api.ends(name)
    await move(api, 1)
    for manifest in (
        pod("web-3", node="node-2"),
        pod("web-4", node="", ready=False),
        pod("db-0", owner=("StatefulSet", "db"), node="node-3"),
        pod("web-0", node="node-2")
        | {"metadata": pod("web-0")["metadata"] | {"creationTimestamp": ago(hours=9)}},
    ):
        made = {"creationTimestamp": ago(seconds=-1), "uid": "new"} | manifest["metadata"]
        api.pods[made["name"]] = manifest | {"metadata": made}
    for seconds in (2, 3, 4):
        await move(api, seconds)
    assert {name: text for name, (_, text) in (await rows(change)).items()} == {
        "web-1": "Replaced by web-3, on node-2, ready.",
        "web-2": "Replaced by web-4, not scheduled, not ready yet.",
        "db-0": "Recreated, on node-3, ready.",
        "shell": "",
    }


async def test_an_eviction_is_sent_once_and_its_pod_is_gone_when_the_api_server_says_so() -> None:
    api = Api(pod("web-1"))
    change = await begin(api)
    await move(api)
    for seconds in (1, 20):
        await move(api, seconds)
    assert len(api.sent) == 1
    assert (await rows(change))["web-1"] == ("running", "Its containers have 30 s to shut down.")
    world = api.world
    api.ends("web-1")
    world.remove("pods", "shop", "web-1")
    await move(api, 21)
    assert (await rows(change))["web-1"][0] == "done"
    for seconds in (22, 23, 24):
        await move(api, seconds)
    found = await Operation.objects.aget(change=change)
    assert (found.state, [step["text"] for step in found.steps]) == (
        "done",
        ["1 pod gone.", "No pods are left."],
    )


async def test_a_pod_that_a_late_watch_does_not_show_is_not_gone() -> None:
    api = Api(pod("web-1"))
    change = await begin(api)
    await move(api)
    hidden, api.pods = api.pods, {}
    world = api.world
    api.pods = hidden
    now = NOW + timedelta(seconds=1)
    (operation,) = await sync_to_async(operations_claim)("a", now)
    await operation_advance(
        action=DRAIN, operation=operation, holder="a", transport=api, objects=world, now=now,  # type: ignore[arg-type]
    )  # fmt: skip
    assert (await rows(change))["web-1"][0] == "running"


@pytest.mark.parametrize("error", [BUDGET, TooManyRequests("Slow down."), Unavailable("No answer.")])
async def test_what_may_pass_is_tried_again_every_five_seconds(error: ClusterError) -> None:
    api = Api(pod("web-1"))
    api.answers = {"web-1": [error, error]}
    change = await begin(api)
    await move(api)
    state_, text = (await rows(change))["web-1"]
    assert state_ == "retrying"
    assert text == f"{error.message} Attempt 1; tried again every 5 s."
    assert untried(text) == f"{error.message} Attempt 1."
    await move(api, RETRY_SECONDS - 1)
    assert len(api.sent) == 1
    await move(api, RETRY_SECONDS)
    assert "Attempt 2" in (await rows(change))["web-1"][1]
    await move(api, 2 * RETRY_SECONDS)
    assert (await rows(change))["web-1"][0] == "running"
    evicted = [each.name async for each in AuditEntry.objects.filter(action="evict", result="done")]
    assert evicted == ["web-1"]


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (Forbidden("You may not."), ("failed", "You may not.")),
        (Invalid("A policy says no."), ("failed", "A policy says no.")),
        (NotFound("not found"), ("done", "")),
        (
            Conflict("Precondition failed: UID"),
            ("retrying", "Precondition failed: UID Attempt 1; tried again every 5 s."),
        ),
        (
            Forbidden("it is forbidden because it is being terminated"),
            ("retrying", "it is forbidden because it is being terminated Attempt 1; tried again every 5 s."),
        ),
    ],
)
async def test_what_the_api_server_answers_decides_about_the_one_pod(error: ClusterError, found: Any) -> None:
    api = Api(pod("web-1"), pod("web-2"))
    api.answers = {"web-1": [error]}
    change = await begin(api)
    await move(api)
    told = await rows(change)
    assert (told["web-1"], told["web-2"][0]) == (found, "running")


async def test_one_that_was_recreated_under_its_name_is_left_alone() -> None:
    api = Api(pod("db-0", owner=("StatefulSet", "db")))
    change = await begin(api)
    api.answers = {"db-0": [BUDGET]}
    await move(api)
    api.pods["db-0"]["metadata"]["uid"] = "another"
    await move(api, RETRY_SECONDS)
    assert (await rows(change))["db-0"][0] == "done"
    assert "deletionTimestamp" not in api.pods["db-0"]["metadata"]


async def test_what_two_budgets_cover_fails_at_once() -> None:
    labels = {"selector": {"matchLabels": {"app": "web"}}}
    api = Api(pod("web-1"))
    api.answers = {"web-1": [Unavailable("This pod has more than one PodDisruptionBudget.")]}
    change = await begin(api)
    world = api.world
    for name in ("one", "two"):
        world.add("poddisruptionbudgets", {"metadata": meta(name), "spec": labels})
    (operation,) = await sync_to_async(operations_claim)("a", NOW)
    await operation_advance(
        action=DRAIN, operation=operation, holder="a", transport=api, objects=world, now=NOW,  # type: ignore[arg-type]
    )  # fmt: skip
    assert (await rows(change))["web-1"] == ("failed", "This pod has more than one PodDisruptionBudget.")
    await move(api, 1)
    assert await state(change) == ("stopped", "web-1 could not be evicted.")


async def test_nothing_is_evicted_before_each_pod_is_decided_and_a_resume_looks_again() -> None:
    api = Api(pod("web-1"), pod("shell", owner=None))
    change = await begin(api)
    await move(api)
    assert await state(change) == ("stopped", "shell needs a choice before anything is evicted.")
    assert (api.sent, {name: each[0] for name, each in (await rows(change)).items()}) == (
        [],
        {"shell": "failed", "web-1": "waiting"},
    )
    api.ends("shell")
    who = Actor(user=change.user, name="mara")
    await operation_resume(transport=api, actor=who, change=change)  # type: ignore[arg-type]
    await move(api, 1)
    assert [name for name, _ in api.sent] == ["web-1"]
    assert (await rows(change))["shell"] == ("done", "It was gone before it was evicted.")


async def test_at_the_time_out_each_pod_that_is_left_says_why() -> None:
    api = Api(pod("web-1"), pod("web-2"))
    api.answers = {"web-1": [BUDGET, BUDGET]}
    change = await begin(api, timeout=6)
    for seconds in (0, 5, 6):
        await move(api, seconds)
    told = await rows(change)
    assert told["web-1"] == ("failed", f"{BUDGET.message} 2 attempts.")
    assert told["web-2"][1].startswith("Evicted, and still terminating at the time-out.")
    assert await state(change) == (
        "stopped",
        "The time-out of 6 seconds passed with 2 pods left: web-1 and web-2.",
    )


@pytest.mark.parametrize(
    ("node_now", "words"),
    [
        (None, "node-1 was deleted."),
        ({"metadata": {"uid": "other"}, "spec": {}}, "node-1 was deleted and recreated."),
        ({"metadata": {"uid": "n"}, "spec": {}}, "node-1 was uncordoned meanwhile. Cordon it to go on."),
    ],
)
async def test_nothing_is_evicted_from_a_node_that_is_not_cordoned_any_more(
    node_now: Any, words: str
) -> None:
    api = Api(pod("web-1"))
    change = await begin(api)
    api.node = node_now
    await move(api)
    assert (api.sent, await state(change)) == ([], ("stopped", words))


async def test_a_node_that_was_cordoned_before_has_nothing_to_undo() -> None:
    before = {"metadata": {"uid": "n"}, "spec": {"unschedulable": True}}
    assert Settings(force=True).flags == ["--ignore-daemonsets", "--force", "--timeout=900s"]
    assert DRAIN.back(before) is None
    change = await sync_to_async(drain)()
    assert "evicted pods are not moved back" in (await change_undo_state(change=change)).words
    change.inverse = {}
    assert await change_undo_state(change=change) == UndoState(
        possible=False, words="It was cordoned before the drain: there is nothing to undo."
    )
    assert settings_of(change) == Settings()


@pytest.mark.parametrize(
    ("nodes", "pods", "shown"),
    [
        (Visible(), Visible(), True),
        (Visible(), Visible(frozenset({"shop"})), False),
        (Visible(), Visible(frozenset(), Forbidden("No.")), False),
        (Visible(frozenset(), Forbidden("No.")), Visible(), False),
    ],
)
def test_its_page_is_for_those_who_may_see_every_pod(nodes: Visible, pods: Visible, shown: bool) -> None:
    change = drain()
    cluster: Any = SimpleNamespace(name="dev", slug="dev", server="")
    page = DrainScreen(session(SimpleNamespace(cluster=cluster, reader=World())), QueryDict(""), change.pk)
    sees(page, {"nodes": nodes, "pods": pods})
    page.change = change
    if shown:
        page.must_see()
    else:
        with pytest.raises(Forbidden):
            page.must_see()


async def test_its_page_says_how_many_are_gone_and_what_is_refused() -> None:
    api = Api(pod("web-1"), pod("web-2"))
    api.answers = {"web-1": [BUDGET]}
    change = await begin(api)
    await move(api)
    api.ends("web-2")
    await move(api, 1)

    def page() -> DrainScreen:
        cluster: Any = SimpleNamespace(name="dev", slug="dev", server="")
        made = DrainScreen(
            session(SimpleNamespace(cluster=cluster, reader=World())), QueryDict(""), change.pk
        )
        sees(made, everything())
        made.change, made.undo = change, UndoState(possible=False, words="")
        made.read_operation()
        return made

    shown = await sync_to_async(page)()
    assert shown.words() == (
        "warn",
        "Draining node-1: 1 eviction refused, retrying",
        "1 of 2 pods evicted. It gives up on 2026-03-01 at 12:15:00 UTC.",
    )
    rows_ = shown._results()["rows"]
    assert [(each["word"], bool(each["began"])) for each in rows_] == [("refused", True), ("evicted", True)]
    assert shown.kubectl() == "kubectl drain node-1 --ignore-daemonsets --timeout=900s"
    await operation_stop(actor=Actor(user=change.user, name="mara"), change=change)
    shown = await sync_to_async(page)()
    state_, headline, text = shown.words()
    assert (state_, headline) == ("warn", "The drain was stopped")
    assert text.endswith("1 of 2 pods evicted. node-1 stays cordoned.")
    rows_ = shown._results()["rows"]
    assert [(each["word"], bool(each["began"])) for each in rows_] == [("refused", False), ("evicted", True)]


async def test_what_was_evicted_while_somebody_stopped_it_is_recorded_and_in_the_audit() -> None:
    api = Api(pod("web-1"), pod("web-2"))
    api.answers = {"web-2": [BUDGET]}
    change = await begin(api)
    api.meanwhile = lambda: operation_stop(actor=Actor(user=change.user, name="mara"), change=change)
    with pytest.raises(Lost):
        await move(api)
    assert {name: state_ for name, (state_, _) in (await rows(change)).items()} == {
        "web-1": "running",
        "web-2": "retrying",
    }
    assert [entry.name async for entry in AuditEntry.objects.filter(action="evict")] == ["web-1"]
    assert (await state(change))[0] == Operation.State.STOPPED


async def test_only_a_pod_that_leaves_needs_the_right_to_evict_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    async def note(transport: Any, pods: list[Any]) -> None:
        asked.append([each.metadata.name for each in pods])

    monkeypatch.setattr("dashboard.actions.drain._may_evict", note)
    api = Api(pod("web-1"), pod("agent-1", owner=("DaemonSet", "agent")))
    target = Target(context="dev", gvr=NODES.gvr, plural="nodes", kind="Node", namespace="", name="node-1")
    order: Any = SimpleNamespace(transport=api, target=target)
    await DRAIN.decide(order, {}, api.world)
    assert asked == [["web-1"]]
