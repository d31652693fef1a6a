"""An operation of any kind: journalled steps, results by the thousand, and what a person or the clock may say of it."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from dashboard.actions import operations
from dashboard.actions.action import Actor
from dashboard.actions.operation import Lost, OperationAction, Plan, Run, operation_advance, operation_step
from dashboard.actions.operations import (
    operation_begin,
    operation_resume,
    operation_stop,
    operations_claim,
    operations_missing,
)
from dashboard.actions.undo import UndoState
from dashboard.errors import BadInput, Forbidden, NotFound, Unavailable
from dashboard.live.screens import operation_screen
from dashboard.live.screens.operation import RESULTS, OperationScreen
from dashboard.models import AuditEntry, Change, Operation, OperationResult

from ..insight.world import NOW, World
from ..live.seen import everything, sees, session
from .test_rotation import Api, written

pytestmark = pytest.mark.django_db(transaction=True)


class Sweep(OperationAction):
    """Two steps, of which the first is about many objects."""

    name, title, icon, noun = "rotate", "Sweep", "x", "sweep"
    planned_from = follows = frozenset({"pods"})

    def __init__(self, objects: int = 2) -> None:
        self.objects, self.sent = objects, list[str]()
        self.steps = {"many": self.many, "last": self.last_step}
        self.error: Exception | None = None

    async def plan(self, change: Change, transport: Any, objects: Any) -> Plan:
        rows = [
            OperationResult(plural="pods", kind="Pod", namespace="shop", name=f"web-{at}")
            for at in range(self.objects)
        ]
        return Plan(
            steps=[operation_step("many", "Sweep all"), operation_step("last", "Close")], results=rows
        )

    async def many(self, run: Run) -> None:
        """One object a move."""
        for result in await run.results("running", "waiting", limit=1):
            result.state = "running"
            await run.save([result])
            if self.error is not None:
                raise self.error
            self.sent.append(result.name)
            result.state = "done"
            await run.save([result])
            return
        await run.end("done", "All swept.")

    async def last_step(self, run: Run) -> None:
        await run.end("done", "")

    def written(self, change: Change) -> str:
        return "Write"


@pytest.fixture
def sweep(monkeypatch: pytest.MonkeyPatch) -> Sweep:
    made = Sweep()
    monkeypatch.setattr(operations, "ACTIONS", (made,))
    monkeypatch.setattr(operations, "action_of", lambda _: made)
    return made


@pytest.fixture
def change() -> Change:
    return written()


async def begin(sweep: Sweep, change: Change) -> Operation:
    return await operation_begin(change=change, action=sweep, transport=None, objects=World())  # type: ignore[arg-type]


async def move(sweep: Sweep, seconds: float = 0, holder: str = "a") -> Operation | None:
    now = NOW + timedelta(seconds=seconds)
    claimed = await sync_to_async(operations_claim)(holder, now)
    for operation in claimed:
        await operation_advance(
            operation=operation, action=sweep, holder=holder, transport=None, objects=World(), now=now,  # type: ignore[arg-type]
        )  # fmt: skip
    return claimed[0] if claimed else None


async def states(change: Change) -> tuple[str, list[str], list[str]]:
    found = await Operation.objects.aget(change=change)
    results = [each.state async for each in found.results.order_by("position")]
    return found.state, [step["state"] for step in found.steps], results


async def test_steps_and_results_are_recorded_before_and_after(sweep: Sweep, change: Change) -> None:
    await begin(sweep, change)
    assert await states(change) == ("running", ["waiting", "waiting"], ["waiting", "waiting"])
    sweep.error = KeyboardInterrupt()  # the process is killed between its two records
    with pytest.raises(KeyboardInterrupt):
        await move(sweep)
    assert await states(change) == ("running", ["running", "waiting"], ["running", "waiting"])
    sweep.error = None
    assert await move(sweep, 1, "b") is None, "the first may still be alive"
    for seconds in range(16, 21):
        await move(sweep, seconds, "b")
    assert (await states(change), sweep.sent) == (
        ("done", ["done", "done"], ["done", "done"]),
        ["web-0", "web-1"],
    )


async def test_begun_twice_it_has_its_results_once(sweep: Sweep, change: Change) -> None:
    assert await sync_to_async(operations_missing)() == [change]
    one, two = await begin(sweep, change), await begin(sweep, change)
    assert one.pk == two.pk and await one.results.acount() == 2
    assert await sync_to_async(operations_missing)() == []


async def test_a_step_that_went_wrong_stops_it_and_a_person_resumes_it(sweep: Sweep, change: Change) -> None:
    await begin(sweep, change)
    sweep.error = Unavailable("away")
    await move(sweep)
    assert (await states(change))[0] == "running", "what may pass is tried again"
    sweep.error = Forbidden("You may not.")
    await move(sweep, 1)
    operation = await Operation.objects.aget(change=change)
    assert operation.state == "stopped" and operation.steps[0]["text"] == "You may not."
    entry = await AuditEntry.objects.order_by("-pk").afirst()
    assert entry is not None and (entry.result, entry.detail) == ("failed", "Sweep all: You may not.")
    sweep.error = None
    api: Any = Api()
    await operation_resume(transport=api, actor=Actor(user=change.user, name="mara"), change=change)
    for seconds in range(2, 7):
        await move(sweep, seconds)
    assert (await states(change))[0] == "done"


async def test_in_production_it_goes_on_only_with_the_name_and_a_reason(
    sweep: Sweep, change: Change, settings: Any
) -> None:
    await begin(sweep, change)
    api: Any = Api()
    actor = Actor(user=change.user, name="mara")

    async def refused(**typed: str) -> tuple[str, int]:
        with pytest.raises(BadInput) as error:
            await operation_resume(transport=api, actor=actor, change=change, **typed)
        assert (await states(change))[0] == "stopped"
        return error.value.field, error.value.status

    settings.CLUSTER_UI_PRODUCTION = [change.context]
    await operation_stop(actor=actor, change=change)  # writes nothing: it asks for nothing
    assert await refused() == await refused(confirm="other", reason="why") == ("confirm", 422)
    assert await refused(confirm=change.name) == ("reason", 422)
    await operation_resume(
        transport=api, actor=actor, change=change, confirm=f" {change.name}\n", reason="it is safe now"
    )
    assert (await states(change))[0] == "running"
    entry = await AuditEntry.objects.order_by("-pk").afirst()
    assert entry is not None and (entry.action, entry.reason) == ("resume sweep", "it is safe now")
    await operation_stop(actor=actor, change=change)
    settings.CLUSTER_UI_PRODUCTION = []
    await operation_resume(transport=api, actor=actor, change=change)
    assert (await states(change))[0] == "running"


async def test_a_stop_in_the_middle_of_a_move_lets_nothing_more_be_recorded(
    sweep: Sweep, change: Change
) -> None:
    await begin(sweep, change)
    mine = (await sync_to_async(operations_claim)("a", NOW))[0]
    await operation_stop(actor=Actor(user=change.user, name="mara"), change=change)
    with pytest.raises(Lost):
        await operation_advance(
            operation=mine, action=sweep, holder="a", transport=None, objects=World(), now=NOW,  # type: ignore[arg-type]
        )  # fmt: skip
    assert sweep.sent == []
    entry = await AuditEntry.objects.order_by("-pk").afirst()
    assert entry is not None and (entry.action, entry.detail) == ("stop sweep", "2 objects not started.")


# ---- Its page


def screen(change: Change, query: str = "") -> OperationScreen:
    cluster: Any = SimpleNamespace(name="dev", slug="dev", server="")
    made = OperationScreen(
        session(SimpleNamespace(cluster=cluster, reader=World())), QueryDict(query), change.pk
    )
    sees(made, everything())
    made.change, made.undo = change, UndoState(possible=False, words="")
    return made


@pytest.mark.parametrize("action", ["drain", "bulk-scale", "replace", "scale"])
async def test_an_operation_is_shown_by_its_own_rights_alone(change: Change, action: str) -> None:
    """An address that names another kind of operation would ask for the rights of that."""
    cluster: Any = SimpleNamespace(name=change.context, slug="dev", server="")
    page = operation_screen(session(SimpleNamespace(cluster=cluster)), QueryDict(""), change.pk, action)
    with pytest.raises(NotFound, match=f"Change {change.pk} is not a {action}"):
        await page.prepare()


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ("", 1, RESULTS),
        ("page=24", 1151, 1200),
        ("page=999", 1151, 1200),
        ("state=failed", 1, 7),
        ("page=x", 1, RESULTS),
    ],
)
async def test_a_page_holds_a_window_of_many_results_and_the_worst_first(
    sweep: Sweep, change: Change, query: str, first: int, last: int
) -> None:
    sweep.objects = 1200
    operation = await begin(sweep, change)
    await operation.results.filter(position__gte=1193).aupdate(state="failed", text="No.")
    page = screen(change, query)
    await sync_to_async(page.read_operation)()
    shown = page._results()
    assert (shown["first"], shown["last"], shown["total"]) == (first, last, 1200)
    assert len(shown["rows"]) <= RESULTS
    assert [each["count"] for each in shown["states"]] == [7, 1193]
    if first == 1:
        assert shown["rows"][0]["text"] == "No."
    told = await page.told()
    assert len(told["results"]) == 1200
    assert told["results"][-1] == {"object": "Pod shop/web-1199", "state": "failed", "text": "No."}
    assert [each["title"] for each in told["steps"]] == ["Write", "Sweep all", "Close"]


async def test_a_look_at_what_has_not_changed_reads_no_results(sweep: Sweep, change: Change) -> None:
    await begin(sweep, change)
    page = screen(change)
    await sync_to_async(page.read_operation)()

    def again() -> list[str]:
        with CaptureQueriesContext(connection) as asked:
            page.read_operation()
        return [each["sql"] for each in asked if "operationresult" in each["sql"]]

    assert await sync_to_async(again)() == []


# ---- What was there before


def test_a_rotation_under_way_goes_on_as_an_operation() -> None:
    """The migration carries over what had its own table."""
    executor = MigrationExecutor(connection)
    executor.migrate([("dashboard", "0025_reason")])
    try:
        old = executor.loader.project_state([("dashboard", "0025_reason")]).apps
        user = old.get_model("auth", "User").objects.create(username="mara")
        change = old.get_model("dashboard", "Change").objects.create(
            nonce="n",
            user=user,
            context="dev",
            action="rotate",
            plural="secrets",
            kind="Secret",
            name="db",
            uid="u",
        )
        step = {
            "plural": "deployments", "kind": "Deployment", "name": "web", "text": "", "stamp": "s", "generation": 2,
            "uid": "", "began": "b", "ended": "", "wrong_since": "", "good_since": "",
        }  # fmt: skip
        old.get_model("dashboard", "Rotation").objects.create(
            change=change,
            state="restarting",
            steps=[step | {"state": "restarting"}, step | {"state": "waiting"}],
        )
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())
    found = Operation.objects.get()
    assert (found.state, [each["state"] for each in found.steps]) == ("running", ["running", "waiting"])
    assert {(each["do"], each["title"], each["since"]) for each in found.steps} == {
        ("restart", "Restart Deployment web", "")
    }
    assert [each["stamp"] for each in found.steps] == ["s", ""], "what waits begins anew"
