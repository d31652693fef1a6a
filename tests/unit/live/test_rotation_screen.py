"""What the page of a rotation claims about the value of each pod, and about the Secret by now."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict

from dashboard.actions.standing import SUPERSEDED, Standing
from dashboard.actions.undo import UndoState
from dashboard.errors import Forbidden
from dashboard.live.screens import rotate
from dashboard.live.screens.rotate import RotationScreen
from dashboard.models import Change, Operation

from ..insight.world import NOW, World
from .seen import everything, nothing, sees, session

WHO = Standing(how="changed", who="kubectl-patch", key="password")
STEP = {
    "plural": "deployments",
    "kind": "Deployment",
    "name": "web",
    "state": "done",
    "text": "",
    "stamp": "",
    "title": "Restart Deployment web",
    "began": "",
    "ended": "",
    "generation": 0,
}


def screen(standing: Standing, *, next_at: datetime | None = None, **result: Any) -> RotationScreen:
    runtime: Any = SimpleNamespace(reader=World().reading("deployments", "statefulsets", "daemonsets"))
    runtime.reader.knows = lambda *_: True
    made = RotationScreen(session(runtime), QueryDict(), 1)
    sees(made, everything())
    made.change = Change(
        action="rotate", plural="secrets", kind="Secret", namespace="shop", name="database", uid="u1", pk=1,
        state=Change.State.DONE, created_at=NOW, touched={"/data/password": [None, None]}, result=result,
    )  # fmt: skip
    made.operation = Operation(change=made.change, state=Operation.State.DONE, steps=[STEP])
    made.undo = UndoState(possible=True, words="")
    made.standing, made.next_at = standing, next_at
    return made


def minutes(count: int) -> datetime:
    return NOW + timedelta(minutes=count)


@pytest.mark.parametrize(
    ("standing", "next_at", "confirmed", "made", "value"),
    [
        (Standing(how="same"), None, None, -1, "value before"),
        (Standing(how="same"), None, None, 5, "new value"),
        (WHO, None, None, 5, "not known"),
        (WHO, None, 6, 5, "new value"),
        (WHO, None, 4, 5, "not known"),
        (Standing(how="deleted"), None, 4, 5, "not known"),
        (Standing(how="unknown"), None, 4, 5, "not known"),
        (Standing(how="changed"), 10, None, 5, "new value"),
        (Standing(how="changed"), 10, None, 15, "later value"),
    ],
)
def test_a_pod_has_the_value_only_where_that_is_known(
    standing: Standing, next_at: int | None, confirmed: int | None, made: int, value: str
) -> None:
    page = screen(standing, next_at=minutes(next_at) if next_at else None)
    step = STEP | {"confirmed": minutes(confirmed).isoformat() if confirmed else ""}
    assert page._value(step, minutes(made)) == value


def test_the_page_says_that_the_secret_holds_another_value_by_now() -> None:
    assert screen(Standing(how="same")).words()[1] == "database is rotated"
    state, headline, text = screen(WHO).words()
    assert (state, headline) == ("warn", "database was rotated, and has another value now")
    assert text == "password of Secret database was given another value by kubectl-patch."
    later = screen(WHO, next_at=minutes(5))
    assert later.words()[1] == "database is rotated", "the next rotation has a page of its own"


def test_restarts_that_stopped_for_it_say_so_and_not_that_a_value_was_bad() -> None:
    kept = {SUPERSEDED: WHO.kept()}
    page = screen(WHO, **kept)
    page.operation = Operation(
        change=page.change, state=Operation.State.STOPPED, steps=[STEP | {"state": "failed"}]
    )
    assert page.words()[:2] == ("bad", "The restarts stopped: the Secret has another value now")
    page.standing = Standing(how="same")
    assert "It holds this value again" in page.words()[2]


async def test_the_secret_is_read_once_for_each_version(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    found: Any = SimpleNamespace(metadata=SimpleNamespace(uid="u1", resource_version="7"))

    async def standing(**_: Any) -> Standing:
        reads.append(1)
        if len(reads) == 2:
            raise Forbidden("no")
        return Standing(how="same")

    monkeypatch.setattr(rotate, "secret_standing", standing)
    page = screen(Standing(how="unknown"))
    page.session = SimpleNamespace(reader=SimpleNamespace(get=lambda *_: found), transport=None)  # type: ignore[assignment]
    await page._look()
    await page._look()
    assert (len(reads), page.standing.how) == (1, "same")
    found.metadata.resource_version = "8"
    await page._look()
    assert page.standing.how == "unknown", "what cannot be read is not claimed"
    await page._look()
    assert len(reads) == 2, "it is not asked again and again"
    page._next_look = 0.0
    await page._look()
    assert (len(reads), page.standing.how) == (3, "same")


@pytest.mark.parametrize("possible", [True, False])
async def test_a_script_is_told_the_steps_and_what_became_of_them(possible: bool) -> None:
    made = screen(Standing(how="same"))
    made.runtime.cluster = SimpleNamespace(slug="dev", name="dev")  # type: ignore[assignment]
    made.undo = UndoState(possible=possible, words="")
    ended = STEP | {
        "generation": 2,
        "began": "2026-03-01T12:00:00Z",
        "ended": "2026-03-01T12:01:00Z",
        "text": "3 ready.",
    }
    waiting = ended | {
        "name": "mail",
        "title": "Restart Deployment mail",
        "state": "waiting",
        "generation": 0,
        "began": "",
        "ended": "",
        "text": "",
    }
    assert made.operation is not None
    made.operation.state, made.operation.steps = Operation.State.RUNNING, [ended, waiting]
    assert (await made.told()) == {
        "state": "info",
        "headline": "Restarting mail",
        "done": False,
        "undo_url": "/changes/1/undo/" if possible else "",
        "steps": [
            {"title": "Write the new value", "state": "done"},
            {"title": "Restart Deployment web", "state": "done"},
            {"title": "Restart Deployment mail", "state": "waiting"},
        ],
        "results": [{"object": "Deployment web", "state": "done", "text": "3 ready."}],
    }
    made.operation.state = Operation.State.STOPPED
    assert (await made.told())["done"] is True


async def test_what_a_step_is_about_has_no_name_for_who_may_not_see_it() -> None:
    made = screen(Standing(how="same"))
    made.runtime.cluster = SimpleNamespace(slug="dev", name="dev")  # type: ignore[assignment]
    made.change.user = User(username="jon")
    assert made.operation is not None
    made.operation.state = Operation.State.RUNNING
    made.operation.steps = [
        STEP
        | {"name": "canary", "title": "Restart Deployment canary", "text": "canary-1 is up.", "ended": "x"},
        STEP | {"name": "canary", "title": "Restart Deployment canary", "state": "waiting"},
        STEP | {"plural": "daemonsets", "kind": "DaemonSet", "name": "log", "title": "Restart DaemonSet log"},
    ]
    sees(made, everything(deployments=nothing("deployments")))
    told = await made.told()
    shown = made._progress(NOW)
    assert "canary" not in f"{told} {shown} {made.kubectl()} {made._pods()}"
    assert told["headline"] == "Restarting a Deployment that you may not see"
    assert [each["title"] for each in told["steps"]][1:] == [
        "Restart a Deployment that you may not see", "Restart a Deployment that you may not see",
        "Restart DaemonSet log",
    ]  # fmt: skip
    sees(made, everything())
    assert "canary-1 is up." in str(await made.told())
